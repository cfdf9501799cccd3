//! Which Data Sources fail so often that nobody should be asked for a login there: of the last runs of one version, all within an hour,
//! too many failed for a reason that is the connector's or the Data Source's and does not pass by itself.
//!
//! Runs are counted in memory alone, without anything about a person; after a restart they are counted anew.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use consentry_contract::failure::{Blame, Retry};
use jiff::{SignedDuration, Timestamp};

use crate::consent::notice;
use crate::data::Digest;
use crate::outcome::Outcome;

/// How old the first of the runs that are looked at may be.
const WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// From which share of failures on a Data Source is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    runs: usize,
    percent: usize,
}

impl Threshold {
    /// This share, in percent, of so many last runs; none for fewer than 5 or more than 1000 runs, or a share that is none.
    #[must_use]
    pub fn new(runs: u32, percent: u8) -> Option<Self> {
        let makes_sense = (5..=1000).contains(&runs) && (1..=100).contains(&percent);
        makes_sense.then_some(Self { runs: runs as usize, percent: usize::from(percent) })
    }
}

/// One version of a connector at one of its Data Sources.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The connector's id.
    pub connector: String,
    /// The Data Source's id.
    pub source: String,
    /// The version.
    pub digest: Digest,
}

/// The last runs at every Data Source of a node.
#[derive(Debug)]
pub struct Failing {
    threshold: Option<Threshold>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// When each ended, and whether it failed; the oldest first.
    runs: BTreeMap<Place, VecDeque<(Timestamp, bool)>>,
    passed: BTreeSet<Place>,
}

impl Failing {
    /// Nothing ever passes the threshold where there is none.
    #[must_use]
    pub fn new(threshold: Option<Threshold>) -> Self {
        Self { threshold, held: Mutex::default() }
    }

    /// Counts a run that ended.
    pub fn note(&self, source: &notice::Source, outcome: &Outcome, now: Timestamp) {
        let Some((threshold, failed)) = self.threshold.zip(failed(outcome)) else { return };
        let (connector, digest) = (source.connector.clone(), source.digest);
        let place = Place { connector, source: source.id.clone(), digest };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = held.runs.entry(place.clone()).or_default();
        runs.push_back((now, failed));
        runs.retain(|(at, _)| now.duration_since(*at) <= WITHIN);
        while runs.len() > threshold.runs {
            runs.pop_front();
        }
        let failures = runs.iter().filter(|(_, failed)| *failed).count();
        if failed && runs.len() == threshold.runs && failures * 100 >= threshold.percent * runs.len() {
            held.runs.remove(&place);
            held.passed.insert(place);
        }
    }

    /// Those that have passed the threshold since this was last asked. Their runs are counted anew.
    #[must_use]
    pub fn take_passed(&self) -> BTreeSet<Place> {
        std::mem::take(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner).passed)
    }
}

/// Whether a run failed as a broken connector does; none for one that says nothing about that.
fn failed(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Outcome::Delivered(_) | Outcome::Partial(..) => Some(false),
        Outcome::Failed(failed) => {
            let broken = matches!(failed.failure.blame, Blame::Connector | Blame::Source);
            // By its code: once a login was submitted, whatever passes by itself waits for its person all the same.
            (broken && failed.failure.code.row().retry != Retry::After).then_some(true)
        }
        Outcome::Withdrawn { .. } | Outcome::Expired => None,
    }
}

#[cfg(test)]
mod tests;
