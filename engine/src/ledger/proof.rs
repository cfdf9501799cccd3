//! What shows offline that a leaf is in the ledger: a signed checkpoint and the hashes that lead from the leaf to its root, as
//! one text (C2SP tlog-proof). Pure; needs nothing but the log's public key.
//!
//! A checkpoint is a signed note whose signature is PS256 by the key for the duty `log`. That kind of signature has no number of
//! its own among signed notes, so it is named (type 0xff).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tlog_tiles::{Checkpoint, Hash};

use super::tiles::Tree;
use crate::data::Digest;
use crate::jose::{PublicKey, Refused, jws};

/// The first line of a proof.
const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Longest proof, in bytes.
pub const PROOF_BYTES_MAX: usize = 8 * 1024;
/// What is hashed into the id of a key besides its name: type and name of the signature, as signed notes have it.
const SIGNATURE_TYPE: &[u8] = b"\xffconsentry.ps256";

/// What a proof shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Which log.
    pub origin: String,
    /// The leaf's place in it.
    pub index: u64,
    /// How many leaves it had when the checkpoint was signed.
    pub size: u64,
}

/// The text of a checkpoint, to be signed.
pub(super) fn text(origin: &str, tree: Tree) -> String {
    format!("{origin}\n{}\n{}\n", tree.size, tree.root)
}

/// A signed checkpoint.
pub(super) fn note(text: &str, origin: &str, kid: &str, signature: &[u8]) -> String {
    let mut signed = key_id(origin, kid).to_vec();
    signed.extend_from_slice(signature);
    format!("{text}\n— {origin} {}\n", STANDARD.encode(signed))
}

/// Puts a proof together.
pub(super) fn proof(index: u64, hashes: &[Hash], note: &str) -> String {
    let hashes: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
    format!("{HEADER}\nindex {index}\n{hashes}\n{note}")
}

/// Checks a checkpoint against the log's keys.
///
/// # Errors
/// [`Refused`], whatever is wrong.
pub fn checkpoint(note: &str, keys: &[PublicKey]) -> Result<Checkpoint, Refused> {
    let (text, signature) = note.split_once("\n\n").ok_or(Refused)?;
    let text = format!("{text}\n");
    let checkpoint = Checkpoint::from_bytes(text.as_bytes()).map_err(|_| Refused)?;
    // One signature in one spelling: nothing in it can be changed without being noticed.
    let (name, signed) = signature.strip_prefix("— ").and_then(|line| line.split_once(' ')).ok_or(Refused)?;
    let signed = signed.strip_suffix('\n').and_then(|text| STANDARD.decode(text).ok()).ok_or(Refused)?;
    let (id, signature) = signed.split_at_checked(4).ok_or(Refused)?;
    if name != checkpoint.origin() || checkpoint.to_bytes() != text.as_bytes() {
        return Err(Refused);
    }
    let key = keys.iter().find(|key| key_id(name, key.kid()) == id).ok_or(Refused)?;
    jws::verify_detached(text.as_bytes(), signature, key)?;
    Ok(checkpoint)
}

/// Checks that what a leaf commits to is in the log.
///
/// # Errors
/// [`Refused`], whatever is wrong.
pub fn verify(proof: &str, commitment: &Digest, keys: &[PublicKey]) -> Result<Shown, Refused> {
    if proof.len() > PROOF_BYTES_MAX {
        return Err(Refused);
    }
    let (head, note) = proof.split_once("\n\n").ok_or(Refused)?;
    let checkpoint = checkpoint(note, keys)?;
    let mut lines = head.lines();
    let index = match (lines.next(), lines.next().and_then(|line| line.strip_prefix("index "))) {
        (Some(HEADER), Some(index)) => index.parse().map_err(|_| Refused)?,
        _ => return Err(Refused),
    };
    let hashes: Result<Vec<Hash>, Refused> = lines.map(|line| Hash::parse_hash(line).map_err(|_| Refused)).collect();
    let hashes = hashes?;
    if self::proof(index, &hashes, note) != proof {
        return Err(Refused);
    }
    let leaf = tlog_tiles::record_hash(commitment.as_bytes());
    let (size, root) = (checkpoint.size(), *checkpoint.hash());
    tlog_tiles::check_record(&hashes, size, root, index, leaf).map_err(|_| Refused)?;
    Ok(Shown { origin: checkpoint.origin().to_owned(), index, size })
}

fn key_id(name: &str, kid: &str) -> [u8; 4] {
    let mut hash = Sha256::new();
    for part in [name.as_bytes(), b"\n", SIGNATURE_TYPE, b"\n", kid.as_bytes()] {
        hash.update(part);
    }
    let hash: [u8; 32] = hash.finalize().into();
    [hash[0], hash[1], hash[2], hash[3]]
}
