//! `consentry erase`: erases what a node keeps of a session, a person or an Online Service, and writes the signed receipt. Where
//! an engine runs on the same data folder, it is asked to, through a file that only its owner can write.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;

use super::audit::noted;
use super::{ConfigFile, setup};
use crate::config::Config;
use crate::engine::{BuildError, Engine};
use crate::entropy::Entropy;
use crate::erase::receipt::{ErasureReceipt, Facts, Scope};
use crate::keys::{Duty, KeyProvider};
use crate::operator::Deed;
use crate::operator::audit::About;
use crate::store::StoreError;

/// How long an engine that runs has to take a request.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Erases what is kept, and says with a signature what is gone and what is left.
#[derive(Debug, Args)]
#[group(id = "scope", required = true, multiple = false, args = ["session", "subject", "online_service"])]
pub(super) struct Options {
    /// What is kept of one session.
    #[arg(long, value_name = "ID")]
    session: Option<crate::id::SessionId>,
    /// What is kept of one person, as one Online Service knows them.
    #[arg(long, value_name = "ID")]
    subject: Option<crate::id::SubjectId>,
    /// What is kept of all sessions of one Online Service.
    #[arg(long, value_name = "ID")]
    online_service: Option<crate::id::OnlineServiceId>,
    /// Writes the receipt into this file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) async fn run(options: Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let scopes = [
        options.session.map(Scope::Session),
        options.subject.map(Scope::Subject),
        options.online_service.map(Scope::OnlineService),
    ];
    let Some(scope) = scopes.into_iter().flatten().next() else { bail!("nobody is named whose data is to be erased") };
    let config = Config::read(&options.file.config)?;
    if let Some(path) = &options.out {
        // Before anything is gone: there is one receipt of it.
        crate::forward::file::can_receive(path, &Entropy::system())
            .with_context(|| format!("{} can't be written; nothing was erased", path.display()))?;
    }
    noted(&config, Deed::Erase, Some(About::of(scope)))?;
    let folder = config.connectors()?;
    let keys = setup::keys(&config)?;
    let builder = setup::with(&config, keys.clone())?.catalogue(setup::catalogue(&folder).0);
    let receipt = match builder.build().await {
        Ok(engine) => {
            let receipt = erase_here(&engine, scope).await;
            engine.shut_down().await;
            receipt?
        }
        Err(BuildError::Store(StoreError::InUse)) => ask(&config, scope, &*keys).await?,
        Err(error) => return Err(error.into()),
    };
    if let Some(path) = &options.out {
        crate::forward::file::receive(path, receipt.token().as_bytes(), &Entropy::system())
            .with_context(|| format!("{} can't be written", path.display()))?;
    }
    if options.json {
        writeln!(out, "{}", json!({ "facts": receipt.facts(), "receipt": receipt.token() }))?;
    } else {
        tell(receipt.facts(), out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Erases, and again where something could not be reached: what went already is named by the receipt only as long as this engine lives.
async fn erase_here(engine: &Engine, scope: Scope) -> anyhow::Result<ErasureReceipt> {
    let until = tokio::time::Instant::now() + TAKEN_WITHIN;
    let mut told = false;
    loop {
        let error = match engine.erase(scope).await {
            Ok(receipt) => return Ok(receipt),
            Err(error) => error,
        };
        if tokio::time::Instant::now() > until {
            return Err(anyhow::Error::new(error).context(
                "it was not erased to the end. What was erased before that stays erased; ask again: that receipt names what was left until then",
            ));
        }
        if !std::mem::replace(&mut told, true) {
            let why = crate::causes::chain(&error);
            eprintln!(
                "consentry: not erased to the end yet: {why}; it is tried again for {} s",
                TAKEN_WITHIN.as_secs()
            );
        }
        tokio::time::sleep(LOOK_EVERY * 5).await;
    }
}

/// Asks the engine that runs on this folder.
async fn ask(config: &Config, scope: Scope, keys: &dyn KeyProvider) -> anyhow::Result<ErasureReceipt> {
    let entropy = Entropy::system();
    let requests = config.engine.data_folder.join("erase");
    let mut name = [0; 16];
    entropy.with(|rng| rng.fill_bytes(&mut name));
    let [request, receipt, refused] =
        ["request", "receipt", "refused"].map(|end| requests.join(format!("{}.{end}", hex::encode(name))));
    crate::forward::file::receive(&request, scope.to_string().as_bytes(), &entropy)
        .with_context(|| format!("{} can't be written", request.display()))?;
    let taken = async {
        while request.exists() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    if tokio::time::timeout(TAKEN_WITHIN, taken).await.is_err() && std::fs::remove_file(&request).is_ok() {
        bail!("the engine that runs on {} does not answer; nothing was erased", config.engine.data_folder.display());
    }
    let told_at = tokio::time::Instant::now() + TAKEN_WITHIN;
    let mut told = false;
    let token = loop {
        if let Ok(token) = std::fs::read_to_string(&receipt) {
            break token;
        }
        if let Ok(why) = std::fs::read_to_string(&refused) {
            std::fs::remove_file(&refused)?;
            bail!("the engine did not do it: {why}. What was erased before that stays erased; ask again");
        }
        if !told && tokio::time::Instant::now() > told_at {
            told = true;
            eprintln!(
                "consentry: the engine is at work; whoever stops waiting here finds the receipt in {} when it is done, for 72 hours",
                receipt.display()
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let keys = keys.publics(Duty::Signing).await?;
    let checked = ErasureReceipt::verify(&token, &keys)
        .with_context(|| format!("what the engine answered in {} is no receipt of it", receipt.display()))?;
    std::fs::remove_file(&receipt)?;
    Ok(checked)
}

/// The receipt for a person.
pub(super) fn tell(facts: &Facts, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "erasure  {} of {} by node {}, {}", facts.receipt, facts.scope, facts.node, facts.at)?;
    for (kind, count) in &facts.destroyed {
        writeln!(out, "destroyed {count} {kind}")?;
    }
    for each in &facts.erased {
        writeln!(out, "erased   {}, key {}", each.record, each.key)?;
    }
    for key in &facts.keys {
        writeln!(out, "key      {} destroyed {} by {}", key.key, key.at, key.provider)?;
    }
    if facts.unnamed > 0 {
        writeln!(out, "and {} records and keys more, which the receipt counts and does not name", facts.unnamed)?;
    }
    for place in &facts.searched {
        writeln!(out, "searched {}: {} looked at, {} found", place.place, place.looked_at, place.found)?;
    }
    for each in &facts.survives {
        let until = each.kept.until.map_or_else(|| "without an end".to_owned(), |until| format!("until {until}"));
        let records = each.records.map(|records| format!("{records} of ")).unwrap_or_default();
        let what = each.kept.what.join(", ");
        writeln!(out, "kept     {records}{} {what}, {until}: {}", each.kept.row, each.why)?;
    }
    for each in &facts.not_claimed {
        writeln!(out, "not said {each}")?;
    }
    Ok(())
}
