//! The network as a port: the live one speaks HTTP to the checked addresses; a replay puts a tape in its place.
//! It follows no redirect, keeps no cookie, reads no proxy setting of the environment: all of that is decided above it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, Method, StatusCode};
use url::Url;
use zeroize::Zeroizing;

use crate::egress::{CheckedResolver, Egress, EgressError};

/// A request as it goes out. The body may hold a secret, so it wipes itself; `Debug` shows method and origin only.
pub struct Outgoing {
    /// Method.
    pub method: Method,
    /// Absolute URL, already checked by [`Egress`].
    pub url: Url,
    /// Headers, cookies among them.
    pub headers: HeaderMap,
    /// Body, if any.
    pub body: Option<Zeroizing<Vec<u8>>>,
    /// Most bytes the unpacked answer may have.
    pub body_bytes_max: u64,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({} {})", self.method, self.url.origin().ascii_serialization())
    }
}

/// An answer as it came in, nothing cut out of it yet.
pub struct Incoming {
    /// Status.
    pub status: StatusCode,
    /// Headers, `set-cookie` among them.
    pub headers: HeaderMap,
    /// Unpacked body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Incoming({}, {} bytes)", self.status, self.body.len())
    }
}

/// Why no answer came. Texts hold no URL: paths and queries may carry values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The address was refused.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// No connection, or it broke.
    #[error("no answer from the source: {0}")]
    Unreachable(&'static str),
    /// The source took too long.
    #[error("the source did not answer in time")]
    Timeout,
    /// The answer is longer than the limit.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(u64),
    /// The run was ended.
    #[error("the run was ended")]
    Cancelled,
}

/// Fetches one answer.
#[async_trait]
pub trait Network: Send + Sync {
    /// One request, one answer.
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, NetworkError>;
}

/// TLS settings shared by every run: the machine's trust roots, TLS 1.2 and 1.3, aws-lc-rs.
#[derive(Clone)]
pub struct TlsSettings(Arc<rustls::ClientConfig>);

impl std::fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsSettings")
    }
}

impl TlsSettings {
    /// Reads the machine's trust roots once for the whole process.
    ///
    /// # Errors
    /// When the roots can't be read.
    pub fn of_this_machine() -> Result<Self, rustls::Error> {
        use rustls_platform_verifier::BuilderVerifierExt;
        static READ: OnceLock<TlsSettings> = OnceLock::new();
        if let Some(read) = READ.get() {
            return Ok(read.clone());
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_platform_verifier()?
            .with_no_client_auth();
        Ok(READ.get_or_init(|| Self(Arc::new(config))).clone())
    }
}

/// The live network of one run: its own connections, shared with no other run.
#[derive(Debug)]
pub struct LiveNetwork {
    client: reqwest::Client,
}

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait between two pieces of an answer.
const BETWEEN_READS: Duration = Duration::from_secs(30);
/// Longest time from request to the answer's last byte.
const WHOLE: Duration = Duration::from_secs(60);

impl LiveNetwork {
    /// # Errors
    /// When the HTTP client can't be built.
    pub fn new(egress: &Egress, tls: &TlsSettings, agent: &str) -> Result<Self, NetworkError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured((*tls.0).clone())
            .dns_resolver(CheckedResolver(egress.clone()))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(agent)
            .connect_timeout(CONNECT)
            .read_timeout(BETWEEN_READS)
            .timeout(WHOLE)
            .build()
            .map_err(|_| NetworkError::Unreachable("the HTTP client could not be built"))?;
        Ok(Self { client })
    }
}

#[async_trait]
impl Network for LiveNetwork {
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, NetworkError> {
        let limit = request.body_bytes_max;
        let mut builder = self.client.request(request.method, request.url).headers(request.headers);
        if let Some(body) = request.body {
            // The client takes ownership and frees without wiping: the allocator does that.
            builder = builder.body(body.to_vec());
        }
        let mut answer = builder.send().await.map_err(|error| reason(&error))?;
        if answer.content_length().is_some_and(|length| length > limit) {
            return Err(NetworkError::TooLarge(limit));
        }
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| reason(&error))? {
            if (body.len() + chunk.len()) as u64 > limit {
                return Err(NetworkError::TooLarge(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Incoming { status, headers, body })
    }
}

/// The client's own error text holds the URL, so only its kind is kept.
fn reason(error: &reqwest::Error) -> NetworkError {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(egress) = inner.downcast_ref::<EgressError>() {
            return NetworkError::Egress(egress.clone());
        }
        source = inner.source();
    }
    if error.is_timeout() {
        NetworkError::Timeout
    } else if error.is_connect() {
        NetworkError::Unreachable("no connection")
    } else if error.is_body() || error.is_decode() {
        NetworkError::Unreachable("the answer broke off or could not be unpacked")
    } else {
        NetworkError::Unreachable("the exchange broke off")
    }
}
