//! `connector test` and `connector replay`: what a connector makes of its recordings.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use consentry_contract::plain::plain;
use consentry_host_api::tape::Matching;
use serde_json::json;
use tokio::task::block_in_place;

use super::Form;
use super::desk::Lines;
use super::run::show as show_collection;
use super::subject::{self, Subject};
use crate::author::acceptance::{Finding, Shown, Suite};
use crate::author::{shelf, told};
use crate::collect::compile::Compiler;
use crate::maintenance;

/// What to test.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The folder with the connector's source.
    #[arg(default_value = ".")]
    connector: PathBuf,
    /// Tests this built connector against the recordings of the folder.
    #[arg(long, value_name = "FILE")]
    built: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

/// What to replay.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Replay {
    /// The name of the recording.
    name: String,
    /// The folder with the connector's source.
    #[arg(default_value = ".")]
    connector: PathBuf,
    /// Requests are found by method and URL pattern, instead of in the order of the recording.
    #[arg(long)]
    lenient: bool,
}

pub(super) async fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let subject = block_in_place(|| subject::of(&options.connector, options.built.as_deref()))?;
    let findings = suite(&subject).await?;
    let [passed, failed, absent] = counts(&findings);
    if options.form.json {
        let told = |finding: &Finding| {
            let shown = shown(finding);
            json!({ "name": finding.name, "shown": shown, "outcome": finding.told, "faults": finding.faults })
        };
        let findings: Vec<_> = findings.iter().map(told).collect();
        let told = json!({ "findings": findings, "passed": passed, "failed": failed, "not-applicable": absent });
        writeln!(out, "{told}")?;
    } else {
        show(&findings, out)?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything that the suite finds.
pub(super) async fn suite(subject: &Subject) -> anyhow::Result<Vec<Finding>> {
    let collector = maintenance::desk(Compiler::this_program())?;
    Ok(Suite::open(&collector, subject.package.clone(), &subject.folder())?.run().await)
}

/// A table, then what is wrong.
pub(super) fn show(findings: &[Finding], out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(["state", "", "shown by", "comes to"]);
    for finding in findings {
        let passed = match (&finding.shown, finding.faults.is_empty()) {
            (_, false) => "FAILED",
            (Shown::NotApplicable(_), true) => "n/a",
            (_, true) => "ok",
        };
        table.add_row([&finding.name, passed, &shown(finding), &finding.told]);
    }
    writeln!(out, "{table}")?;
    for finding in findings.iter().filter(|finding| !finding.faults.is_empty()) {
        writeln!(out, "{}:", finding.name)?;
        finding.faults.iter().try_for_each(|fault| writeln!(out, "  {}", plain(fault)))?;
    }
    let [passed, failed, absent] = counts(findings);
    let absent =
        if absent == 0 { String::new() } else { format!(", {absent} declared not to apply (not counted as passed)") };
    writeln!(out, "{passed} passed, {failed} failed{absent}")?;
    Ok(())
}

/// How many passed, how many failed, and how many were not played, since they are declared not to apply.
fn counts(findings: &[Finding]) -> [usize; 3] {
    let failed = findings.iter().filter(|finding| !finding.faults.is_empty()).count();
    let absent = |finding: &&Finding| finding.faults.is_empty() && matches!(finding.shown, Shown::NotApplicable(_));
    let absent = findings.iter().filter(absent).count();
    [findings.len() - failed - absent, failed, absent]
}

fn shown(finding: &Finding) -> String {
    match &finding.shown {
        Shown::Recorded => "a recording".to_owned(),
        Shown::Derived(how) => how.clone(),
        Shown::NotApplicable(reason) => format!("does not apply: {reason}"),
        Shown::Not => "nothing".to_owned(),
    }
}

pub(super) async fn replay(options: &Replay, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let subject = block_in_place(|| subject::of(&options.connector, None))?;
    let recordings = shelf::read(&subject.folder())?;
    let names = recordings.iter().map(|recording| recording.name.as_str()).collect::<Vec<_>>().join(", ");
    let recording = recordings.iter().find(|recording| recording.name == options.name);
    let recording = recording.with_context(|| format!("there is no such recording; there are: {names}"))?;
    let collector = maintenance::desk(Compiler::this_program())?;
    let matching = if options.lenient { Matching::Lenient } else { Matching::Strict };
    let replayed = collector.replay(&subject.package, &recording.tape, matching, Arc::new(Lines)).await?;
    show_collection(&replayed.collection, false, out)?;
    if let Some(divergence) = &replayed.divergence {
        let taped = plain(divergence.taped.as_deref().unwrap_or("nothing: it ends there"));
        writeln!(
            out,
            "request {} is not on the recording: {}\n  there it is {taped}",
            divergence.ordinal,
            plain(&divergence.asked)
        )?;
    }
    let difference = told::difference(&recording.expected, &shelf::lines(&replayed.collection));
    difference.iter().try_for_each(|line| writeln!(out, "{}", plain(line)))?;
    Ok(if difference.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
