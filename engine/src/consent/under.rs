//! One access under the consent for automatic synchronisation: a record of its own, narrower in time and the same in everything else. So
//! whatever is done in it stands on a consent that ends with it, and is proved by a receipt of its own.

use jiff::Timestamp;

use super::notice::Facts;
use super::record::FORMAT;
use super::{Consent, ConsentError, ConsentRegister, Refusal, Status};
use crate::id::{ConsentId, SessionId};
use crate::store::Expect;

impl Consent {
    /// The consent for automatic synchronisation under which this is one access.
    pub fn under(&self) -> Option<ConsentId> {
        self.under
    }
}

impl ConsentRegister {
    /// Makes the record of one access under a consent for automatic synchronisation that is active now. `facts` is what holds today: the caller
    /// has seen that it is not wider.
    ///
    /// # Errors
    /// [`ConsentError::Refused`]: that consent is not active, or is none for synchronisation.
    pub async fn give_under(
        &self,
        standing: ConsentId,
        (id, session): (ConsentId, SessionId),
        facts: &Facts,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), ConsentError> {
        let agreed = self.record(standing).await?;
        agreed.check_active(now)?;
        if agreed.told.access.is_none() {
            return Err(Refusal::NotGiven.into());
        }
        let record = Consent {
            format: FORMAT,
            id,
            session,
            under: Some(standing),
            valid_until: agreed.valid_until.min(until),
            status: Status::Given,
            asked_at: now,
            changed_at: now,
            grants: vec![],
            sends: vec![],
            told: Box::new(Facts { access: agreed.told.access, ..facts.clone() }),
            restricted: None,
            statements: vec![],
            ..agreed
        };
        if self.write(&record, Expect::Absent).await? { Ok(()) } else { Err(ConsentError::Contended) }
    }
}
