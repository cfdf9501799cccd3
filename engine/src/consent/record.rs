//! The consent record and its transitions, which consume it. Pure: the register reads, calls one of these and writes the
//! result back by compare-and-set, so that whatever must never happen together is decided here, on one key.
//!
//! Grants and sends stand in the record itself. That is what makes "no login is opened and no send begins after a
//! withdrawal" one comparison instead of a promise between two keys.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::beside::{Restriction, Statement};
use super::notice::Facts;
use crate::data::{Category, Digest};
use crate::erase::retention::{R14ConsentRecord, Term};
use crate::id::{ConsentId, GrantId, OnlineServiceId, ParcelId, SessionId};
use crate::jose::holder::HolderKey;
use crate::online_service::Localised;
use crate::rights::Ground;
use crate::rights::declared::{Declared, Erase, Export, Rectify, Restrict};
use crate::store::Record;

/// The version of the stored record.
pub(super) const FORMAT: u8 = 2;
/// Most statements of one record.
pub const STATEMENTS_MAX: usize = 16;

/// How many grants one consent can have: the first login and the two that may follow a refused one.
pub const GRANTS_MAX: usize = 1 + crate::session::state::LOGINS_REJECTED_MAX as usize;

/// A person's consent, as it is stored: what was asked, what was granted, what was done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The version of this format.
    pub(super) format: u8,
    pub(super) id: ConsentId,
    pub(super) session: SessionId,
    /// The consent for automatic synchronisation under which this is one access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) under: Option<ConsentId>,
    pub(super) online_service: OnlineServiceId,
    pub(super) purpose: String,
    pub(super) source: String,
    pub(super) asked: Vec<Asked>,
    pub(super) history_days: Option<u16>,
    /// The digest of the notice that was shown.
    pub(super) notice: Digest,
    pub(super) valid_until: Timestamp,
    pub(super) granted: BTreeSet<Category>,
    pub(super) predicates: BTreeSet<String>,
    pub(super) status: Status,
    pub(super) asked_at: Timestamp,
    pub(super) changed_at: Timestamp,
    pub(super) grants: Vec<GrantEntry>,
    pub(super) sends: Vec<SendEntry>,
    /// What the notice was made of.
    pub(super) told: Box<Facts>,
    /// When the person said that they may use the account.
    pub(super) attested: Option<Timestamp>,
    /// The person's key that its receipts are bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) holder: Option<HolderKey>,
    /// Nothing is done under it, for this reason.
    pub(super) restricted: Option<Restriction>,
    /// What the person put beside it.
    pub(super) statements: Vec<Statement>,
}

/// One category that was asked for, and the reason given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// The category.
    pub category: Category,
    /// Why the Online Service needs it.
    pub why: Localised,
}

/// Where a consent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The notice was made; nobody decided.
    Requested,
    /// The person agreed.
    Given,
    /// The person said no.
    Refused,
    /// The person took it back.
    Withdrawn,
    /// Its time is over.
    Expired,
}

/// A permission to open a login once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GrantEntry {
    pub(super) id: GrantId,
    pub(super) issued_at: Timestamp,
    pub(super) used: Option<Use>,
}

/// Which node used a grant, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Use {
    pub(super) node: String,
    pub(super) at: Timestamp,
}

/// A send that began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SendEntry {
    pub(super) parcel: ParcelId,
    pub(super) began_at: Timestamp,
}

/// Why a consent does not allow what was wanted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nobody has decided yet.
    #[error("the person has not decided")]
    NotGiven,
    /// The person said no.
    #[error("the person refused")]
    Refused,
    /// The person took it back.
    #[error("the consent was withdrawn")]
    Withdrawn,
    /// Its time is over.
    #[error("the consent has expired")]
    Expired,
    /// The person has restricted it.
    #[error("the person has restricted what is done under this consent")]
    Restricted,
    /// There are as many statements as a record takes.
    #[error("a record takes {STATEMENTS_MAX} statements at most")]
    TooManyStatements,
    /// The person did not say that they may use the account.
    #[error("the person has to say that the account is theirs, or that they may use it")]
    NotAttested,
    /// The decision was already made.
    #[error("the person has already decided")]
    AlreadyDecided,
    /// What was decided about is not what was shown.
    #[error("the decision names another notice than the one that was shown")]
    OtherNotice,
    /// A category was granted that was not asked for, or none at all was.
    #[error("what is granted is not a part of what was asked for")]
    NotAsked,
    /// The grant was used before.
    #[error("the grant has been used")]
    GrantUsed,
    /// No such grant.
    #[error("there is no such grant")]
    NoSuchGrant,
    /// As many logins as one consent allows were opened.
    #[error("no further login may be opened under this consent")]
    GrantsSpent,
    /// Another parcel is being sent under this consent.
    #[error("another parcel is already being sent under this consent")]
    OtherParcel,
}

impl Record for Consent {
    const NAMESPACE: &'static str = "consent";
    const RIGHTS: Declared = Declared {
        export: Export::InAccess,
        rectify: Rectify::ByStatement,
        erase: Erase::AtTheEndOfItsPeriod,
        restrict: Restrict::NothingIsDoneUnderIt,
    };
    type Row = R14ConsentRecord;
}

impl Consent {
    /// Records the person's yes to the notice with this digest, for these categories. The same yes again changes nothing.
    ///
    /// # Errors
    /// [`Refusal::AlreadyDecided`], [`Refusal::OtherNotice`], [`Refusal::NotAsked`], [`Refusal::Expired`].
    pub(super) fn give(
        self,
        notice: &Digest,
        granted: BTreeSet<Category>,
        predicates: BTreeSet<String>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let same = self.granted == granted && self.predicates == predicates;
        if self.status == Status::Given && &self.notice == notice && same {
            self.check_active(now)?;
            return Ok(self);
        }
        self.undecided(now)?;
        if &self.notice != notice {
            return Err(Refusal::OtherNotice);
        }
        let categories = granted.iter().all(|category| self.asked.iter().any(|a| a.category == *category));
        let questions = predicates.iter().all(|told| self.told.predicates.iter().any(|a| a.predicate == *told));
        if (granted.is_empty() && predicates.is_empty()) || !categories || !questions {
            return Err(Refusal::NotAsked);
        }
        Ok(Self { granted, predicates, attested: Some(now), ..self.become_status(Status::Given, now) })
    }

    /// Binds its receipts to a key, before the decision.
    ///
    /// # Errors
    /// [`Refusal::AlreadyDecided`] and [`Refusal::Expired`].
    pub(super) fn bind(self, key: &HolderKey, now: Timestamp) -> Result<Self, Refusal> {
        self.undecided(now)?;
        Ok(Self { holder: Some(key.clone()), ..self })
    }

    /// Marks that nothing is done under it. The first ground stays.
    pub(super) fn restrict(self, ground: Ground, now: Timestamp) -> Self {
        let restricted = self.restricted.clone().or(Some(Restriction { ground, since: now }));
        Self { restricted, ..self }
    }

    /// Puts the person's words beside it.
    ///
    /// # Errors
    /// [`Refusal::TooManyStatements`].
    pub(super) fn state(mut self, text: &str, now: Timestamp) -> Result<Self, Refusal> {
        if self.statements.len() >= STATEMENTS_MAX {
            return Err(Refusal::TooManyStatements);
        }
        self.statements.push(Statement { at: now, text: text.to_owned() });
        Ok(self)
    }

    /// Records the person's no.
    ///
    /// # Errors
    /// [`Refusal::AlreadyDecided`] and [`Refusal::Expired`].
    pub(super) fn refuse(self, now: Timestamp) -> Result<Self, Refusal> {
        self.undecided(now)?;
        Ok(self.become_status(Status::Refused, now))
    }

    /// Records that the person took it back. A second withdrawal changes nothing; one that comes after the end of the
    /// consent is recorded all the same, since the person's word counts more than our clock.
    ///
    /// # Errors
    /// [`Refusal::NotGiven`] and [`Refusal::Refused`]: there is nothing to take back.
    pub(super) fn withdraw(self, now: Timestamp) -> Result<Self, Refusal> {
        match self.status {
            Status::Requested => Err(Refusal::NotGiven),
            Status::Refused => Err(Refusal::Refused),
            Status::Withdrawn => Ok(self),
            Status::Given | Status::Expired => Ok(self.become_status(Status::Withdrawn, now)),
        }
    }

    /// Closes the record when its time is over. An end that is there already stays.
    pub(super) fn expire(self, now: Timestamp) -> Self {
        match self.status {
            Status::Requested | Status::Given => self.become_status(Status::Expired, now),
            Status::Refused | Status::Withdrawn | Status::Expired => self,
        }
    }

    /// Issues a grant.
    ///
    /// # Errors
    /// The consent is not active, or [`Refusal::GrantsSpent`].
    pub(super) fn issue(mut self, id: GrantId, now: Timestamp) -> Result<Self, Refusal> {
        self.check_active(now)?;
        if self.grants.len() >= GRANTS_MAX {
            return Err(Refusal::GrantsSpent);
        }
        self.grants.push(GrantEntry { id, issued_at: now, used: None });
        Ok(self)
    }

    /// Marks a grant as used by a node.
    ///
    /// # Errors
    /// The consent is not active, [`Refusal::NoSuchGrant`] or [`Refusal::GrantUsed`].
    pub(super) fn use_grant(mut self, id: GrantId, node: &str, now: Timestamp) -> Result<Self, Refusal> {
        self.check_active(now)?;
        let entry = self.grants.iter_mut().find(|entry| entry.id == id).ok_or(Refusal::NoSuchGrant)?;
        if entry.used.is_some() {
            return Err(Refusal::GrantUsed);
        }
        entry.used = Some(Use { node: node.to_owned(), at: now });
        Ok(self)
    }

    /// Marks that a send begins. The same parcel again is the same send; there is one parcel for one consent.
    ///
    /// # Errors
    /// The consent is not active, or [`Refusal::OtherParcel`].
    pub(super) fn begin_send(mut self, parcel: ParcelId, now: Timestamp) -> Result<Self, Refusal> {
        self.check_active(now)?;
        match self.sends.first() {
            Some(send) if send.parcel == parcel => Ok(self),
            Some(_) => Err(Refusal::OtherParcel),
            None => {
                self.sends.push(SendEntry { parcel, began_at: now });
                Ok(self)
            }
        }
    }

    /// Whether something may be done under this consent now.
    ///
    /// # Errors
    /// Says why not.
    pub(crate) fn check_active(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.status {
            Status::Given if now < self.valid_until && self.restricted.is_some() => Err(Refusal::Restricted),
            Status::Given if now < self.valid_until => Ok(()),
            Status::Given | Status::Expired => Err(Refusal::Expired),
            Status::Requested => Err(Refusal::NotGiven),
            Status::Refused => Err(Refusal::Refused),
            Status::Withdrawn => Err(Refusal::Withdrawn),
        }
    }

    fn undecided(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.status {
            Status::Requested if now < self.valid_until => Ok(()),
            Status::Requested | Status::Expired => Err(Refusal::Expired),
            Status::Given | Status::Refused | Status::Withdrawn => Err(Refusal::AlreadyDecided),
        }
    }

    fn become_status(self, status: Status, now: Timestamp) -> Self {
        Self { status, changed_at: now, ..self }
    }

    /// Whether it has not come to its end.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.status, Status::Requested | Status::Given)
    }

    /// The record is kept while the consent is open, and for the period of its row from its end on.
    pub(super) fn term(&self) -> Term {
        if self.is_open() { Term::open() } else { Term::from(self.changed_at) }
    }

    /// Names the record.
    pub fn id(&self) -> ConsentId {
        self.id
    }

    /// The session it was asked in.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Who may receive data under it.
    pub fn online_service(&self) -> OnlineServiceId {
        self.online_service
    }

    /// What for, by the id of the Online Service's registered purpose.
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// From which Data Source, by its id.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What was asked for.
    pub fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// How far back, in days; none where the categories asked for have no history.
    pub fn history_days(&self) -> Option<u16> {
        self.history_days
    }

    /// The digest of the notice it is bound to.
    pub fn notice(&self) -> &Digest {
        &self.notice
    }

    /// The end of its validity.
    pub fn valid_until(&self) -> Timestamp {
        self.valid_until
    }

    /// What was granted; empty until then.
    pub fn granted(&self) -> &BTreeSet<Category> {
        &self.granted
    }

    /// The questions that may be answered; none until then.
    pub fn predicates(&self) -> &BTreeSet<String> {
        &self.predicates
    }

    /// Where it stands.
    pub fn status(&self) -> Status {
        self.status
    }

    /// When the record was made.
    pub fn asked_at(&self) -> Timestamp {
        self.asked_at
    }

    /// When its status changed last.
    pub fn changed_at(&self) -> Timestamp {
        self.changed_at
    }

    /// The parcel whose sending began under it, if one did.
    pub fn sending(&self) -> Option<ParcelId> {
        self.sends.first().map(|send| send.parcel)
    }

    /// What the notice was made of.
    pub fn told(&self) -> &Facts {
        &self.told
    }

    /// When the person said that they may use the account.
    pub fn attested(&self) -> Option<Timestamp> {
        self.attested
    }

    /// The person's key that its receipts are bound to.
    pub fn holder(&self) -> Option<&HolderKey> {
        self.holder.as_ref()
    }

    /// Why nothing is done under it, if that is so.
    pub fn restriction(&self) -> Option<&Restriction> {
        self.restricted.as_ref()
    }

    /// What the person put beside it.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// How many logins were opened under it.
    pub fn logins_opened(&self) -> usize {
        self.grants.iter().filter(|grant| grant.used.is_some()).count()
    }
}
