//! The finance application, in a real browser: the site asks who somebody is, a script builds the page, its one answer is read.

use std::collections::BTreeSet;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use consentry_tests::collecting::{Collecting, collector, lock, told};
use consentry_tests::sources;
use jiff::civil::Date;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::wire::Wire;
use crate::{lines, of, person};

/// The application that the tests share.
async fn application() -> &'static str {
    static APPLICATION: OnceCell<sources::Kresus> = OnceCell::const_new();
    let start = || async { tokio::task::spawn_blocking(sources::Kresus::start).await.unwrap().unwrap() };
    &APPLICATION.get_or_init(start).await.url
}

fn as_marie(url: &str) -> Collecting {
    let marie = person("marie");
    let collecting = Collecting::with("kresus").unwrap().at(url);
    collecting.field("login", of(&marie, "username")).field("password", of(&marie, "password"))
}

/// What the application itself says that there is: it makes other transactions up at each start.
async fn everything(url: &str) -> Value {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let marie = person("marie");
    let login = BASE64_STANDARD.encode(format!("{}:{}", of(&marie, "username"), of(&marie, "password")));
    let request =
        reqwest::Client::new().get(format!("{url}/api/all")).header("authorization", format!("Basic {login}"));
    serde_json::from_slice(&request.send().await.unwrap().bytes().await.unwrap()).unwrap()
}

fn all<'v>(data: &'v Value, list: &str) -> &'v [Value] {
    data[list].as_array().unwrap()
}

/// Hundredths. What the application has as a floating-point number has at most two decimals.
fn minor(number: &Value) -> i64 {
    (number.as_f64().unwrap() * 100.0).round() as i64
}

fn currency(account: &Value) -> &str {
    account["currency"].as_str().unwrap_or("EUR")
}

/// The lines of the accounts, whose IBANs are none.
fn accounts(data: &Value) -> Vec<String> {
    let account = |account: &Value| {
        let kind = match account["type"].as_str().unwrap() {
            "account-type.checking" => "current",
            "account-type.savings" => "savings",
            _ => "insurance",
        };
        let (id, label) = (&account["id"], account["label"].as_str().unwrap());
        format!("bank.account ref={id} label={label} currency={} kind={kind}", currency(account))
    };
    all(data, "accounts").iter().map(account).collect()
}

fn balances(data: &Value) -> Vec<String> {
    let balance = |account: &Value| {
        let (id, amount) = (&account["id"], minor(&account["balance"]));
        format!("bank.balance account={id} amount={amount} currency={}", currency(account))
    };
    all(data, "accounts").iter().map(balance).collect()
}

/// The beginning of each transaction's line, up to its kind.
fn transactions(data: &Value) -> BTreeSet<String> {
    let transaction = |it: &Value| {
        let account = all(data, "accounts").iter().find(|account| account["id"] == it["accountId"]).unwrap();
        let label = it["rawLabel"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        format!(
            "bank.transaction account={} ref={} date={} label={label} amount={} currency={}",
            it["accountId"],
            it["id"],
            &it["date"].as_str().unwrap()[..10],
            minor(&it["amount"]),
            currency(account)
        )
    };
    all(data, "transactions").iter().map(transaction).collect()
}

/// A line without the kind, which stands at its end, where there is one.
fn without_kind(line: &str) -> String {
    line.split_once(" kind=").map_or(line, |(line, _)| line).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_application_tells_its_page_is_collected() {
    let (wire, collector) = (Wire::to(application().await).await, collector().unwrap());
    let data = everything(application().await).await;
    let collecting = as_marie(&wire.url);
    let seen = collecting.seen.clone();
    let collection = collecting.collect(&collector).await.unwrap();
    let (of_accounts, of_transactions) = (all(&data, "accounts").len(), all(&data, "transactions").len());
    // One of them has an IBAN with wrong check digits.
    let counts = format!(
        "bank.account={of_accounts}!value-unparsable bank.balance={of_accounts} bank.transaction={of_transactions}"
    );
    assert_eq!(told(&collection), counts, "{:?} {:?}", collection.trace, lock(&seen.lines));
    let (found, found_transactions): (Vec<_>, Vec<_>) =
        lines(&collection).into_iter().partition(|line| !line.starts_with("bank.transaction"));
    let ([mut found, mut expected], rest) = ([found, accounts(&data)], balances(&data));
    expected.extend(rest);
    [&mut found, &mut expected].into_iter().for_each(|lines| lines.sort());
    assert_eq!(found, expected);
    assert_eq!(found_transactions.iter().map(|line| without_kind(line)).collect::<BTreeSet<_>>(), transactions(&data));
    assert_eq!(lock(&seen.steps).join(" "), "login (authenticated) accounts");
    assert!(collection.login_submitted);
    collector.browser.as_ref().unwrap().shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_wanted_or_too_old_is_left_where_it_is() {
    let (url, collector) = (application().await, collector().unwrap());
    let since: Date = "2026-01-01".parse().unwrap();
    let recent =
        all(&everything(url).await, "transactions").iter().filter(|it| it["date"].as_str().unwrap() >= "2026").count();
    let collection = as_marie(url).wanting(&["bank.transaction"]).since(since).collect(&collector).await.unwrap();
    assert_eq!(told(&collection), format!("bank.transaction={recent}"));
    collector.browser.as_ref().unwrap().shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_asks_again_has_refused() {
    let collector = collector().unwrap();
    let collecting = as_marie(application().await).field("password", "no-such-password");
    let seen = collecting.seen.clone();
    let collection = collecting.collect(&collector).await.unwrap();
    assert_eq!(told(&collection), "credentials-rejected @refused", "{:?}", lock(&seen.lines));
    assert!(collection.login_submitted && collection.items.is_empty());
    collector.browser.as_ref().unwrap().shut_down().await;
}
