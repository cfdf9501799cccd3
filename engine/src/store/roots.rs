//! Root keys in a file: all of them in one, sealed under the provider's storage key, rewritten whole with each change, in one
//! generation only. What it can't promise: a copy that somebody took of this file before a change still holds what was destroyed
//! by it, for whoever also holds the provider's key.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::StoreError;
use super::files::{Files, Room};
use crate::entropy::Entropy;
use crate::jose::Refused;
use crate::keys::{Destroyed, Duty, KeyError, KeyProvider, KeyState, RecordKey, Root, RootKeys, Wrap};
use crate::seal::{joined, open_bytes, seal_bytes};

/// The file's name.
pub(super) const ROOTS: &str = "roots";
const FORMAT: u8 = 1;
const PROVIDER: &str = "roots-file";

/// Root keys in a file.
pub(super) struct FileRoots {
    files: Arc<dyn Files>,
    keys: Arc<dyn KeyProvider>,
    entropy: Arc<Entropy>,
    held: Mutex<BTreeMap<Root, RecordKey>>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
}

/// The first line of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    v: u8,
    /// The key of the rest, under the storage key.
    wrap: Wrap,
}

impl FileRoots {
    /// Without any. The file is not looked at.
    pub(super) fn fresh(files: Arc<dyn Files>, keys: Arc<dyn KeyProvider>, entropy: Arc<Entropy>) -> Self {
        Self { files, keys, entropy, held: Mutex::default(), changing: tokio::sync::Mutex::default() }
    }

    /// With those of the file. One that stands under an older storage key is written anew.
    pub(super) async fn open(
        files: Arc<dyn Files>,
        keys: Arc<dyn KeyProvider>,
        entropy: Arc<Entropy>,
    ) -> Result<Self, StoreError> {
        let this = Self::fresh(files, keys, entropy);
        if let Some(bytes) = this.files.read(ROOTS).await? {
            let (held, kid) = this.decode(&bytes).await?;
            let newest = |key: &crate::keys::KeyInfo| key.duty == Duty::Storage && key.state == KeyState::Current;
            let current = this.keys.list().await?.into_iter().find(newest);
            let is_old = current.is_some_and(|current| current.kid != kid);
            if is_old {
                this.write(&held).await?;
            }
            *this.held() = held;
        }
        Ok(this)
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Root, RecordKey>> {
        // It is replaced as a whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, roots: &BTreeMap<Root, RecordKey>) -> Result<(), StoreError> {
        let key = self.entropy.with(|rng| RecordKey::generate(rng));
        let header = Header { v: FORMAT, wrap: self.keys.wrap_record(&key, b"roots").await? };
        let body = encode(roots);
        let bytes = self.entropy.with(|rng| envelope(&header, b"roots", body, &key, rng))?;
        self.files.replace(ROOTS, bytes, Room::Reserve).await
    }

    async fn decode(&self, bytes: &[u8]) -> Result<(BTreeMap<Root, RecordKey>, String), StoreError> {
        let damaged = || StoreError::Table { table: ROOTS.to_owned() };
        let (header, sealed) = split(bytes).ok_or_else(damaged)?;
        let read: Header = serde_json::from_slice(header).map_err(|_| damaged())?;
        let key = match self.keys.unwrap_record(&read.wrap, b"roots").await {
            Err(KeyError::Refused(_)) => return Err(damaged()),
            key => key?,
        };
        let body = open_bytes(sealed, &joined(&[b"roots", header]), &key).map_err(|_| damaged())?;
        Ok((roots_of(&body).ok_or_else(damaged)?, read.wrap.kid))
    }

    fn root(&self, root: &Root) -> Result<RecordKey, KeyError> {
        Ok(self.held().get(root).ok_or(Refused)?.again())
    }
}

#[async_trait]
impl RootKeys for FileRoots {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    async fn list(&self) -> Result<Vec<Root>, KeyError> {
        Ok(self.held().keys().cloned().collect())
    }

    async fn change(&self, make: &[Root], destroy: &[Root], now: Timestamp) -> Result<Vec<Destroyed>, KeyError> {
        let _one_at_a_time = self.changing.lock().await;
        let mut roots: BTreeMap<Root, RecordKey> =
            self.held().iter().map(|(root, key)| (root.clone(), key.again())).collect();
        for root in make {
            let new = || self.entropy.with(|rng| RecordKey::generate(rng));
            roots.entry(root.clone()).or_insert_with(new);
        }
        let gone = destroy.iter().filter(|root| roots.remove(root).is_some());
        let gone: Vec<_> =
            gone.map(|root| Destroyed { key: root.to_string(), at: now, provider: PROVIDER.to_owned() }).collect();
        self.write(&roots).await.map_err(|error| KeyError::Unavailable(Box::new(error)))?;
        *self.held() = roots;
        Ok(gone)
    }

    async fn wrap(&self, root: &Root, key: &RecordKey, aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        let plain = Zeroizing::new(key.danger_bytes().to_vec());
        let root = self.root(root)?;
        Ok(self.entropy.with(|rng| seal_bytes(plain, aad, &root, rng))?)
    }

    async fn unwrap(&self, root: &Root, wrapped: &[u8], aad: &[u8]) -> Result<RecordKey, KeyError> {
        let plain = open_bytes(wrapped, aad, &self.root(root)?)?;
        let bytes: [u8; 32] = plain.as_slice().try_into().map_err(|_| Refused)?;
        Ok(RecordKey::from_bytes(Zeroizing::new(bytes)))
    }
}

/// A file of ours: a line in clear, and a sealed body that is bound to it.
pub(super) fn envelope(
    header: &impl Serialize,
    kind: &[u8],
    body: Zeroizing<Vec<u8>>,
    key: &RecordKey,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, KeyError> {
    let mut bytes = serde_json::to_vec(header).map_err(|_| Refused)?;
    let sealed = seal_bytes(body, &joined(&[kind, &bytes]), key, rng)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(&sealed);
    Ok(bytes)
}

/// The line, and what is sealed.
pub(super) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

fn encode(roots: &BTreeMap<Root, RecordKey>) -> Zeroizing<Vec<u8>> {
    let length = roots.keys().map(|root| 1 + root.table.len() + 8 + 32).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    for (root, key) in roots {
        // A table's name is short.
        bytes.push(u8::try_from(root.table.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(root.table.as_bytes());
        bytes.extend_from_slice(&root.generation.to_be_bytes());
        bytes.extend_from_slice(key.danger_bytes());
    }
    bytes
}

fn roots_of(mut bytes: &[u8]) -> Option<BTreeMap<Root, RecordKey>> {
    let mut roots = BTreeMap::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (table, rest) = rest.split_at_checked(usize::from(*length))?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk::<32>()?;
        let table = std::str::from_utf8(table).ok()?.to_owned();
        let root = Root { table, generation: u64::from_be_bytes(*generation) };
        roots.insert(root, RecordKey::from_bytes(Zeroizing::new(*key)));
        bytes = rest;
    }
    Some(roots)
}
