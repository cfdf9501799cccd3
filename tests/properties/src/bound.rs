//! CPU time, so that what is slow on a busy machine is told from what computes for long.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// How much slower than an optimised build this one may be.
const SLOWNESS: u32 = if cfg!(debug_assertions) { 20 } else { 2 };

/// CPU time of this thread.
pub(crate) fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// Holds a duration against what an optimised build may take.
#[track_caller]
pub(crate) fn within(what: &str, took: Duration, milliseconds: u64) {
    let allowed = Duration::from_millis(milliseconds) * SLOWNESS;
    assert!(took <= allowed, "{what} took {took:?} of CPU, and {allowed:?} is allowed");
}

/// Runs something that may take so long, and a little for each byte.
#[track_caller]
pub(crate) fn bounded<T>(what: &str, bytes: usize, run: impl FnOnce() -> T) -> T {
    let before = cpu();
    let done = run();
    // 8 microseconds a byte: two seconds for the largest manifest.
    within(what, cpu().saturating_sub(before), 50 + bytes as u64 / 125);
    done
}
