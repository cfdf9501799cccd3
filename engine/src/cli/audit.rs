//! `consentry audit`, and the entries that other commands leave in the audit log before they do something.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Subcommand;

use super::{ConfigFile, setup};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::engine::BuildError;
use crate::entropy::Entropy;
use crate::operator::Deed;
use crate::operator::audit::{About, Actor, Entry, leave};
use crate::store::StoreError;

/// How long an engine that runs has to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The audit log.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Writes every entry that is kept to standard output, one JSON object for each line, the first one first. Beside an engine that
    /// runs, and without one.
    Export(ConfigFile),
}

/// Leaves an entry in the audit log of a node before something is done to it.
pub(super) fn noted(config: &Config, deed: Deed, about: Option<About>) -> anyhow::Result<()> {
    noted_by(Actor::Account(rustix::process::geteuid().as_raw()), config, deed, about)
}

/// The same, for whoever showed an operator's key.
pub(super) fn noted_by(by: Actor, config: &Config, deed: Deed, about: Option<About>) -> anyhow::Result<()> {
    setup::as_owner(config)?;
    let folder = config.engine.data_folder.join("audit");
    leave(&folder, (by, deed, about), &Entropy::system(), SystemClock.now())
        .with_context(|| format!("{} can't be written: nothing is done that is not in the audit log", folder.display()))
}

pub(super) async fn run(command: Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let Command::Export(file) = command;
    let config = Config::read(&file.config)?;
    noted(&config, Deed::AuditExport, None)?;
    let entries = match setup::with_keys(&config)?.build().await {
        Ok(engine) => {
            let entries = engine.audit_log().await?;
            engine.shut_down().await;
            lines(&entries)?
        }
        Err(BuildError::Store(StoreError::InUse)) => ask(&config).await?,
        Err(error) => return Err(error.into()),
    };
    out.write_all(entries.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn lines(entries: &[Entry]) -> anyhow::Result<String> {
    let lines: Result<Vec<_>, _> = entries.iter().map(serde_json::to_string).collect();
    Ok(lines?.into_iter().map(|line| line + "\n").collect())
}

/// Asks the engine that runs on this folder.
async fn ask(config: &Config) -> anyhow::Result<String> {
    let entropy = Entropy::system();
    let mut name = [0; 16];
    entropy.with(|rng| rng.fill_bytes(&mut name));
    let folder = config.engine.data_folder.join("audit");
    let [request, answer] = ["request", "log"].map(|end| folder.join(format!("{}.{end}", hex::encode(name))));
    crate::forward::file::receive(&request, b"", &entropy)
        .with_context(|| format!("{} can't be written", request.display()))?;
    let told = async {
        while !answer.exists() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    if tokio::time::timeout(ANSWER_WITHIN, told).await.is_err() {
        std::fs::remove_file(&request).ok();
        bail!("the engine that runs on {} does not answer", config.engine.data_folder.display());
    }
    taken(&answer)
}

/// Reads an answer, which nobody needs any more then.
fn taken(answer: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(answer).with_context(|| format!("{} can't be read", answer.display()))?;
    std::fs::remove_file(answer)?;
    Ok(text)
}
