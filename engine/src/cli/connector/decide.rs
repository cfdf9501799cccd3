//! What an operator decides: what a version asks for more than another, approval of exactly that, revocation.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use comfy_table::Table;

use super::open;
use crate::cli::ConfigFile;
use crate::cli::audit::noted;
use crate::clock::{Clock as _, SystemClock};
use crate::collect::decisions::{Decisions, Difference, Revoked, Verdict, Version};
use crate::collect::signature::TrustedKey;
use crate::config::Config;
use crate::data::Digest;
use crate::engine::catalogue::Folder;
use crate::entropy::Entropy;
use crate::operator::Deed;
use crate::operator::audit::About;

/// A connector to approve.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Approve {
    /// The connector.
    file: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
    /// Approves exactly this difference, which was shown before.
    #[arg(long, value_name = "DIGEST", conflicts_with = "yes")]
    diff: Option<String>,
    /// Approves whatever it asks for.
    #[arg(long)]
    yes: bool,
}

/// What to revoke.
#[derive(Debug, clap::Args)]
#[group(id = "what", required = true, multiple = false, args = ["digest", "key"])]
pub(in crate::cli) struct Revoke {
    #[command(flatten)]
    config: ConfigFile,
    /// One version, by its whole digest.
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
    /// Everything that a key has signed: the line of the public key, or its file.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Why; it is shown where the connector would have been served.
    #[arg(long, value_name = "TEXT")]
    why: String,
}

/// What a version asks for more, and less.
pub(super) fn show(difference: &Difference, out: &mut dyn Write) -> anyhow::Result<()> {
    let told = |version: &Version| format!("{} {} {}", version.connector, version.version, version.digest);
    writeln!(out, "before {}", difference.before.as_ref().map_or("nothing was approved".to_owned(), told))?;
    writeln!(out, "after  {}", told(&difference.after))?;
    let mut table = Table::new();
    table.set_header(["", "about", "what"]);
    let signs = [("+", &difference.added), ("-", &difference.removed)];
    for (sign, permission) in signs.iter().flat_map(|(sign, all)| all.iter().map(move |each| (sign, each))) {
        table.add_row([(*sign).to_owned(), permission.kind.to_string(), permission.to_string()]);
    }
    if difference.added.is_empty() && difference.removed.is_empty() {
        writeln!(out, "both ask for the same")?;
    } else {
        writeln!(out, "{table}")?;
    }
    writeln!(out, "difference {}", difference.digest())?;
    Ok(())
}

/// A node's configuration, its folder of connectors, and its file of decisions.
fn node(file: &ConfigFile) -> anyhow::Result<(Config, Folder, PathBuf)> {
    let config = Config::read(&file.config)?;
    let folder = config.connectors()?;
    let decisions = folder.decisions.clone().context("a node keeps decisions")?;
    let parent = decisions.parent().context("it stands in the data folder")?;
    std::fs::create_dir_all(parent).with_context(|| format!("{} can't be made", parent.display()))?;
    Ok((config, folder, decisions))
}

pub(super) fn approve(options: &Approve, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let (config, folder, path) = node(&options.config)?;
    let package = open(&options.file, &folder.trust)?;
    if package.signer().is_none() {
        bail!("nobody known has signed {}: only what has a name can be approved", options.file.display());
    }
    let decisions = Decisions::read(&path)?;
    match decisions.verdict(&package) {
        Verdict::Revoked(revocation) => bail!("it is revoked: {}", revocation.why),
        Verdict::Approved => {
            writeln!(out, "{} is approved already", options.file.display())?;
            return Ok(ExitCode::SUCCESS);
        }
        Verdict::Covered(_) | Verdict::Waiting(_) => {}
    }
    let difference = decisions.difference(&package);
    show(&difference, out)?;
    let digest = difference.digest().to_string();
    if let Some(seen) = options.diff.as_ref().filter(|seen| **seen != digest) {
        bail!("this is another difference than {seen}: look at it again");
    }
    if options.diff.is_none() && !options.yes {
        let (config, file) = (options.config.config.display(), options.file.display());
        writeln!(
            out,
            "nothing is approved yet; to approve exactly this:\n  consentry connector approve --config {config} --diff {digest} {file}"
        )?;
        return Ok(ExitCode::FAILURE);
    }
    noted(&config, Deed::ConnectorApprove, Some(About::of(difference.after.digest)))?;
    let present = present(&folder);
    let now = SystemClock.now();
    let approved = Decisions::change(&path, &Entropy::system(), |decisions| {
        // Somebody else may have decided since it was shown.
        let same = decisions.difference(&package) == difference;
        if same {
            decisions.approve(&package, &difference, now);
            decisions.keep_time(|digest| *digest == difference.after.digest || present.contains(digest), now);
        }
        same
    })?;
    if !approved {
        bail!("somebody else decided about this connector meanwhile: look at it again");
    }
    writeln!(out, "approved; a node that runs takes it within seconds")?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn revoke(options: &Revoke, out: &mut dyn Write) -> anyhow::Result<()> {
    let (config, folder, path) = node(&options.config)?;
    let what = match (&options.digest, &options.key) {
        (Some(digest), _) => Revoked::Digest(Digest::try_from(digest.clone()).with_context(|| digest.clone())?),
        (_, Some(key)) => {
            let text = if key.starts_with("RW") {
                key.clone()
            } else {
                std::fs::read_to_string(key).with_context(|| key.clone())?
            };
            Revoked::Key(TrustedKey::parse("", &text)?.text().to_owned())
        }
        (None, None) => bail!("--digest or --key"),
    };
    let about = match &what {
        Revoked::Digest(digest) => About::of(digest),
        Revoked::Key(key) => About::of(key),
    };
    noted(&config, Deed::ConnectorRevoke, Some(about))?;
    let (present, now) = (present(&folder), SystemClock.now());
    Decisions::change(&path, &Entropy::system(), |decisions| {
        decisions.revoke(what, &options.why, now);
        decisions.keep_time(|digest| present.contains(digest), now);
    })?;
    writeln!(out, "revoked; a node that runs ends what it does with it within seconds")?;
    Ok(())
}

/// What stands in the folder.
fn present(folder: &Folder) -> Vec<Digest> {
    folder.load().0.connectors().map(|connector| connector.digest).collect()
}
