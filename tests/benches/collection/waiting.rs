//! Collections that wait for a one-time password after a real login page: what each takes of this process's memory, its tape included, and
//! whether all of them go on to their end when they are answered.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use consentry::collect::Collector;
use consentry_host_api::ports::Answer;
use consentry_host_api::tape::Recorder;
use consentry_tests::collecting::{Reaction, told};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sample_bank::SiteState;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use crate::{Bank, COLLECTED, OTP, collecting};

/// Files that this process needs besides one connection for each collection.
const FILES_BESIDE: u64 = 1_000;

pub async fn measure(collector: &Arc<Collector>, many: usize) -> anyhow::Result<()> {
    allow_files(many as u64 + FILES_BESIDE)?;
    let bank = Bank::in_state(SiteState::Otp)?;
    // Compiled and linked once, for all of them.
    let first = collecting(&bank).answering(|_| Reaction::Deny).collect(collector).await?;
    ensure!(told(&first) == "challenge-denied @otp", "{}", told(&first));
    let before = private_kib()?;
    let (asked, mut waiting) = tokio::sync::mpsc::unbounded_channel();
    let (mut runs, mut answers) = (JoinSet::new(), Vec::with_capacity(many));
    let started = Instant::now();
    for _ in 0..many {
        let asked = asked.clone();
        let run =
            collecting(&bank).answering(move |_| Reaction::Later(asked.clone())).taping(Arc::new(Recorder::default()));
        let collector = collector.clone();
        runs.spawn(async move { run.collect(&collector).await.map(|collection| told(&collection)) });
    }
    while answers.len() < many {
        tokio::select! {
            Some(answer) = waiting.recv() => answers.push(answer),
            Some(ended) = runs.join_next() => anyhow::bail!("a run ended before it was answered: {}", ended??),
        }
    }
    let all_wait = started.elapsed();
    let kib = private_kib()?.saturating_sub(before) as f64 / many as f64;
    let answered = Instant::now();
    for answer in answers {
        let code = Zeroizing::new(OTP.as_bytes().to_vec());
        ensure!(answer.send(Answer::Given(vec![("code".to_owned(), code)].into())).is_ok(), "nobody waits any more");
    }
    let mut completed = 0;
    while let Some(ended) = runs.join_next().await {
        let told = ended??;
        ensure!(told == COLLECTED, "{told}");
        completed += 1;
    }
    println!(
        "{many} taped collections that wait for a code at once: {kib:.0} KiB of private memory each; all there after {:.1} s; \
         {completed} complete {:.1} s after the answers",
        all_wait.as_secs_f64(),
        answered.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Raises the limit for this process and for the bank, which has as many connections.
fn allow_files(files: u64) -> anyhow::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < files {
        let raised = setrlimit(Resource::RLIMIT_NOFILE, files, hard.max(files));
        raised.with_context(|| format!("{files} open files are needed, and {hard} are allowed"))?;
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
