//! From the sealed login to what the person reviews: the grant is used, the login opened, the connector run, its items cut
//! down to what was granted.

use std::any::Any;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consentry_contract::failure::{Code, Failure};
use consentry_contract::manifest::{FieldKind, PERSON_ADDRESS};
use consentry_contract::recipe::{Leaf, LeafKind};
use consentry_host_api::Grants;
use consentry_host_api::clear::{Moment, RunInClear};
use consentry_host_api::memory::locked;
use consentry_host_api::stop::Stopper;
use consentry_host_api::tape::NoTape;
use consentry_host_api::vault::Vault;
use jiff::Timestamp;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use super::catalogue::Connector;
use super::ports::{RunClock, RunRandom, Watch};
use super::{Engine, EngineError, Visit};
use crate::collect::{Collection, Order};
use crate::consent::Grant;
use crate::credentials::{Fields, Values};
use crate::data::{Data, Provenance};
use crate::id::{GrantId, QuestionId, RunId};
use crate::jose::jwe::{CREDENTIALS_BYTES_MAX, Token};
use crate::keys::Duty;
use crate::ledger::Event;
use crate::online_service::KeyHash;
use crate::outcome::{Outcome, Run, RunName};
use crate::peer::PersonAddress;
use crate::session::question::AskPerson;
use crate::session::state::{State, Step};
use crate::session::{Review, Session};

// What a run is begun with: the fields that were typed, and what the guest may do.
pub(super) mod begun;
// While nobody is there.
mod unattended;
#[cfg(feature = "leaks-for-tests")]
mod leak;

use begun::{check_fields, grants};

/// What a login is opened for.
struct Parts<'a> {
    session: &'a Arc<Session>,
    connector: &'a Connector,
    grant: &'a Grant,
    run: &'a Run,
    visit: Visit,
}

/// Everything that a collection is begun with.
pub(super) struct Opened {
    connector: Connector,
    pub(super) run: Run,
    pub(super) grant: Grant,
    order: Order,
}

impl Engine {
    /// Opens the login that was sealed for this session and starts the collection. When this returns, the collection is
    /// under way; the session's events tell how it goes.
    ///
    /// # Errors
    /// [`EngineError`]. After [`EngineError::Sealed`], [`EngineError::Fields`] and a full disk another login may be given, three
    /// in all; each that was tried has used up its grant, and has a receipt. After any other the session has ended.
    pub async fn open_login(
        self: &Arc<Self>,
        session: &Arc<Session>,
        jwe: &str,
        visit: impl Into<Visit>,
    ) -> Result<(), EngineError> {
        let opened = self.begin(session, jwe, visit.into()).await?;
        let (engine, session) = (self.clone(), session.clone());
        self.tasks.spawn(async move { engine.collect(session, opened).await });
        Ok(())
    }

    /// Uses a grant and opens the login. Whatever goes wrong from the grant on has ended the run.
    pub(super) async fn begin(&self, session: &Arc<Session>, jwe: &str, visit: Visit) -> Result<Opened, EngineError> {
        let now = self.clock.now();
        let token = Token::parse(jwe, CREDENTIALS_BYTES_MAX).map_err(|_| EngineError::Sealed)?;
        // A token for a key that we do not have costs no grant.
        if !self.keys.holds(Duty::Intake, token.kid()).await? {
            return Err(EngineError::Sealed);
        }
        let consent = session.consent().ok_or_else(|| self.wrong_state(session, Step::CredentialsGiven))?;
        if !matches!(session.state(), State::AwaitingCredentials { .. }) {
            return Err(self.wrong_state(session, Step::CredentialsGiven));
        }
        let connector = self.connector_of(session)?;
        // It was looked at when it was chosen; the node may have another configuration since.
        let choice = session.choice().map(|choice| choice.source).unwrap_or_default();
        if let Err(error) = self.check_usable(&connector, &choice).await {
            self.fail(session, error.code()).await;
            return Err(error);
        }
        let (grant, run) = self.entropy.with(|rng| (GrantId::new(now, rng), RunId::new(now, rng)));
        self.consents.issue_grant(consent, grant, now).await?;
        // Of two logins that arrive at once, one goes on.
        session.step(Step::CredentialsGiven, now)?;
        let grant = match self.consents.use_grant(consent, grant, &self.node, now).await {
            Ok(grant) => grant,
            Err(error) => {
                let error = EngineError::from(error);
                self.after_login(session, &error).await;
                return Err(error);
            }
        };
        let run = RunName { run, session: session.id(), consent };
        let run = Run::begin(run, self.clock.clone(), self.end_sink());
        let stopper = Stopper::default();
        session.attach(&run, &stopper);
        let parts = Parts { session, connector: &connector, grant: &grant, run: &run, visit };
        match self.open(&parts, jwe, stopper).await {
            Ok(order) => Ok(Opened { connector, run, grant, order }),
            Err(error) => {
                let outcome = Outcome::failed(Failure::new(error.code()));
                self.conclude(session, run.end(outcome)).await;
                session.release_run();
                self.after_login(session, &error).await;
                Err(error)
            }
        }
    }

    /// The connector compiles and fits the contract, what its manifest declares can be resolved at the Data Source's address, and
    /// every secret of the operator that it declares is there. Asked before a grant is used: a run that is bound to fail opens no
    /// login.
    pub(super) async fn check_usable(&self, connector: &Connector, source: &str) -> Result<(), EngineError> {
        if let Some(error) = missing_secret(connector, source, &self.settings.secrets(connector.id(), source)) {
            tracing::error!("{error}");
            return Err(error);
        }
        self.plan(connector, source)?;
        let (collector, package) = (self.collector.clone(), connector.package.clone());
        let prepared = tokio::task::spawn_blocking(move || collector.prepare(&package).map(drop)).await;
        match prepared {
            Ok(Ok(())) => Ok(()),
            // The log has said why.
            Ok(Err(failure)) if failure.code == Code::PlatformFailed => {
                Err(EngineError::Platform("connectors can't be compiled here now".into()))
            }
            Ok(Err(_)) => Err(EngineError::Connector(connector.id().to_owned())),
            Err(lost) => Err(EngineError::Platform(Box::new(lost))),
        }
    }

    /// Opens the sealed fields and puts them into the run's vault. No leaf, no opening.
    async fn open(&self, parts: &Parts<'_>, jwe: &str, stopper: Stopper) -> Result<Order, EngineError> {
        let Parts { session, connector, grant, run, visit } = *parts;
        let opened = Event::LoginOpened {
            consent: grant.consent(),
            grant: grant.id(),
            run: run.name().run,
            connector: connector.digest,
        };
        let leaf = session.plan_leaf(opened, |event| self.ledger.plan(event, run.started()));
        // The row first: a run that a restart does not know of would have no receipt.
        self.rows.save(session).await?;
        let _ = self.ledger.accept_planned(&leaf, run.started()).await?;
        let plaintext = self.keys.open(Duty::Intake, jwe, CREDENTIALS_BYTES_MAX).await?;
        let (login, vault) = {
            let in_clear = RunInClear::default();
            let _clear = in_clear.begin(Moment::Open);
            let fields = locked(|| Fields::read(&plaintext)).map_err(|_| EngineError::Sealed)?;
            drop(plaintext);
            if fields.session() != session.id() || fields.question().is_some() {
                return Err(EngineError::Sealed);
            }
            let values = check_fields(connector, fields)?;
            #[cfg(feature = "leaks-for-tests")]
            leak::leak(&values, self.requests.as_deref().and_then(std::path::Path::parent));
            let login = locked(|| login_of(connector, &values));
            (login, self.fill_vault(connector, grant.source(), values, visit.address)?.of(in_clear))
        };
        // The token or the disk may take its time: by now nothing but the login's name is in clear.
        if let Some(login) = login {
            self.trace_login(parts, &login).await?;
        }
        session.note(|notes| notes.alive.vault = Some(vault.witness()));
        session.come_by(visit.navigation);
        self.order(parts, vault, stopper)
    }

    /// Keeps the trace that the policy names, with the login as a keyed fingerprint.
    async fn trace_login(&self, parts: &Parts<'_>, login: &str) -> Result<(), EngineError> {
        let Parts { session, grant, run, visit, .. } = *parts;
        session.note(|notes| notes.traced = true);
        // Should the node die now, the receipt names what may be kept.
        self.rows.save(session).await?;
        let kept =
            self.traces.keep(grant.source(), login, grant.online_service(), visit.navigation, run.started()).await;
        session.note(|notes| notes.traced = kept.is_ok());
        kept?;
        Ok(())
    }

    pub(super) fn fill_vault(
        &self,
        connector: &Connector,
        source: &str,
        values: Values,
        address: Option<PersonAddress>,
    ) -> Result<Vault, EngineError> {
        let mut key = Zeroizing::new([0; 32]);
        self.entropy.with(|rng| rng.fill_bytes(key.as_mut_slice()));
        let platform = |error| EngineError::Platform(Box::new(error));
        let mut vault = Vault::new(key).map_err(platform)?;
        let manifest = connector.package.manifest();
        for (name, value) in values.into_inner() {
            let public =
                manifest.fields().iter().any(|field| field.name.as_str() == name && field.kind == FieldKind::Public);
            if public {
                // The reader of the sealed message has checked that it is UTF-8.
                vault.put_public(&name, String::from_utf8_lossy(&value).into_owned());
            } else {
                vault.put(Leaf::new(LeafKind::Field, &name), value).map_err(platform)?;
            }
        }
        for (name, value) in self.settings.secrets(manifest.id().as_str(), source) {
            vault.put(Leaf::new(LeafKind::Operator, name), value).map_err(platform)?;
        }
        // Known to this run alone, and only where the manifest says whom it is for.
        if let Some(address) = address.filter(|_| manifest.hands_on_address()) {
            vault.put(Leaf::new(LeafKind::Operator, PERSON_ADDRESS), address.value()).map_err(platform)?;
        }
        Ok(vault)
    }

    fn order(&self, parts: &Parts<'_>, vault: Vault, stopper: Stopper) -> Result<Order, EngineError> {
        let Parts { session, connector, grant, run, visit } = *parts;
        let manifest = connector.package.manifest();
        let plan = self.plan(connector, grant.source())?;
        let prompter = AskPerson::new(session.clone(), self.clock.clone(), self.entropy.clone(), manifest.answers());
        let watch = Watch {
            session: session.clone(),
            clock: self.clock.clone(),
            run: run.name().run,
            connector: manifest.id().as_str().to_owned(),
            development: self.settings.development(),
        };
        // The sandbox's context owns both, together with the vault: when they are gone, so are the secrets.
        let (prompter, watch) = (Arc::new(prompter), Arc::new(watch));
        let held: [Arc<dyn Any + Send + Sync>; 2] = [prompter.clone(), watch.clone()];
        session.note(|notes| notes.alive.sandbox = held.iter().map(Arc::downgrade).collect());
        // A secret of its own for each run: the run's id stands in logs and parcels.
        let mut secret = Zeroizing::new([0; 32]);
        self.entropy.with(|rng| rng.fill_bytes(secret.as_mut_slice()));
        let state = URL_SAFE_NO_PAD.encode(secret.as_slice());
        session.expect_back(KeyHash::of(&state));
        let attended = !session.is_unattended();
        let grants = grants(connector, grant.categories(), grant.history_days(), run.started(), attended);
        Ok(Order {
            package: connector.package.clone(),
            plan,
            grants: Grants { synchronised: session.synchronised(), ..grants },
            vault,
            language: visit.navigation.language.as_str().to_owned(),
            callback: (self.settings.callback().to_owned(), state),
            prompter,
            observer: watch,
            tape: Arc::new(NoTape),
            clock: Arc::new(RunClock(self.clock.clone())),
            random: Box::new(RunRandom(self.entropy.clone())),
            stopper,
        })
    }

    /// The collection itself: consent is used, the connector runs, what it found waits for the person.
    pub(super) async fn collect(&self, session: Arc<Session>, opened: Opened) {
        let Opened { connector, run, grant, mut order } = opened;
        // Of a run in which nobody is there, nobody could give a report.
        let taping = if session.is_unattended() { None } else { self.tape(&mut order) };
        let tasks = TaskTracker::new();
        session.note(|notes| notes.alive.tasks = Some(tasks.clone()));
        let began = self.clock.now();
        let mut collection = self.collector.collect_in(order, tasks).await;
        if let Some(kept) = collection.kept.take() {
            session.keep_state(kept);
        }
        session.note(|notes| notes.took = Some(self.clock.now().duration_since(began).saturating_sub(notes.waited)));
        if session.is_suspended() {
            // The node stops. What was found goes here; the next life of the node ends the run.
            run.forget();
            return session.release_run();
        }
        // Before the run ends: its tape is gone when what was collected is.
        if let Some(taping) = taping {
            self.report(&session, &connector, taping, &collection).await;
        }
        if let Err(error) = self.note_access(grant.source(), &collection.items).await {
            tracing::error!(run = %run.name().run, error = crate::causes::chain(&error), "an access has no entry in the log");
        }
        if collection.unrequested > 0 {
            tracing::warn!(run = %run.name().run, count = collection.unrequested, "items that nobody asked for were refused");
        }
        if !collection.trace.is_empty() {
            // Innermost first; the names are those of the connector's own code.
            let (id, trace) = (connector.package.manifest().id().as_str(), collection.trace.join(" < "));
            tracing::warn!(run = %run.name().run, connector = id, trace, "the connector crashed");
        }
        match into_data(collection, &session, &run, &grant, &connector, self.clock.now()) {
            Ok(data) => {
                session.note(|notes| {
                    notes.collected = data.counts();
                    notes.alive.data = Some(data.presence());
                });
                let asked: Vec<_> = session.request().predicates().iter().map(|(each, _)| each.clone()).collect();
                let review = Review { run, data: data.minimise(&grant, &asked, self.clock.now()) };
                if let Err(review) = session.hold_review(review, self.clock.now()) {
                    // The session ended while the connector was at work.
                    let review = *review;
                    drop(review.data);
                    self.end_run(&session, review.run, None).await;
                }
            }
            Err(failure) if session.state().is_end() => {
                tracing::debug!(code = %failure.code, "a run ended with its session");
                self.end_run(&session, run, None).await;
            }
            Err(failure) => {
                self.conclude(&session, run.end(Outcome::failed(failure.clone()))).await;
                session.release_run();
                let again = failure.code == Code::CredentialsRejected;
                self.after_failure(&session, failure, again).await;
            }
        }
        self.save(&session).await;
    }

    /// A login that was none, or that the store had no room for, was not used: another may be given, as often as one that the
    /// Data Source refused. Why it was none makes no difference to anything that can be seen.
    async fn after_login(&self, session: &Arc<Session>, error: &EngineError) {
        if let Some(step) = error.withdrawal() {
            return self.finish(session, step).await;
        }
        let again = matches!(error, EngineError::Sealed | EngineError::Fields(_)) || error.is_full();
        self.after_failure(session, Failure::new(error.code()), again).await;
    }

    /// Another login may be given after some failures; every other one ends the session.
    async fn after_failure(&self, session: &Arc<Session>, failure: Failure, again: bool) {
        let step = if again { Step::LoginRejected(failure.code) } else { Step::Failed(failure.code) };
        match session.step_for(step, Some(failure), self.clock.now()) {
            Ok(state) if state.is_end() => self.close(session).await,
            Ok(_) => self.save(session).await,
            // The session ended meanwhile.
            Err(_) => self.close(session).await,
        }
    }

    /// Answers an open question with what was sealed for it.
    ///
    /// # Errors
    /// [`EngineError::Sealed`], [`EngineError::Fields`] and [`EngineError::NotAsked`]. The question stays open after the first two.
    pub async fn answer(&self, session: &Session, jwe: &str) -> Result<(), EngineError> {
        let plaintext = self.keys.open(Duty::Intake, jwe, CREDENTIALS_BYTES_MAX).await?;
        let fields = locked(|| Fields::read(&plaintext)).map_err(|_| EngineError::Sealed)?;
        drop(plaintext);
        let question = fields.question().filter(|_| fields.session() == session.id()).ok_or(EngineError::Sealed)?;
        let values = fields.into_values().map_err(|unusable| EngineError::Fields(format!("the answer {unusable}")))?;
        Ok(session.answer(question, values, self.clock.now())?)
    }

    /// Takes a person back whom a connector sent elsewhere, and tells the run that waits for them what they bring.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]: no run waits for this state (any more).
    pub fn come_back(&self, state: &str, brought: Values) -> Result<(), EngineError> {
        let state = KeyHash::of(state);
        let session = self.sessions.find(|session| session.waits_for(&state)).ok_or(EngineError::NotFound)?;
        session.come_back(&state, brought, self.clock.now()).map_err(|_| EngineError::NotFound)
    }

    /// Says no to an open question.
    ///
    /// # Errors
    /// [`EngineError::NotAsked`].
    pub fn deny(&self, session: &Session, question: QuestionId) -> Result<(), EngineError> {
        Ok(session.deny(question, self.clock.now())?)
    }

    pub(super) fn connector_of(&self, session: &Session) -> Result<Connector, EngineError> {
        let choice = session.choice().ok_or_else(|| self.wrong_state(session, Step::CredentialsGiven))?;
        // The person read a notice about one version; another one, however alike, is another connector.
        let connector = self.catalogue().version(&choice.connector, &choice.digest).cloned();
        let connector = connector.filter(|_| session.notice().is_some());
        connector.ok_or_else(|| {
            let told = format!("this version of {} is not served any more: choose the source again", choice.connector);
            EngineError::Source(told)
        })
    }
}

/// What the person is known by at the Data Source, where the connector says which field that is.
fn login_of(connector: &Connector, values: &Values) -> Option<Zeroizing<String>> {
    let field = connector.package.manifest().fields().iter().find(|field| field.login)?;
    let (_, value) = values.iter().find(|(name, _)| name == field.name.as_str())?;
    Some(Zeroizing::new(std::str::from_utf8(value).ok()?.to_owned()))
}

/// The first secret of the operator that a connector declares and nobody has set for this Data Source.
pub(super) fn missing_secret(
    connector: &Connector,
    source: &str,
    set: &[(&str, Zeroizing<Vec<u8>>)],
) -> Option<EngineError> {
    let is_set = |name: &&str| set.iter().any(|(given, value)| given == name && !value.is_empty());
    let name = connector.package.manifest().operator_secrets().into_iter().find(|name| !is_set(name))?;
    let (connector, source_id) = (connector.id().to_owned(), source.to_owned());
    Some(EngineError::Operator { connector, source_id, name: name.to_owned() })
}

fn into_data(
    collection: Collection,
    session: &Session,
    run: &Run,
    grant: &Grant,
    connector: &Connector,
    now: Timestamp,
) -> Result<Data<crate::data::Collected>, Failure> {
    let Collection { result, items, .. } = collection;
    let gathered = result?;
    // Not even the person's own browser is shown what may be somebody else's.
    let mut asked = session.request().predicates().iter().map(|(asked, _)| asked);
    if asked.any(|asked| grant.predicates().contains(&asked.told()) && asked.expects_somebody_else(&items, now)) {
        return Err(Failure::new(Code::SubjectMismatch));
    }
    let manifest = connector.package.manifest();
    let provenance = Provenance {
        run: run.name().run,
        source: grant.source().to_owned(),
        connector: manifest.id().as_str().to_owned(),
        version: manifest.version().to_string(),
        digest: connector.digest,
        observed_at: items.iter().map(crate::data::Item::observed).max().unwrap_or(now),
        subject: session.linked().map(|link| link.subject),
    };
    Ok(Data::collected(grant, items, gathered, provenance))
}
