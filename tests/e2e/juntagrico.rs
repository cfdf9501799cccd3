//! The member portal: form login with a CSRF token, profile, bills, share certificate.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use consentry_tests::collecting::{Collecting, collector, lock, told};
use consentry_tests::sources;
use tokio::sync::OnceCell;

use crate::wire::{Tape, Wire};
use crate::{lines, of, person};

/// The portal that the tests share.
pub async fn portal() -> &'static str {
    static PORTAL: OnceCell<sources::Juntagrico> = OnceCell::const_new();
    let start = || async { tokio::task::spawn_blocking(sources::Juntagrico::start).await.unwrap().unwrap() };
    &PORTAL.get_or_init(start).await.url
}

pub fn as_person(url: &str, name: &str) -> Collecting {
    let person = person(name);
    let collecting = Collecting::with("juntagrico").unwrap().at(url);
    collecting.field("login", of(&person, "email")).field("password", of(&person, "password"))
}

/// What the profile of a person must bring.
fn profile(name: &str) -> Vec<String> {
    let person = person(name);
    let of = |key| of(&person, key);
    let mut expected = vec![
        format!("person.name given={} family={}", of("first_name"), of("last_name")),
        format!("person.address kind=home lines={} postcode={} city={}", of("street"), of("postcode"), of("city")),
        format!("person.phone number={}", of("phone")),
    ];
    expected.extend(person["mobile_phone"].as_str().map(|number| format!("person.phone number={number} kind=mobile")));
    expected.extend([
        format!("person.email address={}", of("email")),
        format!("person.birth date={}", of("birth_date")),
        format!("bank.account ref=iban holder={} {} iban={}", of("first_name"), of("last_name"), of("iban")),
    ]);
    expected
}

/// What the whole portal must bring of Marie.
pub fn everything_of_marie() -> Vec<String> {
    let mut expected = profile("marie");
    // Newest first; the amount of the month N is N times 1.01 more than 40, and the last is not paid yet.
    for (month, minor) in [(6, 4606), (5, 4505), (4, 4404), (3, 4303), (2, 4202), (1, 4101)] {
        expected.push(format!(
            "document.invoice ref={month} number={month} title=Panier date=2025-0{month}-05 amount={minor} currency=CHF paid={} \
             file=application/pdf",
            month < 6
        ));
    }
    expected.push(
        "document.certificate ref=shares-2025 title=Attestation de parts sociales 2025 file=application/pdf".to_owned(),
    );
    expected
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_collected_and_the_host_logs_out() {
    let wire = Wire::to(portal().await).await;
    let collecting = as_person(&wire.url, "marie");
    let seen = collecting.seen.clone();
    let collection = collecting.collect(&collector().unwrap()).await.unwrap();
    let counts = "bank.account=1 document.certificate=1 document.invoice=6 person.address=1 person.birth=1 person.email=1 \
                  person.name=1 person.phone=2";
    assert_eq!(told(&collection), counts, "{:?} {:?}", collection.trace, lock(&seen.lines));
    assert_eq!(lines(&collection), everything_of_marie());
    assert!(collection.login_submitted && collection.unrequested == 0);
    assert_eq!(lock(&seen.steps).join(" "), "login (authenticated) profile bills certificate");
    let asked = wire.requests();
    assert!(asked.contains(&"GET /my/share/certificate?year=2025".to_owned()), "the latest year: {asked:?}");
    assert!(asked.contains(&"GET /logout/".to_owned()), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_bills_and_no_shares_has_them_confirmed_empty() {
    let collection = as_person(portal().await, "zoe").collect(&collector().unwrap()).await.unwrap();
    let counts = "bank.account=1 document.certificate=empty@no-shares document.invoice=empty@no-bills person.address=1 \
                  person.birth=1 person.email=1 person.name=1 person.phone=1";
    assert_eq!(told(&collection), counts);
    assert_eq!(lines(&collection), profile("zoe"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_has_the_code_of_its_reason() {
    let (collector, url) = (collector().unwrap(), portal().await);
    for (name, password, expected) in [
        ("marie", Some("no-such-password"), "credentials-rejected @login"),
        ("paul", Some("no-such-password"), "credentials-rejected @login"),
        ("paul", None, "account-locked @login"),
    ] {
        let mut collecting = as_person(url, name);
        if let Some(password) = password {
            collecting = collecting.field("password", password);
        }
        let collection = collecting.collect(&collector).await.unwrap();
        assert_eq!(told(&collection), expected, "{name} {password:?}");
        assert!(collection.login_submitted && collection.items.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_wanted_is_not_asked_for() {
    let (collector, portal) = (collector().unwrap(), portal().await);
    for (wanted, expected, never) in [
        ("person.name", "person.name=1", ["/jb/", "/my/share"]),
        ("document.invoice", "document.invoice=6", ["/my/profile", "/my/share"]),
        ("document.certificate", "document.certificate=1", ["/my/profile", "/jb/"]),
    ] {
        let wire = Wire::to(portal).await;
        let collection = as_person(&wire.url, "marie").wanting(&[wanted]).collect(&collector).await.unwrap();
        assert_eq!(told(&collection), expected);
        assert!(collection.items.iter().all(|item| item.category().name == wanted));
        let asked = wire.requests();
        assert!(!asked.iter().any(|request| never.iter().any(|path| request.contains(path))), "{wanted}: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_in_the_middle_is_lost_and_not_a_wrong_password() {
    let portal = portal().await;
    let wire = Arc::new(Wire::to(portal).await);
    let (url, heard) = (wire.url.clone(), wire.clone());
    // Somebody logs the session out elsewhere, right after the login.
    let log_out = move || {
        let session = heard.said("sessionid=", ";");
        let host = portal.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        write!(
            stream,
            "GET /logout/ HTTP/1.1\r\nHost: {host}\r\nCookie: sessionid={session}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 302"), "{answer}");
    };
    let collecting = as_person(&url, "marie").wanting(&["document.invoice", "person.name"]);
    let collecting = collecting.taping(Arc::new(Tape::once_logged_in(log_out)));
    let collection = collecting.collect(&collector().unwrap()).await.unwrap();
    // The profile came with the login; the bills did not come any more.
    assert_eq!(told(&collection), "document.invoice=0!session-lost person.name=1");
}
