//! The engine: the flow's parts, wired together, and one method for each thing that a door can ask for.
//!
//! A door (API, terminal, a program that embeds the library) decides nothing: it names a session and says what the person
//! or the Online Service wants. What may happen is decided by the session's state and by the consent register.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use consentry_contract::failure::Code;
use tokio_util::task::TaskTracker;

use crate::account::{AccountError, Accounts};
use crate::clock::Clock;
use crate::collect::Collector;
use crate::connection::Connections;
use crate::consent::notice::Operator;
use crate::consent::{ConsentError, ConsentRegister, Refusal as ConsentRefusal};
use crate::entropy::Entropy;
use crate::forward::Forwarder;
use crate::forward::webhook::WebhookKey;
use crate::health::Health;
use crate::id::{OnlineServiceId, SessionId};
use crate::jose::PublicKey;
use crate::keys::{Duty, KeyError, KeyProvider};
use crate::ledger::{Ledger, LedgerError};
use crate::maintenance::failing::Failing;
use crate::maintenance::good::GoodRuns;
use crate::maintenance::reports::Reports;
use crate::metering::Metering;
use crate::online_service::OnlineService;
use crate::online_service::assertion::AssertionError;
use crate::operator::audit::Audit;
use crate::operator::{Deed, Operators};
use crate::outbox::{Outbox, OutboxError};
use crate::release::Refusal as GateRefusal;
use crate::request::RequestError;
use crate::seal::recipient::ParcelError;
use crate::session::question::NotAsked;
use crate::session::row::SessionRows;
use crate::session::state::{Step, StepRefused};
use crate::session::{Place, Review, Session};
use crate::store::{Shelves, StoreError};
use crate::trace::{TraceError, Traces};

mod access;
mod binding;
pub mod build;
pub mod catalogue;
mod account;
mod conclude;
mod deliver;
mod escrow;
mod forget;
mod intake;
mod lending;
pub mod listing;
mod looks;
mod metering;
mod operate;
mod ports;
mod regulator;
mod reporting;
mod restart;
mod retest;
mod rights;
mod run;
mod sessions;
mod steer;
mod suspend;
mod swap;
mod synchronise;
mod visit;

pub use access::TOKEN_LIFE;
pub use binding::Proven;
pub use build::{BuildError, Builder};
pub use intake::NewSession;
pub use looks::PassSeen;
pub use retest::Retested;
pub use rights::declared;
pub use visit::Visit;

use sessions::Sessions;

/// How long a planned stop waits for collections and events under way. A stopped connector ends within milliseconds, and
/// logging out at its Data Source may take a moment; whatever takes longer has no more to lose than in a crash.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// The engine of one node.
pub struct Engine {
    node: String,
    operator: Operator,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
    keys: Arc<dyn KeyProvider>,
    shelves: Shelves,
    consents: ConsentRegister,
    ledger: Ledger,
    outbox: Outbox,
    metering: Metering,
    traces: Traces,
    reports: Reports,
    good_runs: GoodRuns,
    accounts: Accounts,
    connections: Connections,
    rows: SessionRows,
    forwarder: Arc<Forwarder>,
    webhook_key: WebhookKey,
    collector: Arc<Collector>,
    connectors: swap::Connectors,
    settings: build::SourceSettings,
    online_services: HashMap<OnlineServiceId, Arc<OnlineService>>,
    sessions: Sessions,
    access: access::Access,
    nonces: binding::Nonces,
    operators: Operators,
    audit: Audit,
    health: Health,
    failing: Failing,
    passes: looks::Passes,
    /// Erasures that were not done to the end.
    unproved: forget::Unproved,
    /// Where the node's owner asks for erasures; nowhere without a folder.
    requests: Option<PathBuf>,
    /// A planned stop has begun: no new sessions.
    draining: AtomicBool,
    /// When what is not done every second was done last.
    seconds: Seconds,
    /// Runs and deliveries under way. Shutting down waits for them.
    tasks: TaskTracker,
}

/// When what is not done every second was done last.
struct Seconds {
    /// Everything stored was looked through.
    erased: AtomicI64,
    /// The first second of the month up to which sums are kept.
    settled: AtomicI64,
    /// It was looked whether an access is due.
    synchronised: AtomicI64,
    /// A write was tried for nothing but to see whether it is taken.
    probed: AtomicI64,
}

impl Default for Seconds {
    fn default() -> Self {
        let [erased, synchronised, probed] = [0; 3].map(AtomicI64::new);
        Self { erased, settled: AtomicI64::new(i64::MIN), synchronised, probed }
    }
}

/// Why the engine does not do what a door asks for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// No such thing, or not the caller's.
    #[error("there is no such thing here")]
    NotFound,
    /// As many sessions are open as this node can have.
    #[error("this node has as many open sessions as it can")]
    Busy,
    /// The node is about to stop: it takes no new sessions.
    #[error("this node is about to stop")]
    Stopping,
    /// As many sessions of one Online Service are open as it may have.
    #[error("the Online Service has as many open sessions as it may have")]
    TooMany,
    /// As many follow the events of the session, or of all sessions, as may.
    #[error("as many follow the events as may")]
    Followed,
    /// An Online Service did not prove who it is.
    #[error("the assertion does not hold: {0}")]
    Assertion(#[from] AssertionError),
    /// The data request is refused.
    #[error("the request is refused")]
    Request(#[from] RequestError),
    /// The Data Source can't be used; the text says why.
    #[error("the source can't be used: {0}")]
    Source(String),
    /// An operator holds the Data Source: it is in maintenance.
    #[error("the source is in maintenance")]
    Maintenance,
    /// The operator has not set one of its own secrets towards the Data Source.
    #[error(
        "the operator's secret {name} is not set: the configuration needs secret-files = {{ {name} = \"FILE\" }} in the \
         [[source]] with connector = \"{connector}\" and id = \"{source_id}\""
    )]
    Operator {
        /// The connector's id.
        connector: String,
        /// The Data Source's id.
        source_id: String,
        /// The secret's name in the manifest.
        name: String,
    },
    /// The session stands elsewhere.
    #[error("the session is not at this point")]
    Step(#[from] StepRefused),
    /// The question is not open.
    #[error("nobody is asking this")]
    NotAsked(#[from] NotAsked),
    /// What was sealed for us does not open, or is not for this session.
    #[error("what was sealed does not open")]
    Sealed,
    /// The connector does not compile, or does not fit the contract; the log says why.
    #[error("the connector {0} can't be run here")]
    Connector(String),
    /// Login fields are missing or of the wrong form; the text names fields, never values.
    #[error("the login is not complete: {0}")]
    Fields(String),
    /// The consent does not allow it.
    #[error("the consent does not allow it")]
    Consent(#[from] ConsentError),
    /// The consent gate stayed closed.
    #[error("nothing was released")]
    Gate(#[from] GateRefusal),
    /// The parcel was acknowledged, withdrawn, or is past its hour.
    #[error("the parcel is gone")]
    Gone,
    /// A request under a person's rights can't be taken as it is; the text says why.
    #[error("the request can't be taken: {0}")]
    Right(String),
    /// An account does not do it.
    #[error("the account does not do this: {0}")]
    Account(#[source] AccountError),
    /// The operator has no role for it.
    #[error("the operator may not do this")]
    NotAllowed(Deed),
    /// The acknowledged digest is not the parcel's.
    #[error("the digest is not that of the parcel")]
    OtherDigest,
    /// A part of the platform failed.
    #[error("a part of the platform failed")]
    Platform(#[source] Box<dyn std::error::Error + Send + Sync>),
}

macro_rules! platform {
    ($($error:ty)*) => {$(
        impl From<$error> for EngineError {
            fn from(error: $error) -> Self {
                Self::Platform(Box::new(error))
            }
        }
    )*};
}
platform! { StoreError LedgerError ParcelError TraceError OutboxError }

impl From<KeyError> for EngineError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Refused(_) => Self::Sealed,
            error => Self::Platform(Box::new(error)),
        }
    }
}

impl EngineError {
    /// Whether the disk of the store is full, which is for the operator to mend.
    pub fn is_full(&self) -> bool {
        let mut error: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(each) = error {
            if matches!(each.downcast_ref(), Some(StoreError::Full)) {
                return true;
            }
            error = each.source();
        }
        false
    }

    /// The step of a session whose consent is not there any more because of the person's word: a withdrawal is no failure.
    fn withdrawal(&self) -> Option<Step> {
        matches!(self, Self::Consent(ConsentError::Refused(ConsentRefusal::Withdrawn))).then_some(Step::Withdrawn)
    }

    /// The failure code under which a command line or an event tells this.
    pub fn code(&self) -> Code {
        match self {
            Self::Sealed => Code::DecryptFailed,
            Self::Consent(ConsentError::Refused(ConsentRefusal::Withdrawn)) => Code::ConsentWithdrawn,
            Self::Consent(ConsentError::Refused(ConsentRefusal::Expired)) => Code::ConsentExpired,
            Self::Gone | Self::OtherDigest => Code::DeliveryFailed,
            Self::Fields(_) => Code::SecretUnusable,
            Self::Operator { .. } => Code::OperatorRejected,
            Self::Connector(_) => Code::IncompatibleWorld,
            _ => Code::PlatformFailed,
        }
    }
}

impl Engine {
    /// Begins to wire an engine.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// An Online Service by id.
    pub fn online_service(&self, id: OnlineServiceId) -> Option<Arc<OnlineService>> {
        self.online_services.get(&id).cloned()
    }

    /// A session that this node holds.
    pub fn session(&self, id: SessionId) -> Option<Arc<Session>> {
        self.sessions.get(id)
    }

    /// The public keys that logins and answers are encrypted to, newest first.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn intake_keys(&self) -> Result<Vec<PublicKey>, EngineError> {
        Ok(self.keys.publics(Duty::Intake).await?)
    }

    /// The public keys that parcels and receipts are signed with, newest first.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn signing_keys(&self) -> Result<Vec<PublicKey>, EngineError> {
        Ok(self.keys.publics(Duty::Signing).await?)
    }

    /// The public key that events are signed with, as receivers take it.
    pub fn webhook_key(&self) -> String {
        self.webhook_key.public()
    }

    /// The public keys that the ledger is signed with, newest first.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn log_keys(&self) -> Result<Vec<PublicKey>, EngineError> {
        Ok(self.keys.publics(Duty::Log).await?)
    }

    /// Whether the store takes writes, as of the last one, and the keys answer. [`Engine::sweep`] tries a write when there was none.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn healthy(&self) -> Result<(), EngineError> {
        self.shelves.check()?;
        self.rows.probe().await?;
        self.keys.publics(Duty::Intake).await?;
        Ok(())
    }

    /// Whether http and this machine are allowed towards Data Sources and Online Services, which is never for real persons' data.
    pub fn is_development(&self) -> bool {
        self.settings.development()
    }

    /// A place for one more who follows the events of this session, kept while they do.
    ///
    /// # Errors
    /// [`EngineError::Followed`].
    pub fn follow(&self, session: &Session) -> Result<Place, EngineError> {
        self.sessions.follow(session)
    }

    /// Takes no new sessions from now on. What is open goes on, until [`Engine::begin_stop`].
    pub fn begin_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether new sessions are taken.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether something is under way that a stop would end: a collection, or what a person looks at. Everything else goes on in the
    /// next life of the node.
    pub fn is_busy(&self) -> bool {
        self.sessions.all().iter().any(|session| session.state().is_open_run())
    }

    /// The address under which persons find this node; none where it serves nobody.
    pub fn public_url(&self) -> Option<&url::Url> {
        self.settings.public.as_ref()
    }

    /// Who operates this engine.
    pub fn operated_by(&self) -> &Operator {
        &self.operator
    }

    /// The privacy policy in force here, English before French.
    pub fn policy(&self) -> [&str; 2] {
        let own = self.settings.policy.as_ref();
        own.map_or(crate::processing::POLICY, |[en, fr]| [en.as_str(), fr.as_str()])
    }

    /// Begins a planned stop: streams of events end, so that who reads them keeps no node from stopping, and collections are
    /// stopped. To begin again changes nothing.
    pub fn begin_stop(&self) {
        for session in self.sessions.all() {
            session.suspend();
            session.close();
        }
    }

    /// Stops as planned, once no door asks for anything any more: collections are stopped, what was found is erased. The rows of
    /// their sessions stay: the next life of the node ends these runs as `node-lost`, as after a crash, and has their receipts.
    /// It waits for what was stopped, [`STOP_WAIT`] at the most.
    pub async fn shut_down(&self) {
        self.begin_stop();
        for session in self.sessions.all() {
            if let Some(Review { run, data }) = session.take_review() {
                drop(data);
                run.forget();
            }
        }
        self.tasks.close();
        if tokio::time::timeout(STOP_WAIT, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "what did not end in time is cut off, as in a crash");
        }
        self.save_health(self.clock.now()).await;
        if let Some(browser) = &self.collector.browser {
            browser.shut_down().await;
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("node", &self.node).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
