//! Deliveries as their Online Service sees them: page by page, without a session, a consent or a person.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::delivery::{Delivery, How, State};
use super::{Outbox, OutboxError};
use crate::data::Digest;
use crate::id::{OnlineServiceId, ParcelId};

/// Most records that are read for one page. The page ends there, and says where it goes on.
const READ_MAX: usize = 500;

/// A delivery, as its receiver sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OwnDelivery {
    /// The parcel.
    pub parcel: ParcelId,
    /// Where it stands.
    pub state: Standing,
    /// The digest of its bytes: what is acknowledged.
    pub digest: Digest,
    /// When it was ready.
    pub queued_at: Timestamp,
    /// When its bytes were first given out.
    pub fetched_at: Option<Timestamp>,
    /// When the delivery ended.
    pub ended_at: Option<Timestamp>,
    /// Until when it can be fetched.
    pub expires_at: Timestamp,
    /// How often the Online Service was told of it.
    pub told: u32,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "DeliveryState")]
pub enum Standing {
    /// Nobody has asked for it.
    Waiting,
    /// Its bytes were given out.
    Fetched,
    /// Its receiver named its digest.
    Acknowledged,
    /// The person withdrew.
    Withdrawn,
    /// Nobody acknowledged it in time.
    Undelivered,
}

impl OwnDelivery {
    fn of(delivery: &Delivery, now: Timestamp) -> Self {
        let end = delivery.end();
        let state = match (&delivery.state, end.map(|end| end.how)) {
            (_, Some(How::Acknowledged)) => Standing::Acknowledged,
            (_, Some(How::Withdrawn)) => Standing::Withdrawn,
            (_, Some(How::Undelivered)) => Standing::Undelivered,
            (State::Waiting { .. }, None) if delivery.is_overdue(now) => Standing::Undelivered,
            _ if delivery.sending_since.is_some() => Standing::Fetched,
            _ => Standing::Waiting,
        };
        Self {
            parcel: delivery.parcel,
            state,
            digest: delivery.digest,
            queued_at: delivery.queued_at,
            fetched_at: delivery.sending_since,
            ended_at: end.map(|end| end.at),
            expires_at: delivery.deadline,
            told: delivery.attempts(),
        }
    }
}

impl Outbox {
    /// The deliveries of an Online Service, in the order in which their parcels were made, from the one after `after` on, `most` of them
    /// or fewer; and after which the next page begins, if there is one.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn page(
        &self,
        of: OnlineServiceId,
        after: Option<ParcelId>,
        most: usize,
        now: Timestamp,
    ) -> Result<(Vec<OwnDelivery>, Option<ParcelId>), OutboxError> {
        let names = self.deliveries.names::<Delivery>().await?;
        let mut parcels: Vec<ParcelId> = names.iter().filter_map(|name| name.parse().ok()).collect();
        parcels.sort();
        let mut page = vec![];
        let rest = parcels.into_iter().filter(|parcel| after.is_none_or(|after| *parcel > after));
        let mut last_read = after;
        for (read, parcel) in rest.enumerate() {
            if read >= READ_MAX {
                return Ok((page, last_read));
            }
            last_read = Some(parcel);
            match self.read(parcel).await {
                Ok((delivery, _)) if delivery.online_service == of => {
                    if page.len() >= most {
                        let last = page.last().map(|last: &OwnDelivery| last.parcel);
                        return Ok((page, last));
                    }
                    page.push(OwnDelivery::of(&delivery, now));
                }
                Ok(_) | Err(OutboxError::Unknown) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((page, None))
    }
}
