//! Looks at every write, so that whoever asks is told when the store takes none. It changes nothing about them.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{Entry, Expect, Listed, Revision, Store, StoreError};

/// Where a write is tried that nobody needs. No row has this name, so no record stands here.
const PROBE: &str = "probe";

/// A store, and how its last write went.
pub(super) struct Watched {
    below: Box<dyn Store>,
    refuses: Mutex<Option<Refuses>>,
}

/// Why nothing is written.
#[derive(Debug, Clone, Copy)]
enum Refuses {
    Full,
    Fails,
}

impl Watched {
    pub(super) fn new(below: Box<dyn Store>) -> Self {
        Self { below, refuses: Mutex::default() }
    }

    /// How the last write went.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match *self.refuses.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(Refuses::Full) => Err(StoreError::Full),
            Some(Refuses::Fails) => Err(StoreError::Io(std::io::Error::other("the last write failed"))),
        }
    }

    /// Writes something and deletes it.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        self.put(PROBE, vec![], vec![], Expect::Any).await?;
        self.delete(PROBE, Expect::Any).await
    }

    /// Takes note of a key that could not be had, which is as good as a write that failed.
    pub(super) fn note_failure(&self, error: StoreError) -> StoreError {
        match self.note::<()>(Err(error)) {
            Err(error) => error,
            Ok(()) => StoreError::Interrupted,
        }
    }

    fn note<T>(&self, written: Result<T, StoreError>) -> Result<T, StoreError> {
        let refuses = match &written {
            Ok(_) => None,
            Err(StoreError::Full) => Some(Refuses::Full),
            Err(StoreError::Io(_) | StoreError::Interrupted) => Some(Refuses::Fails),
            // It was refused for what it is, and says nothing about the next one.
            Err(_) => return written,
        };
        *self.refuses.lock().unwrap_or_else(PoisonError::into_inner) = refuses;
        written
    }
}

#[async_trait]
impl Store for Watched {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.below.get(key).await
    }

    async fn put(&self, key: &str, head: Vec<u8>, body: Vec<u8>, expect: Expect) -> Result<Revision, StoreError> {
        self.note(self.below.put(key, head, body, expect).await)
    }

    /// Deleting needs next to no room, so it tells nothing about the next write.
    async fn delete(&self, key: &str, expect: Expect) -> Result<(), StoreError> {
        self.below.delete(key, expect).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.below.scan(prefix).await
    }
}
