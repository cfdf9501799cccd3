//! Kept pages, and what becomes of them.

use consentry_sdk::native;
use consentry_sdk::page::Document;

use super::{Bill, bills, latest_year, profile};

const PROFILE: &str = include_str!("../../pages/profile.html");

fn page(source: &str) -> Document {
    native::document("html", "/my/profile", source).unwrap()
}

#[test]
fn a_profile_is_read_from_its_form() {
    profile(&page(PROFILE)).unwrap();
    assert_eq!(
        native::items(),
        [
            "person.name given=Marie family=Dupont",
            "person.address kind=home lines=12 rue de la République postcode=69002 city=Lyon",
            "person.phone number=+33472000000",
            "person.phone number=+33600000000 kind=mobile",
            "person.email address=marie.dupont@example.org",
            "person.birth date=1985-12-25",
            "bank.account ref=iban holder=Marie Dupont iban=FR7630006000011234567890189",
        ]
    );
}

#[test]
fn a_day_in_another_language_costs_its_dataset_only() {
    profile(&page(&PROFILE.replace("25/12/1985", "Dec. 25, 1985"))).unwrap();
    assert_eq!((native::items().len(), native::partial()), (6, vec!["person.birth".to_owned()]));
}

#[test]
fn a_field_that_must_be_there_is_missed() {
    let fault = profile(&page(&PROFILE.replace("addr_street", "street"))).unwrap_err();
    assert_eq!(fault.code, "page-unrecognised");
}

#[test]
fn bills_are_read_since_the_day_of_the_consent() {
    native::since("2025-05-05");
    let told = |Bill { number, day, title, amount, paid, pdf }: Bill| [number, day, title, amount, paid, pdf].join(" ");
    let found: Vec<String> =
        bills(&page(include_str!("../../pages/bills.html"))).unwrap().into_iter().map(told).collect();
    assert_eq!(
        found,
        [
            "6 2025-06-05 Panier 46,06 Non https://source.example/jb/user_bill_pdf/6",
            "5 2025-05-05 Panier 45,05 Oui https://source.example/jb/user_bill_pdf/5",
        ]
    );
    assert_eq!((native::older(), native::partial()), (vec!["document.invoice".to_owned()], vec![]));
}

#[test]
fn the_latest_year_is_the_one() {
    let year = latest_year(&page(include_str!("../../pages/shares.html"))).unwrap();
    assert_eq!(year.as_deref(), Some("2025"));
}
