//! `consentry canary`: shows that what a person types, and what is found for them, stays nowhere. `run` plants marked values through
//! the doors of an engine of its own and looks for them afterwards; `search` looks for values that somebody else planted.
//!
//! No value is ever printed: each has a name, and it is told which one was where.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::canary::{self, Searched};
use crate::config::Config;

mod drill;
mod home;
mod person;
mod places;
mod returning;
mod service;

/// How it ends when something was found: as any failure.
const FOUND: u8 = 1;
/// How it ends when nothing was found, and it was not looked everywhere: as whatever is done in part.
const UNSEEN: u8 = 3;

/// How a search ends.
fn ended(is_found: bool, is_unseen: bool) -> ExitCode {
    match (is_found, is_unseen) {
        (true, _) => ExitCode::from(FOUND),
        (false, true) => ExitCode::from(UNSEEN),
        (false, false) => ExitCode::SUCCESS,
    }
}

/// Planted values.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Plants marked values through the doors of an engine of its own, and looks for them in all that it left.
    Run(drill::Options),
    /// Looks for values that were planted elsewhere.
    Search(Options),
}

/// Looks for planted values in files, captures and memory.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// A file with the values, one a line. `-` is standard input: then they stand on no disk.
    #[arg(long, value_name = "FILE")]
    values: PathBuf,
    /// Searches the data folder of this configuration.
    #[arg(long, env = "CONSENTRY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Searches this file or folder, too: a log, a core, what a network carried. May be given several times.
    #[arg(long = "in", value_name = "PATH")]
    places: Vec<PathBuf>,
    /// Searches the memory of this process, too, for the values' tails. Needs its owner's rights, or root's.
    #[arg(long, value_name = "PID")]
    process: Vec<u32>,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(options) => drill::run(options, out),
        Command::Search(options) => search(options, out),
    }
}

fn search(options: &Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let text = if options.values.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(&options.values)
            .with_context(|| format!("{} can't be read", options.values.display()))?
    };
    let values: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    if values.is_empty() {
        bail!("no values are given");
    }
    let mut places = options.places.clone();
    if let Some(config) = &options.config {
        places.push(Config::read(config)?.engine.data_folder);
    }
    if places.is_empty() && options.process.is_empty() {
        bail!("it is not said where to look: --config, --in, --process");
    }
    let mut all = Searched::default();
    let mut told = vec![];
    for place in &places {
        let searched = canary::search(place, &values)?;
        told.push((place.display().to_string(), searched.files, searched.bytes, searched.found.len()));
        all = all.and(searched);
    }
    for process in &options.process {
        let searched = canary::search_memory(*process, &values)
            .with_context(|| format!("the memory of process {process} can't be read"))?;
        told.push((format!("memory of process {process}"), searched.files, searched.bytes, searched.found.len()));
        all = all.and(searched);
    }
    if options.json {
        let found: Vec<_> = all.found.iter().map(|(place, at)| json!({ "place": place, "value": at + 1 })).collect();
        let unseen: Vec<_> =
            all.unseen.iter().map(|(place, why)| json!({ "place": place, "why": why.to_string() })).collect();
        let told = json!({ "values": values.len(), "bytes": all.bytes, "found": found, "not-searched": unseen });
        writeln!(out, "{told}")?;
    } else {
        for (place, files, bytes, found) in told {
            writeln!(out, "searched {place}: {files} files or mappings, {bytes} bytes, {found} found")?;
        }
        for (place, at) in &all.found {
            writeln!(out, "FOUND    value {} in {}", at + 1, place.display())?;
        }
        for (place, why) in &all.unseen {
            writeln!(out, "NOT SEARCHED {}: {why}", place.display())?;
        }
        writeln!(out, "{} of {} values found anywhere", distinct(&all), values.len())?;
    }
    Ok(ended(!all.found.is_empty(), !all.unseen.is_empty()))
}

fn distinct(searched: &Searched) -> usize {
    searched.found.iter().map(|(_, at)| at).collect::<std::collections::BTreeSet<_>>().len()
}
