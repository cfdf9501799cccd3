//! Tokens: nothing opens but what was sealed in the one suite to the one key, byte for byte; whatever else is tried fails alike. Which
//! headers are taken is read a second time, by a JSON reader that keeps names that stand twice.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consentry::jose::jwe::{self, CREDENTIALS_BYTES_MAX, Content, Token};
use consentry::jose::{Algorithm, PrivateKey, RecipientKey, Refused, jws};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

const PLAINTEXT: &[u8] = b"what nobody else reads";
const TYP: &str = "receipt+jwt";

struct World {
    opener: PrivateKey,
    signer: PrivateKey,
    sealed: String,
    signed: String,
}

/// A published key, so that nothing here is secret and no run waits for a new one.
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let vectors = include_str!("../../../engine/tests/vectors/wycheproof/rsa_oaep_4096_sha256_mgf1sha256_test.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let pkcs8 = hex::decode(vectors["testGroups"][0]["privateKeyPkcs8"].as_str().unwrap()).unwrap();
    let [opener, signer] =
        [Algorithm::RsaOaep256, Algorithm::Ps256].map(|algorithm| PrivateKey::from_pkcs8(algorithm, &pkcs8).unwrap());
    let to = RecipientKey::from_public(opener.public().clone()).unwrap();
    let sealed = jwe::seal(PLAINTEXT, Content::Plain, &to, &mut StdRng::seed_from_u64(7)).unwrap();
    let unsigned = jws::Unsigned::new(TYP, signer.public().kid(), PLAINTEXT);
    let signature = signer.sign(unsigned.message()).unwrap();
    World { opener, signer, signed: unsigned.with(&signature), sealed }
});

/// Takes a letter and the rest: `T` a whole token; `H` the header for a good token; `B` bits to flip in a good one, three bytes each;
/// `S`, `U`, `V` the same for a signed one.
pub fn check(data: &[u8]) {
    let World { sealed, signed, .. } = &*WORLD;
    match data {
        [b'T', rest @ ..] => text(rest, |token| opens(token, sealed)),
        [b'H', rest @ ..] => opens(&with_header(sealed, rest), sealed),
        [b'B', rest @ ..] => flipped(sealed, rest).into_iter().for_each(|token| opens(&token, sealed)),
        [b'S', rest @ ..] => text(rest, |token| verifies(token, signed)),
        [b'U', rest @ ..] => verifies(&with_header(signed, rest), signed),
        [b'V', rest @ ..] => flipped(signed, rest).into_iter().for_each(|token| verifies(&token, signed)),
        _ => {}
    }
}

fn text(data: &[u8], check: impl Fn(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        check(text);
    }
}

fn with_header(token: &str, header: &[u8]) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
}

/// Up to four flips of the token's bits.
fn flipped(token: &str, data: &[u8]) -> Option<String> {
    let mut bytes = token.as_bytes().to_vec();
    for flip in data.chunks_exact(3).take(4) {
        let at = usize::from(u16::from_be_bytes([flip[0], flip[1]])) % bytes.len();
        bytes[at] ^= 1 << (flip[2] % 8);
    }
    String::from_utf8(bytes).ok()
}

fn opens(token: &str, good: &str) {
    let parsed = Token::parse(token, CREDENTIALS_BYTES_MAX);
    assert_eq!(parsed.as_ref().is_ok_and(|_| true), is_in_suite(token), "{token}");
    let found = WORLD.opener.open(token, CREDENTIALS_BYTES_MAX);
    if token == good {
        assert_eq!(found.unwrap().as_slice(), PLAINTEXT);
        assert_eq!(WORLD.opener.open(token, token.len() - 1), Err(Refused), "over the limit");
    } else {
        assert_eq!(found, Err(Refused), "{token}");
        if let Ok(parsed) = parsed {
            // The two steps of an opener whose key stands elsewhere, and a key of the right length that is not the token's.
            let wrong = zeroize::Zeroizing::new(vec![7; 32]);
            assert_eq!(parsed.open(Ok(wrong)).map(drop), Err(Refused));
        }
    }
}

fn verifies(token: &str, good: &str) {
    let key = WORLD.signer.public();
    let found = jws::verify(token, TYP, CREDENTIALS_BYTES_MAX, key);
    if token == good {
        assert_eq!(found.unwrap(), PLAINTEXT);
        assert_eq!(jws::verify(token, "other", CREDENTIALS_BYTES_MAX, key), Err(Refused));
        assert_eq!(jws::verify(token, TYP, CREDENTIALS_BYTES_MAX, WORLD.opener.public()), Err(Refused));
    } else {
        assert_eq!(found, Err(Refused), "{token}");
    }
    if let Ok(kid) = jws::kid(token, CREDENTIALS_BYTES_MAX) {
        let members = members(token.split('.').next().unwrap_or_default()).unwrap();
        assert_eq!(member(&members, "kid"), Some(Value::String(kid)));
        assert_eq!(member(&members, "alg"), Some("PS256".into()));
    }
}

/// RFC 7516 and our pins, read once more.
fn is_in_suite(token: &str) -> bool {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, key, nonce, ciphertext, tag] = parts[..] else { return false };
    let Some(members) = members(header) else { return false };
    let is = |name: &str, wanted: &str| member(&members, name) == Some(wanted.into());
    let known = members.iter().all(|(name, _)| ["alg", "enc", "kid", "typ", "cty"].contains(&name.as_str()));
    let kid = member(&members, "kid").and_then(|kid| kid.as_str().map(str::to_owned)).unwrap_or_default();
    token.len() <= CREDENTIALS_BYTES_MAX
        && header.len() <= 2730
        && is("alg", "RSA-OAEP-256")
        && is("enc", "A256GCM")
        && known
        && !kid.is_empty()
        && [key, ciphertext].iter().all(|part| bytes(part).is_some())
        && bytes(nonce).is_some_and(|nonce| nonce.len() == 12)
        && bytes(tag).is_some_and(|tag| tag.len() == 16)
}

/// base64url without padding, whose spare bits are zero: one spelling for the same bytes.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut out, mut held, mut count) = (Vec::new(), 0_u32, 0);
    for byte in text.bytes() {
        let value = alphabet.iter().position(|known| *known == byte)?;
        held = held << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((held >> count) as u8);
            held &= (1 << count) - 1;
        }
    }
    (count < 6 && held == 0).then_some(out)
}

/// The members of a header in their order, if no name stands twice.
fn members(header: &str) -> Option<Vec<(String, Value)>> {
    let json = String::from_utf8(bytes(header)?).ok()?;
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(&json) else { return None };
    // Of two members with one name the map has one: then its writing is shorter by a member.
    let members: Vec<_> = object.into_iter().collect();
    (count_members(&json)? == members.len()).then_some(members)
}

/// Colons of the outermost object, outside of strings.
fn count_members(json: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped, mut count) = (0, false, false, 0);
    for c in json.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ':' if depth == 1 => count += 1,
            _ => {}
        }
    }
    Some(count)
}

fn member(members: &[(String, Value)], name: &str) -> Option<Value> {
    members.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
}
