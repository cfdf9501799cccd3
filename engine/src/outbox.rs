//! Parcels that wait for their receiver. What waits is sealed to the Online Service, so that we can't open it, and sealed
//! once more at rest, for one hour at most (row R23). What remains of a delivery is metadata (row R24).
//!
//! A thin event tells the Online Service; it fetches the parcel, and its acknowledgement *with the parcel's digest* erases
//! our copy. A status code of some proxy erases nothing.
//!
//! At least once, and idempotent: a fetch gives the same bytes each time, an acknowledgement can be repeated, an event
//! keeps its id over all attempts. Whether a send may begin is not decided here but on the consent record; here its proof is
//! asked for.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::consent::DispatchProof;
use crate::data::Digest;
use crate::entropy::Entropy;
use crate::erase::retention::{R23SealedParcel, R24DeliveryOutcome, Term};
use crate::id::{ConsentId, EventId, OnlineServiceId, ParcelId, SessionId};
use crate::rights::declared::Declaration;
use crate::seal::recipient::Parcel;
use crate::store::{Expect, Shelf, Shelves, StoreError};

mod delivery;
mod listed;
mod listing;
mod parcel;

pub use delivery::{End, How, LEASE, next_attempt, spread};
pub use listed::{Ending, Listed};
pub use listing::{OwnDelivery, Standing};
pub use parcel::ParcelBytes;

use delivery::{Delivery, State, Telling};
use parcel::Body;

/// How long a parcel waits (row R23).
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// How often a write is tried again because somebody else wrote first.
const ATTEMPTS_MAX: u32 = 64;
const FORMAT: u8 = 1;

/// Parcels that wait, on disk.
#[derive(Debug, Clone)]
pub struct Outbox {
    parcels: Shelf<R23SealedParcel>,
    deliveries: Shelf<R24DeliveryOutcome>,
    entropy: Arc<Entropy>,
}

/// What a fetch finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// No send has begun: it may, with a proof from this consent. See [`Outbox::dispatch`].
    Undispatched(ConsentId),
    /// The parcel.
    Parcel(ParcelBytes),
}

/// The task to tell an Online Service that a parcel waits. Its holder has [`LEASE`] to do it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "tell the outbox how it went"]
pub struct ThinEvent {
    /// The same in each attempt: the idempotency key.
    pub id: EventId,
    /// The parcel that waits.
    pub parcel: ParcelId,
    /// Who is told.
    pub online_service: OnlineServiceId,
    /// The session it belongs to.
    pub session: SessionId,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// What is known of a parcel that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its digest.
    pub digest: Digest,
    /// When its bytes were first given out, if they were.
    pub fetched_at: Option<Timestamp>,
    /// How its delivery ended; none while it waits.
    pub end: Option<End>,
}

/// A delivery that ended without an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The parcel that was.
    pub parcel: ParcelId,
    /// How and when it ended, and whether it was fetched.
    pub end: End,
}

/// Why the outbox did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// No such parcel, or somebody else's: the two are not told apart.
    #[error("there is no such parcel")]
    Unknown,
    /// It was acknowledged, withdrawn, or its time is over.
    #[error("the parcel is gone")]
    Gone(End),
    /// An acknowledgement of what nobody fetched.
    #[error("the parcel has not been fetched")]
    NotFetched,
    /// An acknowledgement of something else. Our copy stays.
    #[error("the digest is not that of the parcel")]
    WrongDigest,
    /// The store failed.
    #[error("the outbox can't be reached")]
    Store(#[from] StoreError),
}

/// The key in the store of a parcel's bytes.
pub(crate) fn record_key(parcel: ParcelId) -> Result<String, StoreError> {
    crate::store::record_key::<Body>(&parcel.to_string())
}

/// What the outbox has to know of a parcel.
#[derive(Debug, Clone, Copy)]
struct Label {
    parcel: ParcelId,
    consent: ConsentId,
    online_service: OnlineServiceId,
    digest: Digest,
}

impl Outbox {
    /// Keeps parcels and deliveries on these shelves.
    pub fn new(shelves: &Shelves, entropy: Arc<Entropy>) -> Self {
        Self { parcels: shelves.shelf(), deliveries: shelves.shelf(), entropy }
    }

    /// Takes a parcel. When this returns it survives a crash. It goes with its session at the latest.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: it was not taken.
    pub async fn enqueue(
        &self,
        parcel: &Parcel,
        session: SessionId,
        session_ends_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), OutboxError> {
        let label = Label {
            parcel: parcel.id(),
            consent: parcel.consent(),
            online_service: parcel.online_service(),
            digest: parcel.digest(),
        };
        self.take(label, parcel.sealed().as_bytes().to_vec(), session, session_ends_at, now).await
    }

    async fn take(
        &self,
        label: Label,
        bytes: Vec<u8>,
        session: SessionId,
        session_ends_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), OutboxError> {
        let delivery = Delivery {
            format: FORMAT,
            parcel: label.parcel,
            online_service: label.online_service,
            digest: label.digest,
            state: State::Waiting { session, consent: label.consent },
            queued_at: now,
            sending_since: None,
            deadline: session_ends_at.min(now + LIFETIME),
            event: self.entropy.with(|rng| EventId::new(now, rng)),
            telling: Telling::due(now),
        };
        // The bytes first: what is in the outbox is what has a delivery. Bytes without one go at their deadline.
        let name = label.parcel.to_string();
        self.parcels.put(&name, &Body(bytes), Expect::Absent, Term::from(now).ending_by(session_ends_at)).await?;
        if let Err(error) = self.deliveries.put(&name, &delivery, Expect::Absent, delivery.term()).await {
            self.erase(label.parcel).await?;
            return Err(error.into());
        }
        Ok(())
    }

    /// Gives the bytes of a parcel to its Online Service once a send has begun, and says so if none has.
    ///
    /// # Errors
    /// [`OutboxError::Unknown`] for everybody else, [`OutboxError::Gone`] after its end.
    pub async fn fetch(&self, parcel: ParcelId, by: OnlineServiceId, now: Timestamp) -> Result<Fetched, OutboxError> {
        let (delivery, _) = self.read_for(parcel, by).await?;
        let (_, consent) = delivery.check_waiting(now)?;
        if delivery.sending_since.is_none() {
            return Ok(Fetched::Undispatched(consent));
        }
        match self.parcels.get::<Body>(&parcel.to_string()).await? {
            Some(body) => Ok(Fetched::Parcel(ParcelBytes(body.value.0))),
            // It ended between the two reads.
            None => Err(self.read(parcel).await?.0.end().map_or(OutboxError::Unknown, OutboxError::Gone)),
        }
    }

    /// Begins the send that was proved to be allowed. The next [`Outbox::fetch`] gives the bytes. To begin it again changes
    /// nothing.
    ///
    /// # Errors
    /// [`OutboxError::Gone`] after its end.
    pub async fn dispatch(&self, proof: DispatchProof, now: Timestamp) -> Result<(), OutboxError> {
        self.begin(proof.parcel(), proof.began_at(), now).await
    }

    async fn begin(&self, parcel: ParcelId, at: Timestamp, now: Timestamp) -> Result<(), OutboxError> {
        self.change(parcel, |delivery| delivery.begin(at, now)).await.map(drop)
    }

    /// Takes the acknowledgement of an Online Service. Only the digest of the parcel erases our copy; when this returns it
    /// is erased. To acknowledge again changes nothing.
    ///
    /// # Errors
    /// [`OutboxError::WrongDigest`] and [`OutboxError::NotFetched`]: our copy stays.
    pub async fn acknowledge(
        &self,
        parcel: ParcelId,
        by: OnlineServiceId,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<End, OutboxError> {
        self.read_for(parcel, by).await?;
        let delivery = self.change(parcel, |delivery| delivery.acknowledge(digest, now)).await?;
        self.erase(parcel).await?;
        delivery.end().ok_or(OutboxError::Unknown)
    }

    /// Takes a parcel back because the person withdrew. When this returns, nobody gets its bytes any more; whether somebody
    /// got them before is in the end that is given. An end that was there stays.
    ///
    /// # Errors
    /// [`OutboxError::Unknown`] and [`OutboxError::Store`].
    pub async fn withdraw(&self, parcel: ParcelId, now: Timestamp) -> Result<End, OutboxError> {
        self.finish(parcel, How::Withdrawn, now).await
    }

    /// Takes a parcel back because its session ended without it, for another reason than a withdrawal. As
    /// [`Outbox::withdraw`].
    ///
    /// # Errors
    /// [`OutboxError::Unknown`] and [`OutboxError::Store`].
    pub async fn give_up(&self, parcel: ParcelId, now: Timestamp) -> Result<End, OutboxError> {
        self.finish(parcel, How::Undelivered, now).await
    }

    /// The digest of a parcel that was ever taken, and how its delivery ended; none if it was never taken.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn look(&self, parcel: ParcelId) -> Result<Option<Seen>, OutboxError> {
        match self.read(parcel).await {
            Ok((delivery, _)) => {
                Ok(Some(Seen { digest: delivery.digest, fetched_at: delivery.sending_since, end: delivery.end() }))
            }
            Err(OutboxError::Unknown) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether our copy of a parcel is here and opens.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn holds(&self, parcel: ParcelId) -> Result<bool, OutboxError> {
        Ok(self.parcels.holds::<Body>(&parcel.to_string()).await?)
    }

    /// How a delivery ended; none while it waits.
    ///
    /// # Errors
    /// [`OutboxError::Unknown`] and [`OutboxError::Store`].
    pub async fn end(&self, parcel: ParcelId) -> Result<Option<End>, OutboxError> {
        Ok(self.read(parcel).await?.0.end())
    }

    /// Takes tasks to tell Online Services about parcels, at most `most` of those that nobody has, in one pass.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: those taken before are somebody's again when their lease is over.
    pub async fn lease_events(&self, most: usize, now: Timestamp) -> Result<Vec<ThinEvent>, OutboxError> {
        let mut events = Vec::new();
        for parcel in self.waiting().await? {
            let (delivery, revision) = match self.read(parcel).await {
                Err(OutboxError::Unknown) => continue,
                read => read?,
            };
            let Ok((session, _)) = delivery.check_waiting(now) else { continue };
            let Some(leased) = delivery.lease(now) else { continue };
            match self.deliveries.put(&parcel.to_string(), &leased, Expect::At(revision), leased.term()).await {
                // Somebody else has it now.
                Err(StoreError::Conflict) => continue,
                written => written?,
            };
            let (id, online_service, attempt) = (leased.event, leased.online_service, leased.attempts());
            events.push(ThinEvent { id, parcel, online_service, session, attempt });
            if events.len() >= most {
                break;
            }
        }
        Ok(events)
    }

    /// Notes how the attempt went: whether the Online Service was reached, or has to be told again later.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn told(&self, event: ThinEvent, reached: bool, now: Timestamp) -> Result<(), OutboxError> {
        self.change(event.parcel, |delivery| Ok(delivery.told(event.attempt, reached, now))).await.map(drop)
    }

    /// Ends the deliveries whose time is over, and finishes what a crash interrupted. Run it before the erasure of what is
    /// due, which knows nothing of deliveries.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: run it again.
    pub async fn sweep(&self, now: Timestamp) -> Result<Vec<DeadLetter>, OutboxError> {
        let mut dead = Vec::new();
        for parcel in self.waiting().await? {
            match self.read(parcel).await {
                // Bytes whose delivery was never written: a crash in between. They go at their deadline.
                Err(OutboxError::Unknown) => {}
                Err(error) => return Err(error),
                Ok((delivery, _)) if delivery.end().is_some() => self.erase(parcel).await?,
                Ok((delivery, _)) if delivery.is_overdue(now) => {
                    dead.push(DeadLetter { parcel, end: self.finish(parcel, How::Undelivered, now).await? });
                }
                Ok(_) => {}
            }
        }
        Ok(dead)
    }

    async fn finish(&self, parcel: ParcelId, how: How, now: Timestamp) -> Result<End, OutboxError> {
        let delivery = match self.change(parcel, |delivery| Ok(delivery.finish(how, now))).await {
            Ok(delivery) => delivery,
            Err(error) => {
                // Its end can't be noted, for example on a full disk. Nobody gets its bytes any more all the same, and the
                // shell of them stays: the sweep meets it when the time is over, and notes the end then.
                self.parcels.shred::<Body>(&parcel.to_string()).await?;
                return Err(error);
            }
        };
        self.erase(parcel).await?;
        delivery.end().ok_or(OutboxError::Unknown)
    }

    async fn erase(&self, parcel: ParcelId) -> Result<(), OutboxError> {
        Ok(self.parcels.delete::<Body>(&parcel.to_string()).await?)
    }

    /// The parcels whose bytes are here.
    async fn waiting(&self) -> Result<Vec<ParcelId>, OutboxError> {
        let names = self.parcels.names::<Body>().await?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    async fn read(&self, parcel: ParcelId) -> Result<(Delivery, crate::store::Revision), OutboxError> {
        let stored = self.deliveries.get::<Delivery>(&parcel.to_string()).await?.ok_or(OutboxError::Unknown)?;
        Ok((stored.value, stored.revision))
    }

    async fn read_for(
        &self,
        parcel: ParcelId,
        by: OnlineServiceId,
    ) -> Result<(Delivery, crate::store::Revision), OutboxError> {
        let read = self.read(parcel).await?;
        if read.0.online_service == by { Ok(read) } else { Err(OutboxError::Unknown) }
    }

    async fn change(
        &self,
        parcel: ParcelId,
        change: impl Fn(Delivery) -> Result<Delivery, OutboxError>,
    ) -> Result<Delivery, OutboxError> {
        for _ in 0..ATTEMPTS_MAX {
            let (delivery, revision) = self.read(parcel).await?;
            let changed = change(delivery.clone())?;
            if changed == delivery {
                return Ok(changed);
            }
            match self.deliveries.put(&parcel.to_string(), &changed, Expect::At(revision), changed.term()).await {
                Err(StoreError::Conflict) => {}
                written => return Ok(written.map(|_| changed)?),
            }
        }
        Err(StoreError::Conflict.into())
    }
}

/// What the outbox's stored types declare about a person's rights.
pub(crate) fn declared() -> [Declaration; 2] {
    [Declaration::of::<delivery::Delivery>(), Declaration::of::<parcel::Body>()]
}

#[cfg(test)]
mod tests;
