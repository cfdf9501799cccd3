//! http: one client and one cookie jar for each run. `plan` turns a connector's request into bytes, `flight` sends it and follows
//! redirects, `carried` takes the secrets of a request out of its answer, `answer` cuts captured ones out, recognises the page and keeps
//! what the connector may ask of it.

pub(crate) mod answer;
pub(crate) mod capture;
pub(crate) mod carried;
mod flight;
mod jar;
mod names;
mod plan;

use std::time::Duration;

use consentry_contract::failure::Code;
use consentry_contract::limits::LimitName;
use consentry_contract::recipe::{Leaf, LeafKind, Piece};
use consentry_tape::{Event, Exchange};
use url::Url;
use wasmtime::component::Resource;

pub use answer::Response;
pub use jar::Jar;
pub use plan::Request;

use carried::Carried;
use flight::{Flight, FlightError, Landed, Passed};

use crate::bindings::consentry::connector::credentials as guest;
use crate::bindings::consentry::connector::http as wit;
use crate::bindings::consentry::connector::types::Fault;
use crate::blob::Blob;
use crate::credentials::Handle;
use crate::ctx::HostCtx;
use crate::document::Parsed;
use crate::fault::Fail;
use crate::hop;
use crate::network::{NetworkError, Outgoing};

const NAME: &str = "http";
/// What a part of a request costs besides its text.
const PART_BYTES: u64 = 64;

/// A request that is under way: what its answer is looked at with.
#[derive(Default)]
struct Sent {
    method: String,
    /// Without what is secret.
    url: String,
    places: Vec<String>,
    passed: Passed,
    carried: Option<Carried>,
}

impl Sent {
    /// What the tape says of the request and of the answers that redirected it.
    fn exchange(&mut self, now: jiff::Timestamp) -> Exchange {
        let (method, url) = (std::mem::take(&mut self.method), std::mem::take(&mut self.url));
        let (secrets, hops) = (std::mem::take(&mut self.places), self.passed.take());
        Exchange { method, url, secrets, hops, at_ms: now.as_millisecond(), ..Exchange::default() }
    }
}

/// Longest wait for the answer to a logout.
const LOGOUT: Duration = Duration::from_secs(5);

impl HostCtx {
    /// Sends the manifest's logout, if a login went out: a source may keep a session that the connector never got to use. The source's
    /// answer changes nothing any more, so nobody waits for it but the run's tracker.
    pub fn log_out(&self) {
        // A session that is kept for the next run goes on.
        if self.state.keeps_session() {
            return;
        }
        let Some((method, url)) = self.plan.logout().filter(|_| self.facts.login_submitted) else { return };
        if method == "GET" && self.log_out_in_browser(&url, LOGOUT) {
            return;
        }
        let Ok(method) = method.parse() else { return };
        let mut headers = ::http::HeaderMap::new();
        headers.extend(self.jar.header(&url).map(|cookie| (::http::header::COOKIE, cookie)));
        let body_bytes_max = self.budget.limits().of(LimitName::AnswerBytes);
        let request = Outgoing { method, url, headers, body: None, body_bytes_max, repeatable: true, identity: None };
        let network = self.ports.network.clone();
        // A source that does not answer keeps its session until it ends by itself.
        let answer = async move { tokio::time::timeout(LOGOUT, network.fetch(request)).await.map(drop) };
        drop(self.ports.io.spawn(self.hops.track_future(answer)));
    }

    fn edit(
        &mut self,
        function: &'static str,
        this: &Resource<Request>,
        name: String,
        pieces: Vec<guest::Piece>,
        put: impl FnOnce(&mut Request, String, Vec<Piece>),
    ) -> wasmtime::Result<()> {
        self.enter_infallible(NAME, function)?;
        let pieces = self.pieces(pieces).map_err(|fail| match fail {
            Fail::Stop(error) => error,
            Fail::Fault(_) => ended(),
        })?;
        let size = |piece: &Piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Bytes(bytes) => bytes.len(),
            Piece::Secret(..) => 0,
        };
        let held = self.write(name.len() + pieces.iter().map(size).sum::<usize>())?;
        let request = self.table.get_mut(this)?;
        request.held += held;
        put(request, name, pieces);
        Ok(())
    }

    /// What a connector writes into requests counts from then on: it may never send them.
    fn write(&mut self, bytes: usize) -> wasmtime::Result<u64> {
        let held = bytes as u64 + PART_BYTES;
        match self.spend(LimitName::BytesOut, held) {
            Err(Fail::Stop(error)) => Err(error),
            _ => Ok(held),
        }
    }

    fn take_off(&mut self, request: Resource<Request>) -> Result<(Sent, Flight), Fail> {
        let request = self.table.delete(request)?;
        self.budget.give_back(LimitName::BytesOut, request.held);
        self.spend(LimitName::Requests, 1)?;
        let (flight, carried, places) = self.plan(request)?;
        let (method, url, passed) = (flight.method.to_string(), flight.shown.to_string(), flight.passed.clone());
        Ok((Sent { method, url, places, passed, carried }, flight))
    }

    /// Merges what came back into the run, in the order in which the connector asked.
    fn land(&mut self, mut sent: Sent, landed: Result<Landed, FlightError>) -> Result<Resource<Response>, Fail> {
        // What is known of a page is of the answer before.
        self.facts.left_page();
        match landed {
            Ok(landed) => {
                self.facts.host = None;
                self.spend(LimitName::Requests, landed.requests - 1)?;
                // What repeats a secret counts without it, or its length could be tried out; what came over the wire counts as it is.
                let hidden = sent.carried.is_some();
                self.spend(LimitName::BytesIn, if hidden { 0 } else { landed.bytes_in })?;
                let exchange = sent.exchange(self.ports.clock.now());
                let response = self.answer(landed, sent.carried, exchange)?;
                self.spend(LimitName::BytesIn, if hidden { response.body().len() as u64 } else { 0 })?;
                Ok(self.table.push(response)?)
            }
            Err(error) => Err(self.no_answer(sent, &error)),
        }
    }

    /// Says no for a while: the connector, and whoever reads of the failure, learn when another try makes sense.
    fn refuse_until(&mut self, code: Code, reason: String, retry_after: Duration) -> Fail {
        let wait = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
        self.facts.retry_after_ms = Some(wait);
        match self.refuse(code, reason) {
            Fail::Fault(fault) => {
                Fail::Fault(Fault { retry_after_ms: Some(u32::try_from(wait).unwrap_or(u32::MAX)), ..fault })
            }
            stop => stop,
        }
    }

    fn no_answer(&mut self, mut sent: Sent, error: &FlightError) -> Fail {
        let mut exchange = sent.exchange(self.ports.clock.now());
        let reason = match self.scrub_failed(error.to_string(), &mut exchange.hops, sent.carried) {
            Ok(reason) => reason,
            Err(fail) => return fail,
        };
        exchange.failure = Some(error.name().to_owned());
        self.ports.tape.outside(Event::Http(exchange));
        let code = match error {
            // The smaller of two limits was the bound.
            FlightError::Network(NetworkError::TooLarge(max)) => {
                let whole = *max < self.budget.limits().of(LimitName::AnswerBytes);
                self.reached(if whole { LimitName::BytesIn } else { LimitName::AnswerBytes });
                return Fail::stop();
            }
            FlightError::Network(NetworkError::HeadTooLarge(_)) => {
                self.reached(LimitName::HeadBytes);
                return Fail::stop();
            }
            FlightError::Network(NetworkError::WireBytes) => {
                self.reached(LimitName::BytesIn);
                return Fail::stop();
            }
            FlightError::TooManyRedirects => {
                let few = self.budget.left(LimitName::Requests) < self.budget.limits().of(LimitName::Redirects);
                self.reached(if few { LimitName::Requests } else { LimitName::Redirects });
                return Fail::stop();
            }
            FlightError::Network(NetworkError::Cancelled) => return Fail::stop(),
            FlightError::Network(NetworkError::Egress(_) | NetworkError::Proxy) => Code::EgressFailed,
            FlightError::Network(NetworkError::Busy { retry_after }) => {
                return self.refuse_until(Code::RateLimited, reason, *retry_after);
            }
            FlightError::Network(NetworkError::Resting { retry_after }) => {
                return self.refuse_until(Code::SourceUnavailable, reason, *retry_after);
            }
            // Where a redirect leads is the source's doing; the reason tells the author which line of the manifest would allow it.
            FlightError::Network(_) | FlightError::Redirect(_) | FlightError::SecretRedirect => Code::SourceUnavailable,
            FlightError::ForeignState => Code::InvariantBroken,
        };
        self.refuse(code, reason)
    }
}

impl wit::Host for HostCtx {
    async fn send(&mut self, request: Resource<Request>) -> Result<Resource<Response>, Fail> {
        self.enter(NAME, "send")?;
        let (sent, flight) = self.take_off(request)?;
        let landed = hop::hop(self, flight.fly()).await?;
        self.land(sent, landed)
    }

    async fn send_all(
        &mut self,
        requests: Vec<Resource<Request>>,
    ) -> wasmtime::Result<Vec<Result<Resource<Response>, Fault>>> {
        use crate::bindings::consentry::connector::types::Host as _;
        self.enter_infallible(NAME, "send-all")?;
        let at_once = self.budget.limits().size(LimitName::RequestsAtOnce).max(1);
        let mut answers = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter().peekable();
        while requests.peek().is_some() {
            let planned: Vec<_> = requests.by_ref().take(at_once).map(|request| self.take_off(request)).collect();
            let (mut under_way, mut flights) = (Vec::new(), Vec::new());
            for plan in planned {
                match plan {
                    Ok((sent, flight)) => {
                        flights.push(flight.fly());
                        under_way.push(Ok(sent));
                    }
                    Err(fail) => under_way.push(Err(self.convert_fault(fail)?)),
                }
            }
            let landed = hop::hop(self, futures_util::future::join_all(flights)).await;
            let mut landed = landed.map_err(|fail| self.convert_fault(fail).err().unwrap_or_else(ended))?.into_iter();
            for sent in under_way {
                answers.push(match sent {
                    Ok(sent) => {
                        let Some(landed) = landed.next() else { return Err(ended()) };
                        match self.land(sent, landed) {
                            Ok(response) => Ok(response),
                            Err(fail) => Err(self.convert_fault(fail)?),
                        }
                    }
                    Err(fault) => Err(fault),
                });
            }
        }
        Ok(answers)
    }

    fn cookie(&mut self, url: String, name: String) -> wasmtime::Result<Option<Resource<Handle>>> {
        self.enter_infallible(NAME, "cookie")?;
        let Ok(url) = Url::parse(&url) else { return Ok(None) };
        let Some(value) = self.jar.value(&url, &name) else { return Ok(None) };
        let leaf = Leaf::new(LeafKind::Cookie, &name);
        self.vault.put(leaf.clone(), value)?;
        self.handle_if_held(leaf)
    }
}

fn ended() -> wasmtime::Error {
    wasmtime::Error::new(crate::fault::Stopped)
}

impl wit::HostRequest for HostCtx {
    fn new(&mut self, method: String, url: String) -> wasmtime::Result<Resource<Request>> {
        self.enter_infallible(NAME, "request")?;
        let held = self.write(method.len() + url.len())?;
        Ok(self.table.push(Request { method, url, held, ..Request::default() })?)
    }

    fn query(&mut self, this: Resource<Request>, name: String, value: Vec<guest::Piece>) -> wasmtime::Result<()> {
        self.edit("request.query", &this, name, value, |request, name, pieces| request.query.push((name, pieces)))
    }

    fn header(&mut self, this: Resource<Request>, name: String, value: Vec<guest::Piece>) -> wasmtime::Result<()> {
        self.edit("request.header", &this, name, value, |request, name, pieces| request.headers.push((name, pieces)))
    }

    fn field(&mut self, this: Resource<Request>, name: String, value: Vec<guest::Piece>) -> wasmtime::Result<()> {
        self.edit("request.field", &this, name, value, |request, name, pieces| request.fields.push((name, pieces)))
    }

    fn body(&mut self, this: Resource<Request>, kind: String, data: Vec<guest::Piece>) -> wasmtime::Result<()> {
        self.edit("request.body", &this, kind, data, |request, kind, pieces| request.body = Some((kind, pieces)))
    }

    fn set(&mut self, this: Resource<Request>, name: String, value: String) -> wasmtime::Result<()> {
        self.enter_infallible(NAME, "request.set")?;
        let held = self.write(name.len() + value.len())?;
        let request = self.table.get_mut(&this)?;
        request.held += held;
        request.options.insert(name, value);
        Ok(())
    }

    fn drop(&mut self, this: Resource<Request>) -> wasmtime::Result<()> {
        let request = self.table.delete(this)?;
        self.budget.give_back(LimitName::BytesOut, request.held);
        Ok(())
    }
}

impl wit::HostResponse for HostCtx {
    fn status(&mut self, this: Resource<Response>) -> wasmtime::Result<u16> {
        self.enter_infallible(NAME, "response.status")?;
        Ok(self.table.get(&this)?.status())
    }

    fn url(&mut self, this: Resource<Response>) -> wasmtime::Result<String> {
        self.enter_infallible(NAME, "response.url")?;
        Ok(self.table.get(&this)?.url().to_owned())
    }

    fn page(&mut self, this: Resource<Response>) -> wasmtime::Result<Option<String>> {
        self.enter_infallible(NAME, "response.page")?;
        Ok(self.table.get(&this)?.page().map(str::to_owned))
    }

    fn header(&mut self, this: Resource<Response>, name: String) -> wasmtime::Result<Vec<String>> {
        self.enter_infallible(NAME, "response.header")?;
        Ok(self.table.get(&this)?.header(&name))
    }

    fn document(&mut self, this: Resource<Response>, format: Option<String>) -> Result<Resource<Parsed>, Fail> {
        self.enter(NAME, "response.document")?;
        self.document_of(&this, format.as_deref())
    }

    fn blob(&mut self, this: Resource<Response>) -> Result<Resource<Blob>, Fail> {
        self.enter(NAME, "response.blob")?;
        let response = self.table.get(&this)?;
        let (body, held) = (response.body(), response.held());
        self.spend(LimitName::BlobBytes, body.len() as u64)?;
        Ok(self.table.push(Blob(body, held))?)
    }

    fn captured(&mut self, _: Resource<Response>, name: String) -> wasmtime::Result<Option<Resource<Handle>>> {
        self.enter_infallible(NAME, "response.captured")?;
        self.handle_if_held(Leaf::new(LeafKind::Captured, &name))
    }

    fn drop(&mut self, this: Resource<Response>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
