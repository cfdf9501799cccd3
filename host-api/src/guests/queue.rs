//! Guests that are ready for their turn, and the threads that take from there, one after the other. Between two turns a thread serves the
//! queue's sockets and timers, if it has any; while it is busy for long, another stands in for both.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rustix::process::setpriority_process;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;

use super::Guest;

pub(super) struct Queue {
    ready: Mutex<Ready>,
    more: Notify,
    /// Its threads own it, so that it ends with them: what it runs may hold guests, which hold this.
    runtime: Weak<Runtime>,
    io: Handle,
    /// How much the system prefers others to its threads, at most 19; none for as much as it does to this process.
    niceness: Option<i32>,
}

#[derive(Default)]
struct Ready {
    /// By when each is due, then in the order in which they came.
    guests: BTreeMap<(u64, u64), Arc<Guest>>,
    /// Guests that came so far.
    came: u64,
    /// Threads that have no guest.
    free: usize,
    /// Threads that leave when another is free.
    stand_ins: usize,
    /// Turns that have begun.
    turns: u64,
    /// Turns that had begun, and looks at the queue since, all of them while no thread was free.
    stuck: (u64, u32),
    closed: bool,
}

/// Most threads that stand in; the guests of more wait.
const STAND_INS_MAX: usize = 64;
/// A queue that nobody served at so many looks in a row gets another thread: longer than a guest's own turn, which ends at a tick.
const STUCK_LOOKS: u32 = 10;
/// A timer that is due later than another never interrupts the wait for sockets; this is the other.
const HEARTBEAT: Duration = Duration::from_secs(1);

thread_local! {
    /// The queue that this thread serves.
    static SERVED: RefCell<Option<Arc<Queue>>> = const { RefCell::new(None) };
}

impl Queue {
    /// A queue with sockets and timers and one thread.
    pub(super) fn with_sockets() -> std::io::Result<Arc<Self>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.spawn(async {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
            }
        });
        Self::start(runtime, None, 1)
    }

    /// A queue for guests alone, with so many threads, which are so much nicer than others.
    pub(super) fn without_sockets(niceness: i32, threads: usize) -> std::io::Result<Arc<Self>> {
        Self::start(Builder::new_current_thread().build()?, Some(niceness), threads)
    }

    fn start(runtime: Runtime, niceness: Option<i32>, threads: usize) -> std::io::Result<Arc<Self>> {
        let (io, runtime) = (runtime.handle().clone(), Arc::new(runtime));
        let (ready, more) = (Mutex::default(), Notify::new());
        let queue = Arc::new(Self { ready, more, runtime: Arc::downgrade(&runtime), io, niceness });
        let started = (0..threads).try_for_each(|_| queue.thread(runtime.clone(), false));
        started.inspect_err(|_| queue.close())?;
        Ok(queue)
    }

    /// Where its sockets and timers are.
    pub(super) fn io(&self) -> &Handle {
        &self.io
    }

    /// Whoever is due earlier goes first.
    pub(super) fn push(&self, guest: Arc<Guest>, due: u64) {
        let mut ready = lock(&self.ready);
        if ready.closed {
            drop(ready);
            return;
        }
        ready.came += 1;
        let place = (due, ready.came);
        ready.guests.insert(place, guest);
        // A thread that is busy will come by; waking one is what costs.
        if ready.free > 0 {
            drop(ready);
            self.more.notify_one();
        }
    }

    /// Its threads end when they have no guest, whatever is still queued.
    pub(super) fn close(&self) {
        let mut ready = lock(&self.ready);
        ready.closed = true;
        let left = std::mem::take(&mut ready.guests);
        drop(ready);
        self.more.notify_waiters();
        // Without the lock: what a guest holds may wake another when it goes.
        drop(left);
    }

    /// Another thread comes if no thread was free at the last looks and no turn has begun since. Called at every tick.
    pub(super) fn look(self: &Arc<Self>) {
        let mut ready = lock(&self.ready);
        let (turns, looks) = ready.stuck;
        let stuck = ready.free == 0 && turns == ready.turns;
        ready.stuck = (ready.turns, if stuck { looks + 1 } else { 0 });
        let long = ready.stuck.1 >= STUCK_LOOKS;
        drop(ready);
        if long {
            self.stand_in();
        }
    }

    /// The thread that calls this is about to be busy for long.
    fn stand_in(self: &Arc<Self>) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        let mut ready = lock(&self.ready);
        if ready.free > 0 || ready.stand_ins == STAND_INS_MAX || ready.closed {
            return;
        }
        ready.stand_ins += 1;
        ready.stuck = (ready.turns, 0);
        drop(ready);
        if self.thread(runtime, true).is_err() {
            // The others wait, and nothing else is lost.
            lock(&self.ready).stand_ins -= 1;
        }
    }

    fn thread(self: &Arc<Self>, runtime: Arc<Runtime>, stands_in: bool) -> std::io::Result<()> {
        let queue = self.clone();
        let serve = move || {
            if let Some(niceness) = queue.niceness {
                // A system that refuses lets guests that spin share with all others: slower for those, and nothing is lost.
                let _ = setpriority_process(None, niceness);
            }
            SERVED.set(Some(queue.clone()));
            while let Some(guest) = runtime.block_on(queue.next(stands_in)) {
                guest.turn();
            }
            SERVED.take();
        };
        std::thread::Builder::new().name("guest".to_owned()).spawn(serve).map(drop)
    }

    /// The next guest; none if the thread is to leave. No guest is forgotten: each push wakes one thread of those that wait, and every other
    /// thread looks before it waits. What wakes a thread that leaves goes on to another, since `more` is dropped without having been heard.
    async fn next(&self, stands_in: bool) -> Option<Arc<Guest>> {
        let mut arrived = false;
        loop {
            let mut more = std::pin::pin!(self.more.notified());
            // From here on it hears of whatever comes, also while it looks.
            more.as_mut().enable();
            if let Some(next) = self.take(&mut arrived, stands_in) {
                return next;
            }
            more.await;
        }
    }

    /// What the thread that asks is to do: a guest, or nothing more; none if it is to wait.
    fn take(&self, arrived: &mut bool, stands_in: bool) -> Option<Option<Arc<Guest>>> {
        let mut ready = lock(&self.ready);
        if !*arrived {
            *arrived = true;
            ready.free += 1;
            if ready.stand_ins > 0 && ready.free > 1 {
                self.more.notify_waiters();
            }
        }
        let leaves = ready.closed || stands_in && ready.free > 1;
        if !leaves && ready.guests.is_empty() {
            return None;
        }
        ready.free -= 1;
        ready.stand_ins -= usize::from(leaves && stands_in);
        ready.turns += u64::from(!leaves);
        Some(if leaves { None } else { ready.guests.pop_first().map(|(_, guest)| guest) })
    }

    /// Whether its one thread has nothing to do.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        let ready = lock(&self.ready);
        ready.free == 1 && ready.guests.is_empty()
    }

    /// Guests that are ready.
    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        lock(&self.ready).guests.len()
    }

    /// Threads that stand in.
    #[cfg(test)]
    pub(super) fn stand_ins(&self) -> usize {
        lock(&self.ready).stand_ins
    }
}

/// Does what takes long without making other guests of this thread wait, nor its sockets: another thread takes them meanwhile.
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    if let Some(queue) = SERVED.with_borrow(Clone::clone) {
        queue.stand_in();
    }
    work()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
