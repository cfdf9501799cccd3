//! `consentry config`: looks at a configuration before a node is started with it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use super::setup;
use crate::config::Config;
use crate::engine::Engine;

/// The configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Reads a file and every file it names, and says what is wrong; also which of its connectors' sources lack a secret.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Writes the documented example to standard output.
    Example,
}

pub(super) fn run(command: &Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check { file } => {
            let config = Config::read(file).context("the configuration is refused")?;
            let services = config.online_service.len();
            writeln!(out, "{}: in order; node {}, {services} Online Service(s)", file.display(), config.engine.node)?;
            let secrets = Engine::builder().configure(&config).context("the configuration is refused")?;
            for error in secrets.unusable(&setup::catalogue(&config.connectors()?)) {
                writeln!(out, "warning: a source can't be used: {error}")?;
            }
            if config.engine.development {
                if config.connectors.unsigned {
                    writeln!(
                        out,
                        "warning: connectors.unsigned = true runs what nobody answers for; never in production"
                    )?;
                }
                writeln!(out, "warning: development = true allows http and loopback; never in production")?;
            }
        }
        Command::Example => out.write_all(include_bytes!("../../consentry.example.toml"))?,
    }
    Ok(ExitCode::SUCCESS)
}
