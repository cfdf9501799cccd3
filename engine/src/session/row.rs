//! What is stored of a session (retention row R04): ids, state, owner, and the request. It lets
//! another node, or this one after a restart, take a session up, and it goes when the session ends.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::State;
use super::{Choice, Door, Notes, Session};
use crate::account::Link;
use crate::erase::retention::{R04AnonymousSession, Term};
use crate::id::{ConsentId, DataRequestId, OnlineServiceId, RunId, SessionId};
use crate::online_service::KeyHash;
use crate::rights::declared::Declared;
use crate::store::{Expect, Record, Shelf, StoreError};

/// The version of the stored form.
pub const FORMAT: u8 = 1;

/// How often a write is tried against others.
const ATTEMPTS_MAX: u32 = 64;

/// A session, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRow {
    /// The version of this form.
    pub format: u8,
    /// The session.
    pub id: SessionId,
    /// Where it stands.
    pub state: State,
    /// How often it changed: an older row never takes the place of a newer one.
    pub changes: u64,
    /// The node that holds it.
    pub owner: String,
    /// The hash of the person's secret.
    pub person: KeyHash,
    /// When it began.
    pub started: Timestamp,
    /// Who asks.
    pub online_service: OnlineServiceId,
    /// The request.
    pub request: DataRequestId,
    /// The request as it was sent.
    pub request_json: String,
    /// The Data Source that was chosen.
    pub choice: Option<Choice>,
    /// The consent that was asked for.
    pub consent: Option<ConsentId>,
    /// The last run, and when it began.
    pub run: Option<(RunId, Timestamp)>,
    /// What is noted for the receipt: names and numbers.
    pub notes: Notes,
    /// The account that its person signed in to, by its random name.
    #[serde(default)]
    pub link: Option<Link>,
    /// How the person's browser comes in: hashes.
    #[serde(default)]
    pub door: Door,
}

impl Record for SessionRow {
    const NAMESPACE: &'static str = "session";
    const RIGHTS: Declared = Declared::OF_A_SESSION;
    type Row = R04AnonymousSession;
}

/// The stored sessions.
#[derive(Debug, Clone)]
pub struct SessionRows {
    shelf: Shelf<R04AnonymousSession>,
    node: String,
}

impl SessionRows {
    /// Keeps the sessions of this node on this shelf.
    pub fn new(shelf: Shelf<R04AnonymousSession>, node: &str) -> Self {
        Self { shelf, node: node.to_owned() }
    }

    /// Stores where a session stands; deletes what is stored of one that has ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn save(&self, session: &Session) -> Result<(), StoreError> {
        let name = session.id().to_string();
        for _ in 0..ATTEMPTS_MAX {
            let row = session.row(&self.node);
            if row.state.is_end() {
                return self.shelf.delete::<SessionRow>(&name).await;
            }
            let stored = self.shelf.get::<SessionRow>(&name).await?;
            let expect = match stored {
                Some(stored) if stored.value.changes > row.changes => return Ok(()),
                Some(stored) => Expect::At(stored.revision),
                None => Expect::Absent,
            };
            let term = Term::from(session.started()).ending_by(session.deadline());
            match self.shelf.put(&name, &row, expect, term).await {
                // It ended while we wrote: whoever saved the end may have been faster.
                Ok(_) if session.state().is_end() => {}
                Err(StoreError::Conflict) => {}
                written => return written.map(drop),
            }
        }
        Err(StoreError::Conflict)
    }

    /// Whether the store answers, by looking for what is never there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.shelf.holds::<SessionRow>("probe").await.map(drop)
    }

    /// Every stored session that is not past its hour.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn all(&self) -> Result<Vec<SessionRow>, StoreError> {
        let mut rows = vec![];
        for name in self.shelf.names::<SessionRow>().await? {
            rows.extend(self.shelf.get::<SessionRow>(&name).await?.map(|stored| stored.value));
        }
        Ok(rows)
    }
}
