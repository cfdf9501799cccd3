//! Tax notices as PDFs, from the example office: what each says is read in the sandbox.

use consentry::collect::Collector;
use consentry_contract::item::Value;
use consentry_tests::collecting::{Collecting, collector, lock, told_whole};
use tax_office::{PEOPLE, TaxOffice};

async fn run(collector: &Collector, office: &TaxOffice, person: usize, password: &str) -> (String, Vec<String>) {
    let collecting = Collecting::with("tax-notice").unwrap().at(&office.url);
    let collecting = collecting.field("login", PEOPLE[person].login).field("password", password);
    let seen = collecting.seen.clone();
    let collection = collecting.collect(collector).await.unwrap();
    let lines = collection.items.iter().map(|item| {
        let told = item.fields().map(|(field, value)| match value {
            Value::Blob { media, .. } => format!("{}={}", field.name, media.name()),
            Value::Integer(number) => format!("{}={number}", field.name),
            Value::Date(day) => format!("{}={day}", field.name),
            Value::Text(text) | Value::Decimal(text) => format!("{}={text}", field.name),
            _ => field.name.to_owned(),
        });
        told.collect::<Vec<_>>().join(" ")
    });
    let lines = lines.collect();
    let log = lock(&seen.lines).join("\n");
    assert!(!log.contains("38") && !log.contains("DUPONT"), "{log}");
    (told_whole(&collection), lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_notice_says_is_read_out_of_its_pdf_in_the_sandbox() {
    let (collector, office) = (collector().unwrap(), TaxOffice::start("127.0.0.1:0".parse().unwrap()).await.unwrap());
    let (came, items) = run(&collector, &office, 0, PEOPLE[0].password).await;
    assert_eq!(came, "document.tax-notice=3");
    let expected = [
        "ref=avis-2025 year=2025 number=26 69 1234567 89 issued=2026-07-31 income.amount=3825000 income.currency=EUR \
         tax.amount=121400 tax.currency=EUR shares=2.5 file=application/pdf",
        "ref=avis-2024 year=2024 number=25 69 7654321 98 issued=2025-08-01 income.amount=3694000 income.currency=EUR \
         tax.amount=108700 tax.currency=EUR shares=2.5 file=application/pdf",
        "ref=avis-2023 year=2023 number=24 69 1122334 45 issued=2024-08-02 income.amount=-41200 income.currency=EUR \
         tax.amount=0 tax.currency=EUR shares=1 file=application/pdf",
    ];
    assert_eq!(items, expected);
    // A scan has no words: its file is shared, and the dataset is partial.
    let (came, items) = run(&collector, &office, 2, PEOPLE[2].password).await;
    assert_eq!(came, "document.tax-notice=2!value-unparsable because value-unparsable @notice");
    assert_eq!(items[1], "ref=avis-2024 year=2024 file=application/pdf");
    assert!(items[0].contains("income.amount=2103000"), "{items:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_office_says_is_what_a_collection_is_told_as() {
    let (collector, office) = (collector().unwrap(), TaxOffice::start("127.0.0.1:0".parse().unwrap()).await.unwrap());
    for (person, password, expected) in [
        (1, PEOPLE[1].password, "document.tax-notice=empty@no-documents"),
        (0, "another", "credentials-rejected @login"),
        (3, PEOPLE[3].password, "account-locked @login"),
    ] {
        assert_eq!(run(&collector, &office, person, password).await.0, expected);
    }
}
