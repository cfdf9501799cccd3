//! Shapes of pages: elements and members, no texts. Those of a run that went well are kept beside the reports, so that a report can say
//! how a page has changed.

use consentry_contract::document::{Document, Format, Limits, Unmetered, charset};
use serde::{Deserialize, Serialize};

use crate::allowed::Allowed;
use crate::report::Report;
use crate::tape::{Hop, Tape};

/// Most pages of one run whose shapes are kept.
const PAGES_MAX: usize = 32;
/// Most lines of one page's shape that are kept.
const LINES_MAX: usize = 400;
/// How alike a line must be to what is missing to be named.
const ALIKE: f64 = 0.35;
/// What a line gains that the page did not have when all was well.
const NEW: f64 = 0.15;
/// How many lines are named.
const NEAREST: usize = 3;

/// One page's shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageShape {
    /// The page rule; `-` where none recognised it.
    pub page: String,
    /// The connector's version in that run.
    pub connector_version: String,
    /// One line for each element or member, indented by its depth.
    pub lines: Vec<String>,
}

/// The pages of one run, in the order of its requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shapes(Vec<PageShape>);

impl Shapes {
    /// Of a run that went well. The tape is made synthetic first: what is left of it are names that may stand in a report.
    #[must_use]
    pub fn of(tape: &Tape, allowed: &Allowed) -> Self {
        let redacted = crate::redact(tape, allowed).tape;
        let of = |exchange: &crate::tape::Exchange| {
            let mut lines = exchange.hops.last().and_then(outline).unwrap_or_default();
            lines.truncate(LINES_MAX);
            let page = exchange.page.clone().unwrap_or_else(|| "-".to_owned());
            PageShape { page, connector_version: tape.inputs.version.clone(), lines }
        };
        Self(redacted.exchanges().take(PAGES_MAX).map(of).collect())
    }

    /// The page that a failed run should have met where it broke: the one of that name, or the one at the same place of the run.
    #[must_use]
    pub fn expected(&self, report: &Report) -> Option<&PageShape> {
        let named = report.point.page.as_ref().and_then(|page| self.0.iter().find(|shape| shape.page == page.as_str()));
        named.or_else(|| self.0.get(report.pages.len().checked_sub(1)?)).filter(|shape| !shape.lines.is_empty())
    }
}

impl Report {
    /// Lines of the last page's shape that are most like what is missing there, the likeliest first: where it may have gone.
    #[must_use]
    pub fn nearest(&self) -> Vec<&str> {
        let Some(missing) = &self.point.missing else { return vec![] };
        // The last part of a selector or a pointer names the thing itself.
        let wanted = missing.as_str().rsplit([' ', '>', '/']).find(|part| !part.is_empty());
        let Some(wanted) = wanted.map(str::to_lowercase) else { return vec![] };
        let known =
            |line: &str| self.good.as_ref().is_some_and(|good| good.lines.iter().any(|known| bare(known) == line));
        let mut lines: Vec<(f64, &str)> = vec![];
        for line in self.shape.iter().map(|line| bare(line)) {
            let alike = strsim::sorensen_dice(&wanted, &line.to_lowercase());
            let score = if self.good.is_some() && !known(line) { alike + NEW } else { alike };
            if alike >= ALIKE && !lines.iter().any(|(_, there)| *there == line) {
                lines.push((score, line));
            }
        }
        lines.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        lines.into_iter().take(NEAREST).map(|(_, line)| line).collect()
    }
}

/// A line without its depth and its count.
fn bare(line: &str) -> &str {
    line.split(" ×").next().unwrap_or(line).trim()
}

/// The shape of an answer; none of one that is no document.
pub(crate) fn outline(hop: &Hop) -> Option<Vec<String>> {
    let content_type = hop.header("content-type").unwrap_or_default();
    let format = Format::of_content_type(content_type)?;
    let label = charset::label_of(content_type);
    let document = Document::parse(format, &hop.body.0, label, None, &Limits::default(), &mut Unmetered).ok()?;
    document.outline(&mut Unmetered).ok()
}
