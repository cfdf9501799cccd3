//! The person of a drill who has an account: opened with a passkey that is made here, and with what is synchronised while they are not there.

use std::net::SocketAddr;

use anyhow::Context as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::person::{Person, ask};

/// What passkeys of this drill are made for: they need a name.
pub(super) const HOST: &str = "localhost";
/// How often, and for how long, the person agrees to.
const TERMS: (u8, u16) = (4, 1);
/// An authenticator's flags: the person was there, and was verified, and a new key comes with it.
const FLAGS: u8 = 0x45;
/// Before an Ed25519 key of 32 bytes (RFC 9053 section 7.2): its kind, its algorithm, its curve.
const COSE_KEY: [u8; 10] = [0xA4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20];
/// An attestation that attests nothing (WebAuthn level 3, section 8.7), up to the length of the authenticator's data.
const ATTESTATION: &[u8] = b"\xA3\x63fmt\x64none\x67attStmt\xA0\x68authData\x58";

/// An account that its person has signed in to.
pub(super) struct Account {
    door: SocketAddr,
    token: String,
}

impl Account {
    /// Opens one with a new passkey, whose private half nobody needs again.
    pub(super) fn open(door: SocketAddr) -> anyhow::Result<Self> {
        let options = ask(door, "POST", "/v1/accounts/options", None, Some(&json!({})))?;
        let challenge = options["challenge"].as_str().context("a passkey is asked for with a challenge")?;
        let origin = format!("http://{HOST}:{}", door.port());
        let client =
            json!({ "type": "webauthn.create", "challenge": challenge, "origin": origin, "crossOrigin": false });
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())?;
        let key = Ed25519KeyPair::from_pkcs8(key.as_ref())?;
        let data = authenticator_data(key.public_key().as_ref());
        let length = u8::try_from(data.len()).context("its length is one byte")?;
        let attestation = [ATTESTATION, &[length], &data].concat();
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let id = encoded(&id_of(key.public_key().as_ref()));
        let credential = json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": encoded(client.to_string().as_bytes()),
                "attestationObject": encoded(&attestation),
                "transports": ["internal"],
            },
        });
        let opened = ask(door, "POST", "/v1/accounts", None, Some(&credential))?;
        let token = opened["token"].as_str().context("an account is entered with a token")?.to_owned();
        Ok(Self { door, token })
    }

    /// Has what comes of this session in the account, and goes on with it while nobody is there.
    pub(super) fn goes_on(&self, person: &Person) -> anyhow::Result<()> {
        person.does("PUT", "account", Some(&json!({ "account": self.token })))?;
        let (frequency, days) = TERMS;
        let mut terms = json!({ "frequency_per_day": frequency, "valid_days": days });
        let notice = person.does("POST", "synchronisation", Some(&terms))?;
        terms["notice"] = notice["digest"].clone();
        person.does("PUT", "synchronisation", Some(&terms)).map(drop)
    }

    /// Asks for an access of its connection now.
    pub(super) fn access(&self) -> anyhow::Result<()> {
        let told = ask(self.door, "GET", "/v1/account/connections", Some(&self.token), None)?;
        let consent = told["connections"][0]["consent"].as_str().context("the account has a connection")?;
        let path = format!("/v1/account/connections/{consent}/access");
        ask(self.door, "POST", &path, Some(&self.token), Some(&Value::Null)).map(drop)
    }
}

/// The name of a passkey with this public key.
fn id_of(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// What an authenticator says of a new key (WebAuthn level 3, section 6.1).
fn authenticator_data(key: &[u8]) -> Vec<u8> {
    let id = id_of(key);
    let (counter, model) = ([0; 4], [0; 16]);
    let length = [0, id.len() as u8];
    [&Sha256::digest(HOST)[..], &[FLAGS], &counter, &model, &length, &id, &COSE_KEY, key].concat()
}
