//! What becomes of a run that failed: its tape is made into a report, which the person is shown and may give. Nothing is kept of a tape, and
//! of a report nothing before it was given; but a ticket counts every break.

use std::sync::Arc;
use std::time::Duration;

use consentry_contract::failure::Blame;
use consentry_contract::manifest::SourcePlan;
use consentry_host_api::tape::Recorder;

use super::catalogue::Connector;
use super::{Engine, EngineError};
use crate::collect::{Collection, Order};
use crate::id::ReportId;
use crate::maintenance;
use crate::maintenance::reports::Reports;
use crate::session::{Offer, Session};

/// How long a report may take; the person waits for the run's end meanwhile.
const REPORT_WAIT: Duration = Duration::from_secs(20);

/// The tape of a run under way.
pub(super) struct Taping {
    recorder: Arc<Recorder>,
    plan: Arc<SourcePlan>,
}

impl Engine {
    /// Tapes a run, if the operator takes part in the maintenance programme.
    pub(super) fn tape(&self, order: &mut Order) -> Option<Taping> {
        if !self.settings.reports {
            return None;
        }
        let recorder = Arc::new(Recorder::default());
        order.tape = recorder.clone();
        Some(Taping { recorder, plan: order.plan.clone() })
    }

    /// Makes the report of a run that failed, counts the break, and offers the report to the person. What the person alone can mend
    /// has none.
    pub(super) async fn report(
        &self,
        session: &Session,
        connector: &Connector,
        taping: Taping,
        collection: &Collection,
    ) {
        let Some(tape) = taping.recorder.take() else { return };
        let Some(failure) = collection.failure() else {
            if let Err(error) = self.good_runs.note(&connector.package, &taping.plan, tape, self.clock.now()).await {
                tracing::error!(%error, "the shapes of a good run are not noted");
            }
            return;
        };
        let mendable = |blame| matches!(blame, Blame::Connector | Blame::Source);
        if !mendable(failure.blame) {
            return;
        }
        let making = maintenance::report(&self.collector, &connector.package, &taping.plan, tape, failure.clone());
        let Ok(Some(mut report)) = tokio::time::timeout(REPORT_WAIT, making).await else {
            tracing::warn!(connector = connector.id(), "a report could not be made in time");
            return;
        };
        match self.good_runs.beside(&report).await {
            Ok(good) => report.good = good,
            Err(error) => tracing::error!(%error, "the shapes of the last good run can't be read"),
        }
        let (now, signer) = (self.clock.now(), connector.package.signer().map(|signer| signer.key.clone()));
        match self.reports.count(&report, signer.as_deref(), now).await {
            Ok(ticket) => {
                let (state, failures, proof) = (ticket.state.name(), ticket.failures, report.proof.name());
                tracing::warn!(ticket = ticket.fingerprint, state, failures, proof, "a source broke a connector");
            }
            Err(error) => tracing::error!(%error, "a break could not be counted"),
        }
        session.offer(report, signer, now);
    }

    /// The report that is offered in a session.
    #[must_use]
    pub fn offered(&self, session: &Session) -> Option<Offer> {
        session.offered()
    }

    /// The person agrees: the report is kept, as they were shown it.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]: none is offered. A store that takes nothing: nothing is kept.
    pub async fn give_report(&self, session: &Session) -> Result<ReportId, EngineError> {
        let offer = session.offered().ok_or(EngineError::NotFound)?;
        if let Some(id) = offer.given {
            return Ok(id);
        }
        let id = self.reports.keep(&offer.report, offer.signer.as_deref(), self.clock.now()).await?;
        if session.note_given(id) {
            return Ok(id);
        }
        // Somebody gave it meanwhile, or took it back.
        self.reports.withdraw(id).await?;
        session.offered().and_then(|offer| offer.given).ok_or(EngineError::NotFound)
    }

    /// The person does not agree, or not any more: the report goes, also where it was kept, and with it the login that they lent.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]: none is offered. A store that takes nothing: ask again.
    pub async fn refuse_report(&self, session: &Session) -> Result<(), EngineError> {
        let offer = session.offered().ok_or(EngineError::NotFound)?;
        if let Some(id) = offer.given {
            self.reports.withdraw(id).await?;
        }
        let consent = session.consent().ok_or(EngineError::NotFound)?;
        self.end_lending(consent).await?;
        session.take_offer();
        // One that was lent just before that.
        self.end_lending(consent).await
    }

    /// Reports and tickets of this node.
    #[must_use]
    pub fn reports(&self) -> &Reports {
        &self.reports
    }
}
