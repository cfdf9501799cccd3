//! Names that may stand in a failure report. A name reaches us from a guest or a manifest, and reports go to logs and to authors, so
//! its form leaves little room for a value: no capitals, no blanks, no signs of an e-mail address, hardly a digit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a page, of something missing on it, or of a limit: lower-case words joined by `-`, `.` or `_`, 64 bytes at most, with
/// at most [`Name::MAX_DIGITS`] digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Name(String);

impl Name {
    /// Longest name, in bytes.
    pub const MAX_BYTES: usize = 64;
    /// Enough for `address-line-2`, too few for a telephone number or an account number.
    pub const MAX_DIGITS: usize = 4;

    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What was not there: a name that the connector gives it, or a selector or pointer of a page rule of the manifest. Both are the
/// author's words, never the page's.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Missing(String);

impl Missing {
    /// Something that a page rule requires, by its selector or pointer.
    #[must_use]
    pub fn required(at: &str) -> Self {
        Self(crate::plain::plain(at).into_owned())
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Name> for Missing {
    fn from(name: Name) -> Self {
        Self(name.0)
    }
}

impl fmt::Debug for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no [`Name`]; it is not quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is lower-case words joined by '-', '.' or '_', at most 64 bytes with at most 4 digits")]
pub struct NotAName;

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Name {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        let words = text.split(['-', '.', '_']);
        let fits = text.len() <= Self::MAX_BYTES
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().filter(u8::is_ascii_digit).count() <= Self::MAX_DIGITS
            && words
                .into_iter()
                .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        if fits { Ok(Self(text)) } else { Err(NotAName) }
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
