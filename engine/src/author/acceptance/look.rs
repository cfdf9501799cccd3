//! What no connector may do in any state, looked for in every run of the suite: read a secret, go where it did not say, bring what nobody
//! asked for, reach a limit, write values of people into its log.

use std::sync::{Mutex, MutexGuard, PoisonError};

use consentry_contract::failure::{Blame, Code};
use consentry_contract::item::{Check, Field, Item, Value};
use consentry_contract::manifest::SourcePlan;
use consentry_host_api::ports::Observer;
use url::Url;

use crate::collect::replay::Replayed;

/// What a replay puts in place of every secret.
const STAND_IN: &str = "stand-in";
/// Shortest value of an item that a line of the log is searched for.
const VALUE_CHARS_MIN: usize = 6;

/// What this run overstepped, in sentences.
pub(super) fn oversteps(run: &Replayed, heard: &Heard, plan: Option<&SourcePlan>) -> Vec<String> {
    let mut faults: Vec<String> = lock(&heard.refused).clone();
    if run.collection.unrequested > 0 {
        faults.push(format!("{} items of categories that were not asked for", run.collection.unrequested));
    }
    if let Some(plan) = plan {
        for exchange in run.seen.exchanges() {
            let origin = Url::parse(&exchange.url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
            if plan.origins().iter().all(|declared| declared.to_string() != origin) {
                faults.push(format!("a request to {origin}, which is not declared"));
            }
        }
    }
    if let Some(limit) = run.collection.failure().and_then(|failure| failure.limit.as_ref()) {
        faults.push(format!("the limit {} was reached", limit.as_str()));
    }
    let values: Vec<String> = run.collection.items.iter().flat_map(texts).collect();
    let lines = lock(&heard.lines);
    if values.iter().chain(lines.iter()).any(|text| text.contains(STAND_IN)) {
        faults.push("a secret stands in an item or in a line of the log".to_owned());
    }
    let long = || values.iter().filter(|value| value.chars().count() >= VALUE_CHARS_MIN);
    if lines.iter().any(|line| long().any(|value| line.contains(value.as_str()))) {
        faults.push("a line of the log repeats a value of an item".to_owned());
    }
    faults
}

/// The texts of an item; words of a closed list are nobody's.
fn texts(item: &Item) -> Vec<String> {
    let own = |(field, value): (&Field, &Value)| match value {
        Value::Text(text) if !matches!(field.check, Check::OneOf(_)) => Some(text.clone()),
        _ => None,
    };
    item.fields().filter_map(own).collect()
}

/// What was refused, and the connector's own lines.
#[derive(Debug, Default)]
pub(super) struct Heard {
    lines: Mutex<Vec<String>>,
    refused: Mutex<Vec<String>>,
}

impl Observer for Heard {
    fn step(&self, _: &str) {}
    fn count(&self, _: u32, _: u32) {}
    fn login_submitted(&self) {}
    fn authenticated(&self) {}
    fn log(&self, _: &str, text: &str) {
        lock(&self.lines).push(text.to_owned());
    }
    fn refused(&self, code: Code, text: &str) {
        // That a person said no is no overstepping, nor that an answer is nothing that can be read.
        if code.row().blame == Blame::Connector && code != Code::ValueUnparsable {
            lock(&self.refused).push(format!("refused, {code}: {text}"));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
