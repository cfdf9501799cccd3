//! One browser for many collections: started when the first asks for a page, or before, kept warm between them with contexts made ahead,
//! started anew after so many, and ended when nobody has asked for some time. Whoever wants a page waits for a turn, in the order of asking.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::check;
use super::launch::{self, Process};
use super::limits;
use super::settings::BrowserSettings;
use super::transport::CallError;
use super::works::Works;

/// After so many collections it is looked how much the browser holds.
const LOOKS_EACH: u32 = 10;

/// Why there is no browser, for whoever operates it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// No browser is installed.
    #[error(
        "no browser is installed: `apt-get install chromium-headless-shell chromium-sandbox`, or set browser.program"
    )]
    NoProgram,
    /// The account that it is to run as is not there, or is root's or the engine's.
    #[error(
        "the browser runs as an account of its own, and this machine has none of the name {0:?}: \
         `useradd --system --no-create-home --shell /usr/sbin/nologin {0}`, or name another as browser.account"
    )]
    Account(String),
    /// The engine may not start anything as another account.
    #[error(
        "the browser runs as an account of its own, and this engine may not change to it: give the engine CAP_SETUID, CAP_SETGID and \
         CAP_KILL (packaging/consentry-browser.conf), or set browser.shared-account = true to run it as the engine's; see docs/browser.md"
    )]
    Rights,
    /// The folder of profiles can't be used.
    #[error("{} can't hold a browser's profile: set browser.folder to one in memory that the browser's account may write", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It could not be started.
    #[error("the browser could not be started")]
    Start(#[source] io::Error),
    /// Its own sandbox does not work here.
    #[error(
        "the browser's pages are not confined by its sandbox: it needs user namespaces, or the package chromium-sandbox; \
         see docs/browser.md"
    )]
    Unconfined,
    /// It ended before it said a word.
    #[error(
        "the browser ended as soon as it was started, as it does where it may make no user namespaces for its sandbox: in a container, \
         allow `clone`, `unshare` and `setns` by its seccomp profile; see docs/browser.md"
    )]
    Ended,
    /// It ended, or does not answer.
    #[error("the browser ended or does not answer")]
    Gone,
    /// No turn in time.
    #[error("every browser page is taken")]
    Busy,
}

impl From<CallError> for BrowserError {
    fn from(_: CallError) -> Self {
        Self::Gone
    }
}

/// The browser of one engine.
pub struct Chromium {
    pub(super) settings: BrowserSettings,
    works: OnceLock<Option<Works>>,
    turns: Arc<Semaphore>,
    queue: watch::Sender<Queue>,
    pub(super) running: Mutex<Option<Arc<Process>>>,
}

impl std::fmt::Debug for Chromium {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chromium").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Who waits for a turn, by the number under which they asked.
#[derive(Default)]
struct Queue {
    asked: u64,
    waiting: BTreeSet<u64>,
}

/// One more that waits.
struct InQueue<'c> {
    queue: &'c watch::Sender<Queue>,
    number: u64,
}

impl<'c> InQueue<'c> {
    fn enter(queue: &'c watch::Sender<Queue>) -> Self {
        let mut number = 0;
        queue.send_modify(|queue| {
            (queue.asked, number) = (queue.asked + 1, queue.asked);
            queue.waiting.insert(number);
        });
        Self { queue, number }
    }

    /// Tells how many are before this one, now and whenever it is another number.
    async fn tell(&self, ahead: impl Fn(u32)) -> Result<(), watch::error::RecvError> {
        let (mut moved, mut told) = (self.queue.subscribe(), None);
        loop {
            let before = moved.borrow_and_update().waiting.range(..self.number).count();
            if told.replace(before) != Some(before) {
                ahead(u32::try_from(before).unwrap_or(u32::MAX));
            }
            moved.changed().await?;
        }
    }
}

impl Drop for InQueue<'_> {
    fn drop(&mut self) {
        self.queue.send_modify(|queue| _ = queue.waiting.remove(&self.number));
    }
}

impl Chromium {
    /// Starts nothing yet, and removes what engines that were killed left behind.
    pub fn new(settings: BrowserSettings) -> Arc<Self> {
        launch::sweep(&settings);
        limits::sweep(&settings);
        let turns = Arc::new(Semaphore::new(settings.runs_max));
        let (works, queue, running) = (OnceLock::new(), watch::Sender::default(), Mutex::default());
        Arc::new(Self { settings, works, turns, queue, running })
    }

    /// Starts a browser, looks whether its pages are confined, and keeps it warm: what an operator asks before the first person does.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn warm_up(self: &Arc<Self>) -> Result<(), BrowserError> {
        let browser = self.clone();
        let started = self.io()?.spawn(async move { browser.process().await.map(drop) });
        started.await.unwrap_or(Err(BrowserError::Gone))
    }

    /// As [`Self::warm_up`], and nobody waits for it: what went wrong stands in the log.
    pub fn begin(self: &Arc<Self>) {
        let browser = self.clone();
        if let Ok(io) = self.io() {
            io.spawn(async move { browser.process().await.map(drop) });
        }
    }

    /// Ends the browser, and waits until nothing is left of it.
    pub async fn shut_down(&self) {
        let Some(process) = self.running.lock().await.take() else { return };
        let ground = process.ground.clone();
        drop(process);
        // Behind the end of the browser, if nobody else has it any more.
        let _ = ground.run(|| Ok(())).await;
    }

    /// The id of the browser's process, if one runs and is not just being started.
    pub fn pid(&self) -> Option<u32> {
        self.running.try_lock().ok()?.as_ref().map(|process| process.pid())
    }

    /// Where everything about pages is done; its thread begins with the first of them.
    pub(super) fn io(&self) -> Result<Handle, BrowserError> {
        let works = self.works.get_or_init(|| Works::start().ok());
        let works = works.as_ref().ok_or_else(|| BrowserError::Start(io::ErrorKind::OutOfMemory.into()))?;
        Ok(works.handle().clone())
    }

    /// Waits for a turn; `ahead` hears how many are before this one, as long as it has to wait.
    pub(super) async fn turn(&self, ahead: impl Fn(u32)) -> Result<OwnedSemaphorePermit, BrowserError> {
        if let Ok(turn) = self.turns.clone().try_acquire_owned() {
            return Ok(turn);
        }
        let waits = InQueue::enter(&self.queue);
        let turn = async {
            tokio::select! {
                biased;
                turn = self.turns.clone().acquire_owned() => turn.ok(),
                // It ends with the queue, which is this browser's.
                _ = waits.tell(ahead) => None,
            }
        };
        tokio::time::timeout(self.settings.queue, turn).await.ok().flatten().ok_or(BrowserError::Busy)
    }

    /// The browser that runs, or a new one.
    pub(super) async fn process(self: &Arc<Self>) -> Result<Arc<Process>, BrowserError> {
        let mut running = self.running.lock().await;
        if let Some(process) = running.as_ref()
            && !process.transport.is_gone()
            && process.opened() < self.settings.runs_each
            && !self.is_swollen(process)
        {
            return Ok(process.clone());
        }
        // Who has the old one keeps it; it ends with the last of them.
        if let Some(old) = running.take() {
            old.retire();
        }
        let process = Arc::new(Process::start(&self.settings).await.inspect_err(|error| {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(%error, source, "no browser: collections that need one are refused");
        })?);
        *running = Some(process.clone());
        if let Some(maker) = process.maker(&self.settings).filter(|_| self.settings.contexts_ready > 0) {
            let (made, ready) = mpsc::channel(self.settings.contexts_ready);
            process.ready_from(ready);
            self.io()?.spawn(maker.keep_ready(made));
        }
        let (pages, gone) = (Arc::downgrade(&process), process.transport.clone());
        self.io()?.spawn(limits::hold_together(pages, process.pid(), gone, self.settings.clone()));
        self.io()?.spawn(rest(Arc::downgrade(self)));
        Ok(process)
    }

    /// Whether a browser holds more memory than one should, what its pages hold aside.
    fn is_swollen(&self, process: &Process) -> bool {
        let looks = process.opened().is_multiple_of(LOOKS_EACH);
        looks && check::memory_beside_pages(process.pid()) > self.settings.rest_bytes
    }
}

/// Ends the browser when nobody has used it for long, or when it has ended by itself.
async fn rest(chromium: std::sync::Weak<Chromium>) {
    loop {
        let Some(strong) = chromium.upgrade() else { return };
        let (idle, transport) = {
            let running = strong.running.lock().await;
            let Some(process) = running.as_ref() else { return };
            (strong.settings.idle.saturating_sub(process.idle()), process.transport.clone())
        };
        drop(strong);
        tokio::select! {
            () = tokio::time::sleep(idle) => {}
            () = transport.gone() => {}
        }
        let Some(strong) = chromium.upgrade() else { return };
        let mut running = strong.running.lock().await;
        let Some(process) = running.as_ref() else { return };
        let unused = Arc::strong_count(process) == 1 && process.idle() >= strong.settings.idle;
        if process.transport.is_gone() || unused {
            *running = None;
            return;
        }
        if Arc::strong_count(process) > 1 {
            process.used();
        }
    }
}
