//! The receipt of an erasure that somebody asked for: which records and keys are gone, where was searched, what is still kept and
//! why. It claims what was seen here and nothing else, and says what it does not claim.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{ConsentId, IdError, OnlineServiceId, ReceiptId, SessionId, SubjectId};
use crate::jose::{PublicKey, Refused, jws};
use crate::keys::{Destroyed, Duty, KeyError, KeyProvider};
use crate::receipt::Kept;

/// What the signature says it is.
pub const TYP: &str = "consentry-erasure+jwt";
/// Longest receipt, in bytes.
pub const RECEIPT_BYTES_MAX: usize = 4 * 1024 * 1024;
const FORMAT: u8 = 1;
/// Most records, and most keys, that a receipt names; it counts them all. So whoever checks it can hold it.
pub const NAMED_MAX: usize = 10_000;

/// What no erasure here reaches. Each receipt says it.
pub const NOT_CLAIMED: [&str; 4] = [
    "copies that the Online Service or the Data Source holds",
    "where the node's keys stand in a file: a copy of it, with its passphrase and the file of root keys, that somebody took before",
    "snapshots of the machine's memory or disks that were taken before",
    "an HSM that keeps what it destroyed for some days, where the keys stand in one that does",
];

/// Whose data is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Scope {
    /// Of one session.
    Session(SessionId),
    /// Of one person, as one Online Service knows them.
    Subject(SubjectId),
    /// Of all sessions of one Online Service.
    OnlineService(OnlineServiceId),
    /// A login that was lent after a run under this consent failed; nothing else under it.
    LentLogin(ConsentId),
}

/// All that a receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The version of this form.
    pub format: u8,
    /// Names the receipt.
    pub receipt: ReceiptId,
    /// Which node.
    pub node: String,
    /// Whose data.
    pub scope: Scope,
    /// When it was looked at.
    pub at: Timestamp,
    /// How many keys were destroyed, by kind.
    #[serde(default)]
    pub destroyed: BTreeMap<String, usize>,
    /// The records that are gone: up to [`NAMED_MAX`] of them.
    pub erased: Vec<ErasedRecord>,
    /// The root keys that were destroyed with them, of key tables and of the key provider: which, when, and who held them; up to
    /// [`NAMED_MAX`] of them.
    pub keys: Vec<Destroyed>,
    /// How many more records and keys are gone than are named.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unnamed: usize,
    /// Where was searched for what is left.
    pub searched: Vec<Searched>,
    /// What is still kept at this moment, until when, and why.
    pub survives: Vec<Survivor>,
    /// What this receipt does not say.
    pub not_claimed: Vec<String>,
}

/// A record that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasedRecord {
    /// Its row of the retention table, its kind, its name.
    pub record: String,
    /// The key that was its own.
    pub key: String,
}

/// A place that was searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Searched {
    /// Which.
    pub place: String,
    /// How many things were looked at in it.
    pub looked_at: usize,
    /// How many of them were of what was erased.
    pub found: usize,
}

/// Something that is still kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survivor {
    /// What, and until when.
    #[serde(flatten)]
    pub kept: Kept,
    /// How many records; none where they can't be told apart from others'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<usize>,
    /// Why, by the basis of its row.
    pub why: String,
}

/// A signed receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureReceipt {
    facts: Facts,
    token: String,
}

/// A text that names nobody whose data could be erased.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the id of a session (ses_…), a subject (sub_…), an Online Service (osv_…), or a consent (cns_…) for a login that was lent"
)]
pub struct NoScope;

impl ErasureReceipt {
    /// Signs what was seen.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn sign(facts: Facts, keys: &dyn KeyProvider) -> Result<Self, KeyError> {
        let mut facts = Facts { format: FORMAT, ..facts };
        let named = facts.erased.len() + facts.keys.len();
        facts.erased.truncate(NAMED_MAX);
        facts.keys.truncate(NAMED_MAX);
        facts.unnamed = named - facts.erased.len() - facts.keys.len();
        let payload = serde_json::to_vec(&facts).map_err(|_| Refused)?;
        let token = keys.sign_compact(Duty::Signing, TYP, &payload).await?;
        Ok(Self { facts, token })
    }

    /// Checks a receipt offline, by these keys.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verify(token: &str, keys: &[PublicKey]) -> Result<Self, Refused> {
        let kid = jws::kid(token, RECEIPT_BYTES_MAX)?;
        let key = keys.iter().find(|key| key.kid() == kid).ok_or(Refused)?;
        let payload = jws::verify(token, TYP, RECEIPT_BYTES_MAX, key)?;
        let facts: Facts = serde_json::from_slice(&payload).map_err(|_| Refused)?;
        if facts.format == FORMAT { Ok(Self { facts, token: token.to_owned() }) } else { Err(Refused) }
    }

    /// What it says.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The receipt, as JWS in compact serialisation.
    pub fn token(&self) -> &str {
        &self.token
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

impl FromStr for Scope {
    type Err = NoScope;

    fn from_str(text: &str) -> Result<Self, NoScope> {
        let no = |_: IdError| NoScope;
        match text.split('_').next() {
            Some("ses") => text.parse().map(Self::Session).map_err(no),
            Some("sub") => text.parse().map(Self::Subject).map_err(no),
            Some("osv") => text.parse().map(Self::OnlineService).map_err(no),
            Some("cns") => text.parse().map(Self::LentLogin).map_err(no),
            _ => Err(NoScope),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = NoScope;

    fn try_from(text: String) -> Result<Self, NoScope> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => id.fmt(f),
            Self::Subject(id) => id.fmt(f),
            Self::OnlineService(id) => id.fmt(f),
            Self::LentLogin(id) => id.fmt(f),
        }
    }
}
