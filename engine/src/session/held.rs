//! What a session holds while its run is between two hands, given up when the session ends. Only the notes are stored with
//! it, for a receipt after a restart: names, digests and numbers.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use consentry_contract::failure::{Code, Failure};
use consentry_host_api::stop::{StopReason, Stopper};
use consentry_host_api::vault::VaultWitness;
use consentry_tape::Report;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;

use super::Session;
use super::events::What;
use super::state::{State, Step};
use crate::data::{Category, Data, Digest, Minimised};
use crate::id::{ParcelId, ReportId};
use crate::ledger::{Event, PlannedLeaf};
use crate::outcome::Run;

/// The place of an open session among those that its Online Service, and its node, may have. It goes with the session's end.
#[derive(Debug)]
pub struct Place {
    _own: OwnedSemaphorePermit,
    _node: OwnedSemaphorePermit,
}

impl Place {
    /// One place of the Online Service's, and one of the node's.
    pub fn new(own: OwnedSemaphorePermit, node: OwnedSemaphorePermit) -> Self {
        Self { _own: own, _node: node }
    }
}

/// What waits for the person's decision, and the run it belongs to.
#[derive(Debug)]
pub struct Review {
    /// The run.
    pub run: Run,
    /// What was found.
    pub data: Data<Minimised>,
}

/// What waits for its receiver, and the run it belongs to.
#[derive(Debug)]
pub struct Sending {
    /// The run.
    pub run: Run,
    /// The parcel.
    pub parcel: ParcelId,
    /// Its digest.
    pub digest: Digest,
    /// Why something is missing in it, if something is.
    pub shortfall: Option<Failure>,
}

/// What is noted of a run for its receipt and for the proof of its erasure: no item, no secret. A note says what was going
/// to happen; whether it did is looked up in the ledger and in the outbox when the receipt is issued.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// The ledger's leaves, each noted before it is accepted.
    pub leaves: Vec<PlannedLeaf>,
    /// How many items of each category were collected.
    pub collected: BTreeMap<Category, usize>,
    /// How many of them were put into the parcel.
    pub shared: BTreeMap<Category, usize>,
    /// The parcel, noted before it is sealed.
    pub parcel: Option<PlannedParcel>,
    /// A trace of the run is kept; noted before it is.
    #[serde(default)]
    pub traced: bool,
    /// Who the person is was sealed to the authority's key.
    #[serde(default)]
    pub escrowed: bool,
    /// How long the run has waited for the person, as far as questions were closed.
    #[serde(skip)]
    pub waited: SignedDuration,
    /// How long its collection was at work, without that.
    #[serde(skip)]
    pub took: Option<SignedDuration>,
    /// Who can see from outside whether the run left anything in memory.
    #[serde(skip)]
    pub alive: Alive,
}

/// A parcel that the person shares.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedParcel {
    /// Its name.
    pub id: ParcelId,
    /// Why something is missing in it, if something is.
    pub shortfall: Option<Failure>,
}

/// Looks at what a run holds in memory. None of it after a restart: then nothing is held.
#[derive(Debug, Clone, Default)]
pub struct Alive {
    /// The run's secrets.
    pub vault: Option<VaultWitness>,
    /// Each lives as long as the run's sandbox does.
    pub sandbox: Vec<Weak<dyn Any + Send + Sync>>,
    /// What works for the run.
    pub tasks: Option<TaskTracker>,
    /// Lives as long as the run's items do.
    pub data: Option<Weak<()>>,
}

/// A report that the person may give, as they are shown it.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The report.
    pub report: Arc<Report>,
    /// Its name, once it was given.
    pub given: Option<ReportId>,
    /// When the run failed.
    pub at: Timestamp,
    /// The key that the connector was signed with.
    pub signer: Option<String>,
}

/// What a session still held when it ended. Its owner ends the run and erases the rest.
#[derive(Default)]
pub struct Left {
    /// The run whose data nobody decided about. They went with the session's end.
    pub undecided: Option<Run>,
    /// A parcel that nobody acknowledged.
    pub sending: Option<Sending>,
    /// Somebody else holds the run and will end it.
    pub busy: bool,
}

/// From hand to hand.
impl Session {
    /// Remembers the run that begins, and how to stop it. A session that has ended meanwhile stops it at once.
    pub fn attach(&self, run: &Run, stopper: &Stopper) {
        let mut inner = self.lock();
        inner.run = Some((run.name().run, run.started()));
        inner.busy = true;
        if inner.state.is_end() {
            stopper.stop(StopReason::Cancelled);
        }
        inner.stopper = Some(stopper.clone());
    }

    /// Gives it its place among the open sessions.
    pub fn take_place(&self, place: Place) {
        self.lock().place = Some(place);
    }

    /// Stops the collection under way because the node stops. Its state and its row stay.
    pub fn suspend(&self) {
        let mut inner = self.lock();
        if matches!(inner.state, State::Collecting { .. } | State::AwaitingPerson { .. }) {
            inner.suspended = true;
            inner.stop(Step::Failed(Code::Cancelled));
        }
    }

    /// Whether it was stopped because the node stops.
    pub fn is_suspended(&self) -> bool {
        let inner = self.lock();
        inner.suspended && !inner.state.is_end()
    }

    /// Whether somebody holds its run just now.
    pub fn is_busy(&self) -> bool {
        self.lock().busy
    }

    /// The one who held the run has ended it.
    pub fn release_run(&self) {
        self.lock().busy = false;
    }

    /// Goes to review with what was found.
    ///
    /// # Errors
    /// The session ended meanwhile: the review is given back, so that its run can be ended.
    pub fn hold_review(&self, review: Review, now: Timestamp) -> Result<(), Box<Review>> {
        let mut inner = self.lock();
        match self.apply(&mut inner, Step::Collected, now) {
            Ok(_) => {
                inner.review = Some(review);
                inner.busy = false;
                Ok(())
            }
            Err(_) => Err(Box::new(review)),
        }
    }

    /// Reads what is in review.
    pub fn with_review<T>(&self, read: impl FnOnce(&Data<Minimised>) -> T) -> Option<T> {
        let inner = self.lock();
        inner.review.as_ref().map(|review| read(&review.data))
    }

    /// Takes what is in review, once. Whoever takes it ends its run, or goes on to delivery.
    pub fn take_review(&self) -> Option<Review> {
        let mut inner = self.lock();
        let review = if matches!(inner.state, State::InReview) { inner.review.take() } else { None };
        inner.busy |= review.is_some();
        review
    }

    /// Gives back what was taken from the review, because nothing came of it.
    ///
    /// # Errors
    /// The session ended meanwhile: the review is given back, so that its run can be ended.
    pub fn return_review(&self, review: Review) -> Result<(), Box<Review>> {
        let mut inner = self.lock();
        if inner.state != State::InReview {
            return Err(Box::new(review));
        }
        inner.review = Some(review);
        inner.busy = false;
        Ok(())
    }

    /// Goes to delivery with a parcel that is in the outbox.
    ///
    /// # Errors
    /// The session ended meanwhile: what was to be sent is given back.
    pub fn hold_sending(&self, sending: Sending, now: Timestamp) -> Result<(), Box<Sending>> {
        let mut inner = self.lock();
        match self.apply(&mut inner, Step::Shared, now) {
            Ok(_) => {
                inner.sending = Some(sending);
                inner.busy = false;
                Ok(())
            }
            Err(_) => Err(Box::new(sending)),
        }
    }

    /// Takes the delivery that was acknowledged, once, and ends the session with it.
    pub fn acknowledge(&self, parcel: ParcelId, now: Timestamp) -> Option<Sending> {
        let mut inner = self.lock();
        let sending = inner.sending.take_if(|sending| sending.parcel == parcel)?;
        let partial = sending.shortfall.is_some();
        // What was acknowledged is delivered, even if the hour ended while the acknowledgement was on its way.
        if self.apply_for(&mut inner, Step::Acknowledged { partial }, sending.shortfall.clone(), now).is_err() {
            tracing::info!(session = %self.id, "a parcel was acknowledged after its session had ended");
        }
        Some(sending)
    }

    /// The parcel that waits for its receiver.
    pub fn parcel(&self) -> Option<ParcelId> {
        self.lock().sending.as_ref().map(|sending| sending.parcel)
    }

    /// The parcel that a share was going to make.
    pub fn planned_parcel(&self) -> Option<ParcelId> {
        self.lock().notes.parcel.as_ref().map(|parcel| parcel.id)
    }

    /// Offers a report of a connector that was signed with this key to the person, in place of an earlier one that was not given.
    pub fn offer(&self, report: Report, signer: Option<String>, now: Timestamp) {
        let replayable = report.recording.is_some();
        self.lock().offer = Some(Offer { report: Arc::new(report), given: None, at: now, signer });
        self.events.push(now, What::ReportOffered { replayable });
    }

    /// The report that the person may give, or gave.
    pub fn offered(&self) -> Option<Offer> {
        self.lock().offer.clone()
    }

    /// Remembers that the report was given. False: it was given already, or is not offered any more.
    pub fn note_given(&self, id: ReportId) -> bool {
        let mut inner = self.lock();
        let offer = inner.offer.as_mut().filter(|offer| offer.given.is_none());
        offer.map(|offer| offer.given = Some(id)).is_some()
    }

    /// The person does not give it, or takes it back.
    pub fn take_offer(&self) -> Option<Offer> {
        self.lock().offer.take()
    }

    /// Notes something of the run under way.
    pub fn note(&self, note: impl FnOnce(&mut Notes)) {
        note(&mut self.lock().notes);
    }

    /// Notes the leaf of an event, made by `plan` unless it is noted already: what is tried again is the same leaf.
    pub fn plan_leaf(&self, event: Event, plan: impl FnOnce(Event) -> PlannedLeaf) -> PlannedLeaf {
        let leaves = &mut self.lock().notes.leaves;
        if let Some(noted) = leaves.iter().find(|leaf| leaf.event() == &event) {
            return noted.clone();
        }
        let planned = plan(event);
        leaves.push(planned.clone());
        planned
    }

    /// Takes the notes of the run that has ended. The leaf of the consent stays, for the run of another login.
    pub fn take_notes(&self) -> Notes {
        let notes = &mut self.lock().notes;
        let given = notes.leaves.iter().filter(|leaf| matches!(leaf.event(), Event::ConsentGiven { .. }));
        let next = Notes { leaves: given.cloned().collect(), ..Notes::default() };
        std::mem::replace(notes, next)
    }

    /// Remembers whether a withdrawal has still to be noted durably.
    pub fn set_unnoted(&self, unnoted: bool) {
        self.lock().unnoted = unnoted;
    }

    /// Whether a withdrawal has still to be noted durably.
    pub fn is_unnoted(&self) -> bool {
        self.lock().unnoted
    }
}
