//! Signatures with the operator's keys, and the tokens that are made of them (RFC 7519, RFC 7523). Of a token the host owns what bounds
//! its use: when it was issued, how long it is good, and what tells it from every other.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use jiff::Timestamp;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::buffer::Buffer;
use super::decode::standard_base64;
use super::encode::encode;
use super::{Encoding, EvaluationError, Piece, RecipeError, Scheme};

/// How long a token is good.
pub const TOKEN_SECONDS: i64 = 60;

/// Claims that are the host's.
const OWN_CLAIMS: [&str; 4] = ["iat", "nbf", "exp", "jti"];
const UNFIT: EvaluationError = EvaluationError::Unfit("sign");

type Value = Zeroizing<Vec<u8>>;
/// The digest of key and data, and their signature.
type Made = ([u8; 32], Value);

/// A signature with all its parameters but the key.
#[derive(Clone)]
pub(crate) struct Signing {
    scheme: Scheme,
    token: Option<Token>,
    /// The last signature and the digest of what it was made of. Some schemes are random: whoever evaluates again, to clean an answer of
    /// what was sent, must get what was sent.
    made: Arc<Mutex<Option<Made>>>,
}

impl PartialEq for Signing {
    fn eq(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.token == other.token
    }
}

impl Eq for Signing {}

impl Signing {
    pub(super) fn new(scheme: Scheme, token: Option<Token>) -> Self {
        Self { scheme, token, made: Arc::default() }
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(super) fn is_token(&self) -> bool {
        self.token.is_some()
    }

    pub(super) fn of(&self, key: &[u8], data: &[u8]) -> Result<Value, EvaluationError> {
        let Some(token) = &self.token else { return self.signature(key, data) };
        let mut out = token.signing_input(self.scheme, data)?;
        let signature = encode(self.signature(key, out.bytes())?, Encoding::Base64Url)?;
        out.push(b".");
        out.push(&signature);
        Ok(out.into_bytes())
    }

    fn signature(&self, key: &[u8], data: &[u8]) -> Result<Value, EvaluationError> {
        let mut both = Context::new(&SHA256);
        both.update(digest(&SHA256, key).as_ref());
        both.update(data);
        let mut of = [0; 32];
        of.copy_from_slice(both.finish().as_ref());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, signature)) = &*made
            && *known == of
        {
            return Ok(signature.clone());
        }
        let signature = sign(self.scheme, key, data)?;
        *made = Some((of, signature.clone()));
        Ok(signature)
    }
}

/// What a token holds besides the connector's claims.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    key_id: Option<String>,
    issued: Timestamp,
    id: [u8; 16],
}

impl Token {
    pub(super) fn new(key_id: Option<String>, issued: Timestamp, id: [u8; 16]) -> Result<Self, RecipeError> {
        let named = |name: &String| {
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
        };
        if key_id.as_ref().is_some_and(|name| !named(name)) {
            return Err(RecipeError::KeyId);
        }
        Ok(Self { key_id, issued, id })
    }

    /// Whether these pieces are claims, whatever stands in place of the secrets.
    pub(super) fn check(&self, claims: &[Piece]) -> Result<(), RecipeError> {
        let bytes: Vec<u8> = claims.iter().flat_map(|piece| piece.guest_bytes().unwrap_or(b"x")).copied().collect();
        members(&bytes).map(drop).ok_or(RecipeError::Claims)
    }

    /// Header and claims, as they are signed.
    fn signing_input(&self, scheme: Scheme, claims: &[u8]) -> Result<Buffer, EvaluationError> {
        let members = members(claims).ok_or(UNFIT)?;
        let mut own = String::new();
        let issued = self.issued.as_second();
        // A String takes all.
        let _ = write!(own, r#""iat":{issued},"exp":{},"jti":"{}""#, issued + TOKEN_SECONDS, hex::encode(self.id));
        let mut all = Buffer::with_capacity(claims.len() + own.len() + 16);
        all.push(b"{");
        all.push(own.as_bytes());
        for (name, value) in members {
            all.push(b",");
            all.push(serde_json::Value::from(name).to_string().as_bytes());
            all.push(b":");
            all.push(value.get().as_bytes());
        }
        all.push(b"}");
        let key_id = self.key_id.as_ref().map(|name| format!(r#","kid":"{name}""#)).unwrap_or_default();
        let header = format!(r#"{{"alg":"{}","typ":"JWT"{key_id}}}"#, scheme.as_str().to_ascii_uppercase());
        let mut out = Buffer::with_capacity(claims.len() * 2 + 512);
        out.push(&encode(Zeroizing::new(header.into_bytes()), Encoding::Base64Url)?);
        out.push(b".");
        out.push(&encode(all.into_bytes(), Encoding::Base64Url)?);
        Ok(out)
    }
}

/// The members of an object, each name once (the map keeps one of two alike) and none of the host's.
fn members(claims: &[u8]) -> Option<BTreeMap<String, &RawValue>> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(claims).ok()?;
    OWN_CLAIMS.iter().all(|own| !members.contains_key(*own)).then_some(members)
}

fn sign(scheme: Scheme, key: &[u8], data: &[u8]) -> Result<Value, EvaluationError> {
    let key = private_key(key)?;
    let random = SystemRandom::new();
    let rsa = |padding: &'static dyn RsaEncoding| {
        let key = RsaKeyPair::from_pkcs8(&key).or_else(|_| RsaKeyPair::from_der(&key)).map_err(|_| UNFIT)?;
        let mut signature = Zeroizing::new(vec![0; key.public_modulus_len()]);
        key.sign(padding, &random, data, &mut signature).map_err(|_| UNFIT)?;
        Ok(signature)
    };
    match scheme {
        Scheme::Rs256 => rsa(&RSA_PKCS1_SHA256),
        Scheme::Ps256 => rsa(&RSA_PSS_SHA256),
        Scheme::Es256 => {
            let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key).map_err(|_| UNFIT)?;
            let signature = key.sign(&random, data).map_err(|_| UNFIT)?;
            Ok(Zeroizing::new(signature.as_ref().to_vec()))
        }
    }
}

/// DER of an operator's key, which is kept as DER or as PEM.
fn private_key(key: &[u8]) -> Result<Value, EvaluationError> {
    let Some(text) = std::str::from_utf8(key).ok().map(str::trim).filter(|text| text.starts_with("-----BEGIN")) else {
        return Ok(Zeroizing::new(key.to_vec()));
    };
    let body = text.split_once("KEY-----").and_then(|(_, rest)| rest.split_once("-----END")).ok_or(UNFIT)?.0;
    standard_base64(body.as_bytes())
}
