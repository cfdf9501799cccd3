//! A store that fails where a test says: its durable operations (every put and delete, and every file of keys) are numbered, and
//! from a given number on the disk is full, or the machine is dead, from just before that operation or from just after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::files::{Files, Room};
pub(crate) use super::memory::MemoryStore;
use super::{Entry, Expect, Listed, Revision, Store, StoreError};

/// What happens from the given operation on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Puts are refused; a delete has its reserve.
    Full,
    /// Nothing answers any more, as if the process had been killed just before that operation.
    Dead,
    /// That operation is durable, and nobody hears of it: the process was killed just after it.
    DeadAfter,
}

/// The store that survives, and how it is to fail.
pub(crate) struct Faulty {
    below: Arc<MemoryStore>,
    fault: Fault,
    /// The first operation that fails, from 1.
    at: AtomicUsize,
    done: AtomicUsize,
    died: Notify,
}

/// A store in memory that several engines use, one after the other.
pub(crate) fn memory() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::default())
}

impl Faulty {
    pub(crate) fn new(below: Arc<MemoryStore>, fault: Fault, at: usize) -> Arc<Self> {
        Arc::new(Self { below, fault, at: at.into(), done: 0.into(), died: Notify::new() })
    }

    /// How many durable operations were begun.
    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    /// Fails from the operation `number` on, counted from here.
    pub(crate) fn fail_in(&self, number: usize) {
        self.at.store(self.done() + number, Ordering::SeqCst);
    }

    /// From now on nothing fails.
    pub(crate) fn heal(&self) {
        self.at.store(usize::MAX, Ordering::SeqCst);
    }

    /// Waits until the first operation met a dead machine.
    pub(crate) async fn died(&self) {
        self.died.notified().await;
    }

    /// Does the next operation, or fails it.
    async fn durable<T>(
        &self,
        is_put: bool,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let (number, at) = (self.done.fetch_add(1, Ordering::SeqCst) + 1, self.at.load(Ordering::SeqCst));
        match self.fault {
            Fault::Full if is_put && number >= at => Err(StoreError::Full),
            Fault::Dead | Fault::DeadAfter if number >= at => {
                if self.fault == Fault::DeadAfter && number == at {
                    // What it answers, nobody hears.
                    let _ = operation.await;
                }
                self.died.notify_one();
                std::future::pending().await
            }
            _ => operation.await,
        }
    }

    /// A dead machine reads nothing either.
    async fn readable(&self) {
        if self.fault != Fault::Full && self.done() >= self.at.load(Ordering::SeqCst) {
            std::future::pending().await
        }
    }
}

#[async_trait]
impl Store for Arc<Faulty> {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.readable().await;
        self.below.get(key).await
    }

    async fn put(&self, key: &str, head: Vec<u8>, body: Vec<u8>, expect: Expect) -> Result<Revision, StoreError> {
        self.durable(true, self.below.put(key, head, body, expect)).await
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<(), StoreError> {
        self.durable(false, self.below.delete(key, expect)).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.readable().await;
        self.below.scan(prefix).await
    }
}

#[async_trait]
impl Files for Arc<Faulty> {
    async fn list(&self) -> Result<Vec<String>, StoreError> {
        self.readable().await;
        self.below.list().await
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.readable().await;
        self.below.read(name).await
    }

    async fn replace(&self, name: &str, bytes: Vec<u8>, room: Room) -> Result<(), StoreError> {
        self.durable(room == Room::Free, self.below.replace(name, bytes, room)).await
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.durable(false, self.below.remove(name)).await
    }
}
