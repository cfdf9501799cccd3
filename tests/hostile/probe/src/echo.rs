//! Sends a secret to a site that repeats what it is sent, and tells everything that the answer lets it see.

use consentry_sdk::contract::{document::Document, http};
use consentry_sdk::prelude::*;

use crate::{Modes, aim, honest};

pub const MODES: Modes = &[
    ("reads-an-echo", reads_an_echo),
    ("guesses-beside-a-secret", guesses_beside_a_secret),
    ("emits-an-echo", emits_an_echo),
];

/// For whoever receives the items.
fn emits_an_echo() -> Result {
    let page = post("/login").field("motdepasse", &credential("password")?).send()?.document(Some("html"))?;
    items::PersonName::new().full(page.need("echo", "p", "text")?).emit()
}

fn reads_an_echo() -> Result {
    let password = credential("password")?;
    asks_all(&post("/login").field("motdepasse", &password).no_redirects().send()?)?;
    // What comes later knows nothing of it.
    tells_all(&get("/home").send()?)?;
    honest()
}

fn guesses_beside_a_secret() -> Result {
    let password = credential("password")?;
    let request = post("/login?again=".to_owned() + &aim()).field("motdepasse", &password);
    asks_all(&request.field("q", aim().as_str()).header("x-q", aim().as_str()).no_redirects().send()?)?;
    honest()
}

/// Everything that the answer lets it see, also as a document.
pub fn asks_all(answer: &http::Response) -> Result {
    tells_all(answer)?;
    for format in ["html", "xml", "json"] {
        if let Ok(document) = answer.document(Some(format)) {
            tells_document(format, &document);
        }
    }
    Ok(())
}

fn tells_document(format: &str, document: &Document) {
    for (at, take) in
        [("", "text"), ("", "raw"), ("", "html"), ("", "json"), ("input", "attr:value"), ("a", "url:href")]
    {
        log::write("info", &format!("{format} {at} {take} {:?}", document.find(at, take).ok().flatten()));
    }
    // Letter by letter, where it may stand and where it may only begin.
    for end in 1..aim().len() {
        let beginning = aim().chars().take(end).collect::<String>();
        let found = document.find(&format!("[value^='{beginning}']"), "attr:value").ok().flatten();
        if found.is_some() {
            log::write("info", &format!("{format} begins with {end} letters"));
        }
    }
}

pub fn tells_all(answer: &http::Response) -> Result {
    log::write("info", &format!("status {} url {} page {:?}", answer.status(), answer.url(), answer.page()));
    for name in [
        "location",
        "content-location",
        "set-cookie",
        "cookie",
        "link",
        "refresh",
        "content-type",
        "content-length",
        "etag",
        "x-note",
    ] {
        log::write("info", &format!("header {name} {:?}", answer.header(name)));
    }
    let body = answer.blob()?;
    for part in body.read(0, 64 << 10).chunks(256) {
        log::write("info", &format!("body {}", String::from_utf8_lossy(part)));
    }
    Ok(())
}
