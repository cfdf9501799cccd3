//! The end of a run and of a session: prove the erasure, issue the receipt, close what is closed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use consentry_contract::failure::{Blame, Code, Failure, Missing, Name};
use consentry_host_api::vault::VaultWitness;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_util::task::TaskTracker;

use super::{Engine, EngineError};
use crate::data::Category;
use crate::erase::retention::{
    R05TransactionTrace, R14ConsentRecord, R15ConsentLogLeaf, R19EscrowLink, R24DeliveryOutcome, Retained, Term,
};
use crate::erase::{self, Erased, Parts};
use crate::health::Count;
use crate::id::{ParcelId, ReceiptId, RunId};
use crate::ledger::{AcceptedLeaf, Event};
use crate::outbox::{How, OutboxError};
use crate::outcome::{EndSink, Ended, Failed, Outcome, Run};
use crate::receipt::disclosure::Blinding;
use crate::receipt::file::ReceiptFile;
use crate::receipt::{About, Counted, Kept, ParcelFacts, Receipt, Source};
use crate::session::state::{State, Step};
use crate::session::{Alive, Notes, PlannedParcel, Sending, Session};

/// How often, in seconds, everything stored is looked through for what is past its period. What is past it is served to
/// nobody in the meantime.
const ERASE_SECONDS: i64 = 10;

/// Writes the ends of runs to the log, by id and blame.
struct LogEnds;

impl EndSink for LogEnds {
    fn ended(&self, ended: &Ended) {
        let (name, outcome) = (ended.name(), ended.outcome());
        let failure = match outcome {
            Outcome::Failed(failed) => Some(&failed.failure),
            Outcome::Partial(_, failure) => Some(failure),
            _ => None,
        };
        tracing::info!(
            run = %name.run,
            session = %name.session,
            outcome = outcome.name(),
            code = failure.map_or("-", |failure| failure.code.name()),
            blame = outcome.blame().map(Blame::name),
            stage = failure.map(|failure| failure.stage.name()),
            retry = failure.map(|failure| failure.retry.name()),
            retry_after_ms = failure.and_then(|failure| failure.retry_after_ms),
            page = failure.and_then(|failure| failure.page.as_ref()).map(Name::as_str),
            missing = failure.and_then(|failure| failure.missing.as_ref()).map(Missing::as_str),
            limit = failure.and_then(|failure| failure.limit.as_ref()).map(Name::as_str),
            claimed = failure.and_then(|failure| failure.claimed).map(|code| code.name()),
            "a run ended"
        );
    }
}

impl Engine {
    pub(super) fn end_sink(&self) -> Arc<dyn EndSink> {
        Arc::new(LogEnds)
    }

    /// Proves that nothing of an ended run is left and issues its receipt. Whatever goes wrong is logged: the run has ended.
    pub(super) async fn conclude(&self, session: &Session, ended: Ended) {
        let notes = session.take_notes();
        if let Some(notice) = session.notice() {
            let (source, now) = (&notice.facts().source, self.clock.now());
            self.health.note(Count::of(source, &ended, notes.took), now);
            self.failing.note(source, ended.outcome(), now);
        }
        match self.receipt(session, &ended, notes).await {
            Ok(receipt) => {
                let (id, now) = (receipt.facts().receipt, self.clock.now());
                if let Some(link) = session.linked()
                    && let Err(error) = self.keep_receipt_of(&link.account, receipt.facts(), receipt.token()).await
                {
                    // The person still has it in the session.
                    tracing::error!(%error, "a receipt could not be put into its account");
                }
                session.keep_receipt(id, receipt.token().to_owned(), now);
            }
            Err(error) => {
                let error = crate::causes::chain(&error);
                tracing::error!(run = %ended.name().run, error, "no receipt could be issued");
            }
        }
    }

    async fn receipt(&self, session: &Session, ended: &Ended, mut notes: Notes) -> Result<Receipt, EngineError> {
        let now = self.clock.now();
        let (run, consent) = (ended.name().run, ended.name().consent);
        let (mut parcel, mut held) = (None, false);
        if let Some(PlannedParcel { id, .. }) = notes.parcel {
            parcel = self.outbox.look(id).await?.map(|seen| (id, seen));
            held = self.outbox.holds(id).await?;
        }
        if parcel.is_none() {
            // It was going to be shared, and never came into the outbox.
            notes.shared.clear();
        }
        let erased = prove(run, &notes.alive, held, now)?;
        let leaves = self.leaves(&notes, Event::Erased { consent, run }, now).await?;
        let record = self.consents.record(consent).await?;
        let salt = self.ledger.salt(consent).await?.ok_or(EngineError::NotFound)?;
        let notice = session.notice().ok_or(EngineError::NotFound)?;
        let source = &notice.facts().source;
        let parcel_kept = parcel.is_some();
        let about = About {
            receipt: self.entropy.with(|rng| ReceiptId::new(now, rng)),
            online_service: record.online_service(),
            notice: *record.notice(),
            source: Source {
                id: source.id.clone(),
                connector: source.connector.clone(),
                version: source.version.clone(),
                digest: source.digest,
            },
            categories: counted(&notes),
            parcel: parcel.map(|(id, seen)| ParcelFacts {
                id,
                digest: seen.digest,
                fetched_at: seen.fetched_at,
                // Also where the run ended otherwise a moment later: by a withdrawal, by its hour.
                acknowledged_at: seen.end.filter(|end| end.how == How::Acknowledged).map(|end| end.at),
            }),
            leaves,
            salt,
            kept: if self.operator.in_memory { Vec::new() } else { kept(ended, &notes, parcel_kept) },
            processing: notice.facts().processing.clone(),
            holder: record.holder().cloned(),
            blinding: self.blinding(),
        };
        Receipt::issue(ended, erased, about, &*self.keys).await.map_err(|error| EngineError::Platform(Box::new(error)))
    }

    fn blinding(&self) -> Blinding {
        let mut bytes = [0; 32];
        self.entropy.with(|rng| rng.fill_bytes(&mut bytes));
        Blinding::from_bytes(bytes)
    }

    /// The receipts of a session as the person keeps them, each with its proofs as soon as all of them are there.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub async fn receipt_files(&self, session: &Session) -> Result<Vec<(ReceiptId, ReceiptFile)>, EngineError> {
        let mut files = Vec::new();
        for (id, receipt) in session.receipts() {
            let leaves = Receipt::unverified(&receipt).map(|facts| facts.leaves).unwrap_or_default();
            let mut proofs = Vec::new();
            for leaf in &leaves {
                proofs.extend(self.ledger.proof(leaf.leaf).await?);
            }
            if proofs.len() < leaves.len() {
                proofs.clear();
            }
            files.push((id, ReceiptFile { receipt, proofs }));
        }
        Ok(files)
    }

    /// Gives accepted leaves their places in the log. What goes wrong is logged: it is tried again.
    pub async fn write_log(&self) {
        if let Err(error) = self.ledger.sequence().await {
            tracing::error!(error = %crate::causes::chain(&error), "the ledger's log can't be written");
        }
    }

    /// The ledger's signed checkpoint; none before its first leaf.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn checkpoint(&self) -> Result<Option<String>, EngineError> {
        Ok(self.ledger.checkpoint().await?)
    }

    /// A tile of the ledger's log by its path, `tile/…`.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn log_tile(&self, path: String) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.ledger.tile(path).await?)
    }

    /// The leaves that were noted and accepted, and the one of the erasure. A receipt does not wait for a ledger that can't be
    /// written: it names the leaves that there are.
    async fn leaves(&self, notes: &Notes, erased: Event, now: Timestamp) -> Result<Vec<AcceptedLeaf>, EngineError> {
        let mut leaves = Vec::new();
        for planned in &notes.leaves {
            leaves.extend(self.ledger.find(planned).await?);
        }
        match self.ledger.accept(erased, now).await {
            Ok(leaf) => leaves.push(leaf),
            Err(error) => {
                let error = crate::causes::chain(&error);
                tracing::error!(error, "an erasure has no leaf in the ledger");
            }
        }
        Ok(leaves)
    }

    /// Ends a session that can't go on, for example because nobody is there to do what it waits for.
    pub async fn fail(&self, session: &Arc<Session>, code: Code) {
        self.finish(session, Step::Failed(code)).await;
    }

    /// Ends a session whose hour is over.
    pub(super) async fn expire(&self, session: &Arc<Session>) {
        self.finish(session, Step::DeadlineReached).await;
    }

    /// Ends a session with this step, or with the end it has come to meanwhile.
    pub(super) async fn finish(&self, session: &Arc<Session>, step: Step) {
        if let Err(refused) = session.step(step, self.clock.now()) {
            tracing::debug!(session = %session.id(), %refused, "the session had ended");
        }
        if session.state().is_end() {
            self.end_left(session).await;
        }
    }

    /// Ends what a session that has ended still held. A run that is under way elsewhere ends there. To do it again changes
    /// nothing.
    pub(super) async fn end_left(&self, session: &Arc<Session>) {
        let left = session.take_left();
        if let Some(run) = left.undecided {
            let outcome = self.outcome(session, None).await;
            self.conclude(session, run.end(outcome)).await;
        }
        if let Some(Sending { run, parcel, .. }) = left.sending {
            self.try_take_back(session, parcel).await;
            let outcome = self.outcome(session, Some(parcel)).await;
            self.conclude(session, run.end(outcome)).await;
        }
        if !left.busy {
            self.close(session).await;
        }
    }

    /// Takes a parcel back from the outbox. What goes wrong is logged: its session has ended.
    pub(super) async fn try_take_back(&self, session: &Session, parcel: ParcelId) {
        let now = self.clock.now();
        let taken = match session.state() {
            State::Withdrawn => self.outbox.withdraw(parcel, now).await,
            _ => self.outbox.give_up(parcel, now).await,
        };
        match taken {
            // Bytes that never got their delivery are gone, too.
            Ok(_) | Err(OutboxError::Unknown) => {}
            Err(error) => {
                let error = crate::causes::chain(&error);
                tracing::error!(%parcel, error, "the end of a delivery could not be noted; its bytes open no more");
            }
        }
    }

    /// Ends the run of a session that ended meanwhile, and closes the session.
    pub(super) async fn end_run(&self, session: &Arc<Session>, run: Run, parcel: Option<ParcelId>) {
        let outcome = self.outcome(session, parcel).await;
        self.conclude(session, run.end(outcome)).await;
        session.release_run();
        self.close(session).await;
    }

    /// How the run of an ended session ended.
    async fn outcome(&self, session: &Session, parcel: Option<ParcelId>) -> Outcome {
        let fetched = match parcel {
            // A send that began may have arrived, whatever the outbox says when it can't be asked.
            Some(parcel) => match self.outbox.look(parcel).await {
                Ok(seen) => seen.and_then(|seen| seen.fetched_at).map(|_| parcel),
                Err(_) => Some(parcel),
            },
            None => None,
        };
        match session.state() {
            State::Withdrawn => Outcome::Withdrawn { sending: fetched },
            State::Expired => Outcome::Expired,
            State::Failed { code } => {
                let failure = session.failure().unwrap_or_else(|| Failure::new(code));
                Outcome::Failed(Failed { failure, fetched })
            }
            _ => Outcome::failed(Failure::new(Code::Cancelled)),
        }
    }

    /// Closes a session that has ended: its consent is over, its row goes, its stream of events ends.
    pub(super) async fn close(&self, session: &Session) {
        let now = self.clock.now();
        if let Some(consent) = session.consent() {
            if let Err(error) = self.consents.expire(consent, now).await {
                tracing::error!(%consent, %error, "a consent could not be closed; it ends with its validity");
            }
            if let Err(error) = self.ledger.consent_terminated(consent, now).await {
                tracing::error!(%consent, %error, "the period of a consent's salt could not be started");
            }
        }
        self.close_unconnected(session).await;
        self.save(session).await;
        session.close();
        self.sessions.ended(session);
    }

    /// Stores where a session stands. What can't be stored is logged: the session lives in memory.
    pub(super) async fn save(&self, session: &Session) {
        if let Err(error) = self.rows.save(session).await {
            tracing::error!(session = %session.id(), %error, "a session can't be stored; it would not survive a restart");
        }
    }

    /// Destroys the keys that are due, and, at most every [`ERASE_SECONDS`], erases what is past its period.
    pub(super) async fn erase_due(&self, now: Timestamp) -> Result<(), EngineError> {
        self.shelves.destroy_due(now).await?;
        let last = self.seconds.erased.load(Ordering::Relaxed);
        // A clock that was set back is no reason to wait.
        if (0..ERASE_SECONDS).contains(&(now.as_second() - last)) {
            return Ok(());
        }
        self.seconds.erased.store(now.as_second(), Ordering::Relaxed);
        let pass = erase::due(&self.shelves, &self.outbox, &*self.keys, now).await;
        let pass = pass.map_err(|error| EngineError::Platform(Box::new(error)))?;
        self.save_health(now).await;
        if pass != erase::Pass::default() {
            self.passes.note(&pass, now);
            tracing::info!(records = ?pass.erased, keys = pass.keys.len(), dead = pass.dead.len(), "erased what was due");
        }
        Ok(())
    }
}

impl Engine {
    /// Stores how connectors do. What goes wrong is logged: it is tried again.
    pub(super) async fn save_health(&self, now: Timestamp) {
        if let Err(error) = self.health.save(now).await {
            tracing::warn!(error = %crate::causes::chain(&error), "how connectors do can't be stored now");
        }
    }
}

/// Looks at every place where a run keeps something.
fn prove(run: RunId, alive: &Alive, parcel_held: bool, now: Timestamp) -> Result<Erased, EngineError> {
    let parts = Parts {
        secrets: &|| alive.vault.as_ref().is_none_or(VaultWitness::is_empty),
        sandbox: &|| alive.sandbox.iter().all(|alive| alive.upgrade().is_none()),
        tasks: &|| alive.tasks.as_ref().is_none_or(TaskTracker::is_empty),
        data: &|| alive.data.as_ref().is_none_or(|alive| alive.upgrade().is_none()),
        parcel: &|| !parcel_held,
    };
    Erased::prove(run, &parts, now).map_err(|error| EngineError::Platform(Box::new(error)))
}

fn counted(notes: &Notes) -> Vec<Counted> {
    let categories: BTreeSet<Category> = notes.collected.keys().chain(notes.shared.keys()).copied().collect();
    let of =
        |counts: &std::collections::BTreeMap<Category, usize>, category| counts.get(&category).copied().unwrap_or(0);
    categories
        .into_iter()
        .map(|category| Counted {
            category: category.name().to_owned(),
            collected: of(&notes.collected, category),
            shared: of(&notes.shared, category),
        })
        .collect()
}

/// What is still kept on the disk after a run of an anonymous session.
fn kept(ended: &Ended, notes: &Notes, parcel: bool) -> Vec<Kept> {
    let mut kept = vec![];
    // The day only is told, and what is told so is kept from its first instant on.
    let day = ended.started().to_zoned(TimeZone::UTC).start_of_day().map_or(ended.started(), |day| day.timestamp());
    if notes.traced {
        kept.push(Kept::under(R05TransactionTrace::ROW, &Term::from(day)));
    }
    kept.push(Kept::under(R14ConsentRecord::ROW, &Term::from(ended.at())));
    kept.push(Kept::under(R15ConsentLogLeaf::ROW, &Term::from(ended.at())));
    if notes.escrowed {
        kept.push(Kept::under(R19EscrowLink::ROW, &Term::from(day)));
    }
    if parcel {
        kept.push(Kept::under(R24DeliveryOutcome::ROW, &Term::from(ended.at())));
    }
    kept
}
