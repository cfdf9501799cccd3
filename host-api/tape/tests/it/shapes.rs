//! How a report tells what a page has become: beside the shape it had when all was well, and by what is most like what is missing.

use std::collections::{BTreeMap, BTreeSet};

use consentry_contract::failure::{Code, Failure, Missing, PageId};
use consentry_contract::manifest::Manifest;
use consentry_contract::page;
use consentry_tape::{Allowed, Body, Draft, Event, Exchange, Hop, Inputs, Report, Shapes, Tape};

const MANIFEST: &str = include_str!("../../../../connectors/sample-bank/manifest.toml");
const BASE: &str = "http://127.0.0.1:18090";
const GOOD: &str = "<body><main><h1>Marie Dupont</h1><table id=comptes><tr><td>Livret</td></tr></table></main></body>";
const CHANGED: &str = "<body><main><h1>Marie Dupont</h1><div class=menu></div><table id=compte class=list><tr><td>Livret</td></tr></table>\
    <table id=messages><tr></tr></table></main></body>";

fn allowed() -> Allowed {
    let manifest = Manifest::parse(MANIFEST).unwrap();
    let plan = manifest.for_source("sample-bank", None).unwrap();
    Allowed::of(&manifest, &plan)
}

fn tape(page: Option<&str>, body: &str) -> Tape {
    let inputs = Inputs {
        connector: "sample-bank".to_owned(),
        version: "0.1.0".to_owned(),
        source: "sample-bank".to_owned(),
        base: BASE.to_owned(),
        wanted: BTreeSet::new(),
        since: None,
        attended: true,
        language: "fr".to_owned(),
        callback: String::new(),
        state: String::new(),
        secrets: BTreeSet::new(),
        public: BTreeMap::new(),
        began_ms: 0,
    };
    let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    let exchange = Exchange {
        method: "GET".to_owned(),
        url: format!("{BASE}/accounts"),
        hops: vec![Hop { status: 200, headers, body: Body::of(body.as_bytes().to_vec()) }],
        page: page.map(str::to_owned),
        ..Exchange::default()
    };
    Tape { events: vec![Event::Http(exchange)], ..Tape::new(inputs) }
}

fn report(page: Option<PageId>, good: Option<&Shapes>) -> Report {
    let wanted = page::Missing { page: "accounts".parse().unwrap(), at: "main table#comptes".to_owned() };
    let missing = Some(Missing::required(&wanted.at));
    let failure = Failure { page, missing, ..Failure::new(Code::PageUnrecognised) };
    let mut report = Draft::of(&failure, &tape(None, CHANGED), &allowed(), "sha256:0", "0").proved(None, &allowed());
    report.good = good.and_then(|good| good.expected(&report).cloned());
    report
}

#[test]
fn the_page_that_should_have_been_there_is_found_by_its_name_or_its_place() {
    let good = Shapes::of(&tape(Some("accounts"), GOOD), &allowed());
    for page in [Some("accounts".parse().unwrap()), None] {
        let found = report(page, Some(&good)).good.unwrap();
        assert_eq!((found.page.as_str(), found.connector_version.as_str()), ("accounts", "0.1.0"));
        assert!(found.lines.iter().any(|line| line.trim() == "table#comptes"), "{found:?}");
        assert!(!format!("{found:?}").contains("Dupont"));
    }
    assert!(report(None, Some(&Shapes::default())).good.is_none());
}

#[test]
fn what_is_most_like_the_missing_thing_comes_first() {
    let good = Shapes::of(&tape(Some("accounts"), GOOD), &allowed());
    for good in [None, Some(&good)] {
        let report = report(None, good);
        assert_eq!(report.nearest().first().copied(), Some("table#compte.list"), "{:?}", report.shape);
        assert!(!report.nearest().contains(&"main"));
    }
}

#[test]
fn a_report_without_the_shape_of_a_good_run_is_read_as_before() {
    let without = report(None, None);
    let json = serde_json::to_vec(&without).unwrap();
    assert!(!String::from_utf8_lossy(&json).contains("\"good\""));
    assert_eq!(Report::from_json(&json).unwrap(), without);
}
