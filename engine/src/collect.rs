//! One collection: a connector, a fresh sandbox, a verdict. It knows nothing of sessions: what it may do arrives as [`Order`], computed
//! from manifest, operator and consent; what it brings goes back as [`Collection`]. Nothing of a run outlives the call: secrets are
//! destroyed, tasks have ended, only items and facts remain.

pub mod signature;
pub mod package;
pub mod decisions;
pub mod sandbox;
pub mod compile;
pub mod cache;
pub mod ways;
pub mod replay;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use consentry_contract::failure::{Code, Failure, Gathered, verdict};
use consentry_contract::item::Item;
use consentry_contract::limits::{LimitName, Limits, Wishes};
use consentry_contract::manifest::SourcePlan;
use consentry_host_api::browser::{BrowserWay, Chromium};
use consentry_host_api::egress::Egress;
use consentry_host_api::guests::Home;
use consentry_host_api::network::gate::Gated;
use consentry_host_api::network::{LiveNetwork, Network, TlsSettings, Way};
use consentry_host_api::ports::{Clock, Observer, Prompter, Random};
use consentry_host_api::session_state::SealedState;
use consentry_host_api::stop::{StopReason, Stopper};
use consentry_host_api::tape::{Pages, TapeSink};
use consentry_host_api::vault::Vault;
use consentry_host_api::{Grants, HostCtx, Ports, RunSpec};
use tokio_util::task::TaskTracker;

use cache::CompiledCache;
use compile::CompileError;
use package::Package;
use sandbox::{GuestRun, Prepared, Sandbox, SandboxError};
use ways::Ways;

/// What every collection of this host shares.
pub struct Collector {
    /// Where guests run.
    pub sandbox: Sandbox,
    /// Compiled connectors.
    pub compiled: CompiledCache,
    /// TLS towards Data Sources.
    pub tls: TlsSettings,
    /// What the operator allows at most.
    pub limits: Wishes,
    /// Loopback sources and http towards them.
    pub development: bool,
    /// The way to each Data Source.
    pub ways: Ways,
    /// The `user-agent` towards Data Sources.
    pub agent: String,
    /// The browser of connectors that need one.
    pub browser: Option<Arc<Chromium>>,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector")
            .field("sandbox", &self.sandbox)
            .field("development", &self.development)
            .finish_non_exhaustive()
    }
}

/// One collection, as it was consented to.
pub struct Order {
    /// The connector.
    pub package: Package,
    /// The Data Source.
    pub plan: Arc<SourcePlan>,
    /// Manifest, cut by the operator, cut by the consent.
    pub grants: Grants,
    /// The login fields, re-sealed under the run key, and the operator's secrets.
    pub vault: Vault,
    /// BCP 47 language of the person.
    pub language: String,
    /// Redirect URI and state of this run.
    pub callback: (String, String),
    /// The way to the person.
    pub prompter: Arc<dyn Prompter>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// Where calls are taped.
    pub tape: Arc<dyn TapeSink>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Box<dyn Random>,
    /// Ends the run from outside.
    pub stopper: Stopper,
}

/// What came of it.
pub struct Collection {
    /// What was brought, or why nothing was.
    pub result: Result<Gathered, Failure>,
    /// The items; none when the result is a failure.
    pub items: Vec<Item>,
    /// A login went out, so nothing may be tried again without the person.
    pub login_submitted: bool,
    /// Items of categories that nobody had asked for.
    pub unrequested: u64,
    /// Function names of a trap, innermost first; for the connector's author.
    pub trace: Vec<String>,
    /// What is kept for the next run of the connection, sealed; none without the grant of it.
    pub kept: Option<SealedState>,
}

impl std::fmt::Debug for Collection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collection")
            .field("result", &self.result)
            .field("items", &self.items.len())
            .finish_non_exhaustive()
    }
}

/// How a run reaches its Data Source: by requests, in a browser, or by pages of a tape in the browser's place.
type Access = (Arc<dyn Network>, Option<BrowserWay>, Option<Arc<dyn Pages>>);

impl Collector {
    /// Runs one collection to its end. Call it on a runtime with timers; dropping the future ends the run.
    pub async fn collect(&self, order: Order) -> Collection {
        self.collect_in(order, TaskTracker::new()).await
    }

    /// The same, with the tracker of the run's tasks in the caller's hands, who can look whether any is left.
    pub async fn collect_in(&self, order: Order, hops: TaskTracker) -> Collection {
        let prepared = match self.compiled.ready(&order.package) {
            Some(ready) => ready,
            // Only for what takes long: it moves this thread's other tasks to another thread.
            None => match tokio::task::block_in_place(|| self.prepare(&order.package)) {
                Ok(prepared) => prepared,
                Err(failure) => return Collection::failed(failure),
            },
        };
        let home = self.sandbox.home();
        match self.context(order, hops.clone(), &home) {
            Ok((ctx, wall)) => self.run(&prepared, ctx, wall, hops, home).await,
            Err(failure) => Collection::failed(failure),
        }
    }

    /// Runs what was prepared, to its end.
    async fn run(
        &self,
        prepared: &Prepared,
        ctx: Box<HostCtx>,
        wall: Duration,
        hops: TaskTracker,
        home: Home,
    ) -> Collection {
        let stopper = ctx.stopper().clone();
        let mut run = pin!(self.sandbox.run(prepared, ctx, home));
        let run = match tokio::time::timeout(wall, &mut run).await {
            Ok(run) => run,
            Err(_) => {
                stopper.stop(StopReason::WallTime);
                run.await
            }
        };
        let collection = conclude(run);
        // Every hop is aborted with the one who waited for it; the run is over when the last has ended.
        hops.close();
        hops.wait().await;
        collection
    }

    /// Compiles a connector, or finds it compiled. CPU-heavy the first time: call it off the I/O threads.
    ///
    /// # Errors
    /// [`Code::IncompatibleWorld`], or [`Code::PlatformFailed`] where it could not be tried; the log says why.
    pub fn prepare(&self, package: &Package) -> Result<sandbox::Prepared, Failure> {
        self.compiled.prepare(&self.sandbox, package).map_err(|error| {
            let platform = matches!(error, SandboxError::Compiler(CompileError::Start { .. }));
            let error = crate::causes::chain(&error);
            tracing::error!(connector = package.digest(), error, "a connector can't be prepared");
            Failure::new(if platform { Code::PlatformFailed } else { Code::IncompatibleWorld })
        })
    }

    /// What a run of this order acts upon, with its sockets there, and how long it may take.
    ///
    /// # Errors
    /// When it can't have a network.
    pub fn context(&self, order: Order, hops: TaskTracker, home: &Home) -> Result<(Box<HostCtx>, Duration), Failure> {
        let limits = Limits::new(&self.limits, order.package.manifest().limits());
        let egress = Egress::new(order.plan.origins(), self.development);
        let (way, gate) = self.ways.to(order.package.manifest().id().as_str(), order.plan.id().as_str());
        let way = Way { head_bytes_max: limits.size(LimitName::HeadBytes), wire_bytes_max: limits.wire_bytes(), ..way };
        let network =
            LiveNetwork::by(way, &egress, &self.tls, &self.agent).map_err(|_| Failure::new(Code::PlatformFailed))?;
        let tunnels = network.tunnels(gate.clone(), limits.of(LimitName::BytesOut));
        let browser = self.browser.clone().map(|chromium| BrowserWay { chromium, tunnels });
        let network = Arc::new(Gated { network, gate });
        Ok(self.context_by(order, limits, egress, (network, browser, None), hops, home))
    }

    /// The same, with this way to the Data Source.
    fn context_by(
        &self,
        order: Order,
        limits: Limits,
        egress: Egress,
        way: Access,
        hops: TaskTracker,
        home: &Home,
    ) -> (Box<HostCtx>, Duration) {
        order.tape.begins(replay::inputs(&order));
        let wall = Duration::from_secs(limits.of(LimitName::Wall));
        let (network, browser, pages) = way;
        let ports = Ports {
            browser,
            pages,
            network,
            prompter: order.prompter,
            observer: order.observer,
            tape: order.tape,
            clock: order.clock,
            random: order.random,
            io: home.io().clone(),
        };
        let spec = RunSpec {
            manifest: order.package.manifest().clone(),
            plan: order.plan,
            grants: order.grants,
            limits,
            egress,
            vault: order.vault,
            language: order.language,
            callback: order.callback,
            ports,
            stopper: order.stopper,
            hops,
        };
        (Box::new(HostCtx::new(spec)), wall)
    }
}

impl Collection {
    /// Why it brought nothing, or less than was asked for.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.result {
            Ok(gathered) => gathered.shortfall.as_ref(),
            Err(failure) => Some(failure),
        }
    }

    fn failed(failure: Failure) -> Self {
        Self {
            result: Err(failure),
            items: Vec::new(),
            login_submitted: false,
            unrequested: 0,
            trace: Vec::new(),
            kept: None,
        }
    }
}

/// Destroys the secrets, names the outcome.
fn conclude(run: GuestRun) -> Collection {
    let Some(ctx) = run.ctx else {
        // The host panicked: ours to mend, and a login may have gone out.
        return Collection { login_submitted: true, ..Collection::failed(Failure::new(Code::PlatformFailed)) };
    };
    let remains = ctx.into_remains();
    let result = verdict(&remains.facts, &run.end);
    let items = if result.is_ok() { remains.items.into_items() } else { Vec::new() };
    Collection {
        result,
        items,
        login_submitted: remains.facts.login_submitted,
        unrequested: remains.unrequested,
        trace: run.trace,
        kept: remains.kept,
    }
}
