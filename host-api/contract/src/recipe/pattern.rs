//! The structure of a recipe as it is written in a manifest:
//!
//! ```text
//! recipe  = "raw"                          the secret that the sink belongs to
//!         | KIND "." NAME                  another secret: field. answer. captured. operator. cookie.
//!         | "text"                         a piece of the connector's own, bounded in length
//!         | '"' TEXT '"'                   exactly this text of the connector's
//!         | "join" "(" list ")"            one behind the other
//!         | ENCODING "(" list ")"          form, form:CHARSET, percent, json, xml, base64, base64url, hex
//!         | DIGEST "(" list ")"            sha-256, sha-384, sha-512, sha-1
//! list    = recipe { "," recipe }
//! ```
//!
//! What is read is kept in the recipes' canonical form, so `base64(join(text, raw))` and `base64(text, raw)` are one pattern, which
//! prints as the shorter.

mod parse;

use std::fmt;
use std::str::FromStr;

use super::{Algorithm, Encoding, Leaf, Recipe};
use crate::plain::is_unseen;

/// Longest piece of the connector's own text that `text` stands for, in bytes. Long texts beside a secret would let a connector lay
/// out a table of guesses for the Data Source to echo.
pub const GUEST_TEXT_BYTES_MAX: usize = 1024;

/// The structure of a recipe. Printing and reading it are inverse.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    pub(super) parts: Vec<Part>,
}

/// One step of the canonical form; lists are joins.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// The secret that the sink belongs to.
    Own,
    /// A secret by its name.
    Named(Leaf),
    /// One piece of the connector's own.
    Guest(Vec<Guest>),
    Encode(Encoding, Vec<Part>),
    Digest(Algorithm, Vec<Part>),
}

/// What one piece of the connector's own is made of.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Guest {
    Any,
    Exactly(String),
}

/// What does not read as a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: expected {expected}")]
pub struct PatternError {
    /// Counted from 1.
    pub position: usize,
    /// What may stand there.
    pub expected: String,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// With the position of what does not read, and what may stand there.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        parse::pattern(text)
    }

    /// Whether this pattern, standing in a sink of `owner`, is the structure of the recipe.
    #[must_use]
    pub fn matches(&self, recipe: &Recipe, owner: &Leaf) -> bool {
        super::structure::matches(&self.parts, recipe, owner)
    }

    /// Whether the sink's own secret goes in: as `raw`, or by its name.
    #[must_use]
    pub fn holds(&self, owner: &Leaf) -> bool {
        fn any(parts: &[Part], owner: &Leaf) -> bool {
            parts.iter().any(|part| match part {
                Part::Own => true,
                Part::Named(leaf) => leaf == owner,
                Part::Guest(_) => false,
                Part::Encode(_, parts) | Part::Digest(_, parts) => any(parts, owner),
            })
        }
        any(&self.parts, owner)
    }

    /// Every secret named in it.
    #[must_use]
    pub fn named(&self) -> Vec<&Leaf> {
        self.every(&|part| match part {
            Part::Named(leaf) => vec![leaf],
            _ => Vec::new(),
        })
    }

    /// Every exact text in it.
    #[must_use]
    pub fn literals(&self) -> Vec<&str> {
        self.every(&|part| match part {
            Part::Guest(guests) => guests
                .iter()
                .filter_map(|guest| match guest {
                    Guest::Exactly(text) => Some(text.as_str()),
                    Guest::Any => None,
                })
                .collect(),
            _ => Vec::new(),
        })
    }

    fn every<'a, T>(&'a self, pick: &dyn Fn(&'a Part) -> Vec<T>) -> Vec<T> {
        fn walk<'a, T>(parts: &'a [Part], pick: &dyn Fn(&'a Part) -> Vec<T>, found: &mut Vec<T>) {
            for part in parts {
                found.extend(pick(part));
                if let Part::Encode(_, inner) | Part::Digest(_, inner) = part {
                    walk(inner, pick, found);
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.parts, pick, &mut found);
        found
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts.as_slice() {
            [Part::Guest(guests)] if guests.len() > 1 => call(f, "join", &self.parts),
            [only] => part(f, only),
            several => call(f, "join", several),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn call(f: &mut fmt::Formatter<'_>, name: &str, parts: &[Part]) -> fmt::Result {
    write!(f, "{name}(")?;
    for (index, each) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        part(f, each)?;
    }
    f.write_str(")")
}

fn part(f: &mut fmt::Formatter<'_>, part: &Part) -> fmt::Result {
    match part {
        Part::Own => f.write_str("raw"),
        Part::Named(leaf) => write!(f, "{leaf}"),
        Part::Encode(encoding, parts) => call(f, &encoding.to_string(), parts),
        Part::Digest(algorithm, parts) => call(f, algorithm.as_str(), parts),
        Part::Guest(guests) => {
            for (index, guest) in guests.iter().enumerate() {
                if index > 0 {
                    f.write_str(", ")?;
                }
                match guest {
                    Guest::Any => f.write_str("text")?,
                    Guest::Exactly(text) => literal(f, text)?,
                }
            }
            Ok(())
        }
    }
}

fn literal(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if is_unseen(c) => write!(f, "\\u{{{:x}}}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}
