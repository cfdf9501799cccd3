//! Known answers of the standards, and other implementations at the other end.

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, Pkcs1PrivateDecryptingKey,
    PrivateDecryptingKey,
};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PSS_2048_8192_SHA256,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, RsaPrivateKey};

use super::*;

fn bytes(hexadecimal: &str) -> Vec<u8> {
    hex::decode(hexadecimal.replace(['\n', ' '], "")).unwrap()
}

fn own(bytes: &[u8]) -> Vec<Piece> {
    vec![Piece::Bytes(bytes.to_vec())]
}

fn value(recipe: Result<Arc<Recipe>, RecipeError>) -> Vec<u8> {
    evaluate(&recipe.unwrap(), &Values::of(&[])).unwrap().to_vec()
}

fn shown(recipe: Result<Arc<Recipe>, RecipeError>) -> String {
    hex::encode(value(recipe))
}

#[test]
fn macs_are_those_of_rfc_2202_and_4231() {
    let jefe = ("Jefe".as_bytes().to_vec(), "what do ya want for nothing?");
    let there = (vec![0x0b; 20], "Hi There");
    for (mac, (key, data), expected) in [
        (Mac::Sha1, &there, "b617318655057264e28bc0b6fb378c8ef146be00"),
        (Mac::Sha1, &jefe, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (Mac::Sha256, &there, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (Mac::Sha256, &jefe, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (
            Mac::Sha512,
            &there,
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde\
             daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        ),
        (
            Mac::Sha512,
            &jefe,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ] {
        assert_eq!(shown(Recipe::mac(mac, own(key), vec![text(data)])), expected, "{mac:?}");
    }
}

#[test]
fn stretches_are_those_of_rfc_6070_and_7914() {
    let long = ("passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt");
    for (stretch, (password, salt), rounds, expected) in [
        (Stretch::Sha1, ("password", "salt"), 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
        (Stretch::Sha1, ("password", "salt"), 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"),
        (Stretch::Sha1, ("password", "salt"), 4096, "4b007901b765489abead49d926f721d065a429c1"),
        (Stretch::Sha1, long, 4096, "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038"),
        (Stretch::Sha1, ("pass\0word", "sa\0lt"), 4096, "56fa6aa75548099dcc37d7f03425e0c3"),
        (
            Stretch::Sha256,
            ("passwd", "salt"),
            1,
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
             49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
        ),
        (
            Stretch::Sha512,
            ("password", "salt"),
            1,
            "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252\
             c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce",
        ),
    ] {
        let size = u32::try_from(expected.len() / 2).unwrap();
        let recipe = Recipe::stretch(stretch, vec![text(password)], vec![text(salt)], rounds, size);
        assert_eq!(shown(recipe), expected, "{stretch:?} {rounds}");
    }
}

#[test]
fn aes_is_that_of_sp_800_38a_and_38d() {
    let iv: Vec<u8> = (0..16).collect();
    let block = bytes("6bc1bee22e409f96e93d7e117393172a");
    for (key, expected) in [
        ("2b7e151628aed2a6abf7158809cf4f3c", "7649abac8119b246cee98e9b12e9197d"),
        ("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "4f021db243bc633d7178183a9fa071e8"),
        ("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "f58c4c04d6e5f1ba779eabfb5f7bfbd6"),
    ] {
        let encrypted = Recipe::encrypt(Cipher::AesCbc, own(&bytes(key)), iv.clone(), own(&block), [0; 32]);
        let encrypted = shown(encrypted);
        // One block more: the padding of a whole one.
        assert!(encrypted.starts_with(expected) && encrypted.len() == 64, "{encrypted}");
    }
    let clear = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                 1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
    let key = own(&bytes("feffe9928665731c6d6a8f9467308308"));
    let encrypted =
        Recipe::encrypt(Cipher::AesGcm, key, bytes("cafebabefacedbaddecaf888"), own(&bytes(clear)), [0; 32]);
    let expected = "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
                    21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985\
                    4d5c2af327cd64a62cf35abd2ba6fab4";
    assert_eq!(shown(encrypted), expected);
}

#[test]
fn http_digest_is_that_of_rfc_7616() {
    let values = Values::of(&[("field.login", "Mufasa"), ("field.p", "Circle of Life")]);
    let (login, p) = (secret("field.login"), secret("field.p"));
    let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
    let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    for (digest, expected) in [
        (Digest::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
        (Digest::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let a1 = Recipe::digest(digest, vec![raw(&login), text(":http-auth@example.org:"), raw(&p)]).unwrap();
        let a2 = Recipe::digest(digest, vec![text("GET:/dir/index.html")]).unwrap();
        let between = text(&format!(":{nonce}:00000001:{cnonce}:auth:"));
        let response = Recipe::digest(digest, vec![piece(&a1, "hex"), between, piece(&a2, "hex")]).unwrap();
        let response = join(vec![piece(&response, "hex")]);
        assert_eq!(*evaluate(&response, &values).unwrap(), expected.as_bytes(), "{digest:?}");
    }
}

/// The key of RFC 7515, section A.2.
fn published() -> RsaPrivateKey {
    let number = |text: &str| BigUint::from_bytes_be(&URL_SAFE_NO_PAD.decode(text).unwrap());
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_\
             YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxv\
             b3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let d = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTG\
             oVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb\
             1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";
    RsaPrivateKey::from_components(number(n), number("AQAB"), number(d), Vec::new()).unwrap()
}

#[test]
fn rs256_is_that_of_rfc_7515() {
    let input = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let expected = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQ\
         jbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqt\
         FZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let key = published();
    let der = key.to_pkcs8_der().unwrap();
    let pem = key.to_pkcs8_pem(LineEnding::CRLF).unwrap();
    let old = rsa::pkcs1::EncodeRsaPrivateKey::to_pkcs1_pem(&key, LineEnding::LF).unwrap();
    for kept in [der.as_bytes(), pem.as_bytes(), old.as_bytes()] {
        let values = Values([(leaf("operator.k"), kept.to_vec())].into());
        let signed = Recipe::sign(Scheme::Rs256, &secret("operator.k"), vec![text(input)]).unwrap();
        let signature = evaluate(&join(vec![piece(&signed, "base64url")]), &values).unwrap();
        assert_eq!(*signature, expected.as_bytes());
    }
}

#[test]
fn random_signatures_verify_and_are_the_same_when_evaluated_again() {
    let rsa = published();
    let random = aws_lc_rs::rand::SystemRandom::new();
    let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let ec_public = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref()).unwrap();
    let rsa_public = rsa.to_public_key().to_pkcs1_der().unwrap();
    let mut values = Values::of(&[("field.p", "first")]);
    values.0.insert(leaf("operator.rsa"), rsa.to_pkcs8_der().unwrap().as_bytes().to_vec());
    values.0.insert(leaf("operator.ec"), ec.as_ref().to_vec());
    for (scheme, key) in [(Scheme::Ps256, "operator.rsa"), (Scheme::Es256, "operator.ec")] {
        values.0.insert(leaf("field.p"), b"first".to_vec());
        let recipe = Recipe::sign(scheme, &secret(key), vec![text("to "), raw(&secret("field.p"))]).unwrap();
        let verify = |message: &[u8], signature: &[u8]| match scheme {
            Scheme::Es256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, ec_public.public_key().as_ref())
                .verify(message, signature),
            _ => UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, rsa_public.as_bytes()).verify(message, signature),
        };
        let signature = evaluate(&recipe, &values).unwrap();
        verify(b"to first", &signature).unwrap();
        assert_eq!(evaluate(&recipe, &values).unwrap(), signature);
        assert_eq!(outputs(&recipe, &values, &|_| true).unwrap().last().unwrap().value, signature);
        values.0.insert(leaf("field.p"), b"second".to_vec());
        verify(b"to second", &evaluate(&recipe, &values).unwrap()).unwrap();
    }
}

#[test]
fn a_token_has_the_claims_of_both_and_the_host_owns_its_time() {
    let rsa = published();
    let mut values = Values::of(&[("operator.client", "client-\"7\"")]);
    values.0.insert(leaf("operator.k"), rsa.to_pkcs8_der().unwrap().as_bytes().to_vec());
    let issued = "2026-01-02T03:04:05.6Z".parse().unwrap();
    let token = |claims: Vec<Piece>, key_id: Option<&str>| {
        Recipe::token(Scheme::Rs256, key_id.map(str::to_owned), &secret("operator.k"), claims, issued, [0xab; 16])
    };
    let claims = vec![
        text(r#"{"aud":"https://bank.example/token","iss":""#),
        piece(&secret("operator.client"), "json"),
        text("\"}"),
    ];
    let made = evaluate(&token(claims.clone(), Some("k-1")).unwrap(), &values).unwrap();
    let made = String::from_utf8(made.to_vec()).unwrap();
    let [header, payload, signature] = made.split('.').collect::<Vec<_>>()[..] else { panic!("{made}") };
    let json = |part: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    assert_eq!(json(header), r#"{"alg":"RS256","typ":"JWT","kid":"k-1"}"#);
    assert_eq!(
        json(payload),
        r#"{"iat":1767323045,"exp":1767323105,"jti":"abababababababababababababababab","aud":"https://bank.example/token","iss":"client-\"7\""}"#
    );
    let public = rsa.to_public_key().to_pkcs1_der().unwrap();
    let key = UnparsedPublicKey::new(&aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256, public.as_bytes());
    key.verify(format!("{header}.{payload}").as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    for (claims, error) in [
        (vec![text("[]")], RecipeError::Claims),
        (vec![text("{")], RecipeError::Claims),
        (vec![text(r#"{"exp":9999999999}"#)], RecipeError::Claims),
        (vec![text(r#"{"\u0065xp":9999999999}"#)], RecipeError::Claims),
        (vec![text(r#"{"a":1,"jti":"x"}"#)], RecipeError::Claims),
        (vec![text("")], RecipeError::Empty),
    ] {
        assert_eq!(token(claims, None).unwrap_err(), error);
    }
    assert_eq!(token(claims.clone(), Some("a\"b")).unwrap_err(), RecipeError::KeyId);
    // A secret that would break out of its string ends the run.
    let broken = vec![text(r#"{"iss":""#), raw(&secret("operator.client")), text("\"}")];
    assert_eq!(evaluate(&token(broken, None).unwrap(), &values).unwrap_err(), EvaluationError::Unfit("sign"));
}

#[test]
fn rsa_reaches_the_holder_of_the_key_in_every_form_in_which_sites_serve_it() {
    let key = published();
    let public = key.to_public_key();
    let der = public.to_public_key_der().unwrap();
    let pkcs1 = public.to_pkcs1_der().unwrap();
    let url = |number: &BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
    let forms: Vec<Vec<u8>> = vec![
        public.to_public_key_pem(LineEnding::LF).unwrap().into_bytes(),
        public.to_pkcs1_pem(LineEnding::CRLF).unwrap().into_bytes(),
        der.as_bytes().to_vec(),
        pkcs1.as_bytes().to_vec(),
        STANDARD.encode(der.as_bytes()).into_bytes(),
        format!(r#"{{"kty":"RSA","n":"{}","e":"{}","use":"enc"}}"#, url(public.n()), url(public.e())).into_bytes(),
        format!("{:X},{:x}", public.n(), public.e()).into_bytes(),
    ];
    let private = PrivateDecryptingKey::from_pkcs8(key.to_pkcs8_der().unwrap().as_bytes()).unwrap();
    let oaep = OaepPrivateDecryptingKey::new(private.clone()).unwrap();
    let pkcs1 = Pkcs1PrivateDecryptingKey::new(private).unwrap();
    let decrypted = |cipher, encrypted: &[u8]| {
        let mut clear = vec![0; 256];
        let opened = match cipher {
            Cipher::RsaOaep => oaep.decrypt(&OAEP_SHA1_MGF1SHA1, encrypted, &mut clear, None),
            Cipher::RsaOaep256 => oaep.decrypt(&OAEP_SHA256_MGF1SHA256, encrypted, &mut clear, None),
            _ => pkcs1.decrypt(encrypted, &mut clear),
        };
        opened.unwrap().to_vec()
    };
    let values = Values::of(&[("field.p", "s3cret")]);
    let secret = || vec![raw(&secret("field.p"))];
    for form in &forms {
        for cipher in [Cipher::RsaPkcs1, Cipher::RsaOaep, Cipher::RsaOaep256] {
            let recipe = Recipe::encrypt(cipher, own(form), vec![], secret(), [3; 32]).unwrap();
            let encrypted = evaluate(&recipe, &values).unwrap();
            assert_eq!(decrypted(cipher, &encrypted), b"s3cret");
            assert_eq!(evaluate(&recipe, &values).unwrap(), encrypted, "a second evaluation is the first");
            let other = Recipe::encrypt(cipher, own(form), vec![], secret(), [4; 32]).unwrap();
            assert_ne!(evaluate(&other, &values).unwrap(), encrypted, "another seed, another padding");
        }
    }
    for none in ["", "MIIB", "{}", "00ff,03", "-----BEGIN PUBLIC KEY-----", "a,b"] {
        let error = Recipe::encrypt(Cipher::RsaPkcs1, vec![text(&format!("{none} "))], vec![], secret(), [0; 32]);
        assert_eq!(error.unwrap_err(), RecipeError::Key, "{none}");
    }
    let too_long = vec![text(&"x".repeat(300))];
    let recipe = Recipe::encrypt(Cipher::RsaPkcs1, own(&forms[0]), vec![], too_long, [0; 32]).unwrap();
    assert_eq!(evaluate(&recipe, &values).unwrap_err(), EvaluationError::Unfit("encrypt"));
}
