//! What the terminal shows: the notice, progress, questions, the preview, the end. People read standard error and tables;
//! with `--json` nothing but the end is shown, on standard output.

use std::cell::RefCell;
use std::io::Write;
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use consentry_contract::failure::{Failure, Text};
use consentry_contract::item::{Check, Field, minor_digits};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::Options;
use crate::consent::Notice;
use crate::consent::notice::Language;
use crate::data::Category;
use crate::online_service::OnlineService;
use crate::receipt;
use crate::session::Session;
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

    pub(super) fn state(&self, state: &State) {
        self.bar.set_message(state.name());
    }

    pub(super) fn step(&self, step: &str) {
        step.clone_into(&mut self.step.borrow_mut());
        self.bar.set_message(format!("collecting: {step}"));
    }

    pub(super) fn count(&self, done: u32, total: u32) {
        self.bar.set_message(format!("collecting: {} {done}/{total}", self.step.borrow()));
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
    eprintln!("\nThe source asks ({}):", question.kind);
    for (name, value) in &question.details {
        // What a source writes is shown as text, never as control sequences of the terminal.
        eprintln!("  {name}: {}", plain(value));
    }
    if question.image.is_some() {
        eprintln!("  (an image, which this terminal can't show)");
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
            label(&category.row().label, options),
            rows.len(),
            dataset["result"].as_str().unwrap_or_default()
        );
        if !rows.is_empty() {
            eprintln!("{}", table(category, &rows, options));
        }
        if rows.len() > ROWS_MAX {
            eprintln!("… and {} more", rows.len() - ROWS_MAX);
        }
    }
}

fn label(text: &Text, options: &Options) -> &'static str {
    match options.language.into() {
        Language::En => text.en,
        Language::Fr => text.fr,
    }
}

fn table(category: Category, rows: &[&Value], options: &Options) -> Table {
    let given = |name: &str| rows.iter().any(|row| !row["fields"][name].is_null());
    // References tie items to each other and say nothing to a person.
    let told = |field: &&Field| !matches!(field.check, Check::Ref) && given(field.name);
    let fields: Vec<&Field> = category.row().fields.iter().filter(told).collect();
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(fields.iter().map(|field| label(&field.label, options)));
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
        Value::String(text) => plain(text),
        Value::Object(blob) => format!("({})", blob.get("media").and_then(Value::as_str).unwrap_or("document")),
        other => other.to_string(),
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

/// Without control characters.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The parcel waits for the one who fetches it.
pub(super) fn waiting(service: &OnlineService, options: &Options) {
    if !options.json {
        eprintln!("The parcel waits for {}.", service.name());
    }
}

/// How it ended, and the receipts.
pub(super) fn end(session: &Session, options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    if options.json {
        let receipt = |(id, token): (_, String)| json!({ "id": id, "facts": facts(&token), "token": token });
        let receipts: Vec<Value> = session.receipts().into_iter().map(receipt).collect();
        let mut told = json!({ "session": session.id(), "status": session.state(), "receipts": receipts });
        if let Some(failure) = session.failure() {
            let row = failure.code.row();
            told["failure"] = serde_json::to_value(&failure)?;
            told["failure"]["what"] = row.what.en.into();
            told["failure"]["next"] = row.next.en.into();
        }
        if let Some(file) = &options.out {
            told["file"] = json!(file);
        }
        writeln!(out, "{told}")?;
        return Ok(());
    }
    let state = session.state();
    eprintln!("\n{}", state.name());
    if let Some(failure) = session.failure() {
        let row = failure.code.row();
        eprintln!("  {}\n  {}\n  {}: {}", row.what.en, row.next.en, failure.code, row.author);
        eprintln!("  {}", whereabouts(&failure));
    }
    if let (Some(file), State::Completed | State::Partial) = (&options.out, &state) {
        eprintln!("  delivered to {}", file.display());
    }
    for (id, token) in session.receipts() {
        writeln!(out, "receipt {id}\n{token}")?;
        if let Some(facts) = facts(&token) {
            summary(&facts);
        }
    }
    Ok(())
}

/// Everything else that is known of a failure, in one line.
fn whereabouts(failure: &Failure) -> String {
    let mut told = format!("blame: {:?}, stage: {:?}, retry: {:?}", failure.blame, failure.stage, failure.retry);
    let named = [("page", &failure.page), ("missing", &failure.missing), ("limit", &failure.limit)];
    for (what, name) in named {
        if let Some(name) = name {
            told.push_str(&format!(", {what}: {}", name.as_str()));
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
fn summary(facts: &receipt::Facts) {
    let code = facts.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
    eprintln!("  {}{code}, from {} to {}", facts.outcome, facts.began_at, facts.ended_at);
    for counted in &facts.categories {
        eprintln!("  {}: {} collected, {} shared", counted.category, counted.collected, counted.shared);
    }
    if let Some(parcel) = &facts.parcel {
        let when = |at: Option<jiff::Timestamp>| at.map_or("never".to_owned(), |at| at.to_string());
        eprintln!("  parcel {}", parcel.digest);
        eprintln!("  fetched {}, acknowledged {}", when(parcel.fetched_at), when(parcel.acknowledged_at));
    }
    eprintln!("  erased {}: {}", facts.erased.at, facts.erased.parts.join(", "));
    for kept in &facts.kept {
        let until = kept.until.map_or("as long as the log".to_owned(), |until| format!("until {until}"));
        eprintln!("  kept {until}: {} ({})", kept.what.join(", "), kept.row);
    }
    eprintln!("  {} entries in the ledger", facts.leaves.len());
}

/// What a receipt says, for reading along. It was signed in this process a moment ago; nothing is verified here.
fn facts(token: &str) -> Option<receipt::Facts> {
    use base64::Engine as _;
    let payload = token.split('.').nth(1)?;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice(&bytes).ok()
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
