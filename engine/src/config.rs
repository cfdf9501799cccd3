//! The operator's configuration: one TOML file, one struct for each section, units in the names. Unknown keys are refused.
//! No secret stands in it: keys, passphrases and operators' secrets are named by file.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use consentry_host_api::network::gate::GateBounds;
use consentry_host_api::network::{Proxy, ProxyLogin, Route};
use serde::Deserialize;
use url::Url;

use crate::collect::signature::{NotAKey, Trust, TrustedKey};
use crate::consent::notice::Operator;
use crate::data::Category;
use crate::engine::catalogue::{Folder, NotAPin};
use crate::id::OnlineServiceId;
use crate::jose::RecipientKey;
use crate::online_service::{KeyHash, Localised, OnlineService, Purpose, Registration, RegistrationError, Role};

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// This node.
    pub engine: EngineSection,
    /// Who operates it, for the notice.
    pub operator: Operator,
    /// The HTTP API.
    pub api: ApiSection,
    /// The engine's own keys.
    pub keys: KeysSection,
    /// The connectors.
    pub connectors: ConnectorsSection,
    /// The sandbox they run in.
    pub sandbox: SandboxSection,
    /// The most that a connector's manifest may ask for, by the names of the table of limits; the table's maximum elsewhere.
    #[serde(default)]
    pub limits: BTreeMap<String, u64>,
    /// What every Data Source is asked for at most.
    #[serde(default)]
    pub egress: EgressSection,
    /// How events are told to Online Services.
    pub events: EventsSection,
    /// What the operator sets for single Data Sources.
    #[serde(default)]
    pub source: Vec<SourceSection>,
    /// Who may ask for data.
    #[serde(default)]
    pub online_service: Vec<OnlineServiceSection>,
}

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
}

/// The HTTP API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ApiSection {
    /// Where it listens. TLS ends in front of it.
    pub listen: SocketAddr,
    /// Its address as others see it.
    pub public_url: Url,
    /// Open sessions at once; more are refused with 503.
    pub sessions_max: usize,
    /// Open sessions of one Online Service at once; more are refused with 429. As many ended ones are kept for their receipts.
    pub sessions_per_online_service_max: usize,
}

/// The engine's own keys.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeysSection {
    /// A file that holds the passphrase of the software keys, readable by the engine alone.
    pub passphrase_file: PathBuf,
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
    /// Who decides about the data.
    pub role: Role,
    /// Its public key: a file with one JWK, RSA-4096 at least.
    pub key_file: PathBuf,
    /// Where thin events go.
    pub events: Option<Url>,
    /// Below which addresses a person may be sent back.
    #[serde(default)]
    pub callbacks: Vec<Url>,
    /// The SHA-256 of its bearer key, in hexadecimal; `consentry keys bearer` makes both.
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
    /// How long the Online Service keeps what it receives.
    pub keep_days: u16,
    /// The most history it may ask for.
    pub history_days_max: Option<u16>,
    /// Each category it may ask for, and why.
    pub categories: BTreeMap<Category, Localised>,
}

/// Says what is wrong with a configuration, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file can't be read.
    #[error("{} can't be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The TOML is wrong; the text names line and key.
    #[error("{} is no configuration", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// What, and where.
        source: Box<toml::de::Error>,
    },
    /// A value makes no sense.
    #[error("{key}: {problem}")]
    Value {
        /// Which key.
        key: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// An Online Service's registration is wrong.
    #[error("online-service {id}")]
    Registration {
        /// Which.
        id: OnlineServiceId,
        /// What is wrong.
        source: RegistrationError,
    },
}

impl Config {
    /// Reads the file and checks every value. Relative paths in it start at the file's folder.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read_text(path)?;
        let mut config = Self::parse(&text).map_err(|source| ConfigError::Form { path: path.to_owned(), source })?;
        config.resolve(path.parent().unwrap_or(Path::new(".")));
        config.check()?;
        Ok(config)
    }

    /// Reads the text of a configuration, and checks no value.
    ///
    /// # Errors
    /// Names line and key.
    pub fn parse(text: &str) -> Result<Self, Box<toml::de::Error>> {
        toml::from_str(text).map_err(Box::new)
    }

    fn resolve(&mut self, folder: &Path) {
        let paths = [&mut self.engine.data_folder, &mut self.keys.passphrase_file, &mut self.connectors.folder];
        let keys = self.online_service.iter_mut().map(|section| &mut section.key_file);
        let secrets = self.source.iter_mut().flat_map(|section| section.secret_files.values_mut());
        for path in paths.into_iter().chain(keys).chain(secrets) {
            *path = folder.join(&*path);
        }
        for path in self.source.iter_mut().filter_map(|section| section.proxy_login_file.as_mut()) {
            *path = folder.join(&*path);
        }
    }

    /// Checks every value that can be checked without the connectors.
    ///
    /// # Errors
    /// The first value that makes no sense.
    pub fn check(&self) -> Result<(), ConfigError> {
        let node = &self.engine.node;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if node.is_empty() || node.len() > 64 || !node.bytes().all(plain) {
            return Err(value("engine.node", "1 to 64 letters, digits and hyphens"));
        }
        if self.operator.name.trim().is_empty() || self.operator.contact.trim().is_empty() {
            return Err(value("operator", "name and contact must not be empty: every notice shows them"));
        }
        let ranges = [
            ("api.sessions-max", self.api.sessions_max as u64, 1, 1_000_000),
            (
                "api.sessions-per-online-service-max",
                self.api.sessions_per_online_service_max as u64,
                1,
                self.api.sessions_max as u64,
            ),
            ("sandbox.concurrent-runs-max", u64::from(self.sandbox.concurrent_runs_max), 1, 20_000),
            ("sandbox.guest-threads", self.sandbox.guest_threads as u64, 1, 1024),
            // Shorter than the outbox waits for the one who tells.
            ("events.timeout-seconds", self.events.timeout_seconds, 1, 25),
        ];
        for (key, given, least, most) in ranges {
            if !(least..=most).contains(&given) {
                return Err(value(key, &format!("must be from {least} to {most}")));
            }
        }
        self.limits().map(drop)?;
        self.egress.bounds("egress", GateBounds::default())?;
        for section in &self.source {
            section.bounds(self)?;
            section.route(None)?;
        }
        self.connectors().map(drop)?;
        self.online_services().map(drop)
    }

    /// The operator's maxima.
    ///
    /// # Errors
    /// An unknown name.
    pub fn limits(&self) -> Result<consentry_contract::limits::Wishes, ConfigError> {
        let known = |(name, most): (&String, &u64)| match consentry_contract::limits::LimitName::parse(name) {
            Some(limit) => Ok((limit, *most)),
            None => Err(value(&format!("limits.{name}"), "there is no limit of this name")),
        };
        self.limits.iter().map(known).collect()
    }

    /// The folder of connectors, and who decides about them.
    ///
    /// # Errors
    /// A key or a version that is none, or unsigned connectors outside of development.
    pub fn connectors(&self) -> Result<Folder, ConfigError> {
        let section = &self.connectors;
        if section.unsigned && !self.engine.development {
            let problem =
                "unsigned connectors are for development = true only: sign them with `consentry connector sign`";
            return Err(value("connectors.unsigned", problem));
        }
        let key = |each: &TrustedKeySection| {
            let wrong = |error: NotAKey| value("connectors.trusted-key", &format!("{}: {error}", each.owner));
            TrustedKey::parse(&each.owner, &each.key).map_err(wrong)
        };
        let trust = Trust::keys(section.trusted_key.iter().map(key).collect::<Result<_, _>>()?);
        let mut pins = BTreeMap::new();
        for source in &self.source {
            if let Some(version) = &source.version {
                let wrong = |error: NotAPin| value(&format!("source {}: version", source.id), &error.to_string());
                pins.insert((source.connector.clone(), source.id.clone()), version.parse().map_err(wrong)?);
            }
        }
        Ok(Folder {
            path: section.folder.clone(),
            trust: if section.unsigned { trust.or_unsigned() } else { trust },
            decisions: Some(self.engine.data_folder.join("connectors.json")),
            pins,
        })
    }

    /// Registers every Online Service: reads its key and checks its purposes.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn online_services(&self) -> Result<Vec<OnlineService>, ConfigError> {
        let mut seen = std::collections::BTreeSet::new();
        let mut all = vec![];
        for section in &self.online_service {
            if !seen.insert(section.id) {
                return Err(value("online-service.id", &format!("{} stands here twice", section.id)));
            }
            all.push(section.register()?);
        }
        Ok(all)
    }

    /// What the operator set for one Data Source.
    pub fn source(&self, connector: &str, id: &str) -> Option<&SourceSection> {
        self.source.iter().find(|section| section.connector == connector && section.id == id)
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
        };
        OnlineService::register(registration, jwk).map_err(|source| ConfigError::Registration { id: self.id, source })
    }
}

impl PurposeSection {
    fn purpose(&self) -> Purpose {
        Purpose {
            why: self.why.clone(),
            keep_days: self.keep_days,
            history_days_max: self.history_days_max,
            categories: self.categories.clone(),
        }
    }
}

fn value(key: &str, problem: &str) -> ConfigError {
    ConfigError::Value { key: key.to_owned(), problem: problem.to_owned() }
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../consentry.example.toml");

    #[test]
    fn the_documented_example_is_a_configuration() {
        let config = Config::parse(EXAMPLE).unwrap();
        assert!(!config.engine.development);
        assert_eq!(config.online_service.len(), 1);
        assert!(config.limits().is_ok());
        // What is said to be usual is what is done where nothing is said.
        assert_eq!(config.egress.bounds("egress", GateBounds::default()).unwrap(), GateBounds::default());
        let source = config.source[0].bounds(&config).unwrap();
        assert_eq!(source.requests_per_minute.get(), 120);
        assert_eq!(source.rest, GateBounds::default().rest);
    }

    #[test]
    fn a_way_out_is_read_with_its_login_apart() {
        let text =
            EXAMPLE.replacen("# proxy = ", "proxy = ", 1).replacen("# proxy-login-file = ", "proxy-login-file = ", 1);
        let config = Config::parse(&text.replacen("# source-address = ", "source-address = ", 1)).unwrap();
        let route = config.source[0].route(Some("node:s3cret")).unwrap();
        assert!(route.proxy.is_some() && route.source.is_some());
        assert!(!format!("{route:?} {config:?}").contains("s3cret"));
        assert!(config.source[0].route(Some("no login")).is_err());
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let text = EXAMPLE.replacen("development = false", "development = false\nspeed = 9", 1);
        let error = Config::parse(&text).unwrap_err().to_string();
        assert!(error.contains("speed") && error.contains("line"), "{error}");
    }

    #[test]
    fn values_that_make_no_sense_are_refused_by_key() {
        for (from, to, key) in [
            ("node = \"node-1\"", "node = \"node 1\"", "engine.node"),
            ("sessions-max = 10000", "sessions-max = 0", "api.sessions-max"),
            (
                "sessions-per-online-service-max = 2000",
                "sessions-per-online-service-max = 10001",
                "api.sessions-per-online-service-max",
            ),
            ("requests = 500", "requestz = 500", "limits.requestz"),
            ("rest-seconds = 30", "rest-seconds = 0", "egress.rest-seconds"),
            (
                "requests-per-minute-max = 120",
                "requests-per-minute-max = 0",
                "source oidc-provider/demo: egress.requests-per-minute-max",
            ),
            ("# proxy = \"http:", "proxy = \"https:", "source oidc-provider/demo: proxy"),
            ("# proxy-login-file", "proxy-login-file", "source oidc-provider/demo: proxy-login-file"),
        ] {
            assert!(EXAMPLE.contains(from), "{from}");
            let mut config = Config::parse(&EXAMPLE.replacen(from, to, 1)).unwrap();
            config.online_service.clear();
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with(key), "{error}");
        }
    }
}
