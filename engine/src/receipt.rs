//! Receipts: what happened in one use of a login, signed, for the person.
//!
//! Opening a login is a use, and every use ends in a receipt, whatever the end. It is an SD-JWT of the signing key; it counts
//! items and names categories, and holds no item. The salt of the ledger's leaves is in it: whoever has the receipt can show
//! that its events are in the ledger, and what they do not want to show, they withhold. We keep no copy of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

// Claims that can be withheld.
pub mod disclosure;
// The receipt with its proofs.
pub mod file;

use crate::data::Digest;
use crate::erase::Erased;
use crate::erase::retention::{Row, Term};
use crate::id::{ConsentId, LeafId, OnlineServiceId, ParcelId, ReceiptId, RunId, SessionId};
use crate::jose::holder::HolderKey;
use crate::jose::{PublicKey, Refused, jws};
use crate::keys::{Duty, KeyError, KeyProvider};
use crate::ledger::{AcceptedLeaf, Event, Salt, commitment};
use crate::outcome::{Ended, Outcome};
use crate::processing::Processing;
use disclosure::Blinding;

/// What the signature says it is.
pub const TYP: &str = "consentry-receipt+sd-jwt";
/// Longest receipt, in bytes.
pub const RECEIPT_BYTES_MAX: usize = 64 * 1024;
const FORMAT: u8 = 1;
/// What the person can keep to themself when they show a receipt.
const WITHHELD: [&str; 6] = ["online_service", "source", "parcel", "leaves", "salt", "kept"];
/// Lists whose items they can keep to themself.
const WITHHELD_ITEMS: [&str; 1] = ["categories"];

/// A signed receipt. Not issued without the proof that the run was erased:
/// ```
/// # use consentry::{erase::Erased, keys::{KeyError, KeyProvider}, outcome::Ended, receipt::{About, Receipt}};
/// async fn issue(ended: &Ended, erased: Erased, about: About, keys: &dyn KeyProvider) -> Result<Receipt, consentry::receipt::ReceiptError> {
///     Receipt::issue(ended, erased, about, keys).await
/// }
/// ```
/// ```compile_fail,E0061
/// # use consentry::{erase::Erased, keys::{KeyError, KeyProvider}, outcome::Ended, receipt::{About, Receipt}};
/// async fn issue(ended: &Ended, erased: Erased, about: About, keys: &dyn KeyProvider) -> Result<Receipt, consentry::receipt::ReceiptError> {
///     Receipt::issue(ended, about, keys).await
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    facts: Facts,
    token: String,
}

/// What a receipt tells that the end of the run does not know.
#[derive(Debug)]
pub struct About {
    /// Names the receipt.
    pub receipt: ReceiptId,
    /// Who asked.
    pub online_service: OnlineServiceId,
    /// The digest of the notice that the person agreed to.
    pub notice: Digest,
    /// Where the data came from.
    pub source: Source,
    /// What was collected and what was shared.
    pub categories: Vec<Counted>,
    /// The parcel, if one was sealed.
    pub parcel: Option<ParcelFacts>,
    /// The ledger's leaves of this run and its consent.
    pub leaves: Vec<AcceptedLeaf>,
    /// What they are salted with.
    pub salt: Salt,
    /// What is still kept, and until when.
    pub kept: Vec<Kept>,
    /// Where data is processed, by whom, under which policy.
    pub processing: Processing,
    /// The person's key that the receipt is bound to.
    pub holder: Option<HolderKey>,
    /// Salts the disclosures.
    pub blinding: Blinding,
}

/// All that a receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The version of this form.
    pub format: u8,
    /// Names the receipt.
    pub receipt: ReceiptId,
    /// The session.
    pub session: SessionId,
    /// The run.
    pub run: RunId,
    /// The consent.
    pub consent: ConsentId,
    /// The digest of the notice that the person agreed to.
    pub notice: Digest,
    /// Who asked.
    pub online_service: OnlineServiceId,
    /// Where the data came from.
    pub source: Source,
    /// `delivered`, `partial`, `failed`, `withdrawn` or `expired`.
    pub outcome: String,
    /// Why not everything was delivered, from the list of failure codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// When the login was opened.
    pub began_at: Timestamp,
    /// When the run ended.
    pub ended_at: Timestamp,
    /// What was collected and what was shared.
    pub categories: Vec<Counted>,
    /// The parcel, if one was sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parcel: Option<ParcelFacts>,
    /// The events that are in the ledger.
    pub leaves: Vec<LeafFacts>,
    /// What the leaves are salted with, in hexadecimal.
    pub salt: String,
    /// What was erased here, and when it was looked at.
    pub erased: ErasedFacts,
    /// What is still kept here on a disk, and until when. An engine without a disk keeps nothing beyond its own end.
    pub kept: Vec<Kept>,
    /// Where data was processed, by whom, under which policy.
    pub processing: Processing,
    /// The person's key, where the receipt is bound to one: without a proof of it the receipt proves nothing about who shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

/// A key that a receipt is bound to (RFC 7800).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The key.
    pub jwk: HolderKey,
}

/// A Data Source and the connector that reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The Data Source, by its id.
    pub id: String,
    /// The connector, by its id.
    pub connector: String,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: Digest,
}

/// How many items of a category there were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// The category.
    pub category: String,
    /// How many were collected.
    pub collected: usize,
    /// How many of them were put into the parcel.
    pub shared: usize,
}

/// A parcel, from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParcelFacts {
    /// Names it.
    pub id: ParcelId,
    /// Its digest.
    pub digest: Digest,
    /// When its bytes were first given to the Online Service, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched_at: Option<Timestamp>,
    /// When the Online Service acknowledged it, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Timestamp>,
}

/// An event that is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafFacts {
    /// The leaf.
    pub leaf: LeafId,
    /// What it commits to.
    pub commitment: Digest,
    /// What happened.
    pub event: Event,
}

/// What was looked at, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasedFacts {
    /// When.
    pub at: Timestamp,
    /// The parts of the run of which nothing is left.
    pub parts: Vec<String>,
}

/// Something that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Its row of the retention table.
    pub row: String,
    /// What it is.
    pub what: Vec<String>,
    /// Until when; none: as long as its trigger has not fired, or for ever where the table says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Why a receipt was not issued, or does not hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The proof of erasure is about another run.
    #[error("the proof of erasure is about another run")]
    OtherRun,
    /// A leaf does not commit to its event under this salt.
    #[error("a leaf of the ledger is not about what the receipt says")]
    OtherLeaf,
    /// The signature does not hold, or it is not a receipt.
    #[error("this is not a receipt of this engine, or it was changed")]
    Refused(#[from] Refused),
    /// It can't be signed.
    #[error("the receipt could not be signed")]
    Keys(#[from] KeyError),
    /// Its leaves are not shown to be in the log.
    #[error("it is not shown that the receipt's events are in the ledger")]
    NotInTheLog,
}

impl Receipt {
    /// Issues the receipt of a run that ended and was erased.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub async fn issue(
        ended: &Ended,
        erased: Erased,
        about: About,
        keys: &dyn KeyProvider,
    ) -> Result<Self, ReceiptError> {
        if erased.run() != ended.name().run {
            return Err(ReceiptError::OtherRun);
        }
        let (facts, blinding) = facts(ended, &erased, about);
        facts.check_leaves()?;
        let Ok(Value::Object(mut payload)) = serde_json::to_value(&facts) else { return Err(Refused.into()) };
        let disclosures = disclosure::conceal(&mut payload, &WITHHELD, &WITHHELD_ITEMS, &blinding);
        let payload = serde_json::to_vec(&payload).map_err(|_| Refused)?;
        let mut token = keys.sign_compact(Duty::Signing, TYP, &payload).await?;
        for disclosure in &disclosures {
            token.push('~');
            token.push_str(disclosure);
        }
        token.push('~');
        Ok(Self { facts, token })
    }

    /// Checks a receipt offline: its signature by one of these keys, and that its leaves are about what it says. Whether
    /// they are in the ledger is for the ledger to show.
    ///
    /// # Errors
    /// [`ReceiptError::Refused`] and [`ReceiptError::OtherLeaf`].
    pub fn verify(token: &str, keys: &[PublicKey]) -> Result<Self, ReceiptError> {
        let shown = Self::presented(token, keys)?;
        let facts: Facts = serde_json::from_value(Value::Object(shown)).map_err(|_| Refused)?;
        if facts.format != FORMAT {
            return Err(Refused.into());
        }
        facts.check_leaves()?;
        Ok(Self { facts, token: token.to_owned() })
    }

    /// What somebody shows of a receipt: all its claims but those that were withheld. Its signature is by one of these keys.
    ///
    /// # Errors
    /// [`ReceiptError::Refused`].
    pub fn presented(token: &str, keys: &[PublicKey]) -> Result<Map<String, Value>, ReceiptError> {
        if token.len() > RECEIPT_BYTES_MAX {
            return Err(Refused.into());
        }
        let (signed, disclosures) = parts(token).ok_or(Refused)?;
        let kid = jws::kid(signed, RECEIPT_BYTES_MAX)?;
        let key = keys.iter().find(|key| key.kid() == kid).ok_or(Refused)?;
        let payload = jws::verify(signed, TYP, RECEIPT_BYTES_MAX, key)?;
        let payload = serde_json::from_slice(&payload).map_err(|_| Refused)?;
        Ok(disclosure::reveal(payload, &disclosures)?)
    }

    /// What a receipt says, for reading along. Nothing is verified.
    pub fn unverified(token: &str) -> Option<Facts> {
        use base64::Engine as _;
        let (signed, disclosures) = parts(token)?;
        let payload = signed.split('.').nth(1)?;
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?;
        let shown = disclosure::reveal(serde_json::from_slice(&payload).ok()?, &disclosures).ok()?;
        serde_json::from_value(Value::Object(shown)).ok()
    }

    /// What it says.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The receipt: an SD-JWT with all its disclosures.
    pub fn token(&self) -> &str {
        &self.token
    }
}

impl Facts {
    /// Whether every leaf commits to its event, and every event is of this consent.
    fn check_leaves(&self) -> Result<(), ReceiptError> {
        let mut salt = [0; 32];
        hex::decode_to_slice(&self.salt, &mut salt).map_err(|_| Refused)?;
        let salt = Salt::from_bytes(salt);
        let holds = |leaf: &LeafFacts| {
            leaf.event.consent() == self.consent && commitment(&salt, &leaf.event) == Some(leaf.commitment)
        };
        if self.leaves.iter().all(holds) { Ok(()) } else { Err(ReceiptError::OtherLeaf) }
    }
}

impl Kept {
    /// Something that is kept under a row, from this term on.
    pub fn under(row: &Row, term: &Term) -> Self {
        let what = row.categories.iter().map(ToString::to_string).collect();
        Self { row: row.id.to_owned(), what, until: row.deadline(term) }
    }
}

/// A receipt as it is shown: the SD-JWT, and the proof of its holder's key behind it, if there is one.
pub fn split_binding(shown: &str) -> (&str, Option<&str>) {
    match shown.rfind('~') {
        Some(at) if at + 1 < shown.len() => (&shown[..=at], Some(&shown[at + 1..])),
        _ => (shown, None),
    }
}

/// The token that is signed, and the disclosures behind it.
fn parts(token: &str) -> Option<(&str, Vec<&str>)> {
    let mut parts = token.strip_suffix('~')?.split('~');
    Some((parts.next()?, parts.collect()))
}

fn facts(ended: &Ended, erased: &Erased, about: About) -> (Facts, Blinding) {
    let name = ended.name();
    let leaf =
        |leaf: AcceptedLeaf| LeafFacts { leaf: leaf.id(), commitment: leaf.commitment(), event: leaf.event().clone() };
    let facts = Facts {
        format: FORMAT,
        receipt: about.receipt,
        session: name.session,
        run: name.run,
        consent: name.consent,
        notice: about.notice,
        online_service: about.online_service,
        source: about.source,
        outcome: ended.outcome().name().to_owned(),
        code: match ended.outcome() {
            Outcome::Partial(_, failure) => Some(failure.code.to_string()),
            Outcome::Failed(failed) => Some(failed.failure.code.to_string()),
            Outcome::Delivered(_) | Outcome::Withdrawn { .. } | Outcome::Expired => None,
        },
        began_at: ended.started(),
        ended_at: ended.at(),
        categories: about.categories,
        parcel: about.parcel,
        leaves: about.leaves.into_iter().map(leaf).collect(),
        salt: hex::encode(about.salt.danger_bytes()),
        erased: ErasedFacts { at: erased.at(), parts: Erased::PARTS.map(str::to_owned).into() },
        kept: about.kept,
        processing: about.processing,
        cnf: about.holder.map(|jwk| Confirmation { jwk }),
    };
    (facts, about.blinding)
}

#[cfg(test)]
mod tests;
