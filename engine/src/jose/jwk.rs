//! RSA public keys as JSON. They are checked once, when they are read: a [`PublicKey`] that exists is one to use.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rsa::{OaepPublicEncryptingKey, PublicEncryptingKey};
use rsa::pkcs8::{DecodePublicKey, EncodePublicKey};
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, RsaPublicKey};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::members::Members;
use super::{Refused, decode, encode};

/// Smallest modulus, in bits.
pub const MODULUS_BITS_MIN: usize = 4096;
/// Largest modulus, in bits: a larger one costs us more than it gives its owner.
pub const MODULUS_BITS_MAX: usize = 8192;
/// Longest key id, in bytes.
pub const KID_BYTES_MAX: usize = 128;
const JWK_BYTES_MAX: usize = 16 * 1024;
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// What a key is for. There is one algorithm for each purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Encryption of keys: RSA-OAEP with SHA-256.
    RsaOaep256,
    /// Signatures: RSASSA-PSS with SHA-256.
    Ps256,
}

/// An RSA public key of at least 4096 bits, with its id and its one algorithm.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kid: String,
    algorithm: Algorithm,
    key: RsaPublicKey,
}

/// The key that an Online Service receives with. What is sealed to it, only its owner opens.
#[derive(Clone)]
pub struct RecipientKey {
    public: PublicKey,
    /// Ready for use, once and for all: reading it anew costs as much as encrypting with it.
    oaep: Arc<OaepPublicEncryptingKey>,
}

/// Says why a key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// Not an RSA key in JSON.
    #[error("not an RSA public key as JWK: {0}")]
    Malformed(&'static str),
    /// A private key was given.
    #[error("this is a private key: give the public one, and replace this pair, since it has been shown")]
    Private,
    /// Too few or too many bits.
    #[error("the modulus has {bits} bits: at least {MODULUS_BITS_MIN} and at most {MODULUS_BITS_MAX} are needed")]
    Size {
        /// The bits of its modulus.
        bits: usize,
    },
    /// Declared for something else.
    #[error("the key is declared for another use than `{0}`")]
    Use(&'static str),
}

/// The member of a JWK that says what its key is for, where the use does not.
const DUTY: &str = "duty";
const LOG: &str = "log";
const MAINTENANCE: &str = "maintenance";

impl Algorithm {
    /// The name in `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::RsaOaep256 => "RSA-OAEP-256",
            Self::Ps256 => "PS256",
        }
    }

    fn key_use(self) -> &'static str {
        match self {
            Self::RsaOaep256 => "enc",
            Self::Ps256 => "sig",
        }
    }
}

impl PublicKey {
    /// Reads a key that is to be used with `algorithm`. Without a `kid` its thumbprint names it.
    ///
    /// # Errors
    /// Says what is wrong with the key.
    pub fn from_jwk(json: &str, algorithm: Algorithm) -> Result<Self, JwkError> {
        if json.len() > JWK_BYTES_MAX {
            return Err(JwkError::Malformed("too long"));
        }
        let members =
            Members::read(json.as_bytes()).ok_or(JwkError::Malformed("not an object with each member once"))?;
        if PRIVATE_MEMBERS.iter().any(|name| members.contains(name)) {
            return Err(JwkError::Private);
        }
        if members.text("kty") != Some("RSA") {
            return Err(JwkError::Malformed("`kty` is not RSA"));
        }
        for (name, wanted) in [("alg", algorithm.name()), ("use", algorithm.key_use())] {
            if members.contains(name) && members.text(name) != Some(wanted) {
                return Err(JwkError::Use(wanted));
            }
        }
        let kid = match members.text("kid") {
            Some(kid) if kid.is_empty() || kid.len() > KID_BYTES_MAX || kid.bytes().any(|b| b.is_ascii_control()) => {
                return Err(JwkError::Malformed("`kid` is empty or too long"));
            }
            Some(kid) => Some(kid.to_owned()),
            None if members.contains("kid") => return Err(JwkError::Malformed("`kid` is not a text")),
            None => None,
        };
        let number =
            |name, error| members.text(name).and_then(|text| decode(text).ok()).ok_or(JwkError::Malformed(error));
        let modulus = number("n", "`n` is not base64url")?;
        let exponent = number("e", "`e` is not base64url")?;
        let (modulus, exponent) = (BigUint::from_bytes_be(&modulus), BigUint::from_bytes_be(&exponent));
        Self::checked(kid, algorithm, modulus, exponent)
    }

    /// Reads a SubjectPublicKeyInfo. Its thumbprint names it.
    pub(super) fn from_spki(der: &[u8], algorithm: Algorithm) -> Result<Self, JwkError> {
        let key = RsaPublicKey::from_public_key_der(der).map_err(|_| JwkError::Malformed("not a public key in DER"))?;
        Self::checked(None, algorithm, key.n().clone(), key.e().clone())
    }

    /// Takes modulus and exponent of a key that a token holds under this id.
    pub(crate) fn from_parts(
        kid: &str,
        algorithm: Algorithm,
        modulus: &[u8],
        exponent: &[u8],
    ) -> Result<Self, JwkError> {
        let (modulus, exponent) = (BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent));
        Self::checked(Some(kid.to_owned()), algorithm, modulus, exponent)
    }

    fn checked(
        kid: Option<String>,
        algorithm: Algorithm,
        modulus: BigUint,
        exponent: BigUint,
    ) -> Result<Self, JwkError> {
        let bits = modulus.bits();
        if !(MODULUS_BITS_MIN..=MODULUS_BITS_MAX).contains(&bits) {
            return Err(JwkError::Size { bits });
        }
        // A small exponent is legal and has been the way into too many implementations.
        if exponent < BigUint::from(65_537_u32) {
            return Err(JwkError::Malformed("the exponent is less than 65537"));
        }
        let key = RsaPublicKey::new_with_max_size(modulus, exponent, MODULUS_BITS_MAX)
            .map_err(|_| JwkError::Malformed("modulus or exponent are not those of an RSA key"))?;
        let kid = kid.unwrap_or_else(|| thumbprint(&key));
        Ok(Self { kid, algorithm, key })
    }

    /// Names the key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The size of its modulus.
    pub fn modulus_bits(&self) -> usize {
        self.key.n().bits()
    }

    /// Writes it as JWK, for a JWKS and for WebCrypto.
    pub fn to_jwk(&self) -> serde_json::Value {
        json!({
            "kty": "RSA",
            "kid": self.kid,
            "use": self.algorithm.key_use(),
            "alg": self.algorithm.name(),
            "n": encode(&self.key.n().to_bytes_be()),
            "e": encode(&self.key.e().to_bytes_be()),
        })
    }

    pub(super) fn to_spki(&self) -> Result<Vec<u8>, Refused> {
        self.key.to_public_key_der().map(|der| der.as_bytes().to_vec()).map_err(|_| Refused)
    }

    /// Ready to encrypt with.
    pub(super) fn oaep(&self) -> Result<OaepPublicEncryptingKey, Refused> {
        let key = PublicEncryptingKey::from_der(&self.to_spki()?).map_err(|_| Refused)?;
        OaepPublicEncryptingKey::new(key).map_err(|_| Refused)
    }

    pub(super) fn parts(&self) -> (Vec<u8>, Vec<u8>) {
        (self.key.n().to_bytes_be(), self.key.e().to_bytes_be())
    }
}

/// A JWKS of these keys. The log's are marked with their duty, so that nobody takes one of them for one that signs receipts; and so are those
/// for lent logins, so that nobody seals a login for a collection to one.
pub fn jwks(keys: &[PublicKey], log: &[PublicKey], maintenance: &[PublicKey]) -> serde_json::Value {
    let marked = |keys: &[PublicKey], duty: &str| -> Vec<serde_json::Value> {
        let mut jwks: Vec<_> = keys.iter().map(PublicKey::to_jwk).collect();
        jwks.iter_mut().for_each(|jwk| jwk[DUTY] = duty.into());
        jwks
    };
    let mut all: Vec<_> = keys.iter().map(PublicKey::to_jwk).collect();
    all.extend(marked(log, LOG));
    all.extend(marked(maintenance, MAINTENANCE));
    serde_json::json!({ "keys": all })
}

/// Reads the keys of a JWKS that check signatures: those of receipts and the like, and the log's.
///
/// # Errors
/// Says what is wrong with one of them.
pub fn read_jwks(text: &str) -> Result<(Vec<PublicKey>, Vec<PublicKey>), JwkError> {
    #[derive(serde::Deserialize)]
    struct Set {
        keys: Vec<serde_json::Map<String, serde_json::Value>>,
    }
    let set: Set = serde_json::from_str(text).map_err(|_| JwkError::Malformed("not a set of keys"))?;
    let (mut signing, mut log) = (Vec::new(), Vec::new());
    for mut jwk in set.keys.into_iter().filter(|jwk| jwk.get("alg").is_none_or(|alg| alg == "PS256")) {
        let is_log = jwk.shift_remove(DUTY).is_some_and(|duty| duty == LOG);
        let key = PublicKey::from_jwk(&serde_json::Value::Object(jwk).to_string(), Algorithm::Ps256)?;
        if is_log { log.push(key) } else { signing.push(key) }
    }
    Ok((signing, log))
}

/// Checks that a SubjectPublicKeyInfo is an RSA key as we want them, whatever it is for.
///
/// # Errors
/// Says what is wrong with the key.
pub(crate) fn rsa_of_some_size(spki: &[u8]) -> Result<(), JwkError> {
    PublicKey::from_spki(spki, Algorithm::Ps256).map(drop)
}

/// The SHA-256 of the key's required members in the order and spelling of RFC 7638.
fn thumbprint(key: &RsaPublicKey) -> String {
    let (e, n) = (encode(&key.e().to_bytes_be()), encode(&key.n().to_bytes_be()));
    encode(&Sha256::digest(format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)))
}

impl RecipientKey {
    /// Reads the key that an Online Service registers: RSA-OAEP-256, 4096 bits at least.
    ///
    /// # Errors
    /// Says what is wrong with the key.
    pub fn from_jwk(json: &str) -> Result<Self, JwkError> {
        PublicKey::from_jwk(json, Algorithm::RsaOaep256).and_then(Self::from_public)
    }

    /// Takes a key that is already checked.
    ///
    /// # Errors
    /// [`JwkError::Use`] for a signing key.
    pub fn from_public(key: PublicKey) -> Result<Self, JwkError> {
        if key.algorithm != Algorithm::RsaOaep256 {
            return Err(JwkError::Use(Algorithm::RsaOaep256.name()));
        }
        let oaep = key.oaep().map_err(|_| JwkError::Malformed("it can't be encrypted with"))?;
        Ok(Self { public: key, oaep: Arc::new(oaep) })
    }

    /// The key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn oaep(&self) -> &OaepPublicEncryptingKey {
        &self.oaep
    }
}

impl PartialEq for RecipientKey {
    fn eq(&self, other: &Self) -> bool {
        self.public == other.public
    }
}

impl Eq for RecipientKey {}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecipientKey").field(&self.public).finish()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm.name())
            .field("bits", &self.modulus_bits())
            .finish_non_exhaustive()
    }
}
