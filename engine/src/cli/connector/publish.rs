//! `connector publish`: built as it is shipped, tested as that, signed, and put into a platform's folder.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use tokio::task::block_in_place;

use super::subject;
use super::test;
use super::{look, sign, signing_key};

/// What to publish, and where.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The folder with the connector's source.
    #[arg(default_value = ".")]
    connector: PathBuf,
    /// The platform's folder of connectors.
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// The secret key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A file with its passphrase, mode 600; or /dev/fd/N.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

pub(super) async fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    ensure!(options.to.is_dir(), "{} is no folder", options.to.display());
    // Before minutes are spent on what it could not sign.
    let key = signing_key(&options.key, options.passphrase_file.as_deref())?;
    let subject = block_in_place(|| subject::of(&options.connector, None))?;
    let manifest = subject.package.manifest();
    let path = options.to.join(format!("{}-{}.wasm", manifest.id(), manifest.version()));
    if path.exists() {
        bail!("{} is published already: a version is published once; raise it in manifest.toml", path.display());
    }
    let findings = test::suite(&subject).await?;
    test::show(&findings, out)?;
    if findings.iter().any(|finding| !finding.faults.is_empty()) {
        bail!("nothing is published: every failure state is shown, or declared not to apply");
    }
    // Beside it first: whoever looks into the folder meanwhile finds whole files only.
    let part = path.with_extension("part");
    std::fs::write(&part, subject.package.bytes()).with_context(|| part.display().to_string())?;
    let signed = sign(&part, &key, &part, &mut std::io::sink()).and_then(|()| Ok(std::fs::rename(&part, &path)?));
    if signed.is_err() {
        // It was never there.
        let _ = std::fs::remove_file(&part);
    }
    signed?;
    let package = look(&path)?;
    writeln!(out, "{}: published, {}", path.display(), package.digest())?;
    Ok(ExitCode::SUCCESS)
}
