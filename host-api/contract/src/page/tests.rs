//! Recognition by the documented manifest, and classification by a table.

use std::sync::Arc;

use jiff::Timestamp;
use url::Url;

use super::{Answer, Page, PageRule, Recognition, classify, recognise};
use crate::document::{Document, Format, Limits, Unmetered};
use crate::failure::Code;
use crate::manifest::{Manifest, UrlPattern};

const DOCUMENTED: &str = include_str!("../../../../docs/manifest.md");

fn document(format: Format, source: &str) -> Document {
    Document::parse(format, source.as_bytes(), Some("utf-8"), None, &Limits::default(), &mut Unmetered).unwrap()
}

fn url(path: &str) -> Url {
    Url::parse(&format!("http://127.0.0.1:18090{path}")).unwrap()
}

fn seen(path: &str, status: u16, document: Option<&Document>) -> Recognition {
    let example = DOCUMENTED.split_once("```toml\n").unwrap().1.split_once("\n```").unwrap().0;
    let plan = Manifest::parse(example).unwrap().for_source("sample-bank", None).unwrap();
    recognise(plan.pages(), &url(path), status, document, &mut Unmetered).unwrap()
}

const LOGIN: &str = "<form id=login><input name=password>";

#[test]
fn pages_are_recognised_with_what_they_mean() {
    // path | status | page -> id | failure | empty | feeds
    let table = "
        /login | 200 | LOGIN | login | - | - | -
        /login?next=%2F | 401 | LOGIN | login | - | - | -
        /login | 200 | LOGIN<p class=alert>Identifiant ou <b>mot  de passe</b> INCORRECT.</p> | login | credentials-rejected | - | -
        /login | 200 | LOGIN<p class=alert>Votre COMPTE BLOQUÉ depuis hier</p> | login | account-locked | - | -
        /login | 200 | LOGIN<p class=alert>Bienvenue</p><p>compte bloqué</p> | login | - | - | -
        /login | 503 | <h1 class=maintenance> | maintenance | source-maintenance | - | -
        /login | 200 | <h1 class=maintenance> | - | - | - | -
        /accounts/1/operations | 200 | <table class=operations> | operations | - | - | bank.transaction
        /accounts/1/operations | 200 | <p class=no-operations> | no-operations | - | empty | bank.transaction
        /accounts/1/operations | 200 | <p class=no-operations></p><table class=operations> | operations | - | - | bank.transaction
        /accounts/1/operations | 200 | <p class=no-operations></p><table class=x><tr><td> | no-operations | - | empty | bank.transaction
        /accounts/1/2/operations | 200 | <table class=operations> | - | - | - | -
    ";
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let page = document(Format::Html, &cells[2].replace("LOGIN", LOGIN));
        let found = seen(cells[0], cells[1].parse().unwrap(), Some(&page));
        let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let shown = [
            or_dash(found.page.as_ref().map(|page| page.as_str())),
            or_dash(found.failure.map(Code::name)),
            or_dash(found.empty.then_some("empty")),
            or_dash(found.feeds.first().copied()),
        ];
        assert_eq!(shown.as_slice(), &cells[3..], "{row}");
        assert!(found.page.is_none() || found.missing.is_empty(), "{row}");
    }
}

#[test]
fn pointers_ask_json_and_selectors_markup() {
    let profile = document(Format::Json, r#"{"name":{"given":"A","family":"B"}}"#);
    assert_eq!(seen("/me", 200, Some(&profile)).feeds, ["person.name"]);
    let lacking = seen("/me", 200, Some(&document(Format::Json, r#"{"name":{"given":"A"}}"#)));
    assert_eq!(
        lacking.missing.iter().map(|miss| (miss.page.as_str(), miss.at.as_str())).collect::<Vec<_>>(),
        [("profile", "/name/family")]
    );
    assert_eq!(seen("/login", 200, Some(&document(Format::Json, "{}"))).page, None);
    assert_eq!(seen("/me", 200, None).missing.len(), 2);
}

#[test]
fn the_nearest_page_is_the_one_of_which_most_is_there() {
    let page = |id: &str, requires: &[&str], failure| PageRule {
        url: UrlPattern::parse("https://bank.example/login").unwrap(),
        page: Arc::new(Page {
            id: id.parse().unwrap(),
            status: vec![],
            requires: requires.iter().map(|&at| at.to_owned()).collect(),
            lacks: vec![],
            failure,
            errors: vec![],
            empty: None,
            feeds: vec![],
            login: false,
        }),
    };
    let pages = [
        page("captcha", &["img.captcha"], Some(Code::CaptchaRequired)),
        page("wall", &["form", "p.wall"], Some(Code::AutomationBlocked)),
        page("choice", &["ul.accounts"], None),
        page("login", &["form", "input.login", "input.password"], None),
        page("terms", &["form", "input.terms"], None),
    ];
    let url = "https://bank.example/login".parse().unwrap();
    let near = |html: &str| {
        let found = recognise(&pages, &url, 200, Some(&document(Format::Html, html)), &mut Unmetered).unwrap();
        found.nearest(&pages).map(|missing| format!("{} {}", missing.page, missing.at))
    };
    assert_eq!(near("<form><input class=login></form>").as_deref(), Some("login input.password"));
    assert_eq!(near("<form></form>").as_deref(), Some("terms input.terms"));
    assert_eq!(near("<p>").as_deref(), Some("choice ul.accounts"), "the first of equals, and no failure");
    assert_eq!(near("<ul class=accounts>"), None);
}

#[test]
fn an_unrecognised_page_says_what_each_rule_for_its_url_missed() {
    let found = seen("/accounts/1/operations", 200, Some(&document(Format::Html, "<table class=movements>")));
    let missing: Vec<_> = found.missing.iter().map(|miss| format!("{}: {}", miss.page, miss.at)).collect();
    assert_eq!(missing, ["operations: table.operations", "no-operations: .no-operations"]);
    assert_eq!(found.page, None);
}

#[test]
fn a_login_page_after_the_login_is_a_lost_session() {
    let found = seen("/login", 200, Some(&document(Format::Html, LOGIN)));
    assert_eq!((found.failure_now(false), found.failure_now(true)), (None, Some(Code::SessionLost)));
    let alert = format!("<p class=alert>compte bloqué</p>{LOGIN}");
    let found = seen("/login", 200, Some(&document(Format::Html, &alert)));
    assert_eq!(found.failure_now(true), Some(Code::AccountLocked));
}

#[test]
fn what_nothing_recognises_is_classified() {
    // status | header | page | logged in -> code and seconds to wait
    let table = "
        200 | - | <p>New layout | yes -> page-unrecognised None
        404 | Retry-After: 5 | - | yes -> page-unrecognised None
        429 | - | - | no -> rate-limited None
        429 | Retry-After: 17 | - | no -> rate-limited Some(17)
        429 | retry-after: Thu, 01 Jan 1970 00:01:30 GMT | - | no -> rate-limited Some(90)
        429 | retry-after: Wed, 31 Dec 1969 23:00:00 GMT | - | no -> rate-limited Some(0)
        429 | retry-after: 99999999999 | - | no -> rate-limited Some(86400)
        429 | retry-after: soon | - | no -> rate-limited None
        503 | retry-after: 60 | - | no -> source-unavailable Some(60)
        500 | - | - | yes -> source-unavailable None
        403 | - | <h1>Forbidden | no -> automation-blocked None
        200 | CF-Mitigated: challenge | - | no -> automation-blocked None
        200 | CF-Mitigated: no | - | no -> page-unrecognised None
        503 | - | <form id=challenge-form> | no -> automation-blocked None
        429 | - | <script src='https://ct.captcha-delivery.com/c.js'></script> | no -> automation-blocked None
        200 | - | <img src=/Captcha.png> | no -> automation-blocked None
        401 | - | - | yes -> session-lost None
        401 | - | - | no -> page-unrecognised None
    ";
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (asked, expected) = row.split_once(" -> ").unwrap();
        let [status, header, page, logged_in] = asked.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("no row: {row}")
        };
        let headers: Vec<_> =
            header.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let (page_url, parsed) = (url("/x"), document(Format::Html, page));
        let answer = Answer {
            status: status.parse().unwrap(),
            url: &page_url,
            headers: &headers,
            document: Some(&parsed),
            authenticated: logged_in == "yes",
            received: Timestamp::UNIX_EPOCH,
        };
        let classified = classify(&answer, &mut Unmetered).unwrap();
        let wait = classified.retry_after.map(|wait| wait.as_secs());
        assert_eq!(format!("{} {wait:?}", classified.code), expected, "{row}");
    }
}

#[test]
fn recognition_stops_when_the_cpu_time_is_used_up() {
    struct Nothing;
    impl crate::document::Meter for Nothing {
        fn check(&mut self) -> Result<(), crate::document::Exhausted> {
            Err(crate::document::Exhausted)
        }
    }
    let page = document(Format::Html, &"<p>".repeat(5000));
    let example = DOCUMENTED.split_once("```toml\n").unwrap().1.split_once("\n```").unwrap().0;
    let plan = Manifest::parse(example).unwrap().for_source("sample-bank", None).unwrap();
    assert!(recognise(plan.pages(), &url("/login"), 200, Some(&page), &mut Nothing).is_err());
}

#[test]
fn a_table_without_rows_is_told_by_what_it_lacks() {
    let page = super::Page {
        id: "no-bills".parse().unwrap(),
        status: Vec::new(),
        requires: vec!["table#bills".to_owned()],
        lacks: vec!["table#bills tbody tr".to_owned()],
        failure: None,
        errors: Vec::new(),
        empty: Some("table#bills".to_owned()),
        feeds: vec!["document.invoice"],
        login: false,
    };
    let pattern = crate::manifest::UrlPattern::parse("http://127.0.0.1:18090/bills").unwrap();
    let rule = super::PageRule { url: pattern, page: std::sync::Arc::new(page) };
    for (rows, expected) in [("", true), ("<tr><td>1", false)] {
        let page = document(Format::Html, &format!("<table id=bills><thead><tr><th>No<tbody>{rows}</table>"));
        let found = recognise(std::slice::from_ref(&rule), &url("/bills"), 200, Some(&page), &mut Unmetered).unwrap();
        assert_eq!((found.page.is_some(), found.empty), (expected, expected), "{rows}");
    }
}
