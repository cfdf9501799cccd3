//! How an engine is wired. Everything from outside comes in here: clock, randomness, keys, store, connectors, settings.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use consentry_contract::limits::Wishes;
use consentry_host_api::browser::{BrowserSettings, Chromium};
use consentry_host_api::network::gate::GateBounds;
use consentry_host_api::network::{Route, TlsSettings};
use tokio_util::task::TaskTracker;
use url::Url;
use zeroize::Zeroizing;

use super::access::Access;
use super::catalogue::{Catalogue, Folder};
use super::ports::RunClock;
use super::run::missing_secret;
use super::sessions::Sessions;
use super::swap::Connectors;
use super::{Engine, EngineError, Seconds};
use crate::account::Accounts;
use crate::account::passkey::Passkeys;
use crate::clock::{Clock, SystemClock};
use crate::collect::Collector;
use crate::collect::cache::CompiledCache;
use crate::collect::compile::Compiler;
use crate::collect::sandbox::{Sandbox, SandboxError, SandboxSettings};
use crate::config::{Config, ConfigError};
use crate::connection::Connections;
use crate::consent::ConsentRegister;
use crate::consent::notice::Operator;
use crate::entropy::Entropy;
use crate::forward::Forwarder;
use crate::forward::webhook::{WebhookKey, WebhookKeyError};
use crate::health::Health;
use crate::jose::RecipientKey;
use crate::keys::{KeyProvider, SoftwareKeys};
use crate::ledger::Ledger;
use crate::ledger::tiles::Tiles;
use crate::maintenance::failing::{Failing, Threshold};
use crate::maintenance::good::GoodRuns;
use crate::maintenance::reports::Reports;
use crate::metering::Metering;
use crate::online_service::OnlineService;
use crate::operator::audit::Audit;
use crate::operator::{OperatorKey, Operators};
use crate::outbox::Outbox;
use crate::session::row::SessionRows;
use crate::store::{Shelves, StoreError};
use crate::trace::Traces;

mod files;
mod settings;

use files::{cache_key, desk, folder_of_requests, log_origin, read_secrets, read_text};

/// Who we say that we are towards Data Sources and Online Services.
const AGENT: &str = concat!("Consentry/", env!("CARGO_PKG_VERSION"));

/// How often a caller may ask in a minute, unless it is said.
const REQUESTS_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(1199);

/// A Data Source: the connector's id and its own.
type SourceKey = (String, String);
/// The operator's own secrets, by name.
type Secrets = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// What the operator sets for single Data Sources, and for all.
#[derive(Default)]
pub(super) struct SourceSettings {
    bases: HashMap<SourceKey, Url>,
    secrets: HashMap<SourceKey, Secrets>,
    usual: GateBounds,
    routes: Vec<(SourceKey, Route, GateBounds)>,
    development: bool,
    callback: Option<Url>,
    token_endpoint: Option<Url>,
    /// Where persons find this node.
    pub(super) public: Option<Url>,
    /// The offline key that envelopes of an authority are sealed to.
    pub(super) authority: Option<RecipientKey>,
    /// The operator's own policy.
    pub(super) policy: Option<[String; 2]>,
    requests_per_minute: Option<NonZeroU32>,
    /// Proxies that are believed.
    trusted_proxies: Vec<IpAddr>,
    /// Runs are taped, and the report of one that failed may be given.
    pub(super) reports: bool,
    /// Where the operator is told of breaks and suspensions.
    pub(super) maintenance_events: Option<Url>,
}

/// Why an engine can't be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The configuration is refused.
    #[error("the configuration is refused")]
    Config(#[from] ConfigError),
    /// The sandbox can't be set up.
    #[error("the sandbox can't be set up")]
    Sandbox(#[from] SandboxError),
    /// The machine's trust roots can't be read.
    #[error("the machine's trust roots can't be read")]
    Tls(#[from] rustls::Error),
    /// The store can't be opened.
    #[error("the store can't be opened")]
    Store(#[from] StoreError),
    /// The key that signs events can't be used.
    #[error("the key that signs events can't be used")]
    WebhookKey(#[from] WebhookKeyError),
    /// Nobody said where connectors are compiled.
    #[error("it is not said where connectors are compiled: see Builder::compiler")]
    NoCompiler,
    /// A file with a secret can't be read or written.
    #[error("{} can't be read or written", path.display())]
    Secret {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Wires an engine. What is not set is what one run on a desk needs: memory, keys that die with the process.
#[derive(Default)]
pub struct Builder {
    node: Option<String>,
    operator: Option<Operator>,
    clock: Option<Arc<dyn Clock>>,
    entropy: Option<Arc<Entropy>>,
    keys: Option<Arc<dyn KeyProvider>>,
    store: Option<PathBuf>,
    compiled: Option<PathBuf>,
    compiler: Option<Compiler>,
    catalogue: Catalogue,
    folder: Option<Folder>,
    sandbox: SandboxSettings,
    browser: BrowserSettings,
    limits: Wishes,
    settings: SourceSettings,
    online_services: Vec<OnlineService>,
    sessions_max: Option<usize>,
    sessions_each_max: Option<usize>,
    event_timeout: Option<Duration>,
    log_origin: Option<String>,
    operators: Vec<OperatorKey>,
    suspends: Option<Threshold>,
    #[cfg(test)]
    pub(super) shelves: Option<Shelves>,
}

impl Builder {
    /// Takes everything that a configuration says, except for keys.
    ///
    /// # Errors
    /// [`BuildError::Config`] and [`BuildError::Secret`].
    pub fn configure(mut self, config: &Config) -> Result<Self, BuildError> {
        self.node = Some(config.engine.node.clone());
        self.operator = Some(Operator { processing: config.processing()?, ..config.operator.clone() });
        self.store = Some(config.engine.data_folder.clone());
        self.log_origin = Some(log_origin(&config.api.public_url));
        self.compiled = Some(config.engine.data_folder.join("compiled"));
        self.limits = config.limits()?;
        self.online_services = config.online_services()?;
        self.sessions_max = Some(config.api.sessions_max);
        self.sessions_each_max = Some(config.api.sessions_per_online_service_max);
        self.event_timeout = Some(Duration::from_secs(config.events.timeout_seconds));
        self.sandbox = SandboxSettings {
            concurrent_runs: config.sandbox.concurrent_runs_max,
            guest_threads: config.sandbox.guest_threads,
        };
        self.browser = config.browser.settings(config.engine.development)?;
        self.operators = config.operator_key.clone();
        self.settings.development = config.engine.development;
        self.settings.reports = config.maintenance.reports;
        self.settings.maintenance_events.clone_from(&config.maintenance.events);
        self.suspends = config.maintenance.threshold()?;
        self.settings.public = Some(config.api.public_url.clone());
        self.settings.policy = config.policy()?;
        self.settings.authority = config.authority()?;
        self.settings.callback = config.api.public_url.join("v1/callback").ok();
        self.settings.requests_per_minute = NonZeroU32::new(config.api.requests_per_minute_max);
        self.settings.trusted_proxies.clone_from(&config.api.trusted_proxies);
        self.settings.token_endpoint = config.api.public_url.join("v1/token").ok();
        self.settings.usual = config.egress.bounds("egress", GateBounds::default())?;
        for section in &config.source {
            let key = (section.connector.clone(), section.id.clone());
            if let Some(base) = &section.base {
                self.settings.bases.insert(key.clone(), base.clone());
            }
            let login = section.proxy_login_file.as_deref().map(read_text).transpose()?;
            let route = section.route(login.as_ref().map(|login| login.as_str()))?;
            self.settings.routes.push((key.clone(), route, section.bounds(config)?));
            self.settings.secrets.insert(key, read_secrets(&section.secret_files)?);
        }
        Ok(self)
    }

    /// Takes the time from this clock.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// Takes randomness from here.
    #[must_use]
    pub fn entropy(self, entropy: Arc<Entropy>) -> Self {
        Self { entropy: Some(entropy), ..self }
    }

    /// Uses these keys.
    #[must_use]
    pub fn keys(self, keys: Arc<dyn KeyProvider>) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// Keeps its records and their keys below this folder; in memory without one.
    #[must_use]
    pub fn store(self, folder: PathBuf) -> Self {
        Self { store: Some(folder), ..self }
    }

    /// Serves these connectors.
    #[must_use]
    pub fn catalogue(self, catalogue: Catalogue) -> Self {
        Self { catalogue, ..self }
    }

    /// Goes on to look at this folder, from which the catalogue was made, and takes what changes there.
    #[must_use]
    pub fn watch(self, folder: Folder) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// Names the operator, for notices.
    #[must_use]
    pub fn operator(self, operator: Operator) -> Self {
        Self { operator: Some(operator), ..self }
    }

    /// Seals who somebody is, whom an Online Service knows by a name of its own, to this key of an authority.
    #[must_use]
    pub fn authority(mut self, key: RecipientKey) -> Self {
        self.settings.authority = Some(key);
        self
    }

    /// Registers an Online Service besides those of the configuration.
    #[must_use]
    pub fn online_service(mut self, service: OnlineService) -> Self {
        self.online_services.push(service);
        self
    }

    /// Allows http and loopback towards Data Sources and Online Services.
    #[must_use]
    pub fn development(mut self, allowed: bool) -> Self {
        self.settings.development = allowed;
        self
    }

    /// Reaches a Data Source at another address than the manifest's.
    #[must_use]
    pub fn base(mut self, connector: &str, source: &str, base: Url) -> Self {
        self.settings.bases.insert((connector.to_owned(), source.to_owned()), base);
        self
    }

    /// Gives the connector of a Data Source one of the operator's own secrets.
    #[must_use]
    pub fn secret(mut self, connector: &str, source: &str, name: &str, value: Zeroizing<Vec<u8>>) -> Self {
        let key = (connector.to_owned(), source.to_owned());
        self.settings.secrets.entry(key).or_default().insert(name.to_owned(), value);
        self
    }

    /// Sets the sandbox up.
    #[must_use]
    pub fn sandbox(self, sandbox: SandboxSettings) -> Self {
        Self { sandbox, ..self }
    }

    /// Sets the browser up that connectors may ask for; it is started by the first that does.
    #[must_use]
    pub fn browser(self, browser: BrowserSettings) -> Self {
        Self { browser, ..self }
    }

    /// Compiles connectors there. There is no default: a program that embeds the engine must be able to be called as a compiler
    /// ([`Compiler::this_program`]), name one that can ([`Compiler::process`]), or do without one ([`Compiler::in_process`]).
    #[must_use]
    pub fn compiler(self, compiler: Compiler) -> Self {
        Self { compiler: Some(compiler), ..self }
    }

    /// Takes part in the maintenance programme: runs are taped in memory, and people may give the report of one that failed.
    #[must_use]
    pub fn reports(mut self) -> Self {
        self.settings.reports = true;
        self
    }

    /// Has at most so many sessions open at once, and so many of one Online Service.
    #[must_use]
    pub fn sessions(self, most: usize, each: usize) -> Self {
        Self { sessions_max: Some(most), sessions_each_max: Some(each), ..self }
    }

    /// The Data Sources of these connectors that can't be used, because a secret of the operator's is not set.
    pub fn unusable(&self, catalogue: &Catalogue) -> Vec<EngineError> {
        let mut unusable = vec![];
        for connector in catalogue.connectors() {
            for source in connector.package.manifest().sources() {
                let source = source.id.as_str();
                unusable.extend(missing_secret(connector, source, &self.settings.secrets(connector.id(), source)));
            }
        }
        unusable
    }

    /// Builds the engine and takes up what an earlier life of this node left behind.
    ///
    /// # Errors
    /// [`BuildError`].
    pub async fn build(self) -> Result<Arc<Engine>, BuildError> {
        let compiler = self.compiler.ok_or(BuildError::NoCompiler)?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let entropy = self.entropy.unwrap_or_else(|| Arc::new(Entropy::system()));
        let keys = self.keys.unwrap_or_else(|| Arc::new(SoftwareKeys::ephemeral(clock.now())));
        let in_memory = self.store.is_none();
        #[cfg(test)]
        let in_memory = in_memory && self.shelves.is_none();
        let opened = open(self.store.as_deref(), &keys, &entropy, &clock).await?;
        let Kept { shelves, tiles, webhook_key } = opened;
        #[cfg(test)]
        let shelves = self.shelves.unwrap_or(shelves);
        say_what_is_allowed(self.settings.development);
        let tls = TlsSettings::of_this_machine()?;
        let node = self.node.unwrap_or_else(|| "desk".to_owned());
        let timeout = self.event_timeout.unwrap_or(Duration::from_secs(10));
        let most = self.sessions_max.unwrap_or(1024);
        let log = (self.log_origin.unwrap_or_else(|| "localhost/log".to_owned()), tiles);
        let cache_key = cache_key(self.compiled.as_deref(), &entropy)?;
        let collector = Collector {
            sandbox: Sandbox::new(&self.sandbox)?,
            browser: Some(Chromium::new(self.browser)),
            compiled: CompiledCache::new(self.compiled, &cache_key, compiler),
            tls: tls.clone(),
            limits: self.limits,
            development: self.settings.development,
            ways: self.settings.ways(Arc::new(RunClock(clock.clone()))),
            agent: AGENT.to_owned(),
        };
        let online_services = self.online_services.into_iter().map(|each| (each.id(), Arc::new(each))).collect();
        let engine = Arc::new(Engine {
            operator: Operator { in_memory, ..self.operator.unwrap_or_else(desk) },
            consents: ConsentRegister::new(shelves.shelf()),
            ledger: Ledger::new(&shelves, entropy.clone(), keys.clone(), log),
            outbox: Outbox::new(&shelves, entropy.clone()),
            metering: Metering::new(&shelves),
            traces: Traces::new(&shelves, keys.clone(), entropy.clone()),
            reports: Reports::new(&shelves, entropy.clone()),
            good_runs: GoodRuns::new(&shelves),
            accounts: Accounts::new(&shelves, Passkeys::at(self.settings.public.as_ref()), entropy.clone()),
            connections: Connections::new(&shelves),
            rows: SessionRows::new(shelves.shelf(), &node),
            forwarder: Arc::new(Forwarder::new(tls, self.settings.development, timeout, AGENT)),
            collector: Arc::new(collector),
            webhook_key,
            connectors: Connectors::new(self.catalogue, self.folder),
            settings: self.settings,
            online_services,
            access: Access::new(clock.now()),
            nonces: Default::default(),
            sessions: Sessions::new(most, self.sessions_each_max.unwrap_or(most)),
            requests: folder_of_requests(self.store.as_deref())?,
            operators: Operators::new(self.operators, entropy.clone()),
            audit: Audit::new(&shelves, entropy.clone()),
            health: Health::open(&shelves).await?,
            failing: Failing::new(self.suspends),
            passes: Default::default(),
            unproved: Default::default(),
            draining: Default::default(),
            seconds: Seconds::default(),
            tasks: TaskTracker::new(),
            node,
            clock,
            entropy,
            keys,
            shelves,
        });
        engine.take_up().await?;
        Ok(engine)
    }
}

fn say_what_is_allowed(development: bool) {
    if development {
        tracing::warn!(
            "DEVELOPMENT MODE: Data Sources and Online Services may be on this machine and without TLS, and connectors' own lines are logged. Never for real persons' data."
        );
    }
}

/// What an engine keeps, in a folder or in memory.
struct Kept {
    shelves: Shelves,
    tiles: Tiles,
    webhook_key: WebhookKey,
}

async fn open(
    folder: Option<&Path>,
    keys: &Arc<dyn KeyProvider>,
    entropy: &Arc<Entropy>,
    clock: &Arc<dyn Clock>,
) -> Result<Kept, BuildError> {
    let Some(folder) = folder else {
        let shelves = Shelves::memory(keys.clone(), entropy.clone(), clock.clone());
        return Ok(Kept { shelves, tiles: Tiles::memory(), webhook_key: WebhookKey::ephemeral(entropy)? });
    };
    Ok(Kept {
        // The store first: whoever has it, has the folder.
        shelves: Shelves::sled(folder, keys.clone(), entropy.clone(), clock.clone()).await?,
        tiles: Tiles::folder(folder.join("log"), entropy.clone()),
        webhook_key: WebhookKey::open(&folder.join("webhook.key"), &**keys, entropy).await?,
    })
}
