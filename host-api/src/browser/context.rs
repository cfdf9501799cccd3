//! One collection's own context in the shared browser: cookies, storage, cache and workers of nobody else, one proxy, and an end that takes
//! all of it along. If the browser does not let go of a context in time, the browser ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::BrowserError;
use super::blank::{Blank, MOMENT, Tenant, Told, identity};
use super::launch::Process;
use super::pool::Chromium;
use super::proxy::{Proxy, Reach};
use super::state::{DIALOGS_MAX, State};
use super::transport::{CallError, Transport};

/// Why a page does not do what it was asked. Holds nothing that stood on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PageError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the page opened more than {DIALOGS_MAX} dialogs")]
    Storm,
    #[error("the page closed itself")]
    Closed,
    #[error("the page went on, and the frame went with the document that it stood in")]
    Left,
    #[error("nothing on the page matches the selector")]
    Nothing,
    #[error("the selector can't be read")]
    Selector,
    #[error("what the selector matches can't be used: it is {0}")]
    Unusable(&'static str),
    #[error(
        "the frame shows another document than the one that was recognised: it went on before the secret was typed"
    )]
    Moved,
    /// What was pressed there may be known to who should not know it.
    #[error("the page took the press away from the key that it was for")]
    Elsewhere,
    #[error("no document came: {0}")]
    Failed(&'static str),
    #[error("more redirects than a browser follows")]
    Redirects,
    #[error("the page has more than {0} bytes")]
    Large(u64),
    #[error("no file came of it")]
    NoFile,
    #[error("there is no room for the file where the browser keeps its profile")]
    Full,
    #[error("no more pages for this collection")]
    Pages,
}

/// The context; dropping it disposes of it.
pub(super) struct Context {
    pub(super) id: String,
    pub(super) process: Arc<Process>,
    pub(super) proxy: Arc<Proxy>,
    told: Told,
    /// The page that it came with, until somebody opens one.
    first: Mutex<Option<String>>,
    pub(super) io: Handle,
    hops: TaskTracker,
    _events: AbortOnDropHandle<()>,
    turn: Option<OwnedSemaphorePermit>,
}

impl Context {
    /// A context that nobody has used: one that was made ahead, or a fresh one. Call it on the runtime that serves sockets.
    pub(super) async fn open(
        chromium: &Arc<Chromium>,
        reach: Reach,
        language: String,
        turn: OwnedSemaphorePermit,
        hops: TaskTracker,
    ) -> Result<Self, BrowserError> {
        let process = chromium.process().await?;
        process.open();
        let speaks = identity(&process.agent, &language);
        let blank = match process.take_ready() {
            Some(blank) => match blank.is_told(&speaks).await {
                Ok(()) => Some(blank),
                // Its page has just ended.
                Err(_) => {
                    blank.discard();
                    None
                }
            },
            None => None,
        };
        let blank = match blank {
            Some(blank) => blank,
            None => {
                let blank = process.maker(&chromium.settings).ok_or(BrowserError::Gone)?.make().await?;
                blank.is_told(&speaks).await?;
                blank
            }
        };
        let Blank { id, page, door, told, tenant, events } = blank;
        let proxy = Arc::new(door.serve(reach));
        // It is set once: there is no other context of this value.
        let _ = tenant.set(Tenant { proxy: proxy.clone(), language });
        let (io, turn, first) = (Handle::current(), Some(turn), Mutex::new(Some(page)));
        Ok(Self { id, process, proxy, told, first, io, hops, _events: events, turn })
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.told.transport
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.told.state()
    }

    /// A new empty page; its id.
    pub(super) async fn open_page(&self) -> Result<String, PageError> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        match first.filter(|page| self.session(page).is_ok()) {
            Some(page) => Ok(page),
            None => self.told.open_page(&self.id).await,
        }
    }

    /// Waits until something is so; none if it is not by then.
    pub(super) async fn wait<T>(
        &self,
        until: Instant,
        look: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<Option<T>, PageError> {
        self.told.wait(until, look).await
    }

    /// Requests of pages, as far as anybody tells of them: the browser of each that a page makes, the proxy of each connection.
    pub(super) fn requests(&self) -> u64 {
        self.state().requests.max(self.proxy.connections())
    }

    /// From now on pages reach nothing more, whatever they show.
    pub(super) fn cut(&self) {
        let narrow = self.state().cut();
        self.proxy.narrow(narrow);
    }

    /// Closes a page; from here on it is none.
    pub(super) fn close_page(&self, target: &str) {
        self.state().tabs.retain(|tab| tab.target != target);
        self.transport().post("", "Target.closeTarget", json!({ "targetId": target }));
    }

    /// The session of a page that still works.
    pub(super) fn session(&self, target: &str) -> Result<String, PageError> {
        let state = self.state();
        if state.dialogs > DIALOGS_MAX {
            return Err(PageError::Storm);
        }
        match state.tab(target) {
            None if self.transport().is_gone() => Err(CallError::Gone.into()),
            None => Err(PageError::Closed),
            Some(tab) if tab.crashed => Err(CallError::Crashed.into()),
            Some(tab) => Ok(tab.session.clone()),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let (process, id, turn) = (self.process.clone(), self.id.clone(), self.turn.take());
        process.transport.forget(&id);
        let dispose = async move {
            let asked = json!({ "browserContextId": id });
            let gone = process.transport.tell("", "Target.disposeBrowserContext", asked);
            if !matches!(tokio::time::timeout(MOMENT, gone).await, Ok(Ok(()))) && !process.transport.is_gone() {
                tracing::warn!("the browser did not let go of a collection's pages; it is ended");
                process.kill();
            }
            process.used();
            drop(turn);
        };
        self.io.spawn(self.hops.track_future(dispose));
    }
}
