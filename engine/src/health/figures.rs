//! What is told of counted runs: volumes always, shares and percentiles where there are enough of them.

use jiff::SignedDuration;
use serde::Serialize;

use super::{BOUNDS, Counts, Fault, RUNS_MIN};

/// How far back is looked. It begins with a slot, so it is up to ten minutes longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// One hour.
    Hour,
    /// 24 hours.
    Day,
    /// Seven days.
    Week,
}

impl Window {
    /// Every window, the shortest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    pub(super) const fn length(self) -> SignedDuration {
        SignedDuration::from_hours(match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week => 7 * 24,
        })
    }
}

/// Figures of one Data Source in one window.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Runs that ended.
    pub runs: u64,
    /// Of them, those that brought everything that was granted.
    pub whole: u64,
    /// Of them, those that brought a part.
    pub partial: u64,
    /// Of them, those that the person ended, or the hour.
    pub left: u64,
    /// Runs that say something about the connector: whole, partial, and those that failed and were not the person's or the
    /// recipient's turn.
    pub judged: u64,
    /// The share of them that was whole, from 0 to 1; none on fewer than [`RUNS_MIN`].
    pub success_share: Option<f64>,
    /// How long half of the collections took at most, in seconds, without what they waited for persons; none on fewer than
    /// [`RUNS_MIN`] collections. As exact as the histogram: within a half.
    pub p50_seconds: Option<f64>,
    /// The same for nine in ten.
    pub p90_seconds: Option<f64>,
    /// The same for 99 in a hundred.
    pub p99_seconds: Option<f64>,
    /// What went wrong, the most frequent first.
    pub faults: Vec<(Fault, u64)>,
}

impl Counts {
    pub(super) fn figures(mut self) -> Figures {
        self.faults.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
        Figures {
            success_share: (self.judged >= RUNS_MIN).then(|| ratio(self.whole, self.judged)),
            p50_seconds: percentile(&self.took, 50),
            p90_seconds: percentile(&self.took, 90),
            p99_seconds: percentile(&self.took, 99),
            runs: self.runs,
            whole: self.whole,
            partial: self.partial,
            left: self.left,
            judged: self.judged,
            faults: self.faults,
        }
    }
}

/// The upper bound of the class that this share of all falls into, in seconds.
fn percentile(took: &[u64], percent: u64) -> Option<f64> {
    let all: u64 = took.iter().sum();
    if all < RUNS_MIN {
        return None;
    }
    let rank = (all * percent).div_ceil(100);
    let mut so_far = 0;
    let at = took.iter().position(|count| {
        so_far += count;
        so_far >= rank
    })?;
    BOUNDS.get(at).map(|bound| f64::from(*bound) / 1000.0)
}

#[expect(clippy::cast_precision_loss, reason = "far fewer runs than a double counts exactly")]
fn ratio(part: u64, all: u64) -> f64 {
    part as f64 / all as f64
}
