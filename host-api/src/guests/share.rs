//! What a guest may spend of a thread in front, and how it gets that back. Counted is CPU time, so that a machine that is busy sends nobody
//! behind; and waiting is counted in ticks, so that many short waits are none.

use std::time::Duration;

use crate::TICK_MILLISECONDS;

/// So much may be spent in front: a run of some hundred items never spends more at once.
const SPENT_MAX: Duration = Duration::from_millis(2 * TICK_MILLISECONDS);
/// So many times as long as it has spent a guest waits until that is forgotten. Guests that spin between waits so have a sixteenth of a
/// thread in front.
const WAITS_FOR_IT: u32 = 16;
/// More is not held against anybody: who has waited for a second is in front.
const HELD_AGAINST_MAX: Duration = Duration::from_millis(64);

/// One guest's share.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// Spent, and not waited for.
    spent: Duration,
    /// Of the guest's account.
    counted: Duration,
    /// Since when it waits, if it does.
    since: u64,
}

impl Share {
    /// Its turn is over, at this tick; all its turns took so long. It may be about to wait.
    pub(super) fn spent(&mut self, all: Duration, tick: u64) {
        self.spent = (self.spent + all.saturating_sub(self.counted)).min(HELD_AGAINST_MAX);
        (self.counted, self.since) = (all, tick);
    }

    /// It waited until this tick.
    pub(super) fn waited_until(&mut self, tick: u64) {
        let waited = Duration::from_millis(tick.saturating_sub(self.since).saturating_mul(TICK_MILLISECONDS));
        self.spent = self.spent.saturating_sub(waited / WAITS_FOR_IT);
    }

    /// So many ticks later than who has spent nothing it is due behind; none if it goes on in front.
    pub(super) fn ticks_behind(&self) -> Option<u64> {
        (self.spent > SPENT_MAX).then_some(self.spent.as_millis() as u64 / TICK_MILLISECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(TICK_MILLISECONDS);

    #[test]
    fn who_spends_no_more_than_two_ticks_is_in_front() {
        let mut share = Share::default();
        share.spent(2 * TICK, 0);
        assert_eq!(share.ticks_behind(), None);
        share.spent(2 * TICK + Duration::from_nanos(1), 0);
        assert_eq!(share.ticks_behind(), Some(2));
        share.spent(20 * TICK, 0);
        assert_eq!(share.ticks_behind(), Some(20));
    }

    #[test]
    fn what_was_spent_is_waited_for_sixteen_times_as_long() {
        let mut share = Share::default();
        share.spent(5 * TICK, 100);
        share.waited_until(100 + 3 * 16 - 1);
        assert_eq!(share.ticks_behind(), Some(2));
        // Of another wait, from when it began.
        share.spent(5 * TICK, 1_000);
        share.waited_until(1_001);
        assert_eq!(share.ticks_behind(), None);
    }

    #[test]
    fn after_a_second_nothing_is_held_against_anybody() {
        let mut share = Share::default();
        share.spent(Duration::from_secs(60), 0);
        share.waited_until(1_000 / TICK_MILLISECONDS);
        assert_eq!(share.ticks_behind(), None);
    }

    /// A guest that spins for less than two ticks, again and again, and waits for less than one in between.
    #[test]
    fn who_spins_between_waits_has_a_sixteenth_of_a_thread_in_front() {
        let (mut share, mut all, mut tick, mut in_front) = (Share::default(), Duration::ZERO, 0, Duration::ZERO);
        for _ in 0..10_000 {
            let turn = TICK * 19 / 10;
            if share.ticks_behind().is_none() {
                in_front += turn;
            }
            all += turn;
            tick += 2;
            share.spent(all, tick);
            tick += 1;
            share.waited_until(tick);
        }
        assert!(in_front < all / 16, "{in_front:?} of {all:?}");
    }
}
