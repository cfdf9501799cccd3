//! `connector diff`: what one version asks for more than another, which pages it tells apart in another way, and what it makes of the same
//! recordings.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use consentry_contract::page::PageRule;
use consentry_contract::plain::plain;
use consentry_host_api::tape::Matching;
use serde_json::json;

use super::decide;
use super::desk::Lines;
use super::look;
use crate::author::{shelf, told};
use crate::collect::Collector;
use crate::collect::compile::Compiler;
use crate::collect::decisions::Difference;
use crate::collect::package::Package;
use crate::maintenance;

/// Two versions.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The file of the version before.
    old: PathBuf,
    /// The file of the version after.
    new: PathBuf,
    /// Plays the recordings of this connector's folder with both, and compares what comes.
    #[arg(long, value_name = "FOLDER")]
    recordings: Option<PathBuf>,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

/// What one recording comes to with the two versions: lines that only one has.
type Compared = (String, Vec<String>);

pub(super) async fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let (old, new) = (look(&options.old)?, look(&options.new)?);
    let difference = Difference::of(&old, &new);
    let pages = told::difference(&pages(&old), &pages(&new));
    let results = match &options.recordings {
        Some(folder) => results(folder, &old, &new).await?,
        None => Vec::new(),
    };
    if options.json {
        let results: Vec<_> =
            results.iter().map(|(name, lines)| json!({ "recording": name, "lines": lines })).collect();
        let told = json!({
            "difference": difference, "digest": difference.digest(), "widens": difference.widens(), "pages": pages, "results": results,
        });
        writeln!(out, "{told}")?;
        return Ok(ExitCode::SUCCESS);
    }
    decide::show(&difference, out)?;
    pages.iter().try_for_each(|line| writeln!(out, "{}", plain(line)))?;
    for (name, lines) in results {
        writeln!(out, "recording {name}: {}", if lines.is_empty() { "the same" } else { "" })?;
        lines.iter().try_for_each(|line| writeln!(out, "  {}", plain(line)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Each page of each source, as the host tells it.
fn pages(package: &Package) -> Vec<String> {
    let sources = package.manifest().sources().iter().filter_map(|source| package.plan(source.id.as_str(), None).ok());
    let pages: BTreeSet<String> = sources.flat_map(|plan| plan.pages().iter().map(page).collect::<Vec<_>>()).collect();
    pages.into_iter().collect()
}

/// All that the host does about one page: how it is told, and what it means.
fn page(rule: &PageRule) -> String {
    let page = &rule.page;
    let mut line = format!("page {} at {} requires {:?} lacks {:?}", page.id, rule.url, page.requires, page.lacks);
    if !page.status.is_empty() {
        line += &format!(" status {:?}", page.status);
    }
    if page.login {
        line += " is the login";
    }
    if let Some(code) = page.failure {
        line += &format!(" is {code}");
    }
    for error in &page.errors {
        line += &format!(" is {} where {:?} stands at {:?}", error.code, error.folded, error.at);
    }
    if !page.feeds.is_empty() {
        line += &format!(" feeds {}", page.feeds.join(", "));
    }
    if let Some(empty) = &page.empty {
        line += &format!(" is empty by {empty:?}");
    }
    line
}

async fn results(folder: &Path, old: &Package, new: &Package) -> anyhow::Result<Vec<Compared>> {
    let collector = maintenance::desk(Compiler::this_program())?;
    let mut results = Vec::new();
    for recording in shelf::read(folder)? {
        let before = lines(&collector, old, &recording).await?;
        let after = lines(&collector, new, &recording).await?;
        results.push((recording.name.clone(), told::difference(&before, &after)));
    }
    Ok(results)
}

async fn lines(collector: &Collector, package: &Package, recording: &shelf::Recording) -> anyhow::Result<Vec<String>> {
    let replayed = collector.replay(package, &recording.tape, Matching::Lenient, Arc::new(Lines)).await?;
    Ok(shelf::lines(&replayed.collection))
}
