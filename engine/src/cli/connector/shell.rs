//! `connector shell`: the pages of one run, or of a recording, to try selectors on. The Data Source is asked once; what it answered is held in
//! memory until the shell is left.

use std::io::{BufRead as _, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use consentry_build::Profile;
use consentry_contract::document::{Column, Document, Format, Limits, Unmetered, charset};
use consentry_contract::plain::plain;
use consentry_tape::{Exchange, Tape};
use tokio::task::block_in_place;

use super::desk::{Desk, Hand};
use super::run::Bench;
use super::subject;
use crate::author::shelf;

/// Most rows, and lines of a page, that are shown at once.
const LINES_MAX: usize = 60;

const HELP: &str = "\
pages                        lists what came
page N                       takes another page
find SELECTOR [=> TAKE]      the first match: its text, or attr:NAME, url:href, html
rows SELECTOR => A | B       a row for each match, with a column for each selector after it
form SELECTOR                the form as it would be sent
shape                        the elements of the page, without texts
quit";

/// Which pages.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The folder with the connector's source, or a file.
    #[arg(default_value = ".")]
    connector: PathBuf,
    /// The pages of this recording, instead of a run.
    #[arg(long, value_name = "NAME")]
    recording: Option<String>,
    #[command(flatten)]
    hand: Hand,
}

pub(super) async fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let tape = tape(options).await?;
    let pages: Vec<&Exchange> = tape.exchanges().filter(|exchange| document(exchange).is_some()).collect();
    if pages.is_empty() {
        bail!("no page came");
    }
    list(&pages, out)?;
    let (mut at, attended) = (pages.len() - 1, std::io::stdin().is_terminal());
    loop {
        if attended {
            write!(out, "{}> ", at + 1)?;
            out.flush()?;
        }
        let mut line = String::new();
        if block_in_place(|| std::io::stdin().lock().read_line(&mut line))? == 0 || line.trim() == "quit" {
            return Ok(ExitCode::SUCCESS);
        }
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match word {
            "" => {}
            "pages" => list(&pages, out)?,
            "page" => match rest.trim().parse::<usize>() {
                Ok(number) if (1..=pages.len()).contains(&number) => at = number - 1,
                _ => writeln!(out, "from 1 to {}", pages.len())?,
            },
            _ => match document(pages[at]).context("the page can't be read")?.answer(word, rest.trim()) {
                Ok(lines) => lines.iter().try_for_each(|line| writeln!(out, "{}", plain(line)))?,
                Err(why) => writeln!(out, "{}", plain(&why))?,
            },
        }
    }
}

async fn tape(options: &Options) -> anyhow::Result<Tape> {
    if let Some(name) = &options.recording {
        let found = shelf::read(&options.connector)?.into_iter().find(|recording| recording.name == *name);
        return Ok(found.with_context(|| format!("there is no recording {name}"))?.tape);
    }
    let (bench, subject) = (Bench::new()?, block_in_place(|| subject::open(&options.connector, Profile::Shipped))?);
    let desk = Desk::sit(&options.hand, subject.package.manifest())?;
    bench.collect(&subject, &desk).await?.1.context("nothing came")
}

fn list(pages: &[&Exchange], out: &mut dyn Write) -> anyhow::Result<()> {
    for (at, exchange) in pages.iter().enumerate() {
        let page = exchange.page.as_deref().unwrap_or("-");
        writeln!(out, "{:>3}  {:<20} {} {}", at + 1, page, exchange.method, plain(&exchange.url))?;
    }
    Ok(())
}

/// The last answer, if it is a document.
fn document(exchange: &Exchange) -> Option<Shown> {
    let last = exchange.hops.last()?;
    let content_type = last.header("content-type").unwrap_or_default();
    let format = Format::of_content_type(content_type)?;
    let label = charset::label_of(content_type);
    let url = exchange.url.parse().ok();
    Document::parse(format, &last.body.0, label, url.as_ref(), &Limits::default(), &mut Unmetered).ok().map(Shown)
}

struct Shown(Document);

impl Shown {
    /// What a command finds, in lines; or what is wrong with it.
    fn answer(&self, word: &str, rest: &str) -> Result<Vec<String>, String> {
        let (at, take) = rest.split_once("=>").map_or((rest, None), |(at, take)| (at.trim(), Some(take.trim())));
        let lines = match word {
            "find" => self
                .0
                .find(at, take.unwrap_or("text"), &mut Unmetered)
                .map(|found| vec![found.unwrap_or_else(|| "nothing".to_owned())]),
            "rows" => self.rows(at, take.unwrap_or_default()),
            "form" => self.0.form(at, &mut Unmetered).map(|form| match form {
                Some(form) => {
                    let fields = form.fields.iter().map(|(name, value)| format!("  {name} = {value}"));
                    std::iter::once(format!("{} {}", form.method, form.action)).chain(fields).collect()
                }
                None => vec!["nothing".to_owned()],
            }),
            "shape" => self.0.outline(&mut Unmetered),
            _ => return Ok(HELP.lines().map(str::to_owned).collect()),
        };
        let mut lines = lines.map_err(|error| error.to_string())?;
        let more = lines.len().saturating_sub(LINES_MAX);
        lines.truncate(LINES_MAX);
        if more > 0 {
            lines.push(format!("… {more} more"));
        }
        Ok(lines)
    }

    fn rows(&self, at: &str, columns: &str) -> Result<Vec<String>, consentry_contract::document::DocumentError> {
        let column = |at: &str| Column { name: at.to_owned(), at: at.trim().to_owned(), take: "text".to_owned() };
        let columns: Vec<Column> = columns.split('|').map(column).collect();
        let rows = self.0.rows(at, &columns, &mut Unmetered)?;
        let cell = |cell: Option<String>| cell.unwrap_or_else(|| "(nothing)".to_owned());
        Ok(rows.into_iter().map(|row| row.into_iter().map(cell).collect::<Vec<_>>().join(" | ")).collect())
    }
}
