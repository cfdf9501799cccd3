//! Where the keys of records are. A record names its key; the key's wrap stands here, under the same deadline, and is
//! dropped first when the record goes: what is left in between opens for nobody. Nothing else in the engine knows where wraps are kept.

use std::collections::BTreeMap;
use std::fmt;

use rand::CryptoRng;
use serde::{Deserialize, Serialize};

use super::head::Head;
use super::{Expect, Store, StoreError};
use crate::keys::{KeyError, KeyProvider, RecordKey, Wrap};
use crate::seal::joined;

/// No row has this name, so no record stands here.
const NAMESPACE: &str = "wraps";

/// Names the key of one record. Random: no two records ever share a key.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct KeyName(#[serde(with = "hex::serde")] [u8; 16]);

/// The wraps of a store.
pub(super) struct Wraps<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) keys: &'a dyn KeyProvider,
}

impl KeyName {
    pub(super) fn new(rng: &mut dyn CryptoRng) -> Self {
        let mut name = [0; 16];
        rng.fill_bytes(&mut name);
        Self(name)
    }

    fn key(self) -> String {
        format!("{NAMESPACE}/{}", hex::encode(self.0))
    }
}

impl Wraps<'_> {
    /// Keeps the key of a record that is about to be written.
    pub(super) async fn keep(&self, name: KeyName, key: &RecordKey, record: &str) -> Result<(), StoreError> {
        let wrap = self.keys.wrap_record(key, &aad(name, record)).await?;
        let bytes = serde_json::to_vec(&wrap).map_err(|_| StoreError::Damaged { namespace: NAMESPACE })?;
        self.store.put(&name.key(), record.as_bytes().to_vec(), bytes, Expect::Absent).await.map(drop)
    }

    /// The key of a record; none when it was dropped: then the record is gone.
    pub(super) async fn key(&self, name: KeyName, record: &str) -> Result<Option<RecordKey>, StoreError> {
        let Some(entry) = self.store.get(&name.key()).await? else { return Ok(None) };
        let damaged = || StoreError::Damaged { namespace: NAMESPACE };
        let wrap: Wrap = serde_json::from_slice(&entry.body).map_err(|_| damaged())?;
        match self.keys.unwrap_record(&wrap, &aad(name, record)).await {
            Ok(key) => Ok(Some(key)),
            Err(KeyError::Refused(_)) => Err(damaged()),
            Err(other) => Err(other.into()),
        }
    }

    /// Drops the key of a record. To drop it again changes nothing.
    pub(super) async fn drop_key(&self, name: KeyName) -> Result<(), StoreError> {
        self.store.delete(&name.key(), Expect::Any).await
    }

    /// Drops the keys that no record names: a crash between two writes left them. Not while others write.
    pub(super) async fn drop_orphans(&self) -> Result<usize, StoreError> {
        let mut dropped = 0;
        let heads: BTreeMap<_, _> = self.store.scan("").await?.into_iter().map(|(key, head, _)| (key, head)).collect();
        for (key, record) in heads.iter().filter(|(key, _)| key.starts_with(NAMESPACE)) {
            let head = std::str::from_utf8(record).ok().and_then(|record| heads.get(record));
            let used = head.and_then(|head| Head::read(head)).is_some_and(|head| head.key.key() == *key);
            if !used {
                self.store.delete(key, Expect::Any).await?;
                dropped += 1;
            }
        }
        Ok(dropped)
    }
}

fn aad(name: KeyName, record: &str) -> Vec<u8> {
    joined(&[b"wrap", &name.0, record.as_bytes()])
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
