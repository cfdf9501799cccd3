//! `consentry source`: which Data Sources are held, and which version serves each. It changes the node's file of decisions, beside an
//! engine that runs, which takes it within seconds.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use comfy_table::Table;
use serde_json::json;

use super::audit::noted;
use super::{ConfigFile, setup};
use crate::clock::{Clock as _, SystemClock};
use crate::collect::decisions::Decisions;
use crate::config::Config;
use crate::engine::catalogue::{Catalogue, Pin};
use crate::entropy::Entropy;
use crate::operator::Deed;
use crate::operator::audit::About;

/// Data Sources of a node.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists them: which version serves each, and which are held.
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// Writes JSON.
        #[arg(long)]
        json: bool,
    },
    /// Holds one: nobody can choose it, and persons read that it is in maintenance.
    Hold(Which),
    /// Releases one that was held.
    Release(Which),
    /// Says which version serves one: by its number or its digest, or `highest` for the highest that may run.
    Version {
        #[command(flatten)]
        which: Which,
        /// The version.
        version: String,
    },
}

/// One Data Source.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// The connector's id.
    connector: String,
    /// The Data Source's id.
    source: String,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) fn run(command: &Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { file, json } => list(&Config::read(&file.config)?, *json, out)?,
        Command::Hold(which) => {
            let now = SystemClock.now();
            change(which, Deed::SourceHold, |decisions, _| {
                decisions.hold(&which.connector, &which.source, now);
                Ok(())
            })?;
            writeln!(out, "held; a node that runs takes it within seconds")?;
        }
        Command::Release(which) => {
            change(which, Deed::SourceRelease, |decisions, _| {
                decisions.release(&which.connector, &which.source);
                Ok(())
            })?;
            writeln!(out, "released; a node that runs takes it within seconds")?;
        }
        Command::Version { which, version } => {
            let now = SystemClock.now();
            change(which, Deed::VersionChoose, |decisions, catalogue| {
                let digest = match version.as_str() {
                    "highest" => None,
                    wanted => {
                        let pin: Pin = wanted.parse()?;
                        let mut known = catalogue.versions(&which.connector);
                        let found = known.find(|each| pin.names(each) && each.may_run() && each.has(&which.source));
                        Some(found.context("this version is not there, or may not run")?.digest)
                    }
                };
                decisions.choose(&which.connector, &which.source, digest, now);
                Ok(())
            })?;
            writeln!(out, "chosen; a node that runs takes it within seconds")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn change(
    which: &Which,
    deed: Deed,
    change: impl FnOnce(&mut Decisions, &Catalogue) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let config = Config::read(&which.file.config)?;
    let folder = config.connectors()?;
    let (catalogue, _) = setup::catalogue(&folder);
    let Which { connector, source, .. } = which;
    if !catalogue.all_sources().any(|(one, other)| one.id() == connector && other.id.as_str() == source) {
        bail!("there is no source {connector}/{source}; `consentry source list` names them");
    }
    if deed == Deed::VersionChoose && catalogue.is_set_by_configuration(connector, source) {
        bail!("the configuration names the version of {connector}/{source}: change it there");
    }
    let path = folder.decisions.context("a node keeps decisions")?;
    noted(&config, deed, Some(About::of(format_args!("{connector}/{source}"))))?;
    Decisions::change(&path, &Entropy::system(), |decisions| change(decisions, &catalogue))?
}

fn list(config: &Config, as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let (catalogue, _) = setup::catalogue(&config.connectors()?);
    let rows: Vec<_> = catalogue
        .all_sources()
        .map(|(connector, source)| {
            let (id, source) = (connector.id(), source.id.as_str());
            let serving = catalogue.serving(id, source).map(|each| each.package.manifest().version().to_string());
            (id, source, serving, catalogue.held(id, source), catalogue.is_suspended(id, source))
        })
        .collect();
    if as_json {
        let told = |(connector, source, serving, held, suspended): &(_, _, _, _, _)| json!({ "connector": connector, "source": source, "version": serving, "held_since": held, "suspended": suspended });
        return Ok(writeln!(out, "{}", serde_json::Value::Array(rows.iter().map(told).collect()))?);
    }
    let mut table = Table::new();
    table.set_header(["connector", "source", "serves", "held since"]);
    for (connector, source, serving, held, suspended) in rows {
        let serving = serving.unwrap_or_else(|| "none may run".to_owned());
        table.add_row([
            connector,
            source,
            &serving,
            &held.map_or("-".to_owned(), |at| format!("{at}{}", if suspended { ", its runs fail" } else { "" })),
        ]);
    }
    Ok(writeln!(out, "{table}")?)
}
