//! `consentry reports`: the operator's list of breaks, and the author's look at one. What is listed stands in the node's store, which one
//! process has at a time: a running engine is stopped for it, but for a re-test, which it does itself. A report that was pulled is a file like
//! any other.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use comfy_table::Table;
use consentry_contract::failure::Code;
use consentry_contract::plain::plain;
use consentry_host_api::ports::Observer;
use consentry_host_api::tape::{Divergence, Matching};
use consentry_tape::{LastCall, PageShape, RECORDING_BYTES_MAX, Report};
use serde_json::json;
use similar::TextDiff;

use super::{ConfigFile, connector};
use crate::clock::{Clock, SystemClock};
use crate::collect::compile::Compiler;
use crate::entropy::Entropy;
use crate::maintenance;
use crate::maintenance::reports::View;
use crate::named_file;
use crate::operator::Deed;

mod retest;
mod who;

use who::Who;

/// Exit code of a replay that failed where the recording did.
const SAME_FAILURE: u8 = 30;
/// Lines around a change of a page's shape that are shown with it.
const CONTEXT_LINES: usize = 2;
/// Lines of a page's shape that are shown; the file has all.
const SHAPE_LINES: usize = 60;

/// Reports of failures.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists breaks: one line for each, the one seen last first.
    List {
        #[command(flatten)]
        who: Who,
        /// Writes JSON.
        #[arg(long)]
        json: bool,
    },
    /// Writes a report that people gave for a break into a file: one with a recording, if there is one.
    Pull {
        /// The break, as `list` names it.
        ticket: String,
        /// The file.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        who: Who,
    },
    /// Tells what a report says: which page, what is missing there, and the page's shape.
    Show {
        /// A report that was pulled.
        report: PathBuf,
    },
    /// Runs a connector against the recording of a report. Exit code 0: it brings everything; 3: less; 30: it fails as the report says.
    Replay {
        /// A report that was pulled.
        report: PathBuf,
        /// The connector, whoever signed it.
        #[arg(long, value_name = "FILE")]
        connector: PathBuf,
        /// Requests must come in the order of the recording. Without it, they are found by method and URL pattern.
        #[arg(long)]
        strict: bool,
    },
    /// Tries a break again on its live Data Source, once, with a login that somebody lent for it. Beside an engine that runs, and without one.
    /// Nothing is delivered or kept, and whoever lent the login sees it. Exit code 0: it brings everything; 3: less.
    Retest {
        /// The break, as `list` names it.
        ticket: String,
        /// Writes JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Closes a break that is mended: its reports and the logins that were lent for it are erased. It comes back as `regressed` if it does.
    Close {
        /// The break, as `list` names it.
        ticket: String,
        #[command(flatten)]
        who: Who,
    },
}

pub(super) async fn run(command: Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { who, json } => {
            let desk = who.comes(Deed::ReportsLook, None).await?;
            list(&desk.view(), json, out).await?;
        }
        Command::Pull { ticket, to, who } => {
            let desk = who.comes(Deed::ReportPull, Some(&ticket)).await?;
            pull(&desk.view(), &ticket, &to, out).await?;
        }
        Command::Show { report } => show(&read(&report)?, out)?,
        Command::Replay { report, connector, strict } => return replay(&read(&report)?, &connector, strict, out).await,
        Command::Retest { ticket, json, file } => return retest::run(&ticket, json, &file, out).await,
        Command::Close { ticket, who } => {
            let desk = who.comes(Deed::ReportClose, Some(&ticket)).await?;
            let Some(count) = desk.view().close(&ticket, SystemClock.now()).await? else {
                bail!("there is no such break; `consentry reports list` names them");
            };
            writeln!(out, "closed; {count} report(s) erased")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<Report> {
    let bytes = named_file::read(path, RECORDING_BYTES_MAX as usize)
        .with_context(|| format!("{} can't be read", path.display()))?;
    Report::from_json(&bytes).with_context(|| path.display().to_string())
}

async fn list(reports: &View<'_>, as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let tickets = reports.tickets().await?;
    if as_json {
        return Ok(writeln!(out, "{}", serde_json::to_string(&tickets)?)?);
    }
    let mut table = Table::new();
    table.set_header([
        "break",
        "state",
        "failures",
        "given",
        "lent",
        "first seen",
        "last seen",
        "versions",
        "recording",
    ]);
    for ticket in tickets {
        let given = reports.of(&ticket.fingerprint).await?.len().to_string();
        let lent = reports.lent_for(&ticket).await?.to_string();
        let versions = ticket.versions.iter().cloned().collect::<Vec<_>>().join(" ");
        let recording = if ticket.replayable { "yes" } else { "no" };
        let (first, last) = (ticket.first.to_string(), ticket.last.to_string());
        table.add_row([
            ticket.fingerprint.as_str(),
            ticket.state.name(),
            &ticket.failures.to_string(),
            &given,
            &lent,
            &first,
            &last,
            &versions,
            recording,
        ]);
    }
    Ok(writeln!(out, "{table}")?)
}

async fn pull(reports: &View<'_>, ticket: &str, to: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let Some(best) = reports.best_of(ticket).await? else {
        bail!("nobody gave a report for this break, or there is no such break");
    };
    crate::forward::file::publish(to, &serde_json::to_vec_pretty(&best.report)?, &Entropy::system())
        .with_context(|| format!("{} can't be written", to.display()))?;
    Ok(writeln!(out, "{}: {}, {}", to.display(), best.id, best.report.proof.name())?)
}

fn show(report: &Report, out: &mut dyn Write) -> anyhow::Result<()> {
    let Report { connector, connector_version, source, point, .. } = report;
    writeln!(out, "break     {}", report.fingerprint())?;
    let [connector, version, source, engine] =
        [connector, connector_version, source, &report.engine].map(|text| plain(text));
    writeln!(out, "connector {connector} {version} at {source}, engine {engine}")?;
    let page = point.page.as_ref().map_or("no page that it knows", |page| page.as_str());
    writeln!(out, "failed    {} on {page}", point.code)?;
    if let Some(missing) = &point.missing {
        writeln!(out, "missing   {}", missing.as_str())?;
    }
    if let Some(limit) = &point.limit {
        writeln!(out, "limit     {limit}")?;
    }
    if let Some(LastCall { ordinal, method, url, .. }) = &point.last {
        writeln!(out, "after     {ordinal} requests and prompts, the last one {} {}", plain(method), plain(url))?;
    }
    writeln!(out, "recording {}", report.proof.name())?;
    writeln!(out, "pages     {}", plain(&report.pages.join(" > ")))?;
    for (rule, bytes) in &report.kept {
        writeln!(out, "kept      {bytes} bytes: {}", json!(rule).as_str().unwrap_or_default())?;
    }
    for line in report.nearest() {
        writeln!(out, "nearest   {}", plain(line))?;
    }
    if let Some(good) = &report.good {
        return changes(report, good, out);
    }
    writeln!(out, "shape of the last page:")?;
    for line in report.shape.iter().take(SHAPE_LINES) {
        writeln!(out, "  {}", plain(line))?;
    }
    if report.shape.len() > SHAPE_LINES {
        writeln!(out, "  … {} lines more", report.shape.len() - SHAPE_LINES)?;
    }
    Ok(())
}

/// What the page had when all was well and has not now (`-`), and the other way round (`+`).
fn changes(report: &Report, good: &PageShape, out: &mut dyn Write) -> anyhow::Result<()> {
    let (page, version) = (plain(&good.page), plain(&good.connector_version));
    writeln!(out, "page {page}, as version {version} met it when all was well, and now:")?;
    let (before, now): (Vec<&str>, Vec<&str>) =
        (good.lines.iter().map(String::as_str).collect(), report.shape.iter().map(String::as_str).collect());
    let difference = TextDiff::from_slices(&before, &now);
    let groups = difference.grouped_ops(CONTEXT_LINES);
    if groups.is_empty() {
        writeln!(out, "  its shape is the same: look at its texts in the recording")?;
    }
    let lines = groups.iter().flat_map(|group| group.iter()).flat_map(|op| difference.iter_changes(op));
    for change in lines.take(SHAPE_LINES) {
        writeln!(out, "{} {}", change.tag(), plain(change.value()))?;
    }
    Ok(())
}

async fn replay(report: &Report, file: &Path, strict: bool, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let Some(tape) = report.tape() else {
        bail!("the report has no recording: {}", report.proof.name());
    };
    let (package, collector) = (connector::look(file)?, maintenance::desk(Compiler::this_program())?);
    let matching = if strict { Matching::Strict } else { Matching::Lenient };
    let replayed = collector.replay(&package, &tape, matching, Arc::new(Told)).await?;
    if let Some(Divergence { ordinal, asked, taped }) = &replayed.divergence {
        let taped = taped.as_deref().unwrap_or("nothing: it ends there");
        let (asked, taped) = (plain(asked), plain(taped));
        writeln!(out, "request {ordinal} is not on the recording: {asked}\n  there it is {taped}")?;
    }
    let failure = replayed.collection.failure();
    let Some(failure) = failure else {
        writeln!(out, "everything was brought: {} items", replayed.collection.items.len())?;
        return Ok(ExitCode::SUCCESS);
    };
    let page = failure.page.as_ref().map_or("-", |page| page.as_str());
    let missing = failure.missing.as_ref().map_or("-", |missing| missing.as_str());
    writeln!(out, "{} on {page}, missing {missing}", failure.code)?;
    let point = &report.point;
    let same = failure.code == point.code && failure.page == point.page && failure.missing == point.missing;
    Ok(ExitCode::from(match (same, replayed.collection.result.is_ok()) {
        (true, _) => SAME_FAILURE,
        (false, true) => consentry_contract::failure::EXIT_PARTIAL,
        (false, false) => failure.exit_code(),
    }))
}

/// Shows the connector's own lines: nobody's values are in them.
struct Told;

impl Observer for Told {
    fn step(&self, _: &str) {}
    fn count(&self, _: u32, _: u32) {}
    fn login_submitted(&self) {}
    fn authenticated(&self) {}
    fn log(&self, level: &str, text: &str) {
        eprintln!("connector {level}: {}", plain(text));
    }
    fn refused(&self, code: Code, text: &str) {
        eprintln!("refused {code}: {}", plain(text));
    }
}
