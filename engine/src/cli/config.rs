//! `consentry config`: looks at a configuration before a node is started with it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use super::setup;
use crate::api::tls::Tls;
use crate::config::Config;
use crate::engine::Engine;

/// The configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Reads a file and every file it names, and says what is wrong; also which of its connectors' sources lack a secret.
    Check {
        /// The file.
        file: PathBuf,
        /// Writes JSON.
        #[arg(long)]
        json: bool,
    },
    /// Writes the documented example to standard output.
    Example,
}

pub(super) fn run(command: &Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check { file, json } => check(file, *json, out)?,
        Command::Example => out.write_all(include_bytes!("../../consentry.example.toml"))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check(file: &Path, as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let config = Config::read(file).context("the configuration is refused")?;
    config.api.tls()?.map(Tls::open).transpose().context("the certificate can't be used")?;
    let (node, services) = (&config.engine.node, config.online_service.len());
    let secrets = Engine::builder().configure(&config).context("the configuration is refused")?;
    let (catalogue, _) = setup::catalogue(&config.connectors()?);
    let lacking = secrets.unusable(&catalogue);
    let mut warnings: Vec<String> = lacking.iter().map(|error| format!("a source can't be used: {error}")).collect();
    if config.engine.development {
        if config.connectors.unsigned {
            warnings.push("connectors.unsigned = true runs what nobody answers for; never in production".to_owned());
        }
        warnings.push("development = true allows http and loopback; never in production".to_owned());
    }
    let overridden = Config::overridden();
    if as_json {
        writeln!(
            out,
            "{}",
            json!({ "node": node, "online-services": services, "overridden": overridden, "warnings": warnings })
        )?;
        return Ok(());
    }
    writeln!(out, "{}: in order; node {node}, {services} Online Service(s)", file.display())?;
    for name in overridden {
        writeln!(out, "from the environment: {name}")?;
    }
    for warning in warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}
