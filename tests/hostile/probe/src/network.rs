//! Plain requests, to sites that are hostile themselves, and requests that pretend to be others.

use consentry_sdk::contract::http;
use consentry_sdk::prelude::*;

pub fn asks_once() -> Result {
    let answer = get("/").send()?;
    log::write("info", &format!("status {} at {}", answer.status(), answer.url()));
    crate::honest()
}

pub fn keeps_requests_at_once() -> Result {
    let requests = (0..40).map(|_| get("/")).collect();
    send_all(requests)?;
    crate::honest()
}

/// Tells which headers it could set.
pub fn asks_with_host_headers() -> Result {
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
