//! Logs in in every way that a recipe can, one for each Data Source of the manifest. The site that verifies each is
//! `tests/src/logins.rs`; what must come of each stands in `tests/it/logins.rs`.

mod honest;
mod refused;

use consentry_sdk::prelude::*;

consentry_sdk::connector!(collect);

fn collect() -> Result {
    progress::step("login");
    let source = job::source();
    match source.as_str() {
        "nonce-hash" => honest::nonce_hash(),
        "http-digest-md5" => honest::http_digest("md5"),
        "http-digest-sha-256" => honest::http_digest("sha-256"),
        "signed-body" => honest::signed_body(),
        "double-submit" => honest::double_submit(),
        "pkce" => honest::pkce(),
        "private-key-jwt-rs256" => honest::private_key_jwt("jwt-rs256:k-1"),
        "private-key-jwt-es256" => honest::private_key_jwt("jwt-es256"),
        "keypad" => honest::keypad(),
        "characters" => honest::characters(),
        "json" => honest::json(),
        "xml" => honest::xml(),
        "multipart" => honest::multipart(),
        "aes-cbc" => honest::aes("aes-cbc", 16),
        "aes-gcm" => honest::aes("aes-gcm", 12),
        "aes-static" => honest::aes_static(),
        "rsa-pkcs1" => honest::rsa_numbers(),
        "rsa-oaep" => honest::rsa("rsa-oaep"),
        "rsa-oaep-256" => honest::rsa("rsa-oaep-256"),
        "stretch" => honest::stretch(),
        "client-certificate" => return honest::client_certificate(),
        "no-place-for-it" => return refused::no_place_for_it(),
        "own-key" => return refused::own_key(),
        "beyond-the-end" => return refused::beyond_the_end(),
        "missing-key" => return refused::missing_key(),
        "undecodable" => return refused::undecodable(),
        "reads-one-character" => return refused::reads_one_character(),
        _ => Err(Code::Unclassified.fault("no such login")),
    }?;
    credentials::authenticated()?;
    let home = get("/home").expect(&["home"])?;
    items::PersonName::new().full(home.need("name", "h1.name", "text")?).emit()
}
