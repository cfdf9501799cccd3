//! Logins that people lend for live re-tests of a break, each by a consent of its own, after they gave the report (row R10).
//!
//! A login is kept as the browser sealed it to the maintenance key; nobody opens it to keep it. There is no way to read one: all that can be
//! done is to open it once ([`Lendings::open`]), which is noted, durably, in the record that its person sees. It is gone with the repair, when
//! its person takes it back, or 120 days after the failure. The record of the consent (row R14) stays as proof: what was lent, each
//! opening, and the end.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use consentry_host_api::stop::{StopReason, Stopper};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::erase::retention::{R10CredentialMaintenance, R14ConsentRecord, Retained as _, Term};
use crate::id::{ConsentId, OnlineServiceId, ReportId, SessionId, SubjectId};
use crate::rights::declared::{Declaration, Declared, Erase, Export, Rectify, Restrict};
use crate::store::{Expect, Record, Shelf, Shelves, StoreError, Stored};

/// How often a change is tried against others who change the same record.
const ATTEMPTS_MAX: usize = 16;
/// How often one login is opened at most.
pub const OPENINGS_MAX: usize = 64;

/// A login, sealed to the maintenance key. Its name is that of the consent under which the run failed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LentLogin {
    jwe: String,
}

/// The consent to lend a login, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lending {
    /// The consent under which the run failed.
    pub consent: ConsentId,
    /// Its session: what was sealed names it, too.
    pub session: SessionId,
    /// For whom that session was.
    pub online_service: OnlineServiceId,
    /// As whom the Online Service knows the person, where they had signed in.
    pub subject: Option<SubjectId>,
    /// The report that was given before.
    pub report: ReportId,
    /// The break, as its ticket names it.
    pub ticket: String,
    /// The connector.
    pub connector: String,
    /// The Data Source.
    pub source: String,
    /// BCP 47 language of the person.
    pub language: String,
    /// When the person agreed.
    pub agreed_at: Timestamp,
    /// When the run failed: the 120 days begin here.
    pub failed_at: Timestamp,
    /// Each time that it was opened, the first one first.
    pub openings: Vec<Opening>,
    /// Its end, if it ended before its time was over.
    pub ended: Option<Ended>,
    /// What the person agreed to before, if they lent one again after its end.
    #[serde(default)]
    pub before: Vec<Before>,
}

/// A login that was lent under the same consent before, and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// The report that it belonged to.
    pub report: ReportId,
    /// When the person agreed.
    pub agreed_at: Timestamp,
    /// Its end; none if its time was over.
    pub ended: Option<Ended>,
}

/// One opening of a lent login: one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// When; it was noted before the run began.
    pub at: Timestamp,
    /// `complete`, `partial`, or the code of the failure; none as long as the run goes on, or if it was cut off.
    pub outcome: Option<String>,
}

/// When a lent login was let go, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: Why,
}

/// Why a lent login was let go before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The person took it back, or the report, or the consent under which the run failed.
    Withdrawn,
    /// The break is mended.
    Fixed,
    /// The Data Source does not take it, or it does not open: it is of no use, and to try again could lock the account.
    Unusable,
    /// Everything of the person, the session or the Online Service was erased.
    Erased,
}

/// What the person sees of a login that they lent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// The consent under which the run failed.
    pub consent: ConsentId,
    /// At which Data Source.
    pub source: String,
    /// The report that it belongs to.
    pub report: ReportId,
    /// Since when.
    pub agreed_at: Timestamp,
    /// Until when at most.
    pub until: Timestamp,
    /// Whether it is still there.
    pub kept: bool,
    /// Each time that it was opened.
    pub openings: Vec<Opening>,
    /// Its end, if it ended before its time was over.
    pub ended: Option<Ended>,
    /// What they lent under this consent before.
    pub before: Vec<Before>,
}

impl Record for LentLogin {
    const NAMESPACE: &'static str = "lent-login";
    const RIGHTS: Declared = Declared {
        // Nobody reads it, not even for its person: what they see is the record of the consent.
        export: Export::ThatItIsThere,
        rectify: Rectify::ByBeginningAnew,
        erase: Erase::AtOnce,
        restrict: Restrict::NothingIsDoneUnderIt,
    };
    type Row = R10CredentialMaintenance;
}

impl Record for Lending {
    const NAMESPACE: &'static str = "lending";
    const RIGHTS: Declared = Declared {
        export: Export::InAccess,
        rectify: Rectify::ByStatement,
        erase: Erase::AtTheEndOfItsPeriod,
        restrict: Restrict::NothingIsDoneUnderIt,
    };
    type Row = R14ConsentRecord;
}

/// What is stored here, and what it declares.
pub(crate) fn declared() -> [Declaration; 2] {
    [Declaration::of::<LentLogin>(), Declaration::of::<Lending>()]
}

impl Lending {
    /// When the login is gone at the latest.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        until(self.failed_at)
    }

    fn login_term(&self) -> Term {
        Term::from(self.failed_at)
    }

    /// The period of the record begins where the consent ends.
    pub(crate) fn term(&self) -> Term {
        Term::from(self.ended.map_or(self.until(), |ended| ended.at))
    }
}

/// When a login is gone at the latest that was lent after a run failed at this instant.
#[must_use]
pub fn until(failed_at: Timestamp) -> Timestamp {
    R10CredentialMaintenance::ROW.deadline(&Term::from(failed_at)).unwrap_or(failed_at)
}

/// All logins that people lent to a node.
#[derive(Debug, Clone)]
pub struct Lendings {
    shelves: Shelves,
    logins: Shelf<R10CredentialMaintenance>,
    records: Shelf<R14ConsentRecord>,
    /// One at a time is lent, let go, or begins to be used.
    turns: Arc<tokio::sync::Mutex<()>>,
    running: Arc<Mutex<HashMap<ConsentId, Use>>>,
}

/// How a run with a lent login is ended, and how its end is waited for.
#[derive(Debug, Clone, Default)]
struct Use {
    stopper: Stopper,
    over: CancellationToken,
}

/// A run with a lent login, until this is dropped. Nothing of the login may be left then.
pub(crate) struct Running {
    lendings: Lendings,
    consent: ConsentId,
    it: Use,
}

impl Running {
    /// What ends the run when its login is let go.
    pub(crate) fn stopper(&self) -> Stopper {
        self.it.stopper.clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.lendings.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.consent);
        self.it.over.cancel();
    }
}

impl Lendings {
    /// On these shelves.
    #[must_use]
    pub fn new(shelves: &Shelves) -> Self {
        let (turns, running) = (Arc::default(), Arc::default());
        Self { shelves: shelves.clone(), logins: shelves.shelf(), records: shelves.shelf(), turns, running }
    }

    /// Keeps a login as it was sealed. One that is lent already stays as it is.
    ///
    /// # Errors
    /// [`StoreError`]: it is not kept.
    pub async fn lend(&self, lending: &Lending, jwe: &str) -> Result<(), StoreError> {
        let _turn = self.turns.lock().await;
        let name = lending.consent.to_string();
        if self.logins.holds::<LentLogin>(&name).await? {
            return Ok(());
        }
        let mut lending = lending.clone();
        let mut expect = Expect::Absent;
        if let Some(stored) = self.records.get::<Lending>(&name).await? {
            expect = Expect::At(stored.revision);
            let Lending { report, agreed_at, ended, openings, before, .. } = stored.value;
            lending.openings = openings;
            lending.before = before;
            lending.before.push(Before { report, agreed_at, ended });
        }
        // The consent first: no login is kept without one.
        self.records.put(&name, &lending, expect, lending.term()).await?;
        let login = LentLogin { jwe: jwe.to_owned() };
        self.logins.put_anew(&name, &login, Expect::Any, lending.login_term()).await.map(drop)
    }

    /// The record of one, whether its login is still there or not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, consent: ConsentId) -> Result<Option<Lending>, StoreError> {
        Ok(self.stored(consent).await?.map(|stored| stored.value))
    }

    /// What its person sees.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn seen(&self, consent: ConsentId) -> Result<Option<Seen>, StoreError> {
        let Some(lending) = self.get(consent).await? else { return Ok(None) };
        let (kept, until) = (self.logins.holds::<LentLogin>(&consent.to_string()).await?, lending.until());
        let Lending { source, report, agreed_at, openings, ended, before, .. } = lending;
        Ok(Some(Seen { consent, source, report, agreed_at, until, kept, openings, ended, before }))
    }

    /// Every record, whether its login is still there or not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn all(&self) -> Result<Vec<Lending>, StoreError> {
        let mut all = Vec::new();
        for name in self.records.names::<Lending>().await? {
            all.extend(self.records.get::<Lending>(&name).await?.map(|stored| stored.value));
        }
        Ok(all)
    }

    /// Those of a break whose login is there and may be opened, the one that was opened least first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of(&self, ticket: &str) -> Result<Vec<Lending>, StoreError> {
        let kept: BTreeSet<String> = self.logins.names::<LentLogin>().await?.into_iter().collect();
        let mut found = Vec::new();
        for lending in self.all().await? {
            let name = lending.consent.to_string();
            let open = lending.ended.is_none() && lending.openings.len() < OPENINGS_MAX;
            if open && lending.ticket == ticket && kept.contains(&name) && self.logins.holds::<LentLogin>(&name).await?
            {
                found.push(lending);
            }
        }
        found.sort_by_key(|lending| (lending.openings.len(), lending.agreed_at, lending.consent));
        Ok(found)
    }

    /// Begins a run with a login; none if there is one already: two at a time could lock the account.
    pub(crate) async fn begin(&self, consent: ConsentId) -> Option<Running> {
        let _turn = self.turns.lock().await;
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.contains_key(&consent) {
            return None;
        }
        let it = Use::default();
        running.insert(consent, it.clone());
        Some(Running { lendings: self.clone(), consent, it })
    }

    /// Notes an opening, and only then gives the sealed login for one run; none if it is not there, or not any more.
    ///
    /// # Errors
    /// [`StoreError`]: the opening is not noted, and there is none.
    pub(crate) async fn open(&self, consent: ConsentId, now: Timestamp) -> Result<Option<String>, StoreError> {
        let noted = self.change(consent, |lending| {
            let may = lending.ended.is_none() && lending.openings.len() < OPENINGS_MAX;
            if may {
                lending.openings.push(Opening { at: now, outcome: None });
            }
            may
        });
        if !noted.await? {
            return Ok(None);
        }
        Ok(self.logins.get::<LentLogin>(&consent.to_string()).await?.map(|stored| stored.value.jwe))
    }

    /// Notes how the run of an opening ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn note(&self, consent: ConsentId, opened: Timestamp, outcome: &str) -> Result<(), StoreError> {
        let noted = self.change(consent, |lending| {
            let opening = lending.openings.iter_mut().rfind(|each| each.at == opened && each.outcome.is_none());
            opening.map(|opening| opening.outcome = Some(outcome.to_owned())).is_some()
        });
        noted.await.map(drop)
    }

    /// Erases a login, its key with it, also in older copies of the store's files; the record says so. A run with it is ended first. To end
    /// it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`]: ask again.
    pub async fn end(&self, consent: ConsentId, why: Why, now: Timestamp) -> Result<(), StoreError> {
        let _turn = self.turns.lock().await;
        let used = self.running.lock().unwrap_or_else(PoisonError::into_inner).get(&consent).cloned();
        if let Some(used) = used {
            used.stopper.stop(StopReason::Withdrawn);
            used.over.cancelled().await;
        }
        self.logins.delete::<LentLogin>(&consent.to_string()).await?;
        let ended = self.change(consent, |lending| {
            let now_ends = lending.ended.is_none() && now < lending.until();
            if now_ends {
                lending.ended = Some(Ended { at: now, why });
            }
            now_ends
        });
        if ended.await? {
            self.shelves.destroy_due(now).await?;
        }
        Ok(())
    }

    /// Ends all of a break, because it is mended.
    ///
    /// # Errors
    /// [`StoreError`]: ask again.
    pub async fn end_of(&self, ticket: &str, now: Timestamp) -> Result<(), StoreError> {
        for lending in self.all().await?.into_iter().filter(|lending| lending.ticket == ticket) {
            self.end(lending.consent, Why::Fixed, now).await?;
        }
        Ok(())
    }

    async fn stored(&self, consent: ConsentId) -> Result<Option<Stored<Lending>>, StoreError> {
        self.records.get(&consent.to_string()).await
    }

    /// Changes a record, if there is one and there is something to change; tells whether that was so.
    async fn change(&self, consent: ConsentId, change: impl Fn(&mut Lending) -> bool) -> Result<bool, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some(Stored { mut value, revision, .. }) = self.stored(consent).await? else { return Ok(false) };
            if !change(&mut value) {
                return Ok(false);
            }
            match self.records.put(&consent.to_string(), &value, Expect::At(revision), value.term()).await {
                Err(StoreError::Conflict) => {}
                written => return written.map(|_| true),
            }
        }
        Err(StoreError::Conflict)
    }
}

#[cfg(test)]
mod tests;
