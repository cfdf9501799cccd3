//! Which key table a record's key stands in. It follows from the record's row and term, so nothing says it but the head.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::data::Digest;
use crate::erase::retention::{Period, Row, Term};

/// Periods up to this one have a table of their own, out of which each key goes at its deadline. Of longer ones, a whole day's
/// table goes at once.
const EXACT_SECONDS_MAX: u32 = 72 * 3600;

/// Names a table.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TableName(String);

impl TableName {
    /// The table of a record.
    pub(crate) fn of(row: &Row, term: &Term, record: &str) -> Self {
        Self(match (row.deadline(term), exact_seconds(row)) {
            (Some(_), Some(seconds)) => format!("within-{seconds}"),
            (Some(deadline), None) => format!("day-{}", day(deadline)),
            // What is kept for ever has the day on which it came.
            (None, _) if row.period.is_none() && row.cap.is_none() => {
                format!("kept-{}", term.parts()[0].map_or_else(|| "always".to_owned(), |first| day(first).to_string()))
            }
            // Its deadline is not known yet. All of one subject, or of one consent, have the same name, and so one table.
            (None, _) => format!("open-{:x}", Digest::of(record.as_bytes()).as_bytes()[0] >> 4),
        })
    }

    /// Reads a file's name.
    pub(in crate::store) fn read(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('-')?;
        let known = match kind {
            "within" => rest.parse::<u32>().is_ok(),
            "day" => rest.parse::<Date>().is_ok(),
            "kept" => rest == "always" || rest.parse::<Date>().is_ok(),
            "open" => rest.len() == 1,
            _ => false,
        };
        known.then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether each of its keys goes at a deadline of its own.
    pub(crate) fn is_exact(&self) -> bool {
        self.0.starts_with("within-")
    }

    /// Whether all its deadlines are over.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        let last: Option<Date> = self.0.strip_prefix("day-").and_then(|date| date.parse().ok());
        last.is_some_and(|last| last < day(now))
    }
}

/// The longest period of a row, if it is one that is met exactly.
fn exact_seconds(row: &Row) -> Option<u32> {
    let seconds = |period: Period| match period {
        Period::Seconds(seconds) if seconds <= EXACT_SECONDS_MAX => Some(seconds),
        _ => None,
    };
    let known: Vec<Option<u32>> = [row.period, row.cap].into_iter().flatten().map(seconds).collect();
    known.into_iter().collect::<Option<Vec<_>>>()?.into_iter().max()
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
