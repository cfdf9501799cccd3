//! The commitments of an Online Service: the code of trust, signed by it with its own key. Its key to the interface works for
//! nothing before that. A new version of the text has another digest, and is signed anew.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::data::Digest;
use crate::id::OnlineServiceId;
use crate::jose::{PrivateKey, PublicKey, Refused, jws};

/// What the signature says it is.
pub const TYP: &str = "consentry-commitments+jwt";
/// The code of trust, in the version that is signed.
pub const TEXT: &str = include_str!("../../../docs/policy/trust.en.md");
/// Longest commitment, in bytes.
const BYTES_MAX: usize = 8 * 1024;
/// Longest name of who signed, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// Who signed the code of trust for an Online Service, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitment {
    online_service: OnlineServiceId,
    text: Digest,
    by: String,
    at: Timestamp,
}

/// Why a commitment does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitmentError {
    /// The signature, or its form.
    #[error("the commitments are not signed by the Online Service's signing key")]
    Refused,
    /// Somebody else's.
    #[error("the commitments are those of another Online Service")]
    OtherService,
    /// Another text.
    #[error("another version of the code of trust was signed: sign the present one with `consentry commit`")]
    OtherText,
}

impl Commitment {
    /// The commitment of an Online Service to the present text.
    pub fn new(online_service: OnlineServiceId, by: &str, at: Timestamp) -> Self {
        Self { online_service, text: Digest::of(TEXT.as_bytes()), by: by.to_owned(), at }
    }

    /// Signs it with the Online Service's signing key.
    ///
    /// # Errors
    /// [`Refused`] for a key that does not sign.
    pub fn sign(&self, key: &PrivateKey) -> Result<String, Refused> {
        let payload = serde_json::to_vec(self).map_err(|_| Refused)?;
        let unsigned = jws::Unsigned::new(TYP, key.public().kid(), &payload);
        let signature = key.sign(unsigned.message())?;
        Ok(unsigned.with(&signature))
    }

    /// Checks a signed commitment of this Online Service.
    ///
    /// # Errors
    /// [`CommitmentError`].
    pub fn verify(token: &str, of: OnlineServiceId, signer: &PublicKey) -> Result<Self, CommitmentError> {
        let payload = jws::verify(token.trim_end(), TYP, BYTES_MAX, signer).map_err(|_| CommitmentError::Refused)?;
        let read: Self = serde_json::from_slice(&payload).map_err(|_| CommitmentError::Refused)?;
        if read.online_service != of {
            return Err(CommitmentError::OtherService);
        }
        if read.text != Digest::of(TEXT.as_bytes()) {
            return Err(CommitmentError::OtherText);
        }
        if read.by.trim().is_empty() || read.by.len() > NAME_BYTES_MAX {
            return Err(CommitmentError::Refused);
        }
        Ok(read)
    }

    /// Who signed.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// When.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{id, now};
    use crate::jose::Algorithm;
    use crate::jose::tests::published_key;

    #[test]
    fn only_the_present_text_signed_by_the_service_itself_is_a_commitment() {
        let key = published_key(Algorithm::Ps256);
        let signed = Commitment::new(id(1), "Ada Martin, managing director", now()).sign(&key).unwrap();
        let read = Commitment::verify(&format!("{signed}\n"), id(1), key.public()).unwrap();
        assert_eq!((read.by(), read.at()), ("Ada Martin, managing director", now()));
        let verify = |token: &str, of| Commitment::verify(token, of, key.public()).unwrap_err();
        assert_eq!(verify(&signed, id(2)), CommitmentError::OtherService);
        assert_eq!(verify(&signed[1..], id(1)), CommitmentError::Refused);
        let older = Commitment { text: Digest::of(b"an older text"), ..Commitment::new(id(1), "Ada", now()) };
        assert_eq!(verify(&older.sign(&key).unwrap(), id(1)), CommitmentError::OtherText);
        let nobody = Commitment::new(id(1), " ", now()).sign(&key).unwrap();
        assert_eq!(verify(&nobody, id(1)), CommitmentError::Refused);
    }
}
