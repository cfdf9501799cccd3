//! Encryption to a key of the Data Source. AES runs in aws-lc-rs; RSA in `rsa`, because there the padding can be made from a seed: what
//! was sent can be made again when the answer is cleaned of it, and is kept nowhere meanwhile.

use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_192, AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, Oaep, Pkcs1v15Encrypt, RsaPublicKey};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::decode::{hex, standard_base64};
use super::{Cipher, EvaluationError, RecipeError};

/// Fewest bits of an RSA key. Some sites still serve keys of this size.
const RSA_BITS_MIN: usize = 1024;
const UNFIT: EvaluationError = EvaluationError::Unfit("encrypt");

/// An encryption with all its parameters but the key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Encryption {
    cipher: Cipher,
    iv: Vec<u8>,
    seed: Zeroizing<[u8; 32]>,
}

type Value = Zeroizing<Vec<u8>>;

impl Encryption {
    pub(super) fn new(cipher: Cipher, iv: Vec<u8>, seed: [u8; 32]) -> Result<Self, RecipeError> {
        let size = match cipher {
            Cipher::AesCbc => 16,
            Cipher::AesGcm => 12,
            Cipher::RsaPkcs1 | Cipher::RsaOaep | Cipher::RsaOaep256 => 0,
        };
        if iv.len() == size { Ok(Self { cipher, iv, seed: Zeroizing::new(seed) }) } else { Err(RecipeError::Iv) }
    }

    pub(super) fn cipher(&self) -> Cipher {
        self.cipher
    }

    pub(super) fn guest_bytes(&self) -> usize {
        self.iv.len()
    }

    pub(super) fn is_rsa(&self) -> bool {
        !matches!(self.cipher, Cipher::AesCbc | Cipher::AesGcm)
    }

    /// Whether these bytes are a key of this cipher.
    pub(super) fn fits(&self, key: &[u8]) -> bool {
        if self.is_rsa() { public_key(key).is_some() } else { matches!(key.len(), 16 | 24 | 32) }
    }

    pub(super) fn of(&self, key: &[u8], data: &[u8]) -> Result<Value, EvaluationError> {
        match self.cipher {
            Cipher::AesCbc => self.cbc(key, data),
            Cipher::AesGcm => self.gcm(key, data),
            Cipher::RsaPkcs1 | Cipher::RsaOaep | Cipher::RsaOaep256 => self.rsa(key, data),
        }
    }

    fn cbc(&self, key: &[u8], data: &[u8]) -> Result<Value, EvaluationError> {
        let algorithm = match key.len() {
            16 => &AES_128,
            24 => &AES_192,
            _ => &AES_256,
        };
        let key = UnboundCipherKey::new(algorithm, key).and_then(PaddedBlockEncryptingKey::cbc_pkcs7);
        let iv = FixedLength::<16>::try_from(self.iv.as_slice()).map_err(|_| UNFIT)?;
        // Room for the padding, so that nothing is moved and left behind.
        let mut out = room(data, 16);
        let context = EncryptionContext::Iv128(iv);
        key.and_then(|key| key.less_safe_encrypt(&mut *out, context)).map_err(|_| UNFIT)?;
        Ok(out)
    }

    fn gcm(&self, key: &[u8], data: &[u8]) -> Result<Value, EvaluationError> {
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            24 => &AES_192_GCM,
            _ => &AES_256_GCM,
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).map_err(|_| UNFIT)?);
        let nonce = Nonce::try_assume_unique_for_key(&self.iv).map_err(|_| UNFIT)?;
        let mut out = room(data, 16);
        key.seal_in_place_append_tag(nonce, Aad::empty(), &mut *out).map_err(|_| UNFIT)?;
        Ok(out)
    }

    fn rsa(&self, key: &[u8], data: &[u8]) -> Result<Value, EvaluationError> {
        let key = public_key(key).ok_or(UNFIT)?;
        let mut random = ChaCha20Rng::from_seed(*self.seed);
        let encrypted = match self.cipher {
            Cipher::RsaOaep => key.encrypt(&mut random, Oaep::new::<sha1::Sha1>(), data),
            Cipher::RsaOaep256 => key.encrypt(&mut random, Oaep::new::<sha2::Sha256>(), data),
            _ => key.encrypt(&mut random, Pkcs1v15Encrypt, data),
        };
        encrypted.map(Zeroizing::new).map_err(|_| UNFIT)
    }
}

fn room(data: &[u8], more: usize) -> Value {
    let mut out = Zeroizing::new(Vec::with_capacity(data.len() + more));
    out.extend_from_slice(data);
    out
}

/// A JSON Web Key (RFC 7517), as far as it is read.
#[derive(Deserialize)]
struct Jwk {
    n: String,
    e: String,
}

/// Reads a public key as sites serve it: PEM, DER (SubjectPublicKeyInfo or PKCS #1), the same in base64, JWK, or modulus and exponent in
/// hexadecimal with a comma between.
fn public_key(bytes: &[u8]) -> Option<RsaPublicKey> {
    let bytes = bytes.trim_ascii();
    let key = if let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| text.starts_with("-----BEGIN")) {
        RsaPublicKey::from_public_key_pem(text).ok().or_else(|| RsaPublicKey::from_pkcs1_pem(text).ok())
    } else if bytes.starts_with(b"{") {
        let jwk: Jwk = serde_json::from_slice(bytes).ok()?;
        let number = |text: &str| {
            let engine = &base64::engine::general_purpose::URL_SAFE_NO_PAD;
            Some(BigUint::from_bytes_be(&base64::Engine::decode(engine, text).ok()?))
        };
        RsaPublicKey::new(number(&jwk.n)?, number(&jwk.e)?).ok()
    } else if bytes.starts_with(&[0x30]) && bytes.get(1).is_some_and(|byte| *byte >= 0x80) {
        der(bytes)
    } else if let Some(comma) = bytes.iter().position(|byte| *byte == b',') {
        let number = |text: &[u8]| {
            let text = text.trim_ascii();
            let even = if text.len().is_multiple_of(2) { text.to_vec() } else { [b"0", text].concat() };
            Some(BigUint::from_bytes_be(&hex(&even).ok()?))
        };
        RsaPublicKey::new(number(&bytes[..comma])?, number(&bytes[comma + 1..])?).ok()
    } else {
        der(&standard_base64(bytes).ok()?)
    };
    key.filter(|key| key.n().bits() >= RSA_BITS_MIN)
}

fn der(bytes: &[u8]) -> Option<RsaPublicKey> {
    RsaPublicKey::from_public_key_der(bytes).ok().or_else(|| RsaPublicKey::from_pkcs1_der(bytes).ok())
}
