//! How long secrets stand in memory in clear, counted for the whole process. No value, no length and no name is in it.
//!
//! A secret is in clear in four moments: from its opening until the run's vault has sealed it, while it is evaluated into a request or for
//! a page, from when the client takes that request, or the browser what is typed, until it has written it, and while its answer is
//! searched for it. In between it is sealed, but for an answer to a question, which stands open until the connector takes it, ten minutes
//! at the most.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// From opening what was sealed in the browser to sealing it for the run.
    Open,
    /// From opening the first secret of a request to sealing what was made of them all.
    Evaluate,
    /// From opening what was made to the client's, or the browser's, letting go of it.
    Send,
    /// From opening the secrets for the search in an answer to wiping them.
    Search,
}

/// Upper bounds of what is counted together.
pub const BOUNDS: [Duration; 10] = [
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
];

/// How often each bound was kept, and the last place for what was longer than all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// How many lasted no longer than the bound in the same place, and longer than the one before.
    pub within: [u64; BOUNDS.len() + 1],
    /// All of them together.
    pub sum: Duration,
}

struct Histogram {
    within: [AtomicU64; BOUNDS.len() + 1],
    sum: AtomicU64,
}

static COUNTS: [Histogram; 4] = [const { Histogram::new() }; 4];

impl Histogram {
    const fn new() -> Self {
        Self { within: [const { AtomicU64::new(0) }; BOUNDS.len() + 1], sum: AtomicU64::new(0) }
    }
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::Evaluate, Self::Send, Self::Search];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Evaluate => "evaluate",
            Self::Send => "send",
            Self::Search => "search",
        }
    }

    /// What was counted since the process began.
    pub fn counted(self) -> Counted {
        let histogram = &COUNTS[self as usize];
        let within = histogram.within.each_ref().map(|count| count.load(Ordering::Relaxed));
        Counted { within, sum: Duration::from_nanos(histogram.sum.load(Ordering::Relaxed)) }
    }

    /// Begins such a moment, which ends when what is returned is dropped.
    #[must_use]
    pub fn begin(self) -> Clear {
        Clear { moment: self, since: Instant::now() }
    }
}

/// Something is in clear as long as this is there.
#[derive(Debug)]
pub struct Clear {
    moment: Moment,
    since: Instant,
}

impl Drop for Clear {
    fn drop(&mut self) {
        let lasted = self.since.elapsed();
        let place = BOUNDS.iter().position(|bound| lasted <= *bound).unwrap_or(BOUNDS.len());
        let histogram = &COUNTS[self.moment as usize];
        histogram.within[place].fetch_add(1, Ordering::Relaxed);
        histogram.sum.fetch_add(u64::try_from(lasted.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_counted_once_when_it_ends() {
        // Other tests of this process search answers, too; nobody else waits here.
        let all = || Moment::Send.counted().within.iter().sum::<u64>();
        let before = all();
        let clear = Moment::Send.begin();
        let sum = Moment::Send.counted().sum;
        drop(clear);
        assert!(all() > before && Moment::Send.counted().sum > sum);
    }
}
