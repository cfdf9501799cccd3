//! The DevTools protocol over the browser's two pipes: no port that another program of this machine could open, one reader, one writer, and
//! an end for every wait. A page decides what comes in here, so nothing in a message is trusted to be there, and none is larger than a bound.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::clear::{Clear, Moment, RunInClear};
use crate::memory::locked;
use crate::network::Payload;

/// Largest message of the browser, in bytes: a document of the largest size that a manifest may ask for, escaped.
const MESSAGE_BYTES_MAX: usize = 192 << 20;
/// So much is read at once.
const CHUNK: usize = 64 << 10;

/// Why a call has no answer. Holds nothing that a page could choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum CallError {
    /// The browser has ended.
    #[error("the browser is gone")]
    Gone,
    /// The page's own process has ended.
    #[error("the page crashed")]
    Crashed,
    /// No answer in time.
    #[error("the page does not answer")]
    Late,
    /// The browser said no: the page, the frame or the element is not there any more.
    #[error("the browser refused {0}")]
    Refused(&'static str),
}

/// What a page or the browser tells.
pub(super) struct Event {
    /// Which session told it; empty for the browser itself.
    pub(super) session: String,
    pub(super) method: String,
    pub(super) params: Box<RawValue>,
}

impl std::fmt::Debug for Event {
    /// Without what the page said.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Event").field("method", &self.method).finish_non_exhaustive()
    }
}

/// The connection to one browser.
#[derive(Clone)]
pub(super) struct Transport {
    out: mpsc::UnboundedSender<Message>,
    shared: Arc<Shared>,
    patience: Duration,
}

/// What goes to the browser. One that holds a secret stands in locked pages, and in clear as long as this is there.
struct Message {
    bytes: Zeroizing<Vec<u8>>,
    _clear: Option<Clear>,
}

/// A secret as the protocol takes it: text, opened while it is written down.
pub(super) struct Secret<'s>(pub(super) &'s Payload);

struct Shared {
    next: AtomicU64,
    routes: Mutex<Routes>,
    gone: CancellationToken,
}

#[derive(Default)]
struct Routes {
    waiting: HashMap<u64, Waiting>,
    /// Who listens to a session.
    sessions: HashMap<String, mpsc::UnboundedSender<Event>>,
    /// Who listens to whatever begins in a context.
    contexts: HashMap<String, mpsc::UnboundedSender<Event>>,
}

struct Waiting {
    session: String,
    answer: oneshot::Sender<Result<Box<RawValue>, Refused>>,
}

enum Refused {
    Crashed,
    Error,
}

/// Takes a call off the list when nobody waits for it any more.
struct Waits<'t>(&'t Shared, u64);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.routes().waiting.remove(&self.1);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outgoing<'a, P> {
    id: u64,
    method: &'static str,
    params: P,
    #[serde(skip_serializing_if = "str::is_empty")]
    session_id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Incoming {
    id: Option<u64>,
    result: Option<Box<RawValue>>,
    method: Option<String>,
    params: Option<Box<RawValue>>,
    #[serde(default)]
    session_id: String,
}

/// A page, or a frame with a process of its own, that the browser lets us speak to.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attached {
    session_id: String,
    target_info: AttachedTo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttachedTo {
    browser_context_id: Option<String>,
}

impl Transport {
    /// Speaks over these pipes, and waits so long for each answer; call it inside the runtime that serves sockets.
    pub(super) fn start(from: pipe::Receiver, to: pipe::Sender, patience: Duration) -> Self {
        let (out, outgoing) = mpsc::unbounded_channel();
        let gone = CancellationToken::new();
        let shared = Arc::new(Shared { next: AtomicU64::new(1), routes: Mutex::default(), gone });
        tokio::spawn(write(to, outgoing, shared.gone.clone()));
        tokio::spawn(read(from, shared.clone()));
        Self { out, shared, patience }
    }

    /// Whether the browser has ended.
    pub(super) fn is_gone(&self) -> bool {
        self.shared.gone.is_cancelled()
    }

    /// Waits for the browser's end.
    pub(super) async fn gone(&self) {
        self.shared.gone.cancelled().await;
    }

    /// Hears whatever begins in this context from now on.
    pub(super) fn listen(&self, context: &str) -> mpsc::UnboundedReceiver<Event> {
        let (to, events) = mpsc::unbounded_channel();
        self.shared.routes().contexts.insert(context.to_owned(), to);
        events
    }

    /// Nobody listens to this context any more.
    pub(super) fn forget(&self, context: &str) {
        let mut routes = self.shared.routes();
        if let Some(to) = routes.contexts.remove(context) {
            routes.sessions.retain(|_, listener| !listener.same_channel(&to));
        }
    }

    /// The page of this session has crashed, or the session is over: its calls are never answered.
    pub(super) fn lost(&self, session: &str, crashed: bool) {
        let mut routes = self.shared.routes();
        let lost: Vec<u64> =
            routes.waiting.iter().filter(|(_, waiting)| waiting.session == session).map(|(id, _)| *id).collect();
        for waiting in lost.iter().filter_map(|id| routes.waiting.remove(id)) {
            // Whoever waited may be gone.
            let _ = waiting.answer.send(Err(if crashed { Refused::Crashed } else { Refused::Error }));
        }
    }

    /// The same, waiting so long for each answer.
    pub(super) fn patient(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// Calls, and reads the answer.
    pub(super) async fn call<R: DeserializeOwned>(
        &self,
        session: &str,
        method: &'static str,
        params: impl Serialize,
    ) -> Result<R, CallError> {
        let answer = self.ask(session, method, |id| self.write(id, session, method, params)).await?;
        serde_json::from_str(answer.get()).map_err(|_| CallError::Refused(method))
    }

    /// Has a call written, and waits for its answer.
    async fn ask(
        &self,
        session: &str,
        method: &'static str,
        write: impl FnOnce(u64) -> Result<(), CallError>,
    ) -> Result<Box<RawValue>, CallError> {
        let (answer, answered) = oneshot::channel();
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        self.shared.routes().waiting.insert(id, Waiting { session: session.to_owned(), answer });
        let _waits = Waits(&self.shared, id);
        write(id)?;
        tokio::select! {
            biased;
            answered = answered => match answered {
                Ok(Ok(result)) => Ok(result),
                Ok(Err(Refused::Crashed)) => Err(CallError::Crashed),
                Ok(Err(Refused::Error)) => Err(CallError::Refused(method)),
                Err(_) => Err(CallError::Gone),
            },
            () = self.gone() => Err(CallError::Gone),
            () = tokio::time::sleep(self.patience) => Err(CallError::Late),
        }
    }

    /// As [`Self::call`], for what answers nothing.
    pub(super) async fn tell(
        &self,
        session: &str,
        method: &'static str,
        params: impl Serialize,
    ) -> Result<(), CallError> {
        self.call::<serde::de::IgnoredAny>(session, method, params).await.map(drop)
    }

    /// As [`Self::call`], with what holds a secret of this run.
    pub(super) async fn call_secret<R: DeserializeOwned>(
        &self,
        run: &RunInClear,
        session: &str,
        method: &'static str,
        params: impl Serialize,
    ) -> Result<R, CallError> {
        let answer = self.ask(session, method, |id| self.write_secret(run, id, session, method, params)).await?;
        serde_json::from_str(answer.get()).map_err(|_| CallError::Refused(method))
    }

    /// Calls and waits for nothing; calls of a session keep their order.
    pub(super) fn post(&self, session: &str, method: &'static str, params: impl Serialize) {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        // A browser that is gone does nothing more anyway.
        let _ = self.write(id, session, method, params);
    }

    /// As [`Self::post`], with what holds a secret of this run.
    pub(super) fn post_secret(&self, run: &RunInClear, session: &str, method: &'static str, params: impl Serialize) {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let _ = self.write_secret(run, id, session, method, params);
    }

    fn write(&self, id: u64, session: &str, method: &'static str, params: impl Serialize) -> Result<(), CallError> {
        let bytes = encoded(id, session, method, params)?;
        self.out.send(Message { bytes, _clear: None }).map_err(|_| CallError::Gone)
    }

    fn write_secret(
        &self,
        run: &RunInClear,
        id: u64,
        session: &str,
        method: &'static str,
        params: impl Serialize,
    ) -> Result<(), CallError> {
        let clear = run.begin(Moment::Send);
        let bytes = locked(|| encoded(id, session, method, params))?;
        self.out.send(Message { bytes, _clear: Some(clear) }).map_err(|_| CallError::Gone)
    }
}

fn encoded(
    id: u64,
    session_id: &str,
    method: &'static str,
    params: impl Serialize,
) -> Result<Zeroizing<Vec<u8>>, CallError> {
    // Room for a script and a secret that is all escapes: growing would leave a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(36 << 10));
    serde_json::to_writer(&mut *bytes, &Outgoing { id, method, params, session_id })
        .map_err(|_| CallError::Refused(method))?;
    bytes.push(0);
    Ok(bytes)
}

impl Serialize for Secret<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let opened = self.0.open_counted();
        let text = std::str::from_utf8(&opened).map_err(|_| S::Error::custom("no text"))?;
        serializer.serialize_str(text)
    }
}

impl Shared {
    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, message: &[u8]) {
        let Ok(message) = serde_json::from_slice::<Incoming>(message) else { return };
        let mut routes = self.routes();
        if let Some(id) = message.id {
            if let Some(waiting) = routes.waiting.remove(&id) {
                let _ = waiting.answer.send(message.result.ok_or(Refused::Error));
            }
            return;
        }
        let (Some(method), Some(params)) = (message.method, message.params) else { return };
        let to = routes.sessions.get(&message.session_id).cloned();
        let to = if method == "Target.attachedToTarget" { routes.attached(to, &params) } else { to };
        let event = Event { session: message.session_id, method, params };
        match to {
            // Whoever listened may be gone.
            Some(to) => drop(to.send(event)),
            // Downloads are told by the browser, and whose they are stands inside.
            None if event.session.is_empty() => {
                for to in routes.contexts.values() {
                    let (session, method, params) = (String::new(), event.method.clone(), event.params.clone());
                    let _ = to.send(Event { session, method, params });
                }
            }
            None => {}
        }
    }
}

impl Routes {
    /// A new session belongs to whom its parent belongs to; a page, to its context. It has to be known before its first event comes.
    fn attached(
        &mut self,
        parent: Option<mpsc::UnboundedSender<Event>>,
        params: &RawValue,
    ) -> Option<mpsc::UnboundedSender<Event>> {
        let attached: Attached = serde_json::from_str(params.get()).ok()?;
        let context = attached.target_info.browser_context_id.and_then(|context| self.contexts.get(&context).cloned());
        let to = parent.or(context)?;
        self.sessions.insert(attached.session_id, to.clone());
        Some(to)
    }
}

async fn write(mut to: pipe::Sender, mut outgoing: mpsc::UnboundedReceiver<Message>, gone: CancellationToken) {
    while let Some(message) = outgoing.recv().await {
        if to.write_all(&message.bytes).await.is_err() {
            gone.cancel();
            return;
        }
    }
}

async fn read(mut from: pipe::Receiver, shared: Arc<Shared>) {
    let mut buffer: Vec<u8> = Vec::new();
    let (mut looked, mut too_long) = (0, false);
    loop {
        buffer.reserve(CHUNK);
        match from.read_buf(&mut buffer).await {
            Ok(read) if read > 0 => {}
            _ => break,
        }
        let mut start = 0;
        if too_long {
            // Whoever waits for it waits in vain, and nobody else does.
            let Some(end) = buffer.iter().position(|byte| *byte == 0) else {
                buffer.clear();
                continue;
            };
            (too_long, start, looked) = (false, end + 1, end + 1);
        }
        while let Some(end) = buffer[looked..].iter().position(|byte| *byte == 0).map(|at| looked + at) {
            shared.take(&buffer[start..end]);
            start = end + 1;
            looked = start;
        }
        buffer.drain(..start);
        if buffer.len() > MESSAGE_BYTES_MAX {
            too_long = true;
            buffer.clear();
        }
        looked = buffer.len();
        if buffer.capacity() > 4 << 20 && buffer.len() < CHUNK {
            buffer.shrink_to(CHUNK);
        }
    }
    shared.gone.cancel();
    let mut routes = shared.routes();
    routes.waiting.clear();
    routes.contexts.clear();
    routes.sessions.clear();
}

#[cfg(test)]
mod tests;
