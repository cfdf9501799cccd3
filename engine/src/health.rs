//! How connectors do: runs counted by Data Source, version, stage and blame, in slots of ten minutes, for the last seven days.
//!
//! Nothing here can be about a person, by type: what is counted is a [`Count`], which is made of names of a manifest, words of the
//! table of failures and one duration, and has no place for an id, a session or a moment finer than its slot. A few runs of one source
//! may still say something about few people, so shares and percentiles are told from [`RUNS_MIN`] runs on and are none below.
//!
//! Slots are stored (row R29) within seconds and at a planned stop, and read again at the start. A crash loses the last seconds.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use consentry_contract::failure::{Blame, Code, Stage};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::consent::notice::Source;
use crate::erase::retention::{R29ConnectorHealth, Term};
use crate::outcome::{Ended, Failed, Outcome};
use crate::rights::declared::{Declaration, Declared};
use crate::store::{Expect, Record, Shelf, Shelves, StoreError};

mod figures;

pub use figures::{Figures, Window};

/// Fewest runs of which a share or a percentile is told.
pub const RUNS_MIN: u64 = 20;
/// How long one slot is, in seconds.
const SLOT_SECONDS: i64 = 600;
/// How long slots are looked at: the longest window, and the slot that it begins in.
const KEPT: SignedDuration = SignedDuration::from_secs(7 * 86_400 + SLOT_SECONDS);
/// Upper bounds of the histogram of durations, in milliseconds; half as long again each. What took longer is in the last one.
const BOUNDS: [u32; 24] = [
    50, 75, 113, 169, 253, 380, 570, 854, 1_281, 1_922, 2_883, 4_325, 6_487, 9_731, 14_596, 21_894, 32_842, 49_263,
    73_894, 110_841, 166_262, 249_392, 374_089, 900_000,
];

/// A Data Source, by the names of the manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    connector: String,
    source: String,
    version: String,
}

impl Place {
    /// Where a run was, as its notice says.
    #[must_use]
    pub fn of(source: &Source) -> Self {
        Self { connector: source.connector.clone(), source: source.id.clone(), version: source.version.clone() }
    }

    /// The connector's id.
    #[must_use]
    pub fn connector(&self) -> &str {
        &self.connector
    }

    /// The Data Source's id.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The connector's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// What went wrong, in the words of the table of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Where.
    pub stage: Stage,
    /// Whose turn it is.
    pub blame: Blame,
    /// What.
    pub code: Code,
}

/// One run, as it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    place: Place,
    end: End,
    took: Option<SignedDuration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Partial(Fault),
    Failed(Fault),
    /// The person withdrew, or the hour was over.
    Left,
}

impl End {
    fn is_judged(self) -> bool {
        match self {
            Self::Whole | Self::Partial(_) => true,
            Self::Failed(fault) => !matches!(fault.blame, Blame::Person | Blame::Recipient),
            Self::Left => false,
        }
    }
}

impl Count {
    /// A run that ended. `took` is how long its collection was at work, without what it waited for the person; none if it never came to
    /// an end.
    #[must_use]
    pub fn of(source: &Source, ended: &Ended, took: Option<SignedDuration>) -> Self {
        let outcome = ended.outcome();
        let fault = |failure: &consentry_contract::failure::Failure| Fault {
            stage: failure.stage,
            blame: outcome.blame().unwrap_or(Blame::Platform),
            code: failure.code,
        };
        let end = match outcome {
            Outcome::Delivered(_) => End::Whole,
            Outcome::Partial(_, failure) => End::Partial(fault(failure)),
            Outcome::Failed(Failed { failure, .. }) => End::Failed(fault(failure)),
            Outcome::Withdrawn { .. } | Outcome::Expired => End::Left,
        };
        Self { place: Place::of(source), end, took }
    }
}

/// What is counted of one place in one slot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    runs: u64,
    whole: u64,
    partial: u64,
    left: u64,
    /// Those that say something about the connector.
    judged: u64,
    faults: Vec<(Fault, u64)>,
    /// How many collections took at most so long, by [`BOUNDS`].
    took: Vec<u64>,
}

/// One slot, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slot {
    places: Vec<(Place, Counts)>,
}

impl Record for Slot {
    const NAMESPACE: &'static str = "health";
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
    type Row = R29ConnectorHealth;
}

/// What the stored type declares about a person's rights.
pub(crate) fn declared() -> Declaration {
    Declaration::of::<Slot>()
}

/// The health of every Data Source of a node.
pub struct Health {
    shelf: Shelf<R29ConnectorHealth>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// By the number of their slot since 1970.
    slots: BTreeMap<i64, BTreeMap<Place, Counts>>,
    unsaved: std::collections::BTreeSet<i64>,
}

impl Health {
    /// Reads what is kept on these shelves.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(shelves: &Shelves) -> Result<Self, StoreError> {
        let shelf = shelves.shelf();
        let mut held = Held::default();
        for name in shelf.names::<Slot>().await? {
            if let (Ok(number), Some(stored)) = (name.parse(), shelf.get::<Slot>(&name).await?) {
                held.slots.insert(number, stored.value.places.into_iter().collect());
            }
        }
        Ok(Self { shelf, held: Mutex::new(held) })
    }

    /// Counts a run that ended.
    pub fn note(&self, count: Count, now: Timestamp) {
        let number = number_of(now);
        let mut held = self.lock();
        held.slots.entry(number).or_default().entry(count.place.clone()).or_default().take(&count);
        held.unsaved.insert(number);
    }

    /// Stores what was counted since the last time, and lets go of what is older than the longest window.
    ///
    /// # Errors
    /// [`StoreError`]: what was not stored is stored the next time.
    pub async fn save(&self, now: Timestamp) -> Result<(), StoreError> {
        let unsaved = {
            let mut held = self.lock();
            let oldest = number_of(now - KEPT);
            held.slots = held.slots.split_off(&oldest);
            std::mem::take(&mut held.unsaved)
        };
        for number in unsaved {
            let Some(slot) = self.lock().slots.get(&number).map(Slot::of) else { continue };
            let term = Term::from(began(number));
            if let Err(error) = self.shelf.put(&number.to_string(), &slot, Expect::Any, term).await {
                self.lock().unsaved.insert(number);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The figures of each place in a window that ends now.
    #[must_use]
    pub fn figures(&self, window: Window, now: Timestamp) -> BTreeMap<Place, Figures> {
        let first = number_of(now - window.length());
        let mut sums: BTreeMap<Place, Counts> = BTreeMap::new();
        for slot in self.lock().slots.range(first..).map(|(_, slot)| slot) {
            for (place, counts) in slot {
                sums.entry(place.clone()).or_default().add(counts);
            }
        }
        sums.into_iter().map(|(place, counts)| (place, counts.figures())).collect()
    }

    /// The figures of one Data Source over all versions of its connector, in a window that ends now.
    #[must_use]
    pub fn figures_of(&self, connector: &str, source: &str, window: Window, now: Timestamp) -> Figures {
        let first = number_of(now - window.length());
        let mut sum = Counts::default();
        for (place, counts) in self.lock().slots.range(first..).flat_map(|(_, slot)| slot) {
            if place.connector == connector && place.source == source {
                sum.add(counts);
            }
        }
        sum.figures()
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Each change leaves every slot whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn of(places: &BTreeMap<Place, Counts>) -> Self {
        Self { places: places.iter().map(|(place, counts)| (place.clone(), counts.clone())).collect() }
    }
}

impl Counts {
    fn take(&mut self, count: &Count) {
        self.runs += 1;
        match count.end {
            End::Whole => self.whole += 1,
            End::Left => self.left += 1,
            End::Failed(fault) => self.fault(fault, 1),
            End::Partial(fault) => {
                self.partial += 1;
                self.fault(fault, 1);
            }
        }
        self.judged += u64::from(count.end.is_judged());
        if let Some(took) = count.took {
            let milliseconds = took.as_millis();
            let at = BOUNDS.iter().position(|bound| milliseconds <= i128::from(*bound)).unwrap_or(BOUNDS.len() - 1);
            self.took.resize(BOUNDS.len(), 0);
            self.took[at] += 1;
        }
    }

    fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.whole += other.whole;
        self.partial += other.partial;
        self.left += other.left;
        self.judged += other.judged;
        other.faults.iter().for_each(|(fault, count)| self.fault(*fault, *count));
        self.took.resize(BOUNDS.len(), 0);
        self.took.iter_mut().zip(&other.took).for_each(|(sum, more)| *sum += more);
    }

    fn fault(&mut self, fault: Fault, count: u64) {
        match self.faults.iter_mut().find(|(known, _)| *known == fault) {
            Some((_, sum)) => *sum += count,
            None => self.faults.push((fault, count)),
        }
    }
}

fn number_of(now: Timestamp) -> i64 {
    now.as_second().div_euclid(SLOT_SECONDS)
}

fn began(number: i64) -> Timestamp {
    Timestamp::from_second(number * SLOT_SECONDS).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
