//! A session owns one flow, from the request of an Online Service to the receipt. It lives one hour at most.
//!
//! The node that runs a session holds it in memory; the stored row (see [`row`]) is a copy for the case that the node
//! dies. Every change of state is an event, in the order in which it happened. What the person gives or is shown is never
//! in the row and never in an event.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use consentry_contract::failure::Failure;
use consentry_host_api::ports::Typed;
use consentry_host_api::stop::{StopReason, Stopper};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex as Turns, MutexGuard as Turn, Semaphore};

use crate::account::Link;
use crate::consent::Notice;
use crate::data::Digest;
use crate::id::{ConsentId, ReceiptId, RunId, SessionId};
use crate::online_service::KeyHash;
use crate::outcome::Run;
use crate::request::DataRequest;

mod door;
pub mod events;
mod held;
pub mod question;
pub mod row;
pub mod state;
mod synchronising;

pub use door::Door;
use events::{EventLog, Subscription, What};
pub use held::{Alive, Left, Notes, Offer, Place, PlannedParcel, Review, Sending};
use question::Pending;
use state::{State, Step, StepRefused};
pub use synchronising::Synchronising;

/// How long a session lives. Nothing extends it.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// So many follow the events of one session at once: the person's pages and a programme's.
const FOLLOWERS_MAX: usize = 8;

/// One flow and its owner's memory.
pub struct Session {
    id: SessionId,
    request: DataRequest,
    person: KeyHash,
    started: Timestamp,
    events: Arc<EventLog>,
    followers: Arc<Semaphore>,
    deciding: Turns<()>,
    inner: Mutex<Inner>,
}

/// What changes. Guarded by a lock that is never held across an await.
struct Inner {
    state: State,
    /// Why it failed, why a login was refused, or why something is missing in what was delivered.
    failure: Option<Failure>,
    changes: u64,
    choice: Option<Choice>,
    notice: Option<Arc<Notice>>,
    consent: Option<ConsentId>,
    run: Option<(RunId, Timestamp)>,
    /// Somebody holds the run just now, and will end it: a collection, or the one who shares.
    busy: bool,
    stopper: Option<Stopper>,
    pending: Option<Pending>,
    /// An answer that the connector may not have taken yet, and until when it is kept.
    typed: Option<(Typed, Timestamp)>,
    /// The hash of the state by which the person of the run comes back from another place, once.
    way_back: Option<KeyHash>,
    review: Option<Review>,
    /// The run of what was in review when the session ended.
    undecided: Option<Run>,
    sending: Option<Sending>,
    notes: Notes,
    /// How the person's browser comes in.
    door: Door,
    receipts: Vec<(ReceiptId, String)>,
    /// The report of the run that failed last, for the person to give or not.
    offer: Option<Offer>,
    /// The person withdrew, and the store has not taken all of that yet.
    unnoted: bool,
    /// The account that its person signed in to.
    link: Option<Link>,
    /// Its part in automatic synchronisation.
    synchronising: Option<Synchronising>,
    /// None from its end on.
    place: Option<Place>,
    /// The node stops: what runs is left to its next life.
    suspended: bool,
}

/// The Data Source that was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The connector's id.
    pub connector: String,
    /// The Data Source's id within it.
    pub source: String,
    /// The version of the connector, by what it is: the one that the notice names and that runs, whatever serves others meanwhile.
    pub digest: Digest,
}

impl Session {
    /// Begins a session. `person` is the hash of the secret by which the person is known in it.
    pub fn new(id: SessionId, request: DataRequest, person: KeyHash, now: Timestamp) -> Self {
        let session = Self::at(id, request, person, now, State::Requested);
        session.events.push(now, What::State { state: State::Requested, failure: None });
        session
    }

    /// Takes up a session that another node, or this one before a restart, held.
    pub fn resume(row: &row::SessionRow, request: DataRequest, notice: Option<Arc<Notice>>, now: Timestamp) -> Self {
        let session = Self::at(row.id, request, row.person.clone(), row.started, row.state.clone());
        {
            let mut inner = session.lock();
            inner.changes = row.changes;
            inner.choice.clone_from(&row.choice);
            inner.consent = row.consent;
            inner.run = row.run;
            inner.notes = row.notes.clone();
            inner.link.clone_from(&row.link);
            inner.door = row.door.clone();
            inner.notice = notice;
        }
        session.events.push(now, What::State { state: row.state.clone(), failure: None });
        session
    }

    /// Gives a resumed session its delivery back. One whose node died in the middle of a share goes on to delivery.
    pub fn resume_sending(&self, sending: Sending, now: Timestamp) {
        let mut inner = self.lock();
        if inner.state == State::InReview && self.apply(&mut inner, Step::Shared, now).is_err() {
            tracing::debug!(session = %self.id, "a delivery was resumed for a session that has ended");
        }
        inner.sending = Some(sending);
    }

    /// What is stored of it.
    pub fn row(&self, node: &str) -> row::SessionRow {
        let inner = self.lock();
        row::SessionRow {
            format: row::FORMAT,
            id: self.id,
            state: inner.state.clone(),
            changes: inner.changes,
            owner: node.to_owned(),
            person: self.person.clone(),
            started: self.started,
            online_service: self.request.online_service(),
            request: self.request.id(),
            request_json: self.request.json().to_owned(),
            choice: inner.choice.clone(),
            consent: inner.consent,
            run: inner.run,
            notes: inner.notes.clone(),
            link: inner.link.clone(),
            door: inner.door.clone(),
        }
    }

    fn at(id: SessionId, request: DataRequest, person: KeyHash, started: Timestamp, state: State) -> Self {
        let inner = Inner {
            state,
            failure: None,
            changes: 1,
            choice: None,
            notice: None,
            consent: None,
            run: None,
            busy: false,
            stopper: None,
            pending: None,
            typed: None,
            way_back: None,
            review: None,
            undecided: None,
            sending: None,
            notes: Notes::default(),
            door: Door::default(),
            receipts: vec![],
            offer: None,
            unnoted: false,
            link: None,
            synchronising: None,
            place: None,
            suspended: false,
        };
        let followers = Arc::new(Semaphore::new(FOLLOWERS_MAX));
        let (deciding, events, inner) = (Turns::default(), Arc::default(), Mutex::new(inner));
        Self { id, request, person, started, events, followers, deciding, inner }
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// What is asked for.
    pub fn request(&self) -> &DataRequest {
        &self.request
    }

    /// Whether `token` is the person's secret, in constant time. It opens nothing any more once their browser has come in: whoever
    /// began the session has it too, and must not act in their place.
    pub fn knows(&self, token: &str) -> bool {
        let came_in = self.lock().door.browser.is_some();
        self.person.matches(token) && !came_in
    }

    /// When it began.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// When it ends at the latest.
    pub fn deadline(&self) -> Timestamp {
        self.started.checked_add(LIFETIME).unwrap_or(Timestamp::MAX)
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// Why it failed, why the last login was refused, or why something is missing in what was delivered.
    pub fn failure(&self) -> Option<Failure> {
        self.lock().failure.clone()
    }

    /// Takes one step. After the deadline the only step is the end, whatever was asked for.
    ///
    /// # Errors
    /// The step does not fit where the session stands; nothing changed but, perhaps, that the hour is over.
    pub fn step(&self, step: Step, now: Timestamp) -> Result<State, StepRefused> {
        self.step_for(step, None, now)
    }

    /// Takes one step because of a failure, which is told with the state that it leads to.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn step_for(&self, step: Step, why: Option<Failure>, now: Timestamp) -> Result<State, StepRefused> {
        let mut inner = self.lock();
        if now >= self.deadline() && !inner.state.is_end() && step != Step::DeadlineReached {
            self.apply(&mut inner, Step::DeadlineReached, now)?;
        }
        self.apply_for(&mut inner, step, why, now)
    }

    fn apply(&self, inner: &mut Inner, step: Step, now: Timestamp) -> Result<State, StepRefused> {
        self.apply_for(inner, step, None, now)
    }

    fn apply_for(
        &self,
        inner: &mut Inner,
        step: Step,
        why: Option<Failure>,
        now: Timestamp,
    ) -> Result<State, StepRefused> {
        let next = inner.state.next(step)?;
        inner.failure = match &next {
            // A login that was refused, and is not given again, is still refused for the same reason.
            State::Failed { code } => {
                let known = why.or(inner.failure.take()).filter(|failure| failure.code == *code);
                Some(known.unwrap_or_else(|| Failure::new(*code)))
            }
            _ => why,
        };
        inner.state = next.clone();
        inner.changes += 1;
        if step == Step::LoginSubmitted {
            // It changes what may be repeated, not where the person is.
            return Ok(next);
        }
        self.events.push(now, What::State { state: next.clone(), failure: inner.failure.clone().map(Box::new) });
        if next.is_end() {
            inner.place = None;
            if let Some(part) = &mut inner.synchronising {
                // What its run kept and nobody stored yet goes with it; what an unattended run kept is stored by whoever began it.
                part.kept = part.kept.take().filter(|_| !part.attended);
                part.last = None;
            }
            // Nobody decides about it any more: it goes now, whatever is still to be done about its run.
            inner.undecided = inner.review.take().map(|review| review.run).or(inner.undecided.take());
        }
        if next.is_end() || matches!(next, State::AwaitingCredentials { .. }) {
            inner.stop(step);
        }
        Ok(next)
    }

    /// Keeps its times: takes down a question, and what was typed and not taken, and ends the session itself with what it holds in
    /// memory.
    pub fn keep_times(&self, now: Timestamp) {
        self.sweep_question(now);
        if now >= self.deadline() {
            // Refused if it had ended before.
            let _ = self.step(Step::DeadlineReached, now);
        }
    }

    /// Takes what an ended session still holds; nothing from one that goes on.
    pub fn take_left(&self) -> Left {
        let mut inner = self.lock();
        if !inner.state.is_end() {
            return Left::default();
        }
        Left { undecided: inner.undecided.take(), sending: inner.sending.take(), busy: inner.busy }
    }

    /// Waits until no choice of a Data Source and no decision about one is under way: what a person agrees to is what the session goes on
    /// with.
    pub async fn decide_alone(&self) -> Turn<'_, ()> {
        self.deciding.lock().await
    }

    /// The places of those who follow its events.
    pub fn followers(&self) -> Arc<Semaphore> {
        self.followers.clone()
    }

    /// Reads its events from the one after `seen` on.
    pub fn subscribe(&self, seen: u64) -> Subscription {
        self.events.subscribe(seen)
    }

    /// Reads its events from the one after this one on.
    pub fn subscribe_after(&self, last: &str) -> Subscription {
        self.events.subscribe_after(last)
    }

    /// Tells of something that is no change of state.
    pub fn tell(&self, what: What, now: Timestamp) {
        self.events.push(now, what);
    }

    /// Ends the stream of events. Called once the receipt, if there is one, was told.
    pub fn close(&self) {
        self.events.close();
    }

    /// Remembers which Data Source was chosen, and the notice that was compiled for it.
    ///
    /// # Errors
    /// The person has decided already.
    pub fn choose(&self, choice: Choice, notice: Arc<Notice>, consent: ConsentId) -> Result<(), StepRefused> {
        let mut inner = self.lock();
        if !matches!(inner.state, State::Requested | State::AwaitingConsent) {
            return Err(StepRefused { state: inner.state.name(), step: Step::NoticeShown });
        }
        inner.choice = Some(choice);
        inner.notice = Some(notice);
        inner.consent = Some(consent);
        Ok(())
    }

    /// The Data Source that was chosen.
    pub fn choice(&self) -> Option<Choice> {
        self.lock().choice.clone()
    }

    /// The notice that was shown.
    pub fn notice(&self) -> Option<Arc<Notice>> {
        self.lock().notice.clone()
    }

    /// The consent that was asked for.
    pub fn consent(&self) -> Option<ConsentId> {
        self.lock().consent
    }

    /// Links it with the account that its person signed in to; says whether it is not too late for that.
    pub fn link(&self, link: Link) -> bool {
        let mut inner = self.lock();
        let early =
            matches!(inner.state, State::Requested | State::AwaitingConsent | State::AwaitingCredentials { .. });
        if early {
            inner.link = Some(link);
        }
        early
    }

    /// The account that its person signed in to.
    pub fn linked(&self) -> Option<Link> {
        self.lock().link.clone()
    }

    /// Keeps a receipt for the person to fetch while the session lives.
    pub fn keep_receipt(&self, id: ReceiptId, receipt: String, now: Timestamp) {
        self.lock().receipts.push((id, receipt));
        self.events.push(now, What::Receipt { receipt: id });
    }

    /// The receipts so far, one for each login that was opened.
    pub fn receipts(&self) -> Vec<(ReceiptId, String)> {
        self.lock().receipts.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here is left half changed: each change is one assignment after the checks.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Ends what runs: the guest is stopped, the question is taken down.
    fn stop(&mut self, why: Step) {
        self.pending = None;
        drop(self.typed.take().and_then(|(typed, _)| typed.take()));
        self.way_back = None;
        if let Some(stopper) = self.stopper.take() {
            stopper.stop(if why == Step::Withdrawn { StopReason::Withdrawn } else { StopReason::Cancelled });
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("id", &self.id).field("state", &self.state().name()).finish_non_exhaustive()
    }
}
