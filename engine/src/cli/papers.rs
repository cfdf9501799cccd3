//! The papers of an operator: the record of processing activities, the necessity of what Online Services ask for, and the signature
//! of the code of trust.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use super::{ConfigFile, setup};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::consent::notice::Operator;
use crate::entropy::Entropy;
use crate::id::{DataRequestId, OnlineServiceId};
use crate::jose::{Algorithm, PrivateKey};
use crate::online_service::commitment::{self, Commitment};
use crate::register::{Register, SourceLine};
use crate::request::DataRequest;

/// Which record.
#[derive(Debug, clap::Args)]
pub(super) struct RegisterOptions {
    #[command(flatten)]
    file: ConfigFile,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn register(options: &RegisterOptions, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = Config::read(&options.file.config)?;
    let (catalogue, _) = setup::catalogue(&config.connectors()?);
    let mut sources = vec![];
    for connector in catalogue.connectors() {
        let manifest = connector.package.manifest();
        for source in manifest.sources().iter().filter_map(|source| connector.notice_source(source.id.as_str())) {
            sources.push(SourceLine {
                name: source.name,
                country: source.country,
                connector: format!("{} {}", source.connector, source.version),
                categories: source.categories.iter().map(ToString::to_string).collect(),
            });
        }
    }
    let operator = Operator { processing: config.processing()?, ..config.operator.clone() };
    let services = config.online_services()?;
    let register = Register::compile(&operator, services.iter(), sources);
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&register)?)?;
    } else {
        write!(out, "{}", register.to_markdown())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is looked at.
#[derive(Debug, clap::Args)]
pub(super) struct LintOptions {
    #[command(flatten)]
    file: ConfigFile,
    /// Data requests, each a JSON file as it would be sent, of this Online Service.
    #[arg(long, requires = "online_service")]
    request: Vec<PathBuf>,
    /// Whose requests they are.
    #[arg(long, value_name = "ID")]
    online_service: Option<OnlineServiceId>,
}

/// Refuses what asks for more than it needs, or than it declared.
pub(super) fn lint(options: &LintOptions, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    // Reading refuses a purpose with a category that none of its needs explains.
    let services = Config::read(&options.file.config)?.online_services()?;
    for service in &services {
        for (id, purpose) in service.purposes() {
            let unused =
                purpose.needs.iter().filter(|need| !purpose.categories.keys().any(|name| need.explains(*name)));
            if let Some(need) = unused.into_iter().next() {
                bail!(
                    "{}, purpose {id}: the need {need:?} explains nothing that is asked for: declare less",
                    service.name()
                );
            }
        }
        writeln!(out, "{}: {} purpose(s), each asks for what it needs", service.name(), service.purposes().len())?;
    }
    let Some(id) = options.online_service else { return Ok(ExitCode::SUCCESS) };
    let service = services.iter().find(|service| service.id() == id).context("no such Online Service is registered")?;
    let (entropy, now) = (Entropy::system(), SystemClock.now());
    for path in &options.request {
        let told = || format!("{}", path.display());
        let json = std::fs::read(path).with_context(told)?;
        let name = entropy.with(|rng| DataRequestId::new(now, rng));
        DataRequest::parse(name, &json, service).with_context(told)?;
        writeln!(out, "{}: asks for what was declared", path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Who signs.
#[derive(Debug, clap::Args)]
pub(super) struct CommitOptions {
    /// The Online Service that commits itself.
    #[arg(long, value_name = "ID")]
    online_service: OnlineServiceId,
    /// Its signing key, as `consentry keys signer` made it: NAME.key.der.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Who signs for it: name and position.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Shows the text that is signed, and signs nothing.
    #[arg(long)]
    show: bool,
}

/// Signs the code of trust; the signature goes to standard output.
pub(super) fn commit(options: &CommitOptions, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    if options.show {
        write!(out, "{}", commitment::TEXT)?;
        return Ok(ExitCode::SUCCESS);
    }
    let pkcs8 = crate::secret_file::read_private(&options.key).context("the signing key can't be read")?;
    let key = PrivateKey::from_pkcs8(Algorithm::Ps256, &pkcs8).context("this is no RSA-4096 key in PKCS#8")?;
    let signed = Commitment::new(options.online_service, &options.by, SystemClock.now()).sign(&key)?;
    Commitment::verify(&signed, options.online_service, key.public())?;
    writeln!(out, "{signed}")?;
    Ok(ExitCode::SUCCESS)
}
