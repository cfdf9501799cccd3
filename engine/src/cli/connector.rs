//! `consentry connector`: what its author does from the first file to its publication; what a file is and asks for, who signed it, and what
//! the operator decides about it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use comfy_table::Table;
use consentry_contract::limits::LimitName;
use serde_json::{Value, json};

use super::{block_on, setup};
use crate::author::reference;
use crate::collect::package::Package;
use crate::collect::signature::{SigningKey, Trust, TrustedKey, unsigned};
use crate::config::Config;
use crate::entropy::Entropy;
use crate::named_file::{self, TEXT_BYTES_MAX};

mod build;
mod check;
mod compare;
mod decide;
mod desk;
mod list;
mod new;
mod publish;
mod record;
mod run;
mod shell;
mod subject;
mod test;

/// Connectors.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Makes a new connector from a template, in a folder of its own.
    New(new::Options),
    /// Builds a connector: adds the compiler's target, wraps the module, puts the manifest inside.
    Build(build::Options),
    /// Runs a connector against its Data Source, from this terminal, and shows each page and what was collected.
    #[command(after_help = super::collect::EXIT_CODES)]
    Run(Box<run::Options>),
    /// Runs a connector, and keeps what came as a recording that can be shown to anybody.
    Record(Box<record::Options>),
    /// Fetches the pages of one run, or opens those of a recording, and tries selectors on them.
    Shell(Box<shell::Options>),
    /// Runs a connector against one of its recordings.
    Replay(test::Replay),
    /// Plays all recordings of a connector, and every failure state of the acceptance suite.
    Test(test::Options),
    /// Lists the versions of a folder, which of them serve which Data Sources, and why.
    List(list::Options),
    /// Says whether a file is a connector that this engine runs, and what it asks for; of a folder with its source, also what of that
    /// no recording needs.
    Check(check::Options),
    /// Writes the contract as a page for authors: every function, every failure code.
    Docs,
    /// Lists the limits that a manifest may ask for, with their defaults and maxima.
    Limits(Form),
    /// Makes a key that signs connectors: NAME.key to keep, NAME.pub to give to operators.
    Keygen {
        /// The path and the beginning of both file names.
        name: PathBuf,
        /// A file with the passphrase, mode 600; or /dev/fd/N.
        #[arg(long, value_name = "FILE")]
        passphrase_file: PathBuf,
    },
    /// Signs a connector. An earlier signature is replaced.
    Sign {
        /// The file.
        file: PathBuf,
        /// The secret key.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// A file with its passphrase, mode 600; or /dev/fd/N.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// Writes the signed connector there; over the file itself, without it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Builds, tests and signs a connector, and puts it into a platform's folder.
    Publish(publish::Options),
    /// Says whose signature a connector has.
    Verify {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        trust: TrustOptions,
        #[command(flatten)]
        form: Form,
    },
    /// Says what one version asks for and another does not, which pages differ, and what each makes of the same recordings.
    Diff(compare::Options),
    /// Approves a connector for what it asks, which is shown first.
    Approve(decide::Approve),
    /// Revokes a version or a key: what runs is ended, and nothing of it runs again.
    Revoke(decide::Revoke),
}

/// For people or for machines.
#[derive(Debug, clap::Args)]
pub(super) struct Form {
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

/// Whose signatures are accepted.
#[derive(Debug, clap::Args)]
pub(super) struct TrustOptions {
    /// A public key. May be repeated.
    #[arg(long = "trust", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// The configuration whose trusted keys count.
    #[arg(long, env = "CONSENTRY_CONFIG", value_name = "FILE", conflicts_with = "keys")]
    config: Option<PathBuf>,
}

impl TrustOptions {
    fn read(&self) -> anyhow::Result<Trust> {
        match &self.config {
            Some(path) => Ok(Config::read(path)?.connectors()?.trust),
            None => trust(&self.keys),
        }
    }
}

/// These files' keys, each called by its file's name.
pub(super) fn trust(files: &[PathBuf]) -> anyhow::Result<Trust> {
    let read = |path: &PathBuf| {
        let told = || format!("{} can't be used", path.display());
        let text = named_file::read_text(path, TEXT_BYTES_MAX).with_context(told)?;
        let owner = path.file_stem().unwrap_or_default().to_string_lossy();
        TrustedKey::parse(&owner, &text).with_context(told)
    };
    Ok(Trust::keys(files.iter().map(read).collect::<anyhow::Result<_>>()?))
}

pub(super) fn run(command: &Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Command::New(options) => new::run(options, out)?,
        Command::Build(options) => build::run(options, out)?,
        Command::Run(options) => return block_on(run::run(options, out)),
        Command::Record(options) => return block_on(record::run(options, out)),
        Command::Shell(options) => return block_on(shell::run(options, out)),
        Command::Replay(options) => return block_on(test::replay(options, out)),
        Command::Test(options) => return block_on(test::run(options, out)),
        Command::Publish(options) => return block_on(publish::run(options, out)),
        Command::Docs => write!(out, "{}", reference::contract())?,
        Command::List(options) => list::run(options, out)?,
        Command::Check(options) => check::run(options, out)?,
        Command::Limits(form) => limits(form, out)?,
        Command::Keygen { name, passphrase_file } => keygen(name, passphrase_file, out)?,
        Command::Sign { file, key, passphrase_file, out: to } => {
            let to = to.as_ref().unwrap_or(file);
            sign(file, &signing_key(key, passphrase_file.as_deref())?, to, out)?;
        }
        Command::Verify { file, trust, form } => verify(file, &trust.read()?, form, out)?,
        Command::Diff(options) => return block_on(compare::run(options, out)),
        Command::Approve(options) => return decide::approve(options, out),
        Command::Revoke(options) => decide::revoke(options, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens a connector to look at it, whoever signed it.
pub(super) fn look(file: &Path) -> anyhow::Result<Package> {
    open(file, &Trust::default().or_unsigned())
}

fn open(file: &Path, trust: &Trust) -> anyhow::Result<Package> {
    Package::open(file, trust).with_context(|| format!("{} is refused", file.display()))
}

fn keygen(name: &Path, passphrase: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let [secret, public] = ["key", "pub"].map(|ending| {
        let mut path = name.as_os_str().to_owned();
        path.push(format!(".{ending}"));
        PathBuf::from(path)
    });
    let passphrase = setup::passphrase_in(passphrase)?;
    let (key, text) = SigningKey::generate(&passphrase)?;
    setup::write_pair((&secret, key.as_bytes()), (&public, text.as_bytes()))?;
    writeln!(out, "{}\n{}", secret.display(), public.display())?;
    Ok(())
}

/// Opens a secret key.
fn signing_key(key: &Path, passphrase: Option<&Path>) -> anyhow::Result<SigningKey> {
    let passphrase = passphrase.map(setup::passphrase_in).transpose()?;
    SigningKey::open(key, passphrase.as_ref()).with_context(|| key.display().to_string())
}

fn sign(file: &Path, key: &SigningKey, to: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let package = look(file)?;
    let manifest = package.manifest();
    let comment = format!("{} {} {}", manifest.id(), manifest.version(), package.digest());
    let signed = key.sign(unsigned(package.bytes()), &comment)?;
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata()?.permissions());
    crate::forward::file::receive(to, &signed, &Entropy::system())
        .with_context(|| format!("{} can't be written", to.display()))?;
    // What is written is for its owner only; a connector is no secret.
    std::fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    writeln!(out, "{}: signed\n  {comment}", to.display())?;
    Ok(())
}

fn verify(file: &Path, trust: &Trust, form: &Form, out: &mut dyn Write) -> anyhow::Result<()> {
    let package = open(file, trust)?;
    if form.json {
        let (manifest, signer) = (package.manifest(), package.signer());
        let told = json!({
            "signed-by": signer.map(|signer| &signer.owner), "key": signer.map(|signer| &signer.key),
            "id": manifest.id().as_str(), "version": manifest.version().to_string(), "digest": package.digest(),
        });
        writeln!(out, "{told}")?;
        return Ok(());
    }
    match package.signer() {
        Some(signer) => writeln!(out, "{}: signed by {} ({})", file.display(), signer.owner, signer.key)?,
        None => writeln!(out, "{}: nobody known has signed it; accepted in development only", file.display())?,
    }
    writeln!(out, "  {} {} {}", package.manifest().id(), package.manifest().version(), package.digest())?;
    Ok(())
}

fn limits(form: &Form, out: &mut dyn Write) -> anyhow::Result<()> {
    if form.json {
        let row = |limit: &LimitName| {
            let row = limit.row();
            json!({
                "name": row.name, "unit": row.unit.to_string(), "default": row.default, "maximum": row.maximum,
                "beyond": row.beyond.to_string().trim_matches('`'), "bounds": row.bounds,
            })
        };
        writeln!(out, "{}", Value::from_iter(LimitName::ALL.iter().map(row)))?;
        return Ok(());
    }
    let mut table = Table::new();
    table.set_header(["limit", "unit", "default", "maximum", "what is more", "bounds"]);
    for limit in LimitName::ALL {
        let row = limit.row();
        table.add_row([
            row.name,
            &row.unit.to_string(),
            &row.default.to_string(),
            &row.maximum.to_string(),
            row.beyond.to_string().trim_matches('`'),
            row.bounds,
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}
