//! The guests' threads. Each thread in front is the home of some runs: their guests have their turns there, and between two turns it
//! serves their sockets and timers, so that a guest that asks the network wakes no other thread, nor is woken by one. A turn is outside of
//! the sockets' runtime: a host function that forgets to hop fails in its first test.
//!
//! Whoever has spent its share of a thread ([`Share`]), as guests do that spin, goes on behind: on threads that the system gives a tenth of what
//! it gives others. So it keeps no honest guest waiting, nor the network, nor anybody else on the machine; on a machine that has nothing else
//! to do it is as fast as before. Its sockets stay where they are. Once it has waited for long enough it is in front again; to wait for an
//! instant between two loops brings nobody there. A host function that works for many ticks can't be interrupted: another thread stands in for its own.
//!
//! Why no tasks of a tokio runtime: its turns could go on neither behind nor beside a thread that stands in.

mod queue;
mod share;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use rustix::process::getpriority_process;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::CpuAccount;
use queue::Queue;
pub(crate) use queue::aside;
use share::Share;

/// Threads that end when this is dropped, whatever is still queued.
pub struct GuestThreads {
    front: Vec<Arc<Front>>,
    behind: Arc<Queue>,
    /// Looks so far: how long a guest waited is told in these.
    looks: Arc<AtomicU64>,
}

struct Front {
    queue: Arc<Queue>,
    runs: AtomicUsize,
}

/// Where a run has its sockets and timers, and its guest its turns. Counts as a run there until it is dropped.
pub struct Home(Arc<Front>);

/// What looks for homes that nobody serves because their guest works for long, and counts the ticks.
pub struct Watch {
    queues: Vec<Arc<Queue>>,
    looks: Arc<AtomicU64>,
}

/// To a thread that is so much nicer than another the system gives about a tenth of what the other gets.
const NICER: i32 = 10;

struct Guest {
    run: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    state: AtomicU8,
    cpu: CpuAccount,
    share: Mutex<Share>,
    looks: Arc<AtomicU64>,
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

/// When everybody is due in front.
const IN_TURN: u64 = 0;

impl GuestThreads {
    /// Starts so many in front, and as many behind.
    ///
    /// # Errors
    /// What the system says when it has no more threads.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let behind = getpriority_process(None).map_or(NICER, |own| own + NICER).min(19);
        let (behind, looks) = (Queue::without_sockets(behind, threads)?, Arc::default());
        let mut guests = Self { front: Vec::new(), behind, looks };
        for _ in 0..threads {
            guests.front.push(Arc::new(Front { queue: Queue::with_sockets()?, runs: AtomicUsize::new(0) }));
        }
        Ok(guests)
    }

    /// A home for a run: where the fewest others are.
    ///
    /// # Panics
    /// If it was started with no threads.
    pub fn home(&self) -> Home {
        let fewest = self.front.iter().min_by_key(|front| front.runs.load(Ordering::Relaxed));
        // Unwrap safety: the settings ask for one thread at least.
        let front = fewest.expect("a home").clone();
        front.runs.fetch_add(1, Ordering::Relaxed);
        Home(front)
    }

    /// To be asked at every tick.
    pub fn watch(&self) -> Watch {
        Watch { queues: self.front.iter().map(|front| front.queue.clone()).collect(), looks: self.looks.clone() }
    }

    /// Runs a guest to its end, at the expense of this account; none if it panicked or the threads have ended. Dropping the future does not
    /// stop the guest.
    pub async fn run<T: Send + 'static>(
        &self,
        home: Home,
        cpu: CpuAccount,
        run: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let front = home.0.queue.clone();
        let (end, ended) = oneshot::channel();
        let account = cpu.clone();
        let run = Box::pin(async move {
            let _home = home;
            // Nobody may wait any more.
            let _ = end.send(account.charge(run).await);
        });
        let guest = Guest {
            run: Mutex::new(Some(run)),
            state: AtomicU8::new(QUEUED),
            cpu,
            share: Mutex::default(),
            looks: self.looks.clone(),
            behind: self.behind.clone(),
            front: front.clone(),
        };
        front.push(Arc::new(guest), IN_TURN);
        ended.await.ok()
    }
}

impl Drop for GuestThreads {
    fn drop(&mut self) {
        self.front.iter().map(|front| &front.queue).chain([&self.behind]).for_each(|queue| queue.close());
    }
}

impl Home {
    /// The runtime of its sockets and timers.
    pub fn io(&self) -> &Handle {
        self.0.queue.io()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.0.runs.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Watch {
    /// Looks once.
    pub fn look(&self) {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.queues.iter().for_each(Queue::look);
    }
}

impl Guest {
    /// Until it waits, has yielded, or is done.
    fn turn(self: Arc<Self>) {
        self.state.store(RUNNING, Ordering::Release);
        let waker = Waker::from(self.clone());
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(future) = run.as_mut() else { return };
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker))));
        if !matches!(polled, Ok(Poll::Pending)) {
            *run = None;
            return;
        }
        drop(run);
        // Before anybody may wake it.
        self.share().spent(self.cpu.spent(), self.looks.load(Ordering::Relaxed));
        let waits = self.state.compare_exchange(RUNNING, WAITING, Ordering::AcqRel, Ordering::Acquire);
        if waits.is_err() {
            self.state.store(QUEUED, Ordering::Release);
            self.go_on();
        }
    }

    /// In front they come in turn. Behind, whoever has spent less goes first: a collection that is large goes on before those that spin.
    fn go_on(self: &Arc<Self>) {
        let ticks = self.share().ticks_behind();
        match ticks {
            Some(ticks) => self.behind.push(self.clone(), self.looks.load(Ordering::Relaxed) + ticks),
            None => self.front.push(self.clone(), IN_TURN),
        }
    }

    fn share(&self) -> MutexGuard<'_, Share> {
        self.share.lock().unwrap_or_else(PoisonError::into_inner)
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
            self.share().waited_until(self.looks.load(Ordering::Relaxed));
            self.go_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::meter::tests::work_for;

    /// Runs a guest that has an account of its own.
    async fn run<T: Send + 'static>(guests: &GuestThreads, run: impl Future<Output = T> + Send + 'static) -> Option<T> {
        guests.run(guests.home(), CpuAccount::default(), run).await
    }

    fn niceness() -> i32 {
        getpriority_process(None).unwrap()
    }

    #[tokio::test]
    async fn guests_take_turns_and_a_panic_ends_one_alone() {
        let guests = GuestThreads::start(1).unwrap();
        let spins = run(&guests, async {
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            "spun"
        });
        let panics = run(&guests, async { panic!("a host function's fault") });
        let (spun, panicked): (_, Option<()>) = tokio::join!(spins, panics);
        assert_eq!((spun, panicked), (Some("spun"), None));
        assert_eq!(run(&guests, async { 7 }).await, Some(7));
    }

    /// Where a guest goes on: how nice its thread is each time.
    #[tokio::test]
    async fn whoever_has_spent_its_share_goes_on_behind_and_to_be_interrupted_costs_nothing() {
        let guests = GuestThreads::start(1).unwrap();
        let here = niceness();
        let seen = run(&guests, async move {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            let mut seen = vec![niceness()];
            for _ in 0..2 {
                work_for(5);
                tokio::task::yield_now().await;
                seen.push(niceness());
            }
            seen
        });
        let behind = (here + NICER).min(19);
        assert_eq!(seen.await, Some(vec![here, behind, behind]));
    }

    /// It spins for less than its share between two waits. No tick passes here but those told of.
    #[tokio::test]
    async fn cheap_waits_bring_nobody_to_the_front_and_a_long_one_does() {
        let guests = GuestThreads::start(1).unwrap();
        let (here, watch) = (niceness(), guests.watch());
        let (ask, mut asked) = tokio::sync::mpsc::unbounded_channel::<oneshot::Sender<()>>();
        let guest = run(&guests, async move {
            let mut seen = Vec::new();
            loop {
                let (answer, answered) = oneshot::channel();
                if ask.send(answer).is_err() || answered.await.is_err() {
                    return seen;
                }
                seen.push(niceness());
                work_for(3);
            }
        });
        let answers = async {
            for round in 0..=20 {
                let answer = asked.recv().await.unwrap();
                // Until it waits.
                while !guests.front[0].queue.is_idle() || !guests.behind.is_idle() {
                    tokio::task::yield_now().await;
                }
                if round == 20 {
                    (0..1_000).for_each(|_| watch.look());
                }
                answer.send(()).unwrap();
            }
            drop(asked);
        };
        let seen = tokio::join!(guest, answers).0.unwrap();
        let behind = (here + NICER).min(19);
        assert_eq!(seen, [vec![here; 2], vec![behind; 18], vec![here]].concat());
    }

    /// Three behind, on one thread that is busy until they are all there; no tick passes.
    #[tokio::test]
    async fn behind_whoever_has_spent_less_goes_first() {
        let guests = GuestThreads::start(1).unwrap();
        let (order, ordered) = mpsc::channel();
        let (go_on, told) = mpsc::channel();
        let (begun, begins) = oneshot::channel();
        let first = run(&guests, async move {
            work_for(5);
            tokio::task::yield_now().await;
            // Behind, on its only thread.
            let _ = begun.send(());
            told.recv_timeout(Duration::from_secs(60)).is_ok()
        });
        let spent = |milliseconds| {
            let order = order.clone();
            run(&guests, async move {
                work_for(milliseconds);
                tokio::task::yield_now().await;
                order.send(milliseconds).is_ok()
            })
        };
        let others = async { tokio::join!(spent(40), spent(20), spent(10)) };
        let gathered = async {
            let _ = begins.await;
            while guests.behind.queued() < 3 {
                tokio::task::yield_now().await;
            }
            go_on.send(()).is_ok()
        };
        assert_eq!(tokio::join!(first, others, gathered), (Some(true), (Some(true), Some(true), Some(true)), true));
        assert_eq!(ordered.try_iter().collect::<Vec<_>>(), [10, 20, 40]);
    }

    #[tokio::test]
    async fn who_spins_keeps_nobody_in_front_waiting() {
        let guests = GuestThreads::start(1).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let until = over.clone();
        let spins = run(&guests, async move {
            work_for(5);
            tokio::task::yield_now().await;
            // Never hands over: whoever needs its thread waits for good.
            while !until.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
        });
        let honest = async {
            assert_eq!(run(&guests, async { 7 }).await, Some(7));
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
                let waits = run(&guests, async move {
                    aside(|| go_on.recv_timeout(Duration::from_secs(60)).is_ok());
                    ended.await.is_ok()
                });
                let computes = run(&guests, async move {
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
        let long = run(&guests, async move { aside(|| told.recv_timeout(Duration::from_secs(60)).is_ok()) });
        let other = run(&guests, async move { go_on.send(()).is_ok() });
        assert_eq!(tokio::join!(long, other), (Some(true), Some(true)));
        assert_eq!(run(&guests, async { 7 }).await, Some(7));
        let gone = async {
            while guests.front[0].queue.stand_ins() > 0 {
                tokio::task::yield_now().await;
            }
        };
        assert_eq!(tokio::time::timeout(Duration::from_secs(60), gone).await, Ok(()));
    }

    /// A host function that works for long, and knows nothing of it.
    #[tokio::test]
    async fn a_home_whose_guest_is_not_interrupted_is_served_by_another_thread() {
        let guests = GuestThreads::start(1).unwrap();
        let (go_on, told) = mpsc::channel();
        let (begun, begins) = oneshot::channel();
        let long = run(&guests, async move {
            let _ = begun.send(());
            told.recv_timeout(Duration::from_secs(60)).is_ok()
        });
        let io = guests.home().io().clone();
        let others = async {
            let _ = begins.await;
            let watch = guests.watch();
            // Its sockets' runtime, and its guests.
            let served = io.spawn(async {});
            let other = run(&guests, async { 7 });
            let mut both = std::pin::pin!(async { tokio::join!(served, other) });
            loop {
                watch.look();
                let waited = tokio::time::timeout(Duration::from_millis(1), &mut both).await;
                if let Ok((served, other)) = waited {
                    break (served.is_ok(), other, go_on.send(()).is_ok());
                }
            }
        };
        assert_eq!(tokio::join!(long, others), (Some(true), (true, Some(7), true)));
    }

    #[tokio::test]
    async fn runs_share_the_homes() {
        let guests = GuestThreads::start(2).unwrap();
        let (one, other) = (guests.home(), guests.home());
        assert_ne!(one.io().id(), other.io().id());
        let id = one.io().id();
        drop(one);
        assert_eq!(guests.home().io().id(), id);
        assert_eq!(guests.home().io().id(), id, "the one before it has gone again");
    }
}
