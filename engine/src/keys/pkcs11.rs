//! Keys in an HSM, by PKCS#11: they are made in the token, used in it, and never come out of it. Another program may rotate, retire
//! and destroy keys on the token while an engine runs: the engine takes them up within a second.
//!
//! The token opens (RSA-OAEP-256), signs (RSA-PSS) and derives (HMAC-SHA-256); nothing else is asked of it, so that most tokens will
//! do. Whether this one does all three is tried at the start. A token that goes away takes no other part of the engine with it: what
//! needs it fails as the platform's failure, and reaching it is tried again with the next operation.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::{Destroyed, Duty, KeyError, KeyInfo, KeyProvider, RecordKey, Wrap};
use crate::clock::Month;
use crate::jose::PublicKey;

mod holder;
mod objects;
mod token;

pub use token::{Settings, TokenError};

use holder::Holder;

/// Operations at once. Others wait.
const AT_ONCE: usize = 16;
/// Longest wait for an operation, the wait for its turn included.
const OPERATION: Duration = Duration::from_secs(10);
/// Longest wait for a token to be found, to log in and to try a key of each duty.
const OPENING: Duration = Duration::from_secs(60);
/// Longest wait for a new key: a token may look for its primes for long.
const GENERATION: Duration = Duration::from_secs(120);

/// Keys on a token.
pub struct TokenKeys {
    holder: Arc<Holder>,
    turns: Arc<Semaphore>,
}

impl TokenKeys {
    /// Makes a key for each duty that has none, and tries them. Blocks for as long as the token takes.
    ///
    /// # Errors
    /// [`TokenError::Exists`] if no duty is without, [`TokenError::Lacks`] if the token can't do what it is needed for: then nothing
    /// is left on it.
    pub fn generate(settings: Settings, now: Timestamp) -> Result<Self, KeyError> {
        let holder = Holder::open(settings)?;
        let there = holder.catalogue()?;
        let missing = Duty::ALL.into_iter().filter(|duty| there.newest(*duty).is_none());
        let missing: Vec<_> = missing.collect();
        if missing.is_empty() {
            return Err(TokenError::Exists.into());
        }
        let mut made = vec![];
        for duty in missing {
            made.push(holder.make(duty, now)?);
            // Each duty right after its key: a token that can't do one thing is told before more keys are made on it.
            if let Err(lacks) = holder.try_duty(duty) {
                for key in made {
                    holder.change(|session, catalogue| match catalogue.key(key.duty, &key.kid) {
                        Some(key) => objects::destroy(session, catalogue, key),
                        None => Ok(()),
                    })?;
                }
                return Err(lacks);
            }
        }
        if there.over.is_none() {
            holder.change(|session, _| objects::note_over(session, None))?;
        }
        Ok(Self::with(holder))
    }

    /// Opens the token, and tries the current key of each duty. Blocks, for a minute at most.
    ///
    /// # Errors
    /// [`KeyError::Token`] says what is wrong with the token.
    pub fn open(settings: Settings) -> Result<Self, KeyError> {
        Self::open_within(OPENING, settings)
    }

    fn open_within(most: Duration, settings: Settings) -> Result<Self, KeyError> {
        let (told, opened) = mpsc::sync_channel(1);
        // A call into a token's module can't be called back: where it hangs, so does its thread.
        std::thread::spawn(move || told.send(Self::open_now(settings)));
        opened.recv_timeout(most).unwrap_or_else(|_| Err(TokenError::Slow.into()))
    }

    fn open_now(settings: Settings) -> Result<Self, KeyError> {
        let holder = Holder::open(settings)?;
        for duty in Duty::ALL {
            match holder.try_duty(duty) {
                Err(KeyError::Missing(_)) => {}
                tried => tried?,
            }
        }
        Ok(Self::with(holder))
    }

    fn with(holder: Holder) -> Self {
        Self { holder: Arc::new(holder), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Does what blocks where it holds up nobody's I/O, and waits no longer than `most`. Work that hangs keeps its turn.
    async fn blocking<T: Send + 'static>(
        &self,
        most: Duration,
        work: impl FnOnce(&Holder) -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T, KeyError> {
        let (holder, turns) = (self.holder.clone(), self.turns.clone());
        let unavailable = |error: Box<dyn std::error::Error + Send + Sync>| KeyError::Unavailable(error);
        let done = async move {
            let turn = turns.acquire_owned().await.map_err(|closed| unavailable(Box::new(closed)))?;
            let done = spawn_blocking(move || {
                let _turn = turn;
                work(&holder)
            });
            done.await.map_err(|lost| unavailable(Box::new(lost)))?
        };
        tokio::time::timeout(most, done).await.unwrap_or_else(|_| Err(unavailable(Box::new(TokenError::Slow))))
    }
}

#[async_trait]
impl KeyProvider for TokenKeys {
    async fn publics(&self, duty: Duty) -> Result<Vec<PublicKey>, KeyError> {
        self.blocking(OPERATION, move |holder| {
            holder.newest(duty)?;
            let catalogue = holder.catalogue()?;
            let published = catalogue.keys.iter().rev().filter(|key| key.duty == duty && duty.publishes(key.retired));
            published.map(|key| holder.public(key)).collect()
        })
        .await
    }

    async fn unwrap(&self, duty: Duty, kid: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (kid, wrapped) = (kid.to_owned(), wrapped.to_vec());
        self.blocking(OPERATION, move |holder| holder.unwrap(duty, &kid, &wrapped)).await
    }

    async fn sign(&self, duty: Duty, kid: &str, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (kid, message) = (kid.to_owned(), message.to_vec());
        self.blocking(OPERATION, move |holder| holder.sign(duty, &kid, &message)).await
    }

    async fn wrap_record(&self, key: &RecordKey, aad: &[u8]) -> Result<Wrap, KeyError> {
        let (key, aad) = (key.again(), aad.to_vec());
        self.blocking(OPERATION, move |holder| holder.wrap_record(&key, &aad)).await
    }

    async fn wrap_under_root(&self, owner: &str, key: &RecordKey, aad: &[u8]) -> Result<Wrap, KeyError> {
        let (owner, key, aad) = (owner.to_owned(), key.again(), aad.to_vec());
        self.blocking(OPERATION, move |holder| holder.wrap_under_root(&owner, &key, &aad)).await
    }

    async fn destroy_roots(&self, owner: &str, but: &str, now: Timestamp) -> Result<Vec<Destroyed>, KeyError> {
        let (owner, but) = (owner.to_owned(), but.to_owned());
        self.blocking(OPERATION, move |holder| holder.destroy_roots(&owner, &but, now)).await
    }

    async fn unwrap_record(&self, wrap: &Wrap, aad: &[u8]) -> Result<RecordKey, KeyError> {
        let (wrap, aad) = (wrap.clone(), aad.to_vec());
        self.blocking(OPERATION, move |holder| holder.unwrap_record(&wrap, &aad)).await
    }

    async fn month_hmac(&self, month: Month, data: &[u8], now: Timestamp) -> Result<[u8; 32], KeyError> {
        let data = Zeroizing::new(data.to_vec());
        self.blocking(OPERATION, move |holder| holder.month_hmac(month, &data, now)).await
    }

    async fn destroy_due(&self, now: Timestamp) -> Result<Vec<Destroyed>, KeyError> {
        self.blocking(OPERATION, move |holder| holder.destroy_due(now)).await
    }

    async fn list(&self) -> Result<Vec<KeyInfo>, KeyError> {
        // Asked anew: whoever looks whether a key is there, before a login is opened, would learn too late that the token is gone.
        self.blocking(OPERATION, |holder| {
            let catalogue = holder.catalogue_now()?;
            Ok(catalogue.keys.iter().map(|key| catalogue.info(key)).collect())
        })
        .await
    }

    async fn rotate(&self, duty: Duty, now: Timestamp) -> Result<KeyInfo, KeyError> {
        self.blocking(GENERATION, move |holder| holder.make(duty, now)).await
    }

    async fn retire(&self, kid: &str) -> Result<KeyInfo, KeyError> {
        let kid = kid.to_owned();
        self.blocking(OPERATION, move |holder| {
            let key = holder.dispensable(&kid)?;
            holder.change(|session, catalogue| objects::retire(session, catalogue, &key))?;
            let catalogue = holder.catalogue_now()?;
            catalogue.key(key.duty, &kid).map(|key| catalogue.info(key)).ok_or(KeyError::Unknown(kid))
        })
        .await
    }

    async fn destroy(&self, kid: &str, now: Timestamp) -> Result<Destroyed, KeyError> {
        let kid = kid.to_owned();
        self.blocking(OPERATION, move |holder| {
            let key = holder.dispensable(&kid)?;
            holder.change(|session, catalogue| objects::destroy(session, catalogue, &key))?;
            Ok(holder.destroyed(kid, now))
        })
        .await
    }
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKeys").field("token", &self.holder.label()).finish_non_exhaustive()
    }
}
