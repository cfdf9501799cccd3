//! Leaves a Data Source alone that did not answer several times in a row. After the rest one request looks; the others wait for what comes
//! of it. A look that nobody waits for any more decides nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::ports::Clock;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It answers; so many requests in a row did not.
    Answering { failures: u32 },
    /// It is left alone since then.
    Resting { since: Timestamp },
    /// One request looks, since then.
    Looking { since: Timestamp },
}

pub(super) struct Breaker {
    failures_max: u32,
    rest: Duration,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

/// A request on its way.
pub(super) struct Attempt<'a> {
    breaker: &'a Breaker,
    looks: bool,
    ended: bool,
}

impl Breaker {
    pub(super) fn new(failures_max: u32, rest: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { failures_max, rest, clock, state: Mutex::new(State::Answering { failures: 0 }) }
    }

    /// Whether a request may wait for its turn.
    ///
    /// # Errors
    /// How long the source still rests.
    pub(super) fn look(&self) -> Result<(), Duration> {
        self.left(*self.state()).map_or(Ok(()), Err)
    }

    /// Lets a request go out.
    ///
    /// # Errors
    /// How long the source still rests.
    pub(super) fn begin(&self) -> Result<Attempt<'_>, Duration> {
        let mut state = self.state();
        if let Some(left) = self.left(*state) {
            return Err(left);
        }
        let looks = !matches!(*state, State::Answering { .. });
        if looks {
            *state = State::Looking { since: self.clock.now() };
        }
        Ok(Attempt { breaker: self, looks, ended: false })
    }

    /// How long nobody may ask. A look of which nothing came for as long as a rest is as good as none.
    fn left(&self, state: State) -> Option<Duration> {
        let (State::Resting { since } | State::Looking { since }) = state else { return None };
        // A clock that was put back must not lengthen the rest.
        let passed = Duration::try_from(self.clock.now().duration_since(since)).ok()?;
        self.rest.checked_sub(passed).filter(|left| !left.is_zero())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// Whether the source answered; none where it was not asked in the end.
    pub(super) fn end(mut self, answered: Option<bool>) {
        let Some(answered) = answered else { return };
        self.ended = true;
        let breaker = self.breaker;
        let mut state = breaker.state();
        *state = match (*state, answered) {
            (State::Answering { .. }, true) => State::Answering { failures: 0 },
            (State::Answering { failures }, false) if failures + 1 < breaker.failures_max => {
                State::Answering { failures: failures + 1 }
            }
            (State::Answering { .. }, false) => State::Resting { since: breaker.clock.now() },
            (State::Looking { .. }, true) if self.looks => State::Answering { failures: 0 },
            (State::Looking { .. }, false) if self.looks => State::Resting { since: breaker.clock.now() },
            // Begun before the rest: it says nothing new.
            (state, _) => state,
        };
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.looks && !self.ended {
            let mut state = self.breaker.state();
            if let State::Looking { .. } = *state {
                // The next one looks, at once.
                *state = State::Resting { since: Timestamp::UNIX_EPOCH };
            }
        }
    }
}
