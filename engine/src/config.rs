//! The operator's configuration: one TOML file, one struct for each section, units in the names. Unknown keys are refused.
//! No secret stands in it: keys, passphrases and operators' secrets are named by file.

mod browser;
mod maintenance;
mod overrides;
mod sections;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use consentry_host_api::network::gate::GateBounds;
use serde::Deserialize;

use crate::collect::signature::{NotAKey, Trust, TrustedKey};
use crate::consent::notice::Operator;
use crate::engine::catalogue::{Folder, NotAPin};
use crate::id::OnlineServiceId;
use crate::jose::RecipientKey;
use crate::jose::jwk::JwkError;
use crate::named_file::{self, TEXT_BYTES_MAX};
use crate::online_service::{OnlineService, RegistrationError};
use crate::operator::OperatorKey;
use crate::processing::{Processing, Processor, policy_digest};
use crate::secret_file;

pub use browser::BrowserSection;
pub use maintenance::MaintenanceSection;
pub use sections::{
    AnonymitySection, ApiSection, ConnectorsSection, EgressSection, EngineSection, EventsSection, KeysPlace,
    KeysSection, OnlineServiceSection, PolicySection, PurposeSection, SandboxSection, SourceSection, TrustedKeySection,
};

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// This node.
    pub engine: EngineSection,
    /// Who operates it, for the notice.
    pub operator: Operator,
    /// The privacy policy, where it is not the one that comes with the software.
    pub policy: Option<PolicySection>,
    /// Who can open what is kept of who somebody is.
    #[serde(default)]
    pub anonymity: AnonymitySection,
    /// Where the machines stand.
    pub hosting: Processor,
    /// Everybody else who works for the operator.
    #[serde(default)]
    pub processor: Vec<Processor>,
    /// The HTTP API.
    pub api: ApiSection,
    /// The engine's own keys.
    pub keys: KeysSection,
    /// The connectors.
    pub connectors: ConnectorsSection,
    /// The sandbox they run in.
    pub sandbox: SandboxSection,
    /// The browser of connectors that need one.
    #[serde(default)]
    pub browser: BrowserSection,
    /// The most that a connector's manifest may ask for, by the names of the table of limits; the table's maximum elsewhere.
    #[serde(default)]
    pub limits: BTreeMap<String, u64>,
    /// What every Data Source is asked for at most.
    #[serde(default)]
    pub egress: EgressSection,
    /// How events are told to Online Services.
    pub events: EventsSection,
    /// Who operates the node, by keys.
    #[serde(default)]
    pub operator_key: Vec<OperatorKey>,
    /// The maintenance programme.
    #[serde(default)]
    pub maintenance: MaintenanceSection,
    /// What the operator sets for single Data Sources.
    #[serde(default)]
    pub source: Vec<SourceSection>,
    /// Who may ask for data.
    #[serde(default)]
    pub online_service: Vec<OnlineServiceSection>,
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
    /// The TOML is wrong. It names line and key, and quotes nothing: a file named by mistake may hold a secret.
    #[error("{} is no configuration: line {line}: {problem}", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What.
        problem: String,
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
    /// Reads the file, puts values of the environment in the place of its own ([`Config::overridden`]), and checks every value.
    /// Relative paths start at the file's folder.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read_text(path)?;
        let variables = overrides::of_this_process();
        let mut config = match variables.is_empty() {
            true => Self::parse(&text).map_err(|error| wrong_form(path, &text, &error))?,
            false => Self::parse_with(&text, &variables)?,
        };
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

    /// The names of the variables of this process that take the place of values of the file.
    pub fn overridden() -> Vec<String> {
        overrides::of_this_process().into_iter().map(|(name, _)| name).collect()
    }

    /// As [`Config::parse`], with values of the environment.
    fn parse_with(text: &str, variables: &[(String, String)]) -> Result<Self, ConfigError> {
        let wrong =
            |error: &toml::de::Error| value("the configuration, with the CONSENTRY__ variables", error.message());
        let mut table: toml::Table = toml::from_str(text).map_err(|error| wrong(&error))?;
        overrides::apply(&mut table, variables).map_err(|name| value(&name, "it names no key of a section"))?;
        table.try_into().map_err(|error| wrong(&error))
    }

    fn resolve(&mut self, folder: &Path) {
        let paths = [&mut self.engine.data_folder, &mut self.connectors.folder];
        let own = [&mut self.keys.passphrase_file, &mut self.keys.pkcs11_module, &mut self.keys.pin_file];
        let tls = [&mut self.api.certificate_file, &mut self.api.private_key_file, &mut self.api.components_ca_file];
        let own = own.into_iter().chain(tls).flatten();
        let keys = self.online_service.iter_mut().flat_map(|section| {
            let more = [section.signing_key_file.as_mut(), section.commitments_file.as_mut()];
            more.into_iter().flatten().chain([&mut section.key_file])
        });
        let own = own.chain(self.anonymity.authority_key_file.as_mut());
        let policy = self.policy.iter_mut().flat_map(|section| [&mut section.en, &mut section.fr]);
        let secrets = self.source.iter_mut().flat_map(|section| section.secret_files.values_mut());
        for path in paths.into_iter().chain(own).chain(keys).chain(secrets).chain(policy) {
            *path = secret_file::beside(folder, path);
        }
        for path in self.source.iter_mut().filter_map(|section| section.proxy_login_file.as_mut()) {
            *path = secret_file::beside(folder, path);
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
            ("engine.drain-seconds", self.engine.drain_seconds, 0, 3600),
            ("api.requests-per-minute-max", u64::from(self.api.requests_per_minute_max), 1, 1_000_000),
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
        self.api.tls().map(drop)?;
        self.keys.place().map(drop)?;
        self.browser.settings(self.engine.development)?;
        self.maintenance.threshold().map(drop)?;
        self.limits().map(drop)?;
        self.egress.bounds("egress", GateBounds::default())?;
        for (at, section) in self.source.iter().enumerate() {
            section.bounds(self)?;
            section.route(None)?;
            section.check_base()?;
            if self.source[..at].iter().any(|other| other.connector == section.connector && other.id == section.id) {
                let key = format!("source {}/{}", section.connector, section.id);
                return Err(value(&key, "it has two sections; make them one"));
            }
        }
        self.connectors().map(drop)?;
        self.check_hosts()?;
        self.check_operators()?;
        let bearer = self.online_service.iter().find(|section| section.bearer_sha256.is_some());
        if let Some(section) = bearer.filter(|_| !self.engine.development) {
            let problem = "a key that is sent as it is is for development = true only: Online Services prove with their signing key who \
                           they are (`POST /v1/token`)";
            return Err(value(&format!("online-service {}: bearer-sha256", section.id), problem));
        }
        self.online_services().map(drop)
    }

    /// Where data is processed, by whom, under which policy.
    ///
    /// # Errors
    /// What is said of somebody is wrong, or the policy can't be read.
    pub fn processing(&self) -> Result<Processing, ConfigError> {
        let policy = match self.policy()? {
            Some([en, fr]) => policy_digest([&en, &fr]),
            None => Processing::default().policy,
        };
        let all = Processing { policy, hosting: Some(self.hosting.clone()), processors: self.processor.clone() };
        all.check().map_err(|error| value("hosting and processor", &error.to_string()))?;
        Ok(all)
    }

    /// The key that envelopes of an authority are sealed to; none where nobody's anonymity can be lifted.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for a key that is none, or is smaller than RSA-4096.
    pub fn authority(&self) -> Result<Option<RecipientKey>, ConfigError> {
        let Some(path) = &self.anonymity.authority_key_file else { return Ok(None) };
        let told = |error: JwkError| ConfigError::Value {
            key: "anonymity.authority-key-file".to_owned(),
            problem: error.to_string(),
        };
        RecipientKey::from_jwk(&read_text(path)?).map(Some).map_err(told)
    }

    /// The operator's own policy, English before French; none where it is the one that comes with the software.
    ///
    /// # Errors
    /// A file of it can't be read.
    pub fn policy(&self) -> Result<Option<[String; 2]>, ConfigError> {
        let read = |files: &PolicySection| Ok([read_text(&files.en)?, read_text(&files.fr)?]);
        self.policy.as_ref().map(read).transpose()
    }

    /// Whatever data may pass through is a machine of somebody who is named in the notices.
    fn check_hosts(&self) -> Result<(), ConfigError> {
        let processing = self.processing()?;
        for source in &self.source {
            let Some(host) = source.proxy.as_ref().and_then(|proxy| proxy.host_str()) else { continue };
            if !processing.lists(host) {
                let key = format!("source {}/{}: proxy", source.connector, source.id);
                return Err(value(&key, &format!("{host} is not among the hosts of [hosting] or a [[processor]]")));
            }
        }
        Ok(())
    }

    /// Every operator has an id and a key of their own, and something that they may do.
    fn check_operators(&self) -> Result<(), ConfigError> {
        for (at, key) in self.operator_key.iter().enumerate() {
            let told = |problem: &str| Err(value(&format!("operator-key {}", key.id), problem));
            if key.roles.is_empty() {
                return told("at least one of the roles platform, author, maintenance, dpo");
            }
            let is_key = |line: &String| TrustedKey::parse("", line).is_ok_and(|key| key.text() == line);
            if !key.signs.iter().all(is_key) {
                return told("signs: the public keys that this author signs with, the lines that begin with RW");
            }
            let mut before = self.operator_key[..at].iter();
            if before.any(|other| other.id == key.id || other.key_sha256 == key.key_sha256) {
                return told("another operator has this id or this key already");
            }
        }
        Ok(())
    }

    /// The operator's maxima.
    ///
    /// # Errors
    /// An unknown name, or less than a limit can be.
    pub fn limits(&self) -> Result<consentry_contract::limits::Wishes, ConfigError> {
        let known = |(name, most): (&String, &u64)| match consentry_contract::limits::LimitName::parse(name) {
            Some(limit) if *most < limit.minimum() => Err(value(
                &format!("limits.{name}"),
                &format!("the least is {} ({})", limit.minimum(), limit.row().unit),
            )),
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
            copies: Some(self.engine.data_folder.join("connectors")),
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

fn value(key: &str, problem: &str) -> ConfigError {
    ConfigError::Value { key: key.to_owned(), problem: problem.to_owned() }
}

/// Of a file that is TOML at all, the key is named as well; of any other, nothing that stands in it.
fn wrong_form(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start);
    let begun = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = text[..begun].matches('\n').count() + 1;
    let named = text[begun..].lines().next().and_then(|line| line.split_once('='));
    let key = named.filter(|_| text.parse::<toml::Table>().is_ok()).map(|(key, _)| format!("{}: ", key.trim()));
    ConfigError::Form {
        path: path.to_owned(),
        line,
        problem: format!("{}{}", key.unwrap_or_default(), error.message().trim()),
    }
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    named_file::read_text(path, TEXT_BYTES_MAX)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}
