//! The thin event: a parcel is ready. It says nothing about a person, and it is signed: whoever else can reach our address
//! can make us ask the engine for nothing.

use consentry::jose::{PublicKey, jws};
use serde::Deserialize;

/// Longest event that is read.
pub const EVENT_BYTES_MAX: usize = 8 * 1024;
/// What the signature says it is.
const TYPE: &str = "consentry-event+jwt";

/// A parcel waits for us.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ParcelReady {
    /// Names the event; the same when it is told again.
    pub event: String,
    /// `parcel.ready`. Other kinds may come with later versions.
    #[serde(rename = "type")]
    pub kind: String,
    /// The parcel to fetch.
    pub parcel: String,
    /// The session it belongs to.
    pub session: String,
    /// Our own reference, if we gave one.
    pub reference: Option<String>,
    /// Until when it can be fetched.
    pub expires_at: String,
}

/// Why an event is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// No published key of the engine signed it.
    #[error("the event is not signed with a published key of the engine")]
    Signature,
    /// It says something else than that a parcel is ready.
    #[error("the event is not of a kind that is known here")]
    Kind,
}

/// Reads an event from a request's body.
///
/// # Errors
/// [`EventError`].
pub fn verify(body: &str, signers: &[PublicKey]) -> Result<ParcelReady, EventError> {
    let kid = jws::kid(body, EVENT_BYTES_MAX).map_err(|_| EventError::Signature)?;
    let signer = signers.iter().find(|key| key.kid() == kid).ok_or(EventError::Signature)?;
    let payload = jws::verify(body, TYPE, EVENT_BYTES_MAX, signer).map_err(|_| EventError::Signature)?;
    let event: ParcelReady = serde_json::from_slice(&payload).map_err(|_| EventError::Kind)?;
    if event.kind == "parcel.ready" { Ok(event) } else { Err(EventError::Kind) }
}
