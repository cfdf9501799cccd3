//! What a person puts beside the record of their consent, which itself stays what was decided.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::rights::Ground;

/// Why nothing is done under a consent, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restriction {
    /// The ground.
    pub ground: Ground,
    /// Since when.
    pub since: Timestamp,
}

/// Something that the person put beside the record.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// When.
    pub at: Timestamp,
    /// Their words.
    pub text: String,
}

impl std::fmt::Debug for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statement").field("at", &self.at).finish_non_exhaustive()
    }
}
