//! Plain requests, to sites that are hostile themselves, and requests that pretend to be others.

use consentry_sdk::contract::http;
use consentry_sdk::prelude::*;

use crate::echo::tells_all;
use crate::{Modes, aim, honest, told};

pub const MODES: Modes = &[
    ("asks-once", asks_once),
    ("fetches", fetches),
    ("sets-a-header", sets_a_header),
    ("keeps-requests-at-once", keeps_requests_at_once),
    ("asks-with-host-headers", asks_with_host_headers),
    ("signals-by-pauses", signals_by_pauses),
];

fn asks_once() -> Result {
    let answer = get("/").send()?;
    let (status, size) = (answer.status(), answer.blob()?.size());
    log::write("info", &format!("status {status} at {}, {size} bytes", answer.url()));
    honest()
}

/// `METHOD URL`, and tells all.
fn fetches() -> Result {
    let aim = aim();
    let (method, url) = aim.split_once(' ').unwrap_or(("GET", &aim));
    tells_all(&told(Request::new(method, url).no_redirects().send())?)?;
    honest()
}

/// `NAME VALUE`.
fn sets_a_header() -> Result {
    let aim = aim();
    let (name, value) = aim.split_once(' ').unwrap_or_default();
    told(get("/").header(name, value).send())?;
    honest()
}

fn keeps_requests_at_once() -> Result {
    let requests = (0..40).map(|_| get("/")).collect();
    send_all(requests)?;
    honest()
}

/// Reads a word on a page and tells it by how long it waits between requests.
fn signals_by_pauses() -> Result {
    let page = get("/home").send()?;
    let word = page.document(Some("html"))?.need("word", "p", "text")?;
    for bit in word.bytes().take(1).flat_map(|byte| (0..8).map(move |at| byte >> at & 1)) {
        clock::sleep(if bit == 1 { 400 } else { 1 })?;
        get("/tick").send()?;
    }
    honest()
}

/// Tells which headers it could set.
fn asks_with_host_headers() -> Result {
    for name in [
        "Host",
        "Cookie",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Sec-Fetch-Site",
        "X-Forwarded-Host",
        "X-HTTP-Method-Override",
        "X-Original-URL",
        "X-Rewrite-URL",
        "Range",
        "Accept-Encoding",
        "Content-Type",
        "bad name",
        "bad\r\nname",
        "bad:name",
        "",
        "X-Allowed",
    ] {
        if get("/").header(name, "x").send().is_ok() {
            log::write("info", &format!("could set {name:?}"));
        }
    }
    // Not by a name, and not by a value either: whatever depends on a value ends the run.
    let request = http::Request::new("GET", &(job::base() + "/"));
    request.header("x", &[credentials::Piece::Text("a\r\nhost: evil.example".to_owned())]);
    http::send(request).map(drop)
}
