//! What goes on by itself: a node takes up what its earlier life left behind, and every second it looks at the clock.
//!
//! What lived in memory only (guest, cookies, login, items) died with the process: those sessions fail with `node-lost`.
//! What came before the login, and what lies in the outbox, goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use consentry_contract::failure::{Code, Failure};
use jiff::Timestamp;

use super::{Engine, EngineError};
use crate::consent::{Consent, Notice, Status, Terms, Width};
use crate::outbox::{How, OutboxError};
use crate::outcome::{Delivery, Outcome, Run, RunName};
use crate::request::DataRequest;
use crate::session::row::SessionRow;
use crate::session::state::{State, Step};
use crate::session::{PlannedParcel, Sending, Session};
use crate::store::StoreError;

/// How often, in seconds, it is tried whether the store takes a write, so that an idle node is not told healthy on a full disk.
const PROBE_SECONDS: i64 = 10;

impl Engine {
    /// Takes up the stored sessions of this node.
    pub(super) async fn take_up(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        if let Err(error) = self.close_due(now).await {
            let error = crate::causes::chain(&error);
            tracing::error!(error, "consents whose time is over can't be closed now");
        }
        if let Err(error) = self.outbox.sweep(now).await {
            let error = crate::causes::chain(&error);
            tracing::error!(error, "what a crash left of deliveries can't be erased now");
        }
        if let Err(error) = self.accounts.take_away_left().await {
            let error = crate::causes::chain(&error);
            tracing::error!(error, "receipts of accounts that are gone can't be erased now");
        }
        if let Err(error) = self.close_left_unconnected().await {
            let error = crate::causes::chain(&error);
            tracing::error!(error, "consents for synchronisation without a connection can't be closed now");
        }
        for row in self.rows.all().await? {
            if row.owner != self.node {
                continue;
            }
            match self.resume(&row) {
                Some(session) => {
                    // One that was begun has its place, whatever the configuration says since.
                    if let Ok(place) = self.sessions.place(row.online_service) {
                        session.take_place(place);
                    }
                    self.sessions.insert(session.clone());
                    self.go_on(&session, &row).await?;
                }
                None => {
                    tracing::warn!(session = %row.id, "a session can't be taken up: its Online Service or request is unknown")
                }
            }
        }
        Ok(())
    }

    /// Closes what is over: consents, and the periods of their salts, which a crash or a full disk may have left open.
    async fn close_due(&self, now: Timestamp) -> Result<(), EngineError> {
        for (consent, at) in self.consents.expire_due(now).await? {
            self.ledger.consent_terminated(consent, at).await?;
        }
        Ok(())
    }

    fn resume(&self, row: &SessionRow) -> Option<Arc<Session>> {
        let service = self.online_service(row.online_service)?;
        let request = DataRequest::parse(row.request, row.request_json.as_bytes(), &service).ok()?;
        let notice = row.choice.as_ref().and_then(|choice| {
            let connector = self.catalogue().version(&choice.connector, &choice.digest)?.clone();
            let source = connector.notice_source(&choice.source)?;
            Notice::compile(&request, &service, &source, &self.operator).ok().map(Arc::new)
        });
        Some(Arc::new(Session::resume(row, request, notice, self.clock.now())))
    }

    async fn go_on(&self, session: &Arc<Session>, row: &SessionRow) -> Result<(), StoreError> {
        let run = row.run.zip(row.consent).map(|((run, began), consent)| {
            let name = RunName { run, session: row.id, consent };
            Run::resume(name, began, self.clock.clone(), self.end_sink())
        });
        match (run, &row.notes.parcel) {
            (Some(run), Some(parcel)) => self.go_on_sending(session, run, parcel).await?,
            (Some(run), None) if row.state.is_open_run() => self.lose(session, run).await,
            // The run had ended before; the session waits for another login, or had no run yet.
            (Some(run), None) => run.forget(),
            (None, _) if row.state.is_open_run() => self.fail(session, Code::NodeLost).await,
            (None, _) => {}
        }
        self.go_on_decided(session).await;
        Ok(())
    }

    /// The node may have died after it wrote the person's word on the consent's record, and before the session followed.
    async fn go_on_decided(&self, session: &Arc<Session>) {
        let Some(consent) = session.consent().filter(|_| !session.state().is_end()) else { return };
        let gone_on = match self.consents.record(consent).await {
            Ok(record) => match (record.status(), session.state()) {
                (Status::Given, State::AwaitingConsent) if !is_wider(session, &record) => {
                    self.go_on_given(session, consent, *record.notice()).await
                }
                (Status::Given, state) if !state.is_end() && is_wider(session, &record) => {
                    tracing::warn!(session = %session.id(), "what is asked has become wider than what was agreed to: the person is asked again");
                    self.fail(session, Code::ConsentExpired).await;
                    Ok(())
                }
                (Status::Refused | Status::Withdrawn, _) => {
                    self.finish(session, Step::Withdrawn).await;
                    Ok(())
                }
                _ => Ok(()),
            },
            Err(error) => Err(error.into()),
        };
        if let Err(error) = gone_on {
            let error = crate::causes::chain(&error);
            tracing::error!(session = %session.id(), error, "a decision can't be followed now; the person can say it again");
        }
    }

    /// A share was begun. What is in the outbox goes on from there; what is not, is lost.
    async fn go_on_sending(&self, session: &Arc<Session>, run: Run, planned: &PlannedParcel) -> Result<(), StoreError> {
        let now = self.clock.now();
        let seen = match self.outbox.look(planned.id).await {
            Ok(seen) => seen.filter(|seen| seen.end.is_none_or(|end| end.how != How::Undelivered)),
            Err(OutboxError::Store(error)) => return Err(error),
            Err(_) => None,
        };
        let Some(seen) = seen else {
            self.lose(session, run).await;
            return Ok(());
        };
        let PlannedParcel { id: parcel, shortfall } = planned.clone();
        session.resume_sending(Sending { run, parcel, digest: seen.digest, shortfall }, now);
        match seen.end {
            None => self.save(session).await,
            // It was acknowledged, and the node died before it could end the run.
            Some(end) if end.how == How::Acknowledged => {
                let delivery = Delivery { parcel, digest: seen.digest, acknowledged_at: end.at };
                self.end_delivered(session, delivery).await;
            }
            // It was withdrawn: the consent says so, and is followed next.
            Some(_) => {}
        }
        Ok(())
    }

    /// Ends a run whose items died with the node, and what it had begun to put into the outbox.
    async fn lose(&self, session: &Arc<Session>, run: Run) {
        if let Some(parcel) = session.planned_parcel() {
            self.try_take_back(session, parcel).await;
        }
        self.conclude(session, run.end(Outcome::failed(Failure::new(Code::NodeLost)))).await;
        self.fail(session, Code::NodeLost).await;
    }

    /// Whether the store takes writes: tried every [`PROBE_SECONDS`], and each time while it took none.
    async fn probe(&self, now: Timestamp) -> bool {
        let before = self.shelves.check();
        let last = self.seconds.probed.load(Ordering::Relaxed);
        if before.is_ok() && (0..PROBE_SECONDS).contains(&(now.as_second() - last)) {
            return true;
        }
        self.seconds.probed.store(now.as_second(), Ordering::Relaxed);
        let probed = self.shelves.probe().await;
        match (&before, &probed) {
            (Ok(()), Err(error)) => {
                tracing::error!(error = %crate::causes::chain(error), "the store takes no writes");
            }
            (Err(_), Ok(())) => tracing::info!("the store takes writes again"),
            _ => {}
        }
        probed.is_ok()
    }

    /// Does what may not be late, and waits for no key provider: lets the keys of records go that are due, takes down questions and what was
    /// typed, ends sessions whose time is over. Call it every second, beside [`Self::sweep`], which does what follows from it.
    ///
    /// # Errors
    /// [`EngineError::Platform`]: what the disk refused. The sessions' times are kept all the same.
    pub async fn keep_times(&self) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.sessions.all().iter().for_each(|session| session.keep_times(now));
        self.shelves.drop_due(now).await?;
        Ok(())
    }

    /// Does what is due by the clock: destroys keys, ends sessions and deliveries whose time is over, takes down questions, tells
    /// Online Services, erases what is past its period. Call it every second; calling it more often does no harm.
    ///
    /// # Errors
    /// The first thing that failed, after all others were done: call it again.
    pub async fn sweep(self: &Arc<Self>) -> Result<(), EngineError> {
        self.follow_folder();
        self.sessions.all().iter().for_each(|session| session.keep_times(self.clock.now()));
        let now = self.clock.now();
        // Before sessions end: the keys that are due wait for no receipt.
        let destroyed = self.shelves.destroy_due(now).await.map(drop);
        let takes_writes = self.probe(now).await;
        self.sweep_sessions(now, takes_writes).await;
        if takes_writes && let Err(error) = self.consents.write_withdrawals().await {
            tracing::error!(error = %crate::causes::chain(&error), "a withdrawal can't be noted");
        }
        if takes_writes {
            self.write_log().await;
        }
        // Before a connection is erased whose time is over: its consent ends with it.
        let synchronised = if takes_writes { self.synchronise_due().await } else { Ok(()) };
        let erased = self.erase_due(now).await;
        self.answer_requests();
        self.answer_retests();
        // Keys that can't be reached keep nobody from being told, nor the others' steps from being taken.
        let (mut taken_in, mut settled) = (Ok(()), Ok(()));
        if takes_writes {
            taken_in = self.take_in_deeds().await;
            settled = self.settle_months().await;
        }
        let told = self.tell_events().await;
        let mut announced = Ok(());
        if takes_writes {
            self.suspend_failing().await;
            announced = self.announce().await;
        }
        destroyed?;
        erased?;
        taken_in?;
        settled?;
        told?;
        synchronised?;
        announced?;
        Ok(())
    }

    async fn sweep_sessions(&self, now: Timestamp, takes_writes: bool) {
        for session in self.sessions.all() {
            if session.is_unnoted()
                && takes_writes
                && let Err(error) = self.withdraw(&session).await
            {
                tracing::error!(session = %session.id(), %error, "a withdrawal can't be noted");
            }
            if now >= session.deadline() {
                self.expire(&session).await;
                if !session.is_busy() {
                    self.sessions.remove(&session);
                }
            }
        }
    }
}

/// Whether the notice of today asks for more than the one that the person read, because a registration, the policy or the configuration has
/// changed since. A send that had begun is not called back by that.
fn is_wider(session: &Session, record: &Consent) -> bool {
    let Some(notice) = session.notice().filter(|_| record.sending().is_none()) else { return false };
    Terms::asked(notice.facts()).compared_with(&Terms::asked(record.told())) == Width::Wider
}
