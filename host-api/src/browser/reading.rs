//! What pages show, as a connector may see it: secrets that were typed are taken out first, then what capture rules name, then the page is
//! recognised, as with an answer over HTTP.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consentry_contract::document::{Document, Format, charset};
use consentry_contract::failure::Code;
use consentry_contract::item::Bytes;
use consentry_contract::page::Recognition;
use consentry_tape::{Exchange, Hop};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use url::Url;
use wasmtime::component::Resource;
use zeroize::Zeroizing;

use super::context::{Context, PageError};
use super::frame::{At, Seen, failure};
use super::scripts;
use super::state::Request;
use super::transport::CallError;
use crate::ctx::HostCtx;
use crate::document::{Parsed, Seed, Tree};
use crate::fault::Fail;
use crate::http::capture::Body;
use crate::http::carried::Echoes;
use crate::tape::PageSeen;

/// How often a page is looked at while somebody waits for something on it.
const LOOK: Duration = Duration::from_millis(30);
/// A page that is being replaced answers nothing for a moment.
const REPLACED: Duration = Duration::from_secs(5);
/// So long nothing is under way when the network is idle.
const IDLE: Duration = Duration::from_millis(500);

/// Something that came from the Data Source through a page.
pub(super) struct Came {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) kind: String,
    pub(super) bytes: Vec<u8>,
    /// What stands behind the path of its address is for page rules alone.
    pub(super) veiled: bool,
    /// When the document began; empty where it is none of a page.
    pub(super) began: String,
}

/// The same, as it may be seen.
pub(super) struct Looked {
    pub(super) document: Option<Document>,
    pub(super) recognition: Recognition,
    pub(super) url: Url,
    /// Which document it was.
    pub(super) seen: Seen,
    status: u16,
    headers: HeaderMap,
    kind: String,
    body: Bytes,
    charset: Option<String>,
    as_it_came: bool,
}

impl Context {
    /// A frame's document, as it came.
    pub(super) async fn read(&self, at: &At, typed: bool, bytes_max: usize) -> Result<Came, PageError> {
        let until = Instant::now() + REPLACED;
        loop {
            let frame = self.frame(at)?;
            if let Some(error) = &frame.failed {
                return Err(failure(error));
            }
            let markup = match self.markup(at, typed, bytes_max).await {
                // Its frame is being replaced.
                Err(PageError::Call(CallError::Refused(_))) if Instant::now() < until => {
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                markup => markup?,
            };
            let (status, headers) = self.state().head(&frame);
            let url = Url::parse(&markup.url).map_err(|_| PageError::Failed("it has no address"))?;
            let (method, kind, bytes) = (Method::GET, markup.kind, markup.html.into_bytes());
            let (veiled, began) = (frame.veiled, markup.began);
            return Ok(Came { method, url, status, headers, kind, bytes, veiled, began });
        }
    }

    /// Waits until a document is another than the last time.
    pub(super) async fn changed(&self, at: &At, before: &str, until: Instant) -> Result<Option<String>, PageError> {
        loop {
            match self.ask::<String>(at, scripts::CHANGES, &[]).await {
                Ok(now) if now != before => return Ok(Some(now)),
                Ok(_) | Err(PageError::Call(CallError::Refused(_))) => {}
                Err(error) => return Err(error),
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            self.rest(at).await?;
        }
    }

    /// Waits until something that a selector means is seen, or is not.
    pub(super) async fn is_seen(&self, at: &At, selector: &str, seen: bool, until: Instant) -> Result<bool, PageError> {
        loop {
            match self.ask::<bool>(at, scripts::IS_SEEN, &[selector.into()]).await {
                Ok(now) if now == seen => return Ok(true),
                Ok(_) | Err(PageError::Call(CallError::Refused(_))) => {}
                Err(error) => return Err(error),
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            self.rest(at).await?;
        }
    }

    /// Rests until a frame has another document, or for a moment; a document that did not come is an error.
    async fn rest(&self, at: &At) -> Result<(), PageError> {
        let now = self.frame(at)?;
        if let Some(error) = now.failed {
            return Err(failure(&error));
        }
        let other = self.wait(Instant::now() + LOOK, |state| {
            let frame = state.frames.get(at.frame())?;
            (frame.loader != now.loader || frame.loading != now.loading).then_some(())
        });
        other.await.map(drop)
    }

    /// Waits until no request is under way for a while.
    pub(super) async fn is_idle(&self, until: Instant) -> Result<bool, PageError> {
        loop {
            let (under_way, since) = {
                let state = self.state();
                (state.under_way(), state.busy.elapsed())
            };
            if under_way == 0 && since >= IDLE {
                return Ok(true);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let rest = if under_way == 0 { IDLE.saturating_sub(since) } else { LOOK };
            tokio::time::sleep(rest.min(left)).await;
            if self.transport().is_gone() {
                return Err(CallError::Gone.into());
            }
        }
    }

    /// The addresses of answers behind this one, as soon as there are any; none if there are none by then.
    pub(super) async fn answers_behind(&self, last: u64, until: Instant) -> Result<Vec<(u64, String)>, PageError> {
        let found = self.wait(until, |state| {
            let behind = state.answers.iter().filter(|request| request.serial > last);
            let behind: Vec<_> = behind.map(|request| (request.serial, request.url.clone())).collect();
            (!behind.is_empty()).then_some(behind)
        });
        Ok(found.await?.unwrap_or_default())
    }

    /// Takes an answer to a request of a page.
    pub(super) async fn take_answer(&self, serial: u64, bytes_max: u64) -> Result<Option<Came>, PageError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct GotBody {
            body: String,
            base64_encoded: bool,
        }
        let taken = {
            let mut state = self.state();
            let at = state.answers.iter().position(|request| request.serial == serial);
            at.and_then(|at| state.answers.remove(at))
        };
        let Some(request) = taken else { return Ok(None) };
        let asked = json!({ "requestId": request.id });
        let got: GotBody = self.transport().call(&request.session, "Network.getResponseBody", asked).await?;
        let bytes = if got.base64_encoded {
            let decoded = STANDARD.decode(got.body);
            decoded.map_err(|_| PageError::Failed("its body does not read"))?
        } else {
            got.body.into_bytes()
        };
        if bytes.len() as u64 > bytes_max {
            return Err(PageError::Large(bytes_max));
        }
        let url = Url::parse(&request.url).map_err(|_| PageError::Failed("it has no address"))?;
        let method = request.method.parse().unwrap_or(Method::GET);
        let Request { status, headers, mime: kind, .. } = request;
        Ok(Some(Came { method, url, status, headers, kind, bytes, veiled: false, began: String::new() }))
    }
}

impl Looked {
    /// How much there is to read.
    pub(super) fn bytes(&self) -> u64 {
        self.body.len() as u64
    }
}

impl HostCtx {
    /// What is to be taken out of whatever pages show, now that secrets were typed.
    fn page_echoes(&mut self) -> Result<Echoes, Fail> {
        let carried = std::mem::take(&mut self.browsing.carried);
        let own: Vec<Vec<u8>> = self.browsing.own.iter().cloned().collect();
        let echoes = self.echoes_of(&carried, &own);
        self.browsing.carried = carried;
        echoes
    }

    /// An address without secrets.
    pub(super) fn shown_url(&mut self, url: Url) -> Result<Url, Fail> {
        let echoes = self.page_echoes()?;
        self.masked(&echoes, url)
    }

    fn masked(&mut self, echoes: &Echoes, url: Url) -> Result<Url, Fail> {
        self.metered(|meter| echoes.each().try_fold(url, |url, scrub| Ok(scrub.url(&url, meter)?.unwrap_or(url))))
    }

    /// A file without secrets.
    pub(super) fn scrubbed(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, Fail> {
        let echoes = self.page_echoes()?;
        self.metered(|meter| {
            echoes.each().try_fold(bytes, |bytes, scrub| Ok(scrub.bytes(&bytes, meter)?.unwrap_or(bytes)))
        })
    }

    /// Takes out what nobody may see, and recognises what is left.
    pub(super) fn look(&mut self, came: Came) -> Result<Looked, Fail> {
        let Came { method, url: request_url, status, headers, kind, bytes, veiled, began } = came;
        let seen = Seen { origin: request_url.origin().ascii_serialization(), began };
        let echoes = self.page_echoes()?;
        let whole_url = self.masked(&echoes, request_url.clone())?;
        let url = if veiled { path_of(whole_url.clone()) } else { whole_url.clone() };
        let format = Format::of_content_type(&kind);
        // The browser hands text over as UTF-8, whatever it came in.
        let text = format.is_some() || kind.starts_with("text/");
        let charset = if text { Some("utf-8".to_owned()) } else { charset::label_of(&kind).map(str::to_owned) };
        let mut body = Body { bytes, charset, document: None, changed: false };
        if !self.scrub_given(&echoes, format, &mut body, &url)?
            && let Some(format) = format.filter(|_| !body.bytes.is_empty())
        {
            body.document = self.try_parse(format, &body.bytes, body.charset.as_deref(), &url)?;
        }
        let answered = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        self.capture(&method, &request_url, answered, &mut body)?;
        self.scrub_taken(&echoes, format, &mut body, &url)?;
        let Body { bytes, charset, document, changed } = body;
        let recognition = self.recognise(&whole_url, status, document.as_ref())?;
        let (body, as_it_came) = (Arc::new(Zeroizing::new(bytes)), echoes.is_empty() && !changed);
        let headers = header_map(headers);
        Ok(Looked { document, recognition, url, seen, status, headers, kind, body, charset, as_it_came })
    }

    /// Gives a connector what was looked at; a page that is a failure, or says one, is a fault.
    pub(super) fn give(&mut self, looked: Looked) -> Result<Resource<Parsed>, Fail> {
        let page = looked.recognition.page.as_ref().map(|page| page.as_str().to_owned());
        self.ports.tape.page(PageSeen {
            url: looked.url.to_string(),
            status: looked.status,
            page: page.clone(),
            body: looked.body.clone(),
        });
        self.remember(&looked);
        self.facts.host = None;
        self.note(&looked.recognition, looked.status, &looked.url, &looked.headers, looked.document.as_ref())?;
        let Some(document) = looked.document else {
            return Err(self.refuse(Code::ValueUnparsable, "what came is no document"));
        };
        let held = self.hold(looked.body.len() + document.approximate_bytes())?;
        let seed = looked.as_it_came.then(|| Seed {
            bytes: looked.body,
            format: document.format(),
            charset: looked.charset,
            url: Some(looked.url),
        });
        let part = document.part();
        self.keep_held(Tree::new(document, seed), part, page, held)
    }

    /// What is seen, for the tape: as the connector may see it.
    fn remember(&mut self, looked: &Looked) {
        let words = ["retry-after", "content-language"];
        let told = words
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), looked.headers.get(*name)?.to_str().ok()?.to_owned())));
        let headers = std::iter::once(("content-type".to_owned(), looked.kind.clone())).chain(told).collect();
        self.browsing.shown = Some(Exchange {
            method: Method::GET.to_string(),
            url: looked.url.to_string(),
            hops: vec![Hop { status: looked.status, headers, body: consentry_tape::Body(looked.body.clone()) }],
            page: looked.recognition.page.as_ref().map(|page| page.as_str().to_owned()),
            at_ms: self.ports.clock.now().as_millisecond(),
            ..Exchange::default()
        });
    }

    /// A page that fails while somebody waits for another.
    pub(super) fn declares(&mut self, looked: &Looked) -> Result<(), Fail> {
        if looked.recognition.failure.is_none() {
            return Ok(());
        }
        self.remember(looked);
        self.note(&looked.recognition, looked.status, &looked.url, &looked.headers, looked.document.as_ref())
    }

    /// Whether a document is of the Data Source, and may be read at all.
    pub(super) fn readable(&mut self, came: &Came) -> Result<(), Fail> {
        if let Err(error) = self.egress.check(&came.url) {
            let text = format!("the page shows what is none of the source's: {error}");
            return Err(self.refuse(Code::SourceUnavailable, text));
        }
        self.shown()
    }

    /// Whether anything of pages may be read, asked for or waited for now.
    pub(super) fn shown(&mut self) -> Result<(), Fail> {
        if self.is_withheld() {
            let text = "single characters of a secret were given to a page: nothing is shown until that is left";
            return Err(self.refuse(Code::CapabilityDenied, text));
        }
        Ok(())
    }

    pub(super) fn is_withheld(&self) -> bool {
        self.browsing.context.as_ref().is_some_and(|context| context.state().is_withheld())
    }

    /// What came of an act on a page that could not be read before it, or can't be after it. If it failed, that says something of what stands
    /// there, and ends the run.
    pub(super) fn acted<T>(&mut self, withheld: bool, came: Result<T, Fail>) -> Result<T, Fail> {
        match came {
            Err(Fail::Fault(_)) if withheld || self.is_withheld() => Err(self.unusable()),
            came => came,
        }
    }
}

/// An address without what stands behind its path.
pub(super) fn path_of(mut url: Url) -> Url {
    url.set_query(None);
    url.set_fragment(None);
    url
}

fn header_map(headers: Vec<(String, String)>) -> HeaderMap {
    let pairs = headers.into_iter().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(&value).ok()?))
    });
    pairs.collect()
}
