//! Storage. The only way in is a [`Shelf`], typed by a row of the retention table: no row, no storage.
//!
//! Below it stands a private port for bytes, with compare-and-set on single keys: every step of the flow is one idempotent
//! write. A record has a head in clear (row, term, name of its key) and a sealed body. **The key of a record never stands in
//! the store**: it stands in a key table of its period or its day (`store/tables.rs`), a small file that is rewritten whole under
//! a fresh root key whenever it lets a key go, and the root before is destroyed.
//!
//! What is claimed: nothing is stored in clear; a record that is changed or moved does not open; a copy of the store, and of the
//! key tables, from before an erasure does not open what was erased, nor one of all files where the key provider is a token; a copy of
//! the store with the newest tables opens everything else, once an operator says that it was put back. Not claimed: anything against
//! whoever kept an older key file with its passphrase, and an older file of root keys.

use std::io;
use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::keys::KeyError;
use crate::seal::SealError;

#[cfg(test)]
mod conformance;
mod copies;
#[cfg(test)]
pub(crate) mod faulty;
pub(crate) mod files;
mod head;
mod mark;
mod memory;
mod roots;
mod search;
mod shelf;
mod sled;
mod tables;
mod time;
mod watched;

pub use copies::Opened;
pub use mark::Mismatch;
pub(crate) use roots::PROVIDER as ROOTS_PROVIDER;
pub(crate) use search::Standing;
pub(crate) use shelf::record_key;
pub use shelf::{Erasure, Expired, Kept, Record, Shelf, Shelves, Stored};

/// Longest name of a record, in bytes. A name is an id; it never holds personal data.
pub const NAME_BYTES_MAX: usize = 128;
/// Largest record, in bytes.
pub const VALUE_BYTES_MAX: usize = 40 * 1024 * 1024;

/// Free space below which nothing new is written. What makes something go may use it; and sled, which can't go on after a full
/// disk, never meets one.
pub(crate) const RESERVE_BYTES: u64 = 32 * 1024 * 1024;

/// Refuses what would leave less than the reserve free on the disk of a folder.
pub(crate) fn has_room_for(folder: &Path, reserve_bytes: u64, bytes: usize) -> Result<(), StoreError> {
    let disk = rustix::fs::statvfs(folder).map_err(io::Error::from)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < reserve_bytes.saturating_add(bytes as u64) { Err(StoreError::Full) } else { Ok(()) }
}

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
    /// No space left. Nothing new was kept; what was there is as it was.
    #[error("the disk of the store is full: nothing new was kept, make room")]
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
    /// Records are missing that nobody deleted.
    #[error(
        "records are missing in the store in {}, and nobody deleted them: its disk failed, or somebody changed its files. Put the newest copy \
         of the store in its place; without one, `consentry keys adopt` goes on with what is left, and forgets for good what is missing",
        folder.display()
    )]
    Lost {
        /// Where it is.
        folder: std::path::PathBuf,
    },
    /// A record does not open. It is not served.
    #[error("a record of {namespace} is damaged")]
    Damaged {
        /// Its kind.
        namespace: &'static str,
    },
    /// The file of root keys does not open.
    #[error(
        "the file `roots` does not open: it is damaged, or older than the keys of this node. Put the newest copy of tables, roots and keys in \
         its place; without one nothing in the store can be opened again: take `roots` and `tables` away, and `consentry keys adopt` clears \
         the store and goes on with it"
    )]
    Roots,
    /// A key table that its root does not open.
    #[error(
        "the key table {table} does not open: it is older than the keys that it stands under, or damaged. Put the newest copy of \
         tables, roots and keys in its place; without one, what stood in it is gone: take the file away, and `consentry keys adopt` goes on \
         with what is left"
    )]
    Table {
        /// Its name.
        table: String,
    },
    /// A key table whose file is not there, though nothing has erased it: its roots are.
    #[error(
        "the key table {table} is missing, and nothing has erased it. Put the newest copy of tables, roots and keys in its place; without \
         one, what stood in it is gone, and `consentry keys adopt` goes on with what is left"
    )]
    NoTable {
        /// Its name.
        table: String,
    },
    /// A store whose keys are not there.
    #[error("the store has records, and there is no key table: put the newest copy of tables and roots beside it")]
    NoTables,
    /// A store that is not the one of the key tables.
    #[error(
        "the key tables in {folder} belong to a store that is not in {folder}/store: {how}. Mount it, or put the newest copy of what \
         is missing there; if that is what you have done, or all there is, `consentry keys adopt` goes on with it, and forgets for good \
         what it does not have", folder = folder.display()
    )]
    NoStore {
        /// The data folder.
        folder: std::path::PathBuf,
        /// How it does not fit.
        how: Mismatch,
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
