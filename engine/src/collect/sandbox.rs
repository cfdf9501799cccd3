//! The sandbox: wasmtime's settings, one fresh store for each collection, guests on threads of their own ([`GuestThreads`]), which serve
//! the runs' sockets between the guests' turns.
//! It grants nothing; what a guest may do stands in its [`HostCtx`].

use std::sync::Arc;
use std::time::Duration;

use super::compile::CompileError;
use consentry_contract::failure::GuestEnd;
use consentry_contract::limits::LimitName;
use consentry_contract::plain::plain;
use consentry_host_api::bindings::{Connector, ConnectorPre};
use consentry_host_api::guests::{GuestThreads, Home, Watch};
use consentry_host_api::{HostCtx, Stopped, TICK_MILLISECONDS, link};
use tokio::sync::Semaphore;
use wasmtime::component::{Component, Linker, ResourceTableError};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, Trap, UpdateDeadline,
    WasmBacktrace,
};

/// What a slot of the pool keeps of the pages that a run has written: the next run has that many page faults less.
const KEPT_BYTES: usize = 256 << 10;
const STACK_KEPT_BYTES: usize = 64 << 10;
/// How often a guest is interrupted. Short, so that a spinning guest hands over soon, and ends soon after its CPU time.
pub const TICK: Duration = Duration::from_millis(TICK_MILLISECONDS);
/// Most memory maps that one pool slot can take while it is in use (two memories' worth of guards, table, stack).
const MAPS_PER_SLOT: u64 = 6;
/// Maps that the rest of the process needs.
const MAPS_BESIDE: u64 = 4096;
/// Frames of a trap that are kept.
const TRACE_MAX: usize = 16;

/// Why no sandbox could be made, or a connector not prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// More slots than the kernel's map limit allows.
    #[error(
        "{slots} concurrent collections need vm.max_map_count of at least {needed}, and it is {found}: lower `sandbox.concurrent-runs-max` or run `sysctl -w vm.max_map_count={needed}`"
    )]
    MapCount {
        /// Slots asked for.
        slots: u32,
        /// Maps they need.
        needed: u64,
        /// The kernel's limit.
        found: u64,
    },
    /// wasmtime refused its settings, or the threads could not be started.
    #[error("the sandbox can't be set up")]
    Setup(#[source] wasmtime::Error),
    /// The guests' threads could not be started.
    #[error("the guests' threads can't be started")]
    Threads(#[source] std::io::Error),
    /// The connector does not compile or does not fit the contract.
    #[error("the connector can't be prepared: {reason}")]
    Connector {
        /// wasmtime's chain of reasons; it speaks of types and names, never of values.
        reason: String,
    },
    /// The compiler gave no answer about the connector.
    #[error("the connector can't be compiled")]
    Compiler(#[source] CompileError),
}

impl SandboxError {
    /// A connector that is refused for this. The names in it are the connector's.
    pub(super) fn refused(reason: &str) -> Self {
        Self::Connector { reason: plain(reason).into_owned() }
    }
}

/// How many and how large.
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    /// Collections at once, waiting ones included.
    pub concurrent_runs: u32,
    /// Threads that guests run on.
    pub guest_threads: usize,
}

impl Default for SandboxSettings {
    fn default() -> Self {
        Self { concurrent_runs: 512, guest_threads: 2 }
    }
}

/// A connector, compiled and linked; instantiating it is cheap.
#[derive(Clone)]
pub struct Prepared(ConnectorPre<HostCtx>);

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prepared")
    }
}

/// A guest's end.
pub struct GuestRun {
    /// Its context; none after a panic in the host. It is large, and each future that it went through would keep room for it.
    pub ctx: Option<Box<HostCtx>>,
    /// How it came to its end.
    pub end: GuestEnd,
    /// Of a crash: the kind, then the functions, innermost first.
    pub trace: Vec<String>,
}

/// Compiles, instantiates and runs connectors.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<HostCtx>,
    slots: Arc<Semaphore>,
    guests: GuestThreads,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("free_slots", &self.slots.available_permits()).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Reserves the pool, starts the guests' threads and the ticker.
    ///
    /// # Errors
    /// [`SandboxError`]: the kernel's map limit, wasmtime's settings, threads.
    pub fn new(settings: &SandboxSettings) -> Result<Self, SandboxError> {
        // Where the kernel can't say which pages were written, all of them would be overwritten each time.
        let seen = PoolingAllocationConfig::is_pagemap_scan_available();
        Self::keeping(settings, if seen { KEPT_BYTES } else { 0 })
    }

    /// The same, with so many bytes of each memory and table (and no more than 64 KiB of each stack) that stay mapped when a run ends and are
    /// overwritten with what they began as; the rest is given back to the system.
    ///
    /// # Errors
    /// [`SandboxError`], as [`Self::new`].
    pub fn keeping(settings: &SandboxSettings, keep_resident_bytes: usize) -> Result<Self, SandboxError> {
        check_map_count(settings.concurrent_runs)?;
        let engine = Engine::new(&config(settings, keep_resident_bytes)).map_err(SandboxError::Setup)?;
        let mut linker = Linker::new(&engine);
        link(&mut linker).map_err(SandboxError::Setup)?;
        let guests = GuestThreads::start(settings.guest_threads).map_err(SandboxError::Threads)?;
        start_ticker(&engine, guests.watch())?;
        let slots = Arc::new(Semaphore::new(settings.concurrent_runs as usize));
        Ok(Self { engine, linker, slots, guests })
    }

    /// wasmtime's engine, for the compiled cache.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Where a run's sockets and timers are to be, and its guest's turns.
    pub fn home(&self) -> Home {
        self.guests.home()
    }

    /// Links a compiled component.
    ///
    /// # Errors
    /// [`SandboxError::Connector`] when its types are not those of the contract.
    pub fn link(&self, component: &Component) -> Result<Prepared, SandboxError> {
        let fit = |error: wasmtime::Error| SandboxError::refused(&format!("{error:#}"));
        let pre = self.linker.instantiate_pre(component).map_err(fit)?;
        Ok(Prepared(ConnectorPre::new(pre).map_err(fit)?))
    }

    /// A fresh store and instance in which nothing is run: what the sandbox itself takes, to be measured.
    ///
    /// # Errors
    /// When there is no slot.
    pub async fn instantiate(&self, prepared: &Prepared, ctx: Box<HostCtx>) -> wasmtime::Result<HostCtx> {
        let mut store = fresh(&self.engine, ctx);
        prepared.0.instantiate_async(&mut store).await?;
        Ok(store.into_data())
    }

    /// Runs one collection in a fresh store, begins to log out, and gives its context back with what happened. The future may be dropped:
    /// the guest is then stopped at its next tick.
    pub async fn run(&self, prepared: &Prepared, ctx: Box<HostCtx>, home: Home) -> GuestRun {
        let stopper = ctx.stopper().clone();
        let slot = tokio::select! {
            slot = self.slots.clone().acquire_owned() => slot.ok(),
            () = stopper.wait() => None,
        };
        let pre = prepared.0.clone();
        let engine = self.engine.clone();
        let stop = ctx.stopper().drop_guard();
        let Some(slot) = slot else {
            return GuestRun { ctx: Some(ctx), end: GuestEnd::Stopped, trace: Vec::new() };
        };
        let guest = self.guests.run(home, ctx.cpu().clone(), async move {
            let mut store = fresh(&engine, ctx);
            let (end, trace) = drive(&pre, &mut store).await;
            let ctx = Box::new(store.into_data());
            drop(slot);
            ctx.log_out();
            GuestRun { ctx: Some(ctx), end, trace }
        });
        let ended = guest.await;
        stop.disarm();
        // A panic in a host function: the store and all it held are gone with it.
        ended.unwrap_or_else(|| GuestRun { ctx: None, end: GuestEnd::Trapped, trace: Vec::new() })
    }
}

/// A store with the limits that it enforces itself, and the tick at which CPU time is looked at.
fn fresh(engine: &Engine, ctx: Box<HostCtx>) -> Store<HostCtx> {
    let mut store = Store::new(engine, *ctx);
    store.limiter(|ctx| ctx.memory_limiter());
    store.set_hostcall_fuel(store.data().call_bytes_max());
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| {
        Ok(if store.data_mut().tick() { UpdateDeadline::Yield(1) } else { UpdateDeadline::Interrupt })
    });
    store
}

async fn drive(pre: &ConnectorPre<HostCtx>, store: &mut Store<HostCtx>) -> (GuestEnd, Vec<String>) {
    let connector: Connector = match pre.instantiate_async(&mut *store).await {
        Ok(connector) => connector,
        Err(error) => return trapped(&error, store.data_mut()),
    };
    match connector.call_collect(&mut *store).await {
        Ok(Ok(())) => (GuestEnd::Returned, Vec::new()),
        Ok(Err(fault)) => (GuestEnd::Fault(fault.code), Vec::new()),
        Err(error) => trapped(&error, store.data_mut()),
    }
}

/// Tells a guest that the host ended from one that crashed, and in which functions. Their names come from the connector's own code:
/// they hold no value, and anything else.
fn trapped(error: &wasmtime::Error, ctx: &mut HostCtx) -> (GuestEnd, Vec<String>) {
    if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) {
        ctx.reached(LimitName::Handles);
        return (GuestEnd::Stopped, Vec::new());
    }
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::Interrupt) || error.downcast_ref::<Stopped>().is_some() {
        return (GuestEnd::Stopped, Vec::new());
    }
    let mut trace: Vec<String> = trap.iter().map(|trap| format!("{trap:?}")).collect();
    if let Some(frames) = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames) {
        let names = frames.iter().filter_map(|frame| frame.func_name());
        trace.extend(
            names.take(TRACE_MAX).map(|name| plain(&format!("{:#}", rustc_demangle::demangle(name))).into_owned()),
        );
    }
    if trap == Some(&Trap::StackOverflow) {
        ctx.reached(LimitName::Stack);
        return (GuestEnd::Stopped, trace);
    }
    (GuestEnd::Trapped, trace)
}

/// What decides which code is made of a connector, and which code may be loaded: the same here and in the compiler's process.
pub(super) fn code_config() -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false) // plain functions: guests wait in host calls, on fibers
        .epoch_interruption(true)
        .memory_reservation(4 << 30) // elides bounds checks: 28 % of a parsing guest's CPU
        .memory_guard_size(32 << 20)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .cranelift_nan_canonicalization(true) // replay is bit-identical
        .relaxed_simd_deterministic(true);
    config
}

fn config(settings: &SandboxSettings, keep_resident_bytes: usize) -> Config {
    let slots = settings.concurrent_runs;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots * 4)
        .total_memories(slots)
        .total_tables(slots * 2)
        .total_stacks(slots)
        .linear_memory_keep_resident(keep_resident_bytes)
        .table_keep_resident(keep_resident_bytes)
        .async_stack_keep_resident(keep_resident_bytes.min(STACK_KEPT_BYTES))
        .pagemap_scan(Enabled::Auto)
        .max_memory_size(most(LimitName::Memory))
        .table_elements(most(LimitName::TableElements))
        .max_core_instance_size(64 << 10)
        .max_component_instance_size(256 << 10)
        .max_core_instances_per_component(8)
        .max_memories_per_component(1)
        .max_tables_per_component(2);
    let mut config = code_config();
    config
        .async_stack_size(512 << 10)
        .async_stack_zeroing(true) // a fiber's stack may hold another run's bytes
        .max_wasm_stack(most(LimitName::Stack))
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// The pool holds whatever a run may be allowed, so that a run always meets its own limit, by its name, first.
fn most(limit: LimitName) -> usize {
    usize::try_from(limit.row().maximum).unwrap_or(usize::MAX)
}

fn check_map_count(slots: u32) -> Result<(), SandboxError> {
    let needed = MAPS_PER_SLOT * u64::from(slots) + MAPS_BESIDE;
    match std::fs::read_to_string("/proc/sys/vm/max_map_count").ok().and_then(|text| text.trim().parse().ok()) {
        Some(found) if found < needed => Err(SandboxError::MapCount { slots, needed, found }),
        _ => Ok(()),
    }
}

/// One ticker for the whole process; it ends when the engine is gone.
fn start_ticker(engine: &Engine, watch: Watch) -> Result<(), SandboxError> {
    let weak = engine.weak();
    std::thread::Builder::new()
        .name("ticker".to_owned())
        .spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                watch.look();
                std::thread::sleep(TICK);
            }
        })
        .map(drop)
        .map_err(SandboxError::Threads)
}
