//! What stands where the host is, in tests of a connector's pages: [`document`] reads a kept page, the connector's own functions take it
//! apart, [`items`] tells what they emitted. Documents are asked and items checked by the host's own code. It is there only where no
//! connector runs: outside of WebAssembly. Nothing is sent, and no secret is there.
//!
//! Each test has a thread, and each thread a run of its own: everything is wanted until [`want`] says what is.

use std::cell::RefCell;

use consentry_contract::document::{self as tree, DocumentError, Format, Limits, Unmetered};
use consentry_contract::item::{Item, RunItems, Value, category};
use jiff::Timestamp;

use crate::contract::document::{Column, Document as InHost, Form};
use crate::fault::{Code, Fault, Result};

/// Items are checked as if it were this day.
const OBSERVED: Timestamp = Timestamp::constant(4_102_444_800, 0);
/// Where a run collects from.
const BASE: &str = "https://source.example";

#[derive(Default)]
struct Run {
    wanted: Option<Vec<String>>,
    since: Option<String>,
    items: RunItems,
    older: Vec<String>,
    partial: Vec<String>,
}

thread_local! {
    static RUN: RefCell<Run> = RefCell::default();
}

/// Only these categories are consented to.
pub fn want(categories: &[&str]) {
    RUN.with_borrow_mut(|run| run.wanted = Some(categories.iter().map(|name| (*name).to_owned()).collect()));
}

/// Nothing older than this day is consented to.
pub fn since(day: &str) {
    RUN.with_borrow_mut(|run| run.since = Some(day.to_owned()));
}

/// What was emitted so far, an item in a line: `category field=value …`.
#[must_use]
pub fn items() -> Vec<String> {
    RUN.with_borrow(|run| run.items.items().iter().map(line).collect())
}

/// The categories of which something was left out as older than [`since`].
#[must_use]
pub fn older() -> Vec<String> {
    RUN.with_borrow(|run| run.older.clone())
}

/// The categories that are partial, in the order in which they became so.
#[must_use]
pub fn partial() -> Vec<String> {
    RUN.with_borrow(|run| run.partial.clone())
}

fn line(item: &Item) -> String {
    let mut line = item.category().name.to_owned();
    for (field, value) in item.fields() {
        let value = match value {
            Value::Text(text) | Value::Decimal(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Date(date) => date.to_string(),
            Value::Instant(instant) => instant.to_string(),
            Value::Flag(flag) => flag.to_string(),
            Value::Blob { media, .. } => media.name().to_owned(),
        };
        line += &format!(" {}={value}", field.name);
    }
    line
}

/// A kept page, as the source would have answered it at this path: `html`, `xml` or `json`.
///
/// # Errors
/// `value-unparsable` if it is nothing of that format.
pub fn document(format: &str, path: &str, source: &str) -> Result<Document> {
    let format = format.parse::<Format>().map_err(|error| fault(&error))?;
    let url = format!("{BASE}{path}").parse().ok();
    let parsed = tree::Document::parse(
        format,
        source.as_bytes(),
        Some("utf-8"),
        url.as_ref(),
        &Limits::default(),
        &mut Unmetered,
    );
    Ok(Document(Some(parsed.map_err(|error| fault(&error))?)))
}

fn fault(error: &DocumentError) -> Fault {
    Code::ValueUnparsable.fault(error.to_string())
}

/// A document that is read here instead of in the host.
#[derive(Debug)]
pub struct Document(Option<tree::Document>);

impl From<InHost> for Document {
    /// There is no host that could have answered one.
    fn from(_: InHost) -> Self {
        Self(None)
    }
}

/// As the contract has them.
impl Document {
    fn ask<T>(&self, question: impl FnOnce(&tree::Document) -> Result<T, DocumentError>) -> Result<T> {
        let read = self.0.as_ref().ok_or_else(|| Code::Unclassified.fault("there is no host here"))?;
        question(read).map_err(|error| Code::InvalidArgument.fault(error.to_string()))
    }

    /// None: no manifest recognises it here.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        None
    }

    /// The first match.
    ///
    /// # Errors
    /// For a selector that is none.
    pub fn find(&self, at: &str, take: &str) -> Result<Option<String>> {
        self.ask(|document| document.find(at, take, &mut Unmetered))
    }

    /// The first match, which must be there.
    ///
    /// # Errors
    /// `page-unrecognised`.
    pub fn need(&self, name: &str, at: &str, take: &str) -> Result<String> {
        self.find(at, take)?.ok_or_else(|| self.missing(name))
    }

    /// The fault for something that is not there.
    #[must_use]
    pub fn missing(&self, name: &str) -> Fault {
        Code::PageUnrecognised.fault(format!("missing: {name}"))
    }

    /// A whole table.
    ///
    /// # Errors
    /// For a selector that is none.
    pub fn rows(&self, at: &str, columns: &[Column]) -> Result<Vec<Vec<Option<String>>>> {
        self.ask(|document| document.rows(at, &own(columns), &mut Unmetered))
    }

    /// A whole table in two pieces.
    ///
    /// # Errors
    /// For a selector that is none.
    pub fn cells(&self, at: &str, columns: &[Column]) -> Result<(String, Vec<Option<u32>>)> {
        self.ask(|document| document.cells(at, &own(columns), &mut Unmetered))
    }

    /// What a form would submit.
    ///
    /// # Errors
    /// `page-unrecognised` if it is not there.
    pub fn form(&self, name: &str, at: &str) -> Result<Form> {
        let form = self.ask(|document| document.form(at, &mut Unmetered))?.ok_or_else(|| self.missing(name))?;
        let tree::Form { action, method, encoding, charset, fields } = &form;
        let [action, method, encoding, charset] = [action, method, encoding, charset].map(Clone::clone);
        Ok(Form { action, method, encoding, charset, fields: fields.clone() })
    }

    /// A view of each match.
    ///
    /// # Errors
    /// For a selector that is none.
    pub fn parts(&self, at: &str) -> Result<Vec<Self>> {
        let parts = self.ask(|document| document.parts(at, &mut Unmetered))?;
        Ok(parts.into_iter().map(|part| Self(Some(part))).collect())
    }

    /// A document inside this one.
    ///
    /// # Errors
    /// `page-unrecognised` if it is not there.
    pub fn nested(&self, at: &str, format: &str) -> Result<Self> {
        let format = format.parse::<Format>().map_err(|error| fault(&error))?;
        let nested = self.ask(|document| document.nested(at, format, &mut Unmetered))?;
        nested.map(|nested| Self(Some(nested))).ok_or_else(|| self.missing("nested-document"))
    }
}

fn own(columns: &[Column]) -> Vec<tree::Column> {
    let own = |Column { name, at, take }: &Column| {
        let [name, at, take] = [name, at, take].map(Clone::clone);
        tree::Column { name, at, take }
    };
    columns.iter().map(own).collect()
}

/// As the contract's `job`.
pub mod job {
    use super::{BASE, RUN};

    /// Whether the person consented to this category.
    #[must_use]
    pub fn wanted(category: &str) -> bool {
        RUN.with_borrow(|run| run.wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|name| name == category)))
    }

    /// First day that the person consented to.
    #[must_use]
    pub fn since() -> Option<String> {
        RUN.with_borrow(|run| run.since.clone())
    }

    /// Where a run collects from.
    #[must_use]
    pub fn base() -> String {
        BASE.to_owned()
    }

    /// Id of the Data Source.
    #[must_use]
    pub fn source() -> String {
        "native".to_owned()
    }

    /// None: a kept page needs no parameter.
    #[must_use]
    pub fn param(_: &str) -> Option<String> {
        None
    }

    /// Nobody is there.
    #[must_use]
    pub fn attended() -> bool {
        false
    }

    /// Language of the person.
    #[must_use]
    pub fn language() -> String {
        "fr".to_owned()
    }
}

/// As the contract's `log`: lines go to the test's own output.
pub mod log {
    /// Writes one.
    pub fn write(level: &str, text: &str) {
        eprintln!("{level}: {text}");
    }
}

/// As the contract's `output`.
pub mod output {
    use consentry_contract::item::{Columns, FieldError, Item, RawValue};

    use jiff::civil::Date;

    pub use crate::contract::output::Value;

    use super::{OBSERVED, RUN, category, job};
    use crate::fault::{Code, Fault, Result};

    /// Takes one item in.
    ///
    /// # Errors
    /// As the host: what is wrong, or not wanted.
    pub fn emit(name: &str, fields: &[(String, Value<'_>)]) -> Result {
        let (names, values): (Vec<_>, Vec<_>) =
            fields.iter().map(|(name, value)| (name.clone(), Some(raw(value)))).unzip();
        let columns = Columns::of(name, names).map_err(|error| refused(name, &[error]))?;
        let day = columns.day(|at| if let RawValue::Date(day) = values.get(at)?.as_ref()? { Some(day) } else { None });
        if left_out(name, day) { Ok(()) } else { take_in(name, columns.check(values, OBSERVED)) }
    }

    /// Takes items in.
    ///
    /// # Errors
    /// As the host.
    pub fn emit_all(name: &str, fields: &[String], text: &str, lengths: &[Option<u32>]) -> Result<Vec<(u32, Fault)>> {
        let columns = Columns::of(name, fields.to_vec()).map_err(|error| refused(name, &[error]))?;
        let (mut end, mut faults) = (0, Vec::new());
        for (place, lengths) in (0..).zip(lengths.chunks(fields.len().max(1))) {
            let cells = lengths.iter().map(|length| {
                let begin = end;
                end += (*length)? as usize;
                text.get(begin..end)
            });
            let cells: Vec<Option<&str>> = cells.collect();
            if !left_out(name, columns.day(|at| *cells.get(at)?)) {
                let taken = take_in(name, columns.read(cells.into_iter(), OBSERVED));
                faults.extend(taken.err().map(|fault| (place, fault)));
            }
        }
        Ok(faults)
    }

    /// Remembers that a dataset is not whole.
    ///
    /// # Errors
    /// None here.
    pub fn partial(name: &str, _: &Fault) -> Result {
        RUN.with_borrow_mut(|run| {
            if !run.partial.iter().any(|known| known == name) {
                run.partial.push(name.to_owned());
            }
        });
        Ok(())
    }

    /// As the host: what is older than the consent allows is not taken.
    fn left_out(name: &str, day: Option<Date>) -> bool {
        RUN.with_borrow_mut(|run| {
            let since = run.since.as_ref().and_then(|since| since.parse().ok());
            let older = since.zip(day).is_some_and(|(since, day): (Date, Date)| day < since);
            if older && !run.older.iter().any(|known| known == name) {
                run.older.push(name.to_owned());
            }
            older
        })
    }

    fn take_in(name: &str, item: Result<Item, Vec<FieldError>>) -> Result {
        if !job::wanted(name) {
            return Err(Code::CapabilityDenied.fault(format!("{name} is not wanted")));
        }
        let item = item.map_err(|errors| refused(name, &errors))?;
        RUN.with_borrow_mut(|run| {
            if run.items.items().is_empty() {
                // What refers to something is only checked where that is wanted as well.
                let wanted: Vec<_> = run.wanted.iter().flatten().filter_map(|name| category(name)).collect();
                run.items = consentry_contract::item::RunItems::new(&wanted);
            }
            run.items.add(item)
        })
        .map_err(|error| refused(name, &[error]))
    }

    fn refused(name: &str, errors: &[FieldError]) -> Fault {
        let text = errors.iter().map(FieldError::to_string).collect::<Vec<_>>().join("; ");
        let fault = Code::ValueUnparsable.fault(text);
        // Nothing is lost that could be: the dataset is remembered above all.
        drop(partial(name, &fault));
        fault
    }

    fn raw(value: &Value<'_>) -> RawValue {
        match value {
            Value::Text(text) => RawValue::Text(text.clone()),
            Value::Integer(number) => RawValue::Integer(*number),
            Value::Decimal(text) => RawValue::Decimal(text.clone()),
            Value::Date(text) => RawValue::Date(text.clone()),
            Value::Instant(text) => RawValue::Instant(text.clone()),
            Value::Flag(flag) => RawValue::Flag(*flag),
            // Bytes are in a host that is not here.
            Value::Blob(_) => RawValue::Blob(Default::default()),
        }
    }
}
