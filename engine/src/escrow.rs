//! Who somebody is whom an Online Service knows by a name of its own, kept so that nobody here can read it.
//!
//! It is sealed to an RSA-4096 key that no node has: the authority's (an ethics committee's), which is offline. A lift begins with an
//! authority's order, which is noted and has its leaf in the ledger before anything is handed out; the authority's tool opens nothing
//! without the proof of that leaf. Pure.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::data::Digest;
use crate::erase::retention::{R19EscrowLink, R28AuthorityDisclosure};
use crate::id::{ConsentId, EventId, OnlineServiceId, SubjectId};
use crate::jose::jwe::CREDENTIALS_BYTES_MAX;
use crate::jose::{PrivateKey, PublicKey, Refused};
use crate::ledger::proof::{self, PROOF_BYTES_MAX, Shown};
use crate::ledger::{Event, Salt, commitment};
use crate::rights::declared::{Declaration, Declared, Erase, Export, Rectify, Restrict};
use crate::store::Record;

/// Longest file that is handed to the authority, in bytes.
pub const FILE_BYTES_MAX: usize = CREDENTIALS_BYTES_MAX + PROOF_BYTES_MAX + 16 * 1024;

/// What is known here of who somebody is: all that the authority finds in the envelope.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// As whom the Online Service knows them.
    pub subject: SubjectId,
    /// Which Online Service.
    pub online_service: OnlineServiceId,
    /// Under which consent something was shared.
    pub consent: ConsentId,
    /// From which Data Source, by its id: who knows them by name.
    pub data_source: String,
    /// The day.
    pub date: Date,
    /// The account, by its random name.
    pub account: String,
    /// Since when it was there.
    pub opened_at: Timestamp,
    /// Where its person is reached, if they said so.
    pub contact: Option<String>,
}

/// An envelope, as it is stored: to us it says that somebody whom an Online Service knows by a name shared something on a day.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escrowed {
    /// Under which consent.
    pub consent: ConsentId,
    /// The [`Identity`], sealed to the authority's key.
    pub envelope: String,
}

/// An authority's order to lift somebody's anonymity, and that it was followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lift {
    /// Names the order.
    pub order: EventId,
    /// Whose anonymity.
    pub subject: SubjectId,
    /// Under which consent they shared something.
    pub consent: ConsentId,
    /// When.
    pub at: Timestamp,
    /// Which authority.
    pub authority: String,
    /// The law and the order that it rests on.
    pub basis: String,
    /// Until when the order forbids to tell the person; none where it does not.
    pub untold_until: Option<Timestamp>,
}

/// What the authority gets: the envelope, and what shows that the order is in the ledger.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiftFile {
    /// The envelope, a JWE to the authority's key.
    pub envelope: String,
    /// What the leaf commits to.
    pub event: Event,
    /// What the leaf is salted with, in hexadecimal.
    pub salt: String,
    /// That the leaf is in the ledger.
    pub proof: String,
}

/// Why an envelope is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LiftError {
    /// The order is not about this envelope, or is no order.
    #[error("the order that comes with it is about something else")]
    OtherOrder,
    /// Its leaf is not shown to be in the ledger.
    #[error("it is not shown that the order is in the ledger: nothing is opened without")]
    NotInTheLog,
    /// The envelope is sealed to another key, or damaged.
    #[error("the envelope does not open with this key")]
    Refused,
}

impl Record for Escrowed {
    const NAMESPACE: &'static str = "escrow";
    const RIGHTS: Declared = Declared {
        export: Export::ThatItIsThere,
        rectify: Rectify::InTheAccount,
        erase: Erase::AtTheEndOfItsPeriod,
        restrict: Restrict::NothingIsDoneWithIt,
    };
    type Row = R19EscrowLink;
}

impl Record for Lift {
    const NAMESPACE: &'static str = "lift";
    const RIGHTS: Declared = Declared {
        export: Export::InAccess,
        rectify: Rectify::ByStatement,
        erase: Erase::AtTheEndOfItsPeriod,
        restrict: Restrict::NothingIsDoneWithIt,
    };
    type Row = R28AuthorityDisclosure;
}

/// What is stored of it declares about a person's rights.
pub(crate) fn declared() -> [Declaration; 2] {
    [Declaration::of::<Escrowed>(), Declaration::of::<Lift>()]
}

impl Lift {
    /// Whether its person may know of it by now.
    pub fn may_be_told(&self, now: Timestamp) -> bool {
        self.untold_until.is_none_or(|until| now >= until)
    }
}

impl LiftFile {
    /// The text of the file.
    pub fn to_text(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Opens the envelope: what the authority's tool does, offline. The order's leaf must be in the ledger, and be about this envelope.
    ///
    /// # Errors
    /// [`LiftError`].
    pub fn open(&self, key: &PrivateKey, log: &[PublicKey]) -> Result<(Identity, Shown), LiftError> {
        let Event::AnonymityLifted { envelope, .. } = &self.event else { return Err(LiftError::OtherOrder) };
        if *envelope != Digest::of(self.envelope.as_bytes()) {
            return Err(LiftError::OtherOrder);
        }
        let mut salt = [0; 32];
        hex::decode_to_slice(&self.salt, &mut salt).map_err(|_| LiftError::NotInTheLog)?;
        let committed = commitment(&Salt::from_bytes(salt), &self.event).ok_or(LiftError::NotInTheLog)?;
        let shown = proof::verify(&self.proof, &committed, log).map_err(|_| LiftError::NotInTheLog)?;
        let opened = key.open(&self.envelope, CREDENTIALS_BYTES_MAX).map_err(|Refused| LiftError::Refused)?;
        let identity: Identity = serde_json::from_slice(&opened).map_err(|_| LiftError::Refused)?;
        if identity.consent != self.event.consent() { Err(LiftError::OtherOrder) } else { Ok((identity, shown)) }
    }
}

impl Identity {
    /// What is sealed.
    pub(crate) fn to_bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        serde_json::to_vec(self).ok().map(Zeroizing::new)
    }
}

/// Without who it is.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Without the salt, by which the consent's leaves are known.
impl fmt::Debug for LiftFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiftFile").field("event", &self.event).finish_non_exhaustive()
    }
}
