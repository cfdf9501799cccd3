//! How late it is for what must be gone in time. A clock that is set back gives nothing a longer life, also if the engine starts again
//! meanwhile: by how much it was set back in all is added to it, and remembered. So this time never goes back, and a clock that was ahead
//! by mistake and is right again counts on from where it had been.
//!
//! What is made after a clock was set back has its deadline by the clock as it is then. So each record with an exact deadline remembers
//! by how much the clock had been set back when it was made.

use jiff::Timestamp;

/// The latest that was seen, and by how much the clock is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) seen: Late,
    /// In nanoseconds.
    pub(super) back: i128,
}

/// How late it is, in nanoseconds. No clock is so far ahead that there is nothing after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Late(i128);

impl Time {
    /// How late it is when the clock says `now`.
    pub(super) fn at(self, now: Timestamp) -> Late {
        Late::of(now, self.back).max(self.seen)
    }

    /// By how many seconds a clock that says `now` is behind what was seen.
    pub(super) fn behind(self, now: Timestamp) -> i128 {
        self.at(now).seconds_since(Late::of(now, self.back))
    }

    /// Looks at the clock.
    pub(super) fn looked(self, now: Timestamp) -> Self {
        let seen = self.at(now);
        Self { seen, back: seen.0 - now.as_nanosecond() }
    }
}

impl Late {
    /// How late it is when a clock says `at` that was set back by so much.
    pub(super) fn of(at: Timestamp, back: i128) -> Self {
        Self(at.as_nanosecond().saturating_add(back))
    }

    /// As a moment, of those that there are.
    pub(super) fn as_timestamp(self) -> Timestamp {
        let within = self.0.clamp(Timestamp::MIN.as_nanosecond(), Timestamp::MAX.as_nanosecond());
        Timestamp::from_nanosecond(within).unwrap_or(Timestamp::MIN)
    }

    /// The seconds between the two.
    pub(super) fn seconds_since(self, before: Self) -> i128 {
        self.0.saturating_sub(before.0) / 1_000_000_000
    }

    pub(super) fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    pub(super) fn read(bytes: [u8; 16]) -> Self {
        Self(i128::from_be_bytes(bytes))
    }
}

impl Default for Time {
    fn default() -> Self {
        Self { seen: Late(i128::MIN), back: 0 }
    }
}
