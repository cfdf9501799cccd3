//! Keeps what came from outside, in memory and within bounds. Bodies are shared with the run: a tape of one that goes well costs little.

use std::sync::{Mutex, PoisonError};

use consentry_contract::failure::Code;
use consentry_tape::{EVENTS_MAX, Event, Inputs, TAPE_BYTES_MAX, Tape};

use super::{Call, TapeSink};

/// The tape of one run while it goes on.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    tape: Tape,
    bytes: usize,
}

impl Recorder {
    /// What was taped, which is nothing before a run has begun. None of it stays here.
    #[must_use]
    pub fn take(&self) -> Option<Tape> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map(|kept| kept.tape)
    }
}

impl TapeSink for Recorder {
    fn begins(&self, inputs: Inputs) {
        let kept = Kept { tape: Tape::new(inputs), bytes: 0 };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }

    fn call(&self, _: Call) {}

    fn refused(&self, _: u64, _: Code) {}

    fn outside(&self, what: Event) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = kept.as_mut() else { return };
        kept.bytes += what.bytes();
        if kept.bytes > TAPE_BYTES_MAX || kept.tape.events.len() >= EVENTS_MAX {
            kept.tape.cut = true;
        }
        if !kept.tape.cut {
            kept.tape.events.push(what);
        }
    }
}
