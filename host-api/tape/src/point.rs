//! The point at which a run failed, in words that a redacted tape shares with the real one. Two runs failed in the same way if their
//! points are equal.

use consentry_contract::failure::{Code, Failure, Missing, Name, PageId};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::allowed::Allowed;
use crate::tape::{Act, Event, Tape};
use crate::vocabulary::{self, pieces};

/// Where and how a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Point {
    /// The failure.
    pub code: Code,
    /// The page where it happened.
    pub page: Option<PageId>,
    /// What was missing there: a rule's name.
    pub missing: Option<Missing>,
    /// The limit that was reached.
    pub limit: Option<Name>,
    /// The last thing that the run had from outside.
    pub last: Option<LastCall>,
}

/// A request or a prompt, by its place in the run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LastCall {
    /// Which one it was of all requests and prompts, from 1.
    pub ordinal: usize,
    /// `http`, `browser` or `prompt`.
    pub capability: String,
    /// Method, or how the prompt ended.
    pub method: String,
    /// The manifest's pattern for the URL, or what of the URL is names.
    pub url: String,
}

impl Point {
    /// Where the run on this tape failed.
    #[must_use]
    pub fn of(failure: &Failure, tape: &Tape, allowed: &Allowed) -> Self {
        let (page, missing) = (failure.page.clone(), failure.missing.clone());
        Self { code: failure.code, page, missing, limit: failure.limit.clone(), last: LastCall::of(tape, allowed) }
    }
}

impl LastCall {
    fn of(tape: &Tape, allowed: &Allowed) -> Option<Self> {
        let mut calls = tape.events.iter().filter(|event| is_call(event));
        let ordinal = calls.clone().count();
        Some(match calls.next_back()? {
            Event::Prompt { how, .. } => {
                Self { ordinal, capability: "prompt".to_owned(), method: how.name().to_owned(), url: String::new() }
            }
            Event::Http(exchange) => {
                let (method, url) = (exchange.method.clone(), pattern(&exchange.url, allowed));
                Self { ordinal, capability: "http".to_owned(), method, url }
            }
            Event::Page(act) => {
                let (method, url) = (act.call.clone(), allowed.named(&act.on));
                Self { ordinal, capability: "browser".to_owned(), method, url }
            }
            Event::Clock(_) | Event::Random(_) => return None,
        })
    }
}

/// How often a page was waited for says nothing of where a run was.
fn is_call(event: &Event) -> bool {
    match event {
        Event::Http(_) | Event::Prompt { .. } => true,
        Event::Page(act) => act.call != Act::WAIT,
        Event::Clock(_) | Event::Random(_) => false,
    }
}

/// A selector without the names in it that nobody has to know.
pub(crate) fn selector(at: &str, allowed: &Allowed) -> String {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let (mut out, mut rest) = (String::with_capacity(at.len()), at);
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| is_name(c) != is_name(first)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let place = run.len() <= 3 && run.bytes().all(|byte| byte.is_ascii_digit());
        out += if !is_name(first) || place || allowed.has_name(run) { run } else { "*" };
        rest = after;
    }
    out
}

/// The manifest's pattern for a URL; without one, what is made of known words, and `*` for the rest.
pub(crate) fn pattern(url: &str, allowed: &Allowed) -> String {
    let Ok(url) = Url::parse(url) else { return String::new() };
    if let Some(pattern) = allowed.pattern(&url) {
        return pattern.to_string();
    }
    let known = |segment: &str| {
        let word = |piece: &str| !piece.contains(char::is_alphanumeric) || vocabulary::knows(piece);
        allowed.has_name(segment) || pieces(segment).into_iter().all(|piece| word(&segment[piece]))
    };
    let segments = url.path().split('/').map(|segment| if known(segment) { segment } else { "*" });
    let origin = url.origin().ascii_serialization();
    let origin = if allowed.has_origin(&origin) { origin } else { String::new() };
    origin + &segments.collect::<Vec<_>>().join("/")
}
