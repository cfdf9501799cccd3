//! One collection's own context in the shared browser: cookies, storage, cache and workers of nobody else, one proxy, and an end that takes
//! all of it along. If the browser does not let go of a context in time, the browser ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::BrowserError;
use super::launch::Process;
use super::pool::Chromium;
use super::proxy::Proxy;
use super::state::{DIALOGS_MAX, Reaction, State};
use super::transport::{CallError, Transport};
use crate::egress::Egress;
use crate::network::Tunnels;

/// How long a context may take to go.
const DISPOSE: Duration = Duration::from_secs(5);
/// Most of one answer that the browser keeps for us to ask for, and of all of them.
const KEPT_BYTES: u64 = 64 << 20;

/// Why a page does not do what it was asked. Holds nothing that stood on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PageError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the page opened more than {DIALOGS_MAX} dialogs")]
    Storm,
    #[error("the page was closed")]
    Closed,
    #[error("nothing on the page matches the selector")]
    Nothing,
    #[error("the selector can't be read")]
    Selector,
    #[error("what the selector matches can't be used: it is {0}")]
    Unusable(&'static str),
    #[error("the frame shows another origin now")]
    Moved,
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
    state: Arc<Mutex<State>>,
    changed: watch::Receiver<()>,
    pub(super) io: Handle,
    hops: TaskTracker,
    _events: AbortOnDropHandle<()>,
    turn: Option<OwnedSemaphorePermit>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MadeContext {
    browser_context_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MadeTarget {
    target_id: String,
}

impl Context {
    /// A fresh context. Call it on the runtime that serves sockets.
    pub(super) async fn open(
        chromium: &Arc<Chromium>,
        way: (Egress, Tunnels),
        language: String,
        turn: OwnedSemaphorePermit,
        hops: TaskTracker,
    ) -> Result<Self, BrowserError> {
        let process = chromium.process().await?;
        process.open();
        let (egress, tunnels) = way;
        let proxy = Arc::new(Proxy::start(&process.ground, egress, tunnels).await?);
        let transport = process.transport.clone();
        let asked = json!({
            "disposeOnDetach": true,
            "proxyServer": format!("http://{}", proxy.address()),
            "proxyBypassList": chromium.settings.bypass(),
        });
        let made: MadeContext = transport.call("", "Target.createBrowserContext", asked).await?;
        let id = made.browser_context_id;
        let mut events = transport.listen(&id);
        let (state, (tell, changed)) = (Arc::new(Mutex::new(State::default())), watch::channel(()));
        let (context, agent) = (id.clone(), process.agent.clone());
        let reacts = Reacts { transport, context, language, agent, proxy: proxy.clone() };
        let seen = state.clone();
        let reader = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                let reactions = lock(&seen).take(&event);
                reactions.into_iter().for_each(|reaction| reacts.to(reaction, &seen));
                // Nobody may wait at the moment.
                let _ = tell.send(());
            }
        });
        let (io, _events, turn) = (Handle::current(), AbortOnDropHandle::new(reader), Some(turn));
        let context = Self { id, process, proxy, state, changed, io, hops, _events, turn };
        context.allow_downloads().await?;
        Ok(context)
    }

    async fn allow_downloads(&self) -> Result<(), BrowserError> {
        let Some(folder) = self.process.folder() else { return Err(BrowserError::Gone) };
        let allowed = json!({
            "behavior": "allowAndName",
            "browserContextId": self.id,
            "downloadPath": folder,
            "eventsEnabled": true,
        });
        Ok(self.transport().tell("", "Browser.setDownloadBehavior", allowed).await?)
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.process.transport
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// A new empty page; its id.
    pub(super) async fn open_page(&self) -> Result<String, PageError> {
        let asked = json!({ "url": "about:blank", "browserContextId": self.id });
        let made: MadeTarget = self.transport().call("", "Target.createTarget", asked).await?;
        let target = made.target_id;
        let there = self.wait(Instant::now() + DISPOSE, |state| state.tab(&target).map(|tab| tab.session.clone()));
        let session = there.await?.ok_or(PageError::Pages)?;
        // Answered when all is set that was asked for before: a page that is sent somewhere earlier says nothing of it.
        self.transport().tell(&session, "Page.enable", json!({})).await?;
        Ok(target)
    }

    /// Closes a page; from here on it is none.
    pub(super) fn close_page(&self, target: &str) {
        self.state().tabs.retain(|tab| tab.target != target);
        self.transport().post("", "Target.closeTarget", json!({ "targetId": target }));
    }

    /// Waits until something is so; none if it is not by then.
    pub(super) async fn wait<T>(
        &self,
        until: Instant,
        mut look: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<Option<T>, PageError> {
        let mut changed = self.changed.clone();
        loop {
            changed.mark_unchanged();
            if let Some(found) = look(&mut self.state()) {
                return Ok(Some(found));
            }
            tokio::select! {
                biased;
                () = self.transport().gone() => return Err(CallError::Gone.into()),
                changed = changed.changed() => changed.map_err(|_| CallError::Gone)?,
                () = tokio::time::sleep_until(until.into()) => return Ok(None),
            }
        }
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
            if !matches!(tokio::time::timeout(DISPOSE, gone).await, Ok(Ok(()))) && !process.transport.is_gone() {
                tracing::warn!("the browser did not let go of a collection's pages; it is ended");
                process.kill();
            }
            process.used();
            drop(turn);
        };
        self.io.spawn(self.hops.track_future(dispose));
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers events.
struct Reacts {
    transport: Transport,
    context: String,
    language: String,
    agent: String,
    proxy: Arc<Proxy>,
}

impl Reacts {
    fn to(&self, reaction: Reaction, state: &Mutex<State>) {
        let post = |session: &str, method, params| self.transport.post(session, method, params);
        match reaction {
            Reaction::Narrow(origins) => self.proxy.narrow(origins),
            Reaction::Prepare { session } => {
                let answers_logins = !lock(state).logins.is_empty();
                self.prepare(&session, answers_logins);
            }
            Reaction::Release { session } => post(&session, "Runtime.runIfWaitingForDebugger", json!({})),
            Reaction::TooMany { session, target } => {
                post(&session, "Runtime.runIfWaitingForDebugger", json!({}));
                post("", "Target.closeTarget", json!({ "targetId": target }));
            }
            Reaction::Crashed { session } => self.transport.lost(&session, true),
            Reaction::Detached { session } => self.transport.lost(&session, false),
            Reaction::Dialog { session, accept } => {
                post(&session, "Page.handleJavaScriptDialog", json!({ "accept": accept }));
                let state = lock(state);
                if state.dialogs == DIALOGS_MAX + 1 {
                    state.tabs.iter().for_each(|tab| {
                        post("", "Target.closeTarget", json!({ "targetId": tab.target }));
                    });
                }
            }
            Reaction::CancelDownload { guid } => {
                post("", "Browser.cancelDownload", json!({ "guid": guid, "browserContextId": self.context }));
            }
            Reaction::Continue { session, request } => {
                post(&session, "Fetch.continueRequest", json!({ "requestId": request }));
            }
            Reaction::CancelLogin { session, request } => {
                let answer = json!({ "response": "CancelAuth" });
                post(
                    &session,
                    "Fetch.continueWithAuth",
                    json!({ "requestId": request, "authChallengeResponse": answer }),
                );
            }
        }
    }

    /// A new page or frame waits until everything is set; no script of it has run.
    fn prepare(&self, session: &str, answers_logins: bool) {
        let post = |method, params| self.transport.post(session, method, params);
        post("Inspector.enable", json!({}));
        post("Page.enable", json!({}));
        post("Network.enable", json!({ "maxTotalBufferSize": KEPT_BYTES, "maxResourceBufferSize": KEPT_BYTES }));
        let agent = json!({ "userAgent": self.agent, "acceptLanguage": self.language });
        post("Emulation.setUserAgentOverride", agent);
        // Workers are held up whether they are asked for or not; who does not hear of them can't let them go.
        let only = json!([{ "type": "iframe" }, { "type": "worker" }, { "exclude": true }]);
        let attach = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true, "filter": only });
        post("Target.setAutoAttach", attach);
        if answers_logins {
            post("Fetch.enable", json!({ "handleAuthRequests": true }));
        }
        post("Runtime.runIfWaitingForDebugger", json!({}));
    }
}
