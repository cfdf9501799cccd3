//! Pages in a browser, for Data Sources that work in no other way: `open()?`, `visit`, `expect`, and what a hand does.
//!
//! Act with selectors by tag, id, class, name, type and place; read from the [`Document`] that [`Page::expect`] answers. A page is waited for,
//! never slept for: a click has done nothing yet when it returns.

pub use crate::contract::browser::Page;
pub use crate::page::Document;

use crate::contract::browser;
use crate::fault::{Code, Result};
use crate::host::job;

/// A page in this run's own context.
///
/// # Errors
/// `browser-unavailable`; `capability-denied` without `browser` among the manifest's capabilities.
pub fn open() -> Result<Page> {
    browser::open()
}

impl Page {
    /// Goes there; what begins with `/` is added to the source's base URL.
    ///
    /// # Errors
    /// What the host answers.
    pub fn visit(&self, url: &str) -> Result {
        self.go(&absolute(url))
    }

    /// Waits for one of these pages of the manifest, in the frame that calls run in, and answers its document.
    ///
    /// # Errors
    /// `page-unrecognised` if none comes within so many milliseconds, or what a page that came instead says.
    pub fn expect(&self, pages: &[&str], max_ms: u32) -> Result<Document> {
        let came = self.wait_for("page", &pages.join(" "), max_ms)?;
        // If none came, this tells the host what came instead.
        let document = self.snapshot("")?;
        if came {
            return Ok(document.into());
        }
        Err(Code::PageUnrecognised.fault(format!("expected here: {}", pages.join(" or "))))
    }

    /// The next answer to a request of the page's own; what begins with `/` is added to the source's base URL, `*` stands for anything.
    ///
    /// # Errors
    /// `page-unrecognised` if none comes within so many milliseconds.
    pub fn answer(&self, url_pattern: &str, max_ms: u32) -> Result<Document> {
        let answer = self.response(&absolute(url_pattern), max_ms)?;
        answer
            .map(Document::from)
            .ok_or_else(|| Code::PageUnrecognised.fault(format!("no answer came from {url_pattern}")))
    }
}

fn absolute(url: &str) -> String {
    if url.starts_with('/') { job::base() + url } else { url.to_owned() }
}
