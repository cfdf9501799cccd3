//! A receipt as the person keeps it: the signed receipt, and the proofs that its leaves are in the ledger.
//!
//! The receipt is signed at once; the proofs come when the leaves have their places. Both are checked without us: the receipt
//! by a key that signs, the proofs by a key of the log.

use serde::{Deserialize, Serialize};

use super::{RECEIPT_BYTES_MAX, Receipt, ReceiptError};
use crate::jose::{PublicKey, Refused};
use crate::ledger::proof::{self, PROOF_BYTES_MAX, Shown};

/// Most leaves of one receipt.
const PROOFS_MAX: usize = 16;
/// Longest file, in bytes.
pub const FILE_BYTES_MAX: usize = RECEIPT_BYTES_MAX + PROOFS_MAX * PROOF_BYTES_MAX;

/// A receipt and its proofs. Its one form is the JSON that [`ReceiptFile::to_text`] writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptFile {
    /// The receipt: an SD-JWT with all its disclosures.
    pub receipt: String,
    /// For each leaf of the receipt, in its order, the proof that it is in the ledger. Empty as long as one is missing.
    pub proofs: Vec<String>,
}

impl ReceiptFile {
    /// The text of the file.
    pub fn to_text(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Reads a file in its one form; a line break at its end may be there.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn read(text: &str) -> Result<Self, Refused> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        if text.len() > FILE_BYTES_MAX {
            return Err(Refused);
        }
        let file: Self = serde_json::from_str(text).map_err(|_| Refused)?;
        if file.to_text() == text && file.proofs.len() <= PROOFS_MAX { Ok(file) } else { Err(Refused) }
    }

    /// Checks everything: the signature, that the leaves commit to what the receipt says, and that each is in the log.
    ///
    /// # Errors
    /// [`ReceiptError::NotInTheLog`] for one without its proofs, else as [`Receipt::verify`].
    pub fn verify(&self, signing: &[PublicKey], log: &[PublicKey]) -> Result<(Receipt, Vec<Shown>), ReceiptError> {
        let receipt = Receipt::verify(&self.receipt, signing)?;
        let leaves = &receipt.facts().leaves;
        if leaves.len() != self.proofs.len() {
            return Err(ReceiptError::NotInTheLog);
        }
        let shown = leaves.iter().zip(&self.proofs).map(|(leaf, text)| proof::verify(text, &leaf.commitment, log));
        let shown = shown.collect::<Result<_, _>>().map_err(|_| ReceiptError::NotInTheLog)?;
        Ok((receipt, shown))
    }
}
