//! The suite that every connector has to pass: for each failure state a run that ends with exactly its code. A state is shown by a recording of
//! its name, or derived from the recording `ok` and the pages of the manifest, or declared not to apply, with a reason (`acceptance.toml`).
//! Every recording is played twice besides, and has to come to the same both times, to what is expected, and to nothing that was refused.

mod derive;
mod state;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use consentry_contract::failure::{Blame, Code};
use consentry_contract::item::Value;
use consentry_contract::manifest::SourcePlan;
use consentry_host_api::ports::Observer;
use consentry_host_api::tape::Matching;
use consentry_tape::Tape;
use serde::Deserialize;
use url::Url;

use super::shelf::{self, Recording, ShelfError};
use super::told;
use crate::collect::package::Package;
use crate::collect::replay::{ReplayError, Replayed};
use crate::collect::{Collection, Collector};

pub use state::State;

/// The file in a connector's folder that says which states do not apply.
pub const FILE: &str = "acceptance.toml";
/// Shortest reason why a state does not apply.
const REASON_CHARS_MIN: usize = 10;
/// What a replay puts in place of every secret.
const STAND_IN: &str = "stand-in";

/// Why the suite can't be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptanceError {
    /// Recordings can't be read.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// `acceptance.toml` is wrong.
    #[error("{}: {why}", path.display())]
    Declared {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// `acceptance.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Declared {
    #[serde(default)]
    not_applicable: BTreeMap<State, String>,
}

/// How a state was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// By a recording of its name.
    Recorded,
    /// By a change of a recording, which is told.
    Derived(String),
    /// It does not apply, for this reason.
    NotApplicable(String),
    /// Not at all.
    Not,
}

/// What the suite found about one state, or about one recording more.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The state, or the name of the recording.
    pub name: String,
    /// How it was shown.
    pub shown: Shown,
    /// What it came to, in one line.
    pub told: String,
    /// What is wrong; nothing, if it passes.
    pub faults: Vec<String>,
}

/// The suite for one connector.
pub struct Suite<'a> {
    collector: &'a Collector,
    package: Package,
    recordings: Vec<Recording>,
    declared: Declared,
}

impl<'a> Suite<'a> {
    /// Of this connector, with what stands in its folder.
    ///
    /// # Errors
    /// [`AcceptanceError`].
    pub fn open(collector: &'a Collector, package: Package, folder: &Path) -> Result<Self, AcceptanceError> {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let declared = toml::from_str(&text)
            .map_err(|error| AcceptanceError::Declared { path, why: error.message().to_owned() })?;
        Ok(Self { collector, package, recordings: shelf::read(folder)?, declared })
    }

    /// The recordings.
    #[must_use]
    pub fn recordings(&self) -> &[Recording] {
        &self.recordings
    }

    /// Plays everything: the states in their order, then the recordings that are none.
    pub async fn run(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for state in State::ALL {
            findings.push(self.state(state).await);
        }
        for recording in &self.recordings {
            if State::ALL.iter().all(|state| state.name() != recording.name) {
                findings.push(self.recorded(recording, None).await);
            }
        }
        findings
    }

    async fn state(&self, state: State) -> Finding {
        if let Some(recording) = self.recording(state.name()) {
            return self.recorded(recording, Some(state)).await;
        }
        let name = state.name().to_owned();
        if let Some(reason) = self.declared.not_applicable.get(&state) {
            let faults = self.contradicts(state, reason).into_iter().collect();
            return Finding { name, shown: Shown::NotApplicable(reason.clone()), told: String::new(), faults };
        }
        let Some(ok) = self.recording(State::Ok.name()) else {
            let faults = vec![format!("there is no recording: `consentry connector record --as {}`", state.name())];
            return Finding { name, shown: Shown::Not, told: String::new(), faults };
        };
        self.derived(state, ok).await
    }

    /// What speaks against a state's not applying.
    fn contradicts(&self, state: State, reason: &str) -> Option<String> {
        if reason.trim().chars().count() < REASON_CHARS_MIN {
            return Some("the reason says nothing".to_owned());
        }
        if state.always_applies() {
            return Some("this state applies to every connector".to_owned());
        }
        let code = state.code()?;
        let plan = self.plan_of(None)?;
        let names = |rule: &consentry_contract::page::PageRule| {
            rule.page.failure == Some(code) || rule.page.errors.iter().any(|error| error.code == code)
        };
        let page = plan.pages().iter().find(|rule| names(rule))?;
        Some(format!("it applies: the page `{}` of the manifest says {code}", page.page.id))
    }

    /// Tries what may happen until the state is shown; where something may happen at several places, it has to be shown at each.
    async fn derived(&self, state: State, ok: &Recording) -> Finding {
        let name = state.name().to_owned();
        let finding = |shown, told, faults| Finding { name: name.clone(), shown, told, faults };
        let Some(plan) = self.plan_of(Some(&ok.tape)) else {
            return finding(Shown::Not, String::new(), vec!["the recording `ok` is of another source".to_owned()]);
        };
        let count = match self.play(&ok.tape, Matching::Strict).await {
            Ok((replayed, _)) => replayed.authenticated.unwrap_or(0),
            Err(error) => return finding(Shown::Not, String::new(), vec![crate::causes::chain(&error)]),
        };
        let tapes: Vec<&Recording> =
            std::iter::once(ok).chain(self.recordings.iter().filter(|each| each.name != ok.name)).collect();
        let derived = derive::of(state, &tapes, &plan, count);
        if derived.tries.is_empty() {
            let advice = format!("{}; record it, or declare in {FILE} why it does not apply", derived.none);
            return finding(Shown::Not, String::new(), vec![advice]);
        }
        let (mut shown, mut faults, mut last) = (None, Vec::new(), String::new());
        for (how, tape) in derived.tries {
            let (told, fault) = match self.play(&tape, Matching::Lenient).await {
                Ok((replayed, _)) => (told::outcome(&replayed.collection), state.fault(&replayed.collection)),
                Err(error) => (String::new(), Some(crate::causes::chain(&error))),
            };
            last.clone_from(&told);
            match fault {
                None => shown = shown.or(Some((how, told))),
                Some(fault) => faults.push(format!("{how}: {fault}")),
            }
        }
        match shown {
            Some((how, told)) if faults.is_empty() || !derived.all => finding(Shown::Derived(how), told, Vec::new()),
            _ => finding(Shown::Not, last, faults),
        }
    }

    /// Plays a recording twice, and holds it to what is expected of it.
    async fn recorded(&self, recording: &Recording, state: Option<State>) -> Finding {
        let mut finding =
            Finding { name: recording.name.clone(), shown: Shown::Recorded, told: String::new(), faults: Vec::new() };
        let played =
            (self.play(&recording.tape, Matching::Strict).await, self.play(&recording.tape, Matching::Strict).await);
        let ((first, heard), (second, _)) = match played {
            (Ok(first), Ok(second)) => (first, second),
            (Err(error), _) | (_, Err(error)) => {
                finding.faults.push(crate::causes::chain(&error));
                return finding;
            }
        };
        let lines = shelf::lines(&first.collection);
        finding.told.clone_from(&lines[0]);
        finding.faults.extend(state.and_then(|state| state.fault(&first.collection)));
        finding.faults.extend(told::difference(&recording.expected, &lines));
        if first.seen.events != second.seen.events || lines != shelf::lines(&second.collection) {
            finding.faults.push("it is not deterministic: the second run was another one".to_owned());
        }
        if let Some(divergence) = &first.divergence {
            finding
                .faults
                .push(format!("request {} is not on the recording: {}", divergence.ordinal, divergence.asked));
        }
        finding.faults.extend(self.oversteps(&first, &heard));
        finding
    }

    /// What no connector may do, whatever it is for.
    fn oversteps(&self, run: &Replayed, heard: &Heard) -> Vec<String> {
        let mut faults: Vec<String> = lock(&heard.refused).clone();
        if run.collection.unrequested > 0 {
            faults.push(format!("{} items of categories that were not asked for", run.collection.unrequested));
        }
        if let Some(plan) = self.plan_of(Some(&run.seen)) {
            for exchange in run.seen.exchanges() {
                let origin =
                    Url::parse(&exchange.url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
                if plan.origins().iter().all(|declared| declared.to_string() != origin) {
                    faults.push(format!("a request to {origin}, which is not declared"));
                }
            }
        }
        if let Some(limit) = run.collection.failure().and_then(|failure| failure.limit.as_ref()) {
            faults.push(format!("the limit {} was reached", limit.as_str()));
        }
        let values: Vec<String> = run.collection.items.iter().flat_map(texts).collect();
        if values.iter().chain(lock(&heard.lines).iter()).any(|text| text.contains(STAND_IN)) {
            faults.push("a secret stands in an item or in a line of the log".to_owned());
        }
        for line in lock(&heard.lines).iter() {
            if values.iter().any(|value| value.chars().count() >= 6 && line.contains(value.as_str())) {
                faults.push("a line of the log repeats a value of an item".to_owned());
            }
        }
        faults
    }

    async fn play(&self, tape: &Tape, matching: Matching) -> Result<(Replayed, Arc<Heard>), ReplayError> {
        let heard = Arc::new(Heard::default());
        let replayed = self.collector.replay(&self.package, tape, matching, heard.clone()).await?;
        Ok((replayed, heard))
    }

    fn recording(&self, name: &str) -> Option<&Recording> {
        self.recordings.iter().find(|recording| recording.name == name)
    }

    /// What a run on this tape is held to; without one, the first source as it is.
    fn plan_of(&self, tape: Option<&Tape>) -> Option<Arc<SourcePlan>> {
        let (source, base) = match tape {
            Some(tape) => (tape.inputs.source.as_str(), tape.inputs.base.parse().ok()),
            None => (self.package.manifest().sources().first()?.id.as_str(), None),
        };
        self.package.plan(source, base.as_ref()).ok()
    }
}

/// The texts of an item.
fn texts(item: &consentry_contract::item::Item) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    item.fields().filter_map(|(_, value)| text(value)).collect()
}

/// What was refused, and the connector's own lines.
#[derive(Debug, Default)]
struct Heard {
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
        // That a person said no is no overstepping.
        if code.row().blame == Blame::Connector {
            lock(&self.refused).push(format!("refused, {code}: {text}"));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a collection brought everything, or knows that there is nothing more.
fn whole(collection: &Collection) -> bool {
    collection.failure().is_none()
}
