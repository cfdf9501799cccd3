//! `consentry anonymity`: an authority's order to lift somebody's anonymity, on the data folder of a node that is not running; and the tool
//! with which the authority opens what it is handed, on a machine of its own, without a network and without a node.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;

use super::{ConfigFile, rights};
use crate::entropy::Entropy;
use crate::escrow::{FILE_BYTES_MAX, LiftFile};
use crate::id::SubjectId;
use crate::jose::jwk::read_jwks;
use crate::jose::{Algorithm, PrivateKey};
use crate::operator::Deed;

/// Anonymity, and its end.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Notes an authority's order, has its leaf in the ledger, and writes the envelope for the authority. Nobody here can open it.
    Order {
        #[command(flatten)]
        file: ConfigFile,
        /// As whom an Online Service knows the person: `sub_…`, from one of its parcels.
        subject: SubjectId,
        /// Which authority.
        #[arg(long)]
        authority: String,
        /// The law and the order that it rests on.
        #[arg(long)]
        basis: String,
        /// Until when the order forbids to tell the person. Without it they see it at once.
        #[arg(long, value_name = "TIME")]
        untold_until: Option<Timestamp>,
        /// Where the envelope goes.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Opens an envelope with the authority's key. It refuses one whose order is not shown to be in the ledger.
    Open {
        /// The envelope, as `order` wrote it.
        file: PathBuf,
        /// The authority's private key: NAME.key.der.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The keys of the node, as `GET /v1/keys` gives them. Get them from a place you trust.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
    },
}

pub(super) async fn run(command: Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Command::Order { file, subject, authority, basis, untold_until, out: target } => {
            if authority.trim().is_empty() || basis.trim().is_empty() {
                bail!("--authority and --basis say who orders it, and on what it rests");
            }
            let engine = rights::engine(&file, Deed::AnonymityLift, Some(subject.to_string())).await?;
            let lifted = engine.lift(subject, &authority, &basis, untold_until).await;
            let (order, envelope) = lifted.context("nothing is in escrow of somebody known as this")?;
            let written = crate::forward::file::receive(&target, envelope.to_text().as_bytes(), &Entropy::system());
            written.with_context(|| format!("{} can't be written", target.display()))?;
            writeln!(out, "{order} is noted and in the ledger; the envelope is in {}", target.display())?;
        }
        Command::Open { file, key, keys } => {
            let told = || format!("{} can't be read", file.display());
            if std::fs::metadata(&file).with_context(told)?.len() > FILE_BYTES_MAX as u64 {
                bail!("{} is too long for an envelope", file.display());
            }
            let envelope: LiftFile = serde_json::from_str(&std::fs::read_to_string(&file).with_context(told)?)?;
            let (_, log) = read_jwks(&std::fs::read_to_string(&keys).context("the keys can't be read")?)?;
            let pkcs8 = crate::secret_file::read_private(&key).context("the authority's key can't be read")?;
            let key =
                PrivateKey::from_pkcs8(Algorithm::RsaOaep256, &pkcs8).context("this is no RSA-4096 key in PKCS#8")?;
            let (identity, at) = envelope.open(&key, &log)?;
            let ledger = json!({ "log": at.origin, "index": at.index, "size": at.size });
            writeln!(out, "{}", json!({ "identity": identity, "order": envelope.event, "ledger": ledger }))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
