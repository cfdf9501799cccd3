//! Lists of records: every one there is, for whoever erases by something else than a consent's name; and an Online Service's own, page by
//! page, without a session, a person or a Data Source.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Consent, ConsentError, ConsentRegister, Status};
use crate::data::Category;
use crate::id::{ConsentId, OnlineServiceId, ParcelId};

/// Most records that are read for one page. The page ends there, and says where it goes on.
const READ_MAX: usize = 500;

/// A consent, as the Online Service sees it that asked for it. Which Data Source it is about stands in the parcel alone: whoever shares
/// nothing has not told where they have an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OwnConsent {
    /// The consent.
    pub consent: ConsentId,
    /// Where it stands.
    pub state: Status,
    /// What for: the id of the registered purpose.
    pub purpose: String,
    /// What may be received under it; empty until it is given.
    pub categories: BTreeSet<Category>,
    /// The questions that may be answered under it; empty until it is given.
    pub predicates: BTreeSet<String>,
    /// When the person was asked.
    pub asked_at: Timestamp,
    /// When `state` changed last.
    pub changed_at: Timestamp,
    /// Until when data may be sent under it.
    pub valid_until: Timestamp,
    /// The parcel whose sending began under it.
    pub parcel: Option<ParcelId>,
}

impl OwnConsent {
    fn of(record: Consent, now: Timestamp) -> Self {
        let end = record.valid_until;
        // A record is closed by the next sweep; its time is over before.
        let record = if now < end { record } else { record.expire(end) };
        Self {
            consent: record.id,
            state: record.status,
            parcel: record.sending(),
            purpose: record.purpose,
            categories: record.granted,
            predicates: record.predicates,
            asked_at: record.asked_at,
            changed_at: record.changed_at,
            valid_until: record.valid_until,
        }
    }
}

impl ConsentRegister {
    /// All records, as they are now.
    ///
    /// # Errors
    /// [`ConsentError::Store`].
    pub async fn all(&self) -> Result<Vec<Consent>, ConsentError> {
        let mut all = Vec::new();
        for name in self.shelf.names::<Consent>().await? {
            all.extend(self.shelf.get::<Consent>(&name).await?.map(|stored| stored.value));
        }
        Ok(all)
    }

    /// A consent that this Online Service asked for, as it is now.
    ///
    /// # Errors
    /// [`ConsentError::Unknown`], also where it is another's. [`ConsentError::Store`].
    pub async fn own(&self, of: OnlineServiceId, id: ConsentId, now: Timestamp) -> Result<OwnConsent, ConsentError> {
        let record = self.record(id).await?;
        if record.online_service == of { Ok(OwnConsent::of(record, now)) } else { Err(ConsentError::Unknown) }
    }

    /// The consents that this Online Service asked for, in the order in which it did, from the one after `after` on, `most` of them or
    /// fewer; and after which the next page begins, if there is one.
    ///
    /// # Errors
    /// [`ConsentError::Store`].
    pub async fn page(
        &self,
        of: OnlineServiceId,
        after: Option<ConsentId>,
        most: usize,
        now: Timestamp,
    ) -> Result<(Vec<OwnConsent>, Option<ConsentId>), ConsentError> {
        let names = self.shelf.names::<Consent>().await?;
        let mut rest: Vec<ConsentId> = names.iter().filter_map(|name| name.parse().ok()).collect();
        rest.retain(|id| after.is_none_or(|after| *id > after));
        rest.sort();
        let (mut page, mut last_read) = (vec![], after);
        for (read, id) in rest.into_iter().enumerate() {
            if read >= READ_MAX {
                return Ok((page, last_read));
            }
            last_read = Some(id);
            match self.own(of, id, now).await {
                Ok(_) if page.len() >= most => {
                    let last = page.last().map(|last: &OwnConsent| last.consent);
                    return Ok((page, last));
                }
                Ok(own) => page.push(own),
                // Another's, or erased since.
                Err(ConsentError::Unknown) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((page, None))
    }
}
