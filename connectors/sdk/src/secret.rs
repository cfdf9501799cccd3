//! What can be done with a secret without seeing it. Each of these describes; the host evaluates when the request is sent, in a place that
//! the manifest declares. A value is a text, bytes, a secret, or several of them in a tuple, as in a request.
//!
//! ```no_run
//! # use consentry_sdk::prelude::*;
//! # fn collect() -> Result {
//! let password = credential("password")?;
//! // hex(sha-256(text, hex(sha-256(raw))))
//! let inner = secret::digest("sha-256", &password)?;
//! let proof = secret::digest("sha-256", ("nonce of the page", inner.encoded("hex")))?;
//! post("/login").field("proof", proof.encoded("hex")).send()?;
//! # Ok(())
//! # }
//! ```

use crate::contract::credentials;
use crate::fault::Result;
use crate::request::{Piece, Secret, Value, encoded, pieces};

/// One behind the other.
///
/// # Errors
/// If there is nothing in it, or too much.
pub fn join<'a>(data: impl Value<'a>) -> Result<Secret> {
    credentials::join(&pieces(data))
}

/// `sha-256`, `sha-384`, `sha-512`, `sha-1`, `md5`; as bytes.
///
/// # Errors
/// If the algorithm is unknown.
pub fn digest<'a>(algorithm: &str, data: impl Value<'a>) -> Result<Secret> {
    credentials::digest(algorithm, &pieces(data))
}

/// `hmac-sha-256`, `hmac-sha-512`, `hmac-sha-1`; as bytes.
///
/// # Errors
/// If the algorithm is unknown.
pub fn mac<'a>(algorithm: &str, key: impl Value<'a>, data: impl Value<'a>) -> Result<Secret> {
    credentials::mac(algorithm, &pieces(key), &pieces(data))
}

/// `pbkdf2-sha-256`, `pbkdf2-sha-512`, `pbkdf2-sha-1`: a key of `size` bytes.
///
/// # Errors
/// If the algorithm is unknown, or it is too much work.
pub fn stretch<'a>(
    algorithm: &str,
    password: impl Value<'a>,
    salt: impl Value<'a>,
    rounds: u32,
    size: u32,
) -> Result<Secret> {
    credentials::stretch(algorithm, &pieces(password), &pieces(salt), rounds, size)
}

/// `aes-cbc`, `aes-gcm`, `rsa-pkcs1`, `rsa-oaep`, `rsa-oaep-256`; as bytes. The manifest says whose key it is: one that was captured, or
/// one that stands there.
///
/// # Errors
/// If the algorithm is unknown, or the IV does not fit it (16 bytes, 12, none).
pub fn encrypt<'a>(algorithm: &str, key: impl Value<'a>, iv: &[u8], data: impl Value<'a>) -> Result<Secret> {
    credentials::encrypt(algorithm, &pieces(key), iv, &pieces(data))
}

/// With one of the operator's keys. `rs256`, `ps256`, `es256`: the signature, as bytes. `jwt-rs256` and so on, each also with `:KEY-ID`: the
/// data is a JSON object of claims, and the whole token comes out; the host adds when it was issued, how long it is good and its id.
///
/// # Errors
/// If the algorithm is unknown, or the claims are none.
pub fn sign<'a>(algorithm: &str, key: &Secret, data: impl Value<'a>) -> Result<Secret> {
    credentials::sign(algorithm, key, &pieces(data))
}

impl Secret {
    /// In an encoding other than the host's own for the place: `base64`, `hex`, `json`, …
    pub fn encoded(&self, encoding: &str) -> Piece<'_> {
        encoded(encoding, self)
    }

    /// Without an encoding.
    ///
    /// # Errors
    /// If the encoding is unknown.
    pub fn decoded(&self, encoding: &str) -> Result<Secret> {
        credentials::decode(encoding, self)
    }

    /// The characters at these positions, counted from 1.
    ///
    /// # Errors
    /// If a position is 0 or there twice.
    pub fn characters(&self, positions: &[u32]) -> Result<Secret> {
        credentials::characters(self, positions)
    }

    /// Typed on a virtual keypad: each character is replaced by what stands beside it.
    ///
    /// # Errors
    /// If a key is not one character, or something is there twice.
    pub fn typed(&self, keys: &[(String, String)]) -> Result<Secret> {
        credentials::keypad(self, keys)
    }
}
