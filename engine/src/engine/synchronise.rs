//! Automatic synchronisation: a consent of its own, a connection that begins where a signed-in person shares something, accesses when they are
//! due, and an end that takes effect at once. There is no login in it anywhere: what is kept is the session that the Data Source opened.
//!
//! An access is a session like any other, in which nobody is there: the same gate, the same minimisation, the same receipt, in the person's
//! account. Nothing waits for a preview, since nobody would look; the notice says so.

use std::sync::Arc;

use consentry_contract::failure::Code;
use consentry_host_api::session_state::StateKey;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Engine, EngineError};
use crate::account::{AccountError, AccountName};
use crate::connection::{Connection, Standing, next_after, until};
use crate::consent::{AccessTerms, Consent, ConsentError, Notice, Refusal, Status};
use crate::data::Digest;
use crate::id::ConsentId;
use crate::ledger::Event;
use crate::session::state::{State, Step};
use crate::session::{Session, Synchronising};

// Accesses while nobody is there.
mod access;

/// The capability of a connector whose Data Source can be synchronised.
const CAPABILITY: &str = "session-state";

/// How a consent for automatic synchronisation ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Withdrawn,
    Over,
}

impl Engine {
    /// What a person is told before they agree to automatic synchronisation: the notice of their session, with these terms.
    ///
    /// # Errors
    /// [`EngineError::Step`] unless the person has agreed to the session's notice, and not given a login yet; [`EngineError::Account`] unless
    /// they are signed in; [`EngineError::Source`] where the connector keeps no session.
    pub fn synchronisation_notice(&self, session: &Session, terms: AccessTerms) -> Result<Notice, EngineError> {
        if !matches!(session.state(), State::AwaitingCredentials { .. }) {
            return Err(self.wrong_state(session, Step::CredentialsGiven));
        }
        session.linked().ok_or(AccountError::NotSignedIn)?;
        let connector = self.connector_of(session)?;
        if !connector.package.manifest().capabilities().iter().any(|each| each.as_str() == CAPABILITY) {
            return Err(EngineError::Source("its connector keeps no session: it can't be synchronised".to_owned()));
        }
        let notice = session.notice().ok_or(EngineError::NotFound)?;
        Ok(notice.recurring(terms))
    }

    /// Records the person's yes to automatic synchronisation, for what they agreed to in this session. The connection begins when they share
    /// what was found; if they never do, this consent is over with the session.
    ///
    /// # Errors
    /// As [`Engine::synchronisation_notice`]; [`EngineError::Consent`] where the notice is another one.
    pub async fn agree_to_synchronise(
        &self,
        session: &Session,
        terms: AccessTerms,
        told: &Digest,
    ) -> Result<ConsentId, EngineError> {
        let now = self.clock.now();
        let notice = self.synchronisation_notice(session, terms)?;
        if notice.digest() != *told {
            return Err(ConsentError::from(Refusal::OtherNotice).into());
        }
        let shared = self.consents.record(session.consent().ok_or(EngineError::NotFound)?).await?;
        shared.check_active(now).map_err(ConsentError::from)?;
        self.take_back_synchronisation(session).await?;
        let consent = self.entropy.with(|rng| ConsentId::new(now, rng));
        let over = until(now, terms);
        self.consents.ask(consent, session.id(), session.request(), &notice, over, now).await?;
        self.consents.give_all(consent, told, shared.granted(), shared.predicates(), now).await?;
        let _ = self.ledger.accept(Event::ConsentGiven { consent, notice: *told }, now).await?;
        let mut key = Zeroizing::new([0; 32]);
        self.entropy.with(|rng| rng.fill_bytes(key.as_mut_slice()));
        let key = StateKey::new(key);
        session.synchronise(Synchronising { consent, attended: true, key, last: None, kept: None, navigation: None });
        Ok(consent)
    }

    /// Takes back what was agreed to in this session, and what has begun by it. To take it back again changes nothing.
    ///
    /// # Errors
    /// [`EngineError::Platform`]: ask again.
    pub async fn take_back_synchronisation(&self, session: &Session) -> Result<(), EngineError> {
        if let Some(consent) = session.begins_connection() {
            return self.end_connection(consent, End::Withdrawn).await;
        }
        let Some(link) = session.linked().filter(|_| !session.is_unattended()) else { return Ok(()) };
        // An earlier life of this node may have made the connection.
        for connection in
            self.connections.of(&link.account).await?.into_iter().filter(|each| each.session == session.id())
        {
            self.end_connection(connection.consent, End::Withdrawn).await?;
        }
        Ok(())
    }

    /// Makes the connection of a session in which the person agreed to it, from what its run kept. A connection that the account has with the
    /// same two ends gives way: this is how one is renewed.
    pub(super) async fn connect(&self, session: &Session) {
        let (Some(consent), Some((key, kept))) = (session.begins_connection(), session.take_kept()) else { return };
        if let Err(error) = self.connect_with(session, consent, key, kept).await {
            let error = crate::causes::chain(&error);
            tracing::error!(%consent, error, "a connection can't be made; its consent ends with the session");
        }
    }

    async fn connect_with(
        &self,
        session: &Session,
        consent: ConsentId,
        key: StateKey,
        kept: consentry_host_api::session_state::SealedState,
    ) -> Result<(), EngineError> {
        let now = self.clock.now();
        let agreed = self.consents.record(consent).await?;
        agreed.check_active(now).map_err(ConsentError::from)?;
        let known = (session.linked(), session.choice(), agreed.told().access, session.navigation());
        let (Some(link), Some(choice), Some(terms), Some(navigation)) = known else {
            return Err(EngineError::NotFound);
        };
        let connection = Connection {
            consent,
            account: link.account,
            subject: link.subject,
            online_service: session.request().online_service(),
            session: session.id(),
            request_json: session.request().json().to_owned(),
            connector: choice.connector,
            source: choice.source,
            navigation,
            authenticated_at: agreed.changed_at(),
            terms,
            next_at: next_after(now, terms),
            last_at: None,
            rejected: 0,
            standing: Standing::Active,
        };
        let same = |other: &Connection| {
            other.consent != consent
                && (other.online_service, &other.source) == (connection.online_service, &connection.source)
        };
        let replaced = self.connections.of(&connection.account).await?.into_iter().filter(same);
        self.connections.make(&connection, key, kept).await?;
        for old in replaced {
            self.end_connection(old.consent, End::Over).await?;
        }
        Ok(())
    }

    /// The connections of an account, as its person sees them: nothing of what is kept for them.
    pub(super) async fn connections_of(&self, account: &AccountName) -> Result<Vec<Value>, EngineError> {
        let mut told = vec![];
        for each in self.connections.of(account).await? {
            let name = self.online_service(each.online_service).map(|service| service.name().to_owned());
            let kept = self.connections.session(each.consent).await?.is_some();
            told.push(json!({
                "consent": each.consent, "online_service": each.online_service, "online_service_name": name,
                "connector": each.connector, "source": each.source, "standing": each.standing,
                "frequency_per_day": each.terms.frequency_per_day(), "authenticated_at": each.authenticated_at,
                "until": each.until(), "last_at": each.last_at, "session_kept": kept,
                "next_at": (each.standing == Standing::Active).then_some(each.next_at),
            }));
        }
        Ok(told)
    }

    /// The connections of who is signed in.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn connections(&self, account: &AccountName) -> Result<Vec<Value>, EngineError> {
        self.connections_of(account).await
    }

    /// Stops a connection of an account: its consent is withdrawn, what runs under it is ended, and what is kept is erased.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for what is not in this account. [`EngineError::Platform`]: ask again.
    pub async fn stop_connection(&self, account: &AccountName, consent: ConsentId) -> Result<(), EngineError> {
        let connection = self.connections.get(consent).await?.filter(|each| each.account == *account);
        self.end_connection(connection.ok_or(EngineError::NotFound)?.consent, End::Withdrawn).await
    }

    /// Closes an account: first what goes on without its person.
    ///
    /// # Errors
    /// [`EngineError::Platform`]: ask again.
    pub async fn close_account(&self, account: &AccountName) -> Result<(), EngineError> {
        for connection in self.connections.of(account).await? {
            self.end_connection(connection.consent, End::Withdrawn).await?;
        }
        Ok(self.accounts.close(account).await?)
    }

    /// Ends the connections that are wanted, because everything of somebody is erased.
    pub(super) async fn end_connections(&self, wanted: impl Fn(&Connection) -> bool) -> Result<(), EngineError> {
        for connection in self.connections.all().await?.into_iter().filter(|each| wanted(each)) {
            self.end_connection(connection.consent, End::Over).await?;
        }
        Ok(())
    }

    fn end_connection(&self, consent: ConsentId, end: End) -> BoxFuture<'_, Result<(), EngineError>> {
        // Boxed: what ends a session closes what it agreed to, and this ends sessions.
        Box::pin(self.end_connection_now(consent, end))
    }

    /// The consent first: from then on no access begins. Then what is kept, then what runs. The other way round, an access could begin between.
    /// The connection itself goes last: as long as it is there, whoever asks again does what was not done.
    async fn end_connection_now(&self, consent: ConsentId, end: End) -> Result<(), EngineError> {
        let now = self.clock.now();
        let before = self.consents.record(consent).await?.status();
        match end {
            End::Withdrawn => self.consents.withdraw(consent, now).await.map(|_| ())?,
            End::Over => self.consents.expire(consent, now).await?,
        }
        self.connections.forget_session(consent, now).await?;
        for session in self.accesses_under(consent).await? {
            match end {
                End::Withdrawn => self.withdraw(&session).await.map(drop)?,
                End::Over => self.fail(&session, Code::ConsentExpired).await,
            }
        }
        let is_new = before != Status::Withdrawn || self.connections.get(consent).await?.is_some();
        if end == End::Withdrawn && is_new {
            let _ = self.ledger.accept(Event::ConsentWithdrawn { consent }, now).await?;
        }
        self.connections.end(consent, now).await?;
        Ok(self.ledger.consent_terminated(consent, now).await?)
    }

    /// The accesses under a consent that have not ended, also those that an earlier life of this node began.
    async fn accesses_under(&self, consent: ConsentId) -> Result<Vec<Arc<Session>>, EngineError> {
        let mut under = vec![];
        for session in self.sessions.all().into_iter().filter(|session| !session.state().is_end()) {
            let of_it = match session.consent() {
                _ if session.is_unattended() => session.synchronised_under() == Some(consent),
                Some(own) if session.linked().is_some() => self.consents.record(own).await?.under() == Some(consent),
                _ => false,
            };
            if of_it {
                under.push(session);
            }
        }
        Ok(under)
    }

    /// Closes the consent for synchronisation of a session that ended without a connection.
    pub(super) async fn close_unconnected(&self, session: &Session) {
        let Some(consent) = session.begins_connection() else { return };
        let closed = async {
            if self.connections.get(consent).await?.is_none() {
                self.end_connection(consent, End::Over).await?;
            }
            Ok::<_, EngineError>(())
        };
        if let Err(error) = closed.await {
            let error = crate::causes::chain(&error);
            tracing::error!(%consent, error, "a consent for synchronisation can't be closed; nothing is done under it");
        }
    }

    /// At a start: consents for synchronisation whose session died before there was a connection are over.
    pub(super) async fn close_left_unconnected(&self) -> Result<(), EngineError> {
        let open =
            |consent: &Consent| consent.is_open() && consent.told().access.is_some() && consent.under().is_none();
        for consent in self.consents.all().await?.into_iter().filter(open) {
            if self.connections.get(consent.id()).await?.is_none() {
                self.end_connection(consent.id(), End::Over).await?;
            }
        }
        Ok(())
    }
}
