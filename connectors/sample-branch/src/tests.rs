//! Kept pages, and what becomes of them: `cargo test`, without a host, a browser or a bank. What reads a page here and checks what is emitted
//! is the host's own.

use consentry_sdk::native;

/// As a page shows it, without what nobody reads.
const ACCOUNTS: &str = r#"<table id="comptes"><tbody>
    <tr>
        <td class="libelle"><a href="/accounts/7/operations">Compte courant</a></td><td class="titulaire">Mme Marie Dupont</td>
        <td class="iban">FR76 3000 6000 0112 3456 7890 189</td><td class="devise">EUR</td><td class="montant">1 234,56 €</td>
    </tr>
</tbody></table>"#;

#[test]
fn an_account_is_read_with_its_balance() {
    super::accounts(&native::document("html", "/accounts", ACCOUNTS).unwrap()).unwrap();
    assert_eq!(
        native::items(),
        [
            "bank.account ref=7 label=Compte courant holder=Mme Marie Dupont iban=FR7630006000011234567890189 currency=EUR",
            "bank.balance account=7 amount=123456 currency=EUR",
        ]
    );
}

#[test]
fn a_keypad_says_where_each_digit_is() {
    let pad = native::document("html", "/branch/keypad", "<div id=touches><button>3</button><button>8</button></div>");
    let keys = super::keys(&pad.unwrap()).unwrap();
    assert_eq!(
        keys,
        [("3", 1), ("8", 2)].map(|(digit, at)| (digit.to_owned(), format!("#touches button:nth-child({at})")))
    );
}
