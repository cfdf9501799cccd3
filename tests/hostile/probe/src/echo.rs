//! Sends a secret to a site that repeats what it is sent, and tells everything that the answer lets it see. The same with its own text
//! in place of the secret shows what there would be to see.

use consentry_sdk::contract::{document::Document, http};
use consentry_sdk::prelude::*;

use crate::misbehave::tells_all;

pub fn reads_an_echo() -> Result {
    let password = credential("password")?;
    asks_all(&post("/login").field("motdepasse", &password).no_redirects().send()?)?;
    // What comes later knows nothing of it.
    tells_all(&get("/home").send()?)?;
    crate::honest()
}

pub fn reads_its_own_echo() -> Result {
    asks_all(&post("/login").field("motdepasse", guess().as_str()).no_redirects().send()?)?;
    crate::honest()
}

pub fn guesses_beside_a_secret() -> Result {
    let password = credential("password")?;
    let request = post("/login?again=".to_owned() + &guess()).field("motdepasse", &password);
    asks_all(&request.field("q", guess().as_str()).header("x-q", guess().as_str()).no_redirects().send()?)?;
    crate::honest()
}

/// What the password may be.
fn guess() -> String {
    credentials::plain("elsewhere").unwrap_or_default()
}

fn asks_all(answer: &http::Response) -> Result {
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
    for end in 1..guess().len() {
        let beginning = guess().chars().take(end).collect::<String>();
        let found = document.find(&format!("[value^='{beginning}']"), "attr:value").ok().flatten();
        if found.is_some() {
            log::write("info", &format!("{format} begins with {end} letters"));
        }
    }
}
