//! From sealed bytes to content that was checked: decrypt with our key, verify the engine's signature, hold it against the
//! schema, and against what we know of the delivery. In this order: nothing is parsed before its signature holds.

use std::collections::BTreeMap;

use consentry::jose::{PrivateKey, PublicKey, jwe, jws};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What the signature says it is.
const TYPE: &str = "consentry-parcel+jwt";
/// The schema of version 0.1, as the engine publishes it.
const SCHEMA: &str = include_str!("../../../engine/schema/parcel-0.1.json");

/// A parcel that was opened and checked.
#[derive(Clone, PartialEq)]
pub struct Opened {
    /// Its id.
    pub id: String,
    /// The digest of its sealed bytes: what is acknowledged.
    pub digest: String,
    /// Its content, valid by the schema.
    pub content: Value,
}

/// What a parcel must be to be ours.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The parcel that the event named.
    pub parcel: &'a str,
    /// Our own id, as it was registered.
    pub online_service: &'a str,
    /// The consent of the session that we began.
    pub consent: &'a str,
}

/// Why a parcel is refused. No text holds a value of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParcelError {
    /// It does not open with our key.
    #[error("the parcel is not sealed to our key, or is damaged")]
    Sealed,
    /// No published key of the engine signed it.
    #[error("the parcel is not signed with a published key of the engine")]
    Signature,
    /// It is not a parcel of this version.
    #[error("the parcel does not keep to its schema at {0}")]
    Schema(String),
    /// It is a parcel, but another one, or somebody else's.
    #[error("the parcel's `{0}` is not the expected one")]
    Other(&'static str),
}

/// Opens a parcel and checks everything about it.
///
/// # Errors
/// The first thing that does not fit.
pub fn open(
    sealed: &str,
    key: &PrivateKey,
    signers: &[PublicKey],
    expected: Expected<'_>,
) -> Result<Opened, ParcelError> {
    let signed = key.open(sealed, jwe::PARCEL_BYTES_MAX).map_err(|_| ParcelError::Sealed)?;
    let signed = std::str::from_utf8(&signed).map_err(|_| ParcelError::Sealed)?;
    let payload = verify(signed, signers).ok_or(ParcelError::Signature)?;
    let content: Value = serde_json::from_slice(&payload).map_err(|_| ParcelError::Schema("/".to_owned()))?;
    check_schema(&content)?;
    let told = |member: &'static str, wanted: &str| {
        if content[member] == wanted { Ok(()) } else { Err(ParcelError::Other(member)) }
    };
    told("parcel", expected.parcel)?;
    told("online_service", expected.online_service)?;
    told("consent", expected.consent)?;
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(sealed.as_bytes())));
    Ok(Opened { id: expected.parcel.to_owned(), digest, content })
}

fn verify(signed: &str, signers: &[PublicKey]) -> Option<Vec<u8>> {
    let kid = jws::kid(signed, jwe::PARCEL_BYTES_MAX).ok()?;
    let signer = signers.iter().find(|key| key.kid() == kid)?;
    jws::verify(signed, TYPE, jwe::PARCEL_BYTES_MAX, signer).ok()
}

fn check_schema(content: &Value) -> Result<(), ParcelError> {
    let unreadable = |_| ParcelError::Schema("(the schema itself)".to_owned());
    let schema: Value = serde_json::from_str(SCHEMA).map_err(unreadable)?;
    let validator =
        jsonschema::validator_for(&schema).map_err(|_| ParcelError::Schema("(the schema itself)".to_owned()))?;
    // The place and no more: the message would quote the value.
    validator.validate(content).map_err(|error| ParcelError::Schema(error.instance_path().to_string()))
}

impl Opened {
    /// The items, by category, in the order of the parcel.
    pub fn by_category(&self) -> BTreeMap<&str, Vec<&Value>> {
        let mut categories: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for item in self.content["items"].as_array().into_iter().flatten() {
            categories.entry(item["category"].as_str().unwrap_or_default()).or_default().push(&item["fields"]);
        }
        categories
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let items = self.content["items"].as_array().map_or(0, Vec::len);
        f.debug_struct("Opened").field("id", &self.id).field("digest", &self.digest).field("items", &items).finish()
    }
}
