//! A key of the person's own, EC P-256, and the proof that somebody holds it: a key binding JWT (RFC 9901, section 4.3), ES256. A receipt that
//! names such a key proves nothing without it. Nothing secret is here: the private key stays in the person's browser or program.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::members::Members;
use super::{HEADER_BYTES_MAX, Refused, decode, encode};

/// What a proof says that it is.
const TYP: &str = "kb+jwt";
/// Longest proof, in bytes.
const PROOF_BYTES_MAX: usize = 4096;
/// How old a proof may be.
pub const PROOF_LIFE: SignedDuration = SignedDuration::from_mins(5);
/// How far the person's clock may be ahead.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);
const COORDINATE_BYTES: usize = 32;

/// A person's public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "EcJwk", try_from = "EcJwk")]
pub struct HolderKey {
    x: [u8; COORDINATE_BYTES],
    y: [u8; COORDINATE_BYTES],
}

/// An EC P-256 public key as JWK. What else a browser writes into one is passed over.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EcJwk {
    /// `EC`.
    kty: String,
    /// `P-256`.
    crv: String,
    /// Base64url.
    x: String,
    /// Base64url.
    y: String,
    /// Never: a private key was given where a public one belongs.
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    d: Option<serde::de::IgnoredAny>,
}

/// A JWK that is no EC P-256 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a holder's key is a public JWK with kty EC and crv P-256")]
pub struct NotAHolderKey;

/// What a proof has to be about.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The SD-JWT as it is shown, with the tilde at its end.
    pub shown: &'a str,
    /// Whom it is shown to.
    pub audience: &'a str,
    /// The time.
    pub now: Timestamp,
}

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    aud: String,
    nonce: String,
    sd_hash: String,
}

impl HolderKey {
    /// Checks that a proof is by this key, fresh, and about what is wanted. Gives its nonce, which is the caller's to look at.
    ///
    /// # Errors
    /// [`Refused`], whatever is wrong.
    pub fn verify(&self, proof: &str, wanted: Wanted<'_>) -> Result<String, Refused> {
        if proof.len() > PROOF_BYTES_MAX {
            return Err(Refused);
        }
        let (signed, signature) = proof.rsplit_once('.').ok_or(Refused)?;
        let (header, payload) = signed.split_once('.').filter(|(_, rest)| !rest.contains('.')).ok_or(Refused)?;
        if header.len() > HEADER_BYTES_MAX {
            return Err(Refused);
        }
        let header = Members::read(&decode(header)?).ok_or(Refused)?;
        if header.text("alg") != Some("ES256") || header.text("typ") != Some(TYP) || header.contains("crit") {
            return Err(Refused);
        }
        self.parsed()?.verify_sig(signed.as_bytes(), &decode(signature)?).map_err(|_| Refused)?;
        let payload = decode(payload)?;
        // Each member once, as in a header.
        Members::read(&payload).ok_or(Refused)?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| Refused)?;
        let made_at = Timestamp::from_second(claims.iat).map_err(|_| Refused)?;
        let age = wanted.now.duration_since(made_at);
        let fresh = age <= PROOF_LIFE && age >= -AHEAD;
        let about = claims.sd_hash == encode(&Sha256::digest(wanted.shown.as_bytes()));
        if fresh && about && claims.aud == wanted.audience { Ok(claims.nonce) } else { Err(Refused) }
    }

    fn parsed(&self) -> Result<ParsedPublicKey, Refused> {
        // A point without compression.
        let mut point = vec![4];
        point.extend_from_slice(&self.x);
        point.extend_from_slice(&self.y);
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| Refused)
    }
}

impl TryFrom<EcJwk> for HolderKey {
    type Error = NotAHolderKey;

    fn try_from(jwk: EcJwk) -> Result<Self, NotAHolderKey> {
        if jwk.kty != "EC" || jwk.crv != "P-256" || jwk.d.is_some() {
            return Err(NotAHolderKey);
        }
        let coordinate = |text: &str| decode(text).ok()?.try_into().ok();
        let (x, y) = coordinate(&jwk.x).zip(coordinate(&jwk.y)).ok_or(NotAHolderKey)?;
        let key = Self { x, y };
        // A point that is not on the curve would lock its person out.
        key.parsed().map_err(|Refused| NotAHolderKey)?;
        Ok(key)
    }
}

impl From<HolderKey> for EcJwk {
    fn from(key: HolderKey) -> Self {
        let [kty, crv] = ["EC", "P-256"].map(str::to_owned);
        Self { kty, crv, x: encode(&key.x), y: encode(&key.y), d: None }
    }
}

/// A person's key with its private half, for tests.
#[cfg(test)]
pub(crate) struct Holder {
    pair: aws_lc_rs::signature::EcdsaKeyPair,
    pub(crate) key: HolderKey,
}

#[cfg(test)]
impl Holder {
    pub(crate) fn new() -> Self {
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let key = HolderKey { x: point[1..33].try_into().unwrap(), y: point[33..65].try_into().unwrap() };
        Self { pair, key }
    }

    /// Shows an SD-JWT with a proof behind it.
    pub(crate) fn show(&self, shown: &str, audience: &str, nonce: &str, now: Timestamp) -> String {
        let hash = encode(&Sha256::digest(shown.as_bytes()));
        let claims = serde_json::json!({ "iat": now.as_second(), "aud": audience, "nonce": nonce, "sd_hash": hash });
        format!("{shown}{}", self.sign(&serde_json::json!({ "alg": "ES256", "typ": TYP }), &claims))
    }

    pub(crate) fn sign(&self, header: &serde_json::Value, claims: &serde_json::Value) -> String {
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let random = aws_lc_rs::rand::SystemRandom::new();
        let signature = self.pair.sign(&random, signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::now;

    const SHOWN: &str = "a.b.c~d~";

    fn claims() -> Value {
        let hash = encode(&Sha256::digest(SHOWN.as_bytes()));
        json!({ "iat": now().as_second(), "aud": "https://consentry.example/", "nonce": "n", "sd_hash": hash })
    }

    #[test]
    fn a_proof_is_by_the_key_fresh_and_about_what_is_shown() {
        let (holder, other) = (Holder::new(), Holder::new());
        let wanted = Wanted { shown: SHOWN, audience: "https://consentry.example/", now: now() };
        let header = json!({ "alg": "ES256", "typ": "kb+jwt" });
        let good = holder.sign(&header, &claims());
        assert_eq!(holder.key.verify(&good, wanted), Ok("n".to_owned()));
        assert_eq!(
            holder
                .show(SHOWN, wanted.audience, "n", now())
                .strip_prefix(SHOWN)
                .map(|proof| holder.key.verify(proof, wanted).is_ok()),
            Some(true)
        );
        assert_eq!(other.key.verify(&good, wanted), Err(Refused));
        let with = |name: &str, value: Value| {
            let mut changed = claims();
            changed[name] = value;
            holder.sign(&header, &changed)
        };
        let second = now().as_second();
        for (what, proof) in [
            ("another hash", with("sd_hash", "x".into())),
            ("somebody else", with("aud", "https://other.example/".into())),
            ("too old", with("iat", (second - 301).into())),
            ("of tomorrow", with("iat", (second + 61).into())),
            ("no nonce", with("nonce", Value::Null)),
            ("another kind", holder.sign(&json!({ "alg": "ES256", "typ": "JWT" }), &claims())),
            ("no algorithm", holder.sign(&json!({ "alg": "none", "typ": "kb+jwt" }), &claims())),
            ("critical", holder.sign(&json!({ "alg": "ES256", "typ": "kb+jwt", "crit": [] }), &claims())),
            ("cut", good[..good.len() - 2].to_owned()),
            ("more", format!("{good}.x")),
            ("nothing", String::new()),
        ] {
            assert_eq!(holder.key.verify(&proof, wanted), Err(Refused), "{what}");
        }
        let late = Wanted { now: now() + SignedDuration::from_mins(5), ..wanted };
        assert!(holder.key.verify(&good, late).is_ok());
    }

    #[test]
    fn only_a_public_point_of_the_curve_is_a_key() {
        let key = serde_json::to_value(&Holder::new().key).unwrap();
        let read = |change: &dyn Fn(&mut Value)| {
            let mut changed = key.clone();
            change(&mut changed);
            serde_json::from_value::<HolderKey>(changed).is_ok()
        };
        assert!(read(&|_| {}) && read(&|key| key["ext"] = true.into()));
        assert!(!read(&|key| key["d"] = "c2VjcmV0".into()));
        assert!(!read(&|key| key["crv"] = "P-384".into()) && !read(&|key| key["kty"] = "RSA".into()));
        assert!(!read(&|key| key["x"] = key["y"].clone()), "not on the curve");
        assert!(!read(&|key| key["x"] = "AA".into()));
    }
}
