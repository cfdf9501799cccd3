//! `consentry sim`: lets a clock run that is not the machine's, over stores, keys and a scheduler that are the real ones.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use comfy_table::Table;

use super::interrupt::Interrupt;
use crate::clock::Timestamp;
use crate::erase::simulation::{self, Plan, Report};
use crate::keys::SoftwareKeys;

const DAYS_IN_A_YEAR: u32 = 365;

/// Simulations.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Years of records, deadlines, restarts and clocks that jump: shows each record gone at its deadline, and that no copy opens it.
    Retention(Retention),
}

/// How much is simulated.
#[derive(Debug, Args)]
pub(super) struct Retention {
    /// How many years of 365 days.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    years: u32,
    /// How many days, instead.
    #[arg(long, conflicts_with = "years", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// What all chance comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many records are made a day.
    #[arg(long, default_value_t = 3)]
    records_a_day: u32,
    /// Every how many days the files are copied, to be tried with all keys a day later. 1 is every day.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    copies_every: u32,
    /// An empty folder to work in, for example on a disk of its own; a temporary one without it.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: &Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let Command::Retention(options) = command;
    let start: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    // Whoever ends it leaves no folder behind.
    let interrupt = Interrupt::listen()?;
    let folder = Folder::new(options.folder.clone())?;
    let path = folder.path.join("keys");
    // Its passphrase dies with this process, and what it protects with it.
    let mut secret = [0; 32];
    crate::entropy::Entropy::system().with(|rng| rng.fill_bytes(&mut secret));
    let keys = Arc::new(SoftwareKeys::generate(&path, hex::encode(secret).into(), start)?);
    let plan = Plan {
        start,
        days: options.days.unwrap_or(options.years * DAYS_IN_A_YEAR),
        seed: options.seed,
        records_a_day: options.records_a_day,
        copies_every: options.copies_every,
    };
    let goes_on = |days: u32| {
        if days > 0 && days.is_multiple_of(DAYS_IN_A_YEAR) {
            eprintln!("consentry: {days} of {} days are over", plan.days);
        }
        !interrupt.is_asked()
    };
    let report = simulation::run(&plan, &folder.path, keys, goes_on).await?;
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        tell(&report, out)?;
    }
    Ok(if report.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(report: &Report, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["row", "made", "at deadline", "overdue", "early", "lost", "left"]);
    for (row, counts) in &report.rows {
        let counts = [counts.made, counts.at_deadline, counts.overdue, counts.early, counts.lost, counts.left];
        table.add_row(std::iter::once((*row).to_owned()).chain(counts.map(|count| count.to_string())));
    }
    writeln!(out, "{table}\n")?;
    let Report { restarts, absences, clocks_forth, clocks_back, restored, .. } = report;
    writeln!(
        out,
        "{} days, with {restarts} restarts, {absences} absences, a clock that jumped {clocks_forth} times forth and {clocks_back} times back, {restored} backups put back",
        report.days
    )?;
    writeln!(
        out,
        "{} root and month keys destroyed; {} keys of months refused after their end",
        report.keys_destroyed, report.months_refused
    )?;
    writeln!(
        out,
        "{} copies tried with all keys of the day after: {} records, of which {} did not open: gone, or under another key since",
        report.copies_tried, report.copied_records, report.copied_gone
    )?;
    for wrong in &report.wrong {
        writeln!(out, "WRONG    {wrong}")?;
    }
    writeln!(out, "{} things were not as they must be", report.wrong.len())?;
    Ok(())
}

/// A folder that is empty, and, if it is ours, goes at the end.
struct Folder {
    path: PathBuf,
    is_ours: bool,
}

impl Folder {
    fn new(given: Option<PathBuf>) -> anyhow::Result<Self> {
        let is_ours = given.is_none();
        let mut name = [0; 16];
        crate::entropy::Entropy::system().with(|rng| rng.fill_bytes(&mut name));
        let path = given.unwrap_or_else(|| std::env::temp_dir().join(format!("consentry-{}", hex::encode(name))));
        std::fs::create_dir_all(&path).with_context(|| format!("{} can't be made", path.display()))?;
        if std::fs::read_dir(&path)?.next().is_some() {
            bail!("{} is not empty", path.display());
        }
        Ok(Self { path, is_ours })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_ours {
            std::fs::remove_dir_all(&self.path).ok();
        }
    }
}
