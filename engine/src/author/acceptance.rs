//! The suite that every connector has to pass: for each failure state a run that ends with exactly its code. A state is shown by a recording of
//! its name, or derived from the recording `ok` and the pages of the manifest, or declared not to apply, with a reason (`acceptance.toml`).
//! Every recording is played twice besides, and has to come to the same both times, to what is expected, and to nothing that was refused.

mod applies;
mod derive;
mod look;
mod state;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use consentry_contract::failure::Code;
use consentry_contract::manifest::SourcePlan;
use consentry_host_api::tape::Matching;
use consentry_tape::Tape;
use serde::Deserialize;

use super::shelf::{self, Recording, ShelfError};
use super::{mutate, told};
use crate::collect::package::Package;
use crate::collect::replay::{ReplayError, Replayed};
use crate::collect::{Collection, Collector};

use look::Heard;
pub use state::State;

/// The file in a connector's folder that says which states do not apply.
pub const FILE: &str = "acceptance.toml";

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
        let name = state.name().to_owned();
        let declared = self.declared.not_applicable.get(&state);
        if let Some(recording) = self.recording(state.name()) {
            let mut finding = self.recorded(recording, Some(state)).await;
            finding
                .faults
                .extend(declared.map(|_| format!("{FILE} says that it does not apply; its recording says it does")));
            return finding;
        }
        let ok = self.recording(State::Ok.name());
        if let Some(reason) = declared {
            // How far the login goes is asked only where it counts.
            let inside = match ok {
                Some(ok) if state.code() == Some(Code::SessionLost) || state == State::Partial => {
                    self.play(&ok.tape, Matching::Strict).await.ok().and_then(|(replayed, _)| replayed.authenticated)
                }
                _ => None,
            };
            let faults = applies::because(state, reason, &self.package, &self.recordings, inside);
            return Finding { name, shown: Shown::NotApplicable(reason.clone()), told: String::new(), faults };
        }
        let Some(ok) = ok else {
            let faults = vec![format!("there is no recording: `consentry connector record --as {}`", state.name())];
            return Finding { name, shown: Shown::Not, told: String::new(), faults };
        };
        self.derived(state, ok).await
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
        // What no connector may do, it may not do in any state, whether the state is told rightly or not.
        let mut overstepped = Vec::new();
        for (how, tape) in derived.tries {
            let (told, fault) = match self.play(&tape, Matching::Lenient).await {
                Ok((replayed, heard)) => {
                    overstepped
                        .extend(self.oversteps(&replayed, &heard).into_iter().map(|fault| format!("{how}: {fault}")));
                    let chance = self.chance(&tape, &shelf::lines(&replayed.collection)).await;
                    overstepped.extend(chance.map(|fault| format!("{how}: {fault}")));
                    (told::outcome(&replayed.collection), state.fault(&replayed.collection))
                }
                Err(error) => (String::new(), Some(crate::causes::chain(&error))),
            };
            last.clone_from(&told);
            match fault {
                None => shown = shown.or(Some((how, told))),
                Some(fault) => faults.push(format!("{how}: {fault}")),
            }
        }
        match shown {
            Some((how, told)) if faults.is_empty() || !derived.all => finding(Shown::Derived(how), told, overstepped),
            _ => finding(Shown::Not, last, [faults, overstepped].concat()),
        }
    }

    /// Plays it again with other randomness: what a collection comes to depends on the Data Source and the person alone.
    async fn chance(&self, tape: &Tape, lines: &[String]) -> Option<String> {
        let (other, _) = self.play(&mutate::chance(tape), Matching::Lenient).await.ok()?;
        (shelf::lines(&other.collection) != lines)
            .then(|| "it is not deterministic: with other random bytes it came to something else".to_owned())
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
        finding.faults.extend(self.chance(&recording.tape, &lines).await);
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
        look::oversteps(run, heard, self.plan_of(Some(&run.seen)).as_deref())
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

/// Whether a collection brought everything, or knows that there is nothing more.
fn whole(collection: &Collection) -> bool {
    collection.failure().is_none()
}
