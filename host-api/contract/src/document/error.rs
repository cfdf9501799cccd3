//! What goes wrong with documents.

use super::{Exhausted, Format};

/// Why a document could not be read or asked. Never quotes the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// A limit of [`Limits`], by its name there.
    #[error("the document breaks the limit {which} ({max})")]
    Limit {
        /// The field of [`Limits`].
        which: &'static str,
        /// Its value.
        max: u64,
    },
    /// The run may not compute any longer.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// `at` is not a CSS selector that is allowed here.
    #[error("the selector is refused at byte {position}: {reason}")]
    BadSelector {
        /// Where in the selector, in bytes.
        position: usize,
        /// What is allowed.
        reason: &'static str,
    },
    /// `at` is not a JSON Pointer.
    #[error("the pointer is refused: {reason}")]
    BadPointer {
        /// What is allowed.
        reason: &'static str,
    },
    /// `take` is unknown, or not for this format.
    #[error("the take is unknown here; there are {allowed}")]
    BadTake {
        /// What is allowed.
        allowed: &'static str,
    },
    /// The question makes sense for another format only.
    #[error("only a document in {needs} can answer this")]
    NotThisFormat {
        /// The format it would take.
        needs: Format,
    },
    /// A format that is none of `html`, `xml`, `json`.
    #[error("the format is unknown; there are \"html\", \"xml\", \"json\"")]
    UnknownFormat,
    /// The source breaks the grammar of JSON there; both count from 1, the column in bytes.
    #[error("the document is not JSON at line {line}, column {column}")]
    Malformed {
        /// The line.
        line: usize,
        /// The byte in the line.
        column: usize,
    },
}

impl DocumentError {
    pub(super) fn limit(which: &'static str, max: usize) -> Self {
        Self::Limit { which, max: max as u64 }
    }
}
