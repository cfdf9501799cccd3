//! Whether a state that an author declares not to apply does apply: what the manifest names and what a recording shows counts more than what
//! a reason says.

use std::collections::BTreeSet;

use consentry_contract::failure::Code;
use consentry_contract::manifest::{Capability, Manifest, PromptKind, SourcePlan};
use consentry_contract::page::PageRule;
use consentry_tape::Event;

use super::state::State;
use crate::author::shelf::Recording;
use crate::collect::package::Package;

/// Shortest reason why a state does not apply.
const REASON_CHARS_MIN: usize = 10;

/// What speaks against a state's not applying, in sentences. `inside` is how many requests of the recording `ok` came up to the login's end.
pub(super) fn because(
    state: State,
    reason: &str,
    package: &Package,
    recordings: &[Recording],
    inside: Option<usize>,
) -> Vec<String> {
    if state.always_applies() {
        return vec!["this state applies to every connector".to_owned()];
    }
    let mut told = Vec::new();
    if reason.trim().chars().count() < REASON_CHARS_MIN {
        told.push("the reason says nothing".to_owned());
    }
    let manifest = package.manifest();
    let plans: Vec<SourcePlan> =
        manifest.sources().iter().filter_map(|source| manifest.for_source(source.id.as_str(), None).ok()).collect();
    let pages: Vec<&PageRule> = plans.iter().flat_map(SourcePlan::pages).collect();
    told.extend(state.code().and_then(|code| said(code, &pages, recordings)));
    told.extend(match state {
        State::Empty => pages
            .iter()
            .find(|rule| rule.page.empty.is_some())
            .map(|rule| format!("it applies: the page `{}` of the manifest says when there is nothing", rule.page.id)),
        State::OtpOk | State::OtpWrong => {
            asks(manifest, PromptKind::Otp).then(|| "it applies: the manifest asks for a code (`otp`)".to_owned())
        }
        State::OtpTimeout | State::ApproveDenied => asked(manifest, recordings),
        State::SessionLost => goes_on(package, recordings, inside),
        State::Partial => several(&plans, recordings, inside),
        _ => None,
    });
    told
}

/// A page of the manifest, or a recording, that comes to this code.
fn said(code: Code, pages: &[&PageRule], recordings: &[Recording]) -> Option<String> {
    let names =
        |rule: &&&PageRule| rule.page.failure == Some(code) || rule.page.errors.iter().any(|error| error.code == code);
    if let Some(rule) = pages.iter().find(names) {
        return Some(format!("it applies: the page `{}` of the manifest says {code}", rule.page.id));
    }
    let ends = |recording: &&Recording| {
        recording.expected.first().is_some_and(|line| line.split_whitespace().any(|word| word == code.name()))
    };
    let recording = recordings.iter().find(ends)?;
    Some(format!("it applies: the recording `{}` comes to {code}", recording.name))
}

fn asks(manifest: &Manifest, kind: PromptKind) -> bool {
    manifest.answers().iter().any(|answer| answer.prompt == kind)
}

/// Whether the person may be asked something.
fn asked(manifest: &Manifest, recordings: &[Recording]) -> Option<String> {
    if manifest.capabilities().contains(&Capability::Prompt) {
        return Some("it applies: the manifest asks the person (`prompt`)".to_owned());
    }
    let prompts =
        |recording: &&Recording| recording.tape.events.iter().any(|event| matches!(event, Event::Prompt { .. }));
    let recording = recordings.iter().find(prompts)?;
    Some(format!("it applies: the person is asked in the recording `{}`", recording.name))
}

/// Whether something is asked for after a login that makes a session.
fn goes_on(package: &Package, recordings: &[Recording], inside: Option<usize>) -> Option<String> {
    let manifest = package.manifest();
    let session = !manifest.fields().is_empty() || !manifest.answers().is_empty();
    let ok = recordings.iter().find(|recording| recording.name == State::Ok.name())?;
    let more = inside.is_some_and(|count| ok.tape.exchanges().count() > count);
    (session && more).then(|| "it applies: there is a login, and the recording `ok` asks for more after it".to_owned())
}

/// Whether there is more than one page of data, so that one may be missing.
fn several(plans: &[SourcePlan], recordings: &[Recording], inside: Option<usize>) -> Option<String> {
    let partly = |recording: &&Recording| {
        recording.expected.first().is_some_and(|line| line.contains('!') || line.contains(" because "))
    };
    if let Some(recording) = recordings.iter().find(partly) {
        return Some(format!("it applies: the recording `{}` brings a part", recording.name));
    }
    let ok = recordings.iter().find(|recording| recording.name == State::Ok.name())?;
    let feeds = |id: &&str| {
        let mut rules = plans.iter().flat_map(SourcePlan::pages);
        rules.any(|rule| rule.page.id.as_str() == *id && !rule.page.feeds.is_empty())
    };
    // The last of the login is a page of data already, where it leads straight to one.
    let seen = ok.tape.exchanges().skip(inside.unwrap_or(0).saturating_sub(1));
    let fed: BTreeSet<&str> = seen.filter_map(|exchange| exchange.page.as_deref()).filter(feeds).collect();
    (fed.len() > 1).then(|| {
        let pages: Vec<&str> = fed.into_iter().collect();
        format!("it applies: data comes from several pages ({})", pages.join(", "))
    })
}
