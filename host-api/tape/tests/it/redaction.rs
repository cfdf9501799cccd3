//! What stays of a tape and what does not, on pages like those of real sites.

use std::collections::{BTreeMap, BTreeSet};

use consentry_contract::manifest::Manifest;
use consentry_tape::{Allowed, Body, Event, Exchange, Hop, Inputs, Redacted, Rule, Tape, redact};

const MANIFEST: &str = include_str!("../../../../connectors/sample-bank/manifest.toml");
const BASE: &str = "http://127.0.0.1:18090";

fn allowed() -> Allowed {
    let manifest = Manifest::parse(MANIFEST).unwrap();
    let plan = manifest.for_source("sample-bank", None).unwrap();
    Allowed::of(&manifest, &plan)
}

fn inputs() -> Inputs {
    Inputs {
        connector: "sample-bank".to_owned(),
        version: "0.1.0".to_owned(),
        source: "sample-bank".to_owned(),
        base: BASE.to_owned(),
        wanted: BTreeSet::from(["bank.account".to_owned()]),
        since: Some("2026-01-01".parse().unwrap()),
        attended: true,
        language: "fr".to_owned(),
        callback: "http://127.0.0.1:9/callback".to_owned(),
        state: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        secrets: BTreeSet::new(),
        public: BTreeMap::new(),
        began_ms: "2026-11-22T09:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond(),
    }
}

fn answer(content_type: &str, body: &str) -> Event {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    let hop = Hop { status: 200, headers, body: Body::of(body.as_bytes().to_vec()) };
    Event::Http(Exchange {
        method: "GET".to_owned(),
        url: format!("{BASE}/accounts/00012345678/operations?page=2&sort=date"),
        hops: vec![hop],
        ..Exchange::default()
    })
}

fn tape(content_type: &str, body: &str) -> Tape {
    Tape { events: vec![answer(content_type, body)], ..Tape::new(inputs()) }
}

fn redacted(content_type: &str, body: &str) -> (Redacted, String) {
    let redacted = redact(&tape(content_type, body), &allowed());
    let exchange = redacted.tape.exchanges().next().unwrap();
    let body = String::from_utf8(exchange.hops[0].body.0.to_vec()).unwrap();
    (redacted, body)
}

const PAGE: &str = r#"<!DOCTYPE html><html lang="fr"><head><title>Marie Dupont</title><style>.x{}</style></head><body>
<div id="entete" class="client-8812 menu sc-bdVaJa"><!-- Dupont --><a href="/accounts/00012345678/operations?page=2" title="Dupont">Livret de Marie</a></div>
<dl class="profil"><div><dt>Prénom(s)</dt><dd>Marie Éléonore</dd></div><div><dt>Téléphone</dt><dd>06 12 34 56 78</dd></div></dl>
<table id="comptes"><tr><td class="iban">FR76 3000 6000 0112 3456 7890 189</td><td>22/11/2026</td><td class="montant">-1 234,56 €</td><td>EUR</td></tr>
<tr><td class="iban">FR7630006000011234567890189</td><td>3 janvier 2025</td><td class="montant">0,00 €</td><td>marie.dupont@example.fr</td></tr></table>
<input type="hidden" name="jeton" value="f3a9c2e7b1d04c5e9f3a77aa"><script>var x = {"nom": "Dupont"};</script></body></html>"#;

#[test]
fn a_page_keeps_its_structure_and_nobodys_values() {
    let (redacted, page) = redacted("text/html; charset=utf-8", PAGE);
    for value in [
        "Marie",
        "Dupont",
        "dupont",
        "leonore",
        "8812",
        "bdVaJa",
        "12345678",
        "3000 6000",
        "06 12",
        "1 234",
        "234,56",
        "f3a9c2",
        "2026",
        "x{",
    ] {
        assert!(!page.contains(value), "{value} in {page}");
    }
    for structure in [
        "<div id=\"entete\" class=\"client-",
        " menu ",
        "href=\"/accounts/",
        "/operations?page=",
        "<dl class=\"profil\">",
        "<table id=\"comptes\">",
        "class=\"montant\"",
        ",",
        "€",
        "EUR",
        "FR",
        "type=\"hidden\"",
        "name=\"jeton\"",
        "16/06/2025",
        " juillet 2024",
        "0,00 €",
        "lang=\"fr\"",
    ] {
        assert!(page.contains(structure), "{structure} not in {page}");
    }
    let kept: BTreeSet<Rule> = redacted.kept.into_keys().collect();
    assert!(kept.contains(&Rule::Name) && kept.contains(&Rule::Code), "{kept:?}");
}

#[test]
fn what_is_equal_stays_equal_and_valid() {
    let (redacted, page) = redacted("text/html; charset=utf-8", PAGE);
    let url = &redacted.tape.exchanges().next().unwrap().url;
    let number = url.split('/').nth(4).unwrap();
    assert_eq!(number.len(), 11);
    assert!(number.starts_with("000") && page.contains(&format!("/accounts/{number}/operations")), "{url} {page}");
    let ibans: Vec<&str> = page.split("class=\"iban\">").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert_eq!(ibans[0].replace(' ', ""), ibans[1]);
    assert!(ibans[1].parse::<iban::Iban>().is_ok(), "{}", ibans[1]);
    let phone = page.split("<dd>").nth(2).unwrap().split('<').next().unwrap();
    assert!(phone.starts_with('0') && phone.chars().filter(char::is_ascii_digit).count() == 10, "{phone}");
}

#[test]
fn json_keeps_members_flags_and_choices() {
    let (_, json) = redacted(
        "application/json",
        r#"{"accounts":[{"iban":"FR7630006000011234567890189","bookingStatus":"BOOKED","label":"SALAIRE DUPONT","ok":true,"none":null,
            "amount":-1234.56,"count":3,"balance":0.00,"currency":"EUR","country":"FR","at":"2026-11-22T10:11:12.345+01:00","dupont@example.fr":"x",
            "next":"/accounts/00012345678?page=3","nested":"{\"nom\":\"Dupont\"}"}]}"#,
    );
    for value in ["DUPONT", "dupont", "Dupont", "SALAIRE", "1234", "2026", "10:11", "12345678"] {
        assert!(!json.contains(value), "{value} in {json}");
    }
    for kept in [
        "\"bookingStatus\":\"BOOKED\"",
        "\"ok\":true",
        "\"none\":null",
        "\"count\":3",
        "\"balance\":0.00",
        "\"currency\":\"EUR\"",
        "\"country\":\"FR\"",
        "\"at\":\"2025-06-16T00:00:00.000+00:00\"",
        "\"next\":\"/accounts/000",
        "{\\\"nom\\\":",
    ] {
        assert!(json.contains(kept), "{kept} not in {json}");
    }
}

#[test]
fn two_people_whose_values_have_the_same_forms_read_the_same() {
    let other = PAGE
        .replace("Marie", "Aline")
        .replace("Dupont", "Martin")
        .replace("dupont", "martin")
        .replace("marie", "aline")
        .replace("Éléonore", "Géraldin")
        .replace("8812", "4471")
        .replace("sc-bdVaJa", "sc-ghTeKo")
        .replace("00012345678", "00087654321")
        .replace("06 12 34 56 78", "07 98 76 54 32")
        .replace("FR76 3000 6000 0112 3456 7890 189", "FR73 2004 1010 0505 0001 3026 106")
        .replace("FR7630006000011234567890189", "FR7320041010050500013026106")
        .replace("-1 234,56", "-9 871,13")
        .replace("3 janvier 2025", "9 mars 2025")
        .replace("f3a9c2e7b1d04c5e9f3a77aa", "00b1c2d3e4f5061728394a5b");
    assert_ne!(PAGE, other);
    let mut theirs = tape("text/html; charset=utf-8", &other);
    let mut ours = tape("text/html; charset=utf-8", PAGE);
    for (tape, number) in [(&mut theirs, "00087654321"), (&mut ours, "00012345678")] {
        let Event::Http(exchange) = &mut tape.events[0] else { panic!() };
        exchange.url = format!("{BASE}/accounts/{number}/operations");
    }
    let [ours, theirs] = [ours, theirs].map(|tape| redact(&tape, &allowed()).tape);
    let shown = |tape: &Tape| {
        let exchange = tape.exchanges().next().unwrap();
        format!("{} {}", exchange.url, String::from_utf8_lossy(&exchange.hops[0].body.0))
    };
    assert_eq!(shown(&ours), shown(&theirs));
    assert_eq!(ours.to_recording().unwrap(), theirs.to_recording().unwrap());
}

#[test]
fn a_recording_reads_back_and_a_damaged_one_is_refused() {
    let tape = tape("text/html", PAGE);
    let bytes = tape.to_recording().unwrap();
    assert_eq!(Tape::from_recording(&bytes).unwrap(), tape);
    assert!(Tape::from_recording(b"another file").is_err());
    for end in [bytes.len() / 2, bytes.len() - 1] {
        assert!(Tape::from_recording(&bytes[..end]).is_err(), "{end}");
    }
}

#[test]
fn files_become_small_ones_of_their_kind() {
    for (body, starts) in [
        (&b"%PDF-1.7 Marie Dupont"[..], &b"%PDF-1.4"[..]),
        (b"\x89PNG\r\n\x1a\nMarie", b"\x89PNG"),
        (b"\xff\xfeDupont\0", b"\0\x01"),
    ] {
        let mut tape = tape("application/octet-stream", "");
        let Event::Http(exchange) = &mut tape.events[0] else { panic!() };
        exchange.hops[0].body = Body::of(body.to_vec());
        let redacted = redact(&tape, &allowed()).tape;
        let body = redacted.exchanges().next().unwrap().hops[0].body.0.to_vec();
        assert!(body.starts_with(starts) && !body.windows(5).any(|piece| piece == b"Marie"), "{body:?}");
    }
}
