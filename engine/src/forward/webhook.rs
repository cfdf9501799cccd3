//! What events are signed with: Ed25519, by Standard Webhooks (`v1a`), so that any library for it checks them. The key is for nothing
//! else, stands in the data folder under a storage key, and its public half is published.

use std::fmt;
use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::file;
use crate::entropy::Entropy;
use crate::jose::Refused;
use crate::keys::{KeyError, KeyProvider, RecordKey, Wrap};

/// What the wrapped key is bound to.
const PLACE: &[u8] = b"consentry webhook key";

/// A key that signs events.
pub struct WebhookKey(Ed25519KeyPair);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookKeyError {
    /// The file can't be read or written.
    #[error("the file of the key that signs events can't be read or written")]
    File(#[from] std::io::Error),
    /// The storage keys don't answer.
    #[error("the key that signs events can't be opened")]
    Keys(#[from] KeyError),
}

impl WebhookKey {
    /// A key that dies with the process.
    ///
    /// # Errors
    /// The library fails, which it reports without a reason.
    pub fn ephemeral(entropy: &Entropy) -> Result<Self, WebhookKeyError> {
        Self::of(&entropy.with(|rng| RecordKey::generate(rng)))
    }

    /// The key in this file; a new one if there is none, or if it opens no more because its storage key was destroyed.
    ///
    /// # Errors
    /// [`WebhookKeyError`].
    pub async fn open(path: &Path, keys: &dyn KeyProvider, entropy: &Entropy) -> Result<Self, WebhookKeyError> {
        let held: Option<Wrap> = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).ok(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let seed = match &held {
            None => None,
            Some(wrap) => match keys.unwrap_record(wrap, PLACE).await {
                Ok(seed) => Some(seed),
                Err(KeyError::Refused(_)) => {
                    tracing::error!(
                        "the key that signs events opens no more: there is a new one, for receivers to read again"
                    );
                    None
                }
                Err(error) => return Err(error.into()),
            },
        };
        let seed = seed.unwrap_or_else(|| entropy.with(|rng| RecordKey::generate(rng)));
        // Under the newest storage key, so that an older one can be destroyed.
        let wrap = keys.wrap_record(&seed, PLACE).await?;
        if held.is_none_or(|held| held.kid != wrap.kid) {
            file::receive(path, &serde_json::to_vec(&wrap).map_err(std::io::Error::other)?, entropy)?;
        }
        Self::of(&seed)
    }

    fn of(seed: &RecordKey) -> Result<Self, WebhookKeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.danger_bytes());
        Ok(Self(pair.map_err(|_| KeyError::Refused(Refused))?))
    }

    /// The public half, as receivers take it.
    pub fn public(&self) -> String {
        format!("whpk_{}", STANDARD.encode(self.0.public_key().as_ref()))
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: &str, second: i64, body: &[u8]) -> String {
        let mut signed = format!("{id}.{second}.").into_bytes();
        signed.extend_from_slice(body);
        format!("v1a,{}", STANDARD.encode(self.0.sign(&signed)))
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WebhookKey").field(&self.public()).finish()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;
    use crate::keys::software::tests::keys;

    #[tokio::test]
    async fn a_key_stays_the_same_and_its_signatures_hold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("webhook.key");
        let (entropy, keys) = (Entropy::system(), keys());
        let made = WebhookKey::open(&path, &*keys, &entropy).await.unwrap();
        let key = WebhookKey::open(&path, &*keys, &entropy).await.unwrap();
        assert_eq!(key.public(), made.public());
        let public = STANDARD.decode(key.public().strip_prefix("whpk_").unwrap()).unwrap();
        let signature = key.sign("evt_1", 1_795_000_000, b"{}");
        let signature = STANDARD.decode(signature.strip_prefix("v1a,").unwrap()).unwrap();
        let public = UnparsedPublicKey::new(&ED25519, public);
        assert!(public.verify(b"evt_1.1795000000.{}", &signature).is_ok());
        assert!(public.verify(b"evt_2.1795000000.{}", &signature).is_err());
        std::fs::write(&path, "damaged").unwrap();
        assert_ne!(WebhookKey::open(&path, &*keys, &entropy).await.unwrap().public(), made.public());
    }
}
