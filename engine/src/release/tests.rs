use std::sync::Arc;

use consentry_contract::failure::{Dataset, Gathered};
use consentry_contract::item::{CATEGORIES, Check, Field, Kind, RawValue, Value};
use consentry_contract::limits::LimitName;

use super::*;
use crate::data::Item;
use crate::fixtures::{
    category, collected, entropy, given, id, lender, lender_as, name_item, now, proofs, register, shelves,
    transaction_item,
};
use crate::id::ConsentId;
use crate::jose::{Algorithm, jwe, jws};
use crate::keys::Duty;
use crate::ledger::Ledger;
use crate::seal::recipient::{ItemForm, ParcelError};

async fn leaf(consent: ConsentId, parcel: ParcelId) -> AcceptedLeaf {
    let event = Event::Released { consent, run: id(1), parcel };
    let (keys, log) = (crate::keys::software::tests::keys(), crate::ledger::sequencer::in_memory());
    Ledger::new(&shelves(), entropy(), keys, log).accept(event, now()).await.unwrap()
}

fn items() -> Vec<crate::data::Item> {
    vec![name_item("Martin"), transaction_item("rent", -90_000), transaction_item("salary", 250_000)]
}

#[tokio::test]
async fn what_was_not_granted_or_was_unticked_is_left_out_and_counted() {
    let register = register();
    let consent = given(&register, 1, &["bank.transaction"]).await;
    let (grant, _) = proofs(&register, consent).await;
    let minimised = collected(&grant, id(1), items()).minimise(&grant, &[], now());
    assert_eq!((minimised.len(), minimised.omissions().total()), (2, 1));
    let reviewed = minimised.review(&Decision::all().without_item(0));
    assert_eq!((reviewed.len(), reviewed.omissions().total()), (1, 2));
    let counted: Vec<_> = reviewed.omissions().by_category().collect();
    assert_eq!(counted, [(category("bank.transaction"), 1), (category("person.name"), 1)]);
    assert!(!format!("{reviewed:?}").contains("salary"), "{reviewed:?}");
}

#[tokio::test]
async fn the_gate_stays_closed_for_another_consent_and_for_nothing() {
    let register = register();
    let first = given(&register, 1, &["person.name"]).await;
    let second = given(&register, 2, &["person.name"]).await;
    let (grant, active) = proofs(&register, first).await;
    let (_, other) = proofs(&register, second).await;
    let reviewed = || collected(&grant, id(1), items()).minimise(&grant, &[], now()).review(&Decision::all());
    assert_eq!(reviewed().release(&other, &leaf(first, id(1)).await, id(1)).err(), Some(Refusal::OtherConsent));
    assert_eq!(reviewed().release(&active, &leaf(first, id(2)).await, id(1)).err(), Some(Refusal::OtherLeaf));
    assert_eq!(reviewed().release(&active, &leaf(second, id(1)).await, id(1)).err(), Some(Refusal::OtherLeaf));
    let nothing = collected(&grant, id(1), items())
        .minimise(&grant, &[], now())
        .review(&Decision::all().without_category(category("person.name")));
    assert_eq!(nothing.release(&active, &leaf(first, id(1)).await, id(1)).err(), Some(Refusal::Nothing));
    assert!(reviewed().release(&active, &leaf(first, id(1)).await, id(1)).is_ok());
}

#[tokio::test]
async fn only_the_online_service_of_the_consent_opens_the_parcel_and_it_keeps_to_the_schema() {
    let register = register();
    let consent = given(&register, 1, &["person.name", "bank.transaction"]).await;
    let (grant, active) = proofs(&register, consent).await;
    let keys = crate::keys::software::tests::keys();
    let released = async || {
        let reviewed =
            collected(&grant, id(1), items()).minimise(&grant, &[], now()).review(&Decision::all().without_item(2));
        reviewed.release(&active, &leaf(consent, id(5)).await, id(5)).unwrap()
    };
    let stranger = lender_as(id(2));
    let refused = released().await.seal_for(&stranger, &*keys, &entropy()).await;
    assert!(matches!(refused, Err(ParcelError::OtherOnlineService)));

    let parcel = released().await.seal_for(&lender(), &*keys, &entropy()).await.unwrap();
    let token = std::str::from_utf8(parcel.sealed().as_bytes()).unwrap();
    let opened = crate::jose::tests::published_key(Algorithm::RsaOaep256).open(token, jwe::PARCEL_BYTES_MAX).unwrap();
    let signed = std::str::from_utf8(&opened).unwrap();
    let signer = keys.public(Duty::Signing).await.unwrap();
    let payload = jws::verify(signed, "consentry-parcel+jwt", jwe::PARCEL_BYTES_MAX, &signer).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(json["items"].as_array().unwrap().len(), 2);
    assert_eq!(json["datasets"][1]["withheld"], 1);
    assert_eq!(json["provenance"]["digest"], crate::data::Digest::of(b"connector").to_string());
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../schema/parcel-0.1.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{json:#}");
}

fn raw(field: &Field, text: &str) -> RawValue {
    match field.kind {
        Kind::Text => RawValue::Text(text.to_owned()),
        Kind::Integer => RawValue::Integer(match field.check {
            Check::Range(low, high) => (low + text.len() as i64).min(high),
            _ => -(text.len() as i64),
        }),
        Kind::Decimal => RawValue::Decimal(format!("-{}.50", text.len())),
        Kind::Date => RawValue::Date(format!("2001-02-{:02}", 1 + text.len() % 28)),
        Kind::Instant => RawValue::Instant("2026-11-21T10:00:00+01:00".to_owned()),
        Kind::Flag => RawValue::Flag(text.len().is_multiple_of(2)),
        Kind::Blob => RawValue::Blob(Arc::new(zeroize::Zeroizing::new([b"\xff\xd8\xff", text.as_bytes()].concat()))),
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]
    /// As a receiver reads it: the form of the schema, and the words that were collected.
    #[test]
    fn an_item_is_written_as_the_schema_says_with_nothing_lost(
        at in 0..CATEGORIES.len(),
        text in "[a-zA-Zé漢\"\\\\ /<&\u{7f}\u{1f600}0-9]{1,12}|EUR|FR|\\+33612345678|a@b\\.example|FR1420041010050500013M02606|BNPAFRPP",
    ) {
        let category = &CATEGORIES[at];
        let fields = category.fields.iter().filter_map(|field| {
            let given = [text.as_str(), "EUR", "FR", "+33612345678", "a@b.example", "FR1420041010050500013M02606", "BNPAFRPP"];
            let words = match field.check { Check::OneOf(words) => words, _ => &[] };
            given.iter().chain(words).map(|text| (field.name.to_owned(), raw(field, text))).find(|one| {
                // Alone it lacks others, but nothing is wrong with itself.
                let errors = Item::check(category.name, vec![one.clone()], now()).err().unwrap_or_default();
                errors.iter().all(|error| error.field.as_ref().is_none_or(|name| name.as_str() != field.name))
            })
        });
        let item = Item::check(category.name, fields.collect(), now()).unwrap();
        let written = serde_json::to_value(ItemForm(&item)).unwrap();
        // The limit counts what it takes here, with the comma behind it, and not much more.
        let (counted, takes) = (item.size(), serde_json::to_vec(&ItemForm(&item)).unwrap().len() as u64 + 1);
        proptest::prop_assert!((takes..takes + 100 + 40 * category.fields.len() as u64).contains(&counted), "{} {}", counted, takes);
        for (field, value) in item.fields() {
            if let Value::Text(text) | Value::Decimal(text) = value {
                proptest::prop_assert_eq!(&written["fields"][field.name], &serde_json::json!(text));
            }
        }
        let mut schema = consentry_contract::item::json_schema();
        schema["$ref"] = format!("#/$defs/{}", category.name).into();
        for wrapped in ["properties", "required", "additionalProperties", "type"] {
            schema.as_object_mut().unwrap().remove(wrapped);
        }
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(&written).map(|error| error.to_string()).collect();
        proptest::prop_assert!(errors.is_empty(), "{:?}\n{:#}", errors, written);
        proptest::prop_assert_eq!(written["fields"].as_object().unwrap().len(), category.fields.len());
    }
}

/// As many items as have these bytes together, with texts that JSON writes twice as long.
fn as_many_as(bytes: u64) -> Vec<Item> {
    let items = (0..).map(|at| transaction_item(&format!("{at}{}", "\"".repeat(40)), -1));
    let left = items.scan(bytes, |left, item| {
        *left = left.checked_sub(item.size())?;
        Some(item)
    });
    left.collect()
}

#[tokio::test]
async fn what_the_limit_lets_a_connector_emit_fits_into_a_parcel_and_more_is_refused_at_the_seal() {
    let register = register();
    let consent = given(&register, 1, &["bank.transaction"]).await;
    let keys = crate::keys::software::tests::keys();
    let (grant, active) = proofs(&register, consent).await;
    let sealed = async |bytes| {
        let reviewed =
            collected(&grant, id(1), as_many_as(bytes)).minimise(&grant, &[], now()).review(&Decision::all());
        assert_eq!(reviewed.omissions().total(), 0);
        let released = reviewed.release(&active, &leaf(consent, id(5)).await, id(5)).unwrap();
        released.seal_for(&lender(), &*keys, &entropy()).await
    };
    let most = LimitName::ItemBytes.row().maximum;
    assert!(sealed(most).await.unwrap().sealed().as_bytes().len() > 20 << 20, "it is much of what a parcel holds");
    assert!(matches!(sealed(most / 2 * 3).await, Err(ParcelError::Seal(_))));
}

#[test]
fn the_schema_that_is_shipped_is_the_one_the_item_table_makes() {
    let shipped: serde_json::Value = serde_json::from_str(include_str!("../../schema/parcel-0.1.json")).unwrap();
    assert_eq!(
        shipped,
        consentry_contract::item::json_schema(),
        "write it again: cargo test -p consentry-engine -- --ignored schema"
    );
}

#[test]
#[ignore = "writes schema/parcel-0.1.json"]
fn write_schema() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/parcel-0.1.json");
    std::fs::write(path, format!("{:#}\n", consentry_contract::item::json_schema())).unwrap();
}

#[tokio::test]
async fn something_is_shared_as_long_as_an_item_or_a_confirmation_is_left() {
    let register = register();
    let consent = given(&register, 1, &["person.name", "bank.transaction"]).await;
    let (grant, active) = proofs(&register, consent).await;
    let some = || collected(&grant, id(1), items()).minimise(&grant, &[], now());
    let counted = serde_json::to_value(crate::seal::recipient::Datasets(&some())).unwrap();
    assert_eq!((&counted[0]["count"], &counted[1]["count"]), (&1.into(), &2.into()), "{counted}");
    let without_all = [0, 1, 2].into_iter().fold(Decision::all(), Decision::without_item);
    for (decision, left) in [
        (Decision::all(), true),
        (Decision::all().without_item(0).without_item(1), true),
        (Decision::all().without_category(category("bank.transaction")), true),
        (Decision::all().without_category(category("bank.transaction")).without_item(0), false),
        (without_all, false),
    ] {
        assert_eq!(decision.leaves_something(&some()), left, "{decision:?}");
    }
    for (quality, left) in [(Quality::EmptyConfirmed("no-accounts".parse().unwrap()), true), (Quality::Complete, false)]
    {
        let dataset = Dataset { category: "bank.transaction".to_owned(), count: 0, quality };
        let gathered = Gathered { datasets: vec![dataset], shortfall: None };
        let nothing = || {
            Data::collected(&grant, vec![], gathered.clone(), crate::fixtures::provenance(id(1))).minimise(
                &grant,
                &[],
                now(),
            )
        };
        assert_eq!(Decision::all().leaves_something(&nothing()), left);
        let reviewed = nothing().review(&Decision::all());
        let released = reviewed.release(&active, &leaf(consent, id(3)).await, id(3));
        assert_eq!(released.err(), (!left).then_some(Refusal::Nothing));
    }
}

/// Every way in which three items of two categories can be wanted, granted and unticked, and what is released.
async fn matrix() -> String {
    const WANTED: [&[&str]; 3] = [&["person.name"], &["bank.transaction"], &["person.name", "bank.transaction"]];
    let register = register();
    let mut lines = vec!["wanted | granted | unticked -> released".to_owned()];
    let mut number = 0;
    for wanted in WANTED {
        for granted in WANTED.into_iter().filter(|granted| granted.iter().all(|category| wanted.contains(category))) {
            number += 1;
            let consent = crate::fixtures::given_of(&register, number, wanted, granted).await;
            let (grant, active) = proofs(&register, consent).await;
            for (unticked, decision) in [
                ("nothing", Decision::all()),
                ("the first item", Decision::all().without_item(0)),
                ("bank.transaction", Decision::all().without_category(category("bank.transaction"))),
                ("person.name", Decision::all().without_category(category("person.name"))),
            ] {
                // As a connector might bring it that brings more than was asked for.
                let reviewed = collected(&grant, id(1), items()).minimise(&grant, &[], now()).review(&decision);
                let released = match reviewed.release(&active, &leaf(consent, id(number)).await, id(number)) {
                    Ok(data) => data.items().iter().map(told).collect::<Vec<_>>().join(", "),
                    Err(refusal) => refusal.to_string(),
                };
                lines.push(format!("{} | {} | {unticked} -> {released}", wanted.join(" "), granted.join(" ")));
            }
        }
    }
    lines.join("\n") + "\n"
}

fn told(item: &Item) -> String {
    let word = ["family", "label"].into_iter().find_map(|field| item.get(field)).and_then(Value::as_text);
    format!("{} {}", item.category().name, word.unwrap_or_default())
}

#[tokio::test]
async fn what_is_released_is_what_the_matrix_says() {
    assert_eq!(matrix().await, include_str!("matrix.txt"), "what is right is written by --ignored write_matrix");
}

#[tokio::test]
#[ignore = "writes src/release/matrix.txt"]
async fn write_matrix() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/release/matrix.txt");
    std::fs::write(path, matrix().await).unwrap();
}

/// A transaction that tells of somebody else.
fn rent() -> crate::data::Item {
    let text = |value: &str| consentry_contract::item::RawValue::Text(value.to_owned());
    let fields = vec![
        ("account", text("a1")),
        ("label", text("VIR Durand Paul rent to DURAND PAUL, FR7630006000011234567890189")),
        ("currency", text("EUR")),
        ("amount", consentry_contract::item::RawValue::Integer(-90_000)),
        ("date", consentry_contract::item::RawValue::Date("2026-11-02".to_owned())),
        ("counterparty.name", text("Durand Paul")),
        ("counterparty.iban", text("FR7630006000011234567890189")),
        ("remittance", text("for November, from Marie")),
    ];
    crate::fixtures::item("bank.transaction", fields)
}

#[tokio::test]
async fn what_a_transaction_says_of_others_is_cut_out_unless_that_was_granted() {
    let register = register();
    let consent = given(&register, 1, &["bank.transaction"]).await;
    let (grant, _) = proofs(&register, consent).await;
    let minimised = collected(&grant, id(1), vec![rent()]).minimise(&grant, &[], now());
    let shown = serde_json::to_string(&ItemForm(&minimised.items()[0])).unwrap();
    for words in ["Durand", "DURAND", "FR76", "Marie", "remittance", "counterparty"] {
        assert!(!shown.contains(words), "{words}: {shown}");
    }
    assert!(shown.contains("VIR … rent to …, …") && shown.contains("-90000"), "{shown}");

    // The same with a registration that says why it needs them, which the notice says to the person.
    let mut service = crate::fixtures::lender();
    service.allow_third_parties(crate::fixtures::both("to find your landlord."));
    let request = crate::request::DataRequest::parse(id(1), crate::fixtures::REQUEST.as_bytes(), &service).unwrap();
    let (bank, operator) = (crate::fixtures::bank(), crate::fixtures::operator());
    let notice = crate::consent::Notice::compile(&request, &service, &bank, &operator).unwrap();
    assert!(serde_json::to_string(&notice).unwrap().contains("say of other people: to find your landlord."));
    let consent = id(2);
    register.ask(consent, id(2), &request, &notice, crate::fixtures::later(), now()).await.unwrap();
    register.give(consent, &notice.digest(), &crate::fixtures::categories(&["bank.transaction"]), now()).await.unwrap();
    let (grant, _) = proofs(&register, consent).await;
    let minimised = collected(&grant, id(1), vec![rent()]).minimise(&grant, &[], now());
    assert!(serde_json::to_string(&ItemForm(&minimised.items()[0])).unwrap().contains("Durand Paul"));
}

#[tokio::test]
async fn a_question_is_answered_and_what_it_looked_at_goes_no_further() {
    let register = register();
    let service = crate::fixtures::lender();
    let json = r#"{"purpose":"tenant-check","predicates":["income-at-least(1000 EUR)","age-over(18)"]}"#;
    let request = crate::request::DataRequest::parse(id(1), json.as_bytes(), &service).unwrap();
    let (bank, operator) = (crate::fixtures::bank(), crate::fixtures::operator());
    let notice = crate::consent::Notice::compile(&request, &service, &bank, &operator).unwrap();
    // This Data Source knows no birthday: the question is not asked here.
    let asked: Vec<&str> = notice.facts().predicates.iter().map(|asked| asked.predicate.as_str()).collect();
    assert_eq!(asked, ["income-at-least(1000 EUR)"]);
    let consent = id(3);
    register.ask(consent, id(3), &request, &notice, crate::fixtures::later(), now()).await.unwrap();
    let questions = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let none = crate::fixtures::categories(&[]);
    let wider = register.give_all(consent, &notice.digest(), &none, &questions(&["age-over(18)"]), now()).await;
    assert!(wider.is_err(), "what was not asked is not granted");
    register.give_all(consent, &notice.digest(), &none, &questions(&asked), now()).await.unwrap();
    let (grant, active) = proofs(&register, consent).await;
    assert_eq!(grant.categories(), crate::fixtures::categories(&["bank.transaction"]), "looked at");
    let predicates: Vec<_> = request.predicates().iter().map(|(predicate, _)| predicate.clone()).collect();
    let minimised = collected(&grant, id(1), items()).minimise(&grant, &predicates, now());
    assert!(minimised.is_empty() && minimised.gathered().datasets.is_empty());
    assert_eq!(minimised.answers().len(), 1);
    assert!(Decision::all().leaves_something(&minimised));
    let parcel = id(1);
    let released = minimised.review(&Decision::all()).release(&active, &leaf(consent, parcel).await, parcel).unwrap();
    let json = crate::seal::Sealable::encode(&released).unwrap();
    let content: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(content["items"], serde_json::json!([]));
    assert_eq!(content["predicates"], serde_json::json!([{ "predicate": "income-at-least(1000 EUR)", "holds": null }]));
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../schema/parcel-0.1.json")).unwrap();
    jsonschema::validate(&schema, &content).unwrap();
}
