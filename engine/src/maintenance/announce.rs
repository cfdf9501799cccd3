//! What the operator's own address is told: that a break was opened, came back or was closed, and that a Data Source was suspended. Thin:
//! names of a manifest, and nothing of a report or of anybody. Each waits in the store until it was told, or was tried often enough.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::entropy::Entropy;
use crate::erase::retention::{R11ErrorReportRedacted, Term};
use crate::id::EventId;
use crate::outbox::{LEASE, spread};
use crate::rights::declared::Declared;
use crate::store::{Expect, Record, Shelf, Shelves, StoreError};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happened {
    /// A break that nobody has seen before: its fingerprint.
    BreakOpened(String),
    /// One that was closed came back.
    BreakRegressed(String),
    /// One was closed.
    BreakFixed(String),
    /// A Data Source is held because its runs fail: `CONNECTOR/SOURCE`.
    SourceSuspended(String),
}

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// Its name, which stays the same when it is told again.
    pub id: EventId,
    at: Timestamp,
    happened: Happened,
    attempts: u32,
    next: Timestamp,
}

impl Record for Announcement {
    const NAMESPACE: &'static str = "announcement";
    type Row = R11ErrorReportRedacted;
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
}

/// An event, as it is sent and signed.
#[derive(Serialize, JsonSchema)]
pub struct Event<T> {
    /// What happened. Others may come.
    #[serde(rename = "type")]
    kind: &'static str,
    /// When it happened.
    timestamp: Timestamp,
    data: T,
}

/// A break.
#[derive(Serialize, JsonSchema)]
pub struct OfBreak {
    /// As its ticket names it.
    #[serde(rename = "break")]
    ticket: String,
}

/// A Data Source.
#[derive(Serialize, JsonSchema)]
pub struct OfSource {
    /// `CONNECTOR/SOURCE`.
    source: String,
}

impl Happened {
    /// The events that there are, each with when it is sent.
    pub const BREAKS: [(&'static str, &'static str); 3] = [
        ("break.opened", "A break failed for the first time"),
        ("break.regressed", "A break that was closed failed again"),
        ("break.fixed", "A break was closed"),
    ];
    /// As [`Self::BREAKS`], of a Data Source.
    pub const SUSPENDED: (&'static str, &'static str) =
        ("source.suspended", "A Data Source is held because its runs fail");
}

impl Announcement {
    /// What is sent and signed.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let [opened, regressed, fixed] = Happened::BREAKS.map(|(kind, _)| kind);
        let of_break = |kind, ticket: &String| json(kind, self.at, OfBreak { ticket: ticket.clone() });
        match &self.happened {
            Happened::BreakOpened(ticket) => of_break(opened, ticket),
            Happened::BreakRegressed(ticket) => of_break(regressed, ticket),
            Happened::BreakFixed(ticket) => of_break(fixed, ticket),
            Happened::SourceSuspended(source) => {
                json(Happened::SUSPENDED.0, self.at, OfSource { source: source.clone() })
            }
        }
    }
}

fn json(kind: &'static str, timestamp: Timestamp, data: impl Serialize) -> Vec<u8> {
    // Unwrap safety: texts and a moment are always JSON.
    serde_json::to_vec(&Event { kind, timestamp, data }).expect("texts and a moment")
}

/// Everything that waits to be told.
pub struct Announcements {
    shelf: Shelf<R11ErrorReportRedacted>,
    entropy: Arc<Entropy>,
}

impl Announcements {
    /// On these shelves.
    #[must_use]
    pub fn new(shelves: &Shelves, entropy: Arc<Entropy>) -> Self {
        Self { shelf: shelves.shelf(), entropy }
    }

    /// Has something told, soon.
    ///
    /// # Errors
    /// [`StoreError`]: it is not told.
    pub async fn add(&self, happened: Happened, now: Timestamp) -> Result<(), StoreError> {
        let id = self.entropy.with(|rng| EventId::new(now, rng));
        let announcement = Announcement { id, at: now, happened, attempts: 0, next: now };
        self.shelf.put(&id.to_string(), &announcement, Expect::Absent, Term::from(now)).await.map(drop)
    }

    /// Takes what it is time to tell. What is not ended by [`Announcements::end`] is due again later, as parcels are told again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_due(&self, now: Timestamp) -> Result<Vec<Announcement>, StoreError> {
        let mut due = Vec::new();
        for name in self.shelf.names::<Announcement>().await? {
            let Some(stored) = self.shelf.get::<Announcement>(&name).await? else { continue };
            let mut announcement = stored.value;
            if announcement.next > now {
                continue;
            }
            announcement.attempts += 1;
            let Some(wait) = spread(announcement.id, announcement.attempts) else {
                tracing::error!(event = %announcement.id, "the operator's address does not answer: an event is not told any more");
                self.end(announcement.id).await?;
                continue;
            };
            announcement.next = now + wait.max(LEASE);
            let term = Term::from(announcement.at);
            self.shelf.put(&name, &announcement, Expect::At(stored.revision), term).await?;
            due.push(announcement);
        }
        Ok(due)
    }

    /// It was told, or there is nobody to tell.
    ///
    /// # Errors
    /// [`StoreError`]: it is told again.
    pub async fn end(&self, id: EventId) -> Result<(), StoreError> {
        self.shelf.delete::<Announcement>(&id.to_string()).await
    }
}
