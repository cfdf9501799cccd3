//! From the review to the acknowledgement: the gate, the outbox, the events, the fetch, the digest.

use std::sync::Arc;

use consentry_contract::failure::Failure;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Engine, EngineError};
use crate::consent::ActiveConsent;
use crate::data::{Data, Digest, Minimised, Released, Reviewed};
use crate::forward::ParcelReady;
use crate::id::ParcelId;
use crate::ledger::{AcceptedLeaf, Event};
use crate::online_service::OnlineService;
use crate::outbox::{Fetched, How, OutboxError, ParcelBytes, ThinEvent};
use crate::outcome::{Delivery, Outcome, Run};
use crate::release::Decision;
use crate::seal::recipient::{Datasets, ItemForm, Parcel};
use crate::session::state::Step;
use crate::session::{PlannedParcel, Review, Sending, Session};

/// Most events told in one pass.
const EVENTS_MAX: usize = 256;

impl Engine {
    /// What was found, for the person's eyes.
    ///
    /// # Errors
    /// [`EngineError::Step`] when nothing is in review.
    pub fn preview(&self, session: &Session) -> Result<Value, EngineError> {
        let shown = session.with_review(|data| {
            let items: Vec<ItemForm<'_>> = data.items().iter().map(ItemForm).collect();
            json!({ "items": items, "datasets": Datasets(data), "predicates": data.answers() })
        });
        shown.ok_or_else(|| self.wrong_state(session, Step::Shared))
    }

    /// Shares what the person leaves in: releases it, seals it to the Online Service and puts it into the outbox.
    ///
    /// # Errors
    /// [`EngineError::Gate`] for a decision that leaves nothing or names what is not there, and a full disk: the review goes on, and the person can share
    /// again. After a withdrawal the session was withdrawn; after any other error it has failed.
    pub async fn share(&self, session: &Arc<Session>, decision: &Decision) -> Result<ParcelId, EngineError> {
        session.with_review(|data| decision.check(data)).ok_or_else(|| self.wrong_state(session, Step::Shared))??;
        let Review { run, data } = session.take_review().ok_or_else(|| self.wrong_state(session, Step::Shared))?;
        let shortfall = data.gathered().shortfall.clone();
        let parcel = match self.release(session, data.review(decision), shortfall.clone()).await {
            Ok(parcel) => parcel,
            Err(NotReleased { error, data: Some(data) }) => {
                self.review_again(session, Review { run, data }).await;
                return Err(error);
            }
            Err(NotReleased { error, data: None }) => {
                let step = error.withdrawal().unwrap_or(Step::Failed(error.code()));
                self.end_run_after(session, run, step).await;
                return Err(error);
            }
        };
        // Before anybody can acknowledge it, which ends the session.
        self.connect(session).await;
        self.send(session, Sending { run, parcel: parcel.id(), digest: parcel.digest(), shortfall }).await
    }

    /// Goes to delivery with a parcel that is in the outbox.
    pub(super) async fn send(&self, session: &Arc<Session>, sending: Sending) -> Result<ParcelId, EngineError> {
        let (parcel, digest) = (sending.parcel, sending.digest);
        if let Err(sending) = session.hold_sending(sending, self.clock.now()) {
            // The session ended meanwhile: the parcel must not stay.
            self.try_take_back(session, parcel).await;
            self.end_run(session, sending.run, Some(parcel)).await;
            return Err(self.wrong_state(session, Step::Shared));
        }
        // The row that was written before the parcel says all that a restart needs.
        self.save(session).await;
        // From the outbox on it can be told, fetched and acknowledged, even before the session knew of it.
        if let Some(end) = self.outbox.end(parcel).await?.filter(|end| end.how == How::Acknowledged) {
            self.end_delivered(session, Delivery { parcel, digest, acknowledged_at: end.at }).await;
        }
        Ok(parcel)
    }

    /// The gate, the seal, the outbox. Nothing is released without its leaf, and no run makes more than one parcel: what is
    /// tried again has the same name.
    pub(super) async fn release(
        &self,
        session: &Session,
        data: Data<Reviewed>,
        shortfall: Option<Failure>,
    ) -> Result<Parcel, NotReleased> {
        let now = self.clock.now();
        let planned = session.planned_parcel();
        let parcel = planned.unwrap_or_else(|| self.entropy.with(|rng| ParcelId::new(now, rng)));
        let (active, leaf) = match self.prepare_release(session, &data, parcel, shortfall, now).await {
            Ok(proofs) => proofs,
            Err(error) => return Err(NotReleased::after(error, || data.recall())),
        };
        let released = data.release(&active, &leaf, parcel).map_err(EngineError::from)?;
        match self.enqueue(session, &released, now).await {
            Ok(sealed) => Ok(sealed),
            Err(error) => Err(NotReleased::after(error, || released.recall())),
        }
    }

    /// Notes what is going to be released, and gets the two proofs that the gate asks for.
    async fn prepare_release(
        &self,
        session: &Session,
        data: &Data<Reviewed>,
        parcel: ParcelId,
        shortfall: Option<Failure>,
        now: Timestamp,
    ) -> Result<(ActiveConsent, AcceptedLeaf), EngineError> {
        let (consent, run) = (data.terms().consent, data.provenance().run);
        let leaf = session.plan_leaf(Event::Released { consent, run, parcel }, |event| self.ledger.plan(event, now));
        session.note(|notes| {
            notes.shared = data.counts();
            notes.parcel = Some(PlannedParcel { id: parcel, shortfall });
        });
        self.put_in_escrow(session, now).await?;
        // From here on a restart looks whether the leaf and the parcel came to be.
        self.rows.save(session).await?;
        let active = self.consents.active(consent, now).await?;
        Ok((active, self.ledger.accept_planned(&leaf, now).await?))
    }

    async fn enqueue(&self, session: &Session, data: &Data<Released>, now: Timestamp) -> Result<Parcel, EngineError> {
        let service = self.online_service(data.terms().terms.online_service).ok_or(EngineError::NotFound)?;
        let sealed = data.seal_for(&service, &*self.keys, &self.entropy).await?;
        self.outbox.enqueue(&sealed, session.id(), session.deadline(), now).await?;
        Ok(sealed)
    }

    /// Gives the person what they may decide about once more; nothing if the session ended meanwhile.
    async fn review_again(&self, session: &Arc<Session>, review: Review) {
        if let Err(review) = session.return_review(review) {
            drop(review.data);
            self.end_run(session, review.run, None).await;
        }
    }

    /// Gives a parcel's bytes to its Online Service. The first time, the send begins here: by compare-and-set on the consent
    /// record, or not at all.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Gone`], [`EngineError::Consent`].
    pub async fn fetch_parcel(&self, by: &OnlineService, parcel: ParcelId) -> Result<Vec<u8>, EngineError> {
        let now = self.clock.now();
        let consent = match self.outbox.fetch(parcel, by.id(), now).await.map_err(outbox_error)? {
            Fetched::Parcel(bytes) => return Ok(bytes.into_bytes()),
            Fetched::Undispatched(consent) => consent,
        };
        let active = self.consents.active(consent, now).await?;
        let proof = self.consents.dispatch(active, parcel, now).await?;
        self.outbox.dispatch(proof, now).await.map_err(outbox_error)?;
        match self.outbox.fetch(parcel, by.id(), now).await.map_err(outbox_error)? {
            Fetched::Parcel(bytes) => Ok(ParcelBytes::into_bytes(bytes)),
            Fetched::Undispatched(_) => Err(EngineError::Gone),
        }
    }

    /// Takes the acknowledgement of a parcel by its digest: only that erases our copy and ends the run. To acknowledge again
    /// changes nothing.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::OtherDigest`], [`EngineError::Gone`].
    pub async fn acknowledge(&self, by: &OnlineService, parcel: ParcelId, digest: Digest) -> Result<(), EngineError> {
        let now = self.clock.now();
        let end = self.outbox.acknowledge(parcel, by.id(), &digest, now).await.map_err(outbox_error)?;
        if let Some(session) = self.session_of(parcel) {
            self.end_delivered(&session, Delivery { parcel, digest, acknowledged_at: end.at }).await;
        }
        Ok(())
    }

    /// Ends the run of a delivery that was acknowledged. Somebody else may have ended it already.
    pub(super) async fn end_delivered(&self, session: &Arc<Session>, delivery: Delivery) {
        let Some(sending) = session.acknowledge(delivery.parcel, self.clock.now()) else { return };
        let outcome = match sending.shortfall {
            None => Outcome::Delivered(delivery),
            Some(failure) => Outcome::Partial(delivery, failure),
        };
        self.conclude(session, sending.run.end(outcome)).await;
        self.close(session).await;
    }

    /// Tells Online Services of the parcels that wait for them, as far as it is time to. Each is told in a task of its own:
    /// one that does not answer holds nobody up.
    ///
    /// # Errors
    /// The outbox can't be reached.
    pub async fn tell_events(self: &Arc<Self>) -> Result<(), EngineError> {
        for event in self.outbox.lease_events(EVENTS_MAX, self.clock.now()).await? {
            let engine = self.clone();
            self.tasks.spawn(async move {
                let reached = engine.tell(&event).await;
                if let Err(error) = engine.outbox.told(event, reached, engine.clock.now()).await {
                    tracing::warn!(%error, "an attempt could not be noted; it counts as failed when its lease is over");
                }
            });
        }
        Ok(())
    }

    /// Whether the Online Service was reached. One without an address for events asks by itself.
    async fn tell(&self, event: &ThinEvent) -> bool {
        let Some(service) = self.online_service(event.online_service) else { return false };
        let Some(address) = service.events() else { return true };
        let Some(session) = self.session(event.session) else { return true };
        let ready = ParcelReady {
            event: event.id,
            parcel: event.parcel,
            session: event.session,
            reference: session.request().reference().map(str::to_owned),
            expires_at: session.deadline(),
        };
        match self.forwarder.tell(address, ready, &self.webhook_key, self.clock.now()).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(event = %event.id, attempt = event.attempt, %error, "an Online Service was not told");
                false
            }
        }
    }

    fn session_of(&self, parcel: ParcelId) -> Option<Arc<Session>> {
        self.sessions.find(|session| session.parcel() == Some(parcel))
    }

    async fn end_run_after(&self, session: &Arc<Session>, run: Run, step: Step) {
        if let Err(refused) = session.step(step, self.clock.now()) {
            tracing::debug!(session = %session.id(), %refused, "a release failed as its session ended");
        }
        self.end_run(session, run, None).await;
    }
}

/// Why nothing was released, and what goes back to the review where that is all that happened.
#[derive(Debug)]
pub(super) struct NotReleased {
    error: EngineError,
    data: Option<Data<Minimised>>,
}

impl NotReleased {
    /// Where the store had no room nothing happened: the same can be tried again.
    fn after(error: EngineError, recall: impl FnOnce() -> Data<Minimised>) -> Self {
        let data = error.is_full().then(recall);
        Self { error, data }
    }
}

impl From<EngineError> for NotReleased {
    fn from(error: EngineError) -> Self {
        Self { error, data: None }
    }
}

pub(super) fn outbox_error(error: OutboxError) -> EngineError {
    match error {
        OutboxError::Unknown => EngineError::NotFound,
        OutboxError::Gone(_) => EngineError::Gone,
        OutboxError::WrongDigest | OutboxError::NotFetched => EngineError::OtherDigest,
        error => error.into(),
    }
}
