//! Data Sources that are held because their runs fail, and what the operator's own address is told of that and of breaks.

use std::sync::Arc;

use super::{Engine, EngineError};
use crate::maintenance::announce::{Announcement, Happened};
use crate::maintenance::failing::Place;
use crate::operator::Deed;
use crate::operator::audit::{About, Actor};

impl Engine {
    /// Holds the Data Sources whose runs have passed the threshold. What goes wrong is logged: it is tried again when as many have failed again.
    pub(super) async fn suspend_failing(&self) {
        for place in self.failing.take_passed() {
            if let Err(error) = self.suspend(&place).await {
                let (Place { connector, source, .. }, error) = (&place, crate::causes::chain(&error));
                tracing::error!(connector, source, error, "a source whose runs fail can't be suspended");
            }
        }
    }

    async fn suspend(&self, place: &Place) -> Result<(), EngineError> {
        let Place { connector, source, digest } = place.clone();
        let catalogue = self.catalogue();
        let serves = catalogue.serving(&connector, &source).is_some_and(|serving| serving.digest == digest);
        // An engine without a file of decisions is somebody's desk: nobody could release what it holds.
        if !serves || catalogue.held(&connector, &source).is_some() || self.decisions_file().is_none() {
            return Ok(());
        }
        let (now, name) = (self.clock.now(), format!("{connector}/{source}"));
        self.audit.note(Actor::Node, Deed::SourceHold, Some(About::of(&name)), now).await?;
        tracing::warn!(connector, source, "a source is suspended: its runs fail");
        self.decide_in_file(move |decisions| decisions.suspend(&connector, &source, digest, now)).await?;
        Ok(self.reports.announcements().add(Happened::SourceSuspended(name), now).await?)
    }

    /// Releases a Data Source that is suspended, since a run there brought everything.
    pub(super) async fn lift_suspension(&self, connector: &str, source: &str) -> Result<(), EngineError> {
        if !self.catalogue().is_suspended(connector, source) {
            return Ok(());
        }
        let about = About::of(format!("{connector}/{source}"));
        self.audit.note(Actor::Node, Deed::SourceRelease, Some(about), self.clock.now()).await?;
        let (connector, source) = (connector.to_owned(), source.to_owned());
        self.decide_in_file(move |decisions| decisions.lift(&connector, &source)).await
    }

    /// Tells the operator's address what waits, each in a task of its own: one that does not answer holds nobody up.
    pub(super) async fn announce(self: &Arc<Self>) -> Result<(), EngineError> {
        for announcement in self.reports.announcements().take_due(self.clock.now()).await? {
            let engine = self.clone();
            self.tasks.spawn(async move {
                if engine.was_told(&announcement).await
                    && let Err(error) = engine.reports.announcements().end(announcement.id).await
                {
                    tracing::warn!(%error, "what was told can't be noted: it is told again");
                }
            });
        }
        Ok(())
    }

    async fn was_told(&self, announcement: &Announcement) -> bool {
        let Some(address) = &self.settings.maintenance_events else { return true };
        let (body, now) = (announcement.body(), self.clock.now());
        let told = self.forwarder.send(address, announcement.id, body, &self.webhook_key, now).await;
        if let Err(error) = &told {
            tracing::warn!(event = %announcement.id, %error, "the operator's address was not told");
        }
        told.is_ok()
    }
}
