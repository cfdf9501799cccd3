//! Storage. The only way in is a [`Shelf`], typed by a row of the retention table: no row, no storage.
//!
//! Below it stands a private port for bytes, with compare-and-set on single keys: every step of the flow is one idempotent
//! write. A record has a head in clear (row, term, name of its key) and a sealed body. **The key of a record never stands in
//! the record**: its wrap, under the storage key of the provider, stands in a place of its own, `store/wraps.rs`, the
//! one place that changes when wraps move into key tables by deadline.
//!
//! What is claimed now: nothing is stored in clear; a record that is changed or moved does not open; a record whose wrap was
//! dropped is gone for this engine. Not claimed yet: that a copy of the files taken before an erasure can't be opened by
//! somebody who also holds the key file, for a store keeps old bytes, wraps included, long after a delete; and that a store
//! that was put back as a whole is noticed.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::keys::KeyError;
use crate::seal::SealError;

#[cfg(test)]
mod conformance;
#[cfg(test)]
pub(crate) mod faulty;
mod head;
mod memory;
mod shelf;
mod sled;
mod watched;
mod wraps;

pub use shelf::{Expired, Kept, Record, Shelf, Shelves, Stored};

/// Longest name of a record, in bytes. A name is an id; it never holds personal data.
pub const NAME_BYTES_MAX: usize = 128;
/// Largest record, in bytes.
pub const VALUE_BYTES_MAX: usize = 40 * 1024 * 1024;

/// A version of one record, as the store counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u64);

/// What a write wants to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No record.
    Absent,
    /// The record as it was at this revision.
    At(Revision),
    /// Whatever there is.
    Any,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else wrote first. Nothing was written.
    #[error("the record was changed by somebody else")]
    Conflict,
    /// The folder belongs to a running engine.
    #[error("another engine is using the store in this folder: stop it, or give this one a folder of its own")]
    InUse,
    /// No space left. Nothing was written.
    #[error("the disk of the store is full: nothing was written, make room")]
    Full,
    /// The disk failed. Whether the last write is there is known after a restart only.
    #[error("the store can't be read or written")]
    Io(#[source] std::io::Error),
    /// The store's own files are damaged, and it does not open.
    #[error(
        "the store in {} is damaged: put a copy of the folder in its place, or move it away to begin with an empty one, \
         without its sessions, consents, receipts, ledger and parcels that nobody fetched",
        folder.display()
    )]
    Broken {
        /// Where it is.
        folder: std::path::PathBuf,
    },
    /// A record does not open. It is not served.
    #[error("a record of {namespace} is damaged")]
    Damaged {
        /// Its kind.
        namespace: &'static str,
    },
    /// A name that is empty, too long, or not made of letters, digits and `-_.:`.
    #[error("this is not a name of a record")]
    BadName,
    /// Too much at once.
    #[error("the record is larger than {VALUE_BYTES_MAX} bytes")]
    TooLarge,
    /// It was not sealed.
    #[error("the record can't be sealed")]
    Seal(#[from] SealError),
    /// Its key can't be had.
    #[error("the key of the record can't be had")]
    Keys(#[from] KeyError),
    /// A task of ours was lost.
    #[error("the store was interrupted")]
    Interrupted,
}

/// A record as the port sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) revision: Revision,
}

/// A record's key, head and revision.
pub(crate) type Listed = (String, Vec<u8>, Revision);

/// The port for bytes. A write that returns is durable; one that fails left the record as it was, or the engine must be
/// restarted ([`StoreError::Io`]). No revision is given twice for a key, not even after a delete.
#[async_trait]
pub(crate) trait Store: Send + Sync {
    /// Reads a record.
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError>;

    /// Writes a record if it is as expected.
    async fn put(&self, key: &str, head: Vec<u8>, body: Vec<u8>, expect: Expect) -> Result<Revision, StoreError>;

    /// Deletes a record if it is as expected. To delete what is not there is no conflict, unless a revision is expected.
    async fn delete(&self, key: &str, expect: Expect) -> Result<(), StoreError>;

    /// Lists the records whose keys begin with `prefix`, in the order of their keys, without bodies.
    async fn scan(&self, prefix: &str) -> Result<Vec<Listed>, StoreError>;
}

impl Expect {
    /// Whether a write may go on, given what is there.
    fn met_by(self, current: Option<Revision>) -> bool {
        match self {
            Self::Absent => current.is_none(),
            Self::At(revision) => current == Some(revision),
            Self::Any => true,
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error),
        }
    }
}

/// When a record must be gone, and which one it is.
pub(crate) fn is_due(deadline: Option<Timestamp>, now: Timestamp) -> bool {
    deadline.is_some_and(|deadline| deadline <= now)
}
