//! What a simulation tells.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::erase::EraseError;
use crate::keys::KeyError;
use crate::store::StoreError;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Days that were simulated.
    pub days: u32,
    /// By row.
    pub rows: BTreeMap<&'static str, RowReport>,
    /// Root keys and keys of months that were destroyed.
    pub keys_destroyed: usize,
    /// Keys of months that were asked for after their end, and refused.
    pub months_refused: usize,
    /// How often the process died, the node was off for hours, the clock was set forth, and back, and a backup put back.
    pub restarts: usize,
    /// See `restarts`.
    pub absences: usize,
    /// See `restarts`.
    pub clocks_forth: usize,
    /// See `restarts`.
    pub clocks_back: usize,
    /// See `restarts`.
    pub restored: usize,
    /// Copies that were tried with the keys of a day later.
    pub copies_tried: usize,
    /// Records in them, all together, and how many of those were gone by then.
    pub copied_records: usize,
    /// See `copied_records`.
    pub copied_gone: usize,
    /// Whatever was not as it must be. Empty is what is wanted.
    pub wrong: Vec<String>,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RowReport {
    /// Records made.
    pub made: usize,
    /// Gone at their deadline, to the instant.
    pub at_deadline: usize,
    /// Gone while the node was off, or by a clock that jumped: at the next look.
    pub overdue: usize,
    /// Erased before, because something ended them.
    pub early: usize,
    /// Not in the backup that was put back, which was older.
    pub lost: usize,
    /// There at the end, before their deadline.
    pub left: usize,
}

/// Why a simulation stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The store.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The scheduler.
    #[error("the scheduler failed")]
    Erase(#[from] EraseError),
    /// The keys.
    #[error("the keys failed")]
    Keys(#[from] KeyError),
    /// A copy could not be made.
    #[error("a copy could not be made")]
    Copy(#[from] std::io::Error),
    /// It was to go on no longer, after so many days.
    #[error("stopped after {0} days: nothing is shown")]
    Stopped(u32),
}
