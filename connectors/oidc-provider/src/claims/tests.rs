//! Kept answers, and what becomes of them.

use consentry_sdk::native;

use super::emit;

const KEPT: &str = include_str!("../../pages/claims.json");

#[test]
fn every_claim_becomes_an_item() {
    emit(&native::document("json", "/me", KEPT).unwrap()).unwrap();
    assert_eq!(
        native::items(),
        [
            "person.name given=Marie family=Dupont full=Marie Dupont",
            "person.birth date=1985-12-25",
            "person.email address=marie.dupont@example.org verified=true",
            "person.phone number=+33600000000",
            "person.address lines=12 rue de la République postcode=69002 city=Lyon country=FR",
            "bank.account ref=iban iban=FR7630006000011234567890189",
        ]
    );
}

#[test]
fn a_claim_that_is_not_there_costs_nothing_else() {
    emit(&native::document("json", "/me", r#"{"sub":"x","email":"a@example.org"}"#).unwrap()).unwrap();
    // An item of no field is refused by the table.
    assert_eq!((native::items().len(), native::partial()), (1, vec!["person.name".to_owned()]));
}

#[test]
fn a_claim_that_is_wrong_is_left_out() {
    let wrong = KEPT.replace("1985-12-25", "1985-13-25").replace("890189", "890188");
    emit(&native::document("json", "/me", &wrong).unwrap()).unwrap();
    assert_eq!(native::partial(), ["person.birth", "bank.account"]);
    assert_eq!(native::items().len(), 4);
}
