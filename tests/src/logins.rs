//! A site with a login of each technique that a recipe can serve. It checks what arrives with other code than the host makes it with, where
//! there is some, and lets nobody in who is wrong about one bit.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256,
    UnparsedPublicKey,
};
use aws_lc_rs::{hmac, pbkdf2};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use md5::Digest as _;
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rsa::traits::PublicKeyParts as _;
use rsa::{Oaep, Pkcs1v15Encrypt, RsaPrivateKey};
use serde_json::{Value as Json, json};

use crate::collecting::lock;

/// The person who has an account.
pub const LOGIN: &str = "marie";
/// Their password, with what breaks careless escaping.
pub const PASSWORD: &str = "C<rr\"\u{e9}&t\\H+7 ]]>";
/// Their PIN.
pub const PIN: &str = "483920";
/// The key of the operator to sign bodies with.
pub const API_KEY: &str = "operator's own key";

const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
const STATIC_KEY: &[u8; 16] = b"0123456789abcdef";
const SESSION_KEY: [u8; 32] = [0xa7; 32];
const KEYPAD: [&str; 10] = ["q7", "x0", "bb", "m4", "zz", "k1", "w9", "a2", "pp", "c3"];
const POSITIONS: [usize; 3] = [2, 5, 7];

/// The site, as long as its runtime lives.
pub struct Logins {
    /// Where it stands.
    pub url: String,
    /// PKCS #8 in PEM: what the operator signs with for `private-key-jwt-rs256`.
    pub operator_rsa: String,
    /// The same for `private-key-jwt-es256`.
    pub operator_ec: String,
    site: Arc<Site>,
}

struct Site {
    url: String,
    key: RsaPrivateKey,
    operator_rsa: RsaPrivateKey,
    operator_ec: Vec<u8>,
    challenge: Mutex<String>,
    used: Mutex<BTreeSet<String>>,
    received: Mutex<Vec<String>>,
}

impl Logins {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When there is none, or no key can be made.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let rsa =
            || -> anyhow::Result<Vec<u8>> { Ok(KeyPair::generate(KeySize::Rsa2048)?.as_der()?.as_ref().to_vec()) };
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let (key, operator) = (rsa()?, rsa()?);
        let site = Arc::new(Site {
            url: url.clone(),
            key: RsaPrivateKey::from_pkcs8_der(&key)?,
            operator_rsa: RsaPrivateKey::from_pkcs8_der(&operator)?,
            operator_ec: ec.public_key().as_ref().to_vec(),
            challenge: Mutex::default(),
            used: Mutex::default(),
            received: Mutex::default(),
        });
        let app = Router::new().fallback(serve).with_state(site.clone());
        tokio::spawn(axum::serve(listener, app).into_future());
        let ec = ec.to_pkcs8v1()?;
        Ok(Self { url, operator_rsa: pem(&operator), operator_ec: pem(ec.as_ref()), site })
    }

    /// What the echoing page has been sent, in clear.
    pub fn received(&self) -> Vec<String> {
        lock(&self.site.received).clone()
    }
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

/// One request, as the checks want it.
struct Asked {
    query: HashMap<String, String>,
    form: HashMap<String, String>,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn field(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        self.header("cookie").split("; ").find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

async fn serve(State(site): State<Arc<Site>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let pairs = |bytes: &[u8]| url::form_urlencoded::parse(bytes).into_owned().collect();
    let query = pairs(uri.query().unwrap_or_default().as_bytes());
    let asked = Asked { query, form: pairs(&body), headers, body };
    let path = uri.path();
    if path == "/home" {
        return if asked.cookie("session") == Some("in") { home() } else { wrong(StatusCode::OK) };
    }
    if let Some(algorithm) = path.strip_prefix("/http-digest/") {
        return http_digest(algorithm, path, &asked);
    }
    if method == Method::GET {
        site.page(path, &asked)
    } else {
        site.login(path, &asked).unwrap_or_else(|| wrong(StatusCode::OK))
    }
}

fn home() -> Response {
    Html("<h1 class=name>Marie Dupont</h1>").into_response()
}

fn wrong(status: StatusCode) -> Response {
    (status, Html("<p class=wrong>No.</p>")).into_response()
}

/// Lets the person in, or not.
fn decide(right: bool) -> Option<Response> {
    right.then(|| with_cookie("session=in; Path=/", Redirect::to("/home").into_response()))
}

fn with_cookie(cookie: &'static str, mut response: Response) -> Response {
    response.headers_mut().insert("set-cookie", HeaderValue::from_static(cookie));
    response
}

fn sha256(data: impl AsRef<[u8]>) -> String {
    hex::encode(sha2::Sha256::digest(data))
}

impl Site {
    fn page(&self, path: &str, asked: &Asked) -> Response {
        let public = self.key.to_public_key();
        match path {
            "/nonce-hash" => {
                Html(format!("<form><input type=hidden name=nonce value='{NONCE}'></form>")).into_response()
            }
            "/double-submit" => with_cookie("csrftoken=dbl-7f; Path=/", Html("<form></form>").into_response()),
            "/pkce" if asked.query.get("password").is_some_and(|password| password == PASSWORD) => {
                let part = |name: &str| asked.query.get(name).cloned().unwrap_or_default();
                *lock(&self.challenge) = part("code_challenge");
                Redirect::to(&format!("{}?code=one-time&state={}", part("redirect_uri"), part("state"))).into_response()
            }
            "/keypad" => {
                let key = |(digit, code): (usize, &&str)| format!("<button data-code={code}>{digit}</button>");
                Html(KEYPAD.iter().enumerate().map(key).collect::<String>()).into_response()
            }
            "/characters" => Html(format!("<p class=positions>Characters {POSITIONS:?}</p>")).into_response(),
            "/aes-cbc" | "/aes-gcm" => axum::Json(json!({ "key": STANDARD.encode(SESSION_KEY) })).into_response(),
            "/rsa-pkcs1" => Html(format!(
                "<input name=modulus value='{:x}'><input name=exponent value='{:x}'>",
                public.n(),
                public.e()
            ))
            .into_response(),
            "/rsa-oaep" => axum::Json(json!({ "key": public.to_public_key_pem(LineEnding::LF).unwrap_or_default() }))
                .into_response(),
            "/rsa-oaep-256" => {
                let der = public.to_public_key_der().map(|der| STANDARD.encode(der.as_bytes()));
                axum::Json(json!({ "key": der.unwrap_or_default() })).into_response()
            }
            "/stretch" => axum::Json(json!({ "salt": "pepper", "nonce": NONCE })).into_response(),
            _ => wrong(StatusCode::OK),
        }
    }

    fn login(&self, path: &str, asked: &Asked) -> Option<Response> {
        match path {
            "/nonce-hash" => decide(asked.field("proof") == sha256(format!("{NONCE}{}", sha256(PASSWORD)))),
            "/signed-body" => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, API_KEY.as_bytes());
                hmac::verify(&key, &asked.body, &hex::decode(asked.header("x-signature")).ok()?).ok()?;
                let body: Json = serde_json::from_slice(&asked.body).ok()?;
                decide(body["password"] == PASSWORD && body["login"] == LOGIN)
            }
            "/double-submit" => decide(
                asked.cookie("csrftoken") == Some(asked.header("x-csrf-token")) && asked.field("password") == PASSWORD,
            ),
            "/pkce/token" => {
                let challenge = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(asked.field("code_verifier")));
                decide(asked.field("code") == "one-time" && *lock(&self.challenge) == challenge)
            }
            "/private-key-jwt" => self.token(asked),
            "/bearer" => decide(asked.header("authorization") == "Bearer tok-1" && asked.field("password") == PASSWORD),
            "/keypad" => {
                let digit = |digit: char| KEYPAD[digit as usize - '0' as usize];
                decide(asked.field("code") == PIN.chars().map(digit).collect::<String>())
            }
            "/characters" => {
                let part: Option<String> = POSITIONS.iter().map(|at| PASSWORD.chars().nth(at - 1)).collect();
                decide(part.as_deref() == Some(asked.field("part")))
            }
            "/json" => {
                let body: Json = serde_json::from_slice(&asked.body).ok()?;
                decide(body == json!({ "device": { "id": 7 }, "user": { "login": LOGIN, "password": PASSWORD } }))
            }
            "/xml" => decide(xml(&asked.body)? == (LOGIN.to_owned(), PASSWORD.to_owned())),
            "/multipart" => decide(multipart(asked)?),
            "/aes-cbc" | "/aes-gcm" | "/aes-static" => decide(aes(path, asked)? == PASSWORD.as_bytes()),
            "/rsa-pkcs1" | "/rsa-oaep" | "/rsa-oaep-256" => {
                let hidden = STANDARD.decode(asked.field("password")).ok()?;
                let clear = match path {
                    "/rsa-pkcs1" => self.key.decrypt(Pkcs1v15Encrypt, &hidden),
                    "/rsa-oaep" => self.key.decrypt(Oaep::new::<sha1::Sha1>(), &hidden),
                    _ => self.key.decrypt(Oaep::new::<sha2::Sha256>(), &hidden),
                };
                decide(clear.ok()? == PASSWORD.as_bytes())
            }
            "/stretch" => {
                let mut key = [0; 32];
                let rounds = 10_000.try_into().ok()?;
                pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, b"pepper", PASSWORD.as_bytes(), &mut key);
                let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
                hmac::verify(&key, NONCE.as_bytes(), &hex::decode(asked.field("proof")).ok()?).ok()?;
                decide(true)
            }
            "/echo" => Some(self.echo(asked.field("part"))),
            _ => None,
        }
    }

    /// Prints what it was sent, wherever it can.
    fn echo(&self, part: &str) -> Response {
        lock(&self.received).push(part.to_owned());
        let page = format!("<body><p>You sent {part}</p></body>");
        let mut response = Html(page).into_response();
        response
            .headers_mut()
            .insert("x-echo", HeaderValue::from_bytes(part.as_bytes()).unwrap_or(HeaderValue::from_static("")));
        response
    }

    /// RFC 7523, section 3.
    fn token(&self, asked: &Asked) -> Option<Response> {
        let assertion = asked.field("client_assertion");
        let (signed, signature) = assertion.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let part = |part: &str| serde_json::from_slice::<Json>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let (header, claims, signature) = (part(header)?, part(claims)?, URL_SAFE_NO_PAD.decode(signature).ok()?);
        let rsa = self.operator_rsa.to_public_key().to_pkcs1_der().ok()?;
        let verified = match header["alg"].as_str()? {
            "RS256" if header["kid"] == "k-1" => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa.as_bytes())
                .verify(signed.as_bytes(), &signature),
            "ES256" => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.operator_ec)
                .verify(signed.as_bytes(), &signature),
            _ => return None,
        };
        verified.ok()?;
        let (issued, ends) = (claims["iat"].as_i64()?, claims["exp"].as_i64()?);
        // With the key's algorithm: runs of a test all draw the same numbers.
        let fresh = lock(&self.used).insert(format!("{} {}", header["alg"], claims["jti"].as_str()?));
        let right = claims["iss"] == "client-7"
            && claims["sub"] == "client-7"
            && claims["aud"] == format!("{}/private-key-jwt", self.url)
            && ends - issued <= 60
            && (issued - 5..ends).contains(&now())
            && fresh;
        right.then(|| axum::Json(json!({ "access_token": "tok-1" })).into_response())
    }
}

#[expect(clippy::disallowed_methods, reason = "the runs under test stamp their tokens with the real time")]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// RFC 7616, sections 3.3 to 3.4.
fn http_digest(algorithm: &str, path: &str, asked: &Asked) -> Response {
    let hash = |text: String| if algorithm == "md5" { hex::encode(md5::Md5::digest(text)) } else { sha256(text) };
    let given = asked.header("authorization");
    if given.is_empty() {
        let name = if algorithm == "md5" { "MD5" } else { "SHA-256" };
        let challenge = format!("Digest realm=\"accounts\", qop=\"auth\", algorithm={name}, nonce=\"{NONCE}\"");
        let mut response = (StatusCode::UNAUTHORIZED, "who?").into_response();
        response
            .headers_mut()
            .extend(HeaderValue::from_str(&challenge).ok().map(|value| (axum::http::header::WWW_AUTHENTICATE, value)));
        return response;
    }
    let part = |name: &str| {
        let rest = given.split([' ', ',']).find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        rest.unwrap_or_default().trim_matches('"').to_owned()
    };
    let a1 = hash(format!("{LOGIN}:accounts:{PASSWORD}"));
    let a2 = hash(format!("GET:{path}"));
    let expected = hash(format!("{a1}:{NONCE}:{}:{}:auth:{a2}", part("nc"), part("cnonce")));
    let right =
        part("username") == LOGIN && part("nonce") == NONCE && part("uri") == path && part("response") == expected;
    if right { with_cookie("session=in; Path=/", home()) } else { wrong(StatusCode::UNAUTHORIZED) }
}

fn xml(body: &[u8]) -> Option<(String, String)> {
    let document = roxmltree::Document::parse(std::str::from_utf8(body).ok()?).ok()?;
    let login = document.descendants().find(|node| node.has_tag_name("login"))?;
    let password = login.children().find(|node| node.has_tag_name("password"))?;
    Some((login.attribute("user")?.to_owned(), password.text()?.to_owned()))
}

/// RFC 7578, as strictly as it gets.
fn multipart(asked: &Asked) -> Option<bool> {
    let boundary = asked.header("content-type").strip_prefix("multipart/form-data; boundary=")?;
    let expected = [
        format!("content-disposition: form-data; name=\"login\"\r\n\r\n{LOGIN}\r\n"),
        format!(
            "content-disposition: form-data; name=\"secret\"; filename=\"secret.txt\"\r\ncontent-type: text/plain\r\n\r\n{PASSWORD}\r\n"
        ),
    ];
    let body = std::str::from_utf8(&asked.body).ok()?.strip_suffix(&format!("--{boundary}--\r\n"))?;
    let parts: Vec<&str> = body.split(&format!("--{boundary}\r\n")).skip(1).collect();
    Some(parts == expected)
}

fn aes(path: &str, asked: &Asked) -> Option<Vec<u8>> {
    let iv = hex::decode(asked.field("iv")).ok()?;
    let cbc = |key: UnboundCipherKey, iv: &[u8], mut hidden: Vec<u8>| {
        let iv = DecryptionContext::Iv128(FixedLength::<16>::try_from(iv).ok()?);
        Some(PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?.decrypt(&mut hidden, iv).ok()?.to_vec())
    };
    match path {
        "/aes-static" => {
            let hidden = hex::decode(asked.field("password")).ok()?;
            cbc(UnboundCipherKey::new(&AES_128, STATIC_KEY).ok()?, &[b'0'; 16], hidden)
        }
        "/aes-cbc" => {
            let hidden = STANDARD.decode(asked.field("password")).ok()?;
            cbc(UnboundCipherKey::new(&AES_256, &SESSION_KEY).ok()?, &iv, hidden)
        }
        _ => {
            let mut hidden = STANDARD.decode(asked.field("password")).ok()?;
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &SESSION_KEY).ok()?);
            let nonce = Nonce::try_assume_unique_for_key(&iv).ok()?;
            Some(key.open_in_place(nonce, Aad::empty(), &mut hidden).ok()?.to_vec())
        }
    }
}
