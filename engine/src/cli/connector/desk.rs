//! The author's terminal while a connector runs: the login and the questions are asked there, and every page is told as it comes. Nothing of
//! it is written anywhere.

use std::sync::{Arc, Mutex, PoisonError};

use consentry_contract::failure::Code;
use consentry_contract::manifest::{AnswerKind, FieldKind, Manifest};
use consentry_contract::plain::plain;
use consentry_host_api::ports::{Answer, Asked, Observer, Parts, Prompter, Question};
use consentry_host_api::tape::{Call, PageSeen, Recorder, TapeSink};
use consentry_tape::{Event, Exchange, Inputs, Tape};
use jiff::civil::Date;
use tokio::sync::oneshot;
use url::Url;
use zeroize::Zeroizing;

use crate::author::live::{Typed, Wish};
use crate::cli::interrupt::Interrupt;
use crate::cli::terminal::{FromFile, Given, Terminal};
use crate::consent::notice::Language;

/// What a run by hand is given.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Hand {
    /// The Data Source, by id; the first of the manifest, without it.
    #[arg(long, value_name = "ID")]
    source: Option<String>,
    /// Another base address of the Data Source.
    #[arg(long, value_name = "URL")]
    base: Option<Url>,
    /// What to collect; everything that the source has, without it. May be repeated.
    #[arg(long = "category", value_name = "NAME")]
    categories: Vec<String>,
    /// The first day of what is collected.
    #[arg(long, value_name = "DAY")]
    since: Option<Date>,
    /// A login field. Others on this machine can see it: for logins of nobody. May be repeated.
    #[arg(long = "field", value_name = "NAME=VALUE")]
    fields: Vec<Given>,
    /// A login field or an answer, from a file. May be repeated.
    #[arg(long = "field-file", value_name = "NAME=FILE")]
    field_files: Vec<FromFile>,
    /// An answer to a question, used once. May be repeated.
    #[arg(long = "answer", value_name = "NAME=VALUE")]
    answers: Vec<Given>,
    /// One of the operator's own secrets towards the Data Source, from a file. May be repeated.
    #[arg(long = "operator-file", value_name = "NAME=FILE")]
    operator_files: Vec<FromFile>,
    /// The language that the person reads.
    #[arg(long, default_value = "fr", value_name = "TAG")]
    language: String,
    /// Tells every call of the connector's, not only pages.
    #[arg(long)]
    calls: bool,
}

/// Whoever sits at the terminal, and what was typed there once for all runs.
pub(super) struct Desk {
    inputs: Hand,
    terminal: Arc<Mutex<Terminal>>,
    fields: Vec<Typed>,
    pub(super) interrupt: Interrupt,
}

impl Desk {
    /// Asks for the login, hidden where it is secret; what flags give is not asked for.
    pub(super) fn sit(inputs: &Hand, manifest: &Manifest) -> anyhow::Result<Self> {
        let interrupt = Interrupt::listen()?;
        let given: Vec<Given> = inputs.fields.iter().chain(&inputs.answers).cloned().collect();
        let mut terminal = Terminal::new(&given, &inputs.field_files, false, Language::En, interrupt.clone())?;
        let mut fields = Vec::new();
        for field in manifest.fields() {
            let name = field.name.as_str();
            let value = match terminal.take(name) {
                Some(value) => value,
                None if field.optional && !terminal.attended() => continue,
                None => terminal.answer(name, field.label.text("en"), field.kind == FieldKind::Secret)?,
            };
            fields.push((name.to_owned(), value));
        }
        Ok(Self { inputs: inputs.clone(), terminal: Arc::new(Mutex::new(terminal)), fields, interrupt })
    }

    /// What the next run is given.
    pub(super) fn wish(&self) -> anyhow::Result<Wish> {
        let operator = self.inputs.operator_files.iter().map(|file| Ok((file.name.clone(), file.read()?)));
        Ok(Wish {
            source: self.inputs.source.clone(),
            base: self.inputs.base.clone(),
            wanted: self.inputs.categories.iter().cloned().collect(),
            since: self.inputs.since,
            fields: self.fields.clone(),
            operator: operator.collect::<anyhow::Result<_>>()?,
            language: self.inputs.language.clone(),
        })
    }

    /// The way to the person: this terminal.
    pub(super) fn prompter(&self, manifest: Arc<Manifest>) -> Arc<dyn Prompter> {
        Arc::new(AtTerminal { terminal: self.terminal.clone(), manifest })
    }

    /// What tells each page, and keeps it.
    pub(super) fn trace(&self) -> Arc<Trace> {
        Arc::new(Trace { recorder: Recorder::default(), calls: self.inputs.calls })
    }

    /// Whether a text holds what was typed here.
    pub(super) fn typed_in(&self, text: &str) -> bool {
        let long = |value: &&Typed| value.1.len() > 3;
        self.fields
            .iter()
            .filter(long)
            .any(|(_, value)| std::str::from_utf8(value).is_ok_and(|value| text.contains(value)))
    }
}

struct AtTerminal {
    terminal: Arc<Mutex<Terminal>>,
    manifest: Arc<Manifest>,
}

impl Prompter for AtTerminal {
    fn ask(&self, question: Question) -> Result<Asked, Code> {
        eprintln!("? {}", question.kind);
        for (name, value) in &question.details {
            // What a source or a connector writes is shown as text, never as control sequences of the terminal.
            eprintln!("    {}: {}", plain(name), plain(value));
        }
        if question.image.is_some() {
            eprintln!("    (an image, which a terminal can't show)");
        }
        let answers = self.manifest.answers().iter().filter(|answer| answer.prompt.as_str() == question.kind);
        let parts: Vec<(String, String, bool)> = answers
            .map(|answer| {
                (answer.name.to_string(), answer.label.text("en").to_owned(), answer.kind == AnswerKind::Secret)
            })
            .collect();
        let (send, answer) = oneshot::channel();
        if parts.is_empty() {
            eprintln!("    answer it there; this goes on by itself");
            // Nobody answers here, so the question stays open as long as it is shown.
            return Ok(Asked { answer, shown: Box::new(Mutex::new(send)) });
        }
        let terminal = self.terminal.clone();
        // A guest asks outside of any runtime, and the terminal is waited for.
        std::thread::spawn(move || {
            let mut terminal = terminal.lock().unwrap_or_else(PoisonError::into_inner);
            let ask = |(name, label, secret): (String, String, bool)| {
                let value: Zeroizing<Vec<u8>> = terminal.answer(&name, &label, secret)?;
                anyhow::Ok((name, value))
            };
            let given: anyhow::Result<Parts> = parts.into_iter().map(ask).collect();
            let given = given.map_or_else(
                |error| {
                    eprintln!("    {error:#}");
                    Answer::Denied
                },
                |parts| Answer::Given(parts.into()),
            );
            // The run may have ended meanwhile.
            let _ = send.send(given);
        });
        Ok(Asked { answer, shown: Box::new(()) })
    }
}

/// Tells what comes from outside, and keeps it.
pub(super) struct Trace {
    recorder: Recorder,
    calls: bool,
}

impl Trace {
    /// What was kept.
    pub(super) fn take(&self) -> Option<Tape> {
        self.recorder.take()
    }
}

impl TapeSink for Trace {
    fn begins(&self, inputs: Inputs) {
        self.recorder.begins(inputs);
    }

    fn call(&self, call: Call) {
        if self.calls {
            eprintln!(
                "      {}.{}{}",
                call.capability,
                call.function,
                if call.granted { "" } else { " (not granted)" }
            );
        }
        self.recorder.call(call);
    }

    fn refused(&self, ordinal: u64, code: Code) {
        self.recorder.refused(ordinal, code);
    }

    fn page(&self, seen: PageSeen) {
        let page = seen.page.as_deref().unwrap_or("no page of the manifest");
        eprintln!("  {:<28} {} {page}", short(&seen.url), seen.status);
        self.recorder.page(seen);
    }

    fn page_failed(&self, reason: &str) {
        eprintln!("  the page did not do it: {}", plain(reason));
        self.recorder.page_failed(reason);
    }

    fn outside(&self, what: Event) {
        match &what {
            Event::Http(exchange) => told(exchange),
            Event::Prompt { how, .. } => eprintln!("  the person: {}", how.name()),
            Event::Clock(_) | Event::Random(_) | Event::Page(_) => {}
        }
        self.recorder.outside(what);
    }
}

fn told(exchange: &Exchange) {
    let asked = format!("{} {}", exchange.method, short(&exchange.url));
    let hops: Vec<String> = exchange.hops.iter().map(|hop| hop.status.to_string()).collect();
    let page = match (&exchange.failure, &exchange.page) {
        (Some(failure), _) => failure.as_str(),
        (None, Some(page)) => page.as_str(),
        (None, None) => "no page of the manifest",
    };
    eprintln!("  {asked:<40} {:<12} {page}", hops.join(" > "));
    exchange.secrets.iter().for_each(|secret| eprintln!("      with {secret}"));
}

/// The path of a URL.
fn short(url: &str) -> String {
    plain(Url::parse(url).as_ref().map_or(url, Url::path)).into_owned()
}

/// Tells the connector's own lines, and what the host refuses.
pub(super) struct Lines;

impl Observer for Lines {
    fn step(&self, id: &str) {
        eprintln!("{id}");
    }
    fn count(&self, done: u32, total: u32) {
        eprintln!("  {done} of {total}");
    }
    fn login_submitted(&self) {}
    fn authenticated(&self) {
        eprintln!("  the login worked; its fields are destroyed");
    }
    fn log(&self, level: &str, text: &str) {
        eprintln!("  {level}: {}", plain(text));
    }
    fn refused(&self, code: Code, text: &str) {
        eprintln!("  refused, {code}: {}", plain(text));
    }
}
