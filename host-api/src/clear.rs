//! How long secrets stand in memory in clear, counted for the whole process: each moment, and each run's moments together. No value, no
//! length and no name is in it.
//!
//! A secret is in clear in these moments: from its opening until the run's vault has sealed it, while it is evaluated into a request or for
//! a page, from when the client takes that request, or the browser what is typed, until it has written it, and while its answer is
//! searched for it; an answer to a question from when it came until the connector takes it, ten minutes at the most. In between it is
//! sealed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// From opening what was sealed in the browser to sealing it for the run.
    Open,
    /// From a person's answer to the connector's taking it.
    Answer,
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

static COUNTS: [Histogram; Moment::ALL.len()] = [const { Histogram::new() }; Moment::ALL.len()];
static RUNS: Histogram = Histogram::new();

impl Histogram {
    const fn new() -> Self {
        Self { within: [const { AtomicU64::new(0) }; BOUNDS.len() + 1], sum: AtomicU64::new(0) }
    }

    fn add(&self, lasted: Duration) {
        let place = BOUNDS.iter().position(|bound| lasted <= *bound).unwrap_or(BOUNDS.len());
        self.within[place].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(u64::try_from(lasted.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn counted(&self) -> Counted {
        let within = self.within.each_ref().map(|count| count.load(Ordering::Relaxed));
        Counted { within, sum: Duration::from_nanos(self.sum.load(Ordering::Relaxed)) }
    }
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Open, Self::Answer, Self::Evaluate, Self::Send, Self::Search];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answer => "answer",
            Self::Evaluate => "evaluate",
            Self::Send => "send",
            Self::Search => "search",
        }
    }

    /// What was counted since the process began.
    pub fn counted(self) -> Counted {
        COUNTS[self as usize].counted()
    }

    /// Begins such a moment, which ends when what is returned is dropped. It belongs to no run.
    #[must_use]
    pub fn begin(self) -> Clear {
        Clear { moment: self, since: Instant::now(), run: None }
    }
}

/// How long any secret of one run stands in clear: moments that overlap count once (but for an answer, which counts whole). It is counted when its last copy is dropped, which
/// is when the run's vault and all that was made from it are gone.
#[derive(Debug, Clone, Default)]
pub struct RunInClear(Arc<Whole>);

#[derive(Debug, Default)]
struct Whole(Mutex<Stretch>);

#[derive(Debug, Default)]
struct Stretch {
    /// Moments that are under way, and since when there was one.
    under_way: Option<(usize, Instant)>,
    before: Duration,
}

impl RunInClear {
    /// As [`Moment::begin`], in this run.
    #[must_use]
    pub fn begin(&self, moment: Moment) -> Clear {
        moment.begin().of(self)
    }

    /// Whether any of its secrets is in clear now.
    #[cfg(test)]
    pub(crate) fn is_in_clear(&self) -> bool {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).under_way.is_some()
    }

    fn end(&self) {
        self.0.change(|stretch| match stretch.under_way {
            Some((1, since)) => {
                stretch.before += since.elapsed();
                stretch.under_way = None;
            }
            Some((count, since)) => stretch.under_way = Some((count - 1, since)),
            None => {}
        });
    }
}

impl Whole {
    fn change(&self, change: impl FnOnce(&mut Stretch)) {
        // Whoever panicked in between left two numbers that fit.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        self.change(|stretch| {
            // A run of which nothing was opened says nothing about those of which something was.
            if !stretch.before.is_zero() {
                RUNS.add(stretch.before);
            }
        });
    }
}

/// What was counted of runs since the process began: of each, how long any of its secrets stood in clear.
pub fn runs() -> Counted {
    RUNS.counted()
}

/// Something is in clear as long as this is there.
#[derive(Debug)]
pub struct Clear {
    moment: Moment,
    since: Instant,
    run: Option<RunInClear>,
}

impl Clear {
    /// The same, in this run, to which it has belonged since it began.
    pub(crate) fn of(mut self, run: &RunInClear) -> Self {
        run.0.change(|stretch| {
            let (count, since) = stretch.under_way.unwrap_or((0, self.since));
            stretch.under_way = Some((count + 1, since.min(self.since)));
        });
        self.run = Some(run.clone());
        self
    }
}

impl Drop for Clear {
    fn drop(&mut self) {
        COUNTS[self.moment as usize].add(self.since.elapsed());
        if let Some(run) = &self.run {
            run.end();
        }
        crate::memory::wipe_stack();
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

    #[test]
    fn moments_of_a_run_that_overlap_count_once_and_the_run_when_its_last_copy_goes() {
        let run = RunInClear::default();
        let spent = |run: &RunInClear| run.0.0.lock().unwrap().before;
        let begun = Instant::now();
        let (outer, inner) = (run.begin(Moment::Evaluate), run.begin(Moment::Open));
        std::thread::yield_now();
        drop(inner);
        assert_eq!(spent(&run), Duration::ZERO, "one is under way");
        drop(outer);
        let first = spent(&run);
        assert!(first > Duration::ZERO && first <= begun.elapsed());
        let answer = Moment::Answer.begin();
        drop(run.begin(Moment::Search));
        let second = spent(&run);
        assert!(second > first && second <= begun.elapsed());
        // It came before it was known whose it is.
        drop(answer.of(&run));
        assert!(spent(&run) > second * 2 - first);

        let all = || runs().within.iter().sum::<u64>();
        let (before, late) = (all(), run.begin(Moment::Send));
        drop(run);
        assert_eq!(all(), before, "what was made from it is there");
        drop(late);
        assert!(all() > before);
    }
}
