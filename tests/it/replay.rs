//! Tapes: a run played again from its tape is the same run; made synthetic, it fails at the same point, with nobody in it.

use std::fmt::Write as _;
use std::sync::Arc;

use consentry::collect::{Collection, Collector};
use consentry::maintenance;
use consentry_contract::item::{Item, Value};
use consentry_host_api::tape::{Matching, Recorder};
use consentry_tape::{Proof, Report, Tape};
use consentry_tests::breaking::{Broken, Passing};
use consentry_tests::collecting::{Collecting, Seen, collector, connector, told_whole};
use sample_bank::{MARIE, Person, SampleBank, SiteState};

use super::sample_bank::{SOME, as_person, bank_in, obliging};

struct Taped {
    collection: Collection,
    tape: Tape,
}

async fn taped(collector: &Collector, bank: &Arc<SampleBank>, collecting: Collecting) -> Taped {
    let recorder = Arc::new(Recorder::default());
    let collecting = collecting.answering(obliging(bank)).taping(recorder.clone());
    let collection = collecting.collect(collector).await.unwrap();
    Taped { collection, tape: recorder.take().unwrap() }
}

/// Every field of every item.
fn written(items: &[Item]) -> String {
    let mut text = String::new();
    for item in items {
        let _ = write!(text, "\n{}", item.category().name);
        for (field, value) in item.fields() {
            let _ = write!(text, " {}=", field.name);
            let _ = match value {
                Value::Text(text_of) | Value::Decimal(text_of) => write!(text, "{text_of}"),
                Value::Integer(number) => write!(text, "{number}"),
                Value::Date(day) => write!(text, "{day}"),
                Value::Instant(instant) => write!(text, "{instant}"),
                Value::Flag(flag) => write!(text, "{flag}"),
                Value::Blob { bytes, .. } => write!(text, "{:?}", &***bytes),
            };
        }
    }
    text
}

async fn report(collector: &Collector, taped: &Taped) -> Report {
    let package = connector("sample-bank").unwrap();
    let plan = package.plan("sample-bank", Some(&taped.tape.inputs.base.parse().unwrap())).unwrap();
    let failure = taped.collection.failure().unwrap();
    maintenance::report(collector, &package, &plan, taped.tape.clone(), failure.clone()).await.unwrap()
}

/// What a report must not hold: everything that the person has at the bank.
fn assert_nobody(report: &Report, person: &Person, state: &str) {
    let text = report.tape().map(|tape| serde_json::to_string(&tape).unwrap()).unwrap_or_default();
    let text = text + &serde_json::to_string(report).unwrap();
    let holder = person.holder();
    let words = holder.split_whitespace().chain([person.login, person.password]);
    let ibans = person.accounts.iter().map(|account| account.iban);
    for value in words.chain(ibans).filter(|value| value.len() > 3) {
        let grouped: String = value
            .chars()
            .enumerate()
            .flat_map(|(at, c)| (at > 0 && at % 4 == 0).then_some(' ').into_iter().chain([c]))
            .collect();
        for form in [value.to_owned(), value.to_lowercase(), grouped] {
            assert!(!text.contains(&form), "{state}: {form}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_replays_bit_by_bit_and_fails_at_the_same_point_without_anybody() {
    let (collector, package) = (collector().unwrap(), connector("sample-bank").unwrap());
    let mut proofs = String::new();
    for (state, name, _) in SiteState::TABLE {
        let bank = bank_in(*state).await;
        let first = taped(&collector, &bank, as_person(&bank, &MARIE).wanting(&SOME)).await;
        drop(bank);
        let again = collector.replay(&package, &first.tape, Matching::Strict, Arc::new(Seen::default())).await.unwrap();
        if *state != SiteState::HugePage {
            assert_eq!(told_whole(&again.collection), told_whole(&first.collection), "{name}");
            assert_eq!(written(&again.collection.items), written(&first.collection.items), "{name}");
            assert!(again.seen.events == first.tape.events, "{name}: {:?} {:?}", again.seen.events, first.tape.events);
            assert_eq!(again.divergence, None, "{name}");
        }
        if first.collection.failure().is_some() {
            let report = report(&collector, &first).await;
            assert_nobody(&report, &MARIE, name);
            let _ = writeln!(proofs, "{name}: {} {}", report.proof.name(), report.fingerprint());
            {
                assert_eq!(report.proof, Proof::Replayed, "{name}: {:?}", report.point);
            }
        }
    }
    println!("{proofs}");
}

type Breaks = fn(&mut Passing);

/// What may happen to a site overnight. Each row: a name, and what is done to which answers.
const BREAKS: [(&str, Breaks); 16] = [
    ("a class is renamed", |page| page.replace("class=\"montant\"", "class=\"valeur\"")),
    ("the table of operations moves", |page| page.replace("id=\"operations\"", "id=\"mouvements\"")),
    ("a notice stands in between", |page| {
        if page.path == "/accounts" {
            page.page("<h1>Avis</h1><form id=\"avis\" method=\"post\"><button>Continuer</button></form>");
        }
    }),
    ("days are written in another order", |page| {
        if page.path.contains("/operations") {
            let text = String::from_utf8(page.body.clone()).unwrap();
            let parts: Vec<&str> = text.split("<td class=\"date\">").collect();
            let turned = |part: &&str| format!("{}/{}{}", &part[3..5], &part[..2], &part[5..]);
            let rest: Vec<String> = parts[1..].iter().map(turned).collect();
            page.body = format!("{}<td class=\"date\">{}", parts[0], rest.join("<td class=\"date\">")).into_bytes();
        }
    }),
    ("a new step of the login", |page| {
        if page.path == "/accounts" {
            page.page("<div id=\"entete\"></div><form id=\"question-secrete\" method=\"post\"><input name=\"reponse\"></form>");
        }
    }),
    ("a page is gone", |page| {
        if page.path == "/profile" {
            page.status = axum::http::StatusCode::NOT_FOUND;
            page.page("<h1>Page introuvable</h1>");
        }
    }),
    ("another charset than announced", |page| {
        if page.path == "/profile" {
            page.body = String::from_utf8_lossy(&page.body)
                .chars()
                .map(|c| if c.is_ascii() { c as u8 } else { 0xe9 })
                .collect();
        }
    }),
    ("amounts with a point", |page| {
        if page.path.contains("/operations") {
            page.replace(",", ".");
        }
    }),
    ("a label is renamed", |page| page.replace("<dt>Prénom(s)</dt>", "<dt>Prénoms</dt>")),
    ("a column is gone", |page| page.replace("class=\"iban\"", "class=\"numero\"")),
    ("links are buttons", |page| page.replace("<a href=\"/accounts/", "<button data-url=\"/accounts/")),
    ("the form of the login is another", |page| page.replace("id=\"connexion\"", "id=\"authentification\"")),
    ("the login is sent elsewhere", |page| page.replace("action=\"/login\"", "action=\"/connexion\"")),
    ("JSON in place of a page", |page| {
        if page.path == "/profile" {
            page.headers.insert(axum::http::header::CONTENT_TYPE, "application/json".parse().unwrap());
            page.body = br#"{"profile":{"firstName":"Marie"}}"#.to_vec();
        }
    }),
    ("a list of entries becomes a table", |page| page.replace("<dl class=\"profil\">", "<dl class=\"coordonnees\">")),
    ("a wall comes up", |page| {
        if page.path.contains("/operations") {
            page.status = axum::http::StatusCode::FORBIDDEN;
            page.page("<html><div id=\"challenge-form\"></div></html>");
        }
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_break_has_a_report_that_fails_as_it_did_and_holds_nobody() {
    let collector = collector().unwrap();
    let bank = bank_in(SiteState::Ok).await;
    let mut wrong = String::new();
    for (name, breaks) in BREAKS {
        let site = Broken::before(&bank.site_url, breaks).await.unwrap();
        let collecting = as_person(&bank, &MARIE).at(&site.url).wanting(&SOME);
        let first = taped(&collector, &bank, collecting).await;
        let told = told_whole(&first.collection);
        if first.collection.failure().is_none() {
            let _ = writeln!(wrong, "{name}: nothing failed: {told}");
            continue;
        }
        let report = report(&collector, &first).await;
        assert_nobody(&report, &MARIE, name);
        println!("{name}: {told} -> {} {}", report.proof.name(), report.fingerprint());
        if report.proof != Proof::Replayed {
            let _ = writeln!(wrong, "{name}: {told} -> {}: {:?}", report.proof.name(), report.point);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
