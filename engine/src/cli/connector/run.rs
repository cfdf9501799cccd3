//! `connector run`: one collection from the real Data Source, for its author's eyes.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use consentry_build::Profile;
use consentry_contract::failure::EXIT_PARTIAL;
use consentry_contract::plain::plain;
use consentry_tape::Tape;
use tokio::task::block_in_place;

use super::desk::{Desk, Hand, Lines};
use super::subject::{self, Subject};
use crate::author::{live, told};
use crate::collect::compile::Compiler;
use crate::collect::{Collection, Collector};

/// Most items of a run that are shown.
const ITEMS_MAX: usize = 40;
/// How often `--watch` looks for changes.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What to run.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The folder with the connector's source, or a file.
    #[arg(default_value = ".")]
    connector: PathBuf,
    #[command(flatten)]
    hand: Hand,
    /// Builds and runs again after each change of the source, until Ctrl-C.
    #[arg(long)]
    watch: bool,
    /// Shows no items.
    #[arg(long)]
    quiet: bool,
}

/// Where connectors run for their author.
pub(super) struct Bench {
    pub(super) collector: Collector,
}

impl Bench {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self { collector: live::collector(Compiler::this_program())? })
    }

    /// One collection, and what was taped of it.
    pub(super) async fn collect(&self, subject: &Subject, desk: &Desk) -> anyhow::Result<(Collection, Option<Tape>)> {
        let (package, trace) = (&subject.package, desk.trace());
        let (prompter, lines) = (desk.prompter(package.manifest().clone()), Arc::new(Lines));
        let collecting = live::collect(&self.collector, package, desk.wish()?, prompter, lines, trace.clone());
        tokio::select! {
            collected = collecting => Ok((collected?, trace.take())),
            () = desk.interrupt.asked() => bail!("interrupted"),
        }
    }
}

pub(super) async fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    // Whoever only looks once has what is published; whoever changes it wants to see the change at once.
    let profile = if options.watch { Profile::Quick } else { Profile::Shipped };
    let (bench, subject) = (Bench::new()?, block_in_place(|| subject::open(&options.connector, profile))?);
    let desk = Desk::sit(&options.hand, subject.package.manifest())?;
    let (collection, _) = bench.collect(&subject, &desk).await?;
    show(&collection, options.quiet, out)?;
    if options.watch {
        watch(options, &bench, subject, &desk, out).await?;
    }
    Ok(exit_code(&collection))
}

/// Again and again, until somebody interrupts.
async fn watch(
    options: &Options,
    bench: &Bench,
    mut subject: Subject,
    desk: &Desk,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let Some(project) = subject.project.clone() else { bail!("--watch needs the folder with the source") };
    let mut stamp = project.stamp();
    eprintln!("watching {}", project.folder().display());
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = desk.interrupt.asked() => return Ok(()),
        }
        let now = project.stamp();
        if now == stamp {
            continue;
        }
        (stamp, subject) = match block_in_place(|| subject::open(&options.connector, Profile::Quick)) {
            Ok(built) => (now, built),
            Err(error) => {
                eprintln!("{error:#}");
                stamp = now;
                continue;
            }
        };
        let began = Instant::now();
        match bench.collect(&subject, desk).await {
            Ok((collection, _)) => {
                show(&collection, options.quiet, out)?;
                writeln!(out, "watching; the run took {:.1} s", began.elapsed().as_secs_f64())?;
            }
            Err(_) if desk.interrupt.is_asked() => return Ok(()),
            Err(error) => eprintln!("{error:#}"),
        }
        out.flush()?;
    }
}

/// What came of it: the items, how it ended, and what its author may do about that.
pub(super) fn show(collection: &Collection, quiet: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if !quiet {
        let lines = told::items(&collection.items);
        for line in lines.iter().take(ITEMS_MAX) {
            writeln!(out, "{}", plain(line))?;
        }
        if lines.len() > ITEMS_MAX {
            writeln!(out, "… {} more", lines.len() - ITEMS_MAX)?;
        }
    }
    writeln!(out, "{}", told::outcome(collection))?;
    if let Some(failure) = collection.failure() {
        let row = failure.code.row();
        writeln!(out, "  {} ({} has to act)", row.author, row.blame.name())?;
    }
    for line in &collection.trace {
        writeln!(out, "  at {}", plain(line))?;
    }
    Ok(())
}

/// As `collect` ends.
pub(super) fn exit_code(collection: &Collection) -> ExitCode {
    ExitCode::from(match (&collection.result, collection.failure()) {
        (_, None) => 0,
        (Ok(_), Some(_)) => EXIT_PARTIAL,
        (Err(failure), _) => failure.exit_code(),
    })
}
