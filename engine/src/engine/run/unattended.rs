//! What an access begins with while nobody is there: a consent of its own under the one for automatic synchronisation, its leaf, and the
//! session that the last run kept in the place of a login.

use std::sync::Arc;

use consentry_host_api::clear::RunInClear;
use consentry_host_api::stop::Stopper;

use super::{Opened, Parts};
use crate::connection::Connection;
use crate::consent::{Consent, Notice, Terms, Width};
use crate::credentials::Values;
use crate::engine::{Engine, EngineError, Visit};
use crate::id::{ConsentId, DataRequestId, GrantId, RunId, SessionId};
use crate::ledger::Event;
use crate::online_service::KeyHash;
use crate::outcome::{Outcome, Run, RunName};
use crate::request::DataRequest;
use crate::session::state::Step;
use crate::session::{Choice, Session, Synchronising};

/// What an access is asked with today.
pub(in crate::engine) struct Ready {
    connector: crate::engine::catalogue::Connector,
    request: DataRequest,
    notice: Arc<Notice>,
}

impl Engine {
    /// What an access of this connection would be today: the connector that serves the Data Source now, the request as it is registered
    /// now. None if that goes beyond what the person agreed to: they have to be asked again.
    pub(in crate::engine) async fn access_today(
        &self,
        connection: &Connection,
        agreed: &Consent,
    ) -> Result<Option<Ready>, EngineError> {
        let catalogue = self.catalogue();
        if catalogue.held(&connection.connector, &connection.source).is_some() {
            return Err(EngineError::Maintenance);
        }
        let unserved = || EngineError::Source(format!("nothing serves {} now", connection.source));
        let connector = catalogue.serving(&connection.connector, &connection.source).cloned().ok_or_else(unserved)?;
        let source = connector.notice_source(&connection.source).ok_or_else(unserved)?;
        self.check_usable(&connector, &connection.source).await?;
        let service = self.online_service(connection.online_service).ok_or(EngineError::NotFound)?;
        let id = self.entropy.with(|rng| DataRequestId::new(self.clock.now(), rng));
        let Ok(request) = DataRequest::parse(id, connection.request_json.as_bytes(), &service) else {
            return Ok(None);
        };
        let Ok(notice) = Notice::compile(&request, &service, &source, &self.operator) else { return Ok(None) };
        if Terms::asked(notice.facts()).compared_with(&Terms::asked(agreed.told())) == Width::Wider {
            return Ok(None);
        }
        Ok(Some(Ready { connector, request, notice: Arc::new(notice) }))
    }

    /// A session for one access. From here on whoever withdraws the consent finds it, and ends it.
    pub(in crate::engine) async fn begin_access(
        &self,
        connection: &Connection,
        ready: Ready,
        link: crate::account::Link,
    ) -> Result<(Arc<Session>, Opened), EngineError> {
        let now = self.clock.now();
        let (key, last) = self.connections.session(connection.consent).await?.ok_or(EngineError::NotFound)?;
        let (id, consent) = self.entropy.with(|rng| (SessionId::new(now, rng), ConsentId::new(now, rng)));
        let Ready { connector, request, notice } = ready;
        // Nobody knows this secret: there is no person in this session.
        let session = Arc::new(Session::new(id, request, KeyHash::of(&self.secret()), now));
        session.take_place(self.sessions.place(connection.online_service)?);
        session.link(link);
        session.synchronise(Synchronising {
            consent: connection.consent,
            attended: false,
            key,
            last: Some(last),
            kept: None,
            navigation: None,
        });
        self.sessions.insert(session.clone());
        let begun = self.begin_within(&session, connection, connector, notice, consent).await;
        if let Err(error) = &begun {
            let step = error.withdrawal().unwrap_or(Step::Failed(error.code()));
            self.finish(&session, step).await;
        }
        begun.map(|opened| (session, opened))
    }

    async fn begin_within(
        &self,
        session: &Arc<Session>,
        connection: &Connection,
        connector: crate::engine::catalogue::Connector,
        notice: Arc<Notice>,
        consent: ConsentId,
    ) -> Result<Opened, EngineError> {
        let now = self.clock.now();
        let made = (consent, session.id());
        self.consents.give_under(connection.consent, made, notice.facts(), session.deadline(), now).await?;
        let choice = Choice {
            connector: connection.connector.clone(),
            source: connection.source.clone(),
            digest: connector.digest,
        };
        session.choose(choice, notice, consent)?;
        let (grant, run) = self.entropy.with(|rng| (GrantId::new(now, rng), RunId::new(now, rng)));
        self.consents.issue_grant(consent, grant, now).await?;
        session.step(Step::AccessBegan, now)?;
        let grant = self.consents.use_grant(consent, grant, &self.node, now).await?;
        let run = Run::begin(RunName { run, session: session.id(), consent }, self.clock.clone(), self.end_sink());
        let stopper = Stopper::default();
        session.attach(&run, &stopper);
        let parts = Parts {
            session,
            connector: &connector,
            grant: &grant,
            run: &run,
            visit: Visit::from(connection.navigation),
        };
        match self.open_kept(&parts, connection.consent, stopper).await {
            Ok(order) => Ok(Opened { connector, run, grant, order }),
            Err(error) => {
                let outcome = Outcome::failed(consentry_contract::failure::Failure::new(error.code()));
                self.conclude(session, run.end(outcome)).await;
                session.release_run();
                Err(error)
            }
        }
    }

    /// No leaf, no opening of what was kept.
    async fn open_kept(
        &self,
        parts: &Parts<'_>,
        under: ConsentId,
        stopper: Stopper,
    ) -> Result<crate::collect::Order, EngineError> {
        let Parts { session, connector, grant, run, .. } = *parts;
        let began =
            Event::AccessBegan { consent: grant.consent(), under, run: run.name().run, connector: connector.digest };
        let leaf = session.plan_leaf(began, |event| self.ledger.plan(event, run.started()));
        self.rows.save(session).await?;
        let _ = self.ledger.accept_planned(&leaf, run.started()).await?;
        let vault = self.fill_vault(connector, grant.source(), Values::default(), None)?.of(RunInClear::default());
        session.note(|notes| notes.alive.vault = Some(vault.witness()));
        self.order(parts, vault, stopper)
    }
}
