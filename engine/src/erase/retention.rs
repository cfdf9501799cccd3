//! The retention table, compiled in: what is kept, why, from when, for how long.
//!
//! Each row of `retention.csv` is a type, and whatever is stored names its row by that type: no row, no storage. Rows whose
//! store is `ram` have a deadline too, but are not [`Storable`]: Shareable Data and live credentials can't be written down.
//!
//! Periods count in UTC calendar months. The deadline is the first of `trigger + period`, an early end, and `cap`, which
//! counts from the first trigger and which nothing extends.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// A class of data, and how long it is kept.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// `R01`, `R02`, …
    pub id: &'static str,
    /// What it covers.
    pub categories: &'static [&'static str],
    /// Why it is kept, as a term of the W3C Data Privacy Vocabulary.
    pub purpose: &'static str,
    /// Its bases in law.
    pub basis: &'static [&'static str],
    /// What its period counts from.
    pub triggers: &'static [&'static str],
    /// How long it is kept from the last trigger; none is for ever.
    pub period: Option<Period>,
    /// What ends it earlier.
    pub early_ends: &'static [&'static str],
    /// The most it is kept from the first trigger; none is for ever.
    pub cap: Option<Period>,
    /// What is done at the deadline.
    pub action: &'static str,
    /// Where it is kept.
    pub store: &'static str,
    /// Whether a backup may hold it.
    pub backup: bool,
    /// Where the period comes from.
    pub source: &'static str,
}

/// A length of time as the policy counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Calendar months in UTC.
    Months(u32),
    /// Seconds; a day is 86,400 of them.
    Seconds(u32),
}

/// Ties a type to its row of the table.
pub trait Retained: 'static {
    /// The row.
    const ROW: &'static Row;
}

/// Marks the rows that may be written to a store. Implemented by the generated rows only, and not by those kept in memory.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is kept in memory only and can't be stored",
    note = "its row in retention.csv has the store `ram`"
)]
pub trait Storable: Retained {}

include!(concat!(env!("OUT_DIR"), "/retention.rs"));

/// What the period of one record counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Term {
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    not_after: Option<Timestamp>,
}

impl Term {
    /// A record whose trigger has not fired: its deadline is not known yet.
    pub fn open() -> Self {
        Self::default()
    }

    /// A record whose trigger fired `at`.
    pub fn from(at: Timestamp) -> Self {
        Self { first: Some(at), last: Some(at), not_after: None }
    }

    /// The same, ending at `end` at the latest: what belongs to a session never outlives it.
    #[must_use]
    pub fn ending_by(self, end: Timestamp) -> Self {
        let end = self.not_after.map_or(end, |known| known.min(end));
        Self { not_after: Some(end), ..self }
    }

    /// The same record after its trigger fired once more. What was first stays first, and an end stays an end.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        let not_after = [self.not_after, later.not_after].into_iter().flatten().min();
        Self { first: self.first.or(later.first), last: later.last.or(self.last), not_after }
    }

    pub(crate) fn parts(&self) -> [Option<Timestamp>; 3] {
        [self.first, self.last, self.not_after]
    }

    pub(crate) fn from_parts([first, last, not_after]: [Option<Timestamp>; 3]) -> Self {
        Self { first, last, not_after }
    }
}

impl Row {
    /// Tells when a record of this row must be gone; none while it is kept.
    pub fn deadline(&self, term: &Term) -> Option<Timestamp> {
        let regular = self.period.zip(term.last).map(|(period, last)| period.after(last));
        let capped = self.cap.zip(term.first).map(|(cap, first)| cap.after(first));
        [regular, capped, term.not_after].into_iter().flatten().min()
    }

    /// Finds a row by its id.
    pub fn by_id(id: &str) -> Option<&'static Self> {
        TABLE.iter().find(|row| row.id == id).copied()
    }
}

impl Period {
    /// Counts from an instant. The end of time is the end of every period.
    pub fn after(self, start: Timestamp) -> Timestamp {
        let end = match self {
            // A timestamp has no months; its civil date in UTC has. 31 January and one month is 28 or 29 February.
            Self::Months(months) => {
                let span = Span::new().try_months(months);
                span.and_then(|span| start.to_zoned(TimeZone::UTC).checked_add(span)).map(|zoned| zoned.timestamp())
            }
            Self::Seconds(seconds) => start.checked_add(Span::new().seconds(i64::from(seconds))),
        };
        end.unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
#[path = "../../build/table.rs"]
mod table;

#[cfg(test)]
mod tests;
