//! Each login as its site asks for it.

use consentry_sdk::contract::{http, prompt, random};
use consentry_sdk::prelude::*;

fn password() -> Result<Secret> {
    credential("password")
}

fn captured(page: &Page, name: &str) -> Result<Secret> {
    page.response().captured(name).ok_or_else(|| page.missing(name))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// hash(nonce + hash(password)), both in hexadecimal.
pub fn nonce_hash() -> Result {
    let nonce = get("/nonce-hash").page()?.need("nonce", "input[name=nonce]", "attr:value")?;
    let inner = secret::digest("sha-256", &password()?)?;
    let proof = secret::digest("sha-256", (nonce, inner.encoded("hex")))?;
    post("/nonce-hash").field("proof", proof.encoded("hex")).send().map(drop)
}

/// RFC 7616.
pub fn http_digest(algorithm: &str) -> Result {
    let path = format!("/http-digest/{algorithm}");
    let challenge = get(&path).send()?.header("www-authenticate").join(", ");
    let part = |name: &str| {
        let rest = challenge.split_once(&format!("{name}=\"")).map(|(_, rest)| rest);
        rest.and_then(|rest| rest.split('"').next()).map(str::to_owned).unwrap_or_default()
    };
    let (realm, nonce, client) = (part("realm"), part("nonce"), hex(&random::bytes(16)));
    let (login, password) = (credential("login")?, password()?);
    let a1 = secret::digest(algorithm, (&login, format!(":{realm}:"), &password))?;
    let a2 = secret::digest(algorithm, format!("GET:{path}"))?;
    let between = format!(":{nonce}:00000001:{client}:auth:");
    let response = secret::digest(algorithm, (a1.encoded("hex"), between, a2.encoded("hex")))?;
    let name = if algorithm == "md5" { "MD5" } else { "SHA-256" };
    let rest = format!(
        "\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{path}\", qop=auth, nc=00000001, cnonce=\"{client}\", \
         algorithm={name}, response=\""
    );
    let value = ("Digest username=\"", &login, rest, response.encoded("hex"), "\"");
    get(&path).header("authorization", value).expect(&["home"]).map(drop)
}

/// A message authentication code over the very bytes of the body.
pub fn signed_body() -> Result {
    let password = password()?;
    let body = secret::join(("{\"login\":\"marie\",\"password\":\"", password.encoded("json"), "\"}"))?;
    let signature = secret::mac("hmac-sha-256", &operator("api-key")?, &body)?;
    let request = post("/signed-body").header("x-signature", signature.encoded("hex"));
    request.body("application/json", &body).send().map(drop)
}

fn operator(name: &str) -> Result<Secret> {
    credentials::operator(name).ok_or_else(|| Code::Unclassified.fault(format!("no operator secret {name}")))
}

/// The cookie once more, in a header.
pub fn double_submit() -> Result {
    get("/double-submit").send()?;
    let token = http::cookie(&format!("{}/double-submit", job::base()), "csrftoken");
    let token = token.ok_or_else(|| Code::PageUnrecognised.fault("no cookie"))?;
    post("/double-submit").header("x-csrf-token", &token).field("password", &password()?).send().map(drop)
}

/// RFC 7636 with S256.
pub fn pkce() -> Result {
    let verifier = hex(&random::bytes(32));
    let challenge = secret::digest("sha-256", &verifier)?;
    let (redirect, state) = prompt::callback();
    let request = get("/pkce").query("redirect_uri", redirect).query("state", state);
    let request = request.query("code_challenge", challenge.encoded("base64url"));
    let answer = request.query("code_challenge_method", "S256").query("password", &password()?).send()?;
    let code = answer.captured("code").ok_or_else(|| Code::PageUnrecognised.fault("no code"))?;
    post("/pkce/token").field("code", &code).field("code_verifier", verifier).send().map(drop)
}

/// RFC 7523: the client proves itself by a signed token.
pub fn private_key_jwt(algorithm: &str) -> Result {
    let key = operator(if algorithm.contains("es256") { "ec-key" } else { "rsa-key" })?;
    let audience = format!("{}/private-key-jwt", job::base());
    let claims = format!(r#"{{"iss":"client-7","sub":"client-7","aud":"{audience}"}}"#);
    let assertion = secret::sign(algorithm, &key, claims)?;
    let request = post("/private-key-jwt").field("grant_type", "client_credentials");
    let request = request.field("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let token = request.field("client_assertion", &assertion).page()?;
    let token = captured(&token, "access-token")?;
    post("/bearer").header("authorization", ("Bearer ", &token)).field("password", &password()?).send().map(drop)
}

/// The digits are where the page says.
pub fn keypad() -> Result {
    let page = get("/keypad").page()?;
    let keys = page.table("button", [text("digit", ""), column("code", "", "attr:data-code")])?;
    let keys: Vec<_> = keys.rows().map(|[digit, code]| (digit.to_owned(), code.to_owned())).collect();
    post("/keypad").field("code", &credential("pin")?.typed(&keys)?).send().map(drop)
}

/// "Characters 2, 5 and 7 of your password."
pub fn characters() -> Result {
    let asked = get("/characters").page()?.need("positions", "p.positions", "text")?;
    let positions: Vec<u32> = asked.split(|c: char| !c.is_ascii_digit()).filter_map(|at| at.parse().ok()).collect();
    post("/characters").field("part", &password()?.characters(&positions)?).send().map(drop)
}

/// Strings of a JSON text.
pub fn json() -> Result {
    let request = post("/json").json(r#"{"device":{"id":7},"user":{"login":"","password":""}}"#);
    request.field("/user/login", &credential("login")?).field("/user/password", &password()?).send().map(drop)
}

/// A text and an attribute of an XML text.
pub fn xml() -> Result {
    let envelope = r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><login user=""><password></password></login></s:Body></s:Envelope>"#;
    let (login, password) = (credential("login")?, password()?);
    let request = post("/xml").xml(envelope).field("/Envelope/Body/login@user", &login);
    request.field("/Envelope/Body/login/password", &password).send().map(drop)
}

/// A field, and a file.
pub fn multipart() -> Result {
    let (login, password) = (credential("login")?, password()?);
    let request = post("/multipart").field("login", &login);
    request.file("secret", "secret.txt", "text/plain", &password).send().map(drop)
}

/// To the key of the page.
pub fn aes(cipher: &str, iv: u32) -> Result {
    let page = get(format!("/{cipher}")).page()?;
    let (key, iv) = (captured(&page, "session-key")?.decoded("base64")?, random::bytes(iv));
    let hidden = secret::encrypt(cipher, &key, &iv, &password()?)?;
    let request = post(format!("/{cipher}")).field("iv", hex(&iv));
    request.field("password", hidden.encoded("base64")).send().map(drop)
}

/// To the key in the site's script, which is always the same.
pub fn aes_static() -> Result {
    let hidden = secret::encrypt("aes-cbc", "0123456789abcdef", &[b'0'; 16], &password()?)?;
    post("/aes-static").field("password", hidden.encoded("hex")).send().map(drop)
}

/// To the public key of the page, in PEM.
pub fn rsa(cipher: &str) -> Result {
    let key = captured(&get(format!("/{cipher}")).page()?, "public-key")?;
    let hidden = secret::encrypt(cipher, &key, &[], &password()?)?;
    post(format!("/{cipher}")).field("password", hidden.encoded("base64")).send().map(drop)
}

/// To modulus and exponent in the page's form.
pub fn rsa_numbers() -> Result {
    let page = get("/rsa-pkcs1").page()?;
    let (modulus, exponent) = (captured(&page, "modulus")?, captured(&page, "exponent")?);
    let hidden = secret::encrypt("rsa-pkcs1", (&modulus, ",", &exponent), &[], &password()?)?;
    post("/rsa-pkcs1").field("password", hidden.encoded("base64")).send().map(drop)
}

/// A key made of the password answers the nonce.
pub fn stretch() -> Result {
    let page = get("/stretch").page()?;
    let (salt, nonce) = (page.need("salt", "/salt", "text")?, page.need("nonce", "/nonce", "text")?);
    let key = secret::stretch("pbkdf2-sha-256", &password()?, salt, 10_000, 32)?;
    let proof = secret::mac("hmac-sha-256", &key, nonce.as_str())?;
    post("/stretch").field("proof", proof.encoded("hex")).send().map(drop)
}

/// To a site that lets in whoever has the operator's certificate; twice, over the same connection.
pub fn client_certificate() -> Result {
    get("/identified/first").client_certificate("tls").expect(&["home"])?;
    let home = get("/identified/second").client_certificate("tls").expect(&["home"])?;
    items::PersonName::new().full(home.need("name", "h1.name", "text")?).emit()
}
