//! `consentry connector list`: every version of a folder and what comes of it.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use comfy_table::Table;
use consentry_contract::manifest::Source;
use serde_json::{Value, json};

use super::trust;
use crate::cli::setup;
use crate::config::Config;
use crate::engine::catalogue::{Catalogue, Connector, Folder, Standing, login_fields};

/// Which folder.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The folder of `*.wasm` files; with --config its own.
    #[arg(required_unless_present = "config", conflicts_with = "config")]
    folder: Option<PathBuf>,
    /// The configuration of a node: its folder, its trusted keys, what was decided there.
    #[arg(long, env = "CONSENTRY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// A public key whose owner is named. May be repeated.
    #[arg(long = "trust", value_name = "FILE", conflicts_with = "config")]
    keys: Vec<PathBuf>,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    // Without a configuration everything is listed, and what no named key has signed is served to nobody.
    let (catalogue, serving) = match &options.config {
        Some(path) => {
            let (catalogue, _) = setup::catalogue(&Config::read(path)?.connectors()?);
            (catalogue.clone(), catalogue)
        }
        None => {
            let (path, trust) = (options.folder.as_deref().context("a folder")?, trust(&options.keys)?);
            setup::readable(path)?;
            let (all, _) = setup::catalogue(&Folder::of(path, trust.clone().or_unsigned()));
            (all, Folder::of(path, trust).load().0)
        }
    };
    let mut table = Table::new();
    table.set_header(["connector", "version", "digest", "signed by", "source", "name", "serves", "because"]);
    let mut rows = vec![];
    for connector in catalogue.connectors() {
        for source in connector.package.manifest().sources() {
            let (serves, why) = serves(&serving, connector, source);
            let row = row(connector, source, serves, &why);
            let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
            let digest = text("digest").chars().take("sha256:".len() + 12).collect();
            let serves = if serves { "yes" } else { "no" }.to_owned();
            let [id, version, signer] = ["connector", "version", "signed-by"].map(text);
            table.add_row([id, version, digest, signer, text("source"), text("name"), serves, why]);
            rows.push(row);
        }
    }
    if options.json {
        writeln!(out, "{}", json!(rows))?;
    } else {
        writeln!(out, "{table}")?;
    }
    Ok(())
}

fn row(connector: &Connector, source: &Source, serves: bool, why: &str) -> Value {
    let manifest = connector.package.manifest();
    let signer = connector.package.signer();
    json!({
        "connector": manifest.id().as_str(),
        "version": manifest.version().to_string(),
        "digest": connector.digest,
        "signed-by": signer.map(|signer| &signer.owner),
        "key": signer.map(|signer| &signer.key),
        "standing": connector.standing.name(),
        "source": source.id.as_str(),
        "name": source.name,
        "country": source.country,
        "kind": source.kind.as_str(),
        "categories": source.categories,
        "fields": login_fields(manifest),
        "serves": serves,
        "because": why,
    })
}

/// Whether a version serves a Data Source to whoever begins now, and why.
fn serves(catalogue: &Catalogue, connector: &Connector, source: &Source) -> (bool, String) {
    let why = standing(&connector.standing);
    let (id, source) = (connector.package.manifest().id().as_str(), source.id.as_str());
    if catalogue.versions(id).all(|known| known.digest != connector.digest) {
        return (false, "nobody known has signed it: name the key with --trust".to_owned());
    }
    if !connector.may_run() {
        return (false, why);
    }
    match (catalogue.serving(id, source), catalogue.pin(id, source)) {
        (Some(serving), Some(_)) if serving.digest == connector.digest => (true, format!("pinned; {why}")),
        (Some(serving), None) if serving.digest == connector.digest => (true, format!("highest version; {why}")),
        (_, Some(pin)) => (false, format!("the source is pinned to {pin}")),
        (Some(serving), None) => (false, format!("{} is higher", serving.package.manifest().version())),
        (None, None) => (false, why),
    }
}

fn standing(standing: &Standing) -> String {
    match standing {
        Standing::Given => "no decisions are kept for this folder".to_owned(),
        Standing::Unsigned => "development: nobody known has signed it".to_owned(),
        Standing::Approved => "approved".to_owned(),
        Standing::Covered(by) => format!("asks for no more than {}, which was approved", by.version),
        Standing::Waiting(difference) if difference.before.is_none() => {
            "waits for approval: nothing of this connector is approved yet".to_owned()
        }
        Standing::Waiting(difference) => format!("waits for approval: asks for {} more", difference.added.len()),
        Standing::Revoked(revocation) => format!("revoked {}: {}", revocation.at, revocation.why),
    }
}
