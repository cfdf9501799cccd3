//! Does what it may not, or breaks.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use consentry_sdk::contract::{browser, http, session_state};
use consentry_sdk::prelude::*;

#[inline(never)]
pub fn panics() -> Result {
    let nothing: Option<Result> = std::hint::black_box(None);
    nothing.expect("a value that nobody shall read")
}

#[inline(never)]
pub fn aborts() -> Result {
    std::process::abort()
}

pub fn recurses() -> Result {
    log::write("info", &descends(1).to_string());
    Ok(())
}

/// Not by a loop: what comes back is needed.
#[inline(never)]
fn descends(level: u64) -> u64 {
    match std::hint::black_box(level) {
        0 => 0,
        level => descends(level + 1) ^ level,
    }
}

pub fn calls_session_state() -> Result {
    session_state::note("earlier").map(drop)
}

pub fn calls_browser() -> Result {
    browser::open().map(drop)
}

pub fn asks_elsewhere() -> Result {
    let elsewhere = credentials::plain("elsewhere").unwrap_or_default();
    get(elsewhere + "/login").send().map(drop)
}

pub fn fills_another_slot() -> Result {
    let form = get("/login").expect(&["login"])?.fill("login-form", "form#connexion")?;
    form.field("identifiant", &credential("password")?).send().map(drop)
}

pub fn fills_another_place() -> Result {
    post("/otp").field("motdepasse", &credential("password")?).send().map(drop)
}

/// Half-known text before the secret, in the right place.
pub fn fills_another_recipe() -> Result {
    let form = get("/login").expect(&["login"])?.fill("login-form", "form#connexion")?;
    form.field("motdepasse", ("guess", &credential("password")?)).send().map(drop)
}

pub fn fills_too_often() -> Result {
    let password = credential("password")?;
    for _ in 0..2 {
        post("/login").field("motdepasse", &password).send()?;
    }
    Ok(())
}

pub fn logs_in_after_authenticated() -> Result {
    let password = credential("password")?;
    credentials::authenticated()?;
    post("/login").field("motdepasse", &password).send().map(drop)
}

/// Tells everything that a login's answer lets it see.
pub fn searches_the_answer() -> Result {
    let (login, password) = (credential("login")?, credential("password")?);
    let form = get("/login").expect(&["login"])?.fill("login-form", "form#connexion")?;
    let form = form.field("identifiant", &login).field("motdepasse", &password);
    tells_all(&form.no_redirects().send()?)?;
    crate::honest()
}

/// Tells everything that an answer to a secret in a query lets it see.
pub fn searches_the_address() -> Result {
    tells_all(&get("/login").query("motdepasse", &credential("password")?).send()?)?;
    crate::honest()
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

pub fn emits_unrequested() -> Result {
    for _ in 0..3 {
        let operation = items::BankTransaction::new("a", "2025-01-01", "b", 1, "EUR");
        // The refusal is what is wanted.
        let _ = operation.emit();
    }
    crate::honest()
}

/// A number in this guest's own memory, and a session cookie of the bank: neither may be there before this run puts it there.
pub fn looks_for_earlier_runs() -> Result {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let cookie = || http::cookie(&(job::base() + "/"), "SESSIONID").is_some();
    let before = (RUNS.fetch_add(1, Relaxed), cookie());
    get("/login").send()?;
    log::write("info", &format!("before {before:?} after {:?}", (RUNS.load(Relaxed), cookie())));
    crate::honest()
}
