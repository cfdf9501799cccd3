//! CPU time that is spent for a guest, in it and in the host: the time of the thread while the guest has its turn. Thread time, not wall time:
//! a busy machine makes no run fail, and a host function that works for long is not cheaper than the guest's own loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use consentry_contract::document::{Exhausted, Meter};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// Nobody has the turn.
const NO_TURN: u64 = u64::MAX;

/// The CPU time of one run.
#[derive(Debug, Clone)]
pub struct CpuAccount(Arc<Account>);

#[derive(Debug)]
struct Account {
    /// Nanoseconds of the turns that are over.
    spent: AtomicU64,
    /// The thread's time at which the present turn began.
    turn: AtomicU64,
    /// The machine's, in nanoseconds since the account was opened.
    began: AtomicU64,
    opened: Instant,
}

impl Default for CpuAccount {
    fn default() -> Self {
        let (spent, turn, began) = (AtomicU64::new(0), AtomicU64::new(NO_TURN), AtomicU64::new(0));
        Self(Arc::new(Account { spent, turn, began, opened: Instant::now() }))
    }
}

impl CpuAccount {
    /// Does the work of a guest, and counts what each of its turns takes, on whichever thread it has it.
    pub async fn charge<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|ctx| {
            self.0.began.store(nanoseconds(self.0.opened.elapsed()), Ordering::Relaxed);
            self.0.turn.store(nanoseconds(thread_time()), Ordering::Relaxed);
            let polled: Poll<T> = work.as_mut().poll(ctx);
            self.0.spent.store(nanoseconds(self.used()), Ordering::Relaxed);
            self.0.turn.store(NO_TURN, Ordering::Relaxed);
            polled
        })
        .await
    }

    /// What the turns that are over have used.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.0.spent.load(Ordering::Relaxed))
    }

    /// What was used so far, the present turn included; asked by whoever has that turn.
    pub(crate) fn used(&self) -> Duration {
        let spent = nanoseconds(self.spent());
        let turn = match self.0.turn.load(Ordering::Relaxed) {
            NO_TURN => 0,
            began => nanoseconds(thread_time()).saturating_sub(began),
        };
        Duration::from_nanos(spent.saturating_add(turn))
    }

    /// Whether no more than this was used; asked by whoever has the turn. The thread's clock is a call of the kernel, so the machine's is
    /// asked first: no thread works for longer than that runs.
    pub(crate) fn within(&self, most: Duration) -> bool {
        let spent = self.spent();
        let began = Duration::from_nanos(self.0.began.load(Ordering::Relaxed));
        spent + self.0.opened.elapsed().saturating_sub(began) <= most || self.used() <= most
    }
}

/// Stops a document's work when the run has used up its time; for the turn in which it was made.
#[derive(Debug)]
pub(crate) struct CpuMeter {
    account: CpuAccount,
    most: Duration,
}

impl CpuMeter {
    /// So much may be used altogether.
    pub(crate) fn new(account: &CpuAccount, most: Duration) -> Self {
        Self { account: account.clone(), most }
    }
}

impl Meter for CpuMeter {
    fn check(&mut self) -> Result<(), Exhausted> {
        if self.account.within(self.most) { Ok(()) } else { Err(Exhausted) }
    }
}

fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap_or(TimeSpec::new(0, 0)).into()
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX - 1)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Keeps this thread busy for so much of its CPU time.
    pub(crate) fn work_for(milliseconds: u64) {
        let end = thread_time() + Duration::from_millis(milliseconds);
        while thread_time() < end {
            std::hint::spin_loop();
        }
    }

    #[tokio::test]
    async fn work_counts_and_waiting_does_not() {
        let account = CpuAccount::default();
        let inside = account.clone();
        account
            .charge(async move {
                work_for(20);
                assert!(inside.used() >= Duration::from_millis(20), "the present turn counts");
                // Somebody else's turn on the same thread.
                let others = tokio::spawn(async { work_for(60) });
                others.await.unwrap();
                work_for(10);
            })
            .await;
        let used = account.used();
        assert!(account.within(used) && !account.within(used - Duration::from_millis(1)));
        assert!(used >= Duration::from_millis(30) && used < Duration::from_millis(60), "{used:?}");
        work_for(30);
        assert_eq!(account.used(), used, "nothing counts between turns");
    }
}
