//! What is sealed, and for whom: [`AtRest`] for our own stores, [`ForRecipient`] for the Online Service alone.
//!
//! A sealed record is bound to its place: namespace, name and head are the associated data, each with its length, so that a
//! record that is copied to another place, or given another deadline, does not open. The key of a record never stands in the
//! record; see [`crate::store`].

use std::fmt;
use std::marker::PhantomData;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rand::CryptoRng;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::data::Digest;
use crate::entropy::Entropy;
use crate::jose::jwe::{self, Content};
use crate::jose::{RecipientKey, Refused};
use crate::keys::{Duty, KeyError, KeyProvider, RecordKey};

// From released data to a parcel.
pub mod recipient;

/// Can be sealed: has bytes, and a name for its kind.
pub trait Sealable {
    /// Names the kind of thing. Bound into every seal, so that no kind is taken for another.
    const NAMESPACE: &'static str;

    /// Writes the thing down. The buffer is wiped.
    ///
    /// # Errors
    /// [`SealError::Unwritable`].
    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, SealError>;
}

/// JSON in a buffer that is wiped, also where it grew out of a smaller one. `namespace` names it in an error.
///
/// # Errors
/// [`SealError::Unwritable`].
pub fn json(value: &impl Serialize, namespace: &'static str) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let mut wiped = Wiped(Zeroizing::new(Vec::with_capacity(JSON_BYTES)));
    serde_json::to_writer(&mut wiped, value).map_err(|_| SealError::Unwritable(namespace))?;
    Ok(wiped.0)
}

/// Room for most parcels without documents.
const JSON_BYTES: usize = 64 * 1024;

struct Wiped(Zeroizing<Vec<u8>>);

impl std::io::Write for Wiped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.capacity() - self.0.len() < bytes.len() {
            let mut larger = Zeroizing::new(Vec::with_capacity((self.0.len() + bytes.len()) * 2));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// May be handed to an Online Service. Only what the consent gate released is.
pub trait Deliverable: Sealable {}

/// For whom something is sealed. There are these two.
pub trait Scope: scope::Sealed {}

/// For ourselves, under the key of one record.
#[derive(Debug)]
pub enum AtRest {}

/// For one Online Service: signed by us, encrypted to its key. We can't open it.
#[derive(Debug)]
pub enum ForRecipient {}

mod scope {
    pub trait Sealed {}
    impl Sealed for super::AtRest {}
    impl Sealed for super::ForRecipient {}
}
impl Scope for AtRest {}
impl Scope for ForRecipient {}

/// A `T` that only the holder of a key can read.
pub struct Sealed<T: Sealable, S: Scope> {
    bytes: Vec<u8>,
    kind: PhantomData<fn() -> (T, S)>,
}

/// Why something was not sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It has no bytes.
    #[error("this {0} can't be written down")]
    Unwritable(&'static str),
    /// It does not open, or is too large to be sealed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No signature.
    #[error("the parcel could not be signed")]
    Keys(#[from] KeyError),
}

/// The place of a record.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// What stands beside the sealed bytes in clear: its row and its term.
    pub head: &'a [u8],
    /// Its name within its namespace.
    pub name: &'a str,
}

impl<T: Sealable> Sealed<T, AtRest> {
    /// Seals a record under its own key, for its place.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn at_rest(value: &T, place: Place<'_>, key: &RecordKey, rng: &mut dyn CryptoRng) -> Result<Self, SealError> {
        Ok(Self::from_bytes(seal_bytes(value.encode()?, &aad::<T>(place), key, rng)?))
    }

    /// Opens a record at its place.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn open(&self, place: Place<'_>, key: &RecordKey) -> Result<Zeroizing<Vec<u8>>, Refused> {
        open_bytes(&self.bytes, &aad::<T>(place), key)
    }

    /// Takes bytes that were sealed before.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes, kind: PhantomData }
    }
}

impl<T: Deliverable> Sealed<T, ForRecipient> {
    /// Signs what was released and encrypts it to the Online Service: a JWS inside a JWE.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn for_recipient(
        value: &T,
        to: &RecipientKey,
        signer: &dyn KeyProvider,
        entropy: &Entropy,
    ) -> Result<Self, SealError> {
        let payload = value.encode()?;
        let signed = Zeroizing::new(signer.sign_compact(Duty::Signing, &typ::<T>(), &payload).await?);
        let sealed = entropy.with(|rng| jwe::seal(signed.as_bytes(), Content::Signed, to, rng))?;
        Ok(Self { bytes: sealed.into_bytes(), kind: PhantomData })
    }
}

/// What the signature inside a parcel says it is.
pub fn typ<T: Sealable>() -> String {
    format!("{}+jwt", T::NAMESPACE)
}

impl<T: Sealable, S: Scope> Sealed<T, S> {
    /// The sealed bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The digest of the sealed bytes: what a recipient acknowledges.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

impl<T: Sealable, S: Scope> fmt::Debug for Sealed<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("namespace", &T::NAMESPACE).field("bytes", &self.bytes.len()).finish()
    }
}

/// Joins texts so that no two lists of them join alike: each is preceded by its length.
pub(crate) fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

fn aad<T: Sealable>(place: Place<'_>) -> Vec<u8> {
    joined(&[b"record", T::NAMESPACE.as_bytes(), place.name.as_bytes(), place.head])
}

/// Seals bytes with AES-256-GCM under a random nonce, which stands before them.
pub(crate) fn seal_bytes(
    mut plain: Zeroizing<Vec<u8>>,
    aad: &[u8],
    key: &RecordKey,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, Refused> {
    let mut nonce = [0; NONCE_LEN];
    rng.fill_bytes(&mut nonce);
    let unique = Nonce::assume_unique_for_key(nonce);
    let tag = cipher(key)?.seal_in_place_separate_tag(unique, Aad::from(aad), &mut plain).map_err(|_| Refused)?;
    Ok([&nonce[..], &plain, tag.as_ref()].concat())
}

/// Opens what [`seal_bytes`] sealed.
pub(crate) fn open_bytes(bytes: &[u8], aad: &[u8], key: &RecordKey) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or(Refused)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Refused)?;
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let length = cipher(key)?.open_in_place(nonce, Aad::from(aad), &mut buffer).map_err(|_| Refused)?.len();
    buffer.truncate(length);
    Ok(buffer)
}

fn cipher(key: &RecordKey) -> Result<LessSafeKey, Refused> {
    UnboundKey::new(&AES_256_GCM, key.danger_bytes()).map(LessSafeKey::new).map_err(|_| Refused)
}

#[cfg(test)]
mod tests;
