//! What the sandbox costs: the collection of the sample bank's 300 operations by its connector, against the same flow in plain native
//! Rust (`plain`), and against native Rust with the engine's own HTTP client and parser (`native`), interleaved in one run, the bank in a process of its own; and the rest that the
//! sandbox promises. Prints ratios and figures; nothing is asserted about time. Run: `cargo xtask connectors && cargo bench --package consentry-tests --bench collection`.

#[path = "collection/bare.rs"]
mod bare;
#[path = "collection/native.rs"]
mod native;
#[path = "collection/plain.rs"]
mod plain;
#[path = "collection/taped.rs"]
mod taped;
#[path = "collection/together.rs"]
mod together;
#[path = "collection/waiting.rs"]
mod waiting;
#[path = "collection/whole.rs"]
mod whole;

use std::io::{BufRead as _, BufReader, Read as _};
use std::num::NonZeroU32;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bare::Bare;
use consentry::collect::Collector;
use consentry::collect::cache::CompiledCache;
use consentry::collect::compile::Compiler;
use consentry::collect::package::Package;
use consentry::collect::ways::Ways;
use consentry_host_api::HostCtx;
use consentry_host_api::clear::{BOUNDS, Counted, Moment};
use consentry_host_api::network::TlsSettings;
use consentry_host_api::network::gate::GateBounds;
use consentry_tests::collecting::{Collecting, Now, collector_of, connector, told};
use nix::sys::resource::{UsageWho, getrusage};
use plain::Plain;
use sample_bank::{Change, MARIE, SampleBank, SiteState};
use tokio_util::task::TaskTracker;

/// The program's, so that the figures are its own; the native flows have it too.
#[global_allocator]
static ALLOCATOR: consentry_host_api::memory::Wiping = consentry_host_api::memory::Wiping;

const ROUNDS: usize = 200;
const WARM_UP: usize = 20;
const WAITING: usize = 60;
const WANTED: [&str; 3] = ["bank.account", "bank.balance", "bank.transaction"];
/// The code that the bank sends to everybody here.
const OTP: &str = "271828";
const COLLECTED: &str = "bank.account=3 bank.balance=3 bank.transaction=300";

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(state) = std::env::args().skip_while(|argument| argument != "serve-bank").nth(1) {
        return runtime.block_on(serve_bank(&state));
    }
    // As a node has, whose engine looks at the clock every second: timers beyond it interrupt nobody.
    runtime.spawn(async {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
        }
    });
    // On the runtime's threads, as a node runs it: whoever blocks on a runtime is woken from another thread at each step.
    runtime.block_on(async { tokio::spawn(measure()).await? })
}

/// Everything; or one part (`collection`, `whole`, `taped`, `together`, `spinners`, `sandbox`); or so many who wait (`waiting 10000`); or one side
/// alone for a profiler (`profile plain`, `profile native`, `profile sandboxed`).
async fn measure() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().filter(|argument| !argument.starts_with('-')).skip(1).collect();
    let tls = TlsSettings::of_this_machine()?;
    let measured = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["profile", which] => profile(&*open_gate(64)?, &tls, which).await,
        ["waiting", many] => waiting::measure(&open_gate(many.parse()?)?, many.parse()?).await,
        ["collection"] => compare(&*open_gate(64)?, &tls).await,
        ["whole"] => whole::compare(&*open_gate(64)?, &tls).await,
        ["taped"] => taped::compare(&*open_gate(64)?).await,
        ["together"] => together::at_once(&open_gate(64)?, &tls).await,
        ["spinners"] => together::beside_spinners(&open_gate(64)?).await,
        ["sandbox"] => {
            let collector = open_gate(64)?;
            load(&collector)?;
            instantiate(&collector).await
        }
        [] => {
            let collector = open_gate(64)?;
            compare(&collector, &tls).await?;
            whole::compare(&collector, &tls).await?;
            taped::compare(&collector).await?;
            together::at_once(&collector, &tls).await?;
            together::beside_spinners(&collector).await?;
            waiting::measure(&collector, WAITING).await?;
            load(&collector)?;
            instantiate(&collector).await
        }
        other => anyhow::bail!("{other:?} is nothing that is measured here"),
    };
    in_clear();
    measured
}

/// How long secrets stood in memory in clear meanwhile, as `GET /v1/metrics` of a node has it.
fn in_clear() {
    for moment in Moment::ALL {
        let Counted { within, sum } = moment.counted();
        let all: u64 = within.iter().sum();
        let mut so_far = 0;
        let median = BOUNDS.iter().zip(within).find(|(_, count)| {
            so_far += count;
            so_far * 2 >= all
        });
        if let Some((bound, _)) = median.filter(|_| all > 0) {
            let mean = sum / u32::try_from(all).unwrap_or(u32::MAX);
            println!("in clear, {:<9}{all:>8} times, median within {bound:?}, mean {mean:?}", moment.name());
        }
    }
}

/// A collector that sends as many requests to the bank as it likes: the native flow has no gate either.
fn open_gate(concurrent_runs: u32) -> anyhow::Result<Arc<Collector>> {
    let bounds =
        GateBounds { requests_at_once: u32::MAX >> 4, requests_per_minute: NonZeroU32::MAX, ..GateBounds::default() };
    Ok(Arc::new(Collector { ways: Ways::new(bounds, Arc::new(Now)), ..collector_of(concurrent_runs)? }))
}

/// The child: serves until its standard input ends.
async fn serve_bank(state: &str) -> anyhow::Result<()> {
    let any = "127.0.0.1:0".parse()?;
    let bank = SampleBank::start(any, any).await?;
    bank.change(Change { state: Some(state.parse()?), otp: Some(OTP.to_owned()), ..Change::default() });
    println!("{}", bank.site_url);
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

struct Bank {
    child: Child,
    url: String,
    /// Its connector.
    package: Package,
}

impl Bank {
    fn in_state(state: SiteState) -> anyhow::Result<Self> {
        let name = SiteState::TABLE.iter().find(|row| row.0 == state).context("a state has a name")?.1;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve-bank", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut url = String::new();
        BufReader::new(child.stdout.take().context("piped")?).read_line(&mut url)?;
        Ok(Self { child, url: url.trim().to_owned(), package: connector("sample-bank")? })
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cpu() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = [usage.user_time(), usage.system_time()].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(Duration::from_micros(micros.iter().sum::<i64>().try_into()?))
}

struct Times {
    cpu: Vec<Duration>,
    wall: Vec<Duration>,
}

impl Times {
    const fn new() -> Self {
        Self { cpu: Vec::new(), wall: Vec::new() }
    }

    async fn add<T>(&mut self, work: impl Future<Output = T>) -> anyhow::Result<T> {
        let (cpu_before, wall_before) = (cpu()?, Instant::now());
        let done = work.await;
        self.cpu.push(cpu()?.saturating_sub(cpu_before));
        self.wall.push(wall_before.elapsed());
        Ok(done)
    }
}

/// In milliseconds.
fn percentile(times: &[Duration], percent: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() * percent / 100].as_secs_f64() * 1e3
}

fn median(times: &[Duration]) -> f64 {
    percentile(times, 50)
}

fn collecting(bank: &Bank) -> Collecting {
    let person = Collecting::by(bank.package.clone()).at(&bank.url).field("login", MARIE.login);
    person.field("password", MARIE.password).wanting(&WANTED)
}

async fn compare(collector: &Collector, tls: &TlsSettings) -> anyhow::Result<()> {
    let bank = Bank::in_state(SiteState::Ok)?;
    whole::same_result(&bank, collector, tls).await?;
    let plain = Plain::new()?;
    let [mut sandboxed, mut by_hand, mut same_parts] = [const { Times::new() }; 3];
    for round in 0..ROUNDS + WARM_UP {
        let ours = collecting(&bank);
        let collection = sandboxed.add(ours.collect(collector)).await??;
        anyhow::ensure!(told(&collection) == COLLECTED, "{}", told(&collection));
        let theirs =
            [by_hand.add(plain.collect(&bank.url)).await??, same_parts.add(native::collect(&bank.url, tls)).await??];
        for theirs in theirs {
            anyhow::ensure!(theirs.operations.len() == 300 && theirs.accounts.len() == 3, "a native flow is wrong");
        }
        if round + 1 == WARM_UP {
            [sandboxed, by_hand, same_parts] = [const { Times::new() }; 3];
        }
    }
    print_times(&format!("a collection of 300 operations, {ROUNDS} rounds"), &sandboxed, &by_hand, &same_parts);
    Ok(())
}

/// Ours, plain Rust, and Rust of the engine's parts.
fn print_times(title: &str, ours: &Times, plain: &Times, same_parts: &Times) {
    println!("{title:<62} {:>10} {:>10}   ratio {:>10}   ratio", "sandboxed", "plain", "native");
    // The lowest tenth is what other work on the machine disturbs least.
    for (percent, name) in [(50, "median"), (10, "lowest tenth")] {
        for (what, times) in
            [("CPU", (|times| &times.cpu) as fn(&Times) -> &Vec<Duration>), ("wall", |times| &times.wall)]
        {
            let [ours, plain, native] = [ours, plain, same_parts].map(|side| percentile(times(side), percent));
            println!(
                "  {:<60} {ours:>7.2} ms {plain:>7.2} ms {:>7.2} {native:>7.2} ms {:>7.2}",
                format!("{what}, {name}"),
                ours / plain,
                ours / native
            );
        }
    }
}

/// One side alone.
async fn profile(collector: &Collector, tls: &TlsSettings, which: &str) -> anyhow::Result<()> {
    let (bank, plain) = (Bank::in_state(SiteState::Ok)?, Plain::new()?);
    let before = cpu()?;
    for _ in 0..ROUNDS * 4 {
        match which {
            "native" => drop(native::collect(&bank.url, tls).await?),
            "plain" => drop(plain.collect(&bank.url).await?),
            _ => drop(collecting(&bank).collect(collector).await?),
        }
    }
    println!("{which}: {:.3} ms", (cpu()?.saturating_sub(before)).as_secs_f64() * 1e3 / (ROUNDS * 4) as f64);
    Ok(())
}

/// What it takes to have a compiled connector ready in a new process, against wasmtime loading the same code unchecked.
fn load(collector: &Collector) -> anyhow::Result<()> {
    let package = connector("sample-bank")?;
    let folder = tempfile::tempdir()?;
    let cache = || CompiledCache::new(Some(folder.path().to_owned()), &[3; 32], Compiler::in_process());
    let started = Instant::now();
    cache().prepare(&collector.sandbox, &package)?;
    println!("compile: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    let bare = Bare::new(package.bytes())?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let cache = cache();
        let started = Instant::now();
        cache.prepare(&collector.sandbox, &package)?;
        ours.push(started.elapsed());
        let started = Instant::now();
        bare.load()?;
        theirs.push(started.elapsed());
    }
    print_ratio("cached load (read, authenticated, linked)", &ours, &theirs);
    Ok(())
}

/// A fresh store with its limits, and an instance of the connector, against a bare store and instance of the same component. What the
/// store holds (the run's client, its vault, its tape) is made before: that is the run's, and bare wasmtime has none.
async fn instantiate(collector: &Collector) -> anyhow::Result<()> {
    let package = connector("sample-bank")?;
    let bare = Bare::new(package.bytes())?;
    let (pre, prepared) = (bare.load()?, collector.compiled.prepare(&collector.sandbox, &package)?);
    let (mut stores, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS * 5 {
        let (ctx, _) = context(collector, &package)?;
        let started = Instant::now();
        let ctx = collector.sandbox.instantiate(&prepared, ctx).await?;
        stores.push(started.elapsed());
        drop(ctx);
        let started = Instant::now();
        bare.instantiate(&pre).await?;
        theirs.push(started.elapsed());
    }
    print_ratio("store and instance", &stores, &theirs);
    Ok(())
}

fn context(collector: &Collector, package: &Package) -> anyhow::Result<(Box<HostCtx>, Duration)> {
    let order = Collecting::by(package.clone()).order()?;
    collector
        .context(order, TaskTracker::new(), &collector.sandbox.home())
        .map_err(|failure| anyhow::anyhow!("{}", failure.code))
}

fn print_ratio(what: &str, ours: &[Duration], theirs: &[Duration]) {
    let (ours, theirs) = (median(ours), median(theirs));
    println!("{what}: {ours:.3} ms; bare wasmtime: {theirs:.3} ms; ratio {:.2}", ours / theirs);
}
