//! The thin event: a parcel is ready. It says nothing about a person, and it is signed (Standard Webhooks, `v1a`): whoever else can reach
//! our address can make us ask the engine for nothing.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// Longest event that is read.
pub const EVENT_BYTES_MAX: usize = 8 * 1024;
/// By how many seconds an event may be older or newer than now.
pub const AGE_SECONDS_MAX: i64 = 300;

/// A parcel waits for us.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ParcelReady {
    /// The parcel to fetch.
    pub parcel: String,
    /// The session it belongs to.
    pub session: String,
    /// Our own reference, if we gave one.
    pub reference: Option<String>,
    /// Until when it can be fetched.
    pub expires_at: String,
}

/// What is in the head of a request that brings an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// `webhook-id`: names the event; the same when it is told again.
    pub id: String,
    /// `webhook-timestamp`: seconds since 1970.
    pub second: i64,
    /// `webhook-signature`: one or more, with spaces in between.
    pub signatures: String,
}

#[derive(Deserialize)]
struct Event {
    /// Other kinds may come with later versions.
    #[serde(rename = "type")]
    kind: String,
    data: serde_json::Value,
}

/// Why an event is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// No published key of the engine signed it.
    #[error("the event is not signed with a published key of the engine")]
    Signature,
    /// It is too old, or of the future.
    #[error("the event is not of these minutes")]
    Time,
    /// It says something else than that a parcel is ready.
    #[error("the event is not of a kind that is known here")]
    Kind,
}

/// Reads an event from a request, if one of these keys signed it.
///
/// # Errors
/// [`EventError`].
pub fn verify(head: &Head, body: &str, keys: &[String], now_second: i64) -> Result<ParcelReady, EventError> {
    let signed = format!("{}.{}.{body}", head.id, head.second);
    let decode = |text: &str, prefix| text.strip_prefix(prefix).and_then(|text| STANDARD.decode(text).ok());
    let signatures = || head.signatures.split(' ').filter_map(|signature| decode(signature, "v1a,"));
    let by = |key: Vec<u8>| {
        let key = UnparsedPublicKey::new(&ED25519, key);
        signatures().any(|signature| key.verify(signed.as_bytes(), &signature).is_ok())
    };
    if !keys.iter().filter_map(|key| decode(key, "whpk_")).any(by) {
        return Err(EventError::Signature);
    }
    if (now_second - head.second).abs() > AGE_SECONDS_MAX {
        return Err(EventError::Time);
    }
    let event: Event = serde_json::from_str(body).map_err(|_| EventError::Kind)?;
    if event.kind != "parcel.ready" {
        return Err(EventError::Kind);
    }
    serde_json::from_value(event.data).map_err(|_| EventError::Kind)
}
