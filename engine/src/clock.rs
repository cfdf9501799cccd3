//! Where time comes from.
//!
//! Code that decides takes a [`Timestamp`]; code that does holds a [`Clock`]. Nothing else in the engine asks what time it
//! is, so expiry, retention and replay are tested with a [`ManualClock`] and without waiting.

use std::sync::Mutex;

pub use jiff::Timestamp;
use jiff::SignedDuration;

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

#[cfg(test)]
mod tests {
    use super::*;

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
