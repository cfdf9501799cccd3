//! Selective disclosure (RFC 9901, SD-JWT): claims that whoever has the receipt may keep to themself when they show it.
//!
//! A claim that can be withheld stands in the token as a digest; its name and value stand behind the token, salted, each by
//! itself. Only claims of the first level and items of lists on the first level can be withheld: receipts need no more.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::jose::Refused;

/// Most disclosures of one token.
const DISCLOSURES_MAX: usize = 256;
/// The digests of claims that were taken out.
const SD: &str = "_sd";
/// The digest of an item of a list that was taken out.
const SD_ITEM: &str = "...";
const SD_ALG: &str = "_sd_alg";
const SHA_256: &str = "sha-256";

/// What the salts of one token's disclosures are drawn from. Random, and forgotten once the token is made.
pub struct Blinding(Zeroizing<[u8; 32]>);

impl Blinding {
    /// Takes 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn salt(&self, number: usize) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice());
        let tag = hmac::sign(&key, format!("consentry-disclosure-1/{number}").as_bytes());
        // 128 bits, as RFC 9901 section 9.3 asks for.
        URL_SAFE_NO_PAD.encode(&tag.as_ref()[..16])
    }
}

impl std::fmt::Debug for Blinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Blinding")
    }
}

/// Takes claims out of `payload`, and the items of lists, and gives the disclosures that bring them back.
pub fn conceal(payload: &mut Map<String, Value>, claims: &[&str], lists: &[&str], blinding: &Blinding) -> Vec<String> {
    let mut disclosures = Vec::new();
    for name in lists {
        for item in payload.get_mut(*name).and_then(Value::as_array_mut).into_iter().flatten() {
            let disclosure = encode(&json!([blinding.salt(disclosures.len()), item]));
            *item = json!({ SD_ITEM: digest(&disclosure) });
            disclosures.push(disclosure);
        }
    }
    let mut digests = Vec::new();
    for name in claims {
        let Some(value) = payload.shift_remove(*name) else { continue };
        let disclosure = encode(&json!([blinding.salt(disclosures.len()), name, value]));
        digests.push(digest(&disclosure));
        disclosures.push(disclosure);
    }
    // Sorted, so that their order does not tell which is which.
    digests.sort();
    payload.insert(SD.to_owned(), json!(digests));
    payload.insert(SD_ALG.to_owned(), json!(SHA_256));
    disclosures
}

/// Puts what is disclosed back in its place. What is withheld is not there.
///
/// # Errors
/// [`Refused`]: a disclosure has no place, comes twice, or names a claim that is there already.
pub fn reveal(mut payload: Map<String, Value>, disclosures: &[&str]) -> Result<Map<String, Value>, Refused> {
    if disclosures.len() > DISCLOSURES_MAX || payload.shift_remove(SD_ALG) != Some(json!(SHA_256)) {
        return Err(Refused);
    }
    let mut open: Vec<(String, Vec<Value>)> = Vec::new();
    for disclosure in disclosures {
        let bytes = URL_SAFE_NO_PAD.decode(disclosure).map_err(|_| Refused)?;
        let digest = digest(disclosure);
        if open.iter().any(|(known, _)| *known == digest) {
            return Err(Refused);
        }
        open.push((digest, serde_json::from_slice(&bytes).map_err(|_| Refused)?));
    }
    for list in payload.values_mut().filter_map(Value::as_array_mut) {
        let mut shown = Vec::new();
        for item in list.drain(..) {
            let Some(hidden) = hidden(&item) else {
                shown.push(item);
                continue;
            };
            if let Some(at) = open.iter().position(|(digest, _)| digest == hidden) {
                let (_, parts) = open.swap_remove(at);
                let [_, value]: [Value; 2] = parts.try_into().map_err(|_| Refused)?;
                shown.push(value);
            }
        }
        *list = shown;
    }
    let digests = payload.shift_remove(SD).and_then(|digests| match digests {
        Value::Array(digests) => Some(digests),
        _ => None,
    });
    for digest in digests.ok_or(Refused)? {
        let Some(at) = open.iter().position(|(known, _)| digest == known.as_str()) else { continue };
        let (_, parts) = open.swap_remove(at);
        let [_, name, value]: [Value; 3] = parts.try_into().map_err(|_| Refused)?;
        let name = name.as_str().filter(|name| ![SD, SD_ITEM, SD_ALG].contains(name)).ok_or(Refused)?;
        if payload.insert(name.to_owned(), value).is_some() {
            return Err(Refused);
        }
    }
    if open.is_empty() { Ok(payload) } else { Err(Refused) }
}

fn hidden(item: &Value) -> Option<&str> {
    let item = item.as_object().filter(|item| item.len() == 1)?;
    item.get(SD_ITEM)?.as_str()
}

fn encode(disclosure: &Value) -> String {
    URL_SAFE_NO_PAD.encode(disclosure.to_string())
}

fn digest(disclosure: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(disclosure.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concealed() -> (Map<String, Value>, Vec<String>) {
        let payload = json!({ "outcome": "delivered", "source": { "id": "bank" }, "categories": ["name", "iban"] });
        let Value::Object(mut payload) = payload else { unreachable!() };
        let blinding = Blinding::from_bytes([7; 32]);
        let disclosures = conceal(&mut payload, &["source", "absent"], &["categories"], &blinding);
        (payload, disclosures)
    }

    #[test]
    fn what_is_withheld_is_not_there_and_what_is_disclosed_is_back_in_its_place() {
        let (payload, disclosures) = concealed();
        assert_eq!(disclosures.len(), 3);
        assert!(!serde_json::to_string(&payload).unwrap().contains("bank"), "{payload:?}");
        let all: Vec<&str> = disclosures.iter().map(String::as_str).collect();
        let shown = Value::Object(reveal(payload.clone(), &all).unwrap());
        assert_eq!(
            shown,
            json!({ "outcome": "delivered", "source": { "id": "bank" }, "categories": ["name", "iban"] })
        );
        let some = Value::Object(reveal(payload, &all[1..2]).unwrap());
        assert_eq!(some, json!({ "outcome": "delivered", "categories": ["iban"] }));
    }

    #[test]
    fn a_disclosure_that_comes_twice_or_has_no_place_is_refused() {
        let (payload, disclosures) = concealed();
        let all: Vec<&str> = disclosures.iter().map(String::as_str).collect();
        let strange = encode(&json!(["salt", "source", "another bank"]));
        for wrong in [vec![all[0], all[0]], vec![all[0], &strange], vec!["!"], vec![""]] {
            assert!(reveal(payload.clone(), &wrong).is_err(), "{wrong:?}");
        }
        let mut clash = payload.clone();
        clash.insert("source".to_owned(), json!("a bank"));
        assert!(reveal(clash, &all).is_err());
        let mut other = payload;
        other.insert(SD_ALG.to_owned(), json!("sha-1"));
        assert!(reveal(other, &all).is_err());
    }
}
