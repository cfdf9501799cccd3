//! The envelopes of the outside world: JWE, JWS and JWK, in one pinned suite.
//!
//! Encryption is RSA-OAEP-256 with A256GCM, signatures are PS256, keys are RSA of at least 4096 bits. Nothing is negotiated:
//! a sender can't choose, and whatever does not fit is refused like whatever does not open. Compact serialisation only.

// Public keys as JSON (RFC 7517), and their thumbprints (RFC 7638).
// Keys of persons, which receipts are bound to.
pub mod holder;
pub mod jwk;
// Encryption (RFC 7516).
pub mod jwe;
// Signatures (RFC 7515).
pub mod jws;
mod members;
mod private_key;

pub(crate) use jwk::rsa_of_some_size;
pub use jwk::{Algorithm, JwkError, PublicKey, RecipientKey};
pub use private_key::PrivateKey;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Longest protected header, in bytes of its JSON.
const HEADER_BYTES_MAX: usize = 2048;

/// Something was not opened, or a signature does not hold.
///
/// There is one such error on purpose (RFC 7516, section 11.5): to tell a wrong padding from a wrong tag would be an oracle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused: made for another key or in another suite than RSA-OAEP-256/A256GCM or PS256, damaged, or too large")]
pub struct Refused;

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn encode_to(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Decodes base64url as RFC 7515 wants it: no padding, no spare bits.
fn decode(text: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused)
}

#[cfg(test)]
pub(crate) mod tests;
