//! The sections of a configuration: what may stand in each, and what each means for the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use consentry_contract::manifest;
use consentry_host_api::network::gate::GateBounds;
use consentry_host_api::network::{Proxy, ProxyLogin, Route};
use serde::Deserialize;
use url::Url;

use super::{Config, ConfigError, read_text, value};
use crate::api::tls::TlsFiles;
use crate::data::Category;
use crate::id::OnlineServiceId;
use crate::jose::{Algorithm, PublicKey, RecipientKey};
use crate::online_service::commitment::Commitment;
use crate::online_service::necessity::Need;
use crate::online_service::{Identity, KeyHash, Localised, OnlineService, Partner, Purpose, Registration, Role};
use crate::predicate::Kind;

/// This node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EngineSection {
    /// Its name in records: which node used a grant.
    pub node: String,
    /// Where store, keys and ledger live.
    pub data_folder: PathBuf,
    /// Allows http and loopback towards Data Sources and Online Services. Never in production.
    pub development: bool,
    /// How long a planned stop waits for collections and reviews under way before it ends them. None by itself.
    #[serde(default)]
    pub drain_seconds: u64,
}

/// The HTTP API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ApiSection {
    /// Where it listens: on loopback only, unless there is a certificate.
    pub listen: SocketAddr,
    /// The certificate in PEM, with those between it and a root. Its key is RSA of 4096 bits at least.
    pub certificate_file: Option<PathBuf>,
    /// Its private key in PEM, readable by the engine alone.
    pub private_key_file: Option<PathBuf>,
    /// Who signs the certificates of components, in PEM.
    pub components_ca_file: Option<PathBuf>,
    /// Its address as others see it.
    pub public_url: Url,
    /// Open sessions at once; more are refused with 503.
    pub sessions_max: usize,
    /// Open sessions of one Online Service at once; more are refused with 429. As many ended ones are kept for their receipts.
    pub sessions_per_online_service_max: usize,
    /// Requests of one caller in a minute; more are refused with 429. A network without a key may send five times as many.
    #[serde(default = "requests_per_minute_max")]
    pub requests_per_minute_max: u32,
    /// Proxies in front of it whose `x-forwarded-for` is believed. What it says is for Data Sources that must be told where the person is.
    #[serde(default)]
    pub trusted_proxies: Vec<IpAddr>,
}

/// The engine's own keys: in software, or in a token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeysSection {
    /// A file that holds the passphrase of the software keys, readable by the engine alone.
    pub passphrase_file: Option<PathBuf>,
    /// The PKCS#11 module of the token.
    pub pkcs11_module: Option<PathBuf>,
    /// The token's label.
    pub token: Option<String>,
    /// A file that holds the PIN of the token's user, readable by the engine alone.
    pub pin_file: Option<PathBuf>,
}

/// Where the keys of a node stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysPlace<'a> {
    /// In an encrypted file.
    File {
        /// The file that holds the passphrase.
        passphrase: &'a Path,
    },
    /// In a token.
    Token {
        /// The PKCS#11 module.
        module: &'a Path,
        /// The token's label.
        token: &'a str,
        /// The file that holds the PIN.
        pin: &'a Path,
    },
}

/// The connectors.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConnectorsSection {
    /// The folder of `*.wasm` files.
    pub folder: PathBuf,
    /// Serves what nobody known has signed, without approval. In development only.
    #[serde(default)]
    pub unsigned: bool,
    /// Whose signatures are accepted.
    #[serde(default)]
    pub trusted_key: Vec<TrustedKeySection>,
}

/// A key that signs connectors.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrustedKeySection {
    /// Who answers for what it signs.
    pub owner: String,
    /// The public key: the line that begins with RW.
    pub key: String,
}

/// The sandbox.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SandboxSection {
    /// Collections at once, those that wait for a person included.
    pub concurrent_runs_max: u32,
    /// Threads that connectors run on.
    pub guest_threads: usize,
}

/// What one Data Source is asked for at most, by all collections of this node together; what is not set here has the value of the
/// documented example.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EgressSection {
    /// Requests under way at once; others wait for their turn, for half a minute at most.
    pub requests_at_once_max: Option<u32>,
    /// Requests in a minute; a sixth of them may go at once.
    pub requests_per_minute_max: Option<u32>,
    /// Requests without an answer, one after the other, before the Data Source is left alone.
    pub failures_in_a_row_max: Option<u32>,
    /// How long it is left alone before one request looks whether it answers again.
    pub rest_seconds: Option<u64>,
}

/// How events are told to Online Services.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EventsSection {
    /// How long one attempt may take.
    pub timeout_seconds: u64,
}

/// What the operator sets for one Data Source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SourceSection {
    /// The connector's id.
    pub connector: String,
    /// The Data Source's id in the connector's manifest.
    pub id: String,
    /// Another base address than the manifest's, in development.
    pub base: Option<Url>,
    /// The one version that serves it, by number or digest; without it the highest that may run.
    pub version: Option<String>,
    /// The operator's own secrets towards it: name in the manifest, and the file that holds it.
    #[serde(default)]
    pub secret_files: BTreeMap<String, PathBuf>,
    /// The proxy it is reached through, `http://HOST:PORT` (CONNECT) or `socks5://HOST:PORT`. It is told addresses that were checked here,
    /// never names, and TLS goes through it to the Data Source.
    pub proxy: Option<Url>,
    /// A file that holds `NAME:PASSWORD` for the proxy.
    pub proxy_login_file: Option<PathBuf>,
    /// The address of this machine that connections to it start at.
    pub source_address: Option<IpAddr>,
    /// What it is asked for at most, where that is another than for all.
    #[serde(default)]
    pub egress: EgressSection,
}

/// Anonymity towards Online Services, and its end.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AnonymitySection {
    /// The authority's public key: a file with one JWK, RSA-4096 at least. Its private half is offline, with an ethics committee for example.
    pub authority_key_file: Option<PathBuf>,
}

/// The operator's own privacy policy. Its digest is in every notice.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PolicySection {
    /// The text in English.
    pub en: PathBuf,
    /// The text in French.
    pub fr: PathBuf,
}

/// An Online Service.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OnlineServiceSection {
    /// Its id, `osv_` and 26 letters and digits; `consentry keys id` makes one.
    pub id: OnlineServiceId,
    /// Its name, as a person knows it.
    pub name: String,
    /// Where a person reaches it.
    pub contact: String,
    /// Who it is in law.
    pub identity: Identity,
    /// Its machines: those that `events` and `callbacks` may name.
    pub hosts: Vec<String>,
    /// Its public key that signs its answers: a file with one JWK, RSA-4096 at least.
    pub signing_key_file: Option<PathBuf>,
    /// The code of trust, signed with that key; `consentry commit` signs it. Without it its key to the API works for nothing.
    pub commitments_file: Option<PathBuf>,
    /// Who decides about the data.
    pub role: Role,
    /// Its public key: a file with one JWK, RSA-4096 at least.
    pub key_file: PathBuf,
    /// Where thin events go.
    pub events: Option<Url>,
    /// Below which addresses a person may be sent back.
    #[serde(default)]
    pub callbacks: Vec<Url>,
    /// In development only: the SHA-256 of a bearer key, in hexadecimal; `consentry keys bearer` makes both.
    pub bearer_sha256: Option<String>,
    /// Its purposes.
    pub purpose: Vec<PurposeSection>,
}

/// A purpose.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PurposeSection {
    /// Its id in requests.
    pub id: String,
    /// Why, in words for the person.
    pub why: Localised,
    /// What the Online Service needs to know for that: what none of it explains can't be asked for.
    pub needs: BTreeSet<Need>,
    /// How long the Online Service keeps what it receives.
    pub keep_days: u16,
    /// The most history it may ask for.
    pub history_days_max: Option<u16>,
    /// Each category it may ask for, and why.
    #[serde(default)]
    pub categories: BTreeMap<Category, Localised>,
    /// Each kind of question that is answered here, and why.
    #[serde(default)]
    pub predicates: BTreeMap<Kind, Localised>,
    /// Why it needs what transactions say of other people; without it that is cut out.
    pub third_parties: Option<Localised>,
}

fn requests_per_minute_max() -> u32 {
    1200
}

impl ApiSection {
    /// The certificate and what belongs to it; none for plain HTTP.
    ///
    /// # Errors
    /// One without the other, or plain HTTP for other machines.
    pub fn tls(&self) -> Result<Option<TlsFiles>, ConfigError> {
        match (&self.certificate_file, &self.private_key_file, &self.components_ca_file) {
            (Some(certificate), Some(private_key), components_ca) => Ok(Some(TlsFiles {
                certificate: certificate.clone(),
                private_key: private_key.clone(),
                components_ca: components_ca.clone(),
            })),
            (None, None, None) if self.listen.ip().is_loopback() => Ok(None),
            (None, None, None) => {
                let problem = "plain HTTP is served to this machine only: name certificate-file and private-key-file, or listen on \
                               127.0.0.1 behind a TLS proxy";
                Err(value("api.listen", problem))
            }
            _ => Err(value("api.certificate-file", "certificate-file and private-key-file belong together")),
        }
    }
}

impl KeysSection {
    /// Where the keys stand.
    ///
    /// # Errors
    /// Neither or both are named.
    pub fn place(&self) -> Result<KeysPlace<'_>, ConfigError> {
        match (&self.passphrase_file, &self.pkcs11_module, &self.token, &self.pin_file) {
            (Some(passphrase), None, None, None) => Ok(KeysPlace::File { passphrase }),
            (None, Some(module), Some(token), Some(pin)) => Ok(KeysPlace::Token { module, token, pin }),
            _ => Err(value(
                "keys",
                "passphrase-file alone (keys in a file), or pkcs11-module, token and pin-file (in a token)",
            )),
        }
    }
}

impl EgressSection {
    /// What a Data Source is asked for at most; `usual` where nothing is set.
    ///
    /// # Errors
    /// A value that makes no sense.
    pub fn bounds(&self, key: &str, usual: GateBounds) -> Result<GateBounds, ConfigError> {
        let numbers = [
            ("requests-at-once-max", self.requests_at_once_max, 10_000),
            ("requests-per-minute-max", self.requests_per_minute_max, 1_000_000),
            ("failures-in-a-row-max", self.failures_in_a_row_max, 10_000),
            ("rest-seconds", self.rest_seconds.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)), 3_600),
        ];
        for (name, given, most) in numbers {
            if given.is_some_and(|given| !(1..=most).contains(&given)) {
                return Err(value(&format!("{key}.{name}"), &format!("must be from 1 to {most}")));
            }
        }
        let per_minute = self.requests_per_minute_max.and_then(NonZeroU32::new);
        Ok(GateBounds {
            requests_at_once: self.requests_at_once_max.unwrap_or(usual.requests_at_once),
            requests_per_minute: per_minute.unwrap_or(usual.requests_per_minute),
            failures_in_a_row: self.failures_in_a_row_max.unwrap_or(usual.failures_in_a_row),
            rest: self.rest_seconds.map_or(usual.rest, Duration::from_secs),
        })
    }
}

impl SourceSection {
    /// What it is asked for at most.
    ///
    /// # Errors
    /// A value that makes no sense.
    pub fn bounds(&self, config: &Config) -> Result<GateBounds, ConfigError> {
        let usual = config.egress.bounds("egress", GateBounds::default())?;
        self.egress.bounds(&format!("source {}/{}: egress", self.connector, self.id), usual)
    }

    /// The way out to it, with the proxy's login as its file has it.
    ///
    /// # Errors
    /// A proxy that is none.
    pub fn route(&self, login: Option<&str>) -> Result<Route, ConfigError> {
        Ok(Route { proxy: self.proxy(login)?, source: self.source_address })
    }

    /// An address that no run could use is told before a person consents to anything.
    pub(super) fn check_base(&self) -> Result<(), ConfigError> {
        let Some(base) = &self.base else { return Ok(()) };
        let told = |problem: &str| value(&format!("source {}/{}: base", self.connector, self.id), problem);
        if !base.username().is_empty() || base.password().is_some() {
            return Err(told(
                "it holds a login; the person's come from the person, the operator's from `secret-files`",
            ));
        }
        manifest::base(base.as_str()).map(drop).map_err(|problem| told(&problem))
    }

    fn proxy(&self, login: Option<&str>) -> Result<Option<Proxy>, ConfigError> {
        let key = |name: &str| format!("source {}/{}: {name}", self.connector, self.id);
        let Some(url) = &self.proxy else {
            return match &self.proxy_login_file {
                Some(_) => Err(value(&key("proxy-login-file"), "there is no `proxy` that it is for")),
                None => Ok(None),
            };
        };
        let login = match login.map(ProxyLogin::parse) {
            Some(None) => return Err(value(&key("proxy-login-file"), "its file must hold NAME:PASSWORD")),
            login => login.flatten(),
        };
        Proxy::new(url, login).map(Some).map_err(|error| value(&key("proxy"), &error.to_string()))
    }
}

impl OnlineServiceSection {
    /// Registers it.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn register(&self) -> Result<OnlineService, ConfigError> {
        let key = |name: &str| format!("online-service {}: {name}", self.id);
        let jwk = RecipientKey::from_jwk(&read_text(&self.key_file)?)
            .map_err(|error| value(&key("key-file"), &error.to_string()))?;
        let hash =
            |text: &String| KeyHash::from_hex(text).map_err(|error| value(&key("bearer-sha256"), &error.to_string()));
        let mut purposes = BTreeMap::new();
        for section in &self.purpose {
            if purposes.insert(section.id.clone(), section.purpose()).is_some() {
                return Err(value(&key("purpose"), &format!("{:?} stands here twice", section.id)));
            }
        }
        let registration = Registration {
            id: self.id,
            name: self.name.clone(),
            contact: self.contact.clone(),
            role: self.role,
            events: self.events.clone(),
            callbacks: self.callbacks.clone(),
            purposes,
            bearer: self.bearer_sha256.as_ref().map(hash).transpose()?,
            partner: self.partner()?,
        };
        OnlineService::register(registration, jwk).map_err(|source| ConfigError::Registration { id: self.id, source })
    }

    fn partner(&self) -> Result<Partner, ConfigError> {
        let key = |name: &str| format!("online-service {}: {name}", self.id);
        let read = |path: &PathBuf| {
            PublicKey::from_jwk(&read_text(path)?, Algorithm::Ps256)
                .map_err(|error| value(&key("signing-key-file"), &error.to_string()))
        };
        let signer = self.signing_key_file.as_ref().map(read).transpose()?;
        let commitment = match (&self.commitments_file, &signer) {
            (Some(path), Some(signer)) => {
                let commitment = Commitment::verify(&read_text(path)?, self.id, signer);
                Some(commitment.map_err(|error| value(&key("commitments-file"), &error.to_string()))?)
            }
            _ if self.bearer_sha256.is_some() => {
                let problem = "its key to the API works for nothing before it has signed the code of trust: set \
                    signing-key-file and commitments-file (`consentry keys signer`, `consentry commit`)";
                return Err(value(&key("bearer-sha256"), problem));
            }
            _ => None,
        };
        Ok(Partner { identity: Some(self.identity.clone()), signer, commitment, hosts: self.hosts.clone() })
    }
}

impl PurposeSection {
    fn purpose(&self) -> Purpose {
        Purpose {
            why: self.why.clone(),
            needs: self.needs.clone(),
            keep_days: self.keep_days,
            history_days_max: self.history_days_max,
            categories: self.categories.clone(),
            predicates: self.predicates.clone(),
            third_parties: self.third_parties.clone(),
        }
    }
}
