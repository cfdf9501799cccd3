//! Kept pages, and what becomes of them: `cargo test`, without a host or a bank. What reads a page here and checks what is emitted is the
//! host's own.

use consentry_sdk::native;

/// As the bank writes it, without what nobody reads.
const ACCOUNTS: &str = r#"<table id="comptes"><tbody>
    <tr>
        <td class="libelle"><a href="/accounts/7/operations">Compte courant</a></td>
        <td class="iban">FR76 3000 6000 0112 3456 7890 189</td><td class="devise">EUR</td><td class="montant">1 234,56 €</td>
    </tr>
</tbody></table>"#;

#[test]
fn an_account_is_read_with_its_balance() {
    let page = native::document("html", "/accounts", ACCOUNTS).unwrap();
    assert_eq!(super::accounts(&page).unwrap()[0].operations, "https://source.example/accounts/7/operations");
    assert_eq!(
        native::items(),
        [
            "bank.account ref=7 label=Compte courant iban=FR7630006000011234567890189 currency=EUR",
            "bank.balance account=7 amount=123456 currency=EUR",
        ]
    );
}

#[test]
fn an_amount_that_cannot_be_read_costs_the_balances_alone() {
    let page = native::document("html", "/accounts", &ACCOUNTS.replace("1 234,56", "much")).unwrap();
    super::accounts(&page).unwrap();
    assert_eq!((native::items().len(), native::partial()), (1, vec!["bank.balance".to_owned()]));
}
