//! Puts secrets where its aim says: `METHOD URL SLOT SECRET RECIPE TIMES`, and tells all that comes of it.

use consentry_sdk::contract::http;
use consentry_sdk::prelude::*;

use crate::echo::asks_all;
use crate::{Modes, aim, honest, told};

pub const MODES: Modes = &[
    ("fills", fills),
    ("logs-in-after-authenticated", logs_in_after_authenticated),
    ("times-a-keypad", times_a_keypad),
    ("measures-what-is-left", measures_what_is_left),
];

fn fills() -> Result {
    let aim = aim();
    let words: Vec<&str> = aim.split(' ').collect();
    let [method, url, slot, name, recipe, times] = words[..] else {
        return Err(Code::Unclassified.fault("no aim"));
    };
    let anew = name.strip_prefix("anew-");
    let mut secret = found(anew.unwrap_or(name))?;
    for time in 0..times.parse().unwrap_or(1) {
        if time > 0
            && let Some(name) = anew
        {
            secret = found(name)?;
        }
        let (value, encoding) = made(&secret, recipe)?;
        let request = Request::new(method, url).no_redirects();
        let request = match slot.split_once(':') {
            Some(("form", name)) => request.field(name, value.encoded(encoding)),
            Some(("query", name)) => request.query(name, value.encoded(encoding)),
            Some(("header", name)) => request.header(name, value.encoded(encoding)),
            _ => request.body("text/plain", value.encoded(encoding)),
        };
        asks_all(&told(request.send())?)?;
    }
    honest()
}

/// A login field, or a secret that is got first: a cookie, what was captured, an answer.
fn found(name: &str) -> Result<credentials::Secret> {
    let found = match name.split_once(':') {
        None => return credential(name),
        Some(("cookie", name)) => {
            get("/session").send()?;
            http::cookie(&(job::base() + "/"), name)
        }
        Some(("captured", name)) => post("/token").send()?.captured(name),
        Some((_, name)) => return ask("otp").secret(name),
    };
    found.ok_or_else(|| Code::Unclassified.fault("no such secret"))
}

fn made(secret: &credentials::Secret, recipe: &str) -> Result<(credentials::Secret, &'static str)> {
    Ok(match recipe {
        "guess" => (secret::join(("guess", secret))?, "raw"),
        "bearer" => (secret::join(("Bearer ", secret))?, "raw"),
        "own-key" => (secret::encrypt("aes-cbc", "fedcba9876543210", &[b'0'; 16], secret)?, "hex"),
        "five" => (secret.characters(&[1, 2, 3, 4, 5])?, "raw"),
        "four" => (secret.characters(&[1, 2, 3, 4])?, "raw"),
        "no-nine" => (secret.typed(&keys(9))?, "raw"),
        "keys" => (secret.typed(&keys(10))?, "raw"),
        "letters" => (secret.typed(&('0'..='9').zip('a'..).map(letter).collect::<Vec<_>>())?, "raw"),
        _ => (secret::join(secret)?, "raw"),
    })
}

fn letter((digit, letter): (char, char)) -> (String, String) {
    (digit.to_string(), letter.to_string())
}

fn keys(count: usize) -> Vec<(String, String)> {
    (0..count).map(|digit| (digit.to_string(), format!("k{digit}"))).collect()
}

/// Before or after saying that the login worked; or with a text of its own in place of the password.
fn logs_in_after_authenticated() -> Result {
    let (aim, password) = (aim(), credential("password")?);
    if aim == "authenticated" {
        credentials::authenticated()?;
    }
    let request = post("/login");
    let request = match aim.strip_prefix("text ") {
        Some(text) => request.field("motdepasse", text),
        None => request.field("motdepasse", &password),
    };
    told(request.send())?;
    honest()
}

/// The shortest of five times is what the work itself takes.
fn times_a_keypad() -> Result {
    let password = credential("password")?;
    let mut shortest = u64::MAX;
    for _ in 0..5 {
        let typed = password.typed(&keys(10))?;
        let began = clock::now();
        post("/keypad").field("motdepasse", &typed).send()?;
        shortest = shortest.min(clock::now() - began);
    }
    log::write("info", &format!("took {shortest}"));
    honest()
}

/// Logs in, or sends its own text instead; then writes until nothing is left, and counts.
fn measures_what_is_left() -> Result {
    match aim().as_str() {
        "" => post("/login").field("motdepasse", &credential("password")?).send()?,
        own => post("/login").field("motdepasse", own).send()?,
    };
    let request = http::Request::new("GET", &job::base());
    for count in 0..400 {
        log::write("info", &format!("left {count}"));
        request.set("a", "");
    }
    honest()
}
