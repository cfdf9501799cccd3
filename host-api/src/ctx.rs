//! The context of one run: everything a sandboxed connector's calls act upon. [`HostCtx::enter`] is the one place through which every
//! capability call passes, where it is counted, taped, granted or refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use consentry_contract::failure::{Code, DatasetFacts, Name, RunFacts, Stage};
use consentry_contract::item::{RunItems, category as category_of};
use consentry_contract::limits::{LimitName, Limits};
use consentry_contract::manifest::{Manifest, SourcePlan};
use consentry_contract::plain::plain;
use consentry_contract::recipe::SinkId;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use wasmtime::component::ResourceTable;

use crate::browser::Browsing;
use crate::budget::Budget;
use crate::egress::Egress;
use crate::fault::Fail;
use crate::held::{Held, Holdings};
use crate::http::Jar;
use crate::meter::{CpuAccount, CpuMeter};
use crate::network::{Identity, Network};
use crate::ports::{Clock, Observer, Prompter, Random};
use crate::session_state::{SealedState, State, Synchronised};
use crate::stop::{StopReason, Stopper};
use crate::tape::{Call, TapeSink};
use crate::vault::Vault;

/// How often a guest is interrupted, in milliseconds: to hand over, and to look what it has used.
pub const TICK_MILLISECONDS: u64 = 2;

/// Longest text that the host tells a connector's author, in bytes: a connector can make it speak of long names.
const TOLD_BYTES_MAX: usize = 4096;

/// What this connector may do this time: manifest, cut by the operator, cut by the consent. Computed by the engine; asked by every
/// capability.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// Capabilities beyond those that every connector has.
    pub capabilities: BTreeSet<String>,
    /// Categories that the person consented to and that this source can give.
    pub wanted: BTreeSet<String>,
    /// First day of the history that the person consented to.
    pub since: Option<Date>,
    /// A person is there to answer prompts.
    pub attended: bool,
    /// The consent for automatic synchronisation: what is kept is there in the connection's next run.
    pub synchronised: Option<Synchronised>,
}

/// What the run is given from outside.
pub struct Ports {
    /// The way to the Data Source.
    pub network: Arc<dyn Network>,
    /// The browser, and its way to the Data Source; none where connectors have none.
    pub browser: Option<crate::browser::BrowserWay>,
    /// What pages showed, on a replay: then no browser is asked.
    pub pages: Option<Arc<dyn crate::tape::Pages>>,
    /// The way to the person.
    pub prompter: Arc<dyn Prompter>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// Where every call is taped.
    pub tape: Arc<dyn TapeSink>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Box<dyn Random>,
    /// The runtime that serves this run's sockets and timers; a guest's turn is outside of it.
    pub io: Handle,
}

/// One run as the engine describes it.
pub struct RunSpec {
    /// What the connector declares.
    pub manifest: Arc<Manifest>,
    /// The source, its pages, sinks and captures, with `{base}` resolved.
    pub plan: Arc<SourcePlan>,
    /// What is allowed.
    pub grants: Grants,
    /// How much of it.
    pub limits: Limits,
    /// Where requests may go.
    pub egress: Egress,
    /// The login fields and the operator's secrets.
    pub vault: Vault,
    /// BCP 47 language of the person.
    pub language: String,
    /// Redirect URI and state of this run.
    pub callback: (String, String),
    /// Ports.
    pub ports: Ports,
    /// Ends the run from outside.
    pub stopper: Stopper,
    /// Every hop off the guest's thread; empty before the run counts as erased.
    pub hops: TaskTracker,
}

/// The data of a run's store.
pub struct HostCtx {
    pub(crate) table: ResourceTable,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) plan: Arc<SourcePlan>,
    pub(crate) grants: Grants,
    pub(crate) egress: Egress,
    pub(crate) vault: Vault,
    pub(crate) jar: Jar,
    pub(crate) browsing: Browsing,
    pub(crate) language: String,
    pub(crate) callback: (String, String),
    pub(crate) ports: Ports,
    pub(crate) stopper: Stopper,
    pub(crate) hops: TaskTracker,
    pub(crate) budget: Budget,
    pub(crate) holdings: Holdings,
    /// What is kept for the next run.
    pub(crate) state: State,
    /// What stays until the run is over.
    kept: Vec<Arc<Held>>,
    cpu: CpuAccount,
    pub(crate) facts: RunFacts,
    pub(crate) items: RunItems,
    /// The connector said that the login worked.
    pub(crate) authenticated: bool,
    /// When answers to prompts that were not used are destroyed.
    pub(crate) answers_until: Option<Timestamp>,
    /// How often each sink was used.
    pub(crate) sink_uses: BTreeMap<SinkId, u32>,
    /// Certificates of the operator that were read, by name.
    pub(crate) identities: BTreeMap<String, Identity>,
    /// Items of categories that were not asked for: refused and counted.
    pub(crate) unrequested: u64,
    calls: u64,
}

/// What is left of a run when its guest is gone.
pub struct Remains {
    /// What the host saw.
    pub facts: RunFacts,
    /// What was emitted.
    pub items: RunItems,
    /// Items of categories that were not asked for.
    pub unrequested: u64,
    /// What is kept for the next run of the connection; none without the grant of it.
    pub kept: Option<SealedState>,
}

impl HostCtx {
    /// A fresh context.
    pub fn new(spec: RunSpec) -> Self {
        let datasets = spec.grants.wanted.iter();
        let datasets = datasets.map(|category| DatasetFacts { category: category.clone(), ..DatasetFacts::default() });
        let wanted: Vec<_> = spec.grants.wanted.iter().filter_map(|category| category_of(category)).collect();
        let mut table = ResourceTable::new();
        table.set_max_capacity(spec.limits.size(LimitName::Handles));
        let mut ctx = Self {
            table,
            facts: RunFacts::new(datasets.collect()),
            items: RunItems::new(&wanted),
            manifest: spec.manifest,
            plan: spec.plan,
            grants: spec.grants,
            egress: spec.egress,
            vault: spec.vault,
            jar: Jar::default(),
            browsing: Browsing::default(),
            language: spec.language,
            callback: spec.callback,
            ports: spec.ports,
            stopper: spec.stopper,
            hops: spec.hops,
            budget: Budget::new(spec.limits),
            holdings: Holdings::default(),
            state: State::default(),
            kept: Vec::new(),
            cpu: CpuAccount::default(),
            authenticated: false,
            answers_until: None,
            sink_uses: BTreeMap::new(),
            identities: BTreeMap::new(),
            unrequested: 0,
            calls: 0,
        };
        ctx.restore_state();
        ctx
    }

    /// Ends the run from outside.
    pub fn stopper(&self) -> &Stopper {
        &self.stopper
    }

    /// The run is over: every secret is destroyed, cookies and documents are dropped.
    pub fn into_remains(mut self) -> Remains {
        let kept = self.seal_state();
        self.vault.destroy();
        match self.stopper.stopped() {
            Some(StopReason::WallTime) => self.facts.limit = RunFacts::WALL_TIME.parse().ok().or(self.facts.limit),
            Some(reason) => self.facts.host = reason.code().or(self.facts.host),
            None => {}
        }
        Remains { facts: self.facts, items: self.items, unrequested: self.unrequested, kept }
    }

    /// The one place through which every capability call passes: stopped runs end here, optional capabilities are granted or refused
    /// here, and the tape hears of both.
    pub(crate) fn enter(&mut self, capability: &'static str, function: &'static str) -> Result<(), Fail> {
        self.calls += 1;
        let granted = !crate::OPTIONAL.contains(&capability) || self.grants.capabilities.contains(capability);
        self.ports.tape.call(Call { ordinal: self.calls, capability, function, granted });
        if self.stopper.stopped().is_some() {
            return Err(Fail::stop());
        }
        self.forget_answers();
        if granted {
            return Ok(());
        }
        let line = format!(
            "{capability}.{function} is not granted; the manifest line that would allow it: capabilities = [\"{capability}\"]"
        );
        Err(self.refuse(Code::CapabilityDenied, line))
    }

    /// As [`Self::enter`], for functions whose type in the contract knows no fault: a refusal ends the run.
    pub(crate) fn enter_infallible(
        &mut self,
        capability: &'static str,
        function: &'static str,
    ) -> wasmtime::Result<()> {
        self.enter(capability, function).map_err(|fail| match fail {
            Fail::Stop(error) => error,
            Fail::Fault(_) => wasmtime::Error::new(crate::fault::Stopped),
        })
    }

    /// Says no to the connector and remembers it: if the run ends here, this is its failure.
    pub(crate) fn refuse(&mut self, code: Code, text: impl Into<String>) -> Fail {
        self.facts.host = Some(code);
        self.ports.tape.refused(self.calls, code);
        let mut text = text.into();
        text.truncate(text.floor_char_boundary(TOLD_BYTES_MAX));
        // As with the connector's own lines: a log that is full loses lines, not the run.
        if self.budget.spend(LimitName::LogLines, 1) {
            self.ports.observer.refused(code, &plain(&text));
        }
        Fail::fault(code, text)
    }

    /// A line for the connector's author, counted as its own lines are.
    pub(crate) fn tell_author(&mut self, text: &str) {
        if self.budget.spend(LimitName::LogLines, 1) {
            self.ports.observer.log("warn", &plain(&text[..text.floor_char_boundary(TOLD_BYTES_MAX)]));
        }
    }

    /// Takes from a limit; a limit that is reached ends the run and names its failure.
    pub(crate) fn spend(&mut self, limit: LimitName, amount: u64) -> Result<(), Fail> {
        if self.budget.spend(limit, amount) {
            return Ok(());
        }
        self.reached(limit);
        Err(Fail::stop())
    }

    /// Names the limit that ends the run; the first one counts.
    pub fn reached(&mut self, limit: LimitName) {
        if self.facts.limit.is_none() {
            self.facts.limit = limit.as_str().parse::<Name>().ok();
        }
    }

    /// How far the run has come, for the report.
    pub(crate) fn at(&mut self, stage: Stage) {
        self.facts.stage = stage;
    }

    /// Counts what the host keeps in memory for the run, until the receipt is dropped.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<Arc<Held>, Fail> {
        match self.holdings.hold(bytes as u64, self.budget.limits().of(LimitName::HostMemory)) {
            Some(held) => Ok(held),
            None => {
                self.reached(LimitName::HostMemory);
                Err(Fail::stop())
            }
        }
    }

    /// The same, for what stays until the run is over.
    pub(crate) fn hold_for_good(&mut self, bytes: usize) -> Result<(), Fail> {
        let held = self.hold(bytes)?;
        self.kept.push(held);
        Ok(())
    }

    /// The run's CPU time: whoever drives the guest charges its turns here.
    pub fn cpu(&self) -> &CpuAccount {
        &self.cpu
    }

    /// Ends work in the host when the run's CPU time is used up.
    pub(crate) fn cpu_meter(&self) -> CpuMeter {
        CpuMeter::new(&self.cpu, self.cpu_max())
    }

    /// How long the person's answers may still be kept; nothing if there are none.
    pub(crate) fn answers_left(&self) -> Option<Duration> {
        let left = self.answers_until?.duration_since(self.ports.clock.now());
        Some(self.ports.clock.pause(left.try_into().unwrap_or_default()))
    }

    /// Destroys the person's answers when their time is over (retention row R09), also while the guest waits or computes.
    pub(crate) fn forget_answers(&mut self) {
        if self.answers_until.is_some_and(|until| self.ports.clock.now() >= until) {
            self.vault.destroy_answers();
            self.answers_until = None;
        }
    }

    /// Looks at the guest that has its turn. False ends it.
    pub fn tick(&mut self) -> bool {
        self.forget_answers();
        if self.stopper.stopped().is_some() {
            return false;
        }
        if self.cpu.within(self.cpu_max()) {
            return true;
        }
        self.reached(LimitName::Cpu);
        false
    }

    fn cpu_max(&self) -> Duration {
        Duration::from_millis(self.budget.limits().of(LimitName::Cpu))
    }

    /// Most bytes that one call may lift out of the guest: as many as the guest itself may hold. What the host keeps of them is counted
    /// by limits of its own.
    pub fn call_bytes_max(&self) -> usize {
        self.budget.limits().size(LimitName::Memory)
    }

    /// What the store asks before memory grows.
    pub fn memory_limiter(&mut self) -> &mut dyn wasmtime::ResourceLimiter {
        self
    }
}

impl wasmtime::ResourceLimiter for HostCtx {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired as u64 <= self.budget.limits().of(LimitName::Memory);
        if !fits {
            self.reached(LimitName::Memory);
        }
        Ok(fits)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired as u64 <= self.budget.limits().of(LimitName::TableElements);
        if !fits {
            self.reached(LimitName::TableElements);
        }
        Ok(fits)
    }
}
