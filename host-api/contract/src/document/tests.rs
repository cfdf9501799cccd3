//! Every test asks through these few functions.

mod asking;
mod charsets;
mod cutting;
mod forms;
mod hostile;
mod json;

use url::Url;

use super::{Column, Document, DocumentError, Exhausted, Format, Hit, Limits, Meter, Shown, Unmetered};

const PAGE: &str = "https://bank.example/accounts/list?page=1";

fn open(format: Format, source: &str) -> Document {
    let url = Url::parse(PAGE).unwrap();
    Document::parse(format, source.as_bytes(), Some("utf-8"), Some(&url), &Limits::default(), &mut Unmetered).unwrap()
}

fn html(source: &str) -> Document {
    open(Format::Html, source)
}

fn xml(source: &str) -> Document {
    open(Format::Xml, source)
}

fn json(source: &str) -> Document {
    open(Format::Json, source)
}

/// The first match, `"-"` if there is none.
#[track_caller]
fn check(document: &Document, at: &str, take: &str, expected: &str) {
    let found = document.find(at, take, &mut Unmetered).unwrap();
    assert_eq!(found.as_deref().unwrap_or("-"), expected, "at {at:?} take {take:?}");
}

/// Allows so many checks.
struct Allowance(u32);

impl Meter for Allowance {
    fn check(&mut self) -> Result<(), Exhausted> {
        self.0 = self.0.checked_sub(1).ok_or(Exhausted)?;
        Ok(())
    }
}
