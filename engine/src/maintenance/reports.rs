//! The reports that people agreed to, and the tickets they are grouped into: one for each break, however many people meet it. A ticket
//! counts every failure, also those whose report nobody wanted to give: it holds words of the manifest, versions and numbers. Both are
//! gone 120 days after they were made or last seen (row R11), or when the break is closed.

use std::collections::BTreeSet;
use std::sync::Arc;

use consentry_tape::{Proof, Report};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::entropy::Entropy;
use crate::erase::retention::{R11ErrorReportRedacted, Term};
use crate::id::ReportId;
use crate::maintenance::announce::{Announcements, Happened};
use crate::maintenance::lent::Lendings;
use crate::operator::Sight;
use crate::rights::declared::{Declared, Erase, Export, Rectify, Restrict};
use crate::store::{Expect, Record, Shelf, Shelves, StoreError};

mod view;

pub use view::View;

/// How often a count is tried against others who count.
const COUNTS_MAX: usize = 64;
/// Most versions that one ticket names.
const VERSIONS_MAX: usize = 32;

/// A report that somebody gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// Its name.
    pub id: ReportId,
    /// When it was given.
    pub at: Timestamp,
    /// The key that the connector was signed with: whoever has it is its author.
    #[serde(default)]
    pub signer: Option<String>,
    /// The report.
    pub report: Report,
}

/// One break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// What its failures have in common.
    pub fingerprint: String,
    /// Where it stands.
    pub state: TicketState,
    /// Failures, with and without a report that was given.
    pub failures: u64,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// Versions of the connector that it hit.
    pub versions: BTreeSet<String>,
    /// Whether a recording that fails in the same way could be made.
    pub replayable: bool,
    /// The keys that those versions were signed with.
    #[serde(default)]
    pub signers: BTreeSet<String>,
}

/// Where a ticket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TicketState {
    /// Nobody has closed it yet.
    New,
    /// It came back after it was closed.
    Regressed,
    /// Somebody said that it is mended.
    Fixed,
}

impl TicketState {
    /// Its one name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Regressed => "regressed",
            Self::Fixed => "fixed",
        }
    }
}

impl Record for Given {
    const NAMESPACE: &'static str = "report";
    type Row = R11ErrorReportRedacted;
    // Nothing leads from it to the person but its id, which they were told.
    const RIGHTS: Declared = Declared {
        export: Export::ThatItIsThere,
        rectify: Rectify::NotPersonal,
        erase: Erase::AtOnce,
        restrict: Restrict::NothingIsDoneWithIt,
    };
}

impl Record for Ticket {
    const NAMESPACE: &'static str = "ticket";
    type Row = R11ErrorReportRedacted;
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
}

/// All reports and tickets of a node.
pub struct Reports {
    shelf: Shelf<R11ErrorReportRedacted>,
    lendings: Lendings,
    announcements: Announcements,
    entropy: Arc<Entropy>,
}

impl Reports {
    /// On these shelves.
    #[must_use]
    pub fn new(shelves: &Shelves, entropy: Arc<Entropy>) -> Self {
        let announcements = Announcements::new(shelves, entropy.clone());
        Self { shelf: shelves.shelf(), lendings: Lendings::new(shelves), announcements, entropy }
    }

    /// Counts a failure of a connector that was signed with this key on its ticket, which is made if there is none.
    ///
    /// # Errors
    /// [`StoreError`]: it was not counted, or was and is not announced.
    pub async fn count(&self, report: &Report, signer: Option<&str>, now: Timestamp) -> Result<Ticket, StoreError> {
        let (fingerprint, name) = (report.fingerprint(), name_of(&report.fingerprint()));
        for _ in 0..COUNTS_MAX {
            let (mut ticket, expect) = match self.shelf.get::<Ticket>(&name).await? {
                Some(stored) => (stored.value, Expect::At(stored.revision)),
                None => (Ticket::new(&fingerprint, now), Expect::Absent),
            };
            let happened = ticket.seen(report, signer, now);
            match self.shelf.put(&name, &ticket, expect, Term::from(now)).await {
                Ok(_) => {
                    if let Some(happened) = happened {
                        self.announcements.add(happened, now).await?;
                    }
                    return Ok(ticket);
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict)
    }

    /// Keeps a report that the person agreed to, of a connector that was signed with this key.
    ///
    /// # Errors
    /// [`StoreError`]: it is not kept.
    pub async fn keep(&self, report: &Report, signer: Option<&str>, now: Timestamp) -> Result<ReportId, StoreError> {
        let id = self.entropy.with(|rng| ReportId::new(now, rng));
        let given = Given { id, at: now, signer: signer.map(str::to_owned), report: report.clone() };
        self.shelf.put(&id.to_string(), &given, Expect::Absent, Term::from(now)).await?;
        Ok(id)
    }

    /// Takes a report back: the person does not agree any more.
    ///
    /// # Errors
    /// [`StoreError`]: ask again.
    pub async fn withdraw(&self, id: ReportId) -> Result<(), StoreError> {
        self.shelf.delete::<Given>(&id.to_string()).await
    }

    /// What the operator's own address is to be told.
    #[must_use]
    pub fn announcements(&self) -> &Announcements {
        &self.announcements
    }

    /// The breaks and reports that somebody sees: no door has another way to them.
    #[must_use]
    pub fn seen_by(&self, sight: Sight) -> View<'_> {
        View { reports: self, sight }
    }

    /// The logins that people lent for re-tests.
    #[must_use]
    pub fn lendings(&self) -> &Lendings {
        &self.lendings
    }

    /// Whether there is a break of this name that nobody has closed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_open(&self, fingerprint: &str) -> Result<bool, StoreError> {
        let stored = self.shelf.get::<Ticket>(&name_of(fingerprint)).await?;
        Ok(stored.is_some_and(|stored| stored.value.state != TicketState::Fixed))
    }

    /// The reports that were given for a break, whoever may see them, the first one first.
    async fn given_for(&self, fingerprint: &str) -> Result<Vec<Given>, StoreError> {
        let mut reports = Vec::new();
        for name in self.shelf.names::<Given>().await? {
            let given = self.shelf.get::<Given>(&name).await?.map(|stored| stored.value);
            reports.extend(given.filter(|given| given.report.fingerprint() == fingerprint));
        }
        Ok(reports)
    }
}

impl Ticket {
    fn new(fingerprint: &str, now: Timestamp) -> Self {
        Self {
            fingerprint: fingerprint.to_owned(),
            state: TicketState::New,
            failures: 0,
            first: now,
            last: now,
            versions: BTreeSet::new(),
            replayable: false,
            signers: BTreeSet::new(),
        }
    }

    /// Counts a failure. Answers what there is to tell of that.
    fn seen(&mut self, report: &Report, signer: Option<&str>, now: Timestamp) -> Option<Happened> {
        self.failures += 1;
        if self.signers.len() < VERSIONS_MAX {
            self.signers.extend(signer.map(str::to_owned));
        }
        self.last = self.last.max(now);
        self.replayable |= report.proof == Proof::Replayed;
        if self.versions.len() < VERSIONS_MAX {
            self.versions.insert(report.connector_version.clone());
        }
        if self.state == TicketState::Fixed {
            self.state = TicketState::Regressed;
            return Some(Happened::BreakRegressed(self.fingerprint.clone()));
        }
        (self.failures == 1).then(|| Happened::BreakOpened(self.fingerprint.clone()))
    }
}

/// A fingerprint as the name of a record: it may be long and hold any sign of a selector.
pub(super) fn name_of(fingerprint: &str) -> String {
    use sha2::{Digest as _, Sha256};
    hex::encode(&Sha256::digest(fingerprint.as_bytes())[..16])
}

#[cfg(test)]
mod tests;
