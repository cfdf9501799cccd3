//! The transforms: what one does to its pieces once their values are known.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use md5::Digest as _;
use zeroize::Zeroizing;

use super::cipher::Encryption;
use super::decode::decode;
use super::letters::{Keypad, NARROW, Positions};
use super::signing::Signing;
use super::{Digest, Encoding, EvaluationError, Mac, RecipeError, Stretch};

/// Longest result of a stretch, in bytes.
pub const STRETCH_BYTES_MAX: u32 = 512;
/// What an RSA operation costs beside a round of stretching.
const RSA_WORK: u64 = 5_000;

/// A transform with its parameters.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Digest(Digest),
    Decode(Encoding),
    Characters(Positions),
    Keypad(Keypad),
    Mac(Mac),
    Stretch { stretch: Stretch, rounds: NonZeroU32, bytes: u32 },
    Encrypt(Encryption),
    Sign(Signing),
}

type Value = Zeroizing<Vec<u8>>;

impl Step {
    pub(super) fn stretch(stretch: Stretch, rounds: u32, bytes: u32) -> Result<Self, RecipeError> {
        let rounds = NonZeroU32::new(rounds).filter(|_| (1..=STRETCH_BYTES_MAX).contains(&bytes));
        Ok(Self::Stretch { stretch, rounds: rounds.ok_or(RecipeError::Stretch)?, bytes })
    }

    /// In rounds of stretching.
    pub(super) fn work(&self) -> u64 {
        match self {
            Self::Stretch { stretch, rounds, bytes } => {
                let block = match stretch {
                    Stretch::Sha256 => 32,
                    Stretch::Sha512 => 64,
                    Stretch::Sha1 => 20,
                };
                u64::from(rounds.get()) * u64::from(bytes.div_ceil(block))
            }
            Self::Encrypt(encryption) if encryption.is_rsa() => RSA_WORK,
            Self::Sign(_) => RSA_WORK,
            _ => 0,
        }
    }

    pub(super) fn guest_bytes(&self) -> usize {
        match self {
            Self::Keypad(keypad) => keypad.guest_bytes(),
            Self::Encrypt(encryption) => encryption.guest_bytes(),
            _ => 0,
        }
    }

    /// Whether what goes in can't be read off what comes out.
    pub(super) fn is_one_way(&self) -> bool {
        matches!(self, Self::Digest(_) | Self::Mac(_) | Self::Stretch { .. })
    }

    pub(super) fn is_narrow(&self) -> bool {
        matches!(self, Self::Characters(positions) if positions.count() < NARROW)
    }

    /// Whether each character goes into the result by itself, as the connector says.
    pub(super) fn is_typed(&self) -> bool {
        matches!(self, Self::Keypad(_))
    }

    /// `values` is one value for each list of pieces.
    pub(super) fn of(&self, values: &[Value]) -> Result<Value, EvaluationError> {
        match (self, values) {
            (Self::Digest(digest), [data]) => Ok(hash(*digest, data)),
            (Self::Decode(encoding), [data]) => decode(data, *encoding),
            (Self::Characters(positions), [data]) => positions.of(data),
            (Self::Keypad(keypad), [data]) => keypad.of(data),
            (Self::Mac(mac), [key, data]) => Ok(authenticate(*mac, key, data)),
            (Self::Stretch { stretch, rounds, bytes }, [password, salt]) => {
                Ok(stretched(*stretch, password, salt, *rounds, *bytes))
            }
            (Self::Encrypt(encryption), [key, data]) => encryption.of(key, data),
            (Self::Sign(signing), [key, data]) => signing.of(key, data),
            // Every constructor gives its transform as many lists as it takes.
            _ => Err(EvaluationError::Unfit("lists")),
        }
    }
}

fn hash(digest: Digest, bytes: &[u8]) -> Value {
    let algorithm = match digest {
        Digest::Sha256 => &digest::SHA256,
        Digest::Sha384 => &digest::SHA384,
        Digest::Sha512 => &digest::SHA512,
        Digest::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Digest::Md5 => return Zeroizing::new(md5::Md5::digest(bytes).to_vec()),
    };
    let mut digest = digest::digest(algorithm, bytes);
    let value = Zeroizing::new(digest.as_ref().to_vec());
    // The library's digest has no wipe: overwrite it with one of nothing, and keep the compiler from leaving that out.
    digest = digest::digest(algorithm, b"");
    std::hint::black_box(&digest);
    value
}

fn authenticate(mac: Mac, key: &[u8], data: &[u8]) -> Value {
    let algorithm = match mac {
        Mac::Sha256 => hmac::HMAC_SHA256,
        Mac::Sha512 => hmac::HMAC_SHA512,
        Mac::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    };
    Zeroizing::new(hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref().to_vec())
}

fn stretched(stretch: Stretch, password: &[u8], salt: &[u8], rounds: NonZeroU32, bytes: u32) -> Value {
    let algorithm = match stretch {
        Stretch::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        Stretch::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        Stretch::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
    };
    let mut value = Zeroizing::new(vec![0; bytes as usize]);
    pbkdf2::derive(algorithm, rounds, salt, password, &mut value);
    value
}
