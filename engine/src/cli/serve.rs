//! `consentry serve`: one node, until it is told to stop.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::harden::refuse_swap;
use super::{sandbox, setup};
use crate::api::tls::Tls;
use crate::config::Config;
use crate::engine::{Engine, EngineError};

/// How often the engine looks at the clock.
const SWEEP: Duration = Duration::from_secs(1);
/// How often a stop looks whether anything is still under way.
const DRAIN_LOOK: Duration = Duration::from_millis(100);

/// Serves the HTTP API and the pages that persons are sent to.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The configuration file.
    #[arg(long, env = "CONSENTRY_CONFIG", value_name = "FILE", required_unless_present = "sandbox")]
    config: Option<PathBuf>,
    #[command(flatten)]
    sandbox: sandbox::Options,
}

pub(super) async fn run(options: Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut sandbox = options.sandbox.open(out)?;
    let path = sandbox.as_ref().map(|sandbox| sandbox.config.clone()).or(options.config);
    let path = path.context("no configuration is given: --config FILE, or --sandbox")?;
    let config = Config::read(&path)?;
    refuse_swap(config.engine.development)?;
    let tls = config.api.tls()?.map(Tls::open).transpose().context("the certificate can't be used")?.map(Arc::new);
    let engine = setup::engine(&config).await?;
    let listen = config.api.listen;
    let listener =
        tokio::net::TcpListener::bind(listen).await.with_context(|| format!("{listen} can't be listened on"))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    writeln!(out, "consentry: node {} listens on {scheme}://{}", config.engine.node, listener.local_addr()?)?;
    if engine.is_development() {
        writeln!(out, "consentry: DEVELOPMENT MODE, never for real persons' data: http and this machine are allowed")?;
    }
    if let Some(sandbox) = &sandbox {
        sandbox.tell(out)?;
    }
    out.flush()?;
    let drain = Duration::from_secs(config.engine.drain_seconds);
    engine.warm_browser();
    let stop = drained(engine.clone(), stop_signal()?, drain);
    drop(sandbox.as_mut().and_then(|sandbox| sandbox.ends.take()));
    let sweeper = tokio::spawn(sweep(engine.clone()));
    let reader = tokio::spawn(read_again(engine.clone(), path, signal(SignalKind::hangup())?));
    match tls {
        Some(tls) => crate::api::serve_tls(listener, tls, engine.clone(), stop).await,
        None => crate::api::serve(listener, engine.clone(), stop).await,
    }
    sweeper.abort();
    reader.abort();
    engine.shut_down().await;
    Ok(ExitCode::SUCCESS)
}

/// Waits for the signal to stop, then for what is under way: so long at the most, and no longer than until a second signal.
async fn drained(engine: Arc<Engine>, first: impl Future<Output = ()>, bound: Duration) {
    first.await;
    // Only now: the first signal is none of its.
    let again = stop_signal();
    let second = async {
        match again {
            Ok(again) => again.await,
            Err(_) => std::future::pending().await,
        }
    };
    engine.begin_drain();
    tracing::info!(seconds = bound.as_secs(), "a stop has begun: no new sessions");
    let done = async {
        while engine.is_busy() {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    };
    tokio::select! {
        _ = tokio::time::timeout(bound, done) => {}
        () = second => tracing::warn!("told to stop again: what is under way ends now"),
    }
}

/// Lets the engine look at the clock, again and again. What waits for a token or for an Online Service keeps nothing from being forgotten in time.
pub(super) async fn sweep(engine: Arc<Engine>) {
    tokio::join!(again(|| engine.keep_times()), again(|| engine.sweep()));
}

/// A store that can't be reached now may be reached later.
async fn again<F: Future<Output = Result<(), EngineError>>>(work: impl Fn() -> F) {
    let mut ticks = tokio::time::interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut trouble = None;
    loop {
        ticks.tick().await;
        let now = work().await.err().map(|error| crate::causes::chain(&error).to_string());
        // A full disk stays full for hours: it is told once.
        match (&trouble, &now) {
            (before, Some(error)) if before.as_ref() != Some(error) => {
                tracing::error!(error, "what is due by the clock could not be done");
            }
            (Some(_), None) => tracing::info!("what is due by the clock is done again"),
            _ => {}
        }
        trouble = now;
    }
}

/// On SIGHUP, reads again which connectors are trusted and pinned, and who operates the node. The rest of the configuration is for the next start.
async fn read_again(engine: Arc<Engine>, path: PathBuf, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        match Config::read(&path).and_then(|config| Ok((config.connectors()?, config.operator_key))) {
            Ok((folder, operators)) => {
                engine.set_operators(operators);
                engine.watch(folder).await;
            }
            Err(error) => {
                let error = crate::causes::chain(&error);
                tracing::error!(error, "the configuration is not taken: everything stays as it was");
            }
        }
    }
}

fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
