//! Counts for invoices.

use std::sync::atomic::Ordering;

use super::{Engine, EngineError};
use crate::id::OnlineServiceId;
use crate::metering::{Metering, Told};

impl Engine {
    /// What an Online Service, or each of them, had delivered, month by month, oldest first.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn metered(&self, of: Option<OnlineServiceId>) -> Result<Vec<Told>, EngineError> {
        self.settle_months().await?;
        Ok(self.metering.months(of, &self.outbox, self.clock.now()).await?)
    }

    /// Keeps the sums of months that are over. Costs nothing but once in a month, and once after a start.
    pub(super) async fn settle_months(&self) -> Result<(), EngineError> {
        let now = self.clock.now();
        let open = Metering::open_month(now).first_instant_after(0).as_second();
        if self.seconds.settled.load(Ordering::Relaxed) == open {
            return Ok(());
        }
        self.metering.settle(&self.outbox, now).await?;
        self.seconds.settled.store(open, Ordering::Relaxed);
        Ok(())
    }
}
