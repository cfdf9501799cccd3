//! Collections that share the machine: many at once, and one beside guests that never let go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use consentry::collect::Collector;
use consentry_host_api::network::TlsSettings;
use consentry_host_api::stop::StopReason;
use consentry_tests::collecting::{Collecting, told};
use sample_bank::{MARIE, SiteState};
use tokio::task::JoinSet;

use crate::native::Collected;
use crate::plain::Plain;
use crate::{Bank, COLLECTED, collecting, median, native};

const AT_ONCE: usize = 64;
const SPINNERS: usize = 4;

/// Throughput of many collections at once against as many native flows at once.
pub async fn at_once(collector: &Arc<Collector>, tls: &TlsSettings) -> anyhow::Result<()> {
    let (bank, plain) = (Bank::in_state(SiteState::Ok)?, Arc::new(Plain::new()?));
    let [mut ours, mut by_hand, mut same_parts] = [const { Vec::new() }; 3];
    for _ in 0..12 {
        let run = || {
            let (run, collector) = (collecting(&bank), collector.clone());
            async move {
                let told = told(&run.collect(&collector).await?);
                anyhow::ensure!(told == COLLECTED, "{told}");
                Ok(())
            }
        };
        ours.push(time_of_all(run).await?);
        let flow = || {
            let (url, plain) = (bank.url.clone(), plain.clone());
            async move { all_there(&plain.collect(&url).await?) }
        };
        by_hand.push(time_of_all(flow).await?);
        let flow = || {
            let (url, tls) = (bank.url.clone(), tls.clone());
            async move { all_there(&native::collect(&url, &tls).await?) }
        };
        same_parts.push(time_of_all(flow).await?);
    }
    let a_second = |times: Vec<Duration>| AT_ONCE as f64 / (median(&times) / 1e3);
    let (ours, plain, native) = (a_second(ours), a_second(by_hand), a_second(same_parts));
    println!(
        "{AT_ONCE} collections at once: {ours:.0} a second; plain: {plain:.0}, ratio {:.2}; native: {native:.0}, ratio {:.2}",
        ours / plain,
        ours / native
    );
    Ok(())
}

async fn time_of_all<F>(flow: impl Fn() -> F) -> anyhow::Result<Duration>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (started, mut flows) = (Instant::now(), JoinSet::new());
    for _ in 0..AT_ONCE {
        flows.spawn(flow());
    }
    while let Some(flow) = flows.join_next().await {
        flow??;
    }
    Ok(started.elapsed())
}

fn all_there(collected: &Collected) -> anyhow::Result<()> {
    anyhow::ensure!(collected.operations.len() == 300, "{} operations", collected.operations.len());
    Ok(())
}

/// What guests that spin cost another collection: its time beside them against its time alone. Some never let go, some wait in between for
/// as short as they can.
pub async fn beside_spinners(collector: &Arc<Collector>) -> anyhow::Result<()> {
    let bank = Bank::in_state(SiteState::Ok)?;
    for (mode, aim) in [("spins", ""), ("spins-between-waits", "3000000")] {
        beside(collector, &bank, mode, aim).await?;
    }
    Ok(())
}

async fn beside(collector: &Arc<Collector>, bank: &Bank, mode: &str, aim: &str) -> anyhow::Result<()> {
    let alone = latency(collector, bank, 40).await?;
    let (mut spinners, mut stoppers) = (JoinSet::new(), Vec::new());
    for _ in 0..SPINNERS {
        let spinner = Collecting::with("probe")?.field("mode", mode).field("aim", aim);
        let spinner = spinner.at(&bank.url).wanting(&["person.name"]);
        let (spinner, collector) = (spinner.field("login", MARIE.login), collector.clone());
        stoppers.push(spinner.stopper());
        spinners.spawn(async move { spinner.field("password", MARIE.password).collect(&collector).await.map(drop) });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    // Fewer, so that the spinners' CPU time lasts.
    let beside = latency(collector, bank, 40).await?;
    anyhow::ensure!(spinners.try_join_next().is_none(), "one of {mode} ended before the measurement did");
    stoppers.iter().for_each(|stopper| stopper.stop(StopReason::Cancelled));
    while let Some(spinner) = spinners.join_next().await {
        spinner??;
    }
    println!(
        "a collection beside {SPINNERS} guests of {mode}: {beside:.2} ms; alone: {alone:.2} ms; ratio {:.2}",
        beside / alone
    );
    Ok(())
}

async fn latency(collector: &Collector, bank: &Bank, rounds: usize) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let run = collecting(bank);
        let started = Instant::now();
        run.collect(collector).await?;
        times.push(started.elapsed());
    }
    Ok(median(&times))
}
