//! The echo scrub: once it is done no question to the answer finds the secret, in any one encoding; what is not the secret stays; and to
//! scrub again finds nothing.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use consentry_contract::document::{Document, Format, Limits, Unmetered};
use consentry_contract::scrub::{MASK, Scrub, Scrubbed};
use regex::bytes::{Captures, Regex};
use url::Url;
use zeroize::Zeroizing;

use crate::bound::bounded;

/// Takes lines: the secret; what the connector wrote itself; the format or `-`; then the answer, in which `{0}` to `{9}` and `{a}` to
/// `{d}` stand for the secret in an encoding, and `{o}` for the connector's words.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next();
    let (Some(secret), Some(own), Some(format), Some(page)) = (line(), line(), line(), line()) else { return };
    let format: Option<Format> = format.parse().ok();
    if !is_told_apart(secret) || (format.is_some() && secret.contains(' ')) || page.len() > 16 * 1024 {
        return;
    }
    let forms = forms(secret);
    let source = filled(page, own, &forms);
    let values = [Zeroizing::new(secret.as_bytes().to_vec())];
    let owns = if own.is_empty() { Vec::new() } else { vec![own.as_bytes().to_vec()] };
    let scrub = Scrub::new(&values, &owns, 1 << 20, &mut Unmetered).unwrap().unwrap();
    let done = bounded("scrubbing", 16 * source.len() + 1024, || body(&scrub, format, source.as_bytes()));
    let Some(done) = done else { return };
    if own_explains(own, secret) {
        return;
    }
    found_nowhere(&done, &forms, &source);
    if let Some(again) = body(&scrub, format, &done.bytes) {
        // A page is written out anew, which may move a table.
        let masks = |bytes: &[u8]| bytes.windows(MASK.len()).filter(|window| *window == MASK.as_bytes()).count();
        assert_eq!(masks(&again.bytes), masks(&done.bytes), "{} is masked once more", done.bytes.escape_ascii());
        assert!(matches!(format, Some(Format::Html | Format::Xml)) || again.bytes == done.bytes);
    }
    if format.is_none() && !holds(source.as_bytes(), &forms) && !holds(&letters(&source), &forms) {
        stays(secret, &source, &done);
    }
}

/// Letters alone or digits alone count as whole words only, and a mask has stars.
fn is_told_apart(secret: &str) -> bool {
    (8..=64).contains(&secret.len())
        && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.!?+$%&@#/ ".contains(&byte))
        && secret.trim() == secret
        && secret.bytes().any(|byte| byte.is_ascii_lowercase())
        && secret.bytes().any(|byte| byte.is_ascii_digit())
}

/// A guess is compared as it was made, and what it explains is another test's.
fn own_explains(own: &str, secret: &str) -> bool {
    let (own, secret) = (own.to_lowercase(), secret.to_lowercase());
    own.contains(&secret) || secret.contains(&own) && !own.is_empty()
}

fn body(scrub: &Scrub, format: Option<Format>, source: &[u8]) -> Option<Scrubbed> {
    let url = Url::parse("https://bank.example/login").unwrap();
    scrub.body(format, source.to_vec(), Some("utf-8"), &url, &Limits::default(), &mut Unmetered).ok()
}

/// Every encoding that a careless site writes it in, each by an encoder of this file's own or of a library.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let each = |write: &dyn Fn(u8) -> String| bytes.iter().map(|byte| write(*byte)).collect::<String>();
    vec![
        secret.to_owned(),
        secret.to_uppercase(),
        secret.to_lowercase(),
        each(&|byte| format!("%{byte:02X}")),
        each(&|byte| format!("%{byte:02x}")),
        url::form_urlencoded::byte_serialize(bytes).collect(),
        each(&|byte| format!("&#{byte};")),
        each(&|byte| format!("&#x{byte:x};")),
        each(&|byte| format!("\\u{byte:04x}")),
        each(&|byte| format!("\\x{byte:02x}")),
        each(&|byte| format!("{byte:02x}")),
        each(&|byte| format!("{byte:02X}")),
        STANDARD_NO_PAD.encode(bytes),
        URL_SAFE_NO_PAD.encode(bytes),
    ]
}

fn filled(page: &str, own: &str, forms: &[String]) -> String {
    let mut out = String::with_capacity(page.len());
    let mut rest = page;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        let hole = rest[at..].get(..3).filter(|hole| hole.ends_with('}'));
        let form = hole.and_then(|hole| hole[1..2].chars().next()).and_then(|c| match c {
            'o' => Some(own),
            c => forms.get(c.to_digit(16)? as usize).map(String::as_str),
        });
        // The whole secret is there, or the hole is no hole.
        let Some(form) = form else {
            out.push('{');
            rest = &rest[at + 1..];
            continue;
        };
        let _ = write!(out, "{form}");
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    out
}

/// Whether a form is there, names of elements and attributes aside: those are shown (see SECURITY.md). Tags are as we write them.
fn shows(text: &[u8], forms: &[String]) -> bool {
    // A vertical tab ends no name in HTML.
    static TAG: LazyLock<Regex> = LazyLock::new(|| {
        let tag = r#"(?-u)</?[a-zA-Z][^ \t\n\f\r/>]*((?:[ \t\n\f\r]=?[^ \t\n\f\r=>]*="[^"]*")*)"#;
        Regex::new(tag).unwrap()
    });
    static VALUE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"(?-u)="[^"]*"(?:[ \t\n\f\r]|$)"#).unwrap());
    let values = |tag: &Captures<'_>| -> Vec<u8> {
        VALUE.find_iter(&tag[1]).flat_map(|value| value.as_bytes().to_vec()).collect()
    };
    holds(&TAG.replace_all(text, values), forms)
}

fn holds(text: &[u8], forms: &[String]) -> bool {
    forms.iter().any(|form| text.windows(form.len()).any(|window| window == form.as_bytes()))
}

/// The text without what a search looks through.
fn letters(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).collect()
}

/// Neither in the bytes, nor in what any question brings out of the document.
#[track_caller]
fn found_nowhere(done: &Scrubbed, forms: &[String], source: &str) {
    assert!(!shows(&done.bytes, forms), "{} is left of {source:?}", done.bytes.escape_ascii());
    let Some(document) = &done.document else { return };
    for at in ["", "*"] {
        for part in document.parts(at, &mut Unmetered).unwrap_or_default().iter().take(100) {
            for take in takes(part) {
                let told = part.find("", take, &mut Unmetered).ok().flatten().unwrap_or_default();
                assert!(!shows(told.as_bytes(), forms), "{told:?} by {at:?} {take:?} of {source:?}");
            }
        }
    }
    if let Ok(told) = document.source(&mut Unmetered) {
        assert!(!shows(told.as_bytes(), forms), "{told:?}");
    }
}

/// What stands in two fields, or in two blocks of a page, is not one text: no site writes a secret so.
fn takes(part: &Document) -> &'static [&'static str] {
    let html = part.find("", "html", &mut Unmetered).ok().flatten().unwrap_or_default();
    match (part.format(), html.matches('<').count()) {
        (Format::Json, _) => &["text", "json"],
        (_, ..3) => &["text", "own-text", "raw", "html"],
        (Format::Html, _) => &["text", "own-text", "html"],
        _ => &["own-text", "html"],
    }
}

/// Where the secret is not, nothing is masked.
#[track_caller]
fn stays(secret: &str, source: &str, done: &Scrubbed) {
    let short = secret.get(..secret.len() / 2).unwrap_or_default();
    let encoded =
        source.contains(['%', '&', '\\', '+', '=']) || source.bytes().filter(u8::is_ascii_alphanumeric).count() >= 11;
    if !encoded && !source.to_lowercase().contains(&short.to_lowercase()) && !source.contains(MASK) {
        assert_eq!(String::from_utf8_lossy(&done.bytes), source);
    }
}
