//! What shows that sled lost no record. It leaves out what fails its checksum, and all that was written after it, without a word; so each
//! write also writes a sum over which records there are, and how many writes there were, in the same batch. A record that is not there any
//! more, or is there again, is missing in the sum or too much of it. How many writes there were stands in a file of its own, too: it says
//! when the end is missing. That file is written after the others are synced, and not synced itself, so that a loss of power leaves it
//! behind and never ahead. Against damage, not against anybody who can write the files: records are bound to their keys elsewhere.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::store::Revision;

/// Where it stands in the store. The key of a head begins with an `h`, that of a chunk with a `b`.
pub(super) const TALLY: &[u8] = b"t";
/// The file's name.
const WRITTEN: &str = "written";
const SUM_BYTES: usize = 16;
const COUNT_BYTES: usize = 8;

/// A sum over records, in any order, and how many writes led to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    sum: [u8; SUM_BYTES],
    writes: u64,
}

/// The file that says how many writes there were.
pub(super) struct Written(File);

impl Tally {
    /// What stands in the store.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (sum, writes) = bytes.split_first_chunk()?;
        Some(Self { sum: *sum, writes: u64::from_be_bytes(writes.try_into().ok()?) })
    }

    /// After one more write.
    pub(super) fn next(self) -> Self {
        Self { writes: self.writes + 1, ..self }
    }

    /// With this record, or without it where it was in the sum.
    pub(super) fn turned(mut self, key: &str, revision: Revision) -> Self {
        let digest = Sha256::new().chain_update(revision.0.to_be_bytes()).chain_update(key).finalize();
        self.sum.iter_mut().zip(digest).for_each(|(byte, other)| *byte ^= other);
        self
    }

    /// That of these records, after as many writes as this one knows of.
    pub(super) fn of<'a>(self, records: impl Iterator<Item = (&'a str, Revision)>) -> Self {
        let none = Self { writes: self.writes, ..Self::default() };
        records.fold(none, |tally, (key, revision)| tally.turned(key, revision))
    }

    pub(super) fn bytes(self) -> [u8; SUM_BYTES + COUNT_BYTES] {
        let mut bytes = [0; SUM_BYTES + COUNT_BYTES];
        bytes[..SUM_BYTES].copy_from_slice(&self.sum);
        bytes[SUM_BYTES..].copy_from_slice(&self.writes.to_be_bytes());
        bytes
    }
}

impl Written {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let mut how = OpenOptions::new();
        how.read(true).write(true).create(true).truncate(false).mode(0o600);
        how.open(folder.join(WRITTEN)).map(Self)
    }

    /// Whether there were writes that led to no sum known here, or to a later one.
    pub(super) fn is_beyond(&self, known: Option<Tally>) -> io::Result<bool> {
        let mut writes = [0; COUNT_BYTES];
        match self.0.read_exact_at(&mut writes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            read => read.map(|()| u64::from_be_bytes(writes) > known.unwrap_or_default().writes),
        }
    }

    pub(super) fn note(&self, tally: Tally) -> io::Result<()> {
        self.0.write_all_at(&tally.writes.to_be_bytes(), 0)
    }
}
