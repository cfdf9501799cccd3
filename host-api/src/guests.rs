//! The guests' threads: two queues, each with threads that take from it in turn, and nothing else. No sockets, no timers: a host function
//! that forgets to hop to the network thread fails in its first test.
//!
//! Whoever was interrupted at a tick, and again in its next turn, as guests are that spin, goes on behind: on threads that the system
//! gives a tenth of what it gives others. So it keeps no honest guest waiting, nor the network, nor anybody else on the machine; on a machine
//! that has nothing else to do it is as fast as before. Once it has waited for something it is in front again.
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

use rustix::process::{getpriority_process, setpriority_process};
use tokio::sync::oneshot;

/// Threads that end when this is dropped, whatever is still queued.
pub struct GuestThreads {
    front: Arc<Queue>,
    behind: Arc<Queue>,
}

struct Queue {
    ready: Mutex<Ready>,
    more: Condvar,
    /// How much the system prefers others to its threads, at most 19; none for as much as it does to this process.
    niceness: Option<i32>,
}

#[derive(Default)]
struct Ready {
    guests: VecDeque<Arc<Guest>>,
    /// Threads that wait for one.
    idle: usize,
    /// Threads that stand in for one whose guest works for long.
    stand_ins: usize,
    closed: bool,
}

/// To a thread that is so much nicer than another the system gives about a tenth of what the other gets.
const NICER: i32 = 10;

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
    interrupted: AtomicBool,
    front: Arc<Queue>,
    behind: Arc<Queue>,
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
    /// Starts so many in front, and as many behind.
    ///
    /// # Errors
    /// What the system says when it has no more threads.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let queue = |niceness| Arc::new(Queue { ready: Mutex::default(), more: Condvar::new(), niceness });
        let behind = getpriority_process(None).map_or(NICER, |own| own + NICER).min(19);
        let guests = Self { front: queue(None), behind: queue(Some(behind)) };
        for queue in [&guests.front, &guests.behind] {
            (0..threads).try_for_each(|_| queue.thread(None))?;
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
            interrupted: AtomicBool::new(false),
            front: self.front.clone(),
            behind: self.behind.clone(),
        };
        self.front.push(Arc::new(guest));
        ended.await.ok()
    }
}

impl Drop for GuestThreads {
    fn drop(&mut self) {
        for queue in [&self.front, &self.behind] {
            let mut ready = lock(&queue.ready);
            ready.closed = true;
            let left = std::mem::take(&mut ready.guests);
            drop(ready);
            queue.more.notify_all();
            // Without the lock: what a guest holds may wake another when it goes.
            drop(left);
        }
    }
}

impl Queue {
    fn push(&self, guest: Arc<Guest>) {
        let mut ready = lock(&self.ready);
        if ready.closed {
            drop(ready);
            return;
        }
        ready.guests.push_back(guest);
        // A thread that is awake will come by; waking one is what costs.
        if ready.idle > 0 {
            drop(ready);
            self.more.notify_one();
        }
    }

    /// A thread that serves, if it stands in then until that is over.
    fn thread(self: &Arc<Self>, over: Option<Arc<AtomicBool>>) -> std::io::Result<()> {
        let queue = self.clone();
        let serve = move || {
            if let Some(niceness) = queue.niceness {
                // A system that refuses lets guests that spin share with all others: slower for those, and nothing is lost.
                let _ = setpriority_process(None, niceness);
            }
            // Unwrap safety: nobody sets it twice in a thread's life.
            SERVED.with(|served| served.set(queue.clone()).unwrap_or_else(|_| unreachable!("this thread is new")));
            let over = || over.as_ref().is_some_and(|over| over.load(Ordering::Acquire));
            while let Some(guest) = queue.next(&over) {
                guest.turn();
            }
        };
        std::thread::Builder::new().name("guest".to_owned()).spawn(serve).map(drop)
    }

    fn next(&self, over: &dyn Fn() -> bool) -> Option<Arc<Guest>> {
        let mut ready = lock(&self.ready);
        while !ready.closed && !over() {
            if let Some(guest) = ready.guests.pop_front() {
                return Some(guest);
            }
            ready.idle += 1;
            ready = self.more.wait(ready).unwrap_or_else(PoisonError::into_inner);
            ready.idle -= 1;
        }
        // Whoever is queued counted on this thread: it was awake, or it was the one that was woken.
        if !ready.guests.is_empty() {
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
            let again = self.interrupted.swap(true, Ordering::Relaxed);
            let queue = if again { &self.behind } else { &self.front };
            queue.push(self.clone());
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
            self.interrupted.store(false, Ordering::Relaxed);
            self.front.push(self.clone());
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
        let guests = GuestThreads::start(1).unwrap();
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

    /// Where a guest goes on that yields so often: how nice its thread is each time, and after it has waited.
    #[tokio::test]
    async fn whoever_is_interrupted_twice_goes_on_behind_until_it_has_waited() {
        let guests = GuestThreads::start(1).unwrap();
        let niceness = || getpriority_process(None).unwrap();
        let here = niceness();
        let (answer, answered) = oneshot::channel::<()>();
        let guest = guests.run(async move {
            let mut seen = vec![niceness()];
            for _ in 0..3 {
                tokio::task::yield_now().await;
                seen.push(niceness());
            }
            let _ = answered.await;
            seen.push(niceness());
            seen
        });
        // Polled first, so that its answer is not there before it waits.
        let answers = guests.run(async move {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            answer.send(())
        });
        let (seen, _) = tokio::join!(guest, answers);
        let behind = (here + NICER).min(19);
        assert_eq!(seen, Some(vec![here, here, behind, behind, here]));
    }

    #[tokio::test]
    async fn who_spins_keeps_nobody_in_front_waiting() {
        let guests = GuestThreads::start(1).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let until = over.clone();
        let spins = guests.run(async move {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            // Never hands over: whoever needs its thread waits for good.
            while !until.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
        });
        let honest = async {
            assert_eq!(guests.run(async { 7 }).await, Some(7));
            over.store(true, Ordering::Release);
        };
        assert_eq!(tokio::join!(spins, honest), (Some(()), ()));
    }

    #[tokio::test]
    async fn a_guest_on_a_stand_in_that_leaves_goes_on_elsewhere() {
        for threads in [1, 2] {
            let guests = GuestThreads::start(threads).unwrap();
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
        let guests = GuestThreads::start(1).unwrap();
        let (go_on, told) = mpsc::channel();
        // Its end depends on the other, which has but one thread with it.
        let long = guests.run(async move { aside(|| told.recv_timeout(Duration::from_secs(60)).is_ok()) });
        let other = guests.run(async move { go_on.send(()).is_ok() });
        assert_eq!(tokio::join!(long, other), (Some(true), Some(true)));
        assert_eq!(lock(&guests.front.ready).stand_ins, 0);
        assert_eq!(guests.run(async { 7 }).await, Some(7));
    }
}
