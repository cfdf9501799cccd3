//! browser: pages of a headless browser, for Data Sources that work in no other way. One browser serves many collections, each in a context of
//! its own with a proxy of its own. A connector acts on a page by selectors that ask for no value, reads it as a document, and never runs
//! script; secrets are typed by the host after it has looked where they go.

mod account;
mod blank;
mod calls;
mod check;
mod context;
mod download;
mod events;
mod frame;
mod ground;
mod input;
mod launch;
mod limits;
mod pool;
mod proxy;
mod reading;
mod scripts;
mod settings;
mod standing;
mod state;
mod taped;
#[cfg(test)]
mod tests;
mod transport;
mod typing;
mod waiting;
mod works;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use consentry_contract::failure::Code;
use consentry_contract::limits::LimitName;
use consentry_contract::recipe::{LIVE_SELECTORS, Recipe, is_live_selector};
use wasmtime::component::Resource;

use crate::ctx::HostCtx;
use crate::fault::Fail;
use crate::hop;
use crate::http::carried::{Carried, OWN_BYTES_MAX, OWN_TEXTS_MAX};
use crate::network::{NetworkError, Tunnels};

pub use pool::{BrowserError, Chromium};
pub use settings::BrowserSettings;

use context::{Context, PageError};
use frame::At;
use proxy::Reach;
use state::Challenge;
use transport::CallError;

const NAME: &str = "browser";
/// Longest wait for a page that was asked for; the run's own end comes first where that is near.
const LOAD: Duration = Duration::from_secs(60);

/// The browser of the host, and the way of one run through it.
#[derive(Clone)]
pub struct BrowserWay {
    /// The browser.
    pub chromium: Arc<Chromium>,
    /// The way to the Data Source.
    pub tunnels: Tunnels,
}

/// How often it is counted what pages ask for and send while a connector waits for them.
const COUNTS: Duration = Duration::from_millis(200);
/// What pages send is counted in steps of so many bytes: what of it was a secret's length is not to be told from what is left.
const SENT_STEP: u64 = 4096;

/// A page by handle.
pub struct Page {
    at: At,
    /// The connector has closed it.
    closed: bool,
}

/// What a run has in the browser.
#[derive(Default)]
pub(crate) struct Browsing {
    context: Option<Arc<Context>>,
    /// Secrets that were typed, for the search in what pages show from then on.
    carried: Vec<Carried>,
    /// What the connector itself wrote into pages.
    own: BTreeSet<Vec<u8>>,
    /// Who is named to which origin that asks.
    logins: BTreeMap<String, (Arc<Recipe>, Arc<Recipe>)>,
    /// Requests of pages, and bytes that they sent, that are counted already.
    requests: u64,
    sent: u64,
    /// What a page showed in this call, for the tape.
    shown: Option<consentry_tape::Exchange>,
    /// The page that secrets were typed into in this call, and where they went.
    typed: (Option<String>, Vec<String>),
}

impl HostCtx {
    /// The run's context; there is one as soon as there is a page.
    fn context(&mut self) -> Result<Arc<Context>, Fail> {
        self.browsing.context.clone().ok_or_else(Fail::stop)
    }

    /// Where calls on a page go.
    fn at_of(&mut self, this: &Resource<Page>) -> Result<At, Fail> {
        let page = self.table.get(this)?;
        if page.closed {
            return Err(self.refuse(Code::InvalidArgument, "the connector has closed this page"));
        }
        Ok(page.at.clone())
    }

    /// Opens the run's context on first use: waits for a turn, and starts the browser if need be.
    async fn open_context(&mut self) -> Result<Arc<Context>, Fail> {
        if let Some(context) = &self.browsing.context {
            return Ok(context.clone());
        }
        let Some(BrowserWay { chromium, tunnels }) = self.ports.browser.clone() else {
            return Err(self.refuse(Code::BrowserUnavailable, "this host has no browser"));
        };
        let (observer, waiting) = (self.ports.observer.clone(), chromium.clone());
        let io = chromium.io().map_err(|error| self.no_browser(&error))?;
        let turn = hop::hop_to(self, &io, async move { waiting.turn(|ahead| observer.waits(ahead)).await }).await?;
        let turn = turn.map_err(|error| self.no_browser(&error))?;
        let connections_max = self.budget.limits().of(LimitName::Requests);
        let reach = Reach { egress: self.egress.clone(), tunnels, connections_max };
        let (language, hops) = (self.language.clone(), self.hops.clone());
        let opened =
            hop::hop_to(
                self,
                &io,
                async move { Context::open(&chromium, reach, language, turn, hops).await.map(Arc::new) },
            );
        let context = opened.await?.map_err(|error| self.no_browser(&error))?;
        self.browsing.context = Some(context.clone());
        Ok(context)
    }

    fn no_browser(&mut self, error: &BrowserError) -> Fail {
        self.refuse(Code::BrowserUnavailable, error.to_string())
    }

    /// Does something on a page, and answers sites that ask meanwhile who somebody is.
    async fn drive<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = Result<T, PageError>> + Send + 'static,
    ) -> Result<T, Fail> {
        let context = self.context()?;
        let mut work = Box::pin(work);
        loop {
            let asked = context.clone();
            let (left, turned) = hop::hop_to(self, &context.io, async move {
                tokio::select! {
                    biased;
                    done = &mut work => (None, Turned::Done(done)),
                    challenge = asked.challenge() => (Some(work), Turned::Asked(challenge)),
                    () = tokio::time::sleep(COUNTS) => (Some(work), Turned::Counted),
                }
            })
            .await?;
            self.account(&context)?;
            match (turned, left) {
                (Turned::Done(done), _) => return done.map_err(|error| self.page_fault(&context, &error)),
                (Turned::Asked(challenge), Some(left)) => {
                    self.introduce(&context, &challenge)?;
                    work = left;
                }
                (Turned::Counted, Some(left)) => work = left,
                (Turned::Asked(_) | Turned::Counted, None) => return Err(Fail::stop()),
            }
        }
    }

    /// Counts what pages asked for, and tells the author what they were not given.
    fn account(&mut self, context: &Context) -> Result<(), Fail> {
        for line in context.proxy.take_denied() {
            self.tell_author(&line);
        }
        if let Some(limit) = context.proxy.used_up() {
            self.reached(limit);
            return Err(Fail::stop());
        }
        let (requests, sent) = (context.requests(), context.proxy.sent().next_multiple_of(SENT_STEP));
        let (new_requests, new_bytes) = (requests - self.browsing.requests, sent - self.browsing.sent);
        (self.browsing.requests, self.browsing.sent) = (requests, sent);
        self.spend(LimitName::Requests, new_requests)?;
        self.spend(LimitName::BytesOut, new_bytes)
    }

    /// Says why a page did not do what it was asked.
    fn page_fault(&mut self, context: &Context, error: &PageError) -> Fail {
        let reason = error.to_string();
        self.ports.tape.page_failed(&reason);
        let code = match error {
            PageError::Redirects => {
                self.reached(LimitName::Redirects);
                return Fail::stop();
            }
            PageError::Large(_) => {
                self.reached(LimitName::DocumentBytes);
                return Fail::stop();
            }
            PageError::Call(CallError::Gone) | PageError::Full => Code::BrowserUnavailable,
            PageError::Failed(_) => return self.no_document(context, reason),
            PageError::Call(CallError::Crashed | CallError::Late)
            | PageError::Storm
            | PageError::Closed
            | PageError::Left
            | PageError::Moved => Code::SourceUnavailable,
            PageError::Call(CallError::Refused(_))
            | PageError::Nothing
            | PageError::Unusable(_)
            | PageError::NoFile => {
                self.facts.missing = "element".parse().ok().map(consentry_contract::failure::Name::into);
                Code::PageUnrecognised
            }
            PageError::Elsewhere => {
                // Who knows it now is to tell nobody, and the connector is not to press it again.
                context.cut();
                self.refuse(Code::SourceUnavailable, reason);
                return Fail::stop();
            }
            PageError::Selector | PageError::Pages => Code::InvalidArgument,
        };
        self.refuse(code, reason)
    }

    /// Whose fault it is that no document came, the proxy knows.
    fn no_document(&mut self, context: &Context, reason: String) -> Fail {
        match context.proxy.take_failed() {
            Some(NetworkError::Egress(error)) => self.refuse(Code::EgressFailed, error.to_string()),
            Some(NetworkError::Proxy) => self.refuse(Code::EgressFailed, NetworkError::Proxy.to_string()),
            Some(error) => self.refuse(Code::SourceUnavailable, error.to_string()),
            None => self.refuse(Code::SourceUnavailable, reason),
        }
    }

    /// A selector that acts on a live page.
    fn live(&mut self, selector: &str) -> Result<(), Fail> {
        if !is_live_selector(selector) {
            return Err(self.refuse(Code::InvalidArgument, LIVE_SELECTORS));
        }
        // What is chosen by what stands beside it would say what that is, and fails never.
        let simple = |character: char| character.is_alphanumeric() || "-_#.".contains(character);
        if self.is_withheld() && !selector.chars().all(simple) {
            let text = "while single characters of a secret stand on a page, a selector is one name, class or id";
            return Err(self.refuse(Code::InvalidArgument, text));
        }
        Ok(())
    }

    /// A text of the connector's that pages may repeat. What it wrote itself tells it nothing when it comes back; and each can be a guess, so
    /// beside a secret they are few.
    fn wrote(&mut self, texts: impl IntoIterator<Item = Vec<u8>>) -> Result<(), Fail> {
        self.browsing.own.extend(texts);
        let (many, bytes) = (self.browsing.own.len(), self.browsing.own.iter().map(Vec::len).sum::<usize>());
        if !self.browsing.carried.is_empty() && (many > OWN_TEXTS_MAX || bytes > OWN_BYTES_MAX) {
            let text = format!(
                "after a secret was typed a run writes at most {OWN_TEXTS_MAX} texts of its own into pages and addresses, of {OWN_BYTES_MAX} bytes"
            );
            return Err(self.refuse(Code::InvalidArgument, text));
        }
        Ok(())
    }

    /// Sends the manifest's logout as a page of the run's, whose cookies the browser has. False if there is none.
    pub(crate) fn log_out_in_browser(&self, url: &url::Url, wait: Duration) -> bool {
        let Some(context) = self.browsing.context.clone() else { return false };
        let (url, io) = (url.to_string(), context.io.clone());
        let going = async move {
            let page = context.open_page().await?;
            context.go(&At::page(page), &url, Instant::now() + wait).await
        };
        // A source that does not answer keeps its session until it ends by itself.
        let ended = async move { tokio::time::timeout(wait, going).await.map(drop) };
        drop(io.spawn(self.hops.track_future(ended)));
        true
    }
}

enum Turned<T> {
    Done(Result<T, PageError>),
    Asked(Challenge),
    Counted,
}
