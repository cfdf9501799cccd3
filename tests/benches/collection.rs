//! What the sandbox costs: the collection of the sample bank's 300 operations by its connector, against the same flow in plain native
//! Rust with the same HTTP client and the same parser, interleaved in one run, the bank in a process of its own. Prints ratios and figures;
//! nothing is asserted about time. Run: `cargo xtask connectors && cargo bench --package consentry-tests --bench collection`.

#[path = "collection/bare.rs"]
mod bare;
#[path = "collection/native.rs"]
mod native;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bare::Bare;
use consentry::collect::Collector;
use consentry::collect::cache::CompiledCache;
use consentry::collect::compile::Compiler;
use consentry_host_api::network::TlsSettings;
use consentry_host_api::stop::StopReason;
use consentry_tests::collecting::{Collecting, Reaction, collector, connector, told};
use nix::sys::resource::{UsageWho, getrusage};
use sample_bank::{Change, MARIE, SampleBank, SiteState};

const ROUNDS: usize = 200;
const WARM_UP: usize = 20;
const WAITING: usize = 60;
const WANTED: [&str; 3] = ["bank.account", "bank.balance", "bank.transaction"];
const COLLECTED: &str = "bank.account=3 bank.balance=3 bank.transaction=300";

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(state) = std::env::args().skip_while(|argument| argument != "serve-bank").nth(1) {
        return runtime.block_on(serve_bank(&state));
    }
    let collector = Arc::new(collector()?);
    let tls = TlsSettings::of_this_machine()?;
    runtime.block_on(compare(&collector, &tls))?;
    runtime.block_on(waiting(&collector))?;
    load(&collector)?;
    runtime.block_on(instantiate(&collector))
}

/// The child: serves until its standard input ends.
async fn serve_bank(state: &str) -> anyhow::Result<()> {
    let any = "127.0.0.1:0".parse()?;
    let bank = SampleBank::start(any, any).await?;
    bank.change(Change { state: Some(state.parse()?), ..Change::default() });
    println!("{}", bank.site_url);
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

struct Bank {
    child: Child,
    url: String,
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
        Ok(Self { child, url: url.trim().to_owned() })
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

#[derive(Default)]
struct Times {
    cpu: Vec<Duration>,
    wall: Vec<Duration>,
}

impl Times {
    async fn add<T>(&mut self, work: impl Future<Output = T>) -> anyhow::Result<T> {
        let (cpu_before, wall_before) = (cpu()?, Instant::now());
        let done = work.await;
        self.cpu.push(cpu()?.saturating_sub(cpu_before));
        self.wall.push(wall_before.elapsed());
        Ok(done)
    }
}

/// In milliseconds.
fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn collecting(bank: &Bank) -> anyhow::Result<Collecting> {
    let person = Collecting::with("sample-bank")?.at(&bank.url).field("login", MARIE.login);
    Ok(person.field("password", MARIE.password).wanting(&WANTED))
}

async fn compare(collector: &Collector, tls: &TlsSettings) -> anyhow::Result<()> {
    let bank = Bank::in_state(SiteState::Ok)?;
    let (mut sandboxed, mut plain) = (Times::default(), Times::default());
    for round in 0..ROUNDS + WARM_UP {
        let ours = collecting(&bank)?;
        let collection = sandboxed.add(ours.collect(collector)).await??;
        anyhow::ensure!(told(&collection) == COLLECTED, "{}", told(&collection));
        let native = plain.add(native::collect(&bank.url, tls)).await??;
        anyhow::ensure!(native.operations.len() == 300 && native.accounts.len() == 3, "the native flow is wrong");
        if round + 1 == WARM_UP {
            (sandboxed, plain) = (Times::default(), Times::default());
        }
    }
    println!("collection of 300 operations, medians of {ROUNDS}   sandboxed   native   ratio");
    for (what, ours, theirs) in [("CPU", &sandboxed.cpu, &plain.cpu), ("wall", &sandboxed.wall, &plain.wall)] {
        let (ours, theirs) = (median(ours), median(theirs));
        println!("  {what:<46} {ours:>7.2} ms {theirs:>6.2} ms {:>6.2}", ours / theirs);
    }
    Ok(())
}

/// Private memory of this process, in KiB: what other processes don't share.
fn private_kib() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let of =
        |name: &str| text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_whitespace().nth(1));
    let kib =
        ["Private_Dirty:", "Private_Clean:"].map(|name| of(name).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0));
    Ok(kib.iter().sum())
}

/// Memory of collections that wait for a one-time password after a real login page.
async fn waiting(collector: &Arc<Collector>) -> anyhow::Result<()> {
    let bank = Bank::in_state(SiteState::Otp)?;
    let before = private_kib()?;
    let (asked, mut waiting) = tokio::sync::mpsc::unbounded_channel();
    let mut runs = Vec::new();
    for _ in 0..WAITING {
        let asked = asked.clone();
        let run = collecting(&bank)?.answering(move |_| {
            // The receiver lives as long as the loop below.
            let _ = asked.send(());
            Reaction::Wait
        });
        let (stopper, collector) = (run.stopper(), collector.clone());
        let task = tokio::spawn(async move { run.collect(&collector).await.map(|collection| told(&collection)) });
        runs.push((stopper, task));
    }
    for _ in 0..WAITING {
        waiting.recv().await.context("a run ended before it asked")?;
    }
    let kib = private_kib()?.saturating_sub(before) as f64 / WAITING as f64;
    println!("private memory of a collection that waits for a code, {WAITING} at once: {kib:.0} KiB");
    for (stopper, task) in runs {
        stopper.stop(StopReason::Cancelled);
        task.await??;
    }
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

/// A fresh sandbox whose guest is stopped at its first call, against a bare store and instance of the same component.
async fn instantiate(collector: &Collector) -> anyhow::Result<()> {
    let bare = Bare::new(connector("sample-bank")?.bytes())?;
    let pre = bare.load()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let run = Collecting::with("sample-bank")?;
        run.stopper().stop(StopReason::Cancelled);
        let started = Instant::now();
        run.collect(collector).await?;
        ours.push(started.elapsed());
        let started = Instant::now();
        bare.instantiate(&pre).await?;
        theirs.push(started.elapsed());
    }
    print_ratio("whole empty run: context, network client, sandbox, verdict", &ours, &theirs);
    Ok(())
}

fn print_ratio(what: &str, ours: &[Duration], theirs: &[Duration]) {
    let (ours, theirs) = (median(ours), median(theirs));
    println!("{what}: {ours:.3} ms; bare wasmtime: {theirs:.3} ms; ratio {:.2}", ours / theirs);
}
