//! `connector record`: a run kept as a recording. It is made synthetic and played at once: only one that comes to the same is kept.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use consentry_host_api::tape::Matching;
use consentry_tape::{Allowed, redact_with};
use serde_json::json;
use tokio::task::block_in_place;

use super::desk::{Desk, Hand, Lines};
use super::run::{self, Bench};
use super::subject;
use crate::author::shelf::{self, Recording};
use crate::author::told;

/// What to record.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The folder with the connector's source.
    #[arg(default_value = ".")]
    connector: PathBuf,
    /// The name of the recording: a state of the acceptance suite, or any other.
    #[arg(long = "as", value_name = "NAME", default_value = "ok")]
    name: String,
    /// Records this built connector, for the shelf of the folder.
    #[arg(long, value_name = "FILE")]
    built: Option<PathBuf>,
    #[command(flatten)]
    hand: Hand,
}

pub(super) async fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(
        options.name.chars().all(plain) && !options.name.is_empty(),
        "a recording's name has small letters and dashes"
    );
    let (bench, subject) =
        (Bench::new()?, block_in_place(|| subject::of(&options.connector, options.built.as_deref()))?);
    let (folder, package) = (subject.folder(), &subject.package);
    let desk = Desk::sit(&options.hand, package.manifest())?;
    let (collection, tape) = bench.collect(&subject, &desk).await?;
    run::show(&collection, true, out)?;
    let tape = tape.context("nothing was taped")?;
    if tape.cut {
        bail!("this run can't be recorded: it received more than a recording holds");
    }
    let plan = package.plan(&tape.inputs.source, tape.inputs.base.parse().ok().as_ref())?;
    let read_pdf = |file: &[u8]| consentry_pdf::lines(file.to_vec()).ok();
    let redacted = block_in_place(|| redact_with(&tape, &Allowed::of(package.manifest(), &plan), &read_pdf));
    ensure!(
        !desk.typed_in(&serde_json::to_string(&redacted.tape)?),
        "what was typed stands in the recording; nothing is kept. A login that is an ordinary word stands in names of the site's, too: take another one"
    );
    let replayed = bench.collector.replay(package, &redacted.tape, Matching::Strict, Arc::new(Lines)).await?;
    let (was, is) = (told::outcome(&collection), told::outcome(&replayed.collection));
    if was != is {
        bail!(
            "the recording, with every value replaced, does not come to the same; nothing is kept\n  it came to   {was}\n  it comes to  \
             {is}\nname the words that the connector looks for in `literals` of the manifest"
        );
    }
    let expected = shelf::lines(&replayed.collection);
    let path = shelf::write(&folder, &Recording { name: options.name.clone(), tape: redacted.tape, expected })?;
    writeln!(out, "{}: nobody's values are in it; what stayed, by reason:", path.display())?;
    for (rule, bytes) in &redacted.kept {
        writeln!(out, "  {bytes:>7} bytes  {}", json!(rule).as_str().unwrap_or_default())?;
    }
    Ok(ExitCode::SUCCESS)
}
