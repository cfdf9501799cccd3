//! Where time comes from.
//!
//! Code that decides takes a [`Timestamp`]; code that does holds a [`Clock`]. Nothing else in the engine asks what time it
//! is, so expiry, retention and replay are tested with a [`ManualClock`] and without waiting.

use std::fmt;
use std::sync::Mutex;

pub use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span};
use serde::{Deserialize, Serialize};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine is asked for the time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until it is moved, for tests and simulations.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// Makes a clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Mutex::new(start))
    }

    /// Moves the clock to `instant`, forward or back, as an operator or a time server may do.
    pub fn set(&self, instant: Timestamp) {
        *self.lock() = instant;
    }

    /// Moves the clock by `duration`, which may be negative. It stops at the first and the last instant that exist.
    pub fn advance(&self, duration: SignedDuration) {
        let mut now = self.lock();
        let limit = if duration.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
        *now = now.checked_add(duration).unwrap_or(limit);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Timestamp> {
        // A poisoned clock still holds a whole instant.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.lock()
    }
}

/// A calendar month in UTC, written `2026-11`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Month(Date);

/// A text that is not a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a month is written as 2026-11")]
pub struct NotAMonth;

impl Month {
    /// The month that an instant falls in.
    pub fn of(instant: Timestamp) -> Self {
        Self(instant.to_zoned(TimeZone::UTC).date().first_of_month())
    }

    /// The first instant of the month that is `months` later. The end of time is the end of every month.
    pub fn first_instant_after(self, months: u8) -> Timestamp {
        let later = self.0.checked_add(Span::new().months(i64::from(months)));
        later.and_then(|date| date.to_zoned(TimeZone::UTC)).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
    }
}

impl Month {
    /// Whether it is January.
    pub fn is_first_of_year(self) -> bool {
        self.0.month() == 1
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}

impl TryFrom<String> for Month {
    type Error = NotAMonth;

    fn try_from(text: String) -> Result<Self, NotAMonth> {
        let month = Self(format!("{text}-01").parse().map_err(|_| NotAMonth)?);
        if month.to_string() == text { Ok(month) } else { Err(NotAMonth) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_counts_in_utc_and_reads_back() {
        let month = Month::of("2026-12-31T23:59:59.999Z".parse().unwrap());
        assert_eq!(month.to_string(), "2026-12");
        assert_eq!(Month::try_from("2026-12".to_owned()), Ok(month));
        assert!(Month::of("2027-01-01T00:00:00Z".parse().unwrap()) > month);
        assert_eq!(month.first_instant_after(0).to_string(), "2026-12-01T00:00:00Z");
        assert_eq!(month.first_instant_after(13).to_string(), "2028-01-01T00:00:00Z");
        assert_eq!(Month::of(Timestamp::MAX).first_instant_after(13), Timestamp::MAX);
        for wrong in ["2026", "2026-13", "2026-1", "2026-12-01", ""] {
            assert!(Month::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let start: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let clock = ManualClock::new(start);
        assert_eq!(clock.now(), start);
        clock.advance(SignedDuration::from_hours(-1));
        assert_eq!(clock.now().to_string(), "2026-11-21T09:00:00Z");
        clock.set(start);
        assert_eq!(clock.now(), start);
        clock.advance(SignedDuration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }
}
