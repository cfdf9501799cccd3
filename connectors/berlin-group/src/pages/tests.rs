//! Kept answers, and what becomes of them.

use consentry_sdk::native;
use consentry_sdk::page::Document;

use super::{Account, accounts, balances, transactions};

fn page(source: &str) -> Document {
    native::document("json", "/v1/accounts", source).unwrap()
}

fn current() -> Account {
    Account { id: "a".to_owned(), has_balances: true, has_transactions: true }
}

#[test]
fn an_account_says_what_can_be_asked_of_it() {
    let found = accounts(&page(
        r#"{"accounts":[
            {"resourceId":"a","iban":"FR7612345987650123456789014","currency":"EUR","ownerName":"Heike Mustermann","name":"Main",
             "cashAccountType":"CACC","_links":{"balances":{"href":"/x"}}},
            {"resourceId":"b","iban":"DE2310010010123456789","currency":"XXX","product":"Several","_links":{"transactions":{"href":"/y"}}}]}"#,
    ))
    .unwrap();
    let told: Vec<_> = found.iter().map(|it| (it.id.as_str(), it.has_balances, it.has_transactions)).collect();
    assert_eq!(told, [("a", true, false), ("b", false, true)]);
    assert_eq!(
        native::items(),
        [
            "bank.account ref=a label=Main holder=Heike Mustermann iban=FR7612345987650123456789014 currency=EUR kind=current",
            "bank.account ref=b label=Several",
        ]
    );
    assert_eq!(native::partial(), ["bank.account"]);
}

#[test]
fn balances_have_their_kind_and_day() {
    native::want(&["bank.balance"]);
    let source = r#"{"balances":[
        {"balanceType":"closingBooked","balanceAmount":{"currency":"EUR","amount":"500.00"},"referenceDate":"2017-10-25"},
        {"balanceType":"somethingElse","balanceAmount":{"currency":"JPY","amount":"-12"}},
        {"balanceAmount":{"currency":"EUR","amount":"1.234"}}]}"#;
    balances(&page(source), &current()).unwrap();
    assert_eq!(
        native::items(),
        [
            "bank.balance account=a kind=booked amount=50000 currency=EUR date=2017-10-25",
            "bank.balance account=a amount=-12 currency=JPY",
        ]
    );
    assert_eq!(native::partial(), ["bank.balance"]);
}

#[test]
fn the_other_party_is_the_one_at_the_other_end() {
    native::want(&["bank.transaction"]);
    let source = r#"{"transactions":{"booked":[
        {"transactionId":"1","bookingDate":"2017-10-25","transactionAmount":{"currency":"EUR","amount":"-256.67"},
         "creditorName":"John Miles","debtorName":"Me"},
        {"transactionId":"2","bookingDate":"2017-10-25","transactionAmount":{"currency":"EUR","amount":"3"},"creditorName":"Me",
         "debtorName":"Paul Simpson","debtorAccount":{"iban":"NL76RABO0359400371"},"remittanceInformationUnstructured":"Rent"}],
        "pending":[{"valueDate":"2017-10-26","transactionAmount":{"currency":"EUR","amount":"-1"},"creditorName":"Claude"}],
        "_links":{"next":{"href":"https://elsewhere.example/list?bookingStatus=both&page=2"}}}}"#;
    let next = transactions(&page(source), &current()).unwrap().unwrap();
    assert_eq!(next, [("bookingStatus".to_owned(), "both".to_owned()), ("page".to_owned(), "2".to_owned())]);
    assert_eq!(
        native::items(),
        [
            "bank.transaction account=a ref=1 date=2017-10-25 label=John Miles amount=-25667 currency=EUR counterparty.name=John Miles \
             pending=false",
            "bank.transaction account=a ref=2 date=2017-10-25 label=Rent amount=300 currency=EUR counterparty.name=Paul Simpson \
             counterparty.iban=NL76RABO0359400371 pending=false",
            "bank.transaction account=a date=2017-10-26 value.date=2017-10-26 label=Claude amount=-100 currency=EUR \
             counterparty.name=Claude pending=true",
        ]
    );
}
