//! Deliveries as an operator sees them: ids, times and counts. No session and no consent is named.

use jiff::Timestamp;

use super::delivery::Delivery;
use super::{End, How, LIFETIME, Outbox, OutboxError};
use crate::id::{OnlineServiceId, ParcelId};

/// One delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its parcel.
    pub parcel: ParcelId,
    /// To whom.
    pub online_service: OnlineServiceId,
    /// When it came into the outbox.
    pub queued_at: Timestamp,
    /// Until when it waits.
    pub deadline: Timestamp,
    /// When its bytes were first given out.
    pub fetched_at: Option<Timestamp>,
    /// How often its Online Service was told, or was tried to be.
    pub attempts: u32,
    /// When it is told next; none when it was reached, or was tried often enough.
    pub tell_at: Option<Timestamp>,
    /// How it ended; none while it waits.
    pub end: Option<End>,
}

/// How a delivery ended, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// To whom.
    pub online_service: OnlineServiceId,
    /// In which way.
    pub how: How,
    /// When.
    pub at: Timestamp,
}

impl Outbox {
    /// Every delivery that ended, of those whose end can't be before `since`.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn ended(&self, since: Option<Timestamp>) -> Result<Vec<Ending>, OutboxError> {
        // A parcel's name says when it was made, and it waits for an hour at most.
        let first = since.map(|since| since.checked_sub(LIFETIME * 2).unwrap_or(since));
        let mut all = Vec::new();
        for name in self.deliveries.names::<Delivery>().await? {
            let early = |parcel: ParcelId| first.is_some_and(|first| parcel.made_at() < first);
            if name.parse().is_ok_and(early) {
                continue;
            }
            let Some(stored) = self.deliveries.get::<Delivery>(&name).await? else { continue };
            let online_service = stored.value.online_service;
            all.extend(stored.value.end().map(|End { how, at, .. }| Ending { online_service, how, at }));
        }
        Ok(all)
    }

    /// Every delivery that is kept, in the order in which they came.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn list(&self) -> Result<Vec<Listed>, OutboxError> {
        let mut all = Vec::new();
        for name in self.deliveries.names::<Delivery>().await? {
            let Some(stored) = self.deliveries.get::<Delivery>(&name).await? else { continue };
            let Delivery { parcel, online_service, queued_at, deadline, sending_since, .. } = stored.value;
            let (attempts, tell_at, end) = (stored.value.attempts(), stored.value.tell_at(), stored.value.end());
            let fetched_at = end.map_or(sending_since, |end| end.fetched_at);
            all.push(Listed { parcel, online_service, queued_at, deadline, fetched_at, attempts, tell_at, end });
        }
        Ok(all)
    }

    /// Has the Online Service told again, at once, of a parcel that waits.
    ///
    /// # Errors
    /// [`OutboxError::Gone`] after its end.
    pub async fn tell_again(&self, parcel: ParcelId, now: Timestamp) -> Result<(), OutboxError> {
        self.change(parcel, |delivery| delivery.tell_again(now)).await.map(drop)
    }
}
