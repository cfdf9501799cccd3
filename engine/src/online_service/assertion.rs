//! How an Online Service says who it is: a short-lived token of its registered signing key (`private_key_jwt`, RFC 7523). Pure: that an
//! assertion is used once is for whoever remembers those that were.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::OnlineService;
use crate::id::OnlineServiceId;
use crate::jose::jws;

/// What the form of the request says an assertion is.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// What the signature may say it is: what JOSE libraries write by themselves, and the name it has of its own.
pub const TYPS: [&str; 2] = ["JWT", "client-authentication+jwt"];
/// Longest life of an assertion.
pub const LIFE_MAX: SignedDuration = SignedDuration::from_secs(300);
/// Longest `jti`, in bytes.
pub const JTI_BYTES_MAX: usize = 128;
/// Longest assertion, in bytes.
pub const BYTES_MAX: usize = 8 * 1024;
/// By how much the clocks may differ.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// An assertion that holds, if it was not used before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// Who says it.
    pub by: OnlineServiceId,
    /// Its name.
    pub jti: String,
    /// Until when it would be good.
    pub expires_at: Timestamp,
}

/// Why an assertion does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// The signature, or the form.
    #[error(
        "not a PS256 token (`typ` JWT) of the registered signing key, with `kid`, `iss`, `sub`, `aud`, `jti`, `iat` and `exp`"
    )]
    Refused,
    /// Somebody else.
    #[error("`iss` and `sub` are both the Online Service's id")]
    Subject,
    /// Made for somebody else.
    #[error("`aud` is the address of the token endpoint")]
    Audience,
    /// Too early, too late, or good for too long.
    #[error("an assertion lives for 300 seconds at most, from `iat` to `exp`, and now is in between")]
    Time,
    /// No name, or one that is too long.
    #[error("`jti` has 1 to {JTI_BYTES_MAX} bytes, new in each assertion")]
    Name,
    /// It was used before.
    #[error("an assertion is used once")]
    Used,
    /// The Online Service has not signed the code of trust.
    #[error("the code of trust is not signed: `consentry commit`")]
    Uncommitted,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    jti: String,
    iat: i64,
    exp: i64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Assertion {
    /// Checks an assertion of this Online Service for this token endpoint. One that was made before `since` is refused: what was used
    /// before a restart is not known any more.
    ///
    /// # Errors
    /// [`AssertionError`].
    pub fn verify(
        token: &str,
        of: &OnlineService,
        audience: &str,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Self, AssertionError> {
        let signer = of.partner().signer.as_ref().ok_or(AssertionError::Refused)?;
        let payload = TYPS.iter().find_map(|typ| jws::verify(token, typ, BYTES_MAX, signer).ok());
        let claims: Claims =
            payload.and_then(|payload| serde_json::from_slice(&payload).ok()).ok_or(AssertionError::Refused)?;
        let id = of.id().to_string();
        if claims.iss != id || claims.sub != id {
            return Err(AssertionError::Subject);
        }
        let for_us = match &claims.aud {
            Audience::One(aud) => aud == audience,
            Audience::Several(all) => all.len() == 1 && all.iter().all(|aud| aud == audience),
        };
        if !for_us {
            return Err(AssertionError::Audience);
        }
        if claims.jti.is_empty() || claims.jti.len() > JTI_BYTES_MAX {
            return Err(AssertionError::Name);
        }
        let at = |second| Timestamp::from_second(second).map_err(|_| AssertionError::Time);
        let (made, expires_at) = (at(claims.iat)?, at(claims.exp)?);
        let lives = made <= now + SKEW && now < expires_at && expires_at.duration_since(made) <= LIFE_MAX;
        if !lives || made.as_second() < since.as_second() {
            return Err(AssertionError::Time);
        }
        if of.partner().commitment.is_none() {
            return Err(AssertionError::Uncommitted);
        }
        Ok(Self { by: of.id(), jti: claims.jti, expires_at })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::{id, lender, now};
    use crate::jose::Algorithm;
    use crate::jose::tests::published_key;

    pub(crate) const AUDIENCE: &str = "http://127.0.0.1/v1/token";

    /// A signed assertion with these claims.
    pub(crate) fn signed(claims: &Value, typ: &str) -> String {
        let key = published_key(Algorithm::Ps256);
        let unsigned = jws::Unsigned::new(typ, key.public().kid(), claims.to_string().as_bytes());
        let signature = key.sign(unsigned.message()).unwrap();
        unsigned.with(&signature)
    }

    /// Good claims of an Online Service.
    pub(crate) fn claims(of: OnlineServiceId, jti: &str, at: Timestamp) -> Value {
        let of = of.to_string();
        json!({ "iss": of, "sub": of, "aud": AUDIENCE, "jti": jti, "iat": at.as_second(), "exp": at.as_second() + 60 })
    }

    fn verify(claims: &Value, at: Timestamp) -> Result<Assertion, AssertionError> {
        Assertion::verify(&signed(claims, "JWT"), &lender(), AUDIENCE, now(), at)
    }

    #[test]
    fn an_assertion_says_who_for_whom_and_until_when() {
        let good = claims(id(1), "one", now());
        let read = verify(&good, now()).unwrap();
        assert_eq!((read.by, read.jti.as_str()), (id(1), "one"));
        let own = signed(&good, "client-authentication+jwt");
        assert!(Assertion::verify(&own, &lender(), AUDIENCE, now(), now()).is_ok());
        let other = signed(&good, "consentry-event+jwt");
        assert_eq!(Assertion::verify(&other, &lender(), AUDIENCE, now(), now()), Err(AssertionError::Refused));
    }

    #[test]
    fn whatever_does_not_fit_is_refused() {
        let second = now().as_second();
        for (name, value, why) in [
            ("iss", json!("osv_x"), AssertionError::Subject),
            ("sub", json!(id::<crate::id::kind::OnlineService>(2).to_string()), AssertionError::Subject),
            ("aud", json!("https://elsewhere.example/v1/token"), AssertionError::Audience),
            ("aud", json!([AUDIENCE, "https://elsewhere.example"]), AssertionError::Audience),
            ("jti", json!(""), AssertionError::Name),
            ("jti", json!("x".repeat(129)), AssertionError::Name),
            ("exp", json!(second), AssertionError::Time),
            ("exp", json!(second + 301), AssertionError::Time),
            ("iat", json!(second + 61), AssertionError::Time),
            ("iat", json!(second - 1), AssertionError::Time),
            ("iat", json!(null), AssertionError::Refused),
        ] {
            let mut claims = claims(id(1), "one", now());
            claims[name] = value;
            assert_eq!(verify(&claims, now()), Err(why), "{claims}");
        }
        let late = now() + SignedDuration::from_secs(60);
        assert_eq!(verify(&claims(id(1), "one", now()), late), Err(AssertionError::Time));
    }
}
