//! The echo scrub: takes a secret, in every form it may have been given, out of the answer to a request that carried it, before page
//! recognition, captures, a connector or the tape see that answer.
//!
//! What it must not become is an oracle. A mask tells a connector that the secret stood where the mask stands, so:
//!
//! - only answers to requests that carried the secret are searched; the host decides that, and no page before or after tells anything;
//! - what the connector itself wrote into the request is left alone where the answer repeats it as a whole. If it is a guess and the
//!   guess is right, the answer looks as it would if it were wrong. A list of guesses is one text, and explains nothing but the list;
//! - a value of letters only, or of digits only, counts as a whole word, and not in the page's own vocabulary (names, classes, types);
//! - a value of fewer than [`VALUE_CHARS_MIN`] characters is not searched for at all;
//! - a mask is always the same, and what a length could be read from is the caller's to drop.
//!
//! It searches for what sites do by carelessness: each value as it is, in upper and lower case, in UTF-16, percent-encoded, as a form
//! field, in references of HTML, in escapes of JSON and scripts, in both alphabets of base64 at every alignment, in hexadecimal, with
//! tags in between, and any two of these one inside the other. A site that wanted to tell its connector a password could do so in a
//! thousand ways more; it has the password anyway.

mod body;
mod escape;
mod layer;
mod search;
#[cfg(test)]
mod tests;

use url::Url;
use zeroize::Zeroizing;

pub use body::Scrubbed;
pub use search::VALUE_CHARS_MIN;

use crate::document::{DocumentError, Hit, Meter, Removed};
use search::{Ground, Search};

/// What stands where a secret stood. ASCII, so that it can stand in any charset, header and address.
pub const MASK: &str = "***";

/// What is searched for in one answer. Its automaton holds the values in pieces and is freed with it.
pub struct Scrub {
    secrets: Search,
    /// The connector's own texts that look like a secret.
    own: Option<Search>,
}

impl std::fmt::Debug for Scrub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scrub")
    }
}

impl Scrub {
    /// For these values, next to texts which the connector wrote into the same request. None if there is no value.
    ///
    /// # Errors
    /// [`DocumentError::Limit`] for more than `bytes_max` of values, [`DocumentError::Exhausted`].
    pub fn new(
        values: &[Zeroizing<Vec<u8>>],
        own: &[Vec<u8>],
        bytes_max: usize,
        meter: &mut dyn Meter,
    ) -> Result<Option<Self>, DocumentError> {
        let Some(secrets) = Search::new(values.iter().map(|value| value.as_slice()), bytes_max)? else {
            return Ok(None);
        };
        let mut alike = Vec::new();
        for text in own {
            if !secrets.hits(text, Ground::Free, meter)?.is_empty() {
                alike.push(text.as_slice());
            }
        }
        Ok(Some(Self { secrets, own: Search::new(alike, bytes_max)? }))
    }

    /// Masks what is found in bytes; none if there is nothing.
    ///
    /// # Errors
    /// [`DocumentError::Exhausted`].
    pub fn bytes(&self, bytes: &[u8], meter: &mut dyn Meter) -> Result<Option<Vec<u8>>, DocumentError> {
        self.masked(bytes, Ground::Free, meter)
    }

    /// As [`Self::bytes`], for text.
    ///
    /// # Errors
    /// [`DocumentError::Exhausted`].
    pub fn text(&self, text: &str, meter: &mut dyn Meter) -> Result<Option<String>, DocumentError> {
        self.text_on(text, Ground::Free, meter)
    }

    /// Masks what is found behind the origin of an address. The origin is the manifest's.
    ///
    /// # Errors
    /// [`DocumentError::Exhausted`].
    pub fn url(&self, url: &Url, meter: &mut dyn Meter) -> Result<Option<Url>, DocumentError> {
        let origin = &url[..url::Position::BeforePath];
        let Some(masked) = self.text(&url[url::Position::BeforePath..], meter)? else { return Ok(None) };
        // A path that no longer begins with a slash was all secret.
        let slash = if masked.starts_with('/') { "" } else { "/" };
        let masked = Url::parse(&format!("{origin}{slash}{masked}"));
        Ok(Some(masked.unwrap_or_else(|_| {
            let mut bare = url.clone();
            bare.set_path("");
            bare.set_query(None);
            bare.set_fragment(None);
            bare
        })))
    }

    fn masked(&self, bytes: &[u8], ground: Ground, meter: &mut dyn Meter) -> Result<Option<Vec<u8>>, DocumentError> {
        let removed = Removed::of(self.find(bytes, ground, meter)?);
        Ok(removed.apply_bytes(&(0..bytes.len()), bytes, MASK.as_bytes()))
    }

    fn text_on(&self, text: &str, ground: Ground, meter: &mut dyn Meter) -> Result<Option<String>, DocumentError> {
        let removed = Removed::of(self.find(text.as_bytes(), ground, meter)?);
        Ok(removed.apply(&(0..text.len()), text, MASK))
    }

    /// What is found and what the connector's own words don't explain.
    fn find(&self, text: &[u8], ground: Ground, meter: &mut dyn Meter) -> Result<Vec<Hit>, DocumentError> {
        let mut hits = self.secrets.hits(text, ground, meter)?;
        if let Some(own) = self.own.as_ref().filter(|_| !hits.is_empty()) {
            let mut own: Vec<(usize, usize)> = own.hits(text, ground, meter)?.iter().map(hull).collect();
            own.sort_unstable();
            hits.retain(|hit| !explained(&own, hull(hit)));
        }
        Ok(hits)
    }
}

/// From where to where, whatever stands in between.
fn hull(hit: &Hit) -> (usize, usize) {
    (hit.first().map_or(0, |first| first.start), hit.last().map_or(0, |last| last.end))
}

fn explained(own: &[(usize, usize)], hit: (usize, usize)) -> bool {
    own.iter().take_while(|own| own.0 <= hit.0).any(|own| hit.1 <= own.1)
}
