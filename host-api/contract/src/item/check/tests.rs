use std::sync::Arc;

use zeroize::Zeroizing;

use super::super::RunItems;
use super::*;
use crate::item::CATEGORIES;

const NOW: &str = "2026-11-21T10:00:00Z";

fn check(category: &str, fields: &[(&str, RawValue)]) -> Result<Item, Vec<FieldError>> {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Item::check(category, fields, NOW.parse().unwrap())
}

fn text(text: &str) -> RawValue {
    RawValue::Text(text.to_owned())
}

fn day(day: &str) -> RawValue {
    RawValue::Date(day.to_owned())
}

fn blob(bytes: &[u8]) -> RawValue {
    RawValue::Blob(Arc::new(Zeroizing::new(bytes.to_vec())))
}

/// What the table says about one field of an item, as the author reads it; empty if it is fine.
fn told(category: &str, fields: &[(&str, RawValue)]) -> String {
    let errors = check(category, fields).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn texts_are_taken_in_their_normal_form_or_refused() {
    let cases: &[(&str, &str, &str, Option<&str>)] = &[
        ("bank.account", "iban", "FR76 3000 6000 0112 3456 7890 189", Some("FR7630006000011234567890189")),
        ("bank.account", "iban", "FR7630006000011234567890188", None),
        ("bank.account", "iban", "XX7630006000011234567890189", None),
        ("bank.account", "bic", "AGRIFRPP", Some("AGRIFRPP")),
        ("bank.account", "bic", "AGRIFRPPXXX", Some("AGRIFRPPXXX")),
        ("bank.account", "bic", "agrifrpp", None),
        ("bank.account", "bic", "AGRIZZPP", None),
        ("bank.account", "bic", "ÉÉÉÉ", None),
        ("bank.account", "currency", "EUR", Some("EUR")),
        ("bank.account", "currency", "€", None),
        ("bank.account", "kind", "savings", Some("savings")),
        ("bank.account", "kind", "Savings", None),
        ("bank.account", "label", "  Livret A ", Some("Livret A")),
        ("bank.account", "label", "   ", None),
        ("bank.account", "label", "a\nb", None),
        ("bank.account", "label", "a\u{202E}b", None),
        ("bank.account", "label", "a\u{2028}b", None),
        ("person.address", "lines", "1 rue de la Paix\nBâtiment B", Some("1 rue de la Paix\nBâtiment B")),
        ("person.address", "lines", "1 rue\0", None),
        ("person.phone", "number", "+33612345678", Some("+33612345678")),
        ("person.phone", "number", "0612345678", None),
        ("person.phone", "number", "+33 6 12 34 56 78", None),
        ("person.phone", "number", "+0612345678", None),
        ("person.email", "address", "Ada.Roy@Example.COM", Some("Ada.Roy@example.com")),
        ("person.email", "address", "ada@localhost", None),
        ("person.email", "address", "ada roy@example.com", None),
        ("person.email", "address", "Ada <ada@example.com>", None),
        ("person.nationality", "country", "CH", Some("CH")),
        ("person.nationality", "country", "Suisse", None),
    ];
    for (category, field, given, wanted) in cases {
        let mut fields = vec![(*field, text(given))];
        if *category == "bank.account" {
            fields.push(("ref", text("a1")));
        }
        let item = check(category, &fields);
        let taken = item.as_ref().ok().and_then(|item| item.get(field)).and_then(Value::as_text);
        assert_eq!(taken, *wanted, "{category} {field} {given:?}");
    }
}

/// A category, its fields, and the beginning of what the author is told.
type Case<'a> = (&'a str, &'a [(&'a str, RawValue)], &'a str);

/// The values in these cases, none of which may be told.
const GIVEN: [&str; 5] = ["Ada", "2026-11-23", "1987", "1,5", "html"];

fn tells(cases: &[Case]) {
    for (category, fields, wanted) in cases {
        let told = told(category, fields);
        assert!(told.starts_with(wanted), "{category}: {told}");
        for given in GIVEN {
            assert!(!told.contains(given) && !format!("{:?}", check(category, fields)).contains(given), "{told}");
        }
    }
}

#[test]
fn the_author_is_told_which_field_is_missing_unknown_or_of_another_kind() {
    tells(&[
        ("person.wealth", &[], "item: wants a category of the item table"),
        ("person.name", &[], "person.name: wants at least one of family, full"),
        ("person.name", &[("full", RawValue::Integer(7))], "person.name: `full` wants a text"),
        ("person.name", &[("full", text("A")), ("full", text("B"))], "person.name: `full` wants to be given once"),
        (
            "person.name",
            &[("full", text("A")), ("nick", text("B"))],
            "person.name: `nick` wants a field that the category",
        ),
        (
            "person.name",
            &[("full", text("A")), ("Ada Roy", text("B"))],
            "person.name: wants a field that the category has",
        ),
        ("person.phone", &[], "person.phone: `number` wants a value: it is required"),
        ("bank.solvency", &[("income.amount", RawValue::Integer(1))], "bank.solvency: `income.currency` wants a value"),
    ]);
}

#[test]
fn the_author_is_told_the_wanted_form_and_nothing_of_the_value() {
    let form = "a date: YYYY-MM-DD";
    let birth = format!("person.birth: `date` wants {form}");
    let statement = "document.statement: `file` wants a PDF, PNG or JPEG of at most 10 MiB";
    tells(&[
        ("person.birth", &[("date", day("2026-11-23"))], "person.birth: `date` wants a day from 1900-01-01 to today"),
        ("person.birth", &[("date", day("1987-13-01"))], &birth),
        ("person.birth", &[("date", day("19870101"))], &birth),
        ("person.birth", &[("date", day("1987-01-01T00:00"))], &birth),
        (
            "bank.solvency",
            &[("score", RawValue::Decimal("1,5".into()))],
            "bank.solvency: `score` wants a decimal: digits",
        ),
        ("identity.portrait", &[("file", blob(b"%PDF-1.7"))], "identity.portrait: `file` wants a PNG or JPEG"),
        ("document.statement", &[("ref", text("s")), ("file", blob(b"<html>"))], statement),
    ]);
}

#[test]
fn a_whole_item_passes_and_shows_its_field_names_only() {
    let item = check(
        "bank.transaction",
        &[
            ("label", text("Rent")),
            ("account", text("a1")),
            ("date", day("2026-11-20")),
            ("amount", RawValue::Integer(-85_000)),
            ("currency", text("EUR")),
            ("at", RawValue::Instant("2026-11-20T09:30:00Z".into())),
            ("pending", RawValue::Flag(false)),
        ],
    )
    .unwrap();
    assert_eq!(
        format!("{item:?}"),
        r#"bank.transaction ["account", "date", "at", "label", "amount", "currency", "pending"]"#
    );
    assert_eq!(format!("{:?}", item.get("label")), "Some(Text(..))");
    assert!(matches!(item.get("amount"), Some(Value::Integer(-85_000))));
    assert_eq!(item.observed(), NOW.parse().unwrap());
}

#[test]
fn a_run_keeps_references_unique_and_resolved() {
    let all: Vec<_> = CATEGORIES.iter().collect();
    let mut run = RunItems::new(&all);
    let account = |name: &str| check("bank.account", &[("ref", text(name))]).unwrap();
    let balance = |name: &str| {
        let fields = [("account", text(name)), ("amount", RawValue::Integer(1)), ("currency", text("EUR"))];
        check("bank.balance", &fields).unwrap()
    };
    let invoice = check("document.certificate", &[("ref", text("a1")), ("file", blob(b"%PDF-1.4"))]);
    run.add(account("a1")).unwrap();
    run.add(balance("a1")).unwrap();
    run.add(invoice.unwrap()).expect("another category may use the same reference");
    assert_eq!(
        run.add(account("a1")).unwrap_err().to_string(),
        "bank.account: `ref` wants a reference that is unique in its category, at most 128 characters"
    );
    assert_eq!(
        run.add(balance("a2")).unwrap_err().to_string(),
        "bank.balance: `account` wants the `ref` of an item of bank.account"
    );
    run.add(check("person.gender", &[("gender", text("female"))]).unwrap()).unwrap();
    assert!(run.add(check("person.gender", &[("gender", text("male"))]).unwrap()).is_err(), "a person has one");
    assert_eq!((run.count("bank.account"), run.count("bank.balance"), run.items().len()), (1, 1, 4));

    let balances: Vec<_> = CATEGORIES.iter().filter(|category| category.name == "bank.balance").collect();
    RunItems::new(&balances).add(balance("a2")).expect("accounts are not shared here");
}

proptest::proptest! {
    #[test]
    fn whatever_a_connector_says_is_refused_or_taken_and_then_taken_again(given in ".{0,40}", field in 0_usize..400) {
        let fields: Vec<_> = CATEGORIES.iter().flat_map(|category| category.fields).collect();
        let check = fields[field % fields.len()].check;
        if let Some(normal) = text::normal(check, &given) {
            proptest::prop_assert_eq!(text::normal(check, &normal), Some(normal));
        }
    }
}

#[test]
fn the_rows_of_a_table_are_checked_one_by_one() {
    let columns = |fields: &[&str]| Columns::of("person.name", fields.iter().map(|&field| field.into()).collect());
    let told = |fields: &[&str], row: &[Option<&str>]| {
        let row = row.iter().map(|value| value.map(text)).collect();
        match columns(fields).unwrap().check(row, NOW.parse().unwrap()) {
            Ok(item) => format!("{item:?}"),
            Err(errors) => errors.iter().map(FieldError::to_string).collect::<Vec<_>>().join("; "),
        }
    };
    let names = ["family", "given", "nonsense"];
    assert_eq!(told(&names, &[Some("Roy"), Some("Anne"), None]), "person.name [\"given\", \"family\"]");
    assert_eq!(told(&names, &[Some("Roy")]), "person.name [\"family\"]");
    assert_eq!(
        told(&names, &[Some("Roy"), None, Some("x")]),
        "person.name: `nonsense` wants a field that the category has"
    );
    assert_eq!(told(&["family"], &[Some("Roy"), Some("x")]), "person.name: wants a field that the category has");
    assert_eq!(
        told(&["family", "family"], &[Some("Roy"), Some("Roy")]),
        "person.name: `family` wants to be given once"
    );
    assert!(told(&names, &[]).contains("at least one of"));
    assert!(Columns::of("person.shoes", Vec::new()).is_err());
}

/// Every kind that can be written, as a table of a connector's is.
#[test]
fn what_is_written_is_read_as_its_kind() {
    let fields = ["account", "date", "label", "amount", "currency", "pending", "at"];
    let columns = Columns::of("bank.transaction", fields.map(str::to_owned).to_vec()).unwrap();
    let right = ["a1", "2026-11-20", " Loyer ", "-85000", "EUR", "false", "2026-11-20T09:30:00Z"];
    let read = |row: &[Option<&str>]| columns.read(row.iter().copied(), NOW.parse().unwrap());
    let item = read(&right.map(Some)).unwrap();
    let values = [
        ("account", text("a1")),
        ("date", day("2026-11-20")),
        ("label", text("Loyer")),
        ("amount", RawValue::Integer(-85_000)),
        ("currency", text("EUR")),
        ("pending", RawValue::Flag(false)),
        ("at", RawValue::Instant("2026-11-20T09:30:00Z".into())),
    ];
    let same = check("bank.transaction", &values).unwrap();
    // In the table's order, whatever the connector's is.
    let names = ["account", "date", "at", "label", "amount", "currency", "pending"];
    assert!(
        item.fields().map(|(field, _)| field.name).eq(names) && same.fields().map(|(field, _)| field.name).eq(names)
    );
    let shown = |value: &Value| match value {
        Value::Text(text) | Value::Decimal(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Date(date) => date.to_string(),
        Value::Instant(instant) => instant.to_string(),
        Value::Flag(flag) => flag.to_string(),
        Value::Blob { .. } => "a document".to_owned(),
    };
    assert!(item.fields().zip(same.fields()).all(|((_, one), (_, other))| shown(one) == shown(other)));

    for (at, wrong, wanted) in [
        (1, "20/11/2026", "`date` wants a date: YYYY-MM-DD"),
        (1, "2026-11-31", "`date` wants a date: YYYY-MM-DD"),
        (1, "2026-11-2x", "`date` wants a date: YYYY-MM-DD"),
        (1, "1899-12-31", "`date` wants a day from 1900-01-01 to 2199-12-31"),
        (3, "+85000", "`amount` wants an integer"),
        (3, "850.00", "`amount` wants an integer"),
        (3, "", "`amount` wants an integer"),
        (3, "9223372036854775808", "`amount` wants an integer"),
        (4, "euro", "`currency` wants a currency (ISO 4217, capitals)"),
        (5, "no", "`pending` wants a flag"),
        (6, "yesterday", "`at` wants an instant: RFC 3339"),
    ] {
        let mut row = right.map(Some);
        row[at] = Some(wrong);
        let errors = read(&row).unwrap_err();
        assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), [format!("bank.transaction: {wanted}")]);
    }
    let file = Columns::of("document.statement", vec!["ref".into(), "file".into()]).unwrap();
    let errors = file.read(["s1", "%PDF-1.7"].map(Some).into_iter(), NOW.parse().unwrap()).unwrap_err();
    assert_eq!(errors[0].to_string(), "document.statement: `file` wants a blob");
}
