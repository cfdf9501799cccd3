//! The network as a port: the live one speaks HTTP to the checked addresses; a replay puts a tape in its place.
//! It follows no redirect, keeps no cookie, reads no proxy setting of the environment: all of that is decided above it.

mod dial;
pub mod gate;
mod identity;
mod live;
mod payload;
mod route;
mod tunnel;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, Method, StatusCode};
use rustls::RootCertStore;
use url::Url;

use crate::egress::EgressError;

pub use identity::{Identity, IdentityError};
pub use live::{LiveNetwork, Patience, Way};
pub use payload::{Payload, PayloadError};
pub use route::{Proxy, ProxyError, ProxyLogin, Route};
pub use tunnel::Tunnels;

/// A request as it goes out. `Debug` shows method and origin only.
pub struct Outgoing {
    /// Method.
    pub method: Method,
    /// Absolute URL, already checked by [`Egress`].
    pub url: Url,
    /// Headers, cookies among them.
    pub headers: HeaderMap,
    /// Body, if any.
    pub body: Option<Payload>,
    /// Most bytes the unpacked answer may have.
    pub body_bytes_max: u64,
    /// May go out once more where the Data Source closed a kept connection instead of answering; `GET` and `HEAD` without a body only.
    /// Never with anything that the person typed: an attempt is an attempt.
    pub repeatable: bool,
    /// Who asks, for a Data Source that wants a certificate.
    pub identity: Option<Identity>,
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
    /// The answer's head is longer than the limit, or has more fields than anybody needs.
    #[error("the head of the answer is longer than {0} bytes, or has more than {HEAD_FIELDS_MAX} fields")]
    HeadTooLarge(usize),
    /// All that came for this run, packed and framed as it was, is more than the limit.
    #[error("the source sent more than this run may receive")]
    WireBytes,
    /// The operator's proxy lets nothing through.
    #[error("no connection through the operator's proxy")]
    Proxy,
    /// Other collections have to go first: the operator's bounds for this Data Source.
    #[error("too many requests to this Data Source at the moment")]
    Busy {
        /// When it is worth another try.
        retry_after: Duration,
    },
    /// The Data Source failed so often in a row that it is left alone for a while.
    #[error("this Data Source did not answer several times in a row and is left alone for a while")]
    Resting {
        /// When it is asked again.
        retry_after: Duration,
    },
    /// The run was ended.
    #[error("the run was ended")]
    Cancelled,
}

/// Most fields in the head of an answer.
pub(crate) const HEAD_FIELDS_MAX: usize = 256;

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

    /// Trusts these roots and no others.
    ///
    /// # Errors
    /// When TLS can't be set up at all.
    pub fn trusting(roots: RootCertStore) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Self(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
    }
}

#[cfg(test)]
mod tests;
