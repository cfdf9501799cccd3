//! Documents: what a Data Source answered, parsed once in the host and asked by the connector. HTML and XML are asked with CSS
//! selectors, JSON with JSON Pointers. Plain Rust without a runtime, so a connector's tests ask the same code natively.
//!
//! A [`Document`] is a view: a shared tree and a root in it. Reading is pure: the same question on the same bytes has the same answer,
//! which is why answers need not be recorded for a replay.
//!
//! What is never here: scripts, styles, the network (no frame, entity or document type is fetched), and the document's content in an
//! error or a `Debug`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use encoding_rs::Encoding;
use url::Url;

pub mod charset;
mod cut;
mod error;
mod form;
mod format;
mod json;
pub mod limits;
mod markup;
mod outline;
mod place;
mod remake;
mod rewrite;
mod select;
mod serialize;
mod sink;
mod take;
#[cfg(test)]
mod tests;
mod tokens;
mod tree;

pub use error::DocumentError;
pub use form::Form;
pub use format::Format;
pub use limits::{Exhausted, Limits, Meter, Unmetered};
pub use remake::Remake;

pub(crate) use rewrite::{Hit, Removed, SEPARATOR, Shown};

use json::Json;
use json::pointer::Pointer;
use limits::Work;
use place::{Place, Seeker};
use take::Take;
use tree::Tree;

/// A column of [`Document::rows`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What the column is called where it is missed.
    pub name: String,
    /// Where it stands, from the row on.
    pub at: String,
    /// What is read there.
    pub take: String,
}

/// Checks `at` and `take` as [`Document::find`] would, so that a manifest's are refused when it is loaded and not on a page.
///
/// # Errors
/// [`DocumentError::BadSelector`], [`DocumentError::BadPointer`] or [`DocumentError::BadTake`].
pub fn check(format: Format, at: &str, take: &str) -> Result<(), DocumentError> {
    Take::compile(take, format)?;
    Place::compile(at, format).map(drop)
}

/// A parsed document, or a part of one. Cheap to clone: the tree is shared.
#[derive(Clone)]
pub struct Document {
    whole: Arc<Whole>,
    root: u32,
}

/// Which part of a tree a [`Document`] shows. It means the same in every tree that was parsed from the same source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part(u32);

#[derive(Clone)]
struct Whole {
    body: Body,
    format: Format,
    encoding: &'static Encoding,
    /// The address of the page, and what relative addresses in it go by.
    url: Option<Url>,
    base: Option<Url>,
    limits: Limits,
}

#[derive(Clone)]
enum Body {
    Markup(Tree),
    Json(Json),
}

impl fmt::Debug for Document {
    /// Format and size, no content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("format", &self.whole.format)
            .field("bytes", &self.approximate_bytes())
            .finish_non_exhaustive()
    }
}

impl Document {
    /// Parses a source. `charset` is the transport's word (`Content-Type`), `url` the address of the page.
    ///
    /// # Errors
    /// [`DocumentError::Limit`], [`DocumentError::Exhausted`], and [`DocumentError::Malformed`] for JSON. HTML and XML with errors in
    /// them are read as far as possible.
    pub fn parse(
        format: Format,
        bytes: &[u8],
        charset: Option<&str>,
        url: Option<&Url>,
        limits: &Limits,
        meter: &mut dyn Meter,
    ) -> Result<Self, DocumentError> {
        if bytes.len() > limits.source_bytes {
            return Err(DocumentError::limit("source_bytes", limits.source_bytes));
        }
        let (source, encoding) = charset::decode(format, bytes, charset);
        Self::read(format, source, encoding, url, url, limits, meter)
    }

    /// Reads a source that is decoded already and whose charset was this.
    pub(crate) fn decoded(
        format: Format,
        source: Cow<'_, str>,
        encoding: &'static Encoding,
        url: Option<&Url>,
        limits: &Limits,
        meter: &mut dyn Meter,
    ) -> Result<Self, DocumentError> {
        if source.len() > limits.source_bytes {
            return Err(DocumentError::limit("source_bytes", limits.source_bytes));
        }
        Self::read(format, source, encoding, url, url, limits, meter)
    }

    fn read(
        format: Format,
        source: Cow<'_, str>,
        encoding: &'static Encoding,
        url: Option<&Url>,
        base: Option<&Url>,
        limits: &Limits,
        meter: &mut dyn Meter,
    ) -> Result<Self, DocumentError> {
        let body = match format {
            Format::Html => Body::Markup(markup::parse_html(&source, limits, meter)?),
            Format::Xml => Body::Markup(markup::parse_xml(&source, limits, meter)?),
            Format::Json => Body::Json(Json::parse(source, limits, meter)?),
        };
        let declared = match &body {
            Body::Markup(tree) if tree.html => tree.base_href().and_then(|href| take::resolve(base, href)),
            _ => None,
        };
        // A page may not make every address in it a script.
        let declared = declared.filter(|base| matches!(base.scheme(), "http" | "https"));
        let base = declared.or_else(|| base.cloned());
        Ok(Self {
            whole: Arc::new(Whole { body, format, encoding, url: url.cloned(), base, limits: *limits }),
            root: 0,
        })
    }

    /// The format it was parsed as.
    #[must_use]
    pub fn format(&self) -> Format {
        self.whole.format
    }

    /// The charset of the source, as the WHATWG standard names it.
    #[must_use]
    pub fn charset(&self) -> &'static str {
        self.whole.encoding.name()
    }

    /// Bytes of memory held by the whole tree, shared by all its views.
    #[must_use]
    pub fn approximate_bytes(&self) -> usize {
        size_of::<Whole>()
            + match &self.whole.body {
                Body::Markup(tree) => tree.approximate_bytes(),
                Body::Json(json) => json.approximate_bytes(),
            }
    }

    /// Which part of its tree this shows.
    #[must_use]
    pub fn part(&self) -> Part {
        Part(self.root)
    }

    /// This part of the tree.
    #[must_use]
    pub fn at(&self, part: Part) -> Self {
        self.view(part.0)
    }

    fn limits(&self) -> &Limits {
        &self.whole.limits
    }

    fn view(&self, root: u32) -> Self {
        Self { whole: Arc::clone(&self.whole), root }
    }

    fn work<'m>(&self, meter: &'m mut dyn Meter) -> Work<'m> {
        Work::new(meter, self.whole.limits)
    }

    /// Reads the first match of `at`. `None`: there is no match, no such attribute, or it is null.
    ///
    /// `at` is a CSS selector or a JSON Pointer with `*` for every element, `""` the root of this view. `take` is `text` (white space
    /// folded, `<br>` a newline, no scripts), `own-text` (without child elements), `raw` (all text as it is), `html` (the element),
    /// `attr:NAME`, `url:NAME` (resolved), or for JSON `text`, `raw` and `json` (the source text).
    ///
    /// # Errors
    /// A bad `at` or `take`, [`DocumentError::Limit`], [`DocumentError::Exhausted`].
    pub fn find(&self, at: &str, take: &str, meter: &mut dyn Meter) -> Result<Option<String>, DocumentError> {
        let take = Take::compile(take, self.format())?;
        let work = self.work(meter);
        match self.first(&Place::compile(at, self.format())?, &work)? {
            Some(id) => self.take(&take, id, &work),
            None => Ok(None),
        }
    }

    /// Reads a table: a row for every match of `at`, in it the first match of every column.
    ///
    /// # Errors
    /// As [`Document::find`].
    pub fn rows(
        &self,
        at: &str,
        columns: &[Column],
        meter: &mut dyn Meter,
    ) -> Result<Vec<Vec<Option<String>>>, DocumentError> {
        let mut table = Vec::new();
        let rows = self.each_cell(at, columns, meter, |column, take, found, work| {
            if column == 0 {
                table.push(Vec::with_capacity(columns.len()));
            }
            let cell = found.map_or(Ok(None), |id| self.take(take, id, work))?;
            if let Some(row) = table.last_mut() {
                row.push(cell);
            }
            Ok(())
        })?;
        // Without columns they are empty.
        table.resize_with(rows, Vec::new);
        Ok(table)
    }

    /// As [`Document::rows`], in two pieces whatever its size: the text of every cell, one behind the other and row by row, and how many
    /// bytes each has.
    ///
    /// # Errors
    /// As [`Document::find`].
    pub fn cells(
        &self,
        at: &str,
        columns: &[Column],
        meter: &mut dyn Meter,
    ) -> Result<(String, Vec<Option<u32>>), DocumentError> {
        let (mut text, mut lengths) = (String::new(), Vec::new());
        self.each_cell(at, columns, meter, |_, take, found, work| {
            let length = match (&self.whole.body, found) {
                (_, None) => None,
                (Body::Markup(tree), Some(id)) => {
                    take.read_onto(&mut text, tree, id, self.whole.base.as_ref(), work)?
                }
                (Body::Json(_), Some(id)) => self.take(take, id, work)?.map(|cell| {
                    text.push_str(&cell);
                    cell.len()
                }),
            };
            // Longer than a length can say, it would be above the limit of an answer.
            lengths.push(length.map(|length| u32::try_from(length).unwrap_or(u32::MAX)));
            Ok(())
        })?;
        Ok((text, lengths))
    }

    /// Each column of each row in turn, with what its place found there. Answers how many rows there are.
    fn each_cell(
        &self,
        at: &str,
        columns: &[Column],
        meter: &mut dyn Meter,
        mut cell: impl FnMut(usize, &Take, Option<u32>, &Work<'_>) -> Result<(), DocumentError>,
    ) -> Result<usize, DocumentError> {
        let work = self.work(meter);
        let rows = self.all(&Place::compile(at, self.format())?, &work)?;
        let places =
            columns.iter().map(|column| Place::compile(&column.at, self.format())).collect::<Result<Vec<_>, _>>()?;
        let takes =
            columns.iter().map(|column| Take::compile(&column.take, self.format())).collect::<Result<Vec<_>, _>>()?;
        let mut seekers: Vec<_> = places.iter().map(Seeker::new).collect();
        for row in &rows {
            for (column, (seeker, take)) in seekers.iter_mut().zip(&takes).enumerate() {
                let found = seeker.first(&self.whole.body, *row, &work)?;
                cell(column, take, found, &work)?;
            }
            work.answer(columns.len() * size_of::<Option<String>>())?;
        }
        Ok(rows.len())
    }

    /// A view of every match, in document order.
    ///
    /// # Errors
    /// As [`Document::find`].
    pub fn parts(&self, at: &str, meter: &mut dyn Meter) -> Result<Vec<Self>, DocumentError> {
        let work = self.work(meter);
        let ids = self.all(&Place::compile(at, self.format())?, &work)?;
        work.answer(ids.len() * size_of::<Self>())?;
        Ok(ids.into_iter().map(|id| self.view(id)).collect())
    }

    /// Whether anything matches.
    ///
    /// # Errors
    /// As [`Document::find`].
    pub fn exists(&self, at: &str, meter: &mut dyn Meter) -> Result<bool, DocumentError> {
        let work = self.work(meter);
        Ok(self.first(&Place::compile(at, self.format())?, &work)?.is_some())
    }

    /// The folded text of every match.
    ///
    /// # Errors
    /// As [`Document::find`].
    pub fn text_of(&self, at: &str, meter: &mut dyn Meter) -> Result<Vec<String>, DocumentError> {
        let work = self.work(meter);
        let ids = self.all(&Place::compile(at, self.format())?, &work)?;
        let texts = ids.into_iter().map(|id| self.take(&Take::Text, id, &work));
        texts.filter_map(Result::transpose).collect()
    }

    /// The successful controls of the form that the first match is, or belongs to. `None`: no match, or no form around it.
    ///
    /// # Errors
    /// [`DocumentError::NotThisFormat`] unless it is HTML; else as [`Document::find`].
    pub fn form(&self, at: &str, meter: &mut dyn Meter) -> Result<Option<Form>, DocumentError> {
        let (Body::Markup(tree), Format::Html) = (&self.whole.body, self.format()) else {
            return Err(DocumentError::NotThisFormat { needs: Format::Html });
        };
        let work = self.work(meter);
        let page =
            form::Page { url: self.whole.url.as_ref(), base: self.whole.base.as_ref(), encoding: self.whole.encoding };
        match self.first(&Place::compile(at, self.format())?, &work)? {
            Some(id) => form::read(tree, id, &page, &work),
            None => Ok(None),
        }
    }

    /// Opens what stands as text in the first match: JSON in a script, HTML or JSON in a JSON string. `None`: no match, or no text.
    ///
    /// # Errors
    /// As [`Document::find`] and [`Document::parse`].
    pub fn nested(&self, at: &str, format: Format, meter: &mut dyn Meter) -> Result<Option<Self>, DocumentError> {
        let Some(source) = self.find(at, "raw", meter)? else {
            return Ok(None);
        };
        let Whole { encoding, url, base, limits, .. } = &*self.whole;
        Self::read(format, source.into(), encoding, url.as_ref(), base.as_ref(), limits, meter).map(Some)
    }

    /// The source text of this view: as it was for JSON, written anew from the tree for HTML and XML.
    ///
    /// # Errors
    /// [`DocumentError::Limit`], [`DocumentError::Exhausted`].
    pub fn source(&self, meter: &mut dyn Meter) -> Result<String, DocumentError> {
        let work = self.work(meter);
        let source = match &self.whole.body {
            Body::Markup(tree) => serialize::markup(tree, self.root, &work),
            Body::Json(json) if self.root == 0 => json.source.clone(),
            Body::Json(json) => json.text(self.root).to_owned(),
        };
        work.done()?;
        Ok(source)
    }

    /// Where the first match of a pointer stands in the decoded source of the whole document, in bytes.
    ///
    /// # Errors
    /// [`DocumentError::NotThisFormat`] unless it is JSON; else as [`Document::find`].
    pub fn json_span(&self, at: &str, meter: &mut dyn Meter) -> Result<Option<Range<usize>>, DocumentError> {
        let Body::Json(json) = &self.whole.body else {
            return Err(DocumentError::NotThisFormat { needs: Format::Json });
        };
        let first = Pointer::compile(at)?.first(json, self.root, &self.work(meter))?;
        Ok(first.map(|id| json.span(id)))
    }

    fn first(&self, place: &Place, work: &Work<'_>) -> Result<Option<u32>, DocumentError> {
        Seeker::new(place).first(&self.whole.body, self.root, work)
    }

    fn all(&self, place: &Place, work: &Work<'_>) -> Result<Vec<u32>, DocumentError> {
        place.all(&self.whole.body, self.root, work)
    }

    fn take(&self, take: &Take, id: u32, work: &Work<'_>) -> Result<Option<String>, DocumentError> {
        let json = match &self.whole.body {
            Body::Markup(tree) => return take.read(tree, id, self.whole.base.as_ref(), work),
            Body::Json(json) => json,
        };
        let taken = match take {
            _ if json.value(id).kind == json::Kind::Null => None,
            Take::Json => Some(json.text(id).to_owned()),
            Take::Raw => json.scalar(id).map(String::from),
            _ => json.scalar(id).map(|text| take::fold(&text)),
        };
        work.answer(taken.as_ref().map_or(0, String::len))?;
        Ok(taken)
    }
}
