//! What shows that a store and its key tables belong together, and that neither is older than the other.
//!
//! The store holds a name and a count, the file of root keys holds the same, and besides how late it is. Every minute, and at every
//! start, the count goes up by one: in the store first, and then beside the roots. So after whatever crash, the store's is the same or
//! one more. A smaller one is a store that was put back from before, a larger one are tables that were; another name is another
//! store, and none is an empty one, or a disk that is not there. None of these is taken for an erasure by itself.

use rand::CryptoRng;

use super::time::{Late, Time};

/// Where it stands in the store. No row has this name.
pub(super) const MARK: &str = "mark";
const NAME_BYTES: usize = 16;
pub(super) const MARK_BYTES: usize = NAME_BYTES + 8 + 16 + 16;

/// What the key tables know of their store, and of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    store: [u8; NAME_BYTES],
    count: u64,
    pub(super) time: Time,
}

/// Whether store and key tables must be those that belong together, or somebody says that what is there is all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Must,
    Accepted,
}

/// How a store does not fit the key tables beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// There is nothing, or nothing of ours.
    Missing,
    /// It is the store of other key tables.
    Another,
    /// It was put back from a copy.
    Older,
    /// The key tables were put back from a copy.
    Newer,
}

impl Mark {
    /// Of a store to come.
    pub(super) fn fresh(rng: &mut dyn CryptoRng) -> Self {
        let mut store = [0; NAME_BYTES];
        rng.fill_bytes(&mut store);
        Self { store, count: 0, time: Time::default() }
    }

    /// Reads what [`Self::bytes`] wrote.
    pub(super) fn read(bytes: &[u8; MARK_BYTES]) -> Self {
        let number = |at: usize| {
            let mut number = [0; 16];
            number.copy_from_slice(&bytes[at..at + 16]);
            number
        };
        let mut count = [0; 8];
        count.copy_from_slice(&bytes[NAME_BYTES..NAME_BYTES + 8]);
        let time =
            Time { seen: Late::read(number(NAME_BYTES + 8)), back: i128::from_be_bytes(number(NAME_BYTES + 24)) };
        Self { store: number(0), count: u64::from_be_bytes(count), time }
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        let Self { store, count, time: Time { seen, back } } = self;
        [&store[..], &count.to_be_bytes(), &seen.bytes(), &back.to_be_bytes()].concat()
    }

    /// What the store holds of it.
    pub(super) fn in_store(self) -> Vec<u8> {
        [&self.store[..], &self.count.to_be_bytes()].concat()
    }

    /// The next one, at this time.
    pub(super) fn next(self, time: Time) -> Self {
        Self { count: self.count + 1, time, ..self }
    }

    /// The same one, at this time.
    pub(super) fn at(self, time: Time) -> Self {
        Self { time, ..self }
    }

    /// The same one, for a store that has one already.
    pub(super) fn beside(self, held: Option<&[u8]>) -> Self {
        let Some((store, count)) = held.and_then(parts) else { return self };
        Self { store, count: self.count.max(count), ..self }
    }

    /// Whether the store that holds this is the one.
    pub(super) fn fits(self, held: Option<&[u8]>) -> Result<(), Mismatch> {
        match held.and_then(parts) {
            None => Err(Mismatch::Missing),
            Some((store, _)) if store != self.store => Err(Mismatch::Another),
            Some((_, count)) if count < self.count => Err(Mismatch::Older),
            Some((_, count)) if count > self.count + 1 => Err(Mismatch::Newer),
            Some(_) => Ok(()),
        }
    }

    /// Whose roots of the key provider are ours.
    pub(super) fn owner(self) -> String {
        hex::encode(self.store)
    }
}

fn parts(held: &[u8]) -> Option<([u8; NAME_BYTES], u64)> {
    let (store, count) = held.split_first_chunk()?;
    Some((*store, u64::from_be_bytes(count.try_into().ok()?)))
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is none",
            Self::Another => "that one is another",
            Self::Older => "that one is older than they are",
            Self::Newer => "they are older than that one",
        })
    }
}
