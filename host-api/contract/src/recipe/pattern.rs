//! The structure of a recipe as it is written in a manifest:
//!
//! ```text
//! recipe  = "raw"                          the secret that the sink belongs to
//!         | KIND "." NAME                  another secret: field. answer. captured. operator. cookie.
//!         | "text" | "text:" MAX           a piece of the connector's own, of at most 1024 or MAX bytes
//!         | '"' TEXT '"'                   exactly this text of the connector's
//!         | "pinned:" SHA256               a piece of the connector's own with this digest: a key
//!         | "join" "(" list ")"            one behind the other
//!         | ENCODING "(" list ")"          form, form:CHARSET, percent, json, xml, base64, base64url, hex
//!         | STEP "(" list ")"              a transform over one list
//!         | STEP "(" list ";" list ")"     over two: key and data, password and salt
//! list    = recipe { "," recipe }
//! STEP    = DIGEST                         sha-256, sha-384, sha-512, sha-1, md5
//!         | "decode:" ENCODING
//!         | "characters:" COUNT [ "/" LAST ]   so many characters, of the first LAST
//!         | "keypad"
//!         | HMAC                           hmac-sha-256, hmac-sha-512, hmac-sha-1                      two lists
//!         | PBKDF2 ":" ROUNDS ":" BYTES    pbkdf2-sha-256, …; at least so many rounds                  two lists
//!         | CIPHER                         aes-cbc, aes-gcm, rsa-pkcs1, rsa-oaep, rsa-oaep-256         two lists
//!         | SIGNATURE | "jwt-" SIGNATURE   rs256, ps256, es256                                         two lists
//! ```
//!
//! What is read is kept in the recipes' canonical form, so `base64(join(text, raw))` and `base64(text, raw)` are one pattern, which
//! prints as the shorter.

mod parse;
mod rules;
mod shape;

use std::fmt;
use std::str::FromStr;

pub use rules::{SINK_USES_MAX, STEERED_USES_MAX};
pub(super) use shape::Shape;

use super::{Encoding, Leaf, Recipe};
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
    /// One piece of the connector's own, by its SHA-256.
    Pinned([u8; 32]),
    Encode(Encoding, Vec<Part>),
    Apply(Shape, Vec<Vec<Part>>),
}

impl Part {
    /// The lists below.
    fn lists(&self) -> &[Vec<Part>] {
        match self {
            Part::Encode(_, parts) => std::slice::from_ref(parts),
            Part::Apply(_, lists) => lists,
            Part::Own | Part::Named(_) | Part::Guest(_) | Part::Pinned(_) => &[],
        }
    }
}

/// What one piece of the connector's own is made of.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Guest {
    /// At most so many bytes.
    Any(usize),
    Exactly(String),
}

impl Guest {
    /// What a piece of this length needs.
    pub(super) fn any(bytes: usize) -> Self {
        Self::Any(bytes.max(GUEST_TEXT_BYTES_MAX))
    }
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
        !self
            .every(&|part| match part {
                Part::Own => vec![owner],
                Part::Named(leaf) if leaf == owner => vec![owner],
                _ => Vec::new(),
            })
            .is_empty()
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
                    Guest::Any(_) => None,
                })
                .collect(),
            _ => Vec::new(),
        })
    }

    fn every<'a, T>(&'a self, pick: &dyn Fn(&'a Part) -> Vec<T>) -> Vec<T> {
        fn walk<'a, T>(parts: &'a [Part], pick: &dyn Fn(&'a Part) -> Vec<T>, found: &mut Vec<T>) {
            for part in parts {
                found.extend(pick(part));
                part.lists().iter().for_each(|inner| walk(inner, pick, found));
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
            [Part::Guest(guests)] if guests.len() > 1 => call(f, "join", std::slice::from_ref(&self.parts)),
            [only] => part(f, only),
            _ => call(f, "join", std::slice::from_ref(&self.parts)),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn call(f: &mut fmt::Formatter<'_>, name: impl fmt::Display, lists: &[Vec<Part>]) -> fmt::Result {
    write!(f, "{name}(")?;
    for (index, parts) in lists.iter().enumerate() {
        if index > 0 {
            f.write_str("; ")?;
        }
        for (index, each) in parts.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            part(f, each)?;
        }
    }
    f.write_str(")")
}

fn part(f: &mut fmt::Formatter<'_>, part: &Part) -> fmt::Result {
    match part {
        Part::Own => f.write_str("raw"),
        Part::Named(leaf) => write!(f, "{leaf}"),
        Part::Pinned(pin) => write!(f, "pinned:{}", hex::encode(pin)),
        Part::Encode(encoding, _) => call(f, encoding, part.lists()),
        Part::Apply(shape, lists) => call(f, shape, lists),
        Part::Guest(guests) => {
            for (index, guest) in guests.iter().enumerate() {
                if index > 0 {
                    f.write_str(", ")?;
                }
                match guest {
                    Guest::Any(GUEST_TEXT_BYTES_MAX) => f.write_str("text")?,
                    Guest::Any(max) => write!(f, "text:{max}")?,
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
