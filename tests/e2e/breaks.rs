//! Breaks of third-party applications, in pages and in JSON that nobody here wrote: each has a report that fails as the run did, and
//! nobody is in it.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::http::StatusCode;
use consentry::collect::Collector;
use consentry::maintenance;
use consentry_host_api::tape::Recorder;
use consentry_tape::Proof;
use consentry_tests::breaking::{Broken, Passing};
use consentry_tests::collecting::{Collecting, collector, connector, told_whole};
use serde_json::{Value, json};

use crate::{juntagrico, oidc_provider, person};

type Breaks = fn(&mut Passing);

fn claims(page: &mut Passing, change: fn(&mut Value)) {
    if page.path == "/me"
        && let Ok(mut claims) = serde_json::from_slice(&page.body)
    {
        change(&mut claims);
        page.body = claims.to_string().into_bytes();
    }
}

const PROVIDER: [(&str, Breaks); 7] = [
    ("a claim is renamed", |page| {
        claims(page, |claims| {
            let sub = claims["sub"].take();
            *claims = json!({ "subject": sub, "given_name": claims["given_name"] });
        });
    }),
    ("days are written in another order", |page| claims(page, |claims| claims["birthdate"] = "25/12/1985".into())),
    ("a claim has become an object", |page| {
        claims(page, |claims| {
            let iban = claims["iban"].take();
            claims["iban"] = json!({ "value": iban });
        });
    }),
    ("the token has another name", |page| page.replace("\"access_token\"", "\"accessToken\"")),
    ("the login page is another", |page| page.replace("id=\"login\"", "id=\"signin\"")),
    ("the decision is asked in another form", |page| page.replace("id=\"allow\"", "id=\"accept\"")),
    ("the claims come with another status", |page| {
        if page.path == "/me" {
            page.status = StatusCode::NOT_FOUND;
        }
    }),
];

const PORTAL: [(&str, Breaks); 5] = [
    ("the login page is another", |page| page.replace("id=\"login\"", "id=\"signin\"")),
    ("a field is renamed", |page| page.replace("name=\"first_name\"", "name=\"given_name\"")),
    ("the page has moved", |page| {
        if page.path.starts_with("/my/profile") {
            page.status = StatusCode::NOT_FOUND;
            page.page("<html><body id=\"profile\"><h1>Page</h1></body></html>");
        }
    }),
    ("a table is renamed", |page| page.replace("id=\"filter-table\"", "id=\"bills-table\"")),
    ("a page in place of a file", |page| {
        if page.path.contains("user_bill_pdf") {
            page.page("<html><body id=\"notice\"><p>Session</p></body></html>");
        }
    }),
];

/// One line for each break that has no such report.
async fn wrong(
    collector: &Collector,
    id: &str,
    upstream: &str,
    breaks: &[(&str, Breaks)],
    visit: impl Fn(&str) -> Collecting,
) -> String {
    let mut wrong = String::new();
    let marie = person("marie");
    for (name, breaks) in breaks {
        let site = Broken::before(upstream, *breaks).await.unwrap();
        let recorder = Arc::new(Recorder::default());
        let collection = visit(&site.url).taping(recorder.clone()).collect(collector).await.unwrap();
        let told = told_whole(&collection);
        let Some(failure) = collection.failure() else {
            let _ = writeln!(wrong, "{id}, {name}: nothing failed: {told}");
            continue;
        };
        let package = connector(id).unwrap();
        let plan = package.plan(id, Some(&site.url.parse().unwrap())).unwrap();
        let tape = recorder.take().unwrap();
        let report = maintenance::report(collector, &package, &plan, tape, failure.clone()).await.unwrap();
        let text = report.tape().map(|tape| serde_json::to_string(&tape).unwrap()).unwrap_or_default();
        let text = text + &serde_json::to_string(&report).unwrap();
        for value in marie.as_object().unwrap().values().filter_map(Value::as_str).filter(|value| value.len() > 5) {
            assert!(!text.contains(value), "{id}, {name}: {value}");
        }
        println!("{id}, {name}: {told} -> {} {}", report.proof.name(), report.fingerprint());
        if report.proof != Proof::Replayed {
            let _ = writeln!(wrong, "{id}, {name}: {told} -> {}: {:?}", report.proof.name(), report.point);
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn breaks_of_applications_that_nobody_here_wrote_fail_again_without_anybody() {
    let collector = collector().unwrap();
    let provider = oidc_provider::provider().await;
    let mut found =
        wrong(&collector, "oidc-provider", provider, &PROVIDER, |url| oidc_provider::as_person(url, "marie")).await;
    let portal = juntagrico::portal().await;
    found += &wrong(&collector, "juntagrico", portal, &PORTAL, |url| juntagrico::as_person(url, "marie")).await;
    assert!(found.is_empty(), "\n{found}");
}
