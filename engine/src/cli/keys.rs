//! `consentry keys`: the keys of a node from their making to their end; a recipient's key pair for tests, bearer keys and ids.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use comfy_table::Table;

use super::ConfigFile;
use super::{audit::noted, setup};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::entropy::Entropy;
use crate::id::{OnlineServiceId, OperatorId};
use crate::jose::{Algorithm, PrivateKey};
use crate::keys::{Duty, KeyError, KeyInfo, KeyProvider};
use crate::online_service::KeyHash;
use crate::operator::audit::About;
use crate::operator::{Deed, Role};
use crate::store::Shelves;

/// Keys and ids.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Makes a node's own keys, in its data folder or in its token. Existing ones are never overwritten.
    Generate(ConfigFile),
    /// Shows a node's own keys: what each is for, and what it still does.
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// Writes JSON.
        #[arg(long)]
        json: bool,
    },
    /// Makes a new key for a duty. It seals and signs from now on, also in an engine that runs; those before it still open.
    Rotate {
        /// The duty.
        #[arg(value_parser = duties())]
        duty: Duty,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Takes a key out of use that another one has followed: it is published no more, and what was sealed to it still opens. One that signed
    /// stays published, so that what it signed is checked.
    Retire {
        /// The key's id.
        kid: String,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Destroys a key that is not the current one of its duty. What it alone opens is gone for good; what it signed, receipts among it, is
    /// taken for forged from then on.
    Destroy {
        /// The key's id.
        kid: String,
        /// Says that this is meant.
        #[arg(long, required = true)]
        yes: bool,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Takes the store beside the key tables for theirs, after an older one was put back, or where it is lost. What it does not have is
    /// forgotten for good. The engine must not run.
    Adopt {
        /// Says that this is meant.
        #[arg(long, required = true)]
        yes: bool,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Makes a key pair for an Online Service: NAME.jwk.json to register, NAME.key.der to keep (PKCS#8, not encrypted).
    Recipient {
        /// The path and the beginning of both file names.
        name: PathBuf,
    },
    /// Makes the key pair that an Online Service signs its answers with: NAME.jwk.json to register, NAME.key.der to keep.
    Signer {
        /// The path and the beginning of both file names.
        name: PathBuf,
    },
    /// Makes a bearer key for an Online Service, and its hash for the configuration.
    Bearer,
    /// Makes an operator's key, and what stands of it in the configuration.
    Operator {
        /// What the operator may do. May be repeated.
        #[arg(long = "role", required = true, value_parser = role)]
        roles: Vec<Role>,
    },
    /// Makes an id for an Online Service.
    Id,
}

pub(super) fn run(command: Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let (now, entropy) = (SystemClock.now(), Entropy::system());
    match command {
        Command::Generate(file) => {
            let config = Config::read(&file.config)?;
            noted(&config, Deed::KeysGenerate, None)?;
            writeln!(out, "{}", setup::make_keys(&config)?)?;
        }
        Command::List { file, json } => list(&block_on(opened(&file)?.list())?, json, out)?,
        Command::Rotate { duty, file } => {
            let key = block_on(opened_to(&file, Deed::KeyRotate, duty.name())?.rotate(duty, now))?;
            writeln!(out, "{} is the current key for {duty}; those before it still open", key.kid)?;
        }
        Command::Retire { kid, file } => {
            let key = block_on(opened_to(&file, Deed::KeyRetire, &kid)?.retire(&kid))?;
            let then = match key.duty.signs() {
                true => "signs nothing any more; it stays published, and what it signed is checked with it",
                false => "is published no more; what was sealed to it still opens",
            };
            writeln!(out, "{} for {} {then}", key.kid, key.duty)?;
        }
        Command::Destroy { kid, file, yes: _ } => {
            let keys = opened_to(&file, Deed::KeyDestroy, &kid)?;
            let signed = block_on(keys.list())?.iter().any(|key| key.kid == kid && key.duty.signs());
            let gone = block_on(keys.destroy(&kid, now))?;
            let then = if signed { "; what it signed is taken for forged from now on, receipts among it" } else { "" };
            writeln!(out, "{} was destroyed at {} by {}{then}", gone.key, gone.at, gone.provider)?;
        }
        Command::Adopt { file, yes: _ } => adopt(&file, out)?,
        Command::Recipient { name } => pair(&name, Algorithm::RsaOaep256, out)?,
        Command::Signer { name } => pair(&name, Algorithm::Ps256, out)?,
        Command::Bearer => {
            let key = bearer(&entropy);
            writeln!(out, "key           {key}\nbearer-sha256 {}", KeyHash::of(&key).to_hex())?;
        }
        Command::Operator { roles } => {
            let (key, id) = (bearer(&entropy), entropy.with(|rng| OperatorId::new(now, rng)));
            let roles: BTreeSet<&str> = roles.into_iter().map(Role::name).collect();
            let (roles, hash) = (serde_json::to_string(&roles)?, KeyHash::of(&key).to_hex());
            writeln!(out, "key {key}\n\n[[operator-key]]\nid = \"{id}\"\nroles = {roles}\nkey-sha256 = \"{hash}\"")?;
        }
        Command::Id => writeln!(out, "{}", entropy.with(|rng| OnlineServiceId::new(now, rng)))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn role(name: &str) -> Result<Role, String> {
    Role::parse(name).ok_or_else(|| format!("one of {}", Role::ALL.map(Role::name).join(", ")))
}

/// The names of the duties, and what they are.
fn duties() -> impl TypedValueParser<Value = Duty> {
    let named = |name: String| Duty::ALL.into_iter().find(|duty| duty.name() == name);
    PossibleValuesParser::new(Duty::ALL.map(Duty::name)).try_map(move |name| named(name).ok_or("no duty"))
}

fn opened(file: &ConfigFile) -> anyhow::Result<Arc<dyn KeyProvider>> {
    setup::keys(&Config::read(&file.config)?)
}

/// The keys, for something that stands in the audit log.
fn opened_to(file: &ConfigFile, deed: Deed, about: &str) -> anyhow::Result<Arc<dyn KeyProvider>> {
    let config = Config::read(&file.config)?;
    let keys = setup::keys(&config)?;
    noted(&config, deed, Some(About::of(about)))?;
    Ok(keys)
}

fn adopt(file: &ConfigFile, out: &mut dyn Write) -> anyhow::Result<()> {
    let (config, clock) = (Config::read(&file.config)?, Arc::new(SystemClock));
    let keys = setup::keys(&config)?;
    noted(&config, Deed::StoreAdopt, None)?;
    let folder = &config.engine.data_folder;
    let shelves =
        super::block_on(async { Ok(Shelves::adopt(folder, keys, Arc::new(Entropy::system()), clock).await?) })?;
    let records = super::block_on(async { Ok(shelves.count().await?) })?;
    Ok(writeln!(out, "the store in {} is that of the key tables: {records} record(s)", folder.join("store").display())?)
}

fn block_on<T>(work: impl Future<Output = Result<T, KeyError>>) -> anyhow::Result<T> {
    super::block_on(async { Ok(work.await?) })
}

fn list(keys: &[KeyInfo], json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if json {
        return Ok(writeln!(out, "{}", serde_json::to_string(keys)?)?);
    }
    let mut table = Table::new();
    table.set_header(["duty", "state", "made", "key"]);
    for KeyInfo { kid, duty, made_at, state } in keys {
        table.add_row([duty.name(), state.name(), &made_at.to_string(), kid]);
    }
    Ok(writeln!(out, "{table}")?)
}

fn pair(name: &Path, algorithm: Algorithm, out: &mut dyn Write) -> anyhow::Result<()> {
    let [public, private] = ["jwk.json", "key.der"].map(|ending| {
        let mut path = name.as_os_str().to_owned();
        path.push(format!(".{ending}"));
        PathBuf::from(path)
    });
    let key = PrivateKey::generate(algorithm)?;
    let jwk = format!("{:#}\n", key.public().to_jwk());
    setup::write_pair((&private, &key.danger_to_pkcs8()), (&public, jwk.as_bytes()))?;
    writeln!(out, "{}\n{}", public.display(), private.display())?;
    Ok(())
}

/// 256 bits, which is why a plain hash of it may stand in a file.
pub(super) fn bearer(entropy: &Entropy) -> String {
    let mut bytes = [0; 32];
    entropy.with(|rng| rng.fill_bytes(&mut bytes));
    URL_SAFE_NO_PAD.encode(bytes)
}
