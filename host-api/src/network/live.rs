//! The live network of one run: hyper over connections of ours. Every wait has an end, every byte is counted, and an answer that can be
//! read in two ways is not read.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::client::Resumption;
use tokio::time::{Instant, timeout, timeout_at};
use tower_http::decompression::Decompression;
use tower_service::Service as _;

use super::dial::{Allowance, Answered, Dial, DialError};
use super::payload::Late;
use super::{HEAD_FIELDS_MAX, Identity, Incoming, Network, NetworkError, Outgoing, Route, TlsSettings};
use crate::egress::{Egress, Resolver, SystemResolver};

/// How long the network waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From the request to the head of its answer, connecting included.
    pub head: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// From the request to the answer's last byte.
    pub whole: Duration,
    /// How long a body may be slower than [`Self::bytes_per_second`], counted from its head.
    pub grace: Duration,
    /// The least speed of a body, on average and unpacked.
    pub bytes_per_second: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            idle: Duration::from_secs(15),
            whole: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            bytes_per_second: 256,
        }
    }
}

/// How a run goes out.
#[derive(Clone)]
pub struct Way {
    /// Looks names up.
    pub resolver: Arc<dyn Resolver>,
    /// Proxy and source address.
    pub route: Route,
    /// How long it waits.
    pub patience: Patience,
    /// Most bytes of an answer's head.
    pub head_bytes_max: usize,
    /// Most bytes that may arrive in all, packed and framed as they are.
    pub wire_bytes_max: u64,
}

impl Default for Way {
    /// Straight out, with the defaults of the table of limits.
    fn default() -> Self {
        let limits = consentry_contract::limits::Limits::default();
        Self {
            resolver: Arc::new(SystemResolver),
            route: Route::default(),
            patience: Patience::default(),
            head_bytes_max: limits.size(consentry_contract::limits::LimitName::HeadBytes),
            wire_bytes_max: limits.wire_bytes(),
        }
    }
}

/// Connections, and how more of them are made.
#[derive(Clone)]
struct Connections {
    http: Http,
    connector: HttpsConnector<Dial>,
}

type Http = Decompression<Client<HttpsConnector<Dial>, Late>>;
type Answer = <Http as tower_service::Service<http::Request<Late>>>::Response;

/// The live network of one run: its own connections and TLS sessions, shared with no other run.
pub struct LiveNetwork {
    plain: Connections,
    tls: rustls::ClientConfig,
    /// Connections that a certificate was presented on are used for nothing else.
    identified: Mutex<Vec<(Identity, Connections)>>,
    pub(super) dial: Dial,
    agent: HeaderValue,
    patience: Patience,
    head_bytes_max: usize,
    allowance: Allowance,
}

impl std::fmt::Debug for LiveNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LiveNetwork")
    }
}

impl LiveNetwork {
    /// Straight out to what `egress` admits.
    ///
    /// # Errors
    /// When `agent` can't stand in a header.
    pub fn new(egress: &Egress, tls: &TlsSettings, agent: &str) -> Result<Self, NetworkError> {
        Self::by(Way::default(), egress, tls, agent)
    }

    /// This way to what `egress` admits.
    ///
    /// # Errors
    /// When `agent` can't stand in a header.
    pub fn by(way: Way, egress: &Egress, tls: &TlsSettings, agent: &str) -> Result<Self, NetworkError> {
        let agent = HeaderValue::from_str(agent).map_err(|_| NetworkError::Unreachable("the agent is no header"))?;
        let allowance = Allowance::new(way.wire_bytes_max);
        let dial = Dial {
            egress: egress.clone(),
            resolver: way.resolver,
            route: Arc::new(way.route),
            allowance: allowance.clone(),
            // A request of ours is counted before it goes.
            sends: Allowance::new(u64::MAX),
        };
        let mut tls = (*tls.0).clone();
        // A ticket of one run would tell the source that another is of the same engine, and keep something of it.
        tls.resumption = Resumption::in_memory_sessions(8);
        Ok(Self {
            plain: Connections::new(tls.clone(), &dial, way.head_bytes_max),
            tls,
            identified: Mutex::default(),
            dial,
            agent,
            patience: way.patience,
            head_bytes_max: way.head_bytes_max,
            allowance,
        })
    }

    async fn exchange(&self, request: Outgoing) -> Result<Incoming, NetworkError> {
        let (limit, head_only) = (request.body_bytes_max, request.method == Method::HEAD);
        let end = Instant::now() + self.patience.whole;
        let repeatable = request.repeatable && request.body.is_none() && request.method.is_safe();
        let client = self.client(request.identity.as_ref());
        let sent = self.send(client, self.request(request)?, repeatable);
        let answer = timeout(self.patience.head, sent).await.map_err(|_| NetworkError::Timeout)?;
        let (head, body) = answer?.into_parts();
        self.check_head(&head.headers)?;
        if length_of(&head.headers).is_some_and(|length| length > limit) && !head_only {
            return Err(NetworkError::TooLarge(limit));
        }
        let empty = head_only || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let body = if empty { Vec::new() } else { self.read(pin!(body), limit, end).await? };
        Ok(Incoming { status: head.status, headers: head.headers, body })
    }

    /// A source may close a kept connection at the very moment at which it is used again. What may be asked twice is then asked once more,
    /// on a connection of its own (RFC 9110, section 9.2.2; RFC 9112, section 9.3.1).
    async fn send(
        &self,
        mut client: Connections,
        request: http::Request<Late>,
        repeatable: bool,
    ) -> Result<Answer, NetworkError> {
        let again = repeatable.then(|| request.clone());
        match (client.http.call(request).await, again) {
            (Ok(mut answer), _) => {
                answer.extensions_mut().remove::<Answered>().inspect(Answered::set);
                Ok(answer)
            }
            (Err(error), Some(again)) if is_kept(&error) && broke_off(&error) => {
                let answer = http(client.connector, self.head_bytes_max).call(again).await;
                answer.map_err(|error| self.reason(&error))
            }
            (Err(error), _) => Err(self.reason(&error)),
        }
    }

    /// The connections of who asks.
    fn client(&self, identity: Option<&Identity>) -> Connections {
        let Some(identity) = identity else { return self.plain.clone() };
        let mut identified = self.identified.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = identified.iter().find(|(known, _)| known.is(identity)) {
            return known.clone();
        }
        let new = Connections::new(identity.presented(&self.tls), &self.dial, self.head_bytes_max);
        identified.push((identity.clone(), new.clone()));
        new
    }

    fn request(&self, request: Outgoing) -> Result<http::Request<Late>, NetworkError> {
        let mut built = http::Request::new(Late::new(request.body));
        *built.method_mut() = request.method;
        *built.uri_mut() =
            request.url.as_str().parse().map_err(|_| NetworkError::Unreachable("the URL can't be asked for"))?;
        *built.headers_mut() = request.headers;
        built.headers_mut().entry(USER_AGENT).or_insert_with(|| self.agent.clone());
        built.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        Ok(built)
    }

    /// What can be read in two ways, or not at all, is not read: the next answer on that connection might be somebody else's idea.
    fn check_head(&self, headers: &HeaderMap) -> Result<(), NetworkError> {
        // The client reads somewhat further than it was told, and unpacks the names of HTTP/2.
        let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if bytes > self.head_bytes_max {
            return Err(NetworkError::HeadTooLarge(self.head_bytes_max));
        }
        if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
            return Err(NetworkError::Unreachable("the answer says its length in two ways"));
        }
        // What could be unpacked was, and its header is gone.
        match headers.get(CONTENT_ENCODING) {
            Some(encoding) if encoding != "identity" => {
                Err(NetworkError::Unreachable("the answer is packed in a way that was not asked for"))
            }
            _ => Ok(()),
        }
    }

    async fn read<B>(&self, mut body: std::pin::Pin<&mut B>, limit: u64, end: Instant) -> Result<Vec<u8>, NetworkError>
    where
        B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let begun = Instant::now();
        let mut read = Vec::new();
        loop {
            let by = end.min(Instant::now() + self.patience.idle);
            let frame = match timeout_at(by, body.frame()).await.map_err(|_| NetworkError::Timeout)? {
                None => return Ok(read),
                Some(frame) => frame.map_err(|error| self.reason(&*error.into()))?,
            };
            // Trailers are nobody's headers.
            let Ok(data) = frame.into_data() else { continue };
            if (read.len() + data.len()) as u64 > limit {
                return Err(NetworkError::TooLarge(limit));
            }
            read.extend_from_slice(&data);
            let waited = begun.elapsed();
            let due = waited.saturating_sub(self.patience.grace).as_secs_f64() * self.patience.bytes_per_second as f64;
            if (read.len() as f64) < due {
                return Err(NetworkError::Timeout);
            }
        }
    }

    /// The client's own error text may hold a URL, so only its kind is kept.
    fn reason(&self, error: &(dyn std::error::Error + 'static)) -> NetworkError {
        if self.allowance.is_used_up() {
            return NetworkError::WireBytes;
        }
        let mut next = Some(error);
        while let Some(inner) = next {
            match inner.downcast_ref::<DialError>() {
                Some(DialError::Egress(egress)) => return NetworkError::Egress(egress.clone()),
                Some(DialError::Proxy) => return NetworkError::Proxy,
                Some(DialError::Unresolved) => return NetworkError::Unreachable("the name has no address"),
                Some(DialError::Unreachable) => return NetworkError::Unreachable("no connection"),
                None => {}
            }
            match inner.downcast_ref::<hyper::Error>() {
                Some(inner) if inner.is_parse_too_large() => return NetworkError::HeadTooLarge(self.head_bytes_max),
                Some(inner) if inner.is_parse() => return NetworkError::Unreachable("the answer is no HTTP"),
                _ => {}
            }
            next = inner.source();
        }
        NetworkError::Unreachable("the exchange broke off")
    }
}

impl Connections {
    fn new(tls: rustls::ClientConfig, dial: &Dial, head_bytes_max: usize) -> Self {
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions();
        let connector = connector.wrap_connector(dial.clone());
        Self { http: http(connector.clone(), head_bytes_max), connector }
    }
}

/// A client with connections of its own.
fn http(connector: HttpsConnector<Dial>, head_bytes_max: usize) -> Http {
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .http1_max_buf_size(head_bytes_max.max(8 << 10))
        .http1_max_headers(HEAD_FIELDS_MAX)
        .http2_max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX))
        .build(connector);
    Decompression::new(client)
}

/// Whether the connection had brought an answer before.
fn is_kept(error: &legacy::Error) -> bool {
    let mut about = http::Extensions::new();
    error.connect_info().inspect(|info| info.get_extras(&mut about));
    about.get::<Answered>().is_some_and(Answered::is_set)
}

/// Whether the other side hung up, and did nothing else that is wrong.
fn broke_off(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    let gone = [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof];
    let mut next = Some(error);
    while let Some(inner) = next {
        if inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message)
            || inner.downcast_ref::<std::io::Error>().is_some_and(|error| gone.contains(&error.kind()))
        {
            return true;
        }
        next = inner.source();
    }
    false
}

fn length_of(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[async_trait]
impl Network for LiveNetwork {
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, NetworkError> {
        let whole = self.patience.whole;
        timeout(whole, self.exchange(request)).await.unwrap_or(Err(NetworkError::Timeout))
    }
}
