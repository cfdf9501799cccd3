//! Consent: asked with a [`Notice`], decided by the person, kept as a record, and looked up before anything is done.
//!
//! Three proofs come out of the register, and out of nowhere else: [`ActiveConsent`] (the consent was active when it was
//! looked up), [`Grant`] (this node, and no other, may open the login, once) and [`DispatchProof`] (this send began before
//! any withdrawal). A proof can't be copied, stored or made up.
//!
//! A type says what was true when somebody looked. What must stay true is decided by compare-and-set on one key, the
//! consent record: using a grant, beginning a send and withdrawing all write it, so one of two always sees the other.
//!
//! Nor is one read from a file, as an id may be:
//! ```
//! fn read(file: &str) -> Option<consentry::id::ConsentId> { serde_json::from_str(file).ok() }
//! ```
//! ```compile_fail,E0277
//! fn read(file: &str) -> Option<consentry::consent::ActiveConsent> { serde_json::from_str(file).ok() }
//! ```
//! ```compile_fail,E0277
//! fn read(file: &str) -> Option<consentry::consent::Grant> { serde_json::from_str(file).ok() }
//! ```
//! ```compile_fail,E0277
//! fn read(file: &str) -> Option<consentry::consent::DispatchProof> { serde_json::from_str(file).ok() }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::data::{Category, Digest};
use crate::erase::retention::R14ConsentRecord;
use crate::id::{ConsentId, GrantId, ParcelId, RightsRequestId, SessionId};
use crate::jose::holder::HolderKey;
use crate::request::DataRequest;
use crate::rights::Ground;
use crate::store::{Expect, Revision, Shelf, StoreError};

mod beside;
mod list;
pub mod notice;
mod proofs;
mod record;
mod under;
mod width;

pub use beside::{Restriction, Statement};
pub use list::OwnConsent;
pub use notice::{AccessTerms, Notice};
pub use record::{Asked, Consent, GRANTS_MAX, Refusal, STATEMENTS_MAX, Status};
pub use width::{Terms, Width};

use record::FORMAT;

/// How often a write is tried again because somebody else wrote first. Nobody writes one record in a loop, so a register
/// that loses this often is broken.
const ATTEMPTS_MAX: u32 = 64;

/// Keeps the consents.
pub struct ConsentRegister {
    shelf: Shelf<R14ConsentRecord>,
    /// Withdrawals that the store did not take, and when. They hold here all the same: whoever reads or writes the record
    /// meets them.
    unwritten: Mutex<BTreeMap<ConsentId, Timestamp>>,
}

/// Proof that a consent was active when it was looked up.
///
/// It can't be cloned:
/// ```
/// fn keep(proof: consentry::consent::ActiveConsent) -> consentry::consent::ActiveConsent { proof }
/// ```
/// ```compile_fail,E0599
/// fn keep(proof: consentry::consent::ActiveConsent) -> consentry::consent::ActiveConsent { proof.clone() }
/// ```
/// And nobody can write one down:
/// ```
/// fn write(id: &consentry::id::ConsentId) -> String { serde_json::to_string(id).unwrap() }
/// ```
/// ```compile_fail,E0277
/// fn write(id: &consentry::consent::ActiveConsent) -> String { serde_json::to_string(id).unwrap() }
/// ```
#[derive(Debug)]
#[must_use]
pub struct ActiveConsent {
    record: Consent,
    revision: Revision,
    looked_at: Timestamp,
}

/// Proof that this node used the grant, and so may open the login once.
///
/// Its source can be copied and written down:
/// ```
/// fn copy<T: Clone>(_: T) {}
/// fn twice(grant: consentry::consent::Grant) { copy(grant.source().to_owned()) }
/// ```
/// ```
/// fn write(grant: &consentry::consent::Grant) -> String { serde_json::to_string(grant.source()).unwrap() }
/// ```
/// and the proof itself can't be, so that a second run can't have it:
/// ```compile_fail,E0277
/// fn copy<T: Clone>(_: T) {}
/// fn twice(grant: consentry::consent::Grant) { copy(grant) }
/// ```
/// ```compile_fail,E0277
/// fn write(grant: &consentry::consent::Grant) -> String { serde_json::to_string(grant).unwrap() }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Grant {
    id: GrantId,
    record: Consent,
}

/// Proof that the send of one parcel began while the consent was active.
///
/// It can be used:
/// ```
/// fn parcel(proof: consentry::consent::DispatchProof) -> consentry::id::ParcelId { proof.parcel() }
/// ```
/// and used once:
/// ```compile_fail,E0599
/// fn parcel(proof: consentry::consent::DispatchProof) -> consentry::id::ParcelId { proof.clone().parcel() }
/// ```
#[derive(Debug)]
#[must_use]
pub struct DispatchProof {
    consent: ConsentId,
    parcel: ParcelId,
    began_at: Timestamp,
}

/// What a withdrawal found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// When it took effect.
    pub at: Timestamp,
    /// A send that had begun before: it may have arrived. After this, none begins.
    pub sending: Option<ParcelId>,
    /// Whether it is on the record durably. Where it is not, it holds as long as this process lives, and is tried again.
    pub noted: bool,
    /// The request to the Online Service that may have received something: it has to answer, signed, by a day.
    pub passed_on: Option<PassedOn>,
}

/// What an Online Service has to answer, and by when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassedOn {
    /// The request.
    pub request: RightsRequestId,
    /// After that its silence is shown.
    pub answer_by: Timestamp,
}

/// Why the register can't do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsentError {
    /// No such record; a person's session may be over for long.
    #[error("there is no such consent")]
    Unknown,
    /// The record does not allow it.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The store failed.
    #[error("the consent register can't be reached")]
    Store(#[from] StoreError),
    /// Others wrote the record all the time.
    #[error("the consent record is being written all the time")]
    Contended,
}

impl ConsentRegister {
    /// Keeps consents on this shelf.
    pub fn new(shelf: Shelf<R14ConsentRecord>) -> Self {
        Self { shelf, unwritten: Mutex::default() }
    }

    /// Makes the record of a consent that is being asked for. It is valid until `valid_until`, decision included.
    ///
    /// # Errors
    /// [`ConsentError::Store`].
    pub async fn ask(
        &self,
        id: ConsentId,
        session: SessionId,
        request: &DataRequest,
        notice: &Notice,
        valid_until: Timestamp,
        now: Timestamp,
    ) -> Result<(), ConsentError> {
        let facts = notice.facts();
        let record = Consent {
            format: FORMAT,
            id,
            session,
            under: None,
            online_service: request.online_service(),
            purpose: request.purpose().to_owned(),
            source: facts.source.id.clone(),
            asked: facts.asked.clone(),
            history_days: facts.history_days,
            notice: notice.digest(),
            valid_until,
            granted: BTreeSet::new(),
            predicates: BTreeSet::new(),
            status: Status::Requested,
            asked_at: now,
            changed_at: now,
            grants: vec![],
            sends: vec![],
            told: Box::new(facts.clone()),
            attested: None,
            holder: None,
            restricted: None,
            statements: vec![],
        };
        if self.write(&record, Expect::Absent).await? { Ok(()) } else { Err(ConsentError::Contended) }
    }

    /// Records the person's yes to what the notice with this digest says, for these categories.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub async fn give(
        &self,
        id: ConsentId,
        notice: &Digest,
        granted: &BTreeSet<Category>,
        now: Timestamp,
    ) -> Result<Consent, ConsentError> {
        self.give_all(id, notice, granted, &BTreeSet::new(), now).await
    }

    /// As [`ConsentRegister::give`], also for questions that are answered here.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub async fn give_all(
        &self,
        id: ConsentId,
        notice: &Digest,
        granted: &BTreeSet<Category>,
        predicates: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<Consent, ConsentError> {
        Ok(self.change(id, |record| record.give(notice, granted.clone(), predicates.clone(), now)).await?.0)
    }

    /// Binds the receipts of a consent that is asked for to the person's key.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub async fn bind(&self, id: ConsentId, key: &HolderKey, now: Timestamp) -> Result<(), ConsentError> {
        self.change(id, |record| record.bind(key, now)).await.map(drop)
    }

    /// Records the person's no.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub async fn refuse(&self, id: ConsentId, now: Timestamp) -> Result<(), ConsentError> {
        self.change(id, |record| record.refuse(now)).await.map(drop)
    }

    /// Records that the person took it back. When this returns, no login is opened and no send begins any more under this
    /// consent, even if the store took no write; one that had begun is named.
    ///
    /// # Errors
    /// [`ConsentError::Refused`]: there is nothing to take back. [`ConsentError::Store`]: the record can't even be read; it is
    /// withdrawn all the same, and whether a send had begun is not known.
    pub async fn withdraw(&self, id: ConsentId, now: Timestamp) -> Result<Withdrawal, ConsentError> {
        let (record, noted) = match self.change(id, |record| record.withdraw(now)).await {
            Ok((record, _)) => (record, true),
            Err(ConsentError::Store(_) | ConsentError::Contended) => {
                self.unwritten().entry(id).or_insert(now);
                // Read after it holds: a send that begins is seen here, or sees it.
                (self.record(id).await?, false)
            }
            Err(error) => return Err(error),
        };
        Ok(Withdrawal { at: record.changed_at(), sending: record.sending(), noted, passed_on: None })
    }

    /// Marks that nothing is done under a consent any more. What is being done is not stopped by this.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub async fn restrict(&self, id: ConsentId, ground: Ground, now: Timestamp) -> Result<(), ConsentError> {
        self.change(id, |record| Ok(record.restrict(ground, now))).await.map(drop)
    }

    /// Puts the person's words beside a record, which stays what was decided.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub async fn state(&self, id: ConsentId, text: &str, now: Timestamp) -> Result<(), ConsentError> {
        self.change(id, |record| record.state(text, now)).await.map(drop)
    }

    /// Writes the withdrawals that the store did not take before.
    ///
    /// # Errors
    /// [`ConsentError`] of the first that it does not take now either.
    pub async fn write_withdrawals(&self) -> Result<(), ConsentError> {
        let waiting: Vec<ConsentId> = self.unwritten().keys().copied().collect();
        for id in waiting {
            self.change(id, Ok).await?;
        }
        Ok(())
    }

    /// Closes the record because its time is over.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub async fn expire(&self, id: ConsentId, now: Timestamp) -> Result<(), ConsentError> {
        self.change(id, |record| Ok(record.expire(now))).await.map(drop)
    }

    /// Looks whether the consent is active now.
    ///
    /// # Errors
    /// [`ConsentError::Refused`] says why it is not.
    pub async fn active(&self, id: ConsentId, now: Timestamp) -> Result<ActiveConsent, ConsentError> {
        let (record, revision, _) = self.read(id).await?;
        record.check_active(now)?;
        Ok(ActiveConsent { record, revision, looked_at: now })
    }

    /// Issues a grant: a name that one node can turn into a [`Grant`], once.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub async fn issue_grant(&self, id: ConsentId, grant: GrantId, now: Timestamp) -> Result<(), ConsentError> {
        self.change(id, |record| record.issue(grant, now)).await.map(drop)
    }

    /// Uses a grant on this node. Of all who try, one succeeds, and none after a withdrawal.
    ///
    /// # Errors
    /// [`Refusal::GrantUsed`] for everybody but the first.
    pub async fn use_grant(
        &self,
        id: ConsentId,
        grant: GrantId,
        node: &str,
        now: Timestamp,
    ) -> Result<Grant, ConsentError> {
        let (record, _) = self.change(id, |record| record.use_grant(grant, node, now)).await?;
        Ok(Grant { id: grant, record })
    }

    /// Begins to send a parcel. The proof is won by writing the record at the very revision that was looked at, or at a
    /// later one that is still active; whoever withdraws writes the same record.
    ///
    /// # Errors
    /// [`ConsentError::Refused`] if the consent ended in between.
    pub async fn dispatch(
        &self,
        active: ActiveConsent,
        parcel: ParcelId,
        now: Timestamp,
    ) -> Result<DispatchProof, ConsentError> {
        let consent = active.record.id();
        let sending = active.record.begin_send(parcel, now)?;
        if !self.write(&sending, Expect::At(active.revision)).await? {
            self.change(consent, |record| record.begin_send(parcel, now)).await?;
        }
        Ok(DispatchProof { consent, parcel, began_at: now })
    }

    /// Closes every consent whose time is over, so that its period begins to run, and names all that are closed, with the
    /// time since when. For the start of a node.
    ///
    /// # Errors
    /// [`ConsentError::Store`].
    pub async fn expire_due(&self, now: Timestamp) -> Result<Vec<(ConsentId, Timestamp)>, ConsentError> {
        let mut closed = Vec::new();
        for name in self.shelf.names::<Consent>().await? {
            let Some(stored) = self.shelf.get::<Consent>(&name).await? else { continue };
            let id = stored.value.id();
            if !stored.value.is_open() {
                closed.push((id, stored.value.changed_at()));
            } else if stored.value.valid_until() <= now {
                self.expire(id, now).await?;
                closed.push((id, now));
            }
        }
        Ok(closed)
    }

    /// The record as it is now, for the receipt and for the person.
    ///
    /// # Errors
    /// [`ConsentError::Unknown`] and [`ConsentError::Store`].
    pub async fn record(&self, id: ConsentId) -> Result<Consent, ConsentError> {
        Ok(self.read(id).await?.0)
    }

    /// The record as the person's word has it, and whether that is how it is stored.
    async fn read(&self, id: ConsentId) -> Result<(Consent, Revision, bool), ConsentError> {
        let stored = self.shelf.get::<Consent>(&id.to_string()).await?.ok_or(ConsentError::Unknown)?;
        let unwritten = self.unwritten().get(&id).copied();
        match unwritten.map(|at| stored.value.clone().withdraw(at)) {
            Some(Ok(withdrawn)) => {
                let same = withdrawn == stored.value;
                Ok((withdrawn, stored.revision, same))
            }
            _ => Ok((stored.value, stored.revision, true)),
        }
    }

    /// Writes the record if nobody wrote since; says whether it did.
    async fn write(&self, record: &Consent, expect: Expect) -> Result<bool, ConsentError> {
        match self.shelf.put(&record.id().to_string(), record, expect, record.term()).await {
            Ok(_) if record.status() == Status::Withdrawn => {
                self.unwritten().remove(&record.id());
                Ok(true)
            }
            // The person withdrew in between, and the store did not take that.
            Ok(_) if self.unwritten().contains_key(&record.id()) => Err(Refusal::Withdrawn.into()),
            Ok(_) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn unwritten(&self) -> MutexGuard<'_, BTreeMap<ConsentId, Timestamp>> {
        // An entry is put in or taken out in one step.
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn change(
        &self,
        id: ConsentId,
        change: impl Fn(Consent) -> Result<Consent, Refusal>,
    ) -> Result<(Consent, Revision), ConsentError> {
        for _ in 0..ATTEMPTS_MAX {
            let (record, revision, is_stored) = self.read(id).await?;
            let changed = change(record.clone())?;
            if (is_stored && changed == record) || self.write(&changed, Expect::At(revision)).await? {
                return Ok((changed, revision));
            }
        }
        Err(ConsentError::Contended)
    }
}

#[cfg(test)]
mod tests;
