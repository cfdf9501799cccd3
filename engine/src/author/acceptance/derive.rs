//! States that a Data Source shows on nobody's demand, made of a recording of one that works.

use consentry_contract::failure::Code;
use consentry_contract::manifest::SourcePlan;
use consentry_contract::page::{ErrorText, PageRule};
use consentry_tape::{Hop, How, Tape};

use super::state::State;
use crate::author::mutate::{self, At};
use crate::author::shelf::Recording;

/// What to try for a state.
pub(super) struct Derived {
    /// What was done, and the changed recording.
    pub(super) tries: Vec<(String, Tape)>,
    /// Every one of them has to show the state, not only one.
    pub(super) all: bool,
    /// Why there is nothing to try.
    pub(super) none: String,
}

/// What may be tried for this state: `tapes` begins with the good one, which has so many requests up to the login's end.
pub(super) fn of(state: State, tapes: &[&Recording], plan: &SourcePlan, count: usize) -> Derived {
    let ok = &tapes[0].tape;
    let from = |tries: Vec<(String, Tape)>, all, none: &str| Derived { tries, all, none: none.to_owned() };
    match state {
        State::Ok => from(Vec::new(), true, "there is no recording `ok`"),
        State::OtpOk => from(Vec::new(), true, "there is no recording `otp-ok`"),
        State::Empty => from(empty(ok, plan), false, "no page of the manifest has an `empty`"),
        State::Rejected | State::Expired | State::Locked => {
            let none = says_nothing(state);
            // Where nobody's login is sent, the source says it when it is asked for data.
            let (at, what) = match mutate::login(ok) {
                Some(at) => (Some(at), "the answer to the login"),
                None => (mutate::after(ok, count), "the first answer inside"),
            };
            from(said(ok, plan, state.code(), at, what), false, &none)
        }
        State::OtpWrong => {
            let tries = tapes.iter().flat_map(|recording| {
                let at = mutate::answer(&recording.tape);
                said(&recording.tape, plan, state.code(), at, "the answer to the code")
            });
            from(tries.collect(), false, &says_nothing(state))
        }
        State::OtpTimeout => from(person(tapes, How::Expired, "nobody answers"), false, "no recording asks the person"),
        State::ApproveDenied => {
            from(person(tapes, How::Denied, "the person says no"), false, "no recording asks the person")
        }
        State::Maintenance => {
            let none = says_nothing(state);
            from(everywhere(ok, plan, count, Code::SourceMaintenance, None), true, &none)
        }
        State::RateLimited => {
            let page = mutate::hop(429, "text/html; charset=utf-8", b"<h1>Too many requests</h1>".to_vec());
            from(everywhere(ok, plan, count, Code::RateLimited, Some(page)), true, "the recording is empty")
        }
        State::AutomationBlocked => {
            let wall = b"<html><div id=\"challenge-form\"></div></html>".to_vec();
            let page = mutate::hop(403, "text/html; charset=utf-8", wall);
            from(everywhere(ok, plan, count, Code::AutomationBlocked, Some(page)), true, "the recording is empty")
        }
        State::SessionLost => from(session_lost(ok, plan, count), true, "nothing is asked for after the login"),
        State::LayoutChanged => from(renamed(ok, plan, count), true, "no page of the recording feeds a category"),
        State::Partial => from(renamed(ok, plan, count), false, "no page of the recording feeds a category"),
    }
}

fn says_nothing(state: State) -> String {
    format!("no page of the manifest says {}", state.code().map_or("it", Code::name))
}

/// The rules that say a code, each with the error text that says it.
fn saying(plan: &SourcePlan, code: Code) -> impl Iterator<Item = (&PageRule, Option<&ErrorText>)> {
    plan.pages().iter().filter_map(move |rule| {
        let error = rule.page.errors.iter().find(|error| error.code == code);
        (error.is_some() || rule.page.failure == Some(code)).then_some((rule, error))
    })
}

/// A page that says this code, in place of one answer.
fn said(tape: &Tape, plan: &SourcePlan, code: Option<Code>, at: Option<At>, what: &str) -> Vec<(String, Tape)> {
    let (Some(code), Some(at)) = (code, at) else { return Vec::new() };
    let tried = |(rule, error): (&PageRule, Option<&ErrorText>)| {
        let hops = mutate::page(tape, at, rule, error);
        (format!("{what} is the page `{}`", rule.page.id), mutate::answered(tape, at, hops))
    };
    saying(plan, code).map(tried).collect()
}

/// The first answer of all, and the first one after the login.
fn everywhere(tape: &Tape, plan: &SourcePlan, count: usize, code: Code, other: Option<Hop>) -> Vec<(String, Tape)> {
    let places = [("the first answer", mutate::first(tape)), ("the first answer inside", mutate::after(tape, count))];
    let mut tries = Vec::new();
    for (what, at) in places.into_iter().filter_map(|(what, at)| Some((what, at?))) {
        let rule = saying(plan, code).next();
        let (hops, name) = match (&rule, &other) {
            (Some((rule, error)), _) => (mutate::page(tape, at, rule, *error), format!("the page `{}`", rule.page.id)),
            (None, Some(hop)) => (vec![hop.clone()], format!("a page of status {}", hop.status)),
            (None, None) => return Vec::new(),
        };
        tries.push((format!("{what} is {name}"), mutate::answered(tape, at, hops)));
    }
    tries
}

fn session_lost(tape: &Tape, plan: &SourcePlan, count: usize) -> Vec<(String, Tape)> {
    let Some(at) = mutate::after(tape, count) else { return Vec::new() };
    let login = plan.pages().iter().filter(|rule| rule.page.login);
    let seen = login.filter_map(|rule| Some((rule, mutate::login_page(tape, at, rule)?))).next();
    let (what, hops) = match seen {
        Some((rule, hops)) => (format!("the page `{}`", rule.page.id), hops),
        None => ("a page of status 401".to_owned(), vec![mutate::hop(401, "application/json", b"{}".to_vec())]),
    };
    vec![(format!("the first answer inside is {what}"), mutate::answered(tape, at, hops))]
}

fn empty(tape: &Tape, plan: &SourcePlan) -> Vec<(String, Tape)> {
    let rules = plan.pages().iter().filter(|rule| rule.page.empty.is_some() && !rule.page.feeds.is_empty());
    let tried = |rule: &PageRule| {
        let places = mutate::at_url(tape, &rule.url);
        let changed = places.iter().fold(tape.clone(), |tape, at| {
            let known = mutate::without(&tape, *at, rule);
            let hops = known.unwrap_or_else(|| mutate::page(&tape, *at, rule, None));
            mutate::answered(&tape, *at, hops)
        });
        (!places.is_empty()).then(|| (format!("the page `{}`", rule.page.id), changed))
    };
    rules.filter_map(tried).collect()
}

fn renamed(tape: &Tape, plan: &SourcePlan, count: usize) -> Vec<(String, Tape)> {
    let pages = mutate::feeding(tape, plan, count).into_iter();
    pages
        .map(|(at, rule)| (format!("the names of `{}` change", rule.page.id), mutate::renamed(tape, at, &rule)))
        .collect()
}

fn person(tapes: &[&Recording], how: How, what: &str) -> Vec<(String, Tape)> {
    let tried = |recording: &&Recording| {
        Some((format!("{what} (`{}`)", recording.name), mutate::person(&recording.tape, how)?))
    };
    tapes.iter().filter_map(tried).collect()
}
