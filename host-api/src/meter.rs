//! CPU time that the host spends for a guest, charged to the run. Thread CPU time, not wall time: a busy machine makes no run fail.

use std::time::Duration;

use consentry_contract::document::{Exhausted, Meter};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// Counts from its making; the thread must not change meanwhile.
#[derive(Debug)]
pub(crate) struct CpuMeter {
    start: Duration,
    left: Duration,
}

impl CpuMeter {
    /// `left` milliseconds may be spent.
    pub(crate) fn new(left: u64) -> Self {
        Self { start: thread_time(), left: Duration::from_millis(left) }
    }

    /// Milliseconds spent so far, rounded up so that many small calls count too.
    pub(crate) fn spent(&self) -> u64 {
        thread_time().saturating_sub(self.start).as_micros().div_ceil(1000).try_into().unwrap_or(u64::MAX)
    }
}

impl Meter for CpuMeter {
    fn check(&mut self) -> Result<(), Exhausted> {
        if thread_time().saturating_sub(self.start) > self.left { Err(Exhausted) } else { Ok(()) }
    }
}

fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap_or(TimeSpec::new(0, 0)).into()
}
