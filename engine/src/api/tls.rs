//! TLS of the HTTP interface, ended here: the operator's certificate, and certificates of components, by which one part of a platform
//! knows another. The files are read again when they have changed, with the next connection, so that a renewal needs no restart; what
//! does not fit is not taken, and the old certificate goes on.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::spawn_blocking;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_cert::der::Decode as _;
use x509_cert::time::Time;

use crate::clock::{Clock as _, SystemClock};
use crate::jose::{JwkError, rsa_of_some_size};
use crate::secret_file;

/// Least time between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);

/// Where certificates and keys stand, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then those between it and a root.
    pub certificate: PathBuf,
    /// Its private key, readable by the engine alone.
    pub private_key: PathBuf,
    /// Who signs the certificates of components.
    pub components_ca: Option<PathBuf>,
}

/// What is wrong with them. It never says anything about a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read.
    #[error("{} can't be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is something else.
    #[error("{} holds no {what} in PEM", path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
    },
    /// Network exchanges are protected by RSA of this size, whatever else would do.
    #[error("the key of {} is not RSA of at least 4096 bits", path.display())]
    Key {
        /// Which certificate.
        path: PathBuf,
        /// What it is.
        source: JwkError,
    },
    /// Who asks would refuse it.
    #[error("the certificate in {} is good from {from} to {until}, and not now", path.display())]
    NotNow {
        /// Which.
        path: PathBuf,
        /// Its first moment.
        from: Timestamp,
        /// Its last one.
        until: Timestamp,
    },
    /// The two files are not of one pair, or the chain is not one.
    #[error("certificate and private key can't be used together")]
    Pair(#[source] rustls::Error),
    /// No component can be known by it.
    #[error("{} can't be asked who a component is", path.display())]
    Components {
        /// Which.
        path: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
}

/// A part of the platform that showed a certificate of the operator's: its first name in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component(String);

/// A request came over TLS, and from which component, if from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OverTls(pub(super) Option<Component>);

impl Component {
    #[cfg(test)]
    pub(super) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// TLS with certificates that may be renewed.
pub struct Tls {
    files: TlsFiles,
    current: RwLock<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    versions: Vec<Option<Version>>,
    looked_at: Instant,
}

/// Tells one version of a file from the next: by its content, and by who may read it, since one that could not be taken may be allowed later.
type Version = (u64, u64, [i64; 4]);

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        // Before they are read: a change in between is seen by the next look.
        let versions = files.versions();
        let config = files.read()?;
        if let Err(error) = files.check_time() {
            // A node that does not start erases nothing: it says what is wrong, and does what it can.
            tracing::error!(%error, "whoever connects will refuse this node");
        }
        let current = RwLock::new(Current { config, versions, looked_at: Instant::now() });
        Ok(Self { files, current })
    }

    /// Shakes hands, with the certificate as the files have it.
    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        self: &Arc<Self>,
        stream: S,
    ) -> io::Result<(TlsStream<S>, Option<Component>)> {
        if self.is_due() {
            let tls = self.clone();
            spawn_blocking(move || tls.look()).await.map_err(io::Error::other)?;
        }
        let config = self.current.read().unwrap_or_else(PoisonError::into_inner).config.clone();
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        let component = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).and_then(named);
        Ok((stream, component))
    }

    fn is_due(&self) -> bool {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.looked_at.elapsed() >= LOOK
    }

    /// Takes the files up if they have changed.
    fn look(&self) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.looked_at = Instant::now();
        let versions = self.files.versions();
        if current.versions == versions {
            return;
        }
        current.versions = versions;
        match self.files.check_time().and_then(|()| self.files.read()) {
            Ok(config) => {
                current.config = config;
                tracing::info!("the certificate was renewed");
            }
            Err(error) => {
                let error = crate::causes::chain(&error);
                tracing::error!(error, "the new certificate is not taken: the old one goes on");
            }
        }
    }
}

/// The name in a certificate that was checked.
fn named(certificate: &CertificateDer<'_>) -> Option<Component> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    certificate.valid_dns_names().next().map(|name| Component(name.to_owned()))
}

impl TlsFiles {
    fn versions(&self) -> Vec<Option<Version>> {
        let version = |file: Metadata| {
            let times = [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()];
            (file.ino(), file.len(), times)
        };
        let paths = [&self.certificate, &self.private_key].into_iter().chain(&self.components_ca);
        paths.map(|path| fs::metadata(path).ok().map(version)).collect()
    }

    fn read(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let chain = certificates(&self.certificate)?;
        self.check_size(&chain)?;
        let key = secret_file::read_private(&self.private_key).map_err(unreadable(&self.private_key))?;
        let key = PrivateKeyDer::from_pem_slice(&key)
            .map_err(|_| TlsError::Form { path: self.private_key.clone(), what: "private key" })?;
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().map_err(TlsError::Pair)?;
        let builder = match &self.components_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(certificates(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                // Persons and Online Services have none.
                let verifier = verifier.allow_unauthenticated().build();
                let wrong = |source| TlsError::Components { path: path.clone(), source };
                builder.with_client_cert_verifier(verifier.map_err(wrong)?)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Whether the certificate is good by the clock of this machine, as whoever connects will ask by theirs.
    fn check_time(&self) -> Result<(), TlsError> {
        let form = || TlsError::Form { path: self.certificate.clone(), what: "certificate" };
        let chain = certificates(&self.certificate)?;
        let first = chain.first().and_then(|first| x509_cert::Certificate::from_der(first).ok()).ok_or_else(form)?;
        let validity = first.tbs_certificate.validity;
        let at = |time: Time| Timestamp::UNIX_EPOCH.checked_add(time.to_unix_duration()).map_err(|_| form());
        let (from, until) = (at(validity.not_before)?, at(validity.not_after)?);
        let now = SystemClock.now();
        if from <= now && now <= until {
            Ok(())
        } else {
            Err(TlsError::NotNow { path: self.certificate.clone(), from, until })
        }
    }

    fn check_size(&self, chain: &[CertificateDer<'_>]) -> Result<(), TlsError> {
        let first = chain.first().and_then(|certificate| ParsedCertificate::try_from(certificate).ok());
        let path = &self.certificate;
        let first = first.ok_or_else(|| TlsError::Form { path: path.clone(), what: "certificate" })?;
        rsa_of_some_size(&first.subject_public_key_info())
            .map_err(|source| TlsError::Key { path: path.clone(), source })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = fs::read(path).map_err(unreadable(path))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let none = || TlsError::Form { path: path.to_owned(), what: "certificate" };
    read.ok().filter(|read| !read.is_empty()).ok_or_else(none)
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> TlsError {
    move |source| TlsError::Unreadable { path: path.to_owned(), source }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}
