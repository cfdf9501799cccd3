//! What the terminal shows: the notice, progress, questions, the preview, the end. People read standard error and tables;
//! with `--json` nothing but the end is shown, on standard output.

use std::cell::RefCell;
use std::io::Write;
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use consentry_contract::failure::{Failure, Missing, Name, Text};
use consentry_contract::item::{Check, Field, minor_digits};
use consentry_contract::plain::plain;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{Ended, Options, Unwritable, words};
use crate::consent::Notice;
use crate::data::Category;
use crate::id::ReceiptId;
use crate::jose::jwk::jwks;
use crate::online_service::OnlineService;
use crate::receipt::file::ReceiptFile;
use crate::receipt::{self, Receipt};
use crate::session::events::Question;
use crate::session::state::State;

/// Most rows of one category in the preview's table; what is shared is in the file.
const ROWS_MAX: usize = 25;
/// Longest text in a cell, in characters.
const CELL_MAX: usize = 60;

/// The whole notice.
pub(super) fn notice(notice: &Notice, options: &Options) {
    if options.json {
        return;
    }
    for section in notice.sections(options.language.into()) {
        eprintln!("\n{}", section.title);
        for line in &section.lines {
            eprintln!("  - {line}");
        }
    }
    eprintln!("\nnotice {}\n", notice.digest());
}

/// A spinner for people, silence for machines.
pub(super) struct Progress {
    bar: ProgressBar,
    step: RefCell<String>,
}

impl Progress {
    pub(super) fn new(options: &Options) -> Self {
        let bar = if options.json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        // The template is a constant that the library accepts; its default would do as well.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar, step: RefCell::default() }
    }

    pub(super) fn state(&self, state: &State, options: &Options) {
        self.bar.set_message(options.say(&words::state(state)));
    }

    pub(super) fn step(&self, step: &str, options: &Options) {
        step.clone_into(&mut self.step.borrow_mut());
        self.bar.set_message(format!("{}: {step}", options.say(&words::COLLECTING)));
    }

    pub(super) fn count(&self, done: u32, total: u32, options: &Options) {
        let step = self.step.borrow();
        self.bar.set_message(format!("{}: {step} {done}/{total}", options.say(&words::COLLECTING)));
    }

    pub(super) fn waits(&self, ahead: u32, options: &Options) {
        self.bar.set_message(format!("{} ({ahead})", options.say(&words::QUEUE)));
    }

    /// Gets out of the way while somebody is asked.
    pub(super) fn pause<T>(&self, ask: impl FnOnce() -> T) -> T {
        self.bar.suspend(ask)
    }

    pub(super) fn say(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// What the connector asks.
pub(super) fn question(question: &Question, options: &Options) {
    if options.json {
        return;
    }
    eprintln!("\n{} ({}):", options.say(&words::ASKS), question.kind);
    for (name, value) in &question.details {
        // What a source or a connector writes is shown as text, never as control sequences of the terminal.
        eprintln!("  {}: {}", plain(name), plain(value));
    }
    if question.image.is_some() {
        eprintln!("  ({})", options.say(&words::IMAGE));
    }
}

/// A table for each category.
pub(super) fn preview(preview: &Value, options: &Options) {
    if options.json {
        return;
    }
    let items = preview["items"].as_array().map_or(&[][..], Vec::as_slice);
    for dataset in preview["datasets"].as_array().map_or(&[][..], Vec::as_slice) {
        let name = dataset["category"].as_str().unwrap_or_default();
        let Ok(category) = name.parse::<Category>() else { continue };
        let rows: Vec<&Value> = items.iter().filter(|item| item["category"] == dataset["category"]).collect();
        eprintln!(
            "\n{} ({}, {})",
            options.say(&category.row().label),
            rows.len(),
            dataset["result"].as_str().unwrap_or_default()
        );
        if !rows.is_empty() {
            eprintln!("{}", table(category, &rows, options));
        }
        if rows.len() > ROWS_MAX {
            eprintln!("… {} {}", rows.len() - ROWS_MAX, options.say(&words::MORE));
        }
    }
}

fn table(category: Category, rows: &[&Value], options: &Options) -> Table {
    let given = |name: &str| rows.iter().any(|row| !row["fields"][name].is_null());
    // References tie items to each other and say nothing to a person.
    let told = |field: &&Field| !matches!(field.check, Check::Ref) && given(field.name);
    let fields: Vec<&Field> = category.row().fields.iter().filter(told).collect();
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(fields.iter().map(|field| options.say(&field.label)));
    for row in rows.iter().take(ROWS_MAX) {
        table.add_row(fields.iter().map(|field| cell(field, &row["fields"])));
    }
    table
}

fn cell(field: &Field, fields: &Value) -> String {
    let text = match &fields[field.name] {
        Value::Number(number) => {
            let currency = field.currency().and_then(|name| fields[name].as_str().map(str::to_owned));
            money(number.as_i64(), currency.as_deref()).unwrap_or_else(|| number.to_string())
        }
        Value::Null => String::new(),
        Value::String(text) => plain(text).into_owned(),
        Value::Object(blob) => format!("({})", blob.get("media").and_then(Value::as_str).unwrap_or("document")),
        other => plain(&other.to_string()).into_owned(),
    };
    if text.chars().count() <= CELL_MAX { text } else { text.chars().take(CELL_MAX).chain(['…']).collect() }
}

/// An amount as people write it; nothing where the currency is not known.
fn money(minor_units: Option<i64>, currency: Option<&str>) -> Option<String> {
    let (amount, digits) = (minor_units?, usize::from(minor_digits(currency?)?));
    let sign = if amount < 0 { "-" } else { "" };
    let text = format!("{:0>1$}", amount.unsigned_abs(), digits + 1);
    let (whole, part) = text.split_at(text.len() - digits);
    Some(if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") })
}

/// The parcel waits for the one who fetches it.
pub(super) fn waiting(service: &OnlineService, options: &Options) {
    if !options.json {
        eprintln!("{} {}.", options.say(&words::WAITS), service.name());
    }
}

/// How it ended, and the receipts, with the keys that they are checked with: those of a command without a configuration die with it.
pub(super) fn end(ended: &Ended, options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    let session = &ended.session;
    let keys = jwks(&ended.keys, &ended.log_keys, &[]);
    if options.json {
        return end_in_json(ended, &keys, options, out);
    }
    let state = session.state();
    eprintln!("\n{}", options.say(&words::state(&state)));
    if let Some(failure) = session.failure() {
        let (what, next) = what_and_next(&failure, ended, options);
        eprintln!("  {what}\n  {next}");
        match &ended.error {
            Some(_) => eprintln!("  {}", failure.code),
            None => eprintln!("  {}: {}", failure.code, failure.code.row().author),
        }
        eprintln!("  {}", whereabouts(&failure));
    }
    if let (Some(file), State::Completed | State::Partial) = (&options.out, &state) {
        eprintln!("  {} {}", options.say(&words::DELIVERED_TO), file.display());
    }
    let receipts = &ended.receipts;
    for (id, file) in receipts {
        writeln!(out, "{} {id}\n{}", options.say(&words::RECEIPT), file.to_text())?;
        if let Some(facts) = Receipt::unverified(&file.receipt) {
            summary(&facts, options);
        }
    }
    if !receipts.is_empty() {
        eprintln!("{}", options.say(&words::SIGNED));
        writeln!(out, "{keys}")?;
    }
    Ok(())
}

fn end_in_json(ended: &Ended, keys: &Value, options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    let session = &ended.session;
    let receipt = |(id, file): &(ReceiptId, ReceiptFile)| json!({ "id": id, "facts": Receipt::unverified(&file.receipt), "token": file.receipt, "proofs": file.proofs });
    let receipts: Vec<Value> = ended.receipts.iter().map(receipt).collect();
    let mut told = json!({ "session": session.id(), "status": session.state(), "receipts": receipts, "jwks": keys });
    if let Some(error) = &ended.error {
        told["error"] = format!("{error:#}").into();
    }
    if let Some(failure) = session.failure() {
        told["failure"] = serde_json::to_value(&failure)?;
        let (what, next) = what_and_next(&failure, ended, options);
        told["failure"]["what"] = what.into();
        told["failure"]["next"] = next.into();
    }
    if let (Some(file), State::Completed | State::Partial) = (&options.out, session.state()) {
        told["file"] = json!(file);
    }
    writeln!(out, "{told}")?;
    Ok(())
}

/// What a person is told of a failure. Of a delivery to a file, the table of failures knows neither the file nor what is wrong with it.
fn what_and_next(failure: &Failure, ended: &Ended, options: &Options) -> (String, &'static str) {
    let row = failure.code.row();
    match ended.error.as_ref().and_then(|error| error.downcast_ref()) {
        Some(Unwritable { path, source }) => {
            let told = format!("{} {}: {source}", path.display(), options.say(&words::UNWRITABLE));
            (told, options.say(&words::ELSEWHERE))
        }
        None => (options.say(&row.what).to_owned(), options.say(&row.next)),
    }
}

/// Everything else that is known of a failure, in one line.
fn whereabouts(failure: &Failure) -> String {
    let (blame, stage, retry) = (failure.blame.name(), failure.stage.name(), failure.retry.name());
    let mut told = format!("blame: {blame}, stage: {stage}, retry: {retry}");
    let [page, limit] = [&failure.page, &failure.limit].map(|name| name.as_ref().map(Name::as_str));
    for (what, name) in [("page", page), ("missing", failure.missing.as_ref().map(Missing::as_str)), ("limit", limit)] {
        if let Some(name) = name {
            told.push_str(&format!(", {what}: {name}"));
        }
    }
    if let Some(milliseconds) = failure.retry_after_ms {
        told.push_str(&format!(", not before: {} s", milliseconds.div_ceil(1000)));
    }
    if let Some(claimed) = failure.claimed {
        told.push_str(&format!(", the connector said: {claimed}"));
    }
    told
}

/// The receipt in a few lines.
fn summary(facts: &receipt::Facts, options: &Options) {
    let say = |text: &Text| options.say(text);
    let code = facts.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
    let (from, to) = (say(&words::FROM), say(&words::TO));
    eprintln!("  {}{code}, {from} {} {to} {}", facts.outcome, facts.began_at, facts.ended_at);
    let (collected, shared) = (say(&words::COLLECTED), say(&words::SHARED));
    for counted in &facts.categories {
        eprintln!("  {}: {} {collected}, {} {shared}", counted.category, counted.collected, counted.shared);
    }
    if let Some(parcel) = &facts.parcel {
        let when = |at: Option<jiff::Timestamp>| at.map_or(say(&words::NEVER).to_owned(), |at| at.to_string());
        let (fetched, acknowledged) = (say(&words::FETCHED), say(&words::ACKNOWLEDGED));
        eprintln!("  {} {}", say(&words::PARCEL), parcel.digest);
        eprintln!("  {fetched} {}, {acknowledged} {}", when(parcel.fetched_at), when(parcel.acknowledged_at));
    }
    eprintln!("  {} {}: {}", say(&words::ERASED), facts.erased.at, facts.erased.parts.join(", "));
    for kept in &facts.kept {
        let always = say(&words::AS_LONG_AS_THE_LOG);
        let until = kept.until.map_or(always.to_owned(), |until| format!("{} {until}", say(&words::UNTIL)));
        eprintln!("  {} {until}: {} ({})", say(&words::KEPT), kept.what.join(", "), kept.row);
    }
    if facts.kept.is_empty() {
        eprintln!("  {}", say(&words::NOTHING_KEPT));
    }
    eprintln!("  {} {}", facts.leaves.len(), say(&words::LEAVES));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_shown_as_people_write_it() {
        for (minor_units, currency, shown) in [
            (-399, "EUR", "-3.99"),
            (123_456, "EUR", "1234.56"),
            (5, "EUR", "0.05"),
            (0, "EUR", "0.00"),
            (-1250, "JPY", "-1250"),
            (-5, "TND", "-0.005"),
        ] {
            assert_eq!(money(Some(minor_units), Some(currency)).as_deref(), Some(shown));
        }
        assert_eq!(money(Some(1), None), None);
        let category: Category = "bank.transaction".parse().unwrap();
        let fields = json!({ "amount": -399, "currency": "EUR", "label": "shop" });
        let shown = category.row().fields.iter().map(|field| cell(field, &fields));
        assert_eq!(shown.filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" "), "shop -3.99 EUR");
    }
}
