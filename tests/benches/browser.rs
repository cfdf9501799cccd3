//! What pages in the browser cost: the login at the sample bank's online branch, with real clicks on its keypad, and its list of accounts, by our
//! connector and by Playwright in the same Chromium, one after the other in one run; then what a context takes of time and memory, and how many flows
//! at once are worth it. Installs Playwright by name. CPU is that of the whole tree of processes on either side, the browser's among them; the bank is a process of its own.
//! Prints ratios and figures; nothing is asserted about time. Run: `cargo xtask connectors && cargo bench
//! --package consentry-tests --bench browser`, with `-- flow`, `ready`, `contexts` or `together` for a part.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::num::NonZeroU32;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use consentry::collect::Collector;
use consentry::collect::package::Package;
use consentry::collect::signature::Trust;
use consentry::collect::ways::Ways;
use consentry_host_api::browser::{BrowserSettings, Chromium};
use consentry_host_api::network::gate::GateBounds;
use consentry_host_api::ports::Answer;
use consentry_tests::collecting::{Collecting, Now, Reaction, collector_of, told};
use consentry_tests::versions::changed;
use nix::sys::resource::{UsageWho, getrusage};
use sample_bank::{Change, MARIE, SampleBank};
use serde::Deserialize;
use tokio::task::JoinSet;

const ROUNDS: usize = 30;
const WARM_UP: usize = 5;
const OTP: &str = "271828";
const COLLECTED: &str = "bank.account=3";
const AT_ONCE: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// Flows for each number at once.
const FLOWS: usize = 32;
/// Where Debian has the browser that both drive.
const PROGRAM: &str = "/usr/lib/chromium/chromium-headless-shell";

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let arguments: Vec<String> = std::env::args().filter(|argument| !argument.starts_with('-')).skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve-bank", otp] => runtime.block_on(serve_bank(*otp == "otp")),
        ["flow"] => runtime.block_on(flow()),
        ["ready"] => runtime.block_on(ready()),
        ["contexts"] => runtime.block_on(contexts()),
        ["together"] => runtime.block_on(together()),
        [] => runtime.block_on(async {
            flow().await?;
            ready().await?;
            contexts().await?;
            together().await
        }),
        other => anyhow::bail!("{other:?} is nothing that is measured here"),
    }
}

/// The child: serves until its standard input ends.
async fn serve_bank(otp: bool) -> anyhow::Result<()> {
    let any = "127.0.0.1:0".parse()?;
    let bank = SampleBank::start(any, any).await?;
    bank.change(Change { ask_otp: Some(otp), otp: Some(OTP.to_owned()), ..Change::default() });
    println!("{}", bank.site_url);
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

struct Bank {
    child: Child,
    url: String,
}

impl Bank {
    fn start(state: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.args(["serve-bank", state]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
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

/// Playwright, in a process of its own with its browser. It ends with its input, and takes that along.
struct Playwright {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Told {
    read: f64,
    closed: f64,
    accounts: Vec<[String; 3]>,
}

impl Playwright {
    fn start(bank: &str) -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        // Does nothing where it was done.
        let installed = Command::new(root.join("tests/peers/install")).arg("target/peers").current_dir(&root).status();
        ensure!(installed.is_ok_and(|status| status.success()), "Playwright can't be installed");
        let peers = root.join("target/peers").canonicalize()?;
        let mut command = Command::new(peers.join("venv/bin/node"));
        command
            .arg(root.join("tests/peers/branch.mjs"))
            .arg(&peers)
            .args([PROGRAM, bank, MARIE.login, MARIE.code])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if nix::unistd::geteuid().is_root() {
            // With its own sandbox, as ours: Chromium has none for root.
            let nobody = nix::unistd::User::from_name("nobody")?.context("there is nobody")?;
            command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw()).env("HOME", "/tmp").current_dir("/");
        }
        let mut child = command.spawn()?;
        let (to, from) = (child.stdin.take(), child.stdout.take().context("piped")?);
        let mut playwright = Self { child, to, from: BufReader::new(from) };
        playwright.from.read_line(&mut String::new())?;
        Ok(playwright)
    }

    fn does(&mut self, what: &str) -> anyhow::Result<Told> {
        writeln!(self.to.as_mut().context("it runs")?, "{what}")?;
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("Playwright said {line:?}"))
    }
}

impl Drop for Playwright {
    fn drop(&mut self) {
        self.to = None;
        // Whatever it ended with: it is measured no more.
        let _ = self.child.wait();
    }
}

/// A process and all below it, less those below some.
fn tree(root: u32, without: &[u32]) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> { stat(pid)?.get(1)?.parse().ok() };
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let all: Vec<(u32, u32)> = all
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            Some((pid, parent(pid)?))
        })
        .collect();
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        found.extend(all.iter().filter(|(own, above)| *above == pid && !without.contains(own)).map(|(own, _)| *own));
        at += 1;
    }
    found
}

/// The fields of proc(5) behind the name, from the state on.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// Processor time of a tree, of processes that have ended in it as well, in milliseconds; the kernel counts in hundredths of a second.
fn cpu(root: u32, without: &[u32]) -> f64 {
    let of = |pid: u32| {
        stat(pid).map_or(0, |fields| fields[11..15].iter().filter_map(|field| field.parse::<u64>().ok()).sum())
    };
    tree(root, without).into_iter().map(of).sum::<u64>() as f64 * 10.0
}

/// Processor time of this process, in milliseconds.
fn own_cpu() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok([usage.user_time(), usage.system_time()]
        .map(|time| time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3)
        .iter()
        .sum())
}

/// The share of memory of a tree, in MiB.
fn memory(root: u32) -> anyhow::Result<f64> {
    let mut kibibytes = 0;
    for pid in tree(root, &[]) {
        let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else { continue };
        let line =
            text.lines().find_map(|line| line.strip_prefix("Pss:")?.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes += line.unwrap_or_default();
    }
    ensure!(kibibytes > 0, "only root may read what processes of another account share");
    Ok(kibibytes as f64 / 1024.0)
}

#[derive(Default)]
struct Side {
    wall: Vec<f64>,
    read: Vec<f64>,
    /// Of who drives, and of the browser.
    cpu: [f64; 2],
}

fn median(times: &[f64]) -> f64 {
    percentile(times, 50)
}

fn percentile(times: &[f64], percent: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

/// A collector with a browser of its own, and an open gate: Playwright has none either.
fn collector(runs_max: usize) -> anyhow::Result<Collector> {
    let browser = Chromium::new(BrowserSettings { runs_max, ..BrowserSettings::at_a_desk() });
    let bounds =
        GateBounds { requests_at_once: u32::MAX >> 4, requests_per_minute: NonZeroU32::MAX, ..GateBounds::default() };
    Ok(Collector { browser: Some(browser), ways: Ways::new(bounds, Arc::new(Now)), ..collector_of(64)? })
}

fn logging_in(bank: &Bank) -> anyhow::Result<Collecting> {
    let collecting = Collecting::with("sample-branch")?.at(&bank.url).wanting(&["bank.account"]);
    Ok(collecting.field("login", MARIE.login).field("code", MARIE.code))
}

/// What ends a moment later belongs to it, too: processes of pages that were closed.
async fn rest() {
    tokio::time::sleep(Duration::from_millis(60)).await;
}

/// The same flow by both, one after the other.
async fn flow() -> anyhow::Result<()> {
    let (bank, collector) = (Bank::start("ok")?, collector(4)?);
    let mut playwright = Playwright::start(&bank.url)?;
    compare("login with real clicks, and the list of accounts", &collector, &bank, &mut playwright, false).await?;
    compare("a context with an empty page, opened and closed", &collector, &bank, &mut playwright, true).await?;
    collector.browser.context("it has one")?.shut_down().await;
    Ok(())
}

async fn compare(
    title: &str,
    collector: &Collector,
    bank: &Bank,
    playwright: &mut Playwright,
    empty: bool,
) -> anyhow::Result<()> {
    let browser = collector.browser.clone().context("it has one")?;
    browser.warm_up().await?;
    let (our, node) = (browser.pid().context("it runs")?, playwright.child.id());
    let their = tree(node, &[]).into_iter().nth(1).context("Playwright has a browser")?;
    let (mut ours, mut theirs) = (Side::default(), Side::default());
    for round in 0..ROUNDS + WARM_UP {
        if round == WARM_UP {
            (ours, theirs) = (Side::default(), Side::default());
        }
        let collecting = if empty { emptily(bank)? } else { logging_in(bank)? };
        let before = (cpu(our, &[]), own_cpu()?);
        let started = Instant::now();
        let collection = collecting.collect(collector).await?;
        ours.wall.push(started.elapsed().as_secs_f64() * 1e3);
        rest().await;
        ours.cpu[0] += own_cpu()? - before.1;
        ours.cpu[1] += cpu(our, &[]) - before.0;
        let told = told(&collection);
        ensure!(told == if empty { "person.name=1" } else { COLLECTED }, "{told}");
        let before = (cpu(their, &[]), cpu(node, &[their]));
        let done = playwright.does(if empty { "empty" } else { "flow" })?;
        theirs.wall.push(done.closed);
        theirs.read.push(done.read);
        rest().await;
        theirs.cpu[0] += cpu(node, &[their]) - before.1;
        theirs.cpu[1] += cpu(their, &[]) - before.0;
        ensure!(
            empty || done.accounts.len() == 3 && done.accounts.iter().flatten().all(|text| !text.is_empty()),
            "Playwright read {:?}",
            done.accounts
        );
    }
    println!("{title}, {ROUNDS} rounds{:>14} Playwright   ratio", "ours");
    let (wall, their_wall) = (median(&ours.wall), median(&theirs.wall));
    println!("  wall, median, until all is closed {wall:>22.1} ms {their_wall:>8.1} ms {:>6.2}", wall / their_wall);
    println!("  (Playwright until it was read, before it logs out: {:.1} ms)", median(&theirs.read));
    let sums = [ours.cpu.iter().sum(), theirs.cpu.iter().sum()];
    for (what, [our, their]) in [
        ("CPU, mean, with the browser's", sums),
        ("  of it who drives", [ours.cpu[0], theirs.cpu[0]]),
        ("  of it the browser", [ours.cpu[1], theirs.cpu[1]]),
    ] {
        let (our, their): (f64, f64) = (our / ROUNDS as f64, their / ROUNDS as f64);
        println!("  {what:<34}{our:>22.1} ms {their:>8.1} ms {:>6.2}", our / their);
    }
    Ok(())
}

/// A collection that opens a page and does nothing on it.
fn emptily(bank: &Bank) -> anyhow::Result<Collecting> {
    let changes = [("\"http\", \"prompt\"", "\"http\", \"prompt\", \"browser\"")];
    let made = changed("tests/hostile/probe", &changes)?;
    let collecting = Collecting::by(Package::read(made, &Trust::default().or_unsigned())?).at(&bank.url);
    let collecting = collecting.wanting(&["person.name"]).field("login", "marie").field("password", "none");
    Ok(collecting.field("mode", "browses").field("aim", "waits load "))
}

/// What a collection gains by a context that was made ahead of it.
async fn ready() -> anyhow::Result<()> {
    let bank = Bank::start("ok")?;
    for contexts_ready in [0, 1, 0, 1] {
        let browser = Chromium::new(BrowserSettings { contexts_ready, ..BrowserSettings::at_a_desk() });
        let collector = Collector { browser: Some(browser.clone()), ..collector(4)? };
        browser.warm_up().await?;
        let mut times = Vec::new();
        for round in 0..ROUNDS + WARM_UP {
            // The next is made meanwhile.
            rest().await;
            rest().await;
            let started = Instant::now();
            emptily(&bank)?.collect(&collector).await?;
            if round >= WARM_UP {
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
        }
        println!("a collection with an empty page, {contexts_ready} contexts ready: {:.1} ms", median(&times));
        browser.shut_down().await;
    }
    Ok(())
}

/// A cold start, and what each context holds that is logged in and waits for a person.
async fn contexts() -> anyhow::Result<()> {
    let (bank, collector) = (Bank::start("otp")?, Arc::new(collector(64)?));
    let started = Instant::now();
    let browser = collector.browser.clone().context("it has one")?;
    browser.warm_up().await?;
    println!("start of the browser, its sandbox looked at: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    let pid = browser.pid().context("it runs")?;
    rest().await;
    let alone = memory(pid)?;
    println!("memory (PSS) without a page: {alone:.0} MiB, {} processes", tree(pid, &[]).len());
    let (asked, mut waiting) = tokio::sync::mpsc::unbounded_channel();
    let (mut runs, mut answers) = (JoinSet::new(), Vec::new());
    for many in [1, 4, 8, 16, 32, 48] {
        while answers.len() < many {
            let asked = asked.clone();
            let run = logging_in(&bank)?.answering(move |_| Reaction::Later(asked.clone()));
            let collector = collector.clone();
            runs.spawn(async move { run.collect(&collector).await.map(|collection| told(&collection)) });
            tokio::select! {
                Some(answer) = waiting.recv() => answers.push(answer),
                Some(ended) = runs.join_next() => anyhow::bail!("a run ended before it was answered: {}", ended??),
            }
        }
        let now = memory(pid)?;
        println!(
            "  with {many} logged in: {now:.0} MiB, {:.1} each, {} processes",
            (now - alone) / many as f64,
            tree(pid, &[]).len()
        );
    }
    for answer in answers {
        // One that has ended is told below.
        let _ = answer.send(Answer::Given(vec![("code".to_owned(), OTP.as_bytes().to_vec().into())].into()));
    }
    while let Some(run) = runs.join_next().await {
        let told = run??;
        ensure!(told == COLLECTED, "{told}");
    }
    rest().await;
    println!("  and when all are gone: {:.0} MiB", memory(pid)?);
    browser.shut_down().await;
    Ok(())
}

/// So many flows at once, and what each then takes.
async fn together() -> anyhow::Result<()> {
    let bank = Arc::new(Bank::start("ok")?);
    for at_once in AT_ONCE {
        let collector = Arc::new(collector(at_once)?);
        collector.browser.as_ref().context("it has one")?.warm_up().await?;
        ensure!(told(&logging_in(&bank)?.collect(&collector).await?) == COLLECTED);
        let (started, mut workers) = (Instant::now(), JoinSet::new());
        for _ in 0..at_once {
            let (bank, collector) = (bank.clone(), collector.clone());
            workers.spawn(async move {
                let mut times = Vec::new();
                for _ in 0..FLOWS / at_once {
                    let started = Instant::now();
                    let told = told(&logging_in(&bank)?.collect(&collector).await?);
                    ensure!(told == COLLECTED, "{told}");
                    times.push(started.elapsed().as_secs_f64() * 1e3);
                }
                Ok(times)
            });
        }
        let mut times = Vec::new();
        while let Some(worker) = workers.join_next().await {
            times.extend(worker??);
        }
        let a_second = times.len() as f64 / started.elapsed().as_secs_f64();
        println!(
            "{at_once:>3} at once: {a_second:.1} flows a second, {:.0} ms each (95 of 100 below {:.0})",
            median(&times),
            percentile(&times, 95)
        );
        collector.browser.as_ref().context("it has one")?.shut_down().await;
    }
    Ok(())
}
