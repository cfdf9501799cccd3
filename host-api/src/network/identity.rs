//! Who the operator is to a Data Source, in TLS: a certificate and its private key, presented on the connections of those requests that a sink of
//! the manifest allows it for, and on no other.

use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

/// Sessions of one run that are kept for another connection of the same.
const SESSIONS: usize = 8;

/// A certificate with its key. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

/// What was given is no identity; never says more of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a client identity is PEM: the certificate, those between it and a root, and its private key")]
pub struct IdentityError;

impl Identity {
    /// Reads the certificate, those between it and a root, and the private key, in PEM and in any order.
    ///
    /// # Errors
    /// If one is missing, or the key is another certificate's.
    pub fn from_pem(pem: &[u8]) -> Result<Self, IdentityError> {
        let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|_| IdentityError)?;
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| IdentityError)?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|_| IdentityError)?;
        Ok(Self(Arc::new(certified)))
    }

    /// These settings, with the certificate for who asks for one. Sessions are its own: one that was resumed would be the operator's, too.
    pub(super) fn presented(&self, tls: &ClientConfig) -> ClientConfig {
        let mut tls = tls.clone();
        tls.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(self.0.clone()));
        tls.resumption = Resumption::in_memory_sessions(SESSIONS);
        tls
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}
