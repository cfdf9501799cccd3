//! A store in memory, for tests and for demonstrations that shall leave nothing behind. Durable as long as the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::files::{Files, Room};
use super::{Entry, Expect, Listed, Revision, Store, StoreError};

#[derive(Default)]
pub(crate) struct MemoryStore(Mutex<Records>);

#[derive(Default, Clone)]
struct Records {
    entries: BTreeMap<String, Entry>,
    last: u64,
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryStore {
    fn records(&self) -> MutexGuard<'_, Records> {
        // Each change below is a single call on the map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl MemoryStore {
    pub(crate) fn copy(&self) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self(Mutex::new(self.records().clone())))
    }
}

impl Records {
    fn check(&self, key: &str, expect: Expect) -> Result<(), StoreError> {
        let current = self.entries.get(key).map(|entry| entry.revision);
        if expect.met_by(current) { Ok(()) } else { Err(StoreError::Conflict) }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        Ok(self.records().entries.get(key).cloned())
    }

    async fn put(&self, key: &str, head: Vec<u8>, body: Vec<u8>, expect: Expect) -> Result<Revision, StoreError> {
        let mut records = self.records();
        records.check(key, expect)?;
        records.last += 1;
        let revision = Revision(records.last);
        records.entries.insert(key.to_owned(), Entry { head, body, revision });
        Ok(revision)
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<(), StoreError> {
        let mut records = self.records();
        records.check(key, expect)?;
        records.entries.remove(key);
        Ok(())
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let records = self.records();
        let matching = records.entries.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        Ok(matching.map(|(key, entry)| (key.clone(), entry.head.clone(), entry.revision)).collect())
    }
}

#[async_trait]
impl Files for MemoryStore {
    async fn list(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.records().files.keys().cloned().collect())
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.records().files.get(name).cloned())
    }

    async fn replace(&self, name: &str, bytes: Vec<u8>, _: Room) -> Result<(), StoreError> {
        self.records().files.insert(name.to_owned(), bytes);
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.records().files.remove(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::conformance;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn memory_keeps_the_promises_of_a_store() {
        conformance::all(|| async { Arc::new(MemoryStore::default()) as Arc<dyn Store> }).await;
    }
}
