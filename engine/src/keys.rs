//! Keys, by duty. A [`KeyProvider`] holds them and lends operations; a private key never comes out.
//!
//! Each duty has keys of its own, so that whoever may open credentials can't sign receipts. The newest key of a duty seals
//! and signs; every key that is still there opens. Private operations take milliseconds, in an HSM tens of them: one for
//! each consent, never one for each field.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::clock::Month;
use crate::jose::jwe::Token;
use crate::jose::{Algorithm, PublicKey, Refused, jws};

// Keys in an HSM.
pub mod pkcs11;
// The names of the keys of key tables, one for each generation.
pub mod roots;
// Keys in software, in one encrypted file.
pub mod software;

pub use pkcs11::TokenKeys;
pub use roots::Root;
pub use software::SoftwareKeys;

/// After how many months a month's key dies: the trace is kept 12 to 13 months, never more.
pub const MONTH_KEY_LIFE_MONTHS: u8 = 13;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// Opens credentials and answers that a browser sealed. RSA-OAEP-256.
    Intake,
    /// Opens logins that a person left for repairs. RSA-OAEP-256.
    Maintenance,
    /// Wraps what a node keeps sealed beside its records. AES-256-GCM.
    Storage,
    /// Signs parcels and receipts. PS256.
    Signing,
    /// Signs the ledger. PS256.
    Log,
}

/// The key of one stored record.
pub struct RecordKey(Zeroizing<[u8; 32]>);

/// A record's key under a storage key. Worth nothing without it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrap {
    /// The storage key.
    pub kid: String,
    /// The wrapped key.
    #[serde(with = "wrapped")]
    pub bytes: Vec<u8>,
}

/// A key as an operator sees it: everything but what is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyInfo {
    /// Its id.
    pub kid: String,
    /// What it is for.
    pub duty: Duty,
    /// Since when there is a key of this name.
    pub made_at: Timestamp,
    /// What it still does.
    pub state: KeyState,
}

/// What a key still does. As long as it is there, it opens what was sealed to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Seals and signs.
    Current,
    /// Another one seals and signs. Still published: whoever read the keys yesterday can go on with it.
    Previous,
    /// Nothing is sealed to it or signed with it any more. One that opens is published no more; one that signed still is, so that what it
    /// signed is checked until it is destroyed.
    Retired,
}

/// Evidence that a key was destroyed: which, when, by which provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destroyed {
    /// The key's id, or `month-2026-11` for a month's key.
    pub key: String,
    /// When.
    pub at: Timestamp,
    /// What held it.
    pub provider: String,
}

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// What was given does not open. Nobody is told why.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The duty has no key.
    #[error("there is no key for the duty {0}: generate one")]
    Missing(Duty),
    /// The duty has no such operation.
    #[error("a key for the duty {0} can't do this")]
    WrongDuty(Duty),
    /// The key was destroyed, or its time is over.
    #[error("the key {0} has been destroyed")]
    Destroyed(String),
    /// It is the one that seals and signs.
    #[error("the key {0} is the current one of its duty: rotate the duty first")]
    Current(String),
    /// There is none of this name.
    #[error("there is no key {0}: `consentry keys list` shows those that there are")]
    Unknown(String),
    /// The key file can't be read or written.
    #[error("the key file failed")]
    File(#[from] software::KeyFileError),
    /// The token can't be used, or does not do what it is asked for.
    #[error("the token failed")]
    Token(#[from] pkcs11::TokenError),
    /// The provider can't be reached just now. Nothing is known about what was given.
    #[error("the key provider can't be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Holds keys and does what needs them.
#[async_trait]
pub trait KeyProvider: Send + Sync + fmt::Debug {
    /// The public keys of a duty, newest first: the first one seals and signs. Published as JWKS: all of a duty that signs, since
    /// what a key signed is checked with it as long as it is there; of one that opens, those that are not retired.
    ///
    /// # Errors
    /// [`KeyError::Missing`], and [`KeyError::WrongDuty`] for a duty whose keys have no public half.
    async fn publics(&self, duty: Duty) -> Result<Vec<PublicKey>, KeyError>;

    /// Opens a content encryption key that was encrypted with RSA-OAEP-256 to a key of this duty.
    ///
    /// # Errors
    /// [`KeyError::Refused`] for an unknown key and for whatever does not open, alike.
    async fn unwrap(&self, duty: Duty, kid: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError>;

    /// Signs with PS256.
    ///
    /// # Errors
    /// [`KeyError::Refused`] if the duty has no such key.
    async fn sign(&self, duty: Duty, kid: &str, message: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Wraps the key of a record with the newest storage key, bound to the record's place.
    ///
    /// # Errors
    /// [`KeyError::Missing`].
    async fn wrap_record(&self, key: &RecordKey, aad: &[u8]) -> Result<Wrap, KeyError>;

    /// Makes a root: a key that wraps the key of one version of one file, and is destroyed when the next version stands. It is
    /// durable when this returns. `owner` names whose it is, where several nodes have their keys in one place.
    ///
    /// # Errors
    /// [`KeyError::File`], [`KeyError::Token`] or [`KeyError::Unavailable`]: a root that was made nevertheless goes with the next
    /// [`Self::destroy_roots`].
    async fn wrap_under_root(&self, owner: &str, key: &RecordKey, aad: &[u8]) -> Result<Wrap, KeyError>;

    /// Destroys all roots of an owner but the one that is named, and none if that one is not there.
    ///
    /// # Errors
    /// As [`Self::wrap_under_root`]: ask again.
    async fn destroy_roots(&self, owner: &str, but: &str, now: Timestamp) -> Result<Vec<Destroyed>, KeyError>;

    /// Unwraps the key of a record, or of a file, at the same place.
    ///
    /// # Errors
    /// [`KeyError::Refused`].
    async fn unwrap_record(&self, wrap: &Wrap, aad: &[u8]) -> Result<RecordKey, KeyError>;

    /// HMAC-SHA-256 under the key of a month, which is made on first use and dies at the first instant of the thirteenth
    /// month after it. Where a clock that was ahead destroyed it before its month was over, another one is made in its place.
    ///
    /// # Errors
    /// [`KeyError::Destroyed`] from then on; also where a clock is set back afterwards, once the month is over by it.
    async fn month_hmac(&self, month: Month, data: &[u8], now: Timestamp) -> Result<[u8; 32], KeyError>;

    /// Destroys the keys of months whose time is over.
    ///
    /// # Errors
    /// [`KeyError::File`] or [`KeyError::Unavailable`]: nothing was destroyed, ask again.
    async fn destroy_due(&self, now: Timestamp) -> Result<Vec<Destroyed>, KeyError>;

    /// All keys that are there, in the order in which they were made.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`].
    async fn list(&self) -> Result<Vec<KeyInfo>, KeyError>;

    /// Makes a new key for a duty, which seals and signs from now on. Those before it still open.
    ///
    /// # Errors
    /// [`KeyError::File`] or [`KeyError::Unavailable`]: the duty has the keys that it had.
    async fn rotate(&self, duty: Duty, now: Timestamp) -> Result<KeyInfo, KeyError>;

    /// Takes a key out of use: one that opens is published no more, and still opens; one that signed is published on, and signs no
    /// more. To retire it again changes nothing.
    ///
    /// # Errors
    /// [`KeyError::Current`], [`KeyError::Unknown`].
    async fn retire(&self, kid: &str) -> Result<KeyInfo, KeyError>;

    /// Destroys a key. What it alone opens is gone; what it signed checks out no more.
    ///
    /// # Errors
    /// [`KeyError::Current`], [`KeyError::Unknown`].
    async fn destroy(&self, kid: &str, now: Timestamp) -> Result<Destroyed, KeyError>;
}

impl dyn KeyProvider + '_ {
    /// The public key of a duty that seals and signs now.
    ///
    /// # Errors
    /// As [`KeyProvider::publics`].
    pub async fn public(&self, duty: Duty) -> Result<PublicKey, KeyError> {
        self.publics(duty).await?.into_iter().next().ok_or(KeyError::Missing(duty))
    }

    /// Whether a key of this duty is there, published or not.
    ///
    /// # Errors
    /// As [`KeyProvider::list`].
    pub async fn holds(&self, duty: Duty, kid: &str) -> Result<bool, KeyError> {
        Ok(self.list().await?.iter().any(|key| key.duty == duty && key.kid == kid))
    }

    /// Opens a JWE in compact serialisation that was sealed to a key of this duty.
    ///
    /// # Errors
    /// [`KeyError::Refused`], whatever is wrong with the token.
    pub async fn open(&self, duty: Duty, token: &str, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let token = Token::parse(token, bytes_max)?;
        let cek = match self.unwrap(duty, token.kid(), token.encrypted_key()).await {
            Ok(cek) => Ok(cek),
            Err(KeyError::Refused(refused)) => Err(refused),
            Err(unavailable) => return Err(unavailable),
        };
        Ok(token.open(cek)?)
    }

    /// Signs a payload as JWS in compact serialisation. `typ` says what it is.
    ///
    /// # Errors
    /// As [`KeyProvider::sign`].
    pub async fn sign_compact(&self, duty: Duty, typ: &str, payload: &[u8]) -> Result<String, KeyError> {
        let key = self.public(duty).await?;
        let unsigned = jws::Unsigned::new(typ, key.kid(), payload);
        let signature = self.sign(duty, key.kid(), unsigned.message()).await?;
        Ok(unsigned.with(&signature))
    }
}

impl RecordKey {
    /// Makes a new key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut key = Self(Zeroizing::new([0; 32]));
        rng.fill_bytes(key.0.as_mut_slice());
        key
    }

    /// The same key once more, wiped like the first.
    pub(crate) fn again(&self) -> Self {
        Self(self.0.clone())
    }

    /// Takes the bytes that a provider unwrapped.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The key's bytes, for a cipher.
    pub fn danger_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordKey")
    }
}

impl fmt::Debug for Wrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wrap").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl Duty {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Intake, Self::Maintenance, Self::Storage, Self::Signing, Self::Log];

    /// What its keys do; none for keys without a public half.
    fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::Intake | Self::Maintenance => Some(Algorithm::RsaOaep256),
            Self::Signing | Self::Log => Some(Algorithm::Ps256),
            Self::Storage => None,
        }
    }

    /// Whether what its keys signed is checked with them by others.
    pub(crate) fn signs(self) -> bool {
        self.algorithm() == Some(Algorithm::Ps256)
    }

    /// Whether a key of it is published, retired or not.
    fn publishes(self, retired: bool) -> bool {
        !retired || self.signs()
    }

    /// Its name in the key file and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Maintenance => "maintenance",
            Self::Storage => "storage",
            Self::Signing => "signing",
            Self::Log => "log",
        }
    }
}

impl KeyState {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When the key of a month dies.
fn end_of(month: Month) -> Timestamp {
    month.first_instant_after(MONTH_KEY_LIFE_MONTHS)
}

/// Whether the key of a month is gone for good. One that is gone before its month is over was destroyed by a clock that was ahead: without
/// another one nobody could log in until the month ends.
fn is_over(month: Month, is_gone: bool, now: Timestamp) -> bool {
    now >= end_of(month) || is_gone && now >= month.first_instant_after(1)
}

fn month_name(month: Month) -> String {
    format!("month-{month}")
}

/// Bytes as base64 in JSON.
pub(crate) mod wrapped {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        URL_SAFE_NO_PAD.decode(text.as_bytes()).map_err(serde::de::Error::custom)
    }
}
