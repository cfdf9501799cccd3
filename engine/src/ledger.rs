//! The ledger: of every consent, opening, release and erasure there remains a leaf, and no leaf says what it was about.
//!
//! A leaf is a commitment, salted with a secret of its consent. Whoever has the salt (the person, in their receipt) can show
//! that an event is in the ledger; when the salt is erased, its existence is all that is left. Here a leaf is accepted as a
//! durable row, which is what a release waits for; its place in the log, and the proof of it, come within a second
//! ([`Ledger::sequence`]). The log is one of C2SP: tiles and signed checkpoints as files, which anybody may read and check.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::data::Digest;
use crate::entropy::Entropy;
use crate::erase::retention::{R14ConsentRecord, R15ConsentLogLeaf, Term};
use crate::id::{ConsentId, EventId, GrantId, LeafId, ParcelId, RunId};
use crate::keys::{KeyError, KeyProvider};
use crate::rights::declared::{Declaration, Declared, Erase, Export, Rectify, Restrict};
use crate::seal::{SealError, Sealable, joined};
use crate::store::{Expect, Kept, Record, Shelf, Shelves, StoreError};

// Checks proofs and checkpoints. Pure.
pub mod proof;
// Gives leaves their places.
pub(crate) mod sequencer;
// The tree on the disk.
pub mod tiles;

use tiles::{TileError, Tiles};

/// What happened. Its JSON is what a leaf commits to, so a variant and its fields never change; new ones may join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Event {
    /// The person agreed to what this notice says.
    ConsentGiven {
        /// The consent.
        consent: ConsentId,
        /// The digest of the notice.
        notice: Digest,
    },
    /// The person took it back.
    ConsentWithdrawn {
        /// The consent.
        consent: ConsentId,
    },
    /// A login was opened for a connector.
    LoginOpened {
        /// The consent.
        consent: ConsentId,
        /// The grant that was used.
        grant: GrantId,
        /// The run.
        run: RunId,
        /// The connector, by the digest of its one file.
        connector: Digest,
    },
    /// An access began while nobody was there, with the session that the last one kept.
    AccessBegan {
        /// The consent.
        consent: ConsentId,
        /// The consent for automatic synchronisation that it stands on.
        under: ConsentId,
        /// The run.
        run: RunId,
        /// The connector, by the digest of its one file.
        connector: Digest,
    },
    /// Data passed the consent gate.
    Released {
        /// The consent.
        consent: ConsentId,
        /// The run that collected it.
        run: RunId,
        /// The parcel it becomes.
        parcel: ParcelId,
    },
    /// What a run held is gone.
    Erased {
        /// The consent.
        consent: ConsentId,
        /// The run.
        run: RunId,
    },
    /// An authority ordered that somebody's anonymity be lifted.
    AnonymityLifted {
        /// The consent under which they shared something.
        consent: ConsentId,
        /// The order.
        order: EventId,
        /// The digest of the envelope that was given out.
        envelope: Digest,
    },
}

/// Proof that an event is in the ledger, durably. Made by [`Ledger::accept`], or found by
/// [`Ledger::find`], and by nothing else.
///
/// Its name can be copied:
/// ```
/// fn copy<T: Clone>(_: T) {}
/// fn show(leaf: consentry::ledger::AcceptedLeaf) { copy(leaf.id().to_string()) }
/// ```
/// and the proof can't be:
/// ```compile_fail,E0277
/// fn copy<T: Clone>(_: T) {}
/// fn show(leaf: consentry::ledger::AcceptedLeaf) { copy(leaf) }
/// ```
/// And none is read from a file:
/// ```
/// fn read<T: serde::de::DeserializeOwned>() -> Option<T> { None }
/// fn forge() -> Option<consentry::id::ConsentId> { read() }
/// ```
/// ```compile_fail,E0277
/// fn read<T: serde::de::DeserializeOwned>() -> Option<T> { None }
/// fn forge() -> Option<consentry::ledger::AcceptedLeaf> { read() }
/// ```
#[derive(Debug)]
#[must_use]
pub struct AcceptedLeaf {
    id: LeafId,
    commitment: Digest,
    event: Event,
}

/// A leaf that is to be accepted: its name and its event. It proves nothing; it can be written down before the leaf is, so
/// that after a crash somebody can look whether the leaf came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedLeaf {
    leaf: LeafId,
    event: Event,
}

/// The secret of one consent that its leaves are salted with.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt(Zeroizing<[u8; 32]>);

/// Why an event was not accepted. What needs its leaf does not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The store failed.
    #[error("the ledger can't be written")]
    Store(#[from] StoreError),
    /// It can't be written down.
    #[error("the event can't be written down")]
    Unwritable,
    /// The log on the disk.
    #[error("the log can't be gone on with")]
    Tiles(#[from] TileError),
    /// The checkpoint can't be signed.
    #[error("the log's checkpoint can't be signed")]
    Keys(#[from] KeyError),
}

/// Accepts events.
pub struct Ledger {
    salts: Shelf<R14ConsentRecord>,
    leaves: Shelf<R15ConsentLogLeaf>,
    entropy: Arc<Entropy>,
    keys: Arc<dyn KeyProvider>,
    /// The name of the log, in its checkpoints.
    origin: String,
    tiles: Arc<Tiles>,
}

/// A leaf as it is stored: without content, for ever.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeafRow {
    format: u8,
    commitment: Digest,
    /// Its place in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
}

impl Record for LeafRow {
    const NAMESPACE: &'static str = "leaf";
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
    type Row = R15ConsentLogLeaf;
}

/// A leaf that was accepted and has no place in the log yet.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitingRow {
    format: u8,
    commitment: Digest,
}

impl Record for WaitingRow {
    const NAMESPACE: &'static str = "leaf-waiting";
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
    type Row = R15ConsentLogLeaf;
}

impl Ledger {
    /// Keeps leaves and salts on these shelves, and the log of this name in these tiles. A name is a host and a path, without
    /// spaces or plus signs.
    pub fn new(shelves: &Shelves, entropy: Arc<Entropy>, keys: Arc<dyn KeyProvider>, log: (String, Tiles)) -> Self {
        let (origin, tiles) = (log.0, Arc::new(log.1));
        Self { salts: shelves.shelf(), leaves: shelves.shelf(), entropy, keys, origin, tiles }
    }

    /// Accepts an event. When this returns, its leaf is durable.
    ///
    /// # Errors
    /// [`LedgerError`]: nothing was accepted.
    pub async fn accept(&self, event: Event, now: Timestamp) -> Result<AcceptedLeaf, LedgerError> {
        self.accept_planned(&self.plan(event, now), now).await
    }

    /// Names the leaf of an event that is about to happen.
    pub fn plan(&self, event: Event, now: Timestamp) -> PlannedLeaf {
        PlannedLeaf { leaf: self.entropy.with(|rng| LeafId::new(now, rng)), event }
    }

    /// Accepts a leaf under the name that was planned. To accept it again changes nothing.
    ///
    /// # Errors
    /// [`LedgerError`]: nothing was accepted.
    pub async fn accept_planned(&self, planned: &PlannedLeaf, now: Timestamp) -> Result<AcceptedLeaf, LedgerError> {
        let PlannedLeaf { leaf, event } = planned;
        let salt = self.salt_or_new(event.consent()).await?;
        let commitment = commitment(&salt, event).ok_or(LedgerError::Unwritable)?;
        if let Some(accepted) = self.find(planned).await? {
            return Ok(accepted);
        }
        if self.commitment(*leaf).await?.is_some() {
            return Err(StoreError::Conflict.into());
        }
        let row = WaitingRow { format: 1, commitment };
        match self.leaves.put(&leaf.to_string(), &row, Expect::Absent, Term::from(now)).await {
            Ok(_) => Ok(AcceptedLeaf { id: *leaf, commitment, event: event.clone() }),
            Err(StoreError::Conflict) => Ok(self.find(planned).await?.ok_or(StoreError::Conflict)?),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks whether a planned leaf was accepted: it is there, and commits to this event.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub async fn find(&self, planned: &PlannedLeaf) -> Result<Option<AcceptedLeaf>, LedgerError> {
        let PlannedLeaf { leaf, event } = planned;
        let (Some(kept), Some(salt)) = (self.commitment(*leaf).await?, self.salt(event.consent()).await?) else {
            return Ok(None);
        };
        let found = commitment(&salt, event) == Some(kept);
        Ok(found.then(|| AcceptedLeaf { id: *leaf, commitment: kept, event: event.clone() }))
    }

    /// The commitment of a leaf that was accepted.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub async fn commitment(&self, leaf: LeafId) -> Result<Option<Digest>, LedgerError> {
        let name = leaf.to_string();
        let placed = self.leaves.get::<LeafRow>(&name).await?.map(|stored| stored.value.commitment);
        if placed.is_some() {
            return Ok(placed);
        }
        if let Some(waiting) = self.leaves.get::<WaitingRow>(&name).await? {
            return Ok(Some(waiting.value.commitment));
        }
        // It may have got its place between the two looks.
        Ok(self.leaves.get::<LeafRow>(&name).await?.map(|stored| stored.value.commitment))
    }

    /// The salt of a consent: for the person's receipt, and for nobody else.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub async fn salt(&self, consent: ConsentId) -> Result<Option<Salt>, LedgerError> {
        Ok(self.salts.get::<Salt>(&consent.to_string()).await?.map(|stored| stored.value))
    }

    /// Starts the period of a consent's salt: it goes with the consent's record.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub async fn consent_terminated(&self, consent: ConsentId, at: Timestamp) -> Result<(), LedgerError> {
        let name = consent.to_string();
        // Its first trigger is the one that counts.
        if let Some(salt) = self.salts.get::<Salt>(&name).await?.filter(|salt| salt.term == Term::open()) {
            self.salts.put(&name, &salt.value, Expect::At(salt.revision), Term::from(at)).await?;
        }
        Ok(())
    }

    /// Erases the salt of a consent. Its leaves stay, and say nothing to anybody any more.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub async fn forget(&self, consent: ConsentId) -> Result<(), LedgerError> {
        Ok(self.salts.delete::<Salt>(&consent.to_string()).await?)
    }

    async fn salt_or_new(&self, consent: ConsentId) -> Result<Salt, LedgerError> {
        let name = consent.to_string();
        if let Some(salt) = self.salts.get::<Salt>(&name).await? {
            return Ok(salt.value);
        }
        let mut salt = Salt(Zeroizing::new([0; 32]));
        self.entropy.with(|rng| rng.fill_bytes(salt.0.as_mut_slice()));
        match self.salts.put(&name, &salt, Expect::Absent, Term::open()).await {
            Ok(_) => Ok(salt),
            // Another event of this consent came at the same time.
            Err(StoreError::Conflict) => {
                let stored = self.salts.get::<Salt>(&name).await?;
                Ok(stored.ok_or(StoreError::Conflict)?.value)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What the ledger's stored types declare about a person's rights.
pub(crate) fn declared() -> [Declaration; 4] {
    [
        Declaration::of::<Salt>(),
        Declaration::of::<LeafRow>(),
        Declaration::of::<WaitingRow>(),
        Declaration::of::<sequencer::HeadRow>(),
    ]
}

/// Computes what a leaf commits to: whoever has the event and the salt can check a leaf without us.
pub fn commitment(salt: &Salt, event: &Event) -> Option<Digest> {
    let event = serde_json::to_vec(event).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, salt.0.as_slice());
    let tag = hmac::sign(&key, &joined(&[b"consentry-leaf-1", &event]));
    tag.as_ref().try_into().ok().map(Digest::from_bytes)
}

impl Event {
    /// What happened, in the word that the leaf has for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ConsentGiven { .. } => "consent-given",
            Self::ConsentWithdrawn { .. } => "consent-withdrawn",
            Self::LoginOpened { .. } => "login-opened",
            Self::AccessBegan { .. } => "access-began",
            Self::Released { .. } => "released",
            Self::Erased { .. } => "erased",
            Self::AnonymityLifted { .. } => "anonymity-lifted",
        }
    }

    /// The consent it happened under.
    pub fn consent(&self) -> ConsentId {
        match self {
            Self::ConsentGiven { consent, .. }
            | Self::ConsentWithdrawn { consent }
            | Self::LoginOpened { consent, .. }
            | Self::AccessBegan { consent, .. }
            | Self::Released { consent, .. }
            | Self::Erased { consent, .. }
            | Self::AnonymityLifted { consent, .. } => *consent,
        }
    }
}

impl PlannedLeaf {
    /// What it will say.
    pub fn event(&self) -> &Event {
        &self.event
    }
}

impl AcceptedLeaf {
    /// Names the leaf.
    pub fn id(&self) -> LeafId {
        self.id
    }

    /// What it commits to.
    pub fn commitment(&self) -> Digest {
        self.commitment
    }

    /// What was accepted: a leaf of one event is no proof of another.
    pub fn event(&self) -> &Event {
        &self.event
    }
}

impl Salt {
    /// The salt's bytes, for the person's receipt.
    pub fn danger_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Takes the bytes from a receipt.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

// By hand: JSON would leave copies of the secret behind.
impl Sealable for Salt {
    const NAMESPACE: &'static str = "salt";

    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        Ok(Zeroizing::new(self.0.to_vec()))
    }
}

impl Kept for Salt {
    const RIGHTS: Declared = Declared {
        export: Export::ThatItIsThere,
        rectify: Rectify::NotPersonal,
        erase: Erase::AtTheEndOfItsPeriod,
        restrict: Restrict::NothingIsDoneWithIt,
    };
    type Row = R14ConsentRecord;

    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_bytes)
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}

#[cfg(test)]
mod tests;
