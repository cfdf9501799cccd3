//! `consentry reports retest`: a break tried again on its live Data Source. Where an engine runs on the same data folder, it is asked to, through a
//! file that only its owner can write.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use consentry_contract::failure::{Code, EXIT_PARTIAL, Failure};
use serde_json::{Value, json};

use crate::cli::audit::noted;
use crate::cli::{ConfigFile, setup};
use crate::config::Config;
use crate::engine::BuildError;
use crate::entropy::Entropy;
use crate::operator::Deed;
use crate::operator::audit::About;
use crate::store::StoreError;

/// How long an engine that runs has to take the request.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
/// How long the run may take then: longer than any connector may run.
const RUN_WITHIN: Duration = Duration::from_secs(3600);
/// How often it is looked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) async fn run(
    ticket: &str,
    as_json: bool,
    file: &ConfigFile,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let config = Config::read(&file.config)?;
    noted(&config, Deed::ReportRetest, Some(About::of(ticket)))?;
    let folder = config.connectors()?;
    let builder = setup::with_keys(&config)?.catalogue(setup::catalogue(&folder).0);
    let told = match builder.build().await {
        Ok(engine) => {
            let tried = engine.retest_noted(ticket).await;
            engine.shut_down().await;
            json!(tried.context("nothing was tried")?)
        }
        Err(BuildError::Store(StoreError::InUse)) => ask(&config, ticket).await?,
        Err(error) => return Err(error.into()),
    };
    let text = |name: &str| told[name].as_str().unwrap_or("-");
    if as_json {
        writeln!(out, "{told}")?;
    } else {
        writeln!(out, "opened    {}, of {}", text("opened_at"), text("report"))?;
        let [page, stage] = ["page", "stage"].map(|name| told["failure"][name].as_str().unwrap_or("-"));
        writeln!(out, "version   {}", text("version"))?;
        writeln!(out, "outcome   {} on {page}, stage {stage}", text("outcome"))?;
    }
    Ok(ExitCode::from(match (text("outcome"), text("outcome").parse::<Code>()) {
        ("complete", _) => 0,
        (_, Ok(code)) => Failure::new(code).exit_code(),
        _ => EXIT_PARTIAL,
    }))
}

/// Asks the engine that runs on this folder.
async fn ask(config: &Config, ticket: &str) -> anyhow::Result<Value> {
    let entropy = Entropy::system();
    let mut name = [0; 16];
    entropy.with(|rng| rng.fill_bytes(&mut name));
    let folder = config.engine.data_folder.join("retest");
    let [request, answer] = ["request", "answer"].map(|end| folder.join(format!("{}.{end}", hex::encode(name))));
    crate::forward::file::receive(&request, ticket.as_bytes(), &entropy)
        .with_context(|| format!("{} can't be written", request.display()))?;
    if !within(TAKEN_WITHIN, || !request.exists()).await {
        std::fs::remove_file(&request).ok();
        bail!("the engine that runs on {} does not answer", config.engine.data_folder.display());
    }
    if !within(RUN_WITHIN, || answer.exists()).await {
        bail!("the engine took the request and does not answer; the audit log and its own say more");
    }
    let told = taken(&answer)?;
    match told["refused"].as_str() {
        Some(why) => bail!("nothing was tried: {why}"),
        None => Ok(told["retested"].clone()),
    }
}

async fn within(time: Duration, done: impl Fn() -> bool) -> bool {
    let waited = async {
        while !done() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(time, waited).await.is_ok()
}

/// Reads an answer, which nobody needs any more then.
fn taken(answer: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(answer).with_context(|| format!("{} can't be read", answer.display()))?;
    std::fs::remove_file(answer)?;
    Ok(serde_json::from_str(&text)?)
}
