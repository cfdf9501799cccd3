//! The body of a request. One that was made of secrets is sealed at once, under a key that is used for nothing else, and opened when
//! the client takes it, which it does once it is connected: a Data Source that is slow to reach, or a queue before it, keeps nothing in clear.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use zeroize::Zeroizing;

use crate::clear::{Clear, Moment, RunInClear};
use crate::memory::locked;

/// What a request carries. `Debug` shows how much at the most.
#[derive(Clone)]
pub struct Payload(Held);

#[derive(Clone)]
enum Held {
    Plain(Bytes),
    Sealed(Arc<Sealed>),
}

struct Sealed {
    key: LessSafeKey,
    /// With its tag.
    ciphertext: Vec<u8>,
    /// The run whose secrets they are.
    run: RunInClear,
}

/// A body could not be sealed: the library failed, which it does without a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request could not be sealed")]
pub struct PayloadError;

impl Payload {
    /// Takes bytes that are nobody's secret; they are wiped all the same.
    pub fn plain(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(Held::Plain(Bytes::from_owner(bytes)))
    }

    /// Takes bytes that were made of secrets. They are sealed where they lie.
    ///
    /// # Errors
    /// [`PayloadError`].
    pub fn secret(bytes: Zeroizing<Vec<u8>>) -> Result<Self, PayloadError> {
        Self::secret_of(bytes, RunInClear::default())
    }

    /// The same, of a run.
    pub(crate) fn secret_of(mut bytes: Zeroizing<Vec<u8>>, run: RunInClear) -> Result<Self, PayloadError> {
        let mut key = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| PayloadError)?;
        let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).map(LessSafeKey::new).map_err(|_| PayloadError)?;
        let tag = key.seal_in_place_separate_tag(nonce(), Aad::empty(), &mut bytes).map_err(|_| PayloadError)?;
        Ok(Self(Held::Sealed(Arc::new(Sealed { key, ciphertext: [&bytes, tag.as_ref()].concat(), run }))))
    }

    /// The run whose secrets it was made of; one that nobody counts, if it was made of none.
    pub(crate) fn run(&self) -> RunInClear {
        match &self.0 {
            Held::Plain(_) => RunInClear::default(),
            Held::Sealed(sealed) => sealed.run.clone(),
        }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::Plain(bytes) => bytes.len(),
            Held::Sealed(sealed) => sealed.ciphertext.len() - AES_256_GCM.tag_len(),
        }
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes; those of secrets wipe themselves.
    pub fn open(&self) -> Bytes {
        match &self.0 {
            Held::Plain(bytes) => bytes.clone(),
            Held::Sealed(sealed) => {
                Bytes::from_owner(Opened { _clear: sealed.run.begin(Moment::Send), bytes: sealed.open() })
            }
        }
    }

    /// The bytes, in locked pages, for whoever counts how long they stand in clear.
    pub(crate) fn open_counted(&self) -> Zeroizing<Vec<u8>> {
        match &self.0 {
            Held::Plain(bytes) => locked(|| Zeroizing::new(bytes.to_vec())),
            Held::Sealed(sealed) => sealed.open(),
        }
    }
}

impl Sealed {
    fn open(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = locked(|| Zeroizing::new(self.ciphertext.clone()));
        // It was sealed here, under this key: it opens.
        let length = self.key.open_in_place(nonce(), Aad::empty(), &mut bytes).map_or(0, |opened| opened.len());
        bytes.truncate(length);
        bytes
    }
}

/// One body under one key.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// In clear until the client lets go of it.
struct Opened {
    bytes: Zeroizing<Vec<u8>>,
    _clear: Clear,
}

impl AsRef<[u8]> for Opened {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Held::Plain(bytes) => write!(f, "Payload({} bytes)", bytes.len()),
            Held::Sealed(_) => f.write_str("Payload(secret)"),
        }
    }
}

/// A body that is opened when it is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Late(Option<Payload>);

impl Late {
    pub(super) fn new(payload: Option<Payload>) -> Self {
        Self(payload.filter(|payload| !payload.is_empty()))
    }
}

impl Body for Late {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|payload| Ok(Frame::data(payload.open()))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |payload| payload.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_sealed_until_it_is_taken_and_says_its_length_before() {
        let secret = Payload::secret(Zeroizing::new(b"login=1&password=Correct-Horse-7!".to_vec())).unwrap();
        let Held::Sealed(sealed) = &secret.0 else { panic!("not sealed") };
        assert!(!sealed.ciphertext.windows(5).any(|bytes| bytes == b"Horse"));
        assert_eq!(Late::new(Some(secret.clone())).size_hint().exact(), Some(33));
        // A request that may go out twice is opened twice.
        assert_eq!((secret.open(), secret.clone().open()), (secret.open(), secret.open()));
        assert_eq!(secret.open(), b"login=1&password=Correct-Horse-7!".as_slice());
        let shown = format!("{secret:?} {:?}", Payload::plain(Zeroizing::new(b"abc".to_vec())));
        assert_eq!(shown, "Payload(secret) Payload(3 bytes)");
        assert!(Late::new(Some(Payload::plain(Zeroizing::default()))).is_end_stream());
    }
}
