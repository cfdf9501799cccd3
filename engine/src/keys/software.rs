//! Keys in software: aws-lc-rs, and one encrypted file that is rewritten whole. Another program may rotate, retire and destroy keys
//! in it while an engine runs: the engine takes them up with its next operation.
//!
//! What it can't promise: a copy of an older file, with its passphrase, still holds what was destroyed since. An HSM does
//! not have that gap.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use aws_lc_rs::hmac;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::{Destroyed, Duty, KeyError, KeyInfo, KeyProvider, RecordKey, Wrap, end_of, is_over, month_name};
use crate::clock::Month;
use crate::jose::{PublicKey, Refused};

mod file;
mod set;

pub use file::KeyFileError;

use file::{Cost, KeyFile, Opened, Version};
use set::{Entry, KeySet, Material, RootEntry};

const PROVIDER: &str = "software";

/// Keys in the memory of this process, and in one encrypted file or nowhere else.
pub struct SoftwareKeys {
    set: RwLock<KeySet>,
    /// None: the keys live as long as the process, and are made when first asked for.
    file: Option<KeyFile>,
    /// None without a file.
    seen: RwLock<Option<Seen>>,
    /// Whether the file was gone when it was last looked for.
    gone: AtomicBool,
    made_at: Timestamp,
    /// One change of the set at a time.
    changing: Mutex<()>,
    /// One new key for each duty, however many ask for it at once.
    making: [Mutex<()>; Duty::ALL.len()],
}

/// What is known of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// The version that the set is from.
    taken: Version,
    /// The version that was looked at last; another one than that if it did not open.
    looked_at: Version,
}

impl SoftwareKeys {
    /// Makes a key for each duty and writes them to a new file, readable by its owner only. Blocks for some seconds.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`] if there is a file: keys are never overwritten.
    pub fn generate(path: &Path, passphrase: SecretString, now: Timestamp) -> Result<Self, KeyError> {
        Self::generate_at_cost(path, passphrase, now, Cost::FULL)
    }

    fn generate_at_cost(path: &Path, passphrase: SecretString, now: Timestamp, cost: Cost) -> Result<Self, KeyError> {
        let file = KeyFile::create(path, passphrase, cost)?;
        let entries: Result<Vec<Entry>, Refused> = std::thread::scope(|threads| {
            let making = Duty::ALL.map(|duty| threads.spawn(move || Entry::generate(duty, now)));
            making.into_iter().map(|thread| thread.join().unwrap_or(Err(Refused))).collect()
        });
        let set = KeySet { entries: entries?, ..KeySet::default() };
        let version = file.write_new(&set.encode()?)?;
        Ok(Self::with(set, Some((file, version)), now))
    }

    /// Opens a file. Blocks for as long as a guess at the passphrase shall cost: about half a second.
    ///
    /// # Errors
    /// [`KeyError::File`] says what is wrong with the file.
    pub fn open(path: &Path, passphrase: SecretString, now: Timestamp) -> Result<Self, KeyError> {
        let (file, opened) = KeyFile::open(path, passphrase)?;
        let (set, version) = decoded(opened)?;
        Ok(Self::with(set, Some((file, version)), now))
    }

    /// Keys that die with the process, for demonstrations and tests. Each is made when it is first asked for.
    pub fn ephemeral(now: Timestamp) -> Self {
        Self::with(KeySet::default(), None, now)
    }

    fn with(set: KeySet, file: Option<(KeyFile, Version)>, made_at: Timestamp) -> Self {
        let making = std::array::from_fn(|_| Mutex::new(()));
        let (file, version) = file.unzip();
        let seen = version.map(|taken| Seen { taken, looked_at: taken });
        let gone = AtomicBool::new(false);
        Self { set: RwLock::new(set), file, seen: RwLock::new(seen), gone, made_at, changing: Mutex::new(()), making }
    }

    fn set(&self) -> KeySet {
        // A set is replaced whole: whoever panicked in between left the old one or the new one.
        self.set.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn seen(&self) -> Option<Seen> {
        *self.seen.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_up(&self, set: KeySet, version: Version) {
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = set;
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = Some(Seen { taken: version, looked_at: version });
    }

    /// The set as the file has it. A file that can't be read, or is not there, takes no key away from an engine that runs.
    async fn current(&self) -> KeySet {
        let Some(file) = self.file.clone() else { return self.set() };
        let unseen = |version: &Version| self.seen().is_some_and(|seen| seen.looked_at != *version);
        let version = file.version();
        self.tell_once_if_gone(&file, version.is_err());
        if !version.is_ok_and(|version| unseen(&version)) {
            return self.set();
        }
        let _one_at_a_time = self.changing.lock().await;
        let Some(version) = file.version().ok().filter(unseen) else { return self.set() };
        match blocking(move || read(&file)).await {
            Ok((set, version)) => self.take_up(set, version),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the key file has changed and does not open: the keys stay as they were"
                );
                if let Some(seen) = self.seen.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
                    seen.looked_at = version;
                }
            }
        }
        self.set()
    }

    /// The keys live on in this process alone: whoever can still do something about it must hear of it before its end.
    fn tell_once_if_gone(&self, file: &KeyFile, gone: bool) {
        let before = self.gone.swap(gone, Ordering::Relaxed);
        if gone && !before {
            tracing::error!(
                file = %file.path().display(),
                "the key file is gone or can't be looked at: put its newest copy back before this engine stops, and make no other keys"
            );
        }
    }

    /// Changes the set as the file has it: first in the file, then here.
    async fn change<T>(&self, change: impl FnOnce(&mut KeySet) -> Result<T, KeyError>) -> Result<T, KeyError> {
        let _one_at_a_time = self.changing.lock().await;
        let Some(file) = self.file.clone() else {
            let mut set = self.set();
            let result = change(&mut set)?;
            *self.set.write().unwrap_or_else(PoisonError::into_inner) = set;
            return Ok(result);
        };
        let (known, seen, held) = (self.set(), self.seen(), file.clone());
        let (held, mut set) = blocking(move || {
            let hold = held.hold()?;
            let there = held.version()?;
            let set = if seen.is_some_and(|seen| seen.taken == there) { known } else { read(&held)?.0 };
            Ok((hold, set))
        })
        .await?;
        let result = change(&mut set)?;
        let bytes = set.encode()?;
        // Whoever stops waiting for this lets nobody else at the file before it is written.
        let version = blocking(move || {
            let version = file.replace(&bytes);
            drop(held);
            Ok(version?)
        })
        .await?;
        self.take_up(set, version);
        Ok(result)
    }

    /// The newest key of a duty.
    async fn newest(&self, duty: Duty) -> Result<Entry, KeyError> {
        if let Some(entry) = self.current().await.newest(duty) {
            return Ok(entry);
        }
        if self.file.is_some() {
            return Err(KeyError::Missing(duty));
        }
        let _one_key = self.making[duty as usize].lock().await;
        if let Some(entry) = self.set().newest(duty) {
            return Ok(entry);
        }
        let made_at = self.made_at;
        let entry = blocking(move || Ok(Entry::generate(duty, made_at)?)).await?;
        let added = entry.clone();
        self.change(|set| {
            set.entries.push(added);
            Ok(())
        })
        .await?;
        Ok(entry)
    }

    async fn find(&self, duty: Duty, kid: &str) -> Result<Entry, KeyError> {
        self.current()
            .await
            .entries
            .into_iter()
            .find(|entry| entry.duty == duty && entry.kid == kid)
            .ok_or(Refused.into())
    }
}

/// Runs private operations where they do not hold up everybody's I/O.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
) -> Result<T, KeyError> {
    spawn_blocking(work).await.map_err(|lost| KeyError::Unavailable(Box::new(lost)))?
}

#[async_trait]
impl KeyProvider for SoftwareKeys {
    async fn publics(&self, duty: Duty) -> Result<Vec<PublicKey>, KeyError> {
        self.newest(duty).await?;
        let public = |entry: &Entry| match entry.material.as_ref() {
            Material::Rsa(key) => Ok(key.public().clone()),
            Material::Aes(_) => Err(KeyError::WrongDuty(duty)),
        };
        let set = self.current().await;
        set.entries
            .iter()
            .rev()
            .filter(|entry| entry.duty == duty && duty.publishes(entry.retired))
            .map(public)
            .collect()
    }

    async fn unwrap(&self, duty: Duty, kid: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let entry = self.find(duty, kid).await?;
        let wrapped = wrapped.to_vec();
        blocking(move || match entry.material.as_ref() {
            Material::Rsa(key) => Ok(key.unwrap_key(&wrapped)?),
            Material::Aes(_) => Err(KeyError::WrongDuty(duty)),
        })
        .await
    }

    async fn sign(&self, duty: Duty, kid: &str, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let entry = self.find(duty, kid).await?;
        let message = message.to_vec();
        blocking(move || match entry.material.as_ref() {
            Material::Rsa(key) => Ok(key.sign(&message)?),
            Material::Aes(_) => Err(KeyError::WrongDuty(duty)),
        })
        .await
    }

    async fn wrap_record(&self, key: &RecordKey, aad: &[u8]) -> Result<Wrap, KeyError> {
        let entry = self.newest(Duty::Storage).await?;
        let Material::Aes(storage) = entry.material.as_ref() else { return Err(KeyError::WrongDuty(entry.duty)) };
        Ok(Wrap { kid: entry.kid, bytes: storage.wrap(key, aad)? })
    }

    async fn wrap_under_root(&self, owner: &str, key: &RecordKey, aad: &[u8]) -> Result<Wrap, KeyError> {
        let root = RootEntry::generate(owner)?;
        let wrap = root.wrap(key, aad)?;
        self.change(|set| {
            set.roots.push(root);
            Ok(())
        })
        .await?;
        Ok(wrap)
    }

    async fn destroy_roots(&self, owner: &str, but: &str, now: Timestamp) -> Result<Vec<Destroyed>, KeyError> {
        if !self.current().await.roots.iter().any(|root| root.owner == owner && root.kid != but) {
            return Ok(vec![]);
        }
        let gone = self.change(|set| Ok(set.drop_roots(owner, but))).await?;
        Ok(gone.into_iter().map(|kid| destroyed(kid, now)).collect())
    }

    async fn unwrap_record(&self, wrap: &Wrap, aad: &[u8]) -> Result<RecordKey, KeyError> {
        Ok(self.current().await.unwrap(wrap, aad)?)
    }

    async fn month_hmac(&self, month: Month, data: &[u8], now: Timestamp) -> Result<[u8; 32], KeyError> {
        let name = month_name(month);
        let set = self.current().await;
        let key = set.months.get(&month);
        let is_gone = key.is_none() && set.destroyed.iter().any(|gone| gone.key == name);
        let key = match key {
            _ if is_over(month, is_gone, now) => return Err(KeyError::Destroyed(name)),
            Some(key) => key.clone(),
            None => self.change(|set| Ok(set.month(month)?)).await?,
        };
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()), data);
        tag.as_ref().try_into().map_err(|_| Refused.into())
    }

    async fn destroy_due(&self, now: Timestamp) -> Result<Vec<Destroyed>, KeyError> {
        if !self.current().await.months.keys().any(|month| now >= end_of(*month)) {
            return Ok(vec![]);
        }
        self.change(|set| {
            let due: Vec<Month> = set.months.keys().copied().filter(|month| now >= end_of(*month)).collect();
            set.months.retain(|month, _| !due.contains(month));
            let gone: Vec<_> = due.into_iter().map(|month| destroyed(month_name(month), now)).collect();
            set.destroyed.extend(gone.iter().cloned());
            Ok(gone)
        })
        .await
    }

    async fn list(&self) -> Result<Vec<KeyInfo>, KeyError> {
        let set = self.current().await;
        Ok(set.entries.iter().map(|entry| set.info(entry)).collect())
    }

    async fn rotate(&self, duty: Duty, now: Timestamp) -> Result<KeyInfo, KeyError> {
        let entry = blocking(move || Ok(Entry::generate(duty, now)?)).await?;
        self.change(|set| {
            set.entries.push(entry.clone());
            Ok(set.info(&entry))
        })
        .await
    }

    async fn retire(&self, kid: &str) -> Result<KeyInfo, KeyError> {
        self.change(|set| {
            let at = set.dispensable(kid)?;
            set.entries[at].retired = true;
            Ok(set.info(&set.entries[at]))
        })
        .await
    }

    async fn destroy(&self, kid: &str, now: Timestamp) -> Result<Destroyed, KeyError> {
        self.change(|set| {
            let at = set.dispensable(kid)?;
            set.entries.remove(at);
            let gone = destroyed(kid.to_owned(), now);
            set.destroyed.push(gone.clone());
            Ok(gone)
        })
        .await
    }
}

/// The set that a file holds. Blocks.
fn read(file: &KeyFile) -> Result<(KeySet, Version), KeyError> {
    decoded(file.read()?)
}

fn decoded(Opened { bytes, version }: Opened) -> Result<(KeySet, Version), KeyError> {
    let set = KeySet::decode(&bytes).ok_or(KeyFileError::Damaged)?;
    Ok((set, version))
}

fn destroyed(key: String, at: Timestamp) -> Destroyed {
    Destroyed { key, at, provider: PROVIDER.to_owned() }
}

impl std::fmt::Debug for SoftwareKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let set = self.set();
        let kids: Vec<_> = set.entries.iter().map(|entry| format!("{} {}", entry.duty, entry.kid)).collect();
        f.debug_struct("SoftwareKeys")
            .field("keys", &kids)
            .field("months", &set.months.keys().collect::<Vec<_>>())
            .field("file", &self.file.as_ref().map(KeyFile::path))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
