//! Connections: what lets a run find the session at a Data Source again that its person opened, under a consent of its own, for account
//! holders only (row R12). What the last run kept is stored as the host sealed it, in a record of its own key; there is no login in it, and no
//! way to read it but the next run. A connection lives for 180 days from its strong authentication, and less where its consent ends.

use std::sync::Arc;

use consentry_host_api::session_state::{SealedState, StateKey};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::account::AccountName;
use crate::consent::AccessTerms;
use crate::erase::retention::{R12SyncSessionState, Retained as _, Term};
use crate::id::{ConsentId, OnlineServiceId, SessionId, SubjectId};
use crate::rights::declared::{Declaration, Declared, Erase, Export, Rectify, Restrict};
use crate::seal::{SealError, Sealable};
use crate::store::{Expect, Kept, Record, Shelf, Shelves, StoreError, Stored};
use crate::trace::Navigation;

/// After so many logins that the Data Source rejected, one after the other, nothing is tried any more: the next could lock the account.
pub const REJECTED_MAX: u8 = 2;
/// How often a change is tried against others who change the same record.
const ATTEMPTS_MAX: usize = 16;
const KEY_BYTES: usize = 32;

/// A connection, by the consent for automatic synchronisation that it stands on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// That consent; also the connection's name.
    pub consent: ConsentId,
    /// Whose it is.
    pub account: AccountName,
    /// As whom the Online Service knows them.
    pub subject: SubjectId,
    /// Who receives.
    pub online_service: OnlineServiceId,
    /// The session in which the person was there.
    pub session: SessionId,
    /// What is asked for, as the Online Service sent it.
    pub request_json: String,
    /// The connector's id.
    pub connector: String,
    /// The Data Source's id.
    pub source: String,
    /// The person's language.
    pub navigation: Navigation,
    /// The strong authentication: when the person collected, being there.
    pub authenticated_at: Timestamp,
    /// How often, and for how long, the person agreed to.
    pub terms: AccessTerms,
    /// When the next access is due.
    pub next_at: Timestamp,
    /// When the last one began.
    pub last_at: Option<Timestamp>,
    /// How many logins the Data Source rejected, one after the other.
    pub rejected: u8,
    /// Where it stands.
    pub standing: Standing,
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// The next access comes when it is due.
    Active,
    /// Nothing is tried until the person collects again, being there, and agrees again.
    PersonNeeded,
    /// The same, because the Data Source rejected the login [`REJECTED_MAX`] times.
    Held,
}

/// What the last run kept, as the host sealed it, and the key for the next one.
pub struct KeptSession {
    key: StateKey,
    sealed: SealedState,
}

impl Record for Connection {
    const NAMESPACE: &'static str = "connection";
    const RIGHTS: Declared = Declared {
        export: Export::InAccess,
        rectify: Rectify::ByBeginningAnew,
        erase: Erase::AtOnce,
        restrict: Restrict::NothingIsDoneUnderIt,
    };
    type Row = R12SyncSessionState;
}

// Not as JSON: it holds a key.
impl Sealable for KeptSession {
    const NAMESPACE: &'static str = "kept-session";

    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES + self.sealed.as_bytes().len()));
        bytes.extend_from_slice(self.key.danger_bytes());
        bytes.extend_from_slice(self.sealed.as_bytes());
        Ok(bytes)
    }
}

impl Kept for KeptSession {
    type Row = R12SyncSessionState;
    const RIGHTS: Declared = Declared {
        // Nobody reads it, not even for its person: it would open their account elsewhere.
        export: Export::ThatItIsThere,
        rectify: Rectify::ByBeginningAnew,
        erase: Erase::AtOnce,
        restrict: Restrict::NothingIsDoneUnderIt,
    };

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (key, sealed) = bytes.split_first_chunk::<KEY_BYTES>()?;
        Some(Self { key: StateKey::new(Zeroizing::new(*key)), sealed: SealedState::from_bytes(sealed.to_vec()) })
    }
}

/// What is stored here, and what it declares.
pub(crate) fn declared() -> [Declaration; 2] {
    [Declaration::of::<Connection>(), Declaration::of::<KeptSession>()]
}

impl Connection {
    /// When it is over at the latest: with its consent, and never later than 180 days from the strong authentication (RTS 2018/389 art. 10a).
    pub fn until(&self) -> Timestamp {
        until(self.authenticated_at, self.terms)
    }

    fn term(&self) -> Term {
        Term::from(self.authenticated_at).ending_by(self.until())
    }

    /// Whether an access is due.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.standing == Standing::Active && now >= self.next_at
    }

    /// The Data Source rejected the login once more.
    pub(crate) fn reject(&mut self) {
        self.rejected = self.rejected.saturating_add(1);
        if self.rejected >= REJECTED_MAX {
            self.standing = Standing::Held;
        }
    }
}

/// When a consent for automatic synchronisation is over that was given with this strong authentication.
pub fn until(authenticated_at: Timestamp, terms: AccessTerms) -> Timestamp {
    let agreed = authenticated_at.checked_add(terms.validity()).unwrap_or(Timestamp::MAX);
    R12SyncSessionState::ROW.deadline(&Term::from(authenticated_at)).map_or(agreed, |most| most.min(agreed))
}

/// When the access after one at this instant is due.
pub fn next_after(now: Timestamp, terms: AccessTerms) -> Timestamp {
    let day = SignedDuration::from_hours(24).as_secs();
    now.checked_add(SignedDuration::from_secs(day / i64::from(terms.frequency_per_day()))).unwrap_or(Timestamp::MAX)
}

/// The connections of a node.
#[derive(Debug, Clone)]
pub struct Connections {
    shelves: Shelves,
    shelf: Arc<Shelf<R12SyncSessionState>>,
}

impl Connections {
    /// On these shelves.
    pub fn new(shelves: &Shelves) -> Self {
        Self { shelves: shelves.clone(), shelf: Arc::new(shelves.shelf()) }
    }

    /// Makes a connection with what the run of an attended session kept.
    ///
    /// # Errors
    /// [`StoreError`]: there is none.
    pub async fn make(&self, made: &Connection, key: StateKey, sealed: SealedState) -> Result<(), StoreError> {
        let name = made.consent.to_string();
        let kept = KeptSession { key, sealed };
        self.shelf.put_anew(&name, &kept, Expect::Any, made.term()).await?;
        self.shelf.put(&name, made, Expect::Any, made.term()).await.map(drop)
    }

    /// One connection.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, consent: ConsentId) -> Result<Option<Connection>, StoreError> {
        Ok(self.stored(consent).await?.map(|stored| stored.value))
    }

    /// Every connection by its name, oldest consent first; without its content where its time is over, and it is not erased yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn named(&self) -> Result<Vec<(ConsentId, Option<Connection>)>, StoreError> {
        let mut named = vec![];
        for consent in self.shelf.names::<Connection>().await?.iter().filter_map(|name| name.parse().ok()) {
            named.push((consent, self.get(consent).await?));
        }
        Ok(named)
    }

    /// Every connection, oldest consent first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn all(&self) -> Result<Vec<Connection>, StoreError> {
        Ok(self.named().await?.into_iter().filter_map(|(_, connection)| connection).collect())
    }

    /// The connections of an account.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of(&self, account: &AccountName) -> Result<Vec<Connection>, StoreError> {
        Ok(self.all().await?.into_iter().filter(|each| each.account == *account).collect())
    }

    /// Changes one, if it is there and `change` says that there is something to change; tells whether that was so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change(
        &self,
        consent: ConsentId,
        change: impl Fn(&mut Connection) -> bool,
    ) -> Result<bool, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some(Stored { mut value, revision, .. }) = self.stored(consent).await? else { return Ok(false) };
            if !change(&mut value) {
                return Ok(false);
            }
            match self.shelf.put(&consent.to_string(), &value, Expect::At(revision), value.term()).await {
                Err(StoreError::Conflict) => {}
                written => return written.map(|_| true),
            }
        }
        Err(StoreError::Conflict)
    }

    /// What the last run kept, for the next one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session(&self, consent: ConsentId) -> Result<Option<(StateKey, SealedState)>, StoreError> {
        let kept = self.shelf.get::<KeptSession>(&consent.to_string()).await?;
        Ok(kept.map(|Stored { value: KeptSession { key, sealed }, .. }| (key, sealed)))
    }

    /// Keeps what a run kept, in the place of what the one before did; what that was opens in no older copy of the store. Nothing, if the
    /// connection has ended meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep(&self, consent: ConsentId, sealed: SealedState) -> Result<(), StoreError> {
        let name = consent.to_string();
        let Some(Stored { value, revision, term }) = self.shelf.get::<KeptSession>(&name).await? else {
            return Ok(());
        };
        let kept = KeptSession { key: value.key, sealed };
        match self.shelf.put_anew(&name, &kept, Expect::At(revision), term).await {
            Err(StoreError::Conflict) => Ok(()),
            written => written.map(drop),
        }
    }

    /// Forgets the session that was kept: it is of no use any more.
    ///
    /// # Errors
    /// [`StoreError`]: ask again.
    pub async fn forget_session(&self, consent: ConsentId, now: Timestamp) -> Result<(), StoreError> {
        self.shelf.delete::<KeptSession>(&consent.to_string()).await?;
        self.shelves.destroy_due(now).await.map(drop)
    }

    /// Ends one: all of it is gone, its keys with it, also in older copies of the store.
    ///
    /// # Errors
    /// [`StoreError`]: ask again.
    pub async fn end(&self, consent: ConsentId, now: Timestamp) -> Result<(), StoreError> {
        self.shelf.delete::<KeptSession>(&consent.to_string()).await?;
        self.shelf.delete::<Connection>(&consent.to_string()).await?;
        self.shelves.destroy_due(now).await.map(drop)
    }

    async fn stored(&self, consent: ConsentId) -> Result<Option<Stored<Connection>>, StoreError> {
        self.shelf.get(&consent.to_string()).await
    }
}
