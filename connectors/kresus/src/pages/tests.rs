//! Kept answers, and what becomes of them.

use consentry_sdk::native;

use super::everything;

const KEPT: &str = include_str!("../../pages/everything.json");

#[test]
fn one_answer_brings_accounts_balances_and_transactions() {
    everything(&native::document("json", "/api/all/", KEPT).unwrap()).unwrap();
    assert_eq!(
        native::items(),
        [
            "bank.account ref=1 label=Compte chèque currency=EUR kind=current",
            "bank.balance account=1 amount=-28627 currency=EUR",
            "bank.account ref=2 label=Compte en dollars currency=USD kind=savings",
            "bank.balance account=2 amount=0 currency=USD",
            "bank.account ref=3 label=Livret A currency=EUR kind=savings",
            "bank.balance account=3 amount=0 currency=EUR",
            "bank.transaction account=1 ref=1 date=2026-01-08 label=Antiquaire amount=-4311 currency=EUR kind=card",
            "bank.transaction account=1 ref=2 date=2026-02-02 label=Prelevement impots fonciers numero reference \
             47839743892 client 43278437289 amount=-2512 currency=EUR kind=other",
            "bank.transaction account=1 ref=3 date=2026-06-10 label=Courses chez Polyprix amount=-350 currency=EUR \
             kind=transfer",
            "bank.transaction account=1 ref=11 date=2020-05-04 label=This is a duplicate transaction amount=1337 \
             currency=EUR",
        ]
    );
    // Its IBAN is none.
    assert_eq!(native::partial(), ["bank.account"]);
}

#[test]
fn what_is_older_than_the_consent_stays() {
    native::want(&["bank.transaction"]);
    native::since("2026-02-02");
    everything(&native::document("json", "/api/all/", KEPT).unwrap()).unwrap();
    let days: Vec<String> =
        native::items().iter().map(|item| item[item.find("date=").unwrap()..][..15].to_owned()).collect();
    assert_eq!(days, ["date=2026-02-02", "date=2026-06-10"]);
    assert_eq!((native::older(), native::partial()), (vec!["bank.transaction".to_owned()], vec![]));
}

#[test]
fn a_transaction_of_no_account_is_a_page_that_is_not_known() {
    let strange = KEPT.replace("\"accountId\": 1", "\"accountId\": 7");
    let fault = everything(&native::document("json", "/api/all/", &strange).unwrap()).unwrap_err();
    assert_eq!(fault.code, "page-unrecognised");
}
