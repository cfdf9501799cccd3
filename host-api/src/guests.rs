//! The guests' threads: a queue that every thread takes from in turn, and nothing else. No sockets, no timers: a host function that
//! forgets to hop to the network thread fails in its first test. Whoever waited for something goes first, in the order in which it came;
//! whoever was interrupted at a tick, as guests are that spin, goes behind them, has every ninth turn at the least, and is interrupted at once when
//! somebody's answer comes.
//!
//! Why no tokio runtime: each wake of one of its threads from outside wakes a second one to look for work, which costs a guest that
//! waits for the network at every request more than its own turn.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::oneshot;

/// Threads that end when this is dropped, whatever is still queued.
pub struct GuestThreads(Arc<Queue>);

struct Queue {
    ready: Mutex<Ready>,
    more: Condvar,
    interrupt: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Ready {
    /// What they waited for is there, or they were interrupted once since it was.
    woken: VecDeque<Arc<Guest>>,
    /// Their turn was over before they were, twice and more.
    interrupted: VecDeque<Arc<Guest>>,
    /// How many of the first had their turns since one of the second had.
    in_a_row: usize,
    /// Threads that wait for one.
    idle: usize,
    /// Threads whose guest was interrupted before and goes on.
    going_on: usize,
    /// Threads that stand in for one whose guest works for long.
    stand_ins: usize,
    closed: bool,
}

/// So many go before one that was interrupted.
const IN_A_ROW_MAX: usize = 8;

/// Most threads that stand in; the guests of more wait.
const STAND_INS_MAX: usize = 64;

thread_local! {
    /// The queue that this thread serves.
    static SERVED: OnceCell<Arc<Queue>> = const { OnceCell::new() };
}

struct Guest {
    run: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    state: AtomicU8,
    /// It was interrupted since it waited last.
    goes_on: AtomicBool,
    queue: Arc<Queue>,
}

/// Nobody looks at it until it is woken.
const WAITING: u8 = 0;
/// In the queue.
const QUEUED: u8 = 1;
/// On a thread.
const RUNNING: u8 = 2;
/// On a thread, and woken meanwhile.
const WOKEN: u8 = 3;

impl GuestThreads {
    /// Starts them. `interrupt` ends the turns of all who have one; they go on later.
    ///
    /// # Errors
    /// What the system says when it has no more threads.
    pub fn start(threads: usize, interrupt: impl Fn() + Send + Sync + 'static) -> std::io::Result<Self> {
        let (ready, more) = (Mutex::default(), Condvar::new());
        let guests = Self(Arc::new(Queue { ready, more, interrupt: Box::new(interrupt) }));
        for _ in 0..threads {
            let queue = guests.0.clone();
            queue.thread(None)?;
        }
        Ok(guests)
    }

    /// Runs a guest to its end; none if it panicked or the threads have ended. Dropping the future does not stop the guest.
    pub async fn run<T: Send + 'static>(&self, run: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (end, ended) = oneshot::channel();
        let run = Box::pin(async move {
            // Nobody may wait any more.
            let _ = end.send(run.await);
        });
        let guest = Guest {
            run: Mutex::new(Some(run)),
            state: AtomicU8::new(QUEUED),
            goes_on: AtomicBool::new(false),
            queue: self.0.clone(),
        };
        self.0.push(Arc::new(guest));
        ended.await.ok()
    }
}

impl Drop for GuestThreads {
    fn drop(&mut self) {
        let mut ready = lock(&self.0.ready);
        ready.closed = true;
        let left = (std::mem::take(&mut ready.woken), std::mem::take(&mut ready.interrupted));
        drop(ready);
        self.0.more.notify_all();
        // Without the lock: what a guest holds may wake another when it goes.
        drop(left);
    }
}

impl Ready {
    fn take(&mut self) -> Option<Arc<Guest>> {
        if self.in_a_row < IN_A_ROW_MAX
            && let Some(guest) = self.woken.pop_front()
        {
            self.in_a_row += 1;
            return Some(guest);
        }
        self.in_a_row = 0;
        self.interrupted.pop_front().or_else(|| self.woken.pop_front())
    }
}

impl Queue {
    fn push(&self, guest: Arc<Guest>) {
        let mut ready = lock(&self.ready);
        if ready.closed {
            drop(ready);
            return;
        }
        ready.woken.push_back(guest);
        // A thread that is awake will come by; waking one is what costs.
        let (wake, interrupt) = (ready.idle > 0, ready.going_on > 0);
        drop(ready);
        if wake {
            self.more.notify_one();
        } else if interrupt {
            (self.interrupt)();
        }
    }

    /// A thread that serves, if it stands in then until that is over.
    fn thread(self: &Arc<Self>, over: Option<Arc<AtomicBool>>) -> std::io::Result<()> {
        let queue = self.clone();
        let serve = move || {
            // Unwrap safety: nobody sets it twice in a thread's life.
            SERVED.with(|served| served.set(queue.clone()).unwrap_or_else(|_| unreachable!("this thread is new")));
            let over = || over.as_ref().is_some_and(|over| over.load(Ordering::Acquire));
            while let Some((guest, goes_on)) = queue.next(&over) {
                guest.turn();
                if goes_on {
                    lock(&queue.ready).going_on -= 1;
                }
            }
        };
        std::thread::Builder::new().name("guest".to_owned()).spawn(serve).map(drop)
    }

    /// The next guest, and whether it was interrupted before.
    fn next(&self, over: &dyn Fn() -> bool) -> Option<(Arc<Guest>, bool)> {
        let mut ready = lock(&self.ready);
        while !ready.closed && !over() {
            if let Some(guest) = ready.take() {
                let goes_on = guest.goes_on.load(Ordering::Relaxed);
                ready.going_on += usize::from(goes_on);
                return Some((guest, goes_on));
            }
            ready.idle += 1;
            ready = self.more.wait(ready).unwrap_or_else(PoisonError::into_inner);
            ready.idle -= 1;
        }
        // Whoever is queued counted on this thread: it was awake, or it was the one that was woken.
        if !ready.woken.is_empty() || !ready.interrupted.is_empty() {
            self.more.notify_one();
        }
        None
    }
}

/// Does what takes long without making other guests of this thread wait: another thread takes them meanwhile.
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    let _stand_in = SERVED.with(|served| served.get().and_then(StandIn::start));
    work()
}

/// Stands in until it is dropped.
struct StandIn {
    queue: Arc<Queue>,
    over: Arc<AtomicBool>,
}

impl StandIn {
    /// None where there are too many already, or no more threads: the others wait then, and nothing else is lost.
    fn start(queue: &Arc<Queue>) -> Option<Self> {
        let mut ready = lock(&queue.ready);
        if ready.stand_ins == STAND_INS_MAX {
            return None;
        }
        ready.stand_ins += 1;
        drop(ready);
        let stand_in = Self { queue: queue.clone(), over: Arc::default() };
        queue.thread(Some(stand_in.over.clone())).ok().map(|()| stand_in)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let mut ready = lock(&self.queue.ready);
        ready.stand_ins -= 1;
        // Under the lock: nobody looks at it and then waits for what was told before.
        self.over.store(true, Ordering::Release);
        drop(ready);
        self.queue.more.notify_all();
    }
}

impl Guest {
    /// Until it waits, has yielded, or is done.
    fn turn(self: Arc<Self>) {
        self.state.store(RUNNING, Ordering::Release);
        let waker = Waker::from(self.clone());
        let mut run = lock(&self.run);
        let Some(future) = run.as_mut() else { return };
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker))));
        if !matches!(polled, Ok(Poll::Pending)) {
            *run = None;
            return;
        }
        drop(run);
        let waits = self.state.compare_exchange(RUNNING, WAITING, Ordering::AcqRel, Ordering::Acquire);
        if waits.is_err() {
            self.state.store(QUEUED, Ordering::Release);
            // No other thread is woken for it: this one goes on with the queue.
            let mut ready = lock(&self.queue.ready);
            let again = self.goes_on.swap(true, Ordering::Relaxed);
            let queue = if again { &mut ready.interrupted } else { &mut ready.woken };
            queue.push_back(self.clone());
        }
    }
}

impl Wake for Guest {
    fn wake(self: Arc<Self>) {
        let next = |state| match state {
            WAITING => Some(QUEUED),
            RUNNING => Some(WOKEN),
            _ => None,
        };
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, next) == Ok(WAITING) {
            self.goes_on.store(false, Ordering::Relaxed);
            self.queue.push(self.clone());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn guests_take_turns_and_a_panic_ends_one_alone() {
        let guests = GuestThreads::start(1, || {}).unwrap();
        let spins = guests.run(async {
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            "spun"
        });
        let panics = guests.run(async { panic!("a host function's fault") });
        let (spun, panicked): (_, Option<()>) = tokio::join!(spins, panics);
        assert_eq!((spun, panicked), (Some("spun"), None));
        assert_eq!(guests.run(async { 7 }).await, Some(7));
    }

    #[test]
    fn whoever_waited_goes_before_whoever_spins_and_not_for_ever() {
        let queue = GuestThreads::start(0, || {}).unwrap().0.clone();
        let guest = |name: usize| {
            let guest = Guest {
                run: Mutex::default(),
                state: AtomicU8::new(QUEUED),
                goes_on: AtomicBool::new(false),
                queue: queue.clone(),
            };
            (name, Arc::new(guest))
        };
        let (woken, spinning): (Vec<_>, Vec<_>) = ((0..20).map(guest).collect(), (100..102).map(guest).collect());
        let mut ready = Ready::default();
        ready.woken.extend(woken.iter().map(|(_, guest)| guest.clone()));
        ready.interrupted.extend(spinning.iter().map(|(_, guest)| guest.clone()));
        let name =
            |taken: Arc<Guest>| woken.iter().chain(&spinning).find(|(_, guest)| Arc::ptr_eq(guest, &taken)).unwrap().0;
        let order: Vec<usize> = std::iter::from_fn(|| ready.take()).map(name).collect();
        let expected = (0..8).chain([100]).chain(8..16).chain([101]).chain(16..20);
        assert_eq!(order, expected.collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn an_answer_interrupts_who_goes_on_and_nobody_else() {
        let interrupted = Arc::new(AtomicBool::new(false));
        let interrupt = interrupted.clone();
        let guests = GuestThreads::start(1, move || interrupt.store(true, Ordering::Release)).unwrap();
        let (answer, answered) = tokio::sync::oneshot::channel::<()>();
        let waits = guests.run(async move { answered.await.is_ok() });
        let (in_first_turn, seen) = (interrupted.clone(), interrupted.clone());
        let spins = guests.run(async move {
            let early = in_first_turn.load(Ordering::Acquire);
            tokio::task::yield_now().await;
            let mut answer = Some(answer);
            // As a guest that spins: its turn goes on until it is interrupted.
            while !seen.load(Ordering::Acquire) {
                answer.take().map(|answer| answer.send(()));
            }
            early
        });
        assert_eq!(tokio::join!(waits, spins), (Some(true), Some(false)));
    }

    #[tokio::test]
    async fn a_guest_on_a_stand_in_that_leaves_goes_on_elsewhere() {
        for threads in [1, 2] {
            let guests = GuestThreads::start(threads, || {}).unwrap();
            for round in 0..200 {
                let (end, ended) = oneshot::channel();
                let (begun, go_on) = mpsc::channel();
                // It waits as soon as the other one runs on the thread that stands in.
                let waits = guests.run(async move {
                    aside(|| go_on.recv_timeout(Duration::from_secs(60)).is_ok());
                    ended.await.is_ok()
                });
                let computes = guests.run(async move {
                    let _ = begun.send(());
                    for _ in 0..20 {
                        std::thread::yield_now();
                        tokio::task::yield_now().await;
                    }
                    end.send(()).is_ok()
                });
                let both = tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(waits, computes) });
                assert_eq!(both.await, Ok((Some(true), Some(true))), "round {round} with {threads}");
            }
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_what_takes_long() {
        let guests = GuestThreads::start(1, || {}).unwrap();
        let (go_on, told) = mpsc::channel();
        // Its end depends on the other, which has but one thread with it.
        let long = guests.run(async move { aside(|| told.recv_timeout(Duration::from_secs(60)).is_ok()) });
        let other = guests.run(async move { go_on.send(()).is_ok() });
        assert_eq!(tokio::join!(long, other), (Some(true), Some(true)));
        assert_eq!(lock(&guests.0.ready).stand_ins, 0);
        assert_eq!(guests.run(async { 7 }).await, Some(7));
    }
}
