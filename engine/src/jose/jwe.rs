//! JWE in compact serialisation: RSA-OAEP-256 and A256GCM, and nothing else.
//!
//! Opening takes two steps, since the private key may stand in an HSM: [`Token::parse`], then [`Token::open`] with what
//! the key made of the encrypted key. A failed unwrap goes on with a random key, so that every failure takes the same way.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey};
use consentry_host_api::memory::locked;
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::members::Members;
use super::{HEADER_BYTES_MAX, PublicKey, RecipientKey, Refused, decode, encode, encode_to};

/// Longest token that carries credentials or an answer, in bytes.
pub const CREDENTIALS_BYTES_MAX: usize = 64 * 1024;
/// Longest token that carries a parcel, in bytes: documents are inside.
pub const PARCEL_BYTES_MAX: usize = 32 * 1024 * 1024;

const CEK_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
/// All members that a header may have: `typ` and `cty` say what is inside, and bind nothing.
const MEMBERS: [&str; 5] = ["alg", "enc", "kid", "typ", "cty"];

/// What is inside a token, as its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Bytes that the two ends know how to read.
    Plain,
    /// A JWS.
    Signed,
}

/// A token of the right form and suite, not yet opened.
pub struct Token {
    /// The header as it was sent: the associated data.
    header: String,
    kid: String,
    encrypted_key: Vec<u8>,
    nonce: [u8; NONCE_LEN],
    /// Ciphertext and tag.
    sealed: Vec<u8>,
}

impl Token {
    /// Takes a token apart. It must be RSA-OAEP-256 with A256GCM, name its key, and ask for nothing else.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn parse(token: &str, bytes_max: usize) -> Result<Self, Refused> {
        let token = Self::parse_with_optional_kid(token, bytes_max)?;
        if token.kid.is_empty() { Err(Refused) } else { Ok(token) }
    }

    pub(super) fn parse_with_optional_kid(token: &str, bytes_max: usize) -> Result<Self, Refused> {
        if token.len() > bytes_max {
            return Err(Refused);
        }
        let mut parts = token.split('.');
        let mut part = || parts.next().ok_or(Refused);
        let (header, key, nonce, ciphertext, tag) = (part()?, part()?, part()?, part()?, part()?);
        if parts.next().is_some() || header.len() > HEADER_BYTES_MAX * 4 / 3 {
            return Err(Refused);
        }
        let members = Members::read(&decode(header)?).ok_or(Refused)?;
        let pinned = members.text("alg") == Some("RSA-OAEP-256") && members.text("enc") == Some("A256GCM");
        if !pinned || !members.names().all(|name| MEMBERS.contains(&name)) {
            return Err(Refused);
        }
        let kid = match members.text("kid") {
            None if members.contains("kid") => return Err(Refused),
            kid => kid.unwrap_or_default().to_owned(),
        };
        let (mut sealed, tag) = (decode(ciphertext)?, decode(tag)?);
        if tag.len() != TAG_BYTES {
            return Err(Refused);
        }
        sealed.extend_from_slice(&tag);
        Ok(Self {
            header: header.to_owned(),
            kid,
            encrypted_key: decode(key)?,
            nonce: decode(nonce)?.try_into().map_err(|_| Refused)?,
            sealed,
        })
    }

    /// Names the key it was sealed to.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The content encryption key, encrypted to that key.
    pub fn encrypted_key(&self) -> &[u8] {
        &self.encrypted_key
    }

    /// Opens the token with what the key made of the encrypted key, or with its failure.
    ///
    /// # Errors
    /// [`Refused`], whatever is wrong.
    pub fn open(self, cek: Result<Zeroizing<Vec<u8>>, Refused>) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let mut substitute = Zeroizing::new([0; CEK_BYTES]);
        aws_lc_rs::rand::fill(substitute.as_mut_slice()).map_err(|_| Refused)?;
        let cek = match &cek {
            Ok(cek) if cek.len() == CEK_BYTES => cek.as_slice(),
            _ => substitute.as_slice(),
        };
        let mut buffer = locked(|| Zeroizing::new(self.sealed.clone()));
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let aad = Aad::from(self.header.as_bytes());
        let length = aead(cek)?.open_in_place(nonce, aad, &mut buffer).map_err(|_| Refused)?.len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

/// Seals bytes to a recipient.
///
/// # Errors
/// [`Refused`] if the token would be longer than any that we open.
pub fn seal(plaintext: &[u8], content: Content, to: &RecipientKey, rng: &mut dyn CryptoRng) -> Result<String, Refused> {
    // base64url adds a third.
    if plaintext.len() > PARCEL_BYTES_MAX / 4 * 3 - 2 * HEADER_BYTES_MAX {
        return Err(Refused);
    }
    let mut cek = Zeroizing::new([0; CEK_BYTES]);
    let mut nonce = [0; NONCE_LEN];
    rng.fill_bytes(cek.as_mut_slice());
    rng.fill_bytes(&mut nonce);

    let key = encrypt_with(cek.as_slice(), to.oaep())?;
    let mut sealed = plaintext.to_vec();
    let mut token = encode(header(content, to.public().kid()).as_bytes());
    let tag = aead(cek.as_slice())?
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(token.as_bytes()), &mut sealed)
        .map_err(|_| Refused)?;
    // One buffer of its final size: a parcel may be large.
    token.reserve_exact((key.len() + nonce.len() + sealed.len() + tag.as_ref().len()) * 4 / 3 + 8);
    for part in [&key, &nonce[..], &sealed, tag.as_ref()] {
        token.push('.');
        encode_to(part, &mut token);
    }
    Ok(token)
}

fn header(content: Content, kid: &str) -> String {
    let mut header = serde_json::json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": kid });
    if content == Content::Signed {
        header["cty"] = "JWT".into();
    }
    header.to_string()
}

pub(crate) fn encrypt_key(cek: &[u8], to: &PublicKey) -> Result<Vec<u8>, Refused> {
    encrypt_with(cek, &to.oaep()?)
}

fn encrypt_with(cek: &[u8], key: &OaepPublicEncryptingKey) -> Result<Vec<u8>, Refused> {
    let mut encrypted = vec![0; key.ciphertext_size()];
    let length = key.encrypt(&OAEP_SHA256_MGF1SHA256, cek, &mut encrypted, None).map_err(|_| Refused)?.len();
    encrypted.truncate(length);
    Ok(encrypted)
}

fn aead(key: &[u8]) -> Result<LessSafeKey, Refused> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| Refused)
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("kid", &self.kid).field("bytes", &self.sealed.len()).finish_non_exhaustive()
    }
}
