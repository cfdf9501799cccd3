//! JWS in compact serialisation: PS256, and nothing else. What is signed says what it is (`typ`), so that a receipt is never
//! taken for a parcel.

use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents};

use super::members::Members;
use super::{Algorithm, HEADER_BYTES_MAX, PublicKey, Refused, decode, encode, encode_to};

/// All members that a header may have.
const MEMBERS: [&str; 3] = ["alg", "kid", "typ"];
/// Room for the signature of the largest key that we make, with two points.
const SIGNATURE_TEXT_BYTES: usize = 1024;

/// A token without its signature: what is to be signed.
#[derive(Debug)]
pub struct Unsigned(String);

impl Unsigned {
    /// Puts a payload under a header. `typ` is a media type without `application/`.
    pub fn new(typ: &str, kid: &str, payload: &[u8]) -> Self {
        let header = serde_json::json!({ "alg": Algorithm::Ps256.name(), "kid": kid, "typ": typ }).to_string();
        let mut token = encode(header.as_bytes());
        // With room for the signature, so that what is signed is not copied, and no copy stays behind.
        token.reserve_exact(payload.len() * 4 / 3 + SIGNATURE_TEXT_BYTES);
        token.push('.');
        encode_to(payload, &mut token);
        Self(token)
    }

    /// The bytes to sign.
    pub fn message(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Adds the signature.
    pub fn with(self, signature: &[u8]) -> String {
        let mut token = self.0;
        token.push('.');
        encode_to(signature, &mut token);
        token
    }
}

/// Tells which key a token says it was signed with. It proves nothing: it only finds the key to [`verify`] with.
///
/// # Errors
/// [`Refused`] for whatever is not a token of this suite.
pub fn kid(token: &str, bytes_max: usize) -> Result<String, Refused> {
    let (header, _, _) = parts(token, bytes_max)?;
    header.text("kid").map(str::to_owned).ok_or(Refused)
}

/// Checks a token against the one key it must be signed with and gives its payload.
///
/// # Errors
/// [`Refused`], whatever is wrong.
pub fn verify(token: &str, typ: &str, bytes_max: usize, key: &PublicKey) -> Result<Vec<u8>, Refused> {
    let (header, signed, signature) = parts(token, bytes_max)?;
    if header.text("typ") != Some(typ) || header.text("kid") != Some(key.kid()) {
        return Err(Refused);
    }
    verify_detached(signed.as_bytes(), &decode(signature)?, key)?;
    let (_, payload) = signed.split_once('.').ok_or(Refused)?;
    decode(payload)
}

/// Checks a PS256 signature over bytes that are no token.
///
/// # Errors
/// [`Refused`], whatever is wrong.
pub fn verify_detached(message: &[u8], signature: &[u8], key: &PublicKey) -> Result<(), Refused> {
    if key.algorithm() != Algorithm::Ps256 {
        return Err(Refused);
    }
    let (n, e) = key.parts();
    RsaPublicKeyComponents { n, e }.verify(&RSA_PSS_2048_8192_SHA256, message, signature).map_err(|_| Refused)
}

fn parts(token: &str, bytes_max: usize) -> Result<(Members, &str, &str), Refused> {
    if token.len() > bytes_max {
        return Err(Refused);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refused)?;
    let (header, payload) = signed.split_once('.').ok_or(Refused)?;
    if payload.contains('.') || header.len() > HEADER_BYTES_MAX * 4 / 3 {
        return Err(Refused);
    }
    let members = Members::read(&decode(header)?).ok_or(Refused)?;
    let pinned = members.text("alg") == Some(Algorithm::Ps256.name());
    if !pinned || !members.names().all(|name| MEMBERS.contains(&name)) {
        return Err(Refused);
    }
    Ok((members, signed, signature))
}
