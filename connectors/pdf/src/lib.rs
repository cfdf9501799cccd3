//! The text of a PDF as somebody sees it: lines from the top, each of cells from the left. Whoever made the file may have drawn it in any order and
//! in pieces of any length; what counts is where it stands on the page.
//!
//! It is made for a connector, whose sandbox bounds what a hostile file may cost. Nothing here panics or reaches outside.
//!
//! Not read: what is only a picture, files with a password, and text whose font does not say what its codes mean.

mod cmap;
mod font;
mod glyphs;
mod layout;
mod page;

use std::fmt;

use hayro_syntax::{LoadPdfError, Pdf};

/// Most pages that are read.
const PAGES_MAX: usize = 500;

/// A line of cells: a gap of about two letters parts them, as between a label and its amount.
pub type Line = Vec<String>;

/// Why there is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreadable {
    /// It is no PDF, or one that is damaged beyond repair.
    Malformed,
    /// It opens with a password only.
    Locked,
    /// No text stands in it: pictures, perhaps.
    Wordless,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "this is no PDF, or a damaged one",
            Self::Locked => "this PDF opens with a password only",
            Self::Wordless => "there is no text in this PDF",
        })
    }
}

impl std::error::Error for Unreadable {}

/// The lines of all pages, from the top of the first.
///
/// # Errors
/// [`Unreadable`].
pub fn lines(file: Vec<u8>) -> Result<Vec<Line>, Unreadable> {
    let pdf = Pdf::new(file).map_err(|error| match error {
        LoadPdfError::Decryption(_) => Unreadable::Locked,
        LoadPdfError::Invalid => Unreadable::Malformed,
    })?;
    let pages = pdf.pages().iter().take(PAGES_MAX);
    let lines: Vec<Line> = pages.flat_map(|page| layout::lines(page::pieces(page))).collect();
    if lines.is_empty() { Err(Unreadable::Wordless) } else { Ok(lines) }
}

#[cfg(test)]
mod tests;
