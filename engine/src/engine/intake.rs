//! From a request to a decision: sessions begin, sources are chosen, consents are given or refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::catalogue::Offer;
use super::{Engine, EngineError};
use crate::consent::{Notice, Withdrawal};
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
}

impl Engine {
    /// Begins a session for a request of an Online Service.
    ///
    /// # Errors
    /// [`EngineError::Request`] and [`EngineError::Busy`].
    pub async fn create_session(&self, by: &OnlineService, json: &[u8]) -> Result<NewSession, EngineError> {
        let now = self.clock.now();
        let (id, request, token) = self.entropy.with(|rng| {
            let mut secret = [0; 32];
            rng.fill_bytes(&mut secret);
            (SessionId::new(now, rng), DataRequestId::new(now, rng), URL_SAFE_NO_PAD.encode(secret))
        });
        let request = DataRequest::parse(request, json, by)?;
        let session = Arc::new(Session::new(id, request, KeyHash::of(&token), now));
        {
            let mut sessions = self.sessions();
            if sessions.len() >= self.sessions_max {
                return Err(EngineError::Busy);
            }
            sessions.insert(id, session.clone());
        }
        if let Err(error) = self.rows.save(&session).await {
            // Nobody learns of it, so nobody would end it.
            self.sessions().remove(&id);
            return Err(error.into());
        }
        Ok(NewSession { session, token })
    }

    /// The Data Sources that can give something of what is asked for.
    pub fn sources_for(&self, request: &DataRequest) -> Vec<Offer> {
        self.catalogue.offers(request)
    }

    /// Chooses a Data Source, compiles the notice and makes the record of the consent that is asked for. The person may
    /// choose again until they decide.
    ///
    /// # Errors
    /// [`EngineError::Source`], and [`EngineError::Step`] after the decision.
    pub async fn choose_source(
        &self,
        session: &Session,
        connector: &str,
        source: &str,
    ) -> Result<Arc<Notice>, EngineError> {
        let now = self.clock.now();
        let request = session.request();
        let service = self.online_service(request.online_service()).ok_or(EngineError::NotFound)?;
        let known = self.catalogue.connector(connector).and_then(|found| found.notice_source(source));
        let facts = known.ok_or_else(|| EngineError::Source(format!("there is no source {connector}/{source}")))?;
        let notice = Notice::compile(request, &service, &facts, &self.operator);
        let notice = Arc::new(notice.map_err(|error| EngineError::Source(error.to_string()))?);
        if !matches!(session.state(), State::Requested | State::AwaitingConsent) {
            return Err(StepRefused { state: session.state().name(), step: Step::NoticeShown }.into());
        }
        let consent = self.entropy.with(|rng| ConsentId::new(now, rng));
        self.consents.ask(consent, session.id(), request, &notice, session.deadline(), now).await?;
        let choice = Choice { connector: connector.to_owned(), source: source.to_owned() };
        let earlier = session.consent();
        session.choose(choice, notice.clone(), consent)?;
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
        let now = self.clock.now();
        let consent = session.consent().ok_or_else(|| self.wrong_state(session, Step::ConsentGiven))?;
        self.consents.give(consent, notice, granted, now).await?;
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
        let now = self.clock.now();
        let consent = session.consent().ok_or_else(|| self.wrong_state(session, Step::ConsentRefused))?;
        self.consents.refuse(consent, now).await?;
        session.step(Step::ConsentRefused, now)?;
        self.close(session).await;
        Ok(())
    }

    /// Takes the consent back: what runs is stopped, what is held is erased, and no send begins any more. One that had
    /// begun is named. Before the decision it is a no.
    ///
    /// # Errors
    /// [`EngineError::Consent`] and [`EngineError::Platform`].
    pub async fn withdraw(&self, session: &Arc<Session>) -> Result<Withdrawal, EngineError> {
        let now = self.clock.now();
        let nothing = Withdrawal { at: now, sending: None };
        let mut noted = Ok(());
        let withdrawal = match (session.state(), session.consent()) {
            (State::Requested, _) | (_, None) => nothing,
            (State::AwaitingConsent, Some(consent)) => {
                self.consents.refuse(consent, now).await?;
                nothing
            }
            (_, Some(consent)) => {
                let withdrawal = self.consents.withdraw(consent, now).await?;
                let withdrawn = Event::ConsentWithdrawn { consent };
                let leaf = session.plan_leaf(withdrawn, |event| self.ledger.plan(event, now));
                noted = self.ledger.accept_planned(&leaf, now).await.map(drop);
                withdrawal
            }
        };
        // A session that has ended stays ended; the withdrawal is on the record all the same.
        self.finish(session, Step::Withdrawn).await;
        // It holds, whatever became of its leaf; whoever hears of an error says it again, and the leaf is written then.
        noted?;
        Ok(withdrawal)
    }

    pub(super) fn wrong_state(&self, session: &Session, step: Step) -> EngineError {
        StepRefused { state: session.state().name(), step }.into()
    }
}
