use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, PrivateDecryptingKey};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::jwe::{self, CREDENTIALS_BYTES_MAX, Content, Token};
use super::*;

static OAEP: LazyLock<Value> =
    LazyLock::new(|| vectors(include_str!("../../tests/vectors/wycheproof/rsa_oaep_4096_sha256_mgf1sha256_test.json")));
static JWE: LazyLock<Value> =
    LazyLock::new(|| vectors(include_str!("../../tests/vectors/wycheproof/json_web_encryption_test.json")));

fn vectors(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// A published RSA-4096 key, so that no test waits for a new one.
pub(crate) fn published_pkcs8() -> Vec<u8> {
    hex::decode(OAEP["testGroups"][0]["privateKeyPkcs8"].as_str().unwrap()).unwrap()
}

pub(crate) fn published_key(algorithm: Algorithm) -> PrivateKey {
    PrivateKey::from_pkcs8(algorithm, &published_pkcs8()).unwrap()
}

pub(crate) fn recipient() -> RecipientKey {
    RecipientKey::from_public(published_key(Algorithm::RsaOaep256).public().clone()).unwrap()
}

fn seal(plaintext: &[u8]) -> String {
    jwe::seal(plaintext, Content::Plain, &recipient(), &mut StdRng::seed_from_u64(7)).unwrap()
}

#[test]
fn wycheproof_rsa_oaep_4096() {
    let key = published_key(Algorithm::RsaOaep256);
    let (mut opened, mut refused) = (0, 0);
    for test in OAEP["testGroups"][0]["tests"].as_array().unwrap() {
        let bytes = |name: &str| hex::decode(test[name].as_str().unwrap()).unwrap();
        let result = key.unwrap_key(&bytes("ct"));
        // JWE has no label: what was encrypted under one is refused, however well it was encrypted.
        if test["result"] == "valid" && test["label"] == "" {
            assert_eq!(*result.unwrap(), bytes("msg"), "{test}");
            opened += 1;
        } else {
            assert_eq!(result.err(), Some(Refused), "{test}");
            refused += 1;
        }
    }
    assert!(opened >= 5 && opened + refused == 37, "{opened} opened, {refused} refused");
}

fn private_from_jwk(jwk: &Value) -> OaepKey {
    let part = |name: &str| decode(jwk[name].as_str().unwrap()).unwrap();
    let pair = KeyPair::from_components(&KeyPairComponents {
        public_key: aws_lc_rs::signature::RsaPublicKeyComponents { n: part("n"), e: part("e") },
        d: part("d"),
        p: part("p"),
        q: part("q"),
        dP: part("dp"),
        dQ: part("dq"),
        qInv: part("qi"),
    })
    .unwrap();
    let key = PrivateDecryptingKey::from_pkcs8(AsDer::as_der(&pair).unwrap().as_ref()).unwrap();
    OaepKey::new(key).unwrap()
}
use aws_lc_rs::rsa::OaepPrivateDecryptingKey as OaepKey;

fn open_with(key: &OaepKey, token: &str) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let token = Token::parse_with_optional_kid(token, CREDENTIALS_BYTES_MAX)?;
    let mut buffer = vec![0; key.min_output_size()];
    let cek = key
        .decrypt(&aws_lc_rs::rsa::OAEP_SHA256_MGF1SHA256, token.encrypted_key(), &mut buffer, None)
        .map(|cek| Zeroizing::new(cek.to_vec()))
        .map_err(|_| Refused);
    token.open(cek)
}

#[test]
fn wycheproof_jwe_opens_our_suite_and_no_other() {
    let (mut opened, mut refused, mut of_other_keys) = (0, 0, 0);
    for group in JWE["testGroups"].as_array().unwrap() {
        if group["private"]["kty"] != "RSA" {
            // A key that is no RSA key opens nothing here, whatever the token says of itself.
            for test in group["tests"].as_array().unwrap() {
                let token = Token::parse_with_optional_kid(test["jwe"].as_str().unwrap(), CREDENTIALS_BYTES_MAX);
                assert_eq!(token.err(), Some(Refused), "{test}");
                of_other_keys += 1;
            }
            continue;
        }
        let key = private_from_jwk(&group["private"]);
        for test in group["tests"].as_array().unwrap() {
            let result = open_with(&key, test["jwe"].as_str().unwrap());
            let ours = group["comment"] == "jwe_rsa_oaep_256" && test["enc"] == "A256GCM" && test["result"] == "valid";
            if ours {
                assert_eq!(hex::encode(result.unwrap().as_slice()), test["pt"]);
                opened += 1;
            } else {
                assert_eq!(result.err(), Some(Refused), "{test}");
                refused += 1;
            }
        }
    }
    assert_eq!((opened, refused, of_other_keys), (1, 43, 95));
}

#[test]
fn the_tokens_of_the_standards_are_of_other_suites_and_are_refused() {
    let tokens = vectors(include_str!("../../tests/vectors/rfc.json"));
    let tokens_of = |kind: &str| tokens[kind].as_object().unwrap().clone();
    let mut suites = std::collections::BTreeSet::new();
    for (name, token) in tokens_of("jwe") {
        let token = token.as_str().unwrap();
        let header = members::Members::read(&decode(token.split('.').next().unwrap()).unwrap()).unwrap();
        suites.insert(format!("{} {}", header.text("alg").unwrap(), header.text("enc").unwrap()));
        assert_eq!(Token::parse_with_optional_kid(token, CREDENTIALS_BYTES_MAX).err(), Some(Refused), "{name}");
    }
    assert!(suites.len() >= 9 && suites.contains("RSA-OAEP A256GCM"), "{suites:?}");
    let key = published_key(Algorithm::Ps256).public().clone();
    for (name, token) in tokens_of("jws") {
        assert_eq!(jws::kid(token.as_str().unwrap(), 10_000), Err(Refused), "{name}");
        assert_eq!(jws::verify(token.as_str().unwrap(), "JWT", 10_000, &key), Err(Refused), "{name}");
    }
}

#[test]
fn what_is_sealed_opens_again_and_is_never_sealed_alike() {
    let key = published_key(Algorithm::RsaOaep256);
    let rng = &mut StdRng::seed_from_u64(1);
    for length in [0, 1, 200, 40_000] {
        let plaintext = vec![0x2e; length];
        let [one, two] = [0, 1].map(|_| jwe::seal(&plaintext, Content::Signed, &recipient(), rng).unwrap());
        assert_ne!(one, two);
        assert_eq!(*key.open(&one, CREDENTIALS_BYTES_MAX).unwrap(), plaintext);
    }
}

#[test]
fn tokens_of_other_libraries_open_and_their_signatures_hold() {
    for file in [include_str!("../../tests/vectors/jose.json"), include_str!("../../tests/vectors/jwcrypto.json")] {
        let vector = vectors(file);
        let text = |name: &str| vector[name].as_str().unwrap();
        let opened = published_key(Algorithm::RsaOaep256).open(text("jwe"), CREDENTIALS_BYTES_MAX).unwrap();
        assert_eq!(opened.as_slice(), text("jwe_plaintext").as_bytes());
        let key = published_key(Algorithm::Ps256).public().clone();
        assert_eq!(key.kid(), text("kid"));
        let payload = jws::verify(text("jws"), text("jws_typ"), CREDENTIALS_BYTES_MAX, &key).unwrap();
        assert_eq!(payload, text("jws_payload").as_bytes());
        assert!(jws::verify(text("jws"), "other", CREDENTIALS_BYTES_MAX, &key).is_err());
    }
}

/// Replaces the header of a good token: the tag fails in any case, so this shows only what [`Token::parse`] lets through.
#[track_caller]
fn parses(header: &str) -> bool {
    let token = seal(b"secret");
    let (_, rest) = token.split_once('.').unwrap();
    Token::parse(&format!("{}.{rest}", encode(header.as_bytes())), CREDENTIALS_BYTES_MAX).is_ok()
}

#[test]
fn a_header_that_asks_for_anything_else_is_refused() {
    assert!(parses(r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"k"}"#));
    assert!(parses(r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"k","typ":"JWE","cty":"json"}"#));
    for header in [
        r#"{"alg":"RSA-OAEP-256","enc":"A256GCM"}"#,
        r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":""}"#,
        r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":7}"#,
        r#"{"alg":"RSA-OAEP","enc":"A256GCM","kid":"k"}"#,
        r#"{"alg":"RSA1_5","enc":"A256GCM","kid":"k"}"#,
        r#"{"alg":"dir","enc":"A256GCM","kid":"k"}"#,
        r#"{"alg":"rsa-oaep-256","enc":"A256GCM","kid":"k"}"#,
        r#"{"alg":"RSA-OAEP-256","enc":"A128GCM","kid":"k"}"#,
        r#"{"alg":"RSA-OAEP-256","enc":"A256CBC-HS512","kid":"k"}"#,
        r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"k","crit":["exp"]}"#,
        r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"k","zip":"DEF"}"#,
        r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"k","jku":"https://attacker.example"}"#,
        r#"{"alg":"RSA1_5","alg":"RSA-OAEP-256","enc":"A256GCM","kid":"k"}"#,
        r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"k","kid":"k"}"#,
        r#"["RSA-OAEP-256"]"#,
        "",
    ] {
        assert!(!parses(header), "{header}");
    }
    assert!(!parses(&format!(r#"{{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"{}"}}"#, "k".repeat(3000))));
}

#[test]
fn a_token_of_another_form_or_size_is_refused() {
    let key = published_key(Algorithm::RsaOaep256);
    let good = seal(b"secret");
    assert!(key.open(&good, good.len()).is_ok());
    assert!(key.open(&good, good.len() - 1).is_err(), "one byte over the limit");
    let four = good.rsplit_once('.').unwrap().0;
    for wrong in
        [String::new(), ".".repeat(4), four.to_owned(), format!("{good}."), format!("{good}="), format!(" {good}")]
    {
        assert_eq!(key.open(&wrong, CREDENTIALS_BYTES_MAX), Err(Refused), "{wrong}");
    }
    assert_eq!(
        jwe::seal(&vec![0; jwe::PARCEL_BYTES_MAX], Content::Plain, &recipient(), &mut StdRng::seed_from_u64(1)),
        Err(Refused)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_changed_token_opens(at in any::<prop::sample::Index>(), replacement in "[A-Za-z0-9_.-]") {
        let good = seal(b"secret");
        let mut bytes = good.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = replacement.as_bytes()[0];
        let changed = String::from_utf8(bytes).unwrap();
        prop_assume!(changed != good);
        let opened = published_key(Algorithm::RsaOaep256).open(&changed, CREDENTIALS_BYTES_MAX);
        prop_assert_eq!(opened, Err(Refused));
    }
}

fn signed(typ: &str) -> String {
    let key = published_key(Algorithm::Ps256);
    let unsigned = jws::Unsigned::new(typ, key.public().kid(), b"payload");
    let signature = key.sign(unsigned.message()).unwrap();
    unsigned.with(&signature)
}

#[test]
fn a_signature_holds_for_its_key_its_kind_and_its_bytes_only() {
    let key = published_key(Algorithm::Ps256).public().clone();
    let token = signed("receipt+jwt");
    assert_eq!(jws::kid(&token, 10_000).unwrap(), key.kid());
    assert_eq!(jws::verify(&token, "receipt+jwt", 10_000, &key).unwrap(), b"payload");
    assert_eq!(jws::verify(&token, "parcel+jwt", 10_000, &key), Err(Refused));
    assert_eq!(jws::verify(&token, "receipt+jwt", token.len() - 1, &key), Err(Refused));
    let encryption = published_key(Algorithm::RsaOaep256).public().clone();
    assert_eq!(jws::verify(&token, "receipt+jwt", 10_000, &encryption), Err(Refused));

    let (header, rest) = token.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let other = encode(b"another");
    let unsigned = encode(json!({"alg": "none", "kid": key.kid(), "typ": "receipt+jwt"}).to_string().as_bytes());
    for wrong in [
        format!("{header}.{other}.{signature}"),
        format!("{header}.{payload}."),
        format!("{unsigned}.{payload}."),
        format!("{unsigned}.{payload}.{signature}"),
        format!("{header}.{payload}.{}", encode(&[0; 512])),
        format!("{header}.{payload}.{payload}.{signature}"),
    ] {
        assert_eq!(jws::verify(&wrong, "receipt+jwt", 10_000, &key), Err(Refused), "{wrong}");
    }
}

#[test]
fn a_key_reads_back_from_its_jwk_and_is_named_by_its_thumbprint() {
    let key = published_key(Algorithm::RsaOaep256).public().clone();
    let jwk = key.to_jwk();
    assert_eq!(PublicKey::from_jwk(&jwk.to_string(), Algorithm::RsaOaep256), Ok(key.clone()));
    let bare = json!({"kty": "RSA", "n": jwk["n"], "e": jwk["e"], "ext": true, "key_ops": ["encrypt"]}).to_string();
    assert_eq!(RecipientKey::from_jwk(&bare).unwrap().public(), &key);
    assert_eq!(key.modulus_bits(), 4096);
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Value), error: JwkError) {
    let mut jwk = published_key(Algorithm::RsaOaep256).public().to_jwk();
    change(&mut jwk);
    assert_eq!(RecipientKey::from_jwk(&jwk.to_string()), Err(error));
}

#[test]
fn a_key_that_is_small_private_or_for_something_else_is_refused() {
    let small = &JWE["testGroups"].as_array().unwrap().iter().find(|g| g["comment"] == "jwe_rsa_oaep_256").unwrap();
    let small = small["public"].to_string();
    assert_eq!(RecipientKey::from_jwk(&small), Err(JwkError::Size { bits: 2048 }));
    refused(|jwk| jwk["d"] = "AQAB".into(), JwkError::Private);
    refused(|jwk| jwk["use"] = "sig".into(), JwkError::Use("enc"));
    refused(|jwk| jwk["alg"] = "RSA-OAEP".into(), JwkError::Use("RSA-OAEP-256"));
    refused(|jwk| jwk["kty"] = "EC".into(), JwkError::Malformed("`kty` is not RSA"));
    refused(|jwk| jwk["e"] = "Aw".into(), JwkError::Malformed("the exponent is less than 65537"));
    refused(|jwk| jwk["kid"] = "".into(), JwkError::Malformed("`kid` is empty or too long"));
    refused(|jwk| jwk["kid"] = "k".repeat(129).into(), JwkError::Malformed("`kid` is empty or too long"));
    refused(|jwk| jwk["n"] = "=".into(), JwkError::Malformed("`n` is not base64url"));
    let even = encode(&[&[0xff; 511][..], &[0xfe]].concat());
    refused(|jwk| jwk["n"] = even.into(), JwkError::Malformed("modulus or exponent are not those of an RSA key"));
    let huge = encode(&[0xff; 1025]);
    refused(|jwk| jwk["n"] = huge.into(), JwkError::Size { bits: 8200 });
    let twice = r#"{"kty":"RSA","n":"AQAB","n":"AQAB","e":"AQAB"}"#;
    assert!(matches!(RecipientKey::from_jwk(twice), Err(JwkError::Malformed(_))));
    let signing = published_key(Algorithm::Ps256).public().clone();
    assert_eq!(RecipientKey::from_public(signing), Err(JwkError::Use("RSA-OAEP-256")));
}

#[test]
fn a_private_key_prints_its_public_name_and_size_only() {
    let key = published_key(Algorithm::RsaOaep256);
    let kid = key.public().kid().to_owned();
    assert_eq!(
        format!("{key:?}"),
        format!(
            r#"PrivateKey {{ public: PublicKey {{ kid: "{kid}", algorithm: "RSA-OAEP-256", bits: 4096, .. }}, .. }}"#
        )
    );
}
