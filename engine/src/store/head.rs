//! The head of a record: what stands beside it in clear, so that its deadline is known without opening it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::tables::{KeyName, TableName};
use super::time::Late;
use crate::erase::retention::{Row, Term};

const FORMAT: u8 = 1;

/// What stands beside a record in clear, and is bound to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    v: u8,
    row: String,
    pub(super) key: KeyName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_after: Option<Timestamp>,
    /// By how many nanoseconds the clock had been set back when the record got its key.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) back: i128,
}

impl Head {
    pub(super) fn new(row: &Row, key: KeyName, back: i128, term: Term) -> Self {
        let [first, last, not_after] = term.parts();
        Self { v: FORMAT, row: row.id.to_owned(), key, first, last, not_after, back }
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let head: Self = serde_json::from_slice(bytes).ok()?;
        (head.v == FORMAT && Row::by_id(&head.row).is_some()).then_some(head)
    }

    pub(super) fn term(&self) -> Term {
        Term::from_parts([self.first, self.last, self.not_after])
    }

    /// Where its key stands.
    pub(super) fn table(&self, record: &str) -> Option<TableName> {
        Some(TableName::of(Row::by_id(&self.row)?, &self.term(), record))
    }

    /// How late it is at its deadline.
    pub(super) fn until(&self) -> Option<Late> {
        Some(Late::of(self.deadline()?, self.back))
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        Row::by_id(&self.row)?.deadline(&self.term())
    }
}

fn is_zero(back: &i128) -> bool {
    *back == 0
}
