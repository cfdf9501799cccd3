//! From a request to a decision: sessions begin, sources are chosen, consents are given or refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::catalogue::Offer;
use super::{Engine, EngineError};
use crate::consent::{ConsentError, Notice, Refusal, Withdrawal};
use crate::data::{Category, Digest};
use crate::id::{ConsentId, DataRequestId, SessionId};
use crate::ledger::Event;
use crate::online_service::{KeyHash, OnlineService};
use crate::request::DataRequest;
use crate::session::state::{State, Step, StepRefused};
use crate::session::{Choice, Session};

/// A session that was just begun.
pub struct NewSession {
    /// The session.
    pub session: Arc<Session>,
    /// The person's secret for it. It is kept as a hash only, so this is the one chance to hand it on.
    pub token: String,
    /// Lets one browser in, once; kept as a hash only, too.
    pub entry: String,
}

impl Engine {
    /// Begins a session for a request of an Online Service.
    ///
    /// # Errors
    /// [`EngineError::Request`], [`EngineError::TooMany`], [`EngineError::Busy`] and [`EngineError::Stopping`].
    pub async fn create_session(&self, by: &OnlineService, json: &[u8]) -> Result<NewSession, EngineError> {
        if self.is_draining() {
            return Err(EngineError::Stopping);
        }
        let now = self.clock.now();
        let (id, request) = self.entropy.with(|rng| (SessionId::new(now, rng), DataRequestId::new(now, rng)));
        let (token, entry) = (self.secret(), self.secret());
        let request = DataRequest::parse(request, json, by)?;
        let session = Arc::new(Session::new(id, request, KeyHash::of(&token), now));
        session.open_door(KeyHash::of(&entry));
        session.take_place(self.sessions.place(by.id())?);
        // Nobody learns of one that was not stored, so nobody would end it.
        self.rows.save(&session).await?;
        self.sessions.insert(session.clone());
        Ok(NewSession { session, token, entry })
    }

    /// Lets a browser into a session by its entry code, which is of no use a second time. Gives the secret by which the browser is
    /// known in the session from then on; it is kept as a hash only.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for a code that is not the session's, or was used. A store that takes nothing.
    pub async fn enter(&self, session: &Session, code: &str) -> Result<String, EngineError> {
        let secret = self.secret();
        if !session.enter(code, KeyHash::of(&secret)) {
            return Err(EngineError::NotFound);
        }
        self.rows.save(session).await?;
        Ok(secret)
    }

    /// 256 random bits, as text.
    pub(super) fn secret(&self) -> String {
        let mut secret = [0; 32];
        self.entropy.with(|rng| rng.fill_bytes(&mut secret));
        URL_SAFE_NO_PAD.encode(secret)
    }

    /// The Data Sources that can give something of what is asked for.
    pub fn sources_for(&self, request: &DataRequest) -> Vec<Offer> {
        self.catalogue().offers(request)
    }

    /// Chooses a Data Source that nobody holds, compiles the notice and makes the record of the consent that is asked for. The person may
    /// choose again until they decide. A source that is bound to fail here is not chosen.
    ///
    /// # Errors
    /// [`EngineError::Source`], [`EngineError::Connector`], [`EngineError::Operator`], and [`EngineError::Step`] after the
    /// decision.
    pub async fn choose_source(
        &self,
        session: &Session,
        connector: &str,
        source: &str,
    ) -> Result<Arc<Notice>, EngineError> {
        let now = self.clock.now();
        let request = session.request();
        let service = self.online_service(request.online_service()).ok_or(EngineError::NotFound)?;
        let unknown = || EngineError::Source(format!("there is no source {connector}/{source}"));
        let catalogue = self.catalogue();
        let known = catalogue.serving(connector, source).ok_or_else(unknown)?;
        if catalogue.held(connector, source).is_some() {
            return Err(EngineError::Maintenance);
        }
        let facts = known.notice_source(source).ok_or_else(unknown)?;
        let notice = Notice::compile(request, &service, &facts, &self.operator);
        let notice = Arc::new(notice.map_err(|error| EngineError::Source(error.to_string()))?);
        let _alone = session.decide_alone().await;
        if !matches!(session.state(), State::Requested | State::AwaitingConsent) {
            return Err(StepRefused { state: session.state().name(), step: Step::NoticeShown }.into());
        }
        self.check_usable(known, source).await?;
        let consent = self.entropy.with(|rng| ConsentId::new(now, rng));
        self.consents.ask(consent, session.id(), request, &notice, session.deadline(), now).await?;
        let choice = Choice { connector: connector.to_owned(), source: source.to_owned(), digest: facts.digest };
        let earlier = session.consent();
        if let Err(refused) = session.choose(choice, notice.clone(), consent) {
            // The session ended meanwhile. Nobody will decide about what was asked.
            self.consents.expire(consent, now).await?;
            return Err(refused.into());
        }
        if session.state() == State::Requested {
            session.step(Step::NoticeShown, now)?;
        }
        self.rows.save(session).await?;
        if let Some(earlier) = earlier {
            self.consents.expire(earlier, now).await?;
        }
        Ok(notice)
    }

    /// Records the person's yes. The same yes again is the same yes: what a first try did not get to is done then.
    ///
    /// # Errors
    /// [`EngineError::Consent`] and [`EngineError::Step`].
    pub async fn give_consent(
        &self,
        session: &Session,
        notice: &Digest,
        granted: &BTreeSet<Category>,
    ) -> Result<(), EngineError> {
        self.give_consent_to_all(session, notice, granted, &BTreeSet::new()).await
    }

    /// As [`Engine::give_consent`], also to questions that are answered here.
    ///
    /// # Errors
    /// [`EngineError::Consent`] and [`EngineError::Step`].
    pub async fn give_consent_to_all(
        &self,
        session: &Session,
        notice: &Digest,
        granted: &BTreeSet<Category>,
        predicates: &BTreeSet<String>,
    ) -> Result<(), EngineError> {
        let _alone = session.decide_alone().await;
        let now = self.clock.now();
        let decided = || session.consent().filter(|_| !session.state().is_end());
        let consent = decided().ok_or_else(|| self.wrong_state(session, Step::ConsentGiven))?;
        self.consents.give_all(consent, notice, granted, predicates, now).await?;
        self.go_on_given(session, consent, *notice).await
    }

    /// Does what follows a recorded yes: its leaf, its step.
    pub(super) async fn go_on_given(
        &self,
        session: &Session,
        consent: ConsentId,
        notice: Digest,
    ) -> Result<(), EngineError> {
        let now = self.clock.now();
        let leaf = session.plan_leaf(Event::ConsentGiven { consent, notice }, |event| self.ledger.plan(event, now));
        let _ = self.ledger.accept_planned(&leaf, now).await?;
        match session.step(Step::ConsentGiven, now) {
            Err(_) if matches!(session.state(), State::AwaitingCredentials { .. }) => {}
            stepped => {
                stepped?;
            }
        }
        self.rows.save(session).await?;
        Ok(())
    }

    /// Records the person's no, and ends the session.
    ///
    /// # Errors
    /// [`EngineError::Consent`] and [`EngineError::Step`].
    pub async fn refuse_consent(&self, session: &Session) -> Result<(), EngineError> {
        let _alone = session.decide_alone().await;
        let now = self.clock.now();
        let consent = session.consent().ok_or_else(|| self.wrong_state(session, Step::ConsentRefused))?;
        self.note_refusal(consent, now).await?;
        session.step(Step::ConsentRefused, now)?;
        self.close(session).await;
        Ok(())
    }

    /// A no needs no room: a record that was never given ends with its time, whether or not the no is on it.
    async fn note_refusal(&self, consent: ConsentId, now: Timestamp) -> Result<(), ConsentError> {
        match self.consents.refuse(consent, now).await {
            Err(error @ ConsentError::Refused(_)) => Err(error),
            Err(error) => {
                let error = crate::causes::chain(&error);
                tracing::error!(%consent, error, "a refusal could not be noted; its record will say that its time was over");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Takes the consent back: what runs is stopped, what is held is erased, and no send begins any more. One that had
    /// begun is named, and its Online Service has to say, signed, what became of it. Before the decision it is a no. Nothing keeps it from happening; what the store did not take is told,
    /// and tried again by [`Engine::sweep`]. To withdraw again changes nothing.
    ///
    /// # Errors
    /// [`EngineError::Consent`].
    pub async fn withdraw(&self, session: &Arc<Session>) -> Result<Withdrawal, EngineError> {
        // Until the decision nothing runs that would have to be stopped first; a choice or a decision that is under way comes to its end.
        let undecided = matches!(session.state(), State::Requested | State::AwaitingConsent);
        let _alone = if undecided { Some(session.decide_alone().await) } else { None };
        let now = self.clock.now();
        let nothing = Withdrawal { at: now, sending: None, noted: true, passed_on: None };
        let mut withdrawal = match (session.state(), session.consent()) {
            (State::Requested, _) | (_, None) => nothing,
            (State::AwaitingConsent, Some(consent)) => match self.note_refusal(consent, now).await {
                // The yes was faster.
                Err(ConsentError::Refused(Refusal::AlreadyDecided)) => {
                    self.note_withdrawal(session, consent, now).await?
                }
                noted => noted.map(|()| nothing)?,
            },
            (State::Withdrawn, Some(consent)) => match self.note_withdrawal(session, consent, now).await {
                // It was a no.
                Err(ConsentError::Refused(Refusal::NotGiven | Refusal::Refused)) => nothing,
                noted => noted?,
            },
            (_, Some(consent)) => self.note_withdrawal(session, consent, now).await?,
        };
        // A session that has ended stays ended; the withdrawal is on the record all the same.
        self.finish(session, Step::Withdrawn).await;
        if let (Some(_), Some(consent)) = (withdrawal.sending, session.consent()) {
            match self.pass_withdrawal_on(consent, now).await {
                Ok(passed_on) => withdrawal.passed_on = Some(passed_on),
                Err(error) => {
                    let error = crate::causes::chain(&error);
                    tracing::error!(%consent, error, "a withdrawal can't be passed on to its Online Service yet");
                    withdrawal.noted = false;
                }
            }
        }
        if let Some(consent) = session.consent()
            && let Err(error) = self.end_lending(consent).await
        {
            let error = crate::causes::chain(&error);
            tracing::error!(%consent, error, "a login that was lent can't be erased yet");
            withdrawal.noted = false;
        }
        if let Err(error) = self.take_back_synchronisation(session).await {
            let error = crate::causes::chain(&error);
            tracing::error!(session = %session.id(), error, "automatic synchronisation can't be ended yet");
            withdrawal.noted = false;
        }
        if let Some(report) = session.offered().and_then(|offer| offer.given)
            && let Err(error) = self.reports.withdraw(report).await
        {
            let error = crate::causes::chain(&error);
            tracing::error!(%report, error, "a report that was given can't be erased yet");
            withdrawal.noted = false;
        }
        session.set_unnoted(!withdrawal.noted);
        Ok(withdrawal)
    }

    /// Puts a withdrawal on the record and into the ledger, as far as the store takes it.
    async fn note_withdrawal(
        &self,
        session: &Session,
        consent: ConsentId,
        now: Timestamp,
    ) -> Result<Withdrawal, ConsentError> {
        let withdrawal = match self.consents.withdraw(consent, now).await {
            Err(ConsentError::Store(error)) => {
                tracing::error!(%consent, error = %crate::causes::chain(&error), "a consent record can't be read");
                // Whether it was sent can't be looked up: it may have been.
                Withdrawal { at: now, sending: session.parcel(), noted: false, passed_on: None }
            }
            withdrawn => withdrawn?,
        };
        let withdrawn = Event::ConsentWithdrawn { consent };
        let leaf = session.plan_leaf(withdrawn, |event| self.ledger.plan(event, now));
        let accepted = self.ledger.accept_planned(&leaf, now).await;
        if let Err(error) = &accepted {
            let error = crate::causes::chain(error);
            tracing::error!(%consent, error, "a withdrawal has no leaf in the ledger yet");
        }
        Ok(Withdrawal { noted: withdrawal.noted && accepted.is_ok(), ..withdrawal })
    }

    pub(super) fn wrong_state(&self, session: &Session, step: Step) -> EngineError {
        StepRefused { state: session.state().name(), step }.into()
    }
}
