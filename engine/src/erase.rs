//! Erasure: with proof for a run, and by the calendar for what is stored.
//!
//! [`Erased`] is the proof that nothing of a run is left here: somebody looked at every part. No receipt is issued without
//! it. It says nothing about other places: the Online Service's copy, the Data Source's, a backup of the machine's memory.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::erase::retention::{R23SealedParcel, Retained as _};
use crate::id::RunId;
use crate::keys::{Destroyed, KeyError, KeyProvider};
use crate::outbox::{DeadLetter, Outbox, OutboxError};
use crate::store::{Erasure, Shelves, StoreError};

// Erasure that somebody asked for, signed.
pub mod receipt;
// The retention table, compiled in.
pub mod retention;
// Years of it, in minutes.
pub mod simulation;

/// Looks at one part of a run: true means that nothing of it is left.
pub type Look<'a> = &'a (dyn Fn() -> bool + Sync);

/// Where a run keeps something. Every part is named, so that none is forgotten.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// Login fields, answers and captured secrets: the vault's witness saw it emptied.
    pub secrets: Look<'a>,
    /// The connector's memory, cookies and documents: what only its store owned is dropped.
    pub sandbox: Look<'a>,
    /// What works for the run: the tracker of its tasks is empty.
    pub tasks: Look<'a>,
    /// What was collected, at whatever stage.
    pub data: Look<'a>,
    /// Our copy of the parcel: it is not in the outbox, or opens no more.
    pub parcel: Look<'a>,
}

/// Proof that nothing of a run is left here. Made by [`Erased::prove`] and by nothing else.
///
/// It can be handed on:
/// ```
/// fn hand_on(erased: consentry::erase::Erased, run: consentry::id::RunId, at: jiff::Timestamp) -> consentry::erase::Erased {
///     erased
/// }
/// ```
/// and not made up:
/// ```compile_fail,E0451
/// fn hand_on(erased: consentry::erase::Erased, run: consentry::id::RunId, at: jiff::Timestamp) -> consentry::erase::Erased {
///     consentry::erase::Erased { run, at }
/// }
/// ```
/// And none is read from a file:
/// ```
/// fn read<T: serde::de::DeserializeOwned>() -> Option<T> { None }
/// fn forge() -> Option<consentry::id::ConsentId> { read() }
/// ```
/// ```compile_fail,E0277
/// fn read<T: serde::de::DeserializeOwned>() -> Option<T> { None }
/// fn forge() -> Option<consentry::erase::Erased> { read() }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Erased {
    run: RunId,
    at: Timestamp,
}

/// Something of the run is left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not erased yet: {}", .parts.join(", "))]
pub struct NotErased {
    parts: Vec<&'static str>,
}

impl Erased {
    /// The parts of a run that a proof looks at, by name.
    pub const PARTS: [&'static str; 5] = ["secrets", "sandbox", "tasks", "data", "parcel"];

    /// Looks at every part of a run.
    ///
    /// # Errors
    /// [`NotErased`] names the parts that are left.
    pub fn prove(run: RunId, parts: &Parts<'_>, now: Timestamp) -> Result<Self, NotErased> {
        let looks = [parts.secrets, parts.sandbox, parts.tasks, parts.data, parts.parcel];
        let left: Vec<_> =
            Self::PARTS.into_iter().zip(looks).filter(|(_, gone)| !gone()).map(|(part, _)| part).collect();
        if left.is_empty() { Ok(Self { run, at: now }) } else { Err(NotErased { parts: left }) }
    }

    /// The run that is gone.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// When somebody looked.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

impl NotErased {
    /// What is left.
    pub fn parts(&self) -> &[&'static str] {
        &self.parts
    }
}

/// What one pass over everything stored has done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// How many records were erased, by row.
    pub erased: BTreeMap<&'static str, usize>,
    /// The keys that were destroyed: of months, and the roots of key tables.
    pub keys: Vec<Destroyed>,
    /// The deliveries whose time was over.
    pub dead: Vec<DeadLetter>,
}

/// Why a pass stopped. What it had erased stays erased; run it again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EraseError {
    /// The keys.
    #[error("the keys of months could not be destroyed")]
    Keys(#[from] KeyError),
    /// The outbox.
    #[error("the outbox could not be swept")]
    Outbox(#[from] OutboxError),
    /// The store. The other records were erased.
    #[error("{failed} records could not be erased")]
    Store {
        /// How many.
        failed: usize,
        /// What happened to the first of them.
        #[source]
        first: StoreError,
    },
}

/// Erases whatever is due: keys first, of months and of records, then deliveries, then all records past their deadline.
///
/// # Errors
/// [`EraseError`]. One record that can't be erased does not save the others.
pub async fn due(
    shelves: &Shelves,
    outbox: &Outbox,
    keys: &dyn KeyProvider,
    now: Timestamp,
) -> Result<Pass, EraseError> {
    // What one of the two can't do now keeps the other from nothing.
    let (months, tables) = (keys.destroy_due(now).await, shelves.destroy_due(now).await);
    let failed = |first| EraseError::Store { failed: 0, first };
    let mut destroyed = months?;
    destroyed.extend(tables.map_err(failed)?);
    let swept = outbox.sweep(now).await;
    let mut expired = shelves.expired(now).await.map_err(failed)?;
    if swept.is_err() {
        // Their keys are gone. The shell of a parcel is what tells the next sweep that its end is to be noted.
        expired.retain(|each| each.row.id != R23SealedParcel::ROW.id);
    }
    let Erasure { erased: records, destroyed: more, failures } = shelves.erase(&expired, now).await;
    let dead = swept?;
    destroyed.extend(more);
    let mut erased = BTreeMap::new();
    for row in records.iter().filter_map(|key| retention::Row::by_id(key.split('/').next()?)) {
        *erased.entry(row.id).or_default() += 1;
    }
    let failed = failures.len();
    match failures.into_iter().next() {
        Some(first) => Err(EraseError::Store { failed, first }),
        None => Ok(Pass { erased, keys: destroyed, dead }),
    }
}

impl fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parts")
    }
}

#[cfg(test)]
mod tests;
