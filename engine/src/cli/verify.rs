//! `consentry verify`: checks a receipt without a network, without an engine, and without asking anybody.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::json;

use crate::erase::receipt::{ErasureReceipt, RECEIPT_BYTES_MAX};
use crate::jose::jwk::read_jwks;
use crate::named_file;
use crate::receipt::file::{FILE_BYTES_MAX, ReceiptFile};
use crate::receipt::{Facts, Receipt};

/// Checks what somebody was given, offline.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Checks a receipt: its signature, that its events are what the ledger's leaves commit to, and that the leaves are in the
    /// ledger.
    Receipt(Options),
    /// Checks the receipt of an erasure: its signature.
    Erasure(ErasureOptions),
}

/// Which receipt of an erasure, by which keys.
#[derive(Debug, clap::Args)]
pub(super) struct ErasureOptions {
    /// The receipt, as `consentry erase` wrote it.
    file: PathBuf,
    /// The keys of the node that signed it, as `GET /v1/keys` gives them. Get them from a place you trust.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

/// Which receipt, by which keys.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The receipt: the JSON with `receipt` and `proofs`, or the receipt alone.
    file: PathBuf,
    /// The keys of the engine that issued it, as `GET /v1/keys` gives them. Get them from a place you trust.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// Also takes a receipt without proofs, or one of which parts were withheld: only its signature is checked then.
    #[arg(long)]
    signature_only: bool,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Command::Receipt(options) => receipt(options, out),
        Command::Erasure(options) => erasure(options, out),
    }
}

fn erasure(options: &ErasureOptions, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let text = read_up_to(&options.file, RECEIPT_BYTES_MAX)?;
    let (signing, _) = read_jwks(&read(&options.keys)?).context("the keys can't be used")?;
    let written: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let token = written.as_ref().and_then(|written| written["receipt"].as_str()).unwrap_or(text.trim_end());
    let receipt = ErasureReceipt::verify(token, &signing).context("the receipt does not hold")?;
    if options.json {
        writeln!(out, "{}", json!({ "verified": true, "facts": receipt.facts() }))?;
    } else {
        super::erase::tell(receipt.facts(), out)?;
        writeln!(out, "the receipt holds: it is what this node signed")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn receipt(options: &Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let text = read(&options.file)?;
    let (signing, log) = read_jwks(&read(&options.keys)?).context("the keys can't be used")?;
    if options.signature_only {
        let file = ReceiptFile::read(&text);
        let token = file.as_ref().map_or(text.trim_end(), |file| file.receipt.as_str());
        let shown = Receipt::presented(token, &signing).context("the receipt does not hold")?;
        writeln!(out, "{}", serde_json::Value::Object(shown))?;
        return Ok(ExitCode::SUCCESS);
    }
    let Ok(file) = ReceiptFile::read(&text) else {
        bail!("this is no receipt with its proofs, or it was changed; --signature-only checks a receipt alone");
    };
    let (receipt, places) = file.verify(&signing, &log).context("the receipt does not hold")?;
    if options.json {
        let places: Vec<_> =
            places.iter().map(|at| json!({ "log": at.origin, "index": at.index, "size": at.size })).collect();
        writeln!(out, "{}", json!({ "verified": true, "facts": receipt.facts(), "ledger": places }))?;
        return Ok(ExitCode::SUCCESS);
    }
    tell(receipt.facts(), out)?;
    for (leaf, at) in receipt.facts().leaves.iter().zip(&places) {
        writeln!(out, "ledger   {} is leaf {} of {} in {}", leaf.event.name(), at.index, at.size, at.origin)?;
    }
    writeln!(out, "the receipt holds: signature, events and ledger")?;
    Ok(ExitCode::SUCCESS)
}

fn tell(facts: &Facts, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "receipt  {}", facts.receipt)?;
    let code = facts.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
    writeln!(out, "outcome  {}{code}, from {} to {}", facts.outcome, facts.began_at, facts.ended_at)?;
    writeln!(out, "source   {} by connector {} {}", facts.source.id, facts.source.connector, facts.source.version)?;
    writeln!(out, "for      {}, consent {}", facts.online_service, facts.consent)?;
    for each in &facts.categories {
        writeln!(out, "shared   {} of {} {}", each.shared, each.collected, each.category)?;
    }
    writeln!(out, "erased   {}: {}", facts.erased.at, facts.erased.parts.join(", "))?;
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    read_up_to(path, FILE_BYTES_MAX)
}

fn read_up_to(path: &Path, bytes_max: usize) -> anyhow::Result<String> {
    named_file::read_text(path, bytes_max).with_context(|| format!("{} can't be read", path.display()))
}
