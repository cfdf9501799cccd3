//! The set of keys: what the key file holds, and the operations of a storage key.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Destroyed, Duty, KeyError, KeyInfo, RecordKey, Wrap};
use crate::clock::Month;
use crate::jose::{PrivateKey, Refused};
use crate::keys::KeyState;

const FORMAT: u8 = 1;

/// All keys. Cloning it clones references.
#[derive(Clone, Default)]
pub(super) struct KeySet {
    /// In the order they were made.
    pub(super) entries: Vec<Entry>,
    pub(super) months: BTreeMap<Month, Arc<Secret>>,
    pub(super) roots: Vec<RootEntry>,
    pub(super) destroyed: Vec<Destroyed>,
}

type Secret = Zeroizing<[u8; 32]>;

/// One key of a duty.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) duty: Duty,
    pub(super) kid: String,
    made_at: Timestamp,
    /// Opens, and is published no more.
    pub(super) retired: bool,
    pub(super) material: Arc<Material>,
}

/// A root of somebody's.
#[derive(Clone)]
pub(super) struct RootEntry {
    pub(super) owner: String,
    pub(super) kid: String,
    key: Arc<StorageKey>,
}

pub(super) enum Material {
    Rsa(PrivateKey),
    Aes(StorageKey),
}

/// Wraps the keys of records.
pub(super) struct StorageKey(Secret);

impl KeySet {
    pub(super) fn newest(&self, duty: Duty) -> Option<Entry> {
        self.entries.iter().rfind(|entry| entry.duty == duty).cloned()
    }

    pub(super) fn info(&self, entry: &Entry) -> KeyInfo {
        let state = match self.newest(entry.duty) {
            Some(newest) if newest.kid == entry.kid => KeyState::Current,
            _ if entry.retired => KeyState::Retired,
            _ => KeyState::Previous,
        };
        KeyInfo { kid: entry.kid.clone(), duty: entry.duty, made_at: entry.made_at, state }
    }

    /// A key that may go: the current one of a duty may not.
    pub(super) fn dispensable(&self, kid: &str) -> Result<usize, KeyError> {
        let at = self.entries.iter().position(|entry| entry.kid == kid);
        let at = at.ok_or_else(|| KeyError::Unknown(kid.to_owned()))?;
        match self.info(&self.entries[at]).state {
            KeyState::Current => Err(KeyError::Current(kid.to_owned())),
            _ => Ok(at),
        }
    }

    /// The key of a month, made when it is not there.
    pub(super) fn month(&mut self, month: Month) -> Result<Arc<Secret>, Refused> {
        if let Some(key) = self.months.get(&month) {
            return Ok(key.clone());
        }
        let key = Arc::new(random()?);
        self.months.insert(month, key.clone());
        Ok(key)
    }

    /// What a wrap of this name stands under: a storage key, or a root.
    pub(super) fn unwrap(&self, wrap: &Wrap, aad: &[u8]) -> Result<RecordKey, Refused> {
        let storage =
            self.entries.iter().filter(|entry| entry.kid == wrap.kid).find_map(|entry| match &*entry.material {
                Material::Aes(key) => Some(key),
                Material::Rsa(_) => None,
            });
        let root = || self.roots.iter().find(|root| root.kid == wrap.kid).map(|root| &*root.key);
        storage.or_else(root).ok_or(Refused)?.unwrap(&wrap.bytes, aad)
    }

    /// Takes away all roots of an owner but one, if that one is there. Names them.
    pub(super) fn drop_roots(&mut self, owner: &str, but: &str) -> Vec<String> {
        let is_other = |root: &RootEntry| root.owner == owner && root.kid != but;
        if !self.roots.iter().any(|root| root.owner == owner && root.kid == but) {
            return vec![];
        }
        let (gone, kept) = std::mem::take(&mut self.roots).into_iter().partition(is_other);
        self.roots = kept;
        Vec::into_iter(gone).map(|root: RootEntry| root.kid).collect()
    }

    /// Writes the set down. The buffer holds every secret in clear, and is wiped.
    pub(super) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let keys = self.entries.iter().map(Entry::row).collect();
        let months = self.months.iter().map(|(month, key)| MonthRow { month: *month, secret: text(key.as_slice()) });
        let roots = self.roots.iter().map(RootEntry::row).collect();
        let rows = Rows { format: FORMAT, keys, months: months.collect(), roots, destroyed: self.destroyed.clone() };
        // A vector that grows leaves copies of what it held; this one is large enough from the start.
        let capacity =
            4096 + rows.keys.len() * 8192 + (rows.months.len() + rows.roots.len() + rows.destroyed.len()) * 256;
        let mut buffer = Zeroizing::new(Vec::with_capacity(capacity));
        serde_json::to_writer(&mut *buffer, &rows).map_err(|_| Refused)?;
        Ok(buffer)
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        // The error of `serde_json` may quote what it read: it goes no further.
        let rows: Rows = serde_json::from_slice(bytes).ok()?;
        if rows.format != FORMAT {
            return None;
        }
        let mut set = Self { destroyed: rows.destroyed, ..Self::default() };
        for row in rows.keys {
            set.entries.push(Entry::read(row)?);
        }
        for row in rows.months {
            set.months.insert(row.month, Arc::new(fixed(&bytes_of(&row.secret)?)?));
        }
        for RootRow { owner, kid, secret } in rows.roots {
            set.roots.push(RootEntry { owner, kid, key: Arc::new(StorageKey(fixed(&bytes_of(&secret)?)?)) });
        }
        Some(set)
    }
}

impl Entry {
    pub(super) fn generate(duty: Duty, made_at: Timestamp) -> Result<Self, Refused> {
        let material = match duty.algorithm() {
            Some(algorithm) => Material::Rsa(PrivateKey::generate(algorithm)?),
            None => Material::Aes(StorageKey(random()?)),
        };
        let kid = match &material {
            Material::Rsa(key) => key.public().kid().to_owned(),
            // A thumbprint of a symmetric key would be a hash of a secret: a random name instead.
            Material::Aes(_) => name()?,
        };
        Ok(Self { duty, kid, made_at, retired: false, material: Arc::new(material) })
    }

    fn read(row: KeyRow) -> Option<Self> {
        let secret = bytes_of(&row.secret)?;
        let material = match row.duty.algorithm() {
            Some(algorithm) => Material::Rsa(PrivateKey::from_pkcs8(algorithm, &secret).ok()?),
            None => Material::Aes(StorageKey(fixed(&secret)?)),
        };
        let KeyRow { duty, kid, made_at, retired, .. } = row;
        Some(Self { duty, kid, made_at, retired, material: Arc::new(material) })
    }

    fn row(&self) -> KeyRow {
        let secret = match self.material.as_ref() {
            Material::Rsa(key) => text(&key.danger_to_pkcs8()),
            Material::Aes(key) => text(key.0.as_slice()),
        };
        KeyRow { duty: self.duty, kid: self.kid.clone(), made_at: self.made_at, retired: self.retired, secret }
    }

    #[cfg(test)]
    pub(super) fn published(duty: Duty, made_at: Timestamp) -> Self {
        let Some(algorithm) = duty.algorithm() else { return Self::generate(duty, made_at).unwrap() };
        let key = crate::jose::tests::published_key(algorithm);
        let kid = key.public().kid().to_owned();
        Self { duty, kid, made_at, retired: false, material: Arc::new(Material::Rsa(key)) }
    }
}

impl RootEntry {
    pub(super) fn generate(owner: &str) -> Result<Self, Refused> {
        Ok(Self { owner: owner.to_owned(), kid: name()?, key: Arc::new(StorageKey(random()?)) })
    }

    pub(super) fn wrap(&self, key: &RecordKey, aad: &[u8]) -> Result<Wrap, Refused> {
        Ok(Wrap { kid: self.kid.clone(), bytes: self.key.wrap(key, aad)? })
    }

    fn row(&self) -> RootRow {
        RootRow { owner: self.owner.clone(), kid: self.kid.clone(), secret: text(self.key.0.as_slice()) }
    }
}

impl StorageKey {
    /// Wraps a record's key: nonce, ciphertext, tag. Nonces are random; a storage key must be rotated long before 2^32.
    pub(super) fn wrap(&self, key: &RecordKey, aad: &[u8]) -> Result<Vec<u8>, Refused> {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| Refused)?;
        let mut sealed = Zeroizing::new(key.danger_bytes().to_vec());
        let tag = self
            .cipher()?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)
            .map_err(|_| Refused)?;
        Ok([&nonce[..], &sealed, tag.as_ref()].concat())
    }

    pub(super) fn unwrap(&self, wrapped: &[u8], aad: &[u8]) -> Result<RecordKey, Refused> {
        let (nonce, sealed) = wrapped.split_at_checked(NONCE_LEN).ok_or(Refused)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Refused)?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let key = self.cipher()?.open_in_place(nonce, Aad::from(aad), &mut buffer).map_err(|_| Refused)?;
        fixed(key).map(RecordKey::from_bytes).ok_or(Refused)
    }

    fn cipher(&self) -> Result<LessSafeKey, Refused> {
        UnboundKey::new(&AES_256_GCM, self.0.as_slice()).map(LessSafeKey::new).map_err(|_| Refused)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    format: u8,
    keys: Vec<KeyRow>,
    months: Vec<MonthRow>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roots: Vec<RootRow>,
    destroyed: Vec<Destroyed>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRow {
    duty: Duty,
    kid: String,
    made_at: Timestamp,
    #[serde(default)]
    retired: bool,
    /// PKCS#8 DER, or the 32 bytes of a storage key.
    secret: Zeroizing<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MonthRow {
    month: Month,
    secret: Zeroizing<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RootRow {
    owner: String,
    kid: String,
    secret: Zeroizing<String>,
}

/// A random name.
fn name() -> Result<String, Refused> {
    Ok(URL_SAFE_NO_PAD.encode(&random()?[..16]))
}

fn random() -> Result<Secret, Refused> {
    let mut secret = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(secret.as_mut_slice()).map_err(|_| Refused)?;
    Ok(secret)
}

fn text(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes))
}

fn bytes_of(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    URL_SAFE_NO_PAD.decode(text).ok().map(Zeroizing::new)
}

fn fixed(bytes: &[u8]) -> Option<Secret> {
    let mut secret = Zeroizing::new([0; 32]);
    (bytes.len() == secret.len()).then(|| secret.copy_from_slice(bytes))?;
    Some(secret)
}
