//! Redaction: of what an answer says no six letters or digits in a row come through, unless they are a word that every report may show or
//! that the manifest names, or zeros: how many a number begins with is its form. The words are read a second time here, from the list itself;
//! the input is taken as bytes, whatever it means.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

use consentry_contract::manifest::Manifest;
use consentry_tape::{Allowed, Body, Event, Exchange, Hop, Inputs, Tape, redact};
use serde_json::Value;

use crate::bound::bounded;

const MANIFEST: &str = r#"
contract = "0.1"
id = "a-site"
version = "1.0.0"
owner = { name = "Authors", contact = "authors@example.org" }
capabilities = ["http"]
categories = ["person.name"]
literals = ["Solde disponible", "Nom"]
[[source]]
id = "a-site"
name = "A site"
country = "FR"
kind = "bank"
base = "https://site.example"
origins = ["{base}"]
[[page]]
id = "home"
url = "{base}/espaceprive/*"
requires = ["div.zoneclient", "/reponsetype"]
errors = [{ at = "p", text = "momentanément suspendu", code = "source-unavailable" }]
"#;
/// What stands in the manifest, and what redaction itself writes.
const OWN: &str = "solde disponible nom espaceprive zoneclient reponsetype momentanément suspendu site example captured charset cookie doctype cdata path age \
    janvier février mars avril juin juillet août septembre octobre novembre décembre january february march april june july august \
    september october november december januar februar märz juni juli oktober dezember mailto about blank https";
const PIECE: usize = 6;

static ALLOWED: LazyLock<Allowed> = LazyLock::new(|| {
    let manifest = Manifest::parse(MANIFEST).unwrap();
    let plan = manifest.for_source("a-site", None).unwrap();
    Allowed::of(&manifest, &plan)
});

static WORDS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let list = include_str!("../../../host-api/tape/src/words.txt").lines().filter(|line| !line.starts_with('#'));
    list.chain([OWN]).flat_map(str::split_whitespace).map(str::to_lowercase).collect()
});

static EMPTY_PDF: LazyLock<Body> = LazyLock::new(|| {
    let redacted = redact(&tape("", Vec::new(), b"%PDF-"), &ALLOWED).tape;
    redacted.exchanges().next().unwrap().hops[0].body.clone()
});

/// Takes lines: a content type, what comes after the site's base in the URL, the value of a header; then the body.
pub fn check(data: &[u8]) {
    let mut parts = data.splitn(4, |byte| *byte == b'\n');
    let mut line = || parts.next().unwrap_or_default();
    let [content_type, path, header] = [line(), line(), line()].map(|line| String::from_utf8_lossy(line).into_owned());
    let body = line();
    let headers = vec![("content-type".to_owned(), content_type.clone()), ("x-note".to_owned(), header)];
    let tape = tape(&path, headers, body);
    let redacted = bounded("redacting", data.len() * 8, || redact(&tape, &ALLOWED)).tape;
    let exchange = redacted.exchanges().next().unwrap();
    let hop = &exchange.hops[0];
    let pieces: HashSet<&[u8]> = data
        .windows(PIECE)
        .filter(|piece| piece.iter().all(u8::is_ascii_alphanumeric) && **piece != *b"000000")
        .collect();
    let after_base = exchange.url.strip_prefix("https://site.example").unwrap();
    nothing_comes_through(&pieces, after_base.as_bytes());
    // A file without a word is the same whatever it was.
    if hop.body != *EMPTY_PDF {
        nothing_comes_through(&pieces, &hop.body.0);
    }
    hop.headers.iter().for_each(|(name, value)| nothing_comes_through(&pieces, format!("{name} {value}").as_bytes()));
    assert_eq!(redact(&tape, &ALLOWED).tape, redacted, "the same each time");
    if content_type.starts_with("application/json")
        && let (Ok(before), Ok(after)) = (serde_json::from_slice(body), serde_json::from_slice::<Value>(&hop.body.0))
    {
        same_shape(&before, &after);
    }
    assert_eq!(Tape::from_recording(&redacted.to_recording().unwrap()).unwrap(), redacted);
}

fn tape(path: &str, headers: Vec<(String, String)>, body: &[u8]) -> Tape {
    let hop = Hop { status: 200, headers, body: Body::of(body.to_vec()) };
    let url = format!("https://site.example/{path}");
    let exchange = Exchange { method: "GET".to_owned(), url, hops: vec![hop], ..Exchange::default() };
    Tape { events: vec![Event::Http(exchange)], ..Tape::new(inputs()) }
}

fn inputs() -> Inputs {
    Inputs {
        connector: "a-site".to_owned(),
        version: "1.0.0".to_owned(),
        source: "a-site".to_owned(),
        base: "https://site.example".to_owned(),
        wanted: BTreeSet::new(),
        since: None,
        attended: true,
        language: "fr".to_owned(),
        callback: String::new(),
        state: String::new(),
        secrets: BTreeSet::new(),
        public: BTreeMap::new(),
        began_ms: 1_800_000_000_000,
    }
}

/// Every six bytes that are letters or digits and in no word that may be shown.
fn nothing_comes_through(pieces: &HashSet<&[u8]>, shown: &[u8]) {
    // A sign that an address may not hold is three others there; elsewhere a percent sign is one.
    let mut parted = shown.to_vec();
    for at in (0..shown.len().saturating_sub(2)).filter(|at| shown[*at] == b'%') {
        parted[at..at + 3].fill(b' ');
    }
    let stays: Vec<bool> = stays(shown).into_iter().zip(stays(&parted)).map(|(one, other)| one || other).collect();
    for (at, piece) in parted.windows(PIECE).enumerate() {
        let replaced = !stays[at..at + PIECE].contains(&true);
        assert!(
            !replaced || !pieces.contains(piece),
            "{} comes through in {}",
            piece.escape_ascii(),
            shown.escape_ascii()
        );
    }
}

/// Which bytes are of words that may be shown.
fn stays(text: &[u8]) -> Vec<bool> {
    let (mut stays, mut at) = (vec![false; text.len()], 0);
    let may = |word: &[u8]| WORDS.contains(&String::from_utf8_lossy(word).to_lowercase());
    for run in text.split(|byte| !byte.is_ascii_alphanumeric()) {
        let whole = may(run);
        for (start, end) in words_of(run) {
            stays[at + start..at + end].fill(whole || may(&run[start..end]));
        }
        at += run.len() + 1;
    }
    stays
}

/// Where capitals and digits begin a word.
fn words_of(run: &[u8]) -> Vec<(usize, usize)> {
    let begins = |at: usize| {
        let (before, here) = (run[at - 1], run[at]);
        before.is_ascii_digit() != here.is_ascii_digit() || before.is_ascii_lowercase() && here.is_ascii_uppercase()
    };
    let mut starts: Vec<usize> = (1..run.len()).filter(|at| begins(*at)).collect();
    starts.insert(0, 0);
    let ends = starts.iter().skip(1).copied().chain([run.len()]);
    starts.iter().copied().zip(ends).collect()
}

/// Kinds and numbers of entries are as they were; so is what is neither text nor number.
fn same_shape(before: &Value, after: &Value) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) if before.len() == after.len() => {
            before.values().zip(after.values()).for_each(|(before, after)| same_shape(before, after));
        }
        // Names that stand twice, or become one, leave fewer members.
        (Value::Object(_), Value::Object(_)) => {}
        (Value::Array(before), Value::Array(after)) => {
            assert_eq!(before.len(), after.len());
            before.iter().zip(after).for_each(|(before, after)| same_shape(before, after));
        }
        (Value::String(_), Value::String(_)) | (Value::Number(_), Value::Number(_)) => {}
        _ => assert_eq!(before, after),
    }
}
