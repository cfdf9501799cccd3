//! Documents: limits hold, no piece of work is long, an answer is never half an answer, a document that is written out reads back as
//! itself, what is cut is gone; and two other readers, of HTML and of JSON, see the same.

mod html;
mod json;

use std::time::Duration;

use consentry_contract::document::{Column, Document, DocumentError, Exhausted, Format, Limits, Meter, Unmetered};
use url::Url;

use crate::bound::{cpu, within};

/// Most CPU time between two looks at the meter, in milliseconds.
const GAP_MILLISECONDS: u64 = 60;
/// Largest source that is looked at here: the rest is repetition.
const SOURCE_BYTES: usize = 64 * 1024;
const PLACEHOLDER: &str = "cut";

/// What is asked of a document.
#[derive(Debug)]
struct Question<'a> {
    format: Format,
    charset: Option<&'a str>,
    limits: Limits,
    at: &'a str,
    take: &'a str,
    source: &'a [u8],
}

/// Takes lines: format, charset (or `-`) and a digit for how tight the limits are, with blanks between them; where; what is taken; and
/// then the source.
pub fn check(data: &[u8]) {
    let Some(question) = question(data) else { return };
    let mut watch = Watch::default();
    let Ok(document) = question.open(&mut watch) else { return };
    watch.look();
    size(&document, &question);
    asked(&document, &question);
    interrupted(&document, &question);
    written_out(&document, &question);
    cut(&document, &question);
    match question.format {
        Format::Html => html::agrees(&document, &question),
        Format::Json => json::agrees(&document, &question),
        Format::Xml => {}
    }
}

fn question(data: &[u8]) -> Option<Question<'_>> {
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let mut line = || std::str::from_utf8(lines.next()?).ok();
    let (head, at, take) = (line()?, line()?, line()?);
    let source = lines.next()?;
    let mut words = head.split(' ');
    let format = words.next()?.parse().ok()?;
    let charset = words.next().filter(|charset| *charset != "-");
    let tight: u32 = words.next().and_then(|digit| digit.parse().ok()).unwrap_or(9);
    (source.len() <= SOURCE_BYTES && tight <= 9).then(|| {
        let limits = match tight {
            9 => Limits::default(),
            tight => Limits {
                nodes: 8 << tight,
                depth: 4 << tight,
                json_depth: 2 + tight as usize,
                attributes: 1 + tight as usize,
                text_bytes: 64 << tight,
                steps: 2048 << tight,
                answer_bytes: 128 << tight,
                ..Limits::default()
            },
        };
        Question { format, charset, limits, at, take, source }
    })
}

impl Question<'_> {
    fn open(&self, meter: &mut dyn Meter) -> Result<Document, DocumentError> {
        let url = Url::parse("https://bank.example/accounts?page=1").ok();
        Document::parse(self.format, self.source, self.charset, url.as_ref(), &self.limits, meter)
    }

    fn again(&self, source: &str) -> Result<Document, DocumentError> {
        let limits = Limits::default();
        let url = Url::parse("https://bank.example/accounts?page=1").ok();
        Document::parse(self.format, source.as_bytes(), Some("utf-8"), url.as_ref(), &limits, &mut Unmetered)
    }
}

/// Stops the CPU time between two looks at the meter.
struct Watch {
    last: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        Self { last: cpu() }
    }
}

impl Watch {
    #[track_caller]
    fn look(&mut self) {
        let now = cpu();
        within("a piece of work", now.saturating_sub(self.last), GAP_MILLISECONDS);
        self.last = now;
    }
}

impl Meter for Watch {
    fn check(&mut self) -> Result<(), Exhausted> {
        self.look();
        Ok(())
    }
}

/// Allows so many looks.
struct Allowance(u32);

impl Meter for Allowance {
    fn check(&mut self) -> Result<(), Exhausted> {
        self.0 = self.0.checked_sub(1).ok_or(Exhausted)?;
        Ok(())
    }
}

/// Memory is bounded by the limits: 64 bytes for a node, 32 for a value, and the texts.
fn size(document: &Document, question: &Question<'_>) {
    let Limits { nodes, text_bytes, .. } = question.limits;
    let bound = match question.format {
        // Undecodable bytes become three each.
        Format::Json => 3 * question.source.len() + 32 * nodes + 1024,
        _ => 72 * nodes + text_bytes + 1024,
    };
    assert!(document.approximate_bytes() <= bound, "{} bytes, bound {bound}", document.approximate_bytes());
}

type Answers = (
    Result<Option<String>, DocumentError>,
    Result<Vec<String>, DocumentError>,
    Result<Vec<Vec<Option<String>>>, DocumentError>,
    Result<bool, DocumentError>,
    Result<String, DocumentError>,
);

fn answers(document: &Document, question: &Question<'_>, meter: &mut dyn Meter) -> Answers {
    let Question { at, take, .. } = question;
    let column = Column { name: "it".to_owned(), at: String::new(), take: (*take).to_owned() };
    (
        document.find(at, take, meter),
        document.text_of(at, meter),
        document.rows(at, &[column], meter),
        document.exists(at, meter),
        document.source(meter),
    )
}

/// Every way of asking tells the same, within its bounds.
fn asked(document: &Document, question: &Question<'_>) {
    let Question { at, take, limits, .. } = question;
    let mut watch = Watch::default();
    let (found, texts, rows, exists, source) = answers(document, question, &mut watch);
    watch.look();
    let _ = document.form(at, &mut watch);
    let _ = document.nested(at, Format::Json, &mut watch);
    let _ = document.nested(at, Format::Html, &mut watch);
    watch.look();
    for bytes in
        [&found.as_ref().ok().and_then(|found| found.as_ref().map(String::len)), &source.as_ref().ok().map(|_| 0)]
    {
        assert!(bytes.unwrap_or_default() <= limits.answer_bytes);
    }
    assert!(texts.as_ref().map_or(0, |texts| texts.iter().map(String::len).sum()) <= limits.answer_bytes);
    let Ok(rows) = rows else { return };
    assert!(rows.iter().flatten().flatten().map(String::len).sum::<usize>() <= limits.answer_bytes);
    if let Ok(exists) = exists {
        assert_eq!(exists, !rows.is_empty());
    }
    if let Ok(found) = found {
        assert_eq!(found, rows.first().and_then(|row| row[0].clone()));
    }
    if let Ok(texts) = texts
        && *take == "text"
    {
        assert_eq!(texts, rows.iter().filter_map(|row| row[0].clone()).collect::<Vec<_>>());
    }
    if let Ok(parts) = document.parts(at, &mut Unmetered) {
        assert_eq!(parts.len(), rows.len());
        for (part, row) in parts.iter().zip(&rows).take(50) {
            if let Ok(found) = part.find("", take, &mut Unmetered) {
                assert_eq!(found, row[0]);
            }
        }
    }
}

/// Whoever runs out of time gets nothing, never a part of it.
fn interrupted(document: &Document, question: &Question<'_>) {
    let whole = answers(document, question, &mut Unmetered);
    for looks in [0, 1, 3, 10] {
        let short = answers(document, question, &mut Allowance(looks));
        let out = DocumentError::Exhausted(Exhausted);
        assert!(short.0 == whole.0 || short.0 == Err(out), "{:?}", short.0);
        assert!(short.1 == whole.1 || short.1 == Err(out), "{:?}", short.1);
        assert!(short.2 == whole.2 || short.2 == Err(out), "{:?}", short.2);
        assert!(short.3 == whole.3 || short.3 == Err(out), "{:?}", short.3);
        assert!(short.4 == whole.4 || short.4 == Err(out), "{:?}", short.4);
        let form = document.form(question.at, &mut Allowance(looks));
        assert!(form == document.form(question.at, &mut Unmetered) || form == Err(out));
        let parsed = question.open(&mut Allowance(looks));
        assert!(parsed.is_ok() || matches!(parsed, Err(DocumentError::Exhausted(_) | DocumentError::Limit { .. })));
    }
}

/// Written out, read and written out again: the same.
fn written_out(document: &Document, question: &Question<'_>) {
    let Ok(first) = document.source(&mut Unmetered) else { return };
    // No XML has a zero in it, and no way to write one down.
    if (question.format == Format::Html && !html::is_plain(&first))
        || (question.format == Format::Xml && first.contains('\0'))
    {
        return;
    }
    let Ok(again) = question.again(&first) else { return };
    let second = again.source(&mut Unmetered).unwrap();
    assert_eq!(first, second, "a document that is written out reads back as itself");
}

/// What was cut stood there, and stands there no more.
fn cut(document: &Document, question: &Question<'_>) {
    let Question { at, take, .. } = question;
    let mut after = document.clone();
    let Ok(values) = after.cut(at, take, PLACEHOLDER, &mut Watch::default()) else {
        let source = after.source(&mut Unmetered).unwrap();
        assert!(["", "null"].contains(&source.as_str()), "after an error the document is empty: {source:?}");
        return;
    };
    let (Ok(before), Ok(left)) = (document.source(&mut Unmetered), after.source(&mut Unmetered)) else { return };
    for value in values.iter().filter(|value| value.len() >= 8 && value.bytes().all(|b| b.is_ascii_alphanumeric())) {
        let count = |text: &str| text.matches(value.as_str()).count();
        assert!(count(&left) < count(&before).max(1), "{} is still in {left}", value.as_str());
    }
    if values.is_empty() {
        assert_eq!(before, left);
    }
    // The rest of the page is where it was.
    if let (Ok(before), Ok(after)) = (document.parts("*", &mut Unmetered), after.parts("*", &mut Unmetered))
        && question.format != Format::Json
    {
        assert_eq!(before.len(), after.len());
    }
}
