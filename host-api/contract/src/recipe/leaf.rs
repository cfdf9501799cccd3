//! Names of secrets. Never a value.

use std::fmt;
use std::sync::Arc;

/// Where a secret comes from; the part of its name before the dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeafKind {
    /// A login field, entered by the person.
    Field,
    /// The answer to a prompt.
    Answer,
    /// Cut out of an answer of the Data Source by a capture rule.
    Captured,
    /// The operator's own.
    Operator,
    /// A cookie of this run.
    Cookie,
}

impl LeafKind {
    /// Every kind.
    pub const ALL: &'static [LeafKind] =
        &[LeafKind::Field, LeafKind::Answer, LeafKind::Captured, LeafKind::Operator, LeafKind::Cookie];

    /// The word in patterns and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            LeafKind::Field => "field",
            LeafKind::Answer => "answer",
            LeafKind::Captured => "captured",
            LeafKind::Operator => "operator",
            LeafKind::Cookie => "cookie",
        }
    }

    /// The manifest's table for secrets of this kind.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            LeafKind::Captured => "capture",
            other => other.as_str(),
        }
    }
}

/// The name of one secret, such as `field.password`. Never its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leaf {
    /// Where it comes from.
    pub kind: LeafKind,
    /// Its name in the manifest.
    pub name: Arc<str>,
}

impl Leaf {
    /// Names a secret.
    #[must_use]
    pub fn new(kind: LeafKind, name: &str) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.as_str(), self.name)
    }
}
