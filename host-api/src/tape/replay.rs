//! A tape in place of the outside: the ports of a run, all answered from it. Nothing here reaches a network, waits for a person or lets
//! time pass. What is asked in another way than on the tape ends the run and is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use consentry_contract::failure::Code;
use consentry_tape::{Act, Event, Exchange, Hop, How, Part, Tape};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use tokio::sync::oneshot;
use url::Url;
use zeroize::Zeroizing;

use super::{Call, TapeSink};
use crate::network::{Incoming, Network, NetworkError, Outgoing};
use crate::ports::{Answer, Asked, Clock, Parts, Prompter, Question, Random};

/// How a request finds its answer on the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matching {
    /// In the order of the tape: a replay of the same connector.
    Strict,
    /// The next one on the tape with this method and URL pattern: a connector that asks in another order, or less.
    Lenient,
}

/// The first request that the tape has no answer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Which request of the run, from 1.
    pub ordinal: usize,
    /// Its method and where it went, without values.
    pub asked: String,
    /// What the tape has there; none at its end.
    pub taped: Option<String>,
}

/// Names a URL without the values in it.
pub type Naming = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// One tape being played.
pub struct Replay {
    matching: Matching,
    naming: Naming,
    logout: Option<Url>,
    state: Mutex<State>,
}

pub(super) struct State {
    exchanges: VecDeque<Exchange>,
    /// Calls on pages.
    pub(super) acts: VecDeque<Act>,
    /// What is left of the exchange that is being answered, and why it ends without an answer.
    hops: VecDeque<Hop>,
    failure: Option<String>,
    prompts: VecDeque<(How, Vec<Part>)>,
    clock: VecDeque<i64>,
    random: VecDeque<Vec<u8>>,
    /// The capability that was called last.
    called: &'static str,
    now_ms: i64,
    waits: Option<oneshot::Sender<Answer>>,
    asked: usize,
    /// How many were asked when the connector said that the login worked.
    authenticated: Option<usize>,
    divergence: Option<Divergence>,
    seen: Tape,
}

impl Replay {
    /// Plays this tape. `naming` gives the pattern of a URL, `logout` is what the host sends at the end of every run.
    #[must_use]
    pub fn new(tape: &Tape, matching: Matching, naming: Naming, logout: Option<Url>) -> Arc<Self> {
        let mut state = State {
            exchanges: VecDeque::new(),
            acts: VecDeque::new(),
            hops: VecDeque::new(),
            failure: None,
            prompts: VecDeque::new(),
            clock: VecDeque::new(),
            random: VecDeque::new(),
            called: "",
            now_ms: tape.inputs.began_ms,
            waits: None,
            asked: 0,
            authenticated: None,
            divergence: None,
            seen: Tape::new(tape.inputs.clone()),
        };
        for event in &tape.events {
            match event.clone() {
                Event::Http(exchange) => state.exchanges.push_back(exchange),
                Event::Prompt { how, parts } => state.prompts.push_back((how, parts)),
                Event::Clock(ms) => state.clock.push_back(ms),
                Event::Random(bytes) => state.random.push_back(bytes),
                Event::Page(act) => state.acts.push_back(act),
            }
        }
        Arc::new(Self { matching, naming, logout, state: Mutex::new(state) })
    }

    /// What the run had from outside this time.
    #[must_use]
    pub fn seen(&self) -> Tape {
        self.state().seen.clone()
    }

    /// The first request that the tape has no answer to.
    #[must_use]
    pub fn divergence(&self) -> Option<Divergence> {
        self.state().divergence.clone()
    }

    /// How many requests were answered when the connector said that the login worked.
    #[must_use]
    pub fn authenticated(&self) -> Option<usize> {
        self.state().authenticated
    }

    /// Requests on the tape that were not asked for.
    #[must_use]
    pub fn left(&self) -> usize {
        let state = self.state();
        state.exchanges.len() + state.acts.iter().filter(|act| act.call != Act::WAIT).count()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn named(&self, method: &str, url: &str) -> String {
        format!("{method} {}", (self.naming)(url))
    }

    /// A text of a call on a page, without the values in it.
    pub(super) fn named_text(&self, text: &str) -> String {
        (self.naming)(text)
    }

    pub(super) fn is(&self, matching: Matching) -> bool {
        self.matching == matching
    }

    /// Takes the exchange that answers this request off the tape.
    fn find(&self, state: &mut State, request: &Outgoing) -> Result<(), NetworkError> {
        let asked = self.named(request.method.as_str(), request.url.as_str());
        let answers = |exchange: &Exchange| self.named(&exchange.method, &exchange.url) == asked;
        let among = if self.matching == Matching::Strict { 1 } else { usize::MAX };
        let found = state.exchanges.iter().take(among).position(answers);
        let Some(exchange) = found.and_then(|at| state.exchanges.remove(at)) else {
            if self.logout.as_ref() != Some(&request.url) {
                let taped = state.exchanges.front().map(|exchange| self.named(&exchange.method, &exchange.url));
                let ordinal = state.asked + 1;
                state.divergence.get_or_insert(Divergence { ordinal, asked, taped });
            }
            return Err(NetworkError::Cancelled);
        };
        state.asked += 1;
        state.now_ms = state.now_ms.max(exchange.at_ms);
        state.hops = exchange.hops.into();
        state.failure = exchange.failure;
        Ok(())
    }
}

#[async_trait]
impl Network for Replay {
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, NetworkError> {
        let mut state = self.state();
        if state.hops.is_empty() && state.failure.is_none() {
            self.find(&mut state, &request)?;
        }
        match state.hops.pop_front() {
            Some(hop) => Ok(incoming(hop)),
            None => Err(no_answer(state.failure.take().as_deref())),
        }
    }
}

fn incoming(hop: Hop) -> Incoming {
    let mut headers = HeaderMap::new();
    for (name, value) in &hop.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    Incoming { status: StatusCode::from_u16(hop.status).unwrap_or_default(), headers, body: hop.body.0.to_vec() }
}

fn no_answer(failure: Option<&str>) -> NetworkError {
    const LATER: Duration = Duration::from_secs(60);
    match failure {
        Some("timeout") => NetworkError::Timeout,
        Some("too-large") => NetworkError::TooLarge(u64::MAX),
        Some("head-too-large") => NetworkError::HeadTooLarge(0),
        Some("wire-bytes") => NetworkError::WireBytes,
        Some("egress" | "proxy") => NetworkError::Proxy,
        Some("busy") => NetworkError::Busy { retry_after: LATER },
        Some("resting") => NetworkError::Resting { retry_after: LATER },
        Some("cancelled") => NetworkError::Cancelled,
        _ => NetworkError::Unreachable("on the tape"),
    }
}

impl Prompter for Replay {
    fn ask(&self, _: Question) -> Result<Asked, Code> {
        let (send, answer) = oneshot::channel();
        self.state().waits = Some(send);
        Ok(Asked { answer, shown: Box::new(()) })
    }
}

impl State {
    /// Something came, at this time.
    pub(super) fn answered(&mut self, at_ms: i64) {
        self.asked += 1;
        self.now_ms = self.now_ms.max(at_ms);
    }

    /// The tape has something else here.
    pub(super) fn diverged(&mut self, asked: String, taped: Option<String>) {
        let ordinal = self.asked + 1;
        self.divergence.get_or_insert(Divergence { ordinal, asked, taped });
    }

    /// What a wait ended with is part of what this run saw.
    pub(super) fn seen_page(&mut self, act: Act) {
        self.seen.events.push(Event::Page(act));
    }

    /// The person answers when they did on the tape.
    fn answer(&mut self) {
        let answer = match self.prompts.pop_front() {
            Some((How::Waiting, _)) => return,
            Some((How::Given, parts)) => {
                let value = |part: &Part| part.public.clone().unwrap_or_else(|| "stand-in".to_owned()).into_bytes();
                let parts: Parts = parts.iter().map(|part| (part.name.clone(), Zeroizing::new(value(part)))).collect();
                Answer::Given(parts.into())
            }
            Some((How::Denied, _)) => Answer::Denied,
            Some((How::Expired, _)) | None => Answer::Expired,
        };
        // A run that does not wait any more needs no answer.
        let _ = self.waits.take().map(|waits| waits.send(answer));
    }
}

impl TapeSink for Replay {
    fn call(&self, call: Call) {
        let mut state = self.state();
        state.called = call.capability;
        if (call.capability, call.function) == ("credentials", "authenticated") {
            state.authenticated = Some(state.asked);
        }
        if (call.capability, call.function) == ("prompt", "challenge.wait") && state.waits.is_some() {
            state.answer();
        }
    }

    fn refused(&self, _: u64, _: Code) {}

    fn outside(&self, what: Event) {
        self.state().seen.events.push(what);
    }
}

impl Clock for Replay {
    fn now(&self) -> Timestamp {
        let mut state = self.state();
        if std::mem::take(&mut state.called) == "clock"
            && let Some(ms) = state.clock.pop_front()
        {
            state.now_ms = ms;
        }
        Timestamp::from_millisecond(state.now_ms).unwrap_or_default()
    }

    fn pause(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}

/// Draws from the tape.
pub(super) struct Drawn(Arc<Replay>);

impl Replay {
    /// The randomness of the run.
    #[must_use]
    pub fn random(self: &Arc<Self>) -> Box<dyn Random> {
        Box::new(Drawn(self.clone()))
    }
}

impl Random for Drawn {
    fn fill(&mut self, bytes: &mut [u8]) {
        let mut state = self.0.state();
        let drawn = if state.called == "random" { state.random.pop_front() } else { None };
        let drawn = drawn.unwrap_or_default().into_iter().chain((0_u8..=255).cycle());
        bytes.iter_mut().zip(drawn).for_each(|(byte, drawn)| *byte = drawn);
    }
}
