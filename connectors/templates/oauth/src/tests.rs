//! Kept answers, and what becomes of them: `cargo test`, without a host or a bank. What reads an answer here and checks what is emitted is
//! the host's own.

use consentry_sdk::native;

/// As the bank writes it, without what nobody reads.
const ACCOUNTS: &str = r#"{"accounts": [
    {"id": "7", "label": "Current account", "iban": "FR7630006000011234567890189", "currency": "EUR", "balance": "1234.56"}
]}"#;

#[test]
fn an_account_is_read_with_its_balance() {
    let page = native::document("json", "/api/accounts", ACCOUNTS).unwrap();
    assert_eq!(super::accounts(&page).unwrap()[0].id, "7");
    assert_eq!(
        native::items(),
        [
            "bank.account ref=7 label=Current account iban=FR7630006000011234567890189 currency=EUR",
            "bank.balance account=7 amount=123456 currency=EUR",
        ]
    );
}

#[test]
fn an_amount_that_cannot_be_read_costs_the_balances_alone() {
    let page = native::document("json", "/api/accounts", &ACCOUNTS.replace("1234.56", "much")).unwrap();
    super::accounts(&page).unwrap();
    assert_eq!((native::items().len(), native::partial()), (1, vec!["bank.balance".to_owned()]));
}
