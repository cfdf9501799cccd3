//! `consentry connectors`: what is in a folder, and whether a file is a connector that this engine runs.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use comfy_table::Table;
use consentry_contract::limits::LimitName;
use serde_json::json;

use super::setup;
use crate::collect::package::Package;
use crate::engine::catalogue::login_fields;

/// Connectors.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists the Data Sources that the connectors of a folder serve.
    List {
        /// The folder of `*.wasm` files.
        folder: PathBuf,
        /// Writes JSON.
        #[arg(long)]
        json: bool,
    },
    /// Says whether a file is a connector that this engine runs, and what it may do.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Lists the limits that a manifest may ask for, with their defaults and maxima.
    Limits,
}

pub(super) fn run(command: &Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { folder, json } => list(folder, *json, out)?,
        Command::Check { file } => check(file, out)?,
        Command::Limits => limits(out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(folder: &std::path::Path, as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let catalogue = setup::catalogue(folder);
    let mut table = Table::new();
    table.set_header(["connector", "version", "source", "name", "country", "kind", "categories"]);
    let mut rows = vec![];
    for connector in catalogue.connectors() {
        let manifest = connector.package.manifest();
        for source in manifest.sources() {
            rows.push(json!({
                "connector": manifest.id().as_str(),
                "version": manifest.version().to_string(),
                "digest": connector.digest,
                "source": source.id.as_str(),
                "name": source.name,
                "country": source.country,
                "kind": source.kind.as_str(),
                "categories": source.categories,
                "fields": login_fields(manifest),
            }));
            table.add_row([
                manifest.id().as_str(),
                &manifest.version().to_string(),
                source.id.as_str(),
                &source.name,
                &source.country,
                source.kind.as_str(),
                &source.categories.join(", "),
            ]);
        }
    }
    if as_json {
        writeln!(out, "{}", json!(rows))?;
    } else {
        writeln!(out, "{table}")?;
    }
    Ok(())
}

fn check(file: &std::path::Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let package = Package::open(file).with_context(|| format!("{} is refused", file.display()))?;
    let manifest = package.manifest();
    writeln!(out, "{}: a connector", file.display())?;
    writeln!(out, "  id           {} {}", manifest.id(), manifest.version())?;
    writeln!(out, "  contract     {}", manifest.contract())?;
    writeln!(out, "  owner        {} <{}>", manifest.owner().name, manifest.owner().contact)?;
    writeln!(out, "  digest       {}", package.digest())?;
    let capabilities: Vec<&str> = manifest.capabilities().iter().map(|each| each.as_str()).collect();
    writeln!(out, "  capabilities {}", capabilities.join(", "))?;
    writeln!(out, "  categories   {}", manifest.categories().join(", "))?;
    for source in manifest.sources() {
        let plan = manifest.for_source(source.id.as_str(), None)?;
        let origins: Vec<String> = plan.origins().iter().map(ToString::to_string).collect();
        writeln!(out, "  source       {} ({}): {}", source.id, source.name, origins.join(", "))?;
    }
    Ok(())
}

fn limits(out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.set_header(["limit", "unit", "default", "maximum", "bounds"]);
    for limit in LimitName::ALL {
        let row = limit.row();
        table.add_row([
            row.name,
            &row.unit.to_string(),
            &row.default.to_string(),
            &row.maximum.to_string(),
            row.bounds,
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}
