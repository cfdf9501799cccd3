//! Kept pages, and what becomes of them.

use consentry_sdk::native;
use consentry_sdk::page::Document;

use super::{Account, accounts, operations, profile, statements};

const PROFILE: &str = include_str!("../../pages/profile.html");
const OPERATIONS: &str = include_str!("../../pages/operations.html");

fn page(source: &str) -> Document {
    native::document("html", "/accounts", source).unwrap()
}

fn first_account() -> Account {
    Account { reference: "1".to_owned(), currency: "EUR".to_owned(), operations: String::new() }
}

#[test]
fn a_profile_is_read_by_its_labels() {
    profile(&page(PROFILE)).unwrap();
    assert_eq!(
        native::items(),
        [
            "person.name given=Marie family=Dupont",
            "person.gender gender=female",
            "person.birth date=1985-12-25 place=Lyon",
            "person.address kind=postal lines=12 rue de la République postcode=69002 city=Lyon country=FR",
            "person.phone number=+33472000000",
            "person.email address=marie.dupont@example.org",
        ]
    );
}

#[test]
fn a_title_of_another_kind_costs_its_dataset_only() {
    profile(&page(&PROFILE.replace("Mme", "Dr"))).unwrap();
    assert_eq!((native::items().len(), native::partial()), (5, vec!["person.gender".to_owned()]));
}

#[test]
fn accounts_and_balances_stand_in_one_table() {
    let found = accounts(&page(include_str!("../../pages/accounts.html"))).unwrap();
    assert_eq!(found.iter().map(|account| account.reference.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert_eq!(found[1].operations, "https://source.example/accounts/2/operations");
    let items = native::items();
    assert_eq!(items.len(), 6);
    assert_eq!(
        items[..2],
        [
            "bank.account ref=1 label=Compte chèques holder=Mme Marie Dupont iban=FR7630006000011234567890189 bic=AGRIFRPP \
             currency=EUR kind=current",
            "bank.balance account=1 amount=123456 currency=EUR",
        ]
    );
    assert_eq!(items[5], "bank.balance account=3 amount=-1750 currency=EUR");
}

#[test]
fn a_page_of_operations_leads_to_the_next() {
    native::want(&["bank.transaction"]);
    let next = r#"<p class="pagination">Page 1 sur 2 <a class="suivante" href="?page=2">suivante</a></p>"#;
    let first = OPERATIONS.replace("<p class=\"pagination\">Page 1 sur 1</p>", next);
    assert_eq!(
        operations(&page(&first), &first_account()).unwrap().as_deref(),
        Some("https://source.example/accounts?page=2")
    );
    assert_eq!(
        native::items()[0],
        "bank.transaction account=1 ref=VB2041709999999 date=2025-12-31 label=CARTE 31/12 BOULANGERIE MOREL amount=-399 \
         currency=EUR"
    );
    assert_eq!(operations(&page(OPERATIONS), &first_account()).unwrap(), None);
}

#[test]
fn older_operations_end_the_walk() {
    native::want(&["bank.transaction"]);
    native::since("2026-01-01");
    let next = OPERATIONS.replace("Page 1 sur 1", r#"<a class="suivante" href="?page=2">suivante</a>"#);
    assert_eq!(operations(&page(&next), &first_account()).unwrap(), None);
    assert!(native::items().is_empty());
    assert_eq!((native::older(), native::partial()), (vec!["bank.transaction".to_owned()], vec![]));
}

#[test]
fn statements_are_listed_since_the_day_of_the_consent() {
    native::since("2025-11-30");
    let found = statements(&page(include_str!("../../pages/documents.html"))).unwrap();
    let told: Vec<String> =
        found.iter().map(|it| format!("{} {} {} {}", it.reference, it.issued, it.title, it.url)).collect();
    assert_eq!(
        told,
        [
            "releve-2025-12 2025-12-31 Relevé de compte 12/2025 https://source.example/documents/releve-2025-12.pdf",
            "releve-2025-11 2025-11-30 Relevé de compte 11/2025 https://source.example/documents/releve-2025-11.pdf",
        ]
    );
    assert_eq!((native::older(), native::partial()), (vec!["document.statement".to_owned()], vec![]));
}
