//! Contexts that nobody has used: cookies, storage, cache and workers of nobody, an empty page, and a proxy's address at which nobody answers
//! yet. They are made ahead, since most of what one costs is the process that shows its page. Whoever gets one has it alone: it is moved, and
//! never comes back.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use super::BrowserError;
use super::context::PageError;
use super::ground::Ground;
use super::proxy::{Door, Proxy};
use super::state::{DIALOGS_MAX, Reaction, State};
use super::transport::{CallError, Transport};

/// How long a page may take to be there, and a context to go.
pub(super) const MOMENT: Duration = Duration::from_secs(5);
/// Most of one answer that the browser keeps for us to ask for, and of all of them.
const KEPT_BYTES: u64 = 64 << 20;

/// What makes contexts in one browser.
pub(super) struct Maker {
    pub(super) transport: Transport,
    pub(super) ground: Ground,
    pub(super) folder: PathBuf,
    pub(super) agent: String,
    pub(super) bypass: &'static str,
}

/// A context with an empty page.
pub(super) struct Blank {
    pub(super) id: String,
    pub(super) page: String,
    pub(super) door: Door,
    pub(super) told: Told,
    pub(super) tenant: Arc<OnceLock<Tenant>>,
    pub(super) events: AbortOnDropHandle<()>,
}

/// Whose a context is from now on.
pub(super) struct Tenant {
    pub(super) proxy: Arc<Proxy>,
    pub(super) language: String,
}

/// What the browser has told of a context, and its connection.
pub(super) struct Told {
    pub(super) transport: Transport,
    state: Arc<Mutex<State>>,
    changed: watch::Receiver<()>,
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

impl Maker {
    /// Keeps as many ready as there is room for, until nobody takes any more.
    pub(super) async fn keep_ready(self, ready: mpsc::Sender<Blank>) {
        while let Ok(place) = ready.reserve().await {
            match self.make().await {
                Ok(blank) => place.send(blank),
                Err(_) if self.transport.is_gone() => return,
                Err(error) => {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    return tracing::warn!(%error, source, "no contexts are made ahead in this browser any more");
                }
            }
        }
    }

    /// A fresh context with an empty page. Call it on the runtime that serves sockets.
    pub(super) async fn make(&self) -> Result<Blank, BrowserError> {
        let door = Door::open(&self.ground).await?;
        let transport = self.transport.clone();
        let asked = json!({
            "disposeOnDetach": true,
            "proxyServer": format!("http://{}", door.address()),
            "proxyBypassList": self.bypass,
        });
        let made: MadeContext = transport.call("", "Target.createBrowserContext", asked).await?;
        let id = made.browser_context_id;
        let mut events = transport.listen(&id);
        let (state, (tell, changed)) = (Arc::new(Mutex::new(State::default())), watch::channel(()));
        let tenant = Arc::<OnceLock<Tenant>>::default();
        let (context, agent) = (id.clone(), self.agent.clone());
        let reacts = Reacts { transport: transport.clone(), context, agent, tenant: tenant.clone() };
        let seen = state.clone();
        let reader = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                let reactions = lock(&seen).take(&event);
                reactions.into_iter().for_each(|reaction| reacts.to(reaction, &seen));
                // Nobody may wait at the moment.
                let _ = tell.send(());
            }
        });
        let (events, told) = (AbortOnDropHandle::new(reader), Told { transport, state, changed });
        let downloads = json!({
            "behavior": "allowAndName",
            "browserContextId": id,
            "downloadPath": self.folder,
            "eventsEnabled": true,
        });
        told.transport.tell("", "Browser.setDownloadBehavior", downloads).await?;
        let page = told.open_page(&id).await.map_err(|_| BrowserError::Gone)?;
        Ok(Blank { id, page, door, told, tenant, events })
    }
}

impl Blank {
    /// Whether its page is there: one that was made ahead may have ended meanwhile.
    pub(super) fn is_whole(&self) -> bool {
        self.told.state().tab(&self.page).is_some_and(|tab| !tab.crashed)
    }

    /// Tells its page what to say of the browser.
    pub(super) async fn is_told(&self, identity: &Value) -> Result<(), CallError> {
        let session = self.told.state().tab(&self.page).map(|tab| tab.session.clone()).ok_or(CallError::Crashed)?;
        self.told.transport.tell(&session, "Emulation.setUserAgentOverride", identity).await
    }

    /// Nobody will use it.
    pub(super) fn discard(self) {
        self.told.transport.forget(&self.id);
        self.told.transport.post("", "Target.disposeBrowserContext", json!({ "browserContextId": self.id }));
    }
}

impl Told {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// A new empty page in this context; its id.
    pub(super) async fn open_page(&self, context: &str) -> Result<String, PageError> {
        let asked = json!({ "url": "about:blank", "browserContextId": context });
        let made: MadeTarget = self.transport.call("", "Target.createTarget", asked).await?;
        let target = made.target_id;
        let there = self.wait(Instant::now() + MOMENT, |state| state.tab(&target).map(|tab| tab.session.clone()));
        let session = there.await?.ok_or(PageError::Pages)?;
        // Answered when all is set that was asked for before: a page that is sent somewhere earlier says nothing of it.
        self.transport.tell(&session, "Page.enable", json!({})).await?;
        Ok(target)
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
                () = self.transport.gone() => return Err(CallError::Gone.into()),
                changed = changed.changed() => changed.map_err(|_| CallError::Gone)?,
                () = tokio::time::sleep_until(until.into()) => return Ok(None),
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a page says of the browser: itself, and the person's language.
pub(super) fn identity(agent: &str, language: &str) -> Value {
    json!({ "userAgent": agent, "acceptLanguage": language })
}

/// Answers events.
struct Reacts {
    transport: Transport,
    context: String,
    agent: String,
    tenant: Arc<OnceLock<Tenant>>,
}

impl Reacts {
    fn to(&self, reaction: Reaction, state: &Mutex<State>) {
        let post = |session: &str, method, params| self.transport.post(session, method, params);
        match reaction {
            Reaction::Narrow(origins) => {
                if let Some(tenant) = self.tenant.get() {
                    tenant.proxy.narrow(origins);
                }
            }
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
        // A page that was made ahead is told in whose language it asks when somebody has it.
        if let Some(tenant) = self.tenant.get() {
            post("Emulation.setUserAgentOverride", identity(&self.agent, &tenant.language));
        }
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
