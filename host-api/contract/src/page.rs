//! Page recognition: which of the manifest's pages an answer is, what that page says about the run, and what an answer is that no
//! rule recognises. Pure: an answer in, words of the manifest and codes out. Nothing from the page itself gets into a result, so a
//! [`Recognition`] may be logged and taped.

mod classify;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use url::Url;

use crate::document::{Document, DocumentError, Format, Meter};
use crate::failure::{Code, PageId};
use crate::manifest::UrlPattern;

pub use classify::{Answer, Classified, classify};

/// What the manifest says about one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Unique within the manifest.
    pub id: PageId,
    /// Statuses it comes with; empty for any.
    pub status: Vec<u16>,
    /// Selectors or pointers that must all be there.
    pub requires: Vec<String>,
    /// Selectors or pointers none of which may be there: a table without rows has nothing else to tell it by.
    pub lacks: Vec<String>,
    /// The page itself is this failure.
    pub failure: Option<Code>,
    /// Known error texts; the first that is there counts.
    pub errors: Vec<ErrorText>,
    /// What on this page confirms that the datasets it feeds are empty.
    pub empty: Option<String>,
    /// The categories that this page speaks for.
    pub feeds: Vec<&'static str>,
    /// Whether it is the login page, which after the login means that the session is lost.
    pub login: bool,
}

/// A known error text of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorText {
    /// Where it stands.
    pub at: String,
    /// The text, [folded](fold); a part of what stands there.
    pub folded: String,
    /// What it means.
    pub code: Code,
}

/// A page and where it is found in one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRule {
    /// Its URLs.
    pub url: UrlPattern,
    /// What makes it out.
    pub page: Arc<Page>,
}

/// What recognition says about an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recognition {
    /// The first page rule that matches.
    pub page: Option<PageId>,
    /// The failure that the page declares: a known error text, else the page itself.
    pub failure: Option<Code>,
    /// Whether the empty marker is there.
    pub empty: bool,
    /// The categories that the page speaks for.
    pub feeds: Vec<&'static str>,
    /// Whether it is the login page.
    pub login: bool,
    /// Where no page was recognised: what each rule whose URL and status matched did not find.
    pub missing: Vec<Missing>,
}

/// Something that a page rule requires and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Whose rule.
    pub page: PageId,
    /// The selector or pointer, as in the manifest.
    pub at: String,
}

impl Recognition {
    /// The failure that this answer is: the declared one, else a login page where a session was.
    #[must_use]
    pub fn failure_now(&self, authenticated: bool) -> Option<Code> {
        self.failure.or_else(|| (self.login && authenticated).then_some(Code::SessionLost))
    }

    /// What the page that it most likely should have been lacks: that of which the largest part is there, the first of several. A page
    /// that is itself a failure comes after all others.
    #[must_use]
    pub fn nearest(&self, pages: &[PageRule]) -> Option<&Missing> {
        let likeness = |missing: &Missing| {
            let page = pages.iter().map(|rule| &rule.page).find(|page| page.id == missing.page);
            let lacks = self.missing.iter().filter(|other| other.page == missing.page).count();
            page.map(|page| (page.failure.is_none(), (page.requires.len() - lacks) * 1000 / page.requires.len()))
        };
        // Of equals `max_by_key` gives the last.
        self.missing.iter().rev().max_by_key(|missing| likeness(missing))
    }
}

/// Recognises an answer; the first rule in the manifest's order wins. Without a document only rules that ask for nothing in it match.
///
/// # Errors
/// If the document gives up: the run's CPU time is used up, or a limit of the document is hit.
pub fn recognise(
    pages: &[PageRule],
    url: &Url,
    status: u16,
    document: Option<&Document>,
    meter: &mut dyn Meter,
) -> Result<Recognition, DocumentError> {
    let mut missing = Vec::new();
    for rule in pages {
        let page = &rule.page;
        if !(page.status.is_empty() || page.status.contains(&status)) || !rule.url.matches(url) {
            continue;
        }
        let before = missing.len();
        for at in &page.requires {
            if !exists(document, at, meter)? {
                missing.push(Missing { page: page.id.clone(), at: at.clone() });
            }
        }
        if missing.len() > before || any(document, &page.lacks, meter)? {
            continue;
        }
        return recognised(page, document, meter);
    }
    Ok(Recognition { missing, ..Recognition::default() })
}

fn recognised(page: &Page, document: Option<&Document>, meter: &mut dyn Meter) -> Result<Recognition, DocumentError> {
    let mut failure = page.failure;
    for error in &page.errors {
        if texts(document, &error.at, meter)?.iter().any(|text| fold(text).contains(&error.folded)) {
            failure = Some(error.code);
            break;
        }
    }
    let empty = match &page.empty {
        Some(at) => exists(document, at, meter)?,
        None => false,
    };
    let (page, feeds, login) = (Some(page.id.clone()), page.feeds.clone(), page.login);
    Ok(Recognition { page, failure, empty, feeds, login, missing: Vec::new() })
}

/// Case and white space don't count in error texts.
pub(crate) fn fold(text: &str) -> String {
    text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

/// A selector asks HTML and XML, a pointer JSON; the other way round nothing is there.
fn asked<'d>(document: Option<&'d Document>, at: &str) -> Option<&'d Document> {
    document.filter(|document| (document.format() == Format::Json) == at.starts_with('/'))
}

fn exists(document: Option<&Document>, at: &str, meter: &mut dyn Meter) -> Result<bool, DocumentError> {
    asked(document, at).map_or(Ok(false), |document| document.exists(at, meter))
}

fn any(document: Option<&Document>, places: &[String], meter: &mut dyn Meter) -> Result<bool, DocumentError> {
    for at in places {
        if exists(document, at, meter)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn texts(document: Option<&Document>, at: &str, meter: &mut dyn Meter) -> Result<Vec<String>, DocumentError> {
    asked(document, at).map_or(Ok(Vec::new()), |document| document.text_of(at, meter))
}
