//! What may happen to a collection, done to its recording: another answer in place of one, names of a page changed, a person who does not
//! answer. A changed recording is played like any other.

use consentry_contract::manifest::{SourcePlan, UrlPattern};
use consentry_contract::page::{ErrorText, PageRule};
use consentry_tape::{Body, Event, Exchange, Hop, How, Tape};
use serde_json::Value;
use url::Url;

use super::sketch;

/// Longest walk of names that a page is searched for.
const NAMES_MAX: usize = 64;
/// Draws of random bytes that a changed recording has beyond its own.
const DRAWS_MORE: usize = 64;

/// Where in a recording something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At(
    /// The position among its events.
    usize,
);

/// The events that bring an answer: requests, and looks at a page in a browser.
fn exchanges(tape: &Tape) -> impl Iterator<Item = (At, &Exchange)> {
    tape.events.iter().enumerate().filter_map(|(at, event)| Some((At(at), event.exchange()?)))
}

/// The first request of all.
#[must_use]
pub fn first(tape: &Tape) -> Option<At> {
    exchanges(tape).next().map(|(at, _)| at)
}

/// The first request after so many.
#[must_use]
pub fn after(tape: &Tape, count: usize) -> Option<At> {
    exchanges(tape).nth(count).map(|(at, _)| at)
}

/// What answers the login: the request with a login field in it, or the first look at a page after one was typed. The last of them.
#[must_use]
pub fn login(tape: &Tape) -> Option<At> {
    let last = tape.events.iter().rposition(|event| carries(event, "field."))?;
    exchanges(tape).find(|(at, _)| at.0 >= last).map(|(at, _)| at)
}

/// What answers the person's answer.
#[must_use]
pub fn answer(tape: &Tape) -> Option<At> {
    let given = tape.events.iter().position(|event| matches!(event, Event::Prompt { how: How::Given, .. }))?;
    let with = tape.events.iter().enumerate().skip(given).find(|(_, event)| carries(event, "answer."));
    let from = with.map_or(given, |(at, _)| at);
    exchanges(tape).find(|(at, _)| at.0 >= from).map(|(at, _)| at)
}

fn carries(event: &Event, kind: &str) -> bool {
    event.secrets().iter().any(|secret| secret.starts_with(kind))
}

/// The first request that landed on each page which speaks for a category, after so many requests.
#[must_use]
pub fn feeding(tape: &Tape, plan: &SourcePlan, count: usize) -> Vec<(At, PageRule)> {
    let mut found: Vec<(At, PageRule)> = Vec::new();
    // The last of the login is a page of data already, where it leads straight to one.
    for (at, exchange) in exchanges(tape).skip(count.saturating_sub(1)) {
        let rule = plan.pages().iter().find(|rule| exchange.page.as_deref() == Some(rule.page.id.as_str()));
        if let Some(rule) = rule.filter(|rule| !rule.page.feeds.is_empty())
            && found.iter().all(|(_, known)| known.page.id != rule.page.id)
        {
            found.push((at, rule.clone()));
        }
    }
    found
}

/// Requests whose answers came from where this page is found.
#[must_use]
pub fn at_url(tape: &Tape, pattern: &UrlPattern) -> Vec<At> {
    let there = |(at, exchange): (At, &Exchange)| {
        let url = Url::parse(&landed(exchange)).ok()?;
        pattern.matches(&url).then_some(at)
    };
    exchanges(tape).filter_map(there).collect()
}

/// Where an answer came from, after redirects.
fn landed(exchange: &Exchange) -> String {
    let base = Url::parse(&exchange.url).ok();
    let moved = exchange.hops.iter().rev().skip(1).find_map(|hop| hop.header("location"));
    match (base, moved) {
        (Some(base), Some(to)) => base.join(to).map_or_else(|_| exchange.url.clone(), String::from),
        _ => exchange.url.clone(),
    }
}

/// Puts these answers in place of what came to a request.
#[must_use]
pub fn answered(tape: &Tape, at: At, hops: Vec<Hop>) -> Tape {
    let mut tape = tape.clone();
    let Some(event) = tape.events.get_mut(at.0) else { return tape };
    let in_browser = matches!(event, Event::Page(_));
    if let Some(exchange) = event.exchange_mut() {
        // A browser has followed redirects when it shows something: it stands where they led.
        let landed = hops.iter().rev().find_map(|hop| hop.header("location").map(str::to_owned));
        if let Some(landed) = landed.filter(|_| in_browser) {
            exchange.url = landed;
        }
        let skipped = if in_browser { hops.len().saturating_sub(1) } else { 0 };
        (exchange.hops, exchange.failure, exchange.page) = (hops.into_iter().skip(skipped).collect(), None, None);
    }
    tape
}

/// The answers that lead from a request to the page of a rule: a redirect where it stands elsewhere, then the page.
#[must_use]
pub fn page(tape: &Tape, at: At, rule: &PageRule, error: Option<&ErrorText>) -> Vec<Hop> {
    let drawn = sketch::page(&rule.page, error);
    let status = rule.page.status.first().copied().unwrap_or(200);
    led(tape, at, &rule.url, hop(status, drawn.content_type, drawn.body.into_bytes()))
}

/// The JSON answer as it was, without what the rule says may not be there; none if it is no such page.
#[must_use]
pub fn without(tape: &Tape, at: At, rule: &PageRule) -> Option<Vec<Hop>> {
    let exchange = tape.events.get(at.0)?.exchange()?;
    let mut hops = exchange.hops.clone();
    let last = hops.last_mut()?;
    let mut body: Value = serde_json::from_slice(&last.body.0).ok()?;
    for place in &rule.page.lacks {
        let (parent, name) = place.rsplit_once('/')?;
        match body.pointer_mut(parent)? {
            Value::Object(members) => drop(members.remove(name)),
            Value::Array(all) => all.clear(),
            _ => return None,
        }
    }
    last.body = Body::of(body.to_string().into_bytes());
    (!rule.page.lacks.is_empty()).then_some(hops)
}

/// The answers that lead to the login page as it was seen before; none if it never was.
#[must_use]
pub fn login_page(tape: &Tape, at: At, rule: &PageRule) -> Option<Vec<Hop>> {
    let seen = exchanges(tape).find(|(_, exchange)| exchange.page.as_deref() == Some(rule.page.id.as_str()));
    let last = seen?.1.hops.last()?.clone();
    Some(led(tape, at, &rule.url, last))
}

fn led(tape: &Tape, at: At, to: &UrlPattern, last: Hop) -> Vec<Hop> {
    let Some(exchange) = tape.events.get(at.0).and_then(Event::exchange) else { return vec![last] };
    let there = Url::parse(&exchange.url).is_ok_and(|url| to.matches(&url));
    if there {
        return vec![last];
    }
    let location = to.to_string().replace('*', "x");
    vec![Hop { status: 303, headers: vec![("location".to_owned(), location)], body: Body::default() }, last]
}

/// One answer.
#[must_use]
pub fn hop(status: u16, content_type: &str, body: Vec<u8>) -> Hop {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    Hop { status, headers, body: Body::of(body) }
}

/// The page at this place with its own names changed: ids, classes and members that the rule asks for; where it names none, another page.
#[must_use]
pub fn renamed(tape: &Tape, at: At, rule: &PageRule) -> Tape {
    let mut tape = tape.clone();
    let Some(exchange) = tape.events.get_mut(at.0).and_then(Event::exchange_mut) else { return tape };
    let Some(last) = exchange.hops.last_mut() else { return tape };
    let before = String::from_utf8_lossy(&last.body.0).into_owned();
    let mut body = before.clone();
    for name in rule.page.requires.iter().flat_map(|at| names(at)).take(NAMES_MAX) {
        for (open, close) in [("\"", "\""), ("'", "'"), ("\"", " "), (" ", "\""), (" ", " ")] {
            body = body.replace(&format!("{open}{name}{close}"), &format!("{open}other-{name}{close}"));
        }
    }
    if body == before {
        *last = hop(200, "text/html; charset=utf-8", b"<h1>Notice</h1><form><button>Go on</button></form>".to_vec());
    } else {
        last.body = Body::of(body.into_bytes());
    }
    exchange.page = None;
    tape
}

/// The ids, classes and quoted values of a selector, or the members of a pointer.
fn names(at: &str) -> Vec<&str> {
    if let Some(pointer) = at.strip_prefix('/') {
        return pointer.split('/').filter(|name| name.parse::<usize>().is_err()).collect();
    }
    let mut found = Vec::new();
    for (place, _) in at.match_indices(['#', '.', '=']) {
        let rest = at[place + 1..].trim_start_matches(['"', '\'']);
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_')).unwrap_or(rest.len());
        found.extend(Some(&rest[..end]).filter(|name| !name.is_empty()));
    }
    found
}

/// The person's first answer ends so instead; none if the person was asked nothing.
#[must_use]
pub fn person(tape: &Tape, how: How) -> Option<Tape> {
    let mut tape = tape.clone();
    let asked = tape.events.iter_mut().find(|event| matches!(event, Event::Prompt { .. }))?;
    *asked = Event::Prompt { how, parts: Vec::new() };
    Some(tape)
}

/// The same from outside, and other randomness: for every draw on the tape, and for as many more as a run may make.
#[must_use]
pub fn chance(tape: &Tape) -> Tape {
    let mut tape = tape.clone();
    for event in &mut tape.events {
        if let Event::Random(bytes) = event {
            bytes.iter_mut().for_each(|byte| *byte = !*byte);
        }
    }
    // A replay that runs out of draws counts upwards from zero.
    let more = std::iter::repeat_n(Event::Random((0..=u8::MAX).rev().collect()), DRAWS_MORE);
    tape.events.extend(more);
    tape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_a_site_can_change() {
        assert_eq!(names("table#comptes tbody tr.even"), ["comptes", "even"]);
        assert_eq!(names("body[id='login'] input[name=\"a-b\"]"), ["login", "a-b"]);
        assert_eq!(names("/accounts/0/iban"), ["accounts", "iban"]);
        assert!(names("h1").is_empty());
    }
}
