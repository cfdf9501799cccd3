//! What a receiver takes and what it refuses. The keys are real; the flow against a real engine is in the end-to-end tests.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consentry::jose::jwe::{self, Content};
use consentry::jose::{Algorithm, PrivateKey, PublicKey, RecipientKey, jws};
use online_service::event::{self, EventError, Head};
use online_service::inbox::{Inbox, Kept};
use online_service::key::{self, KeyError};
use online_service::parcel::{self, Expected, Opened, ParcelError};
use rand::TryRngCore as _;
use serde_json::{Value, json};

const PARCEL: &str = "pcl_01JD8Z3M7K0000000000000000";
const SERVICE: &str = "osv_01JD8Z3M7K0000000000000000";
const CONSENT: &str = "cns_01JD8Z3M7K0000000000000000";

static OURS: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(Algorithm::RsaOaep256).unwrap());
static ENGINE: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(Algorithm::Ps256).unwrap());
static STRANGER: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(Algorithm::Ps256).unwrap());

fn content() -> Value {
    json!({
        "schema": "urn:consentry:schema:parcel:0.1",
        "parcel": PARCEL,
        "consent": CONSENT,
        "online_service": SERVICE,
        "released_at": "2026-11-21T10:00:00Z",
        "provenance": {
            "run": "run_01JD8Z3M7K0000000000000000",
            "source": "sample-bank",
            "connector": "sample-bank",
            "version": "0.1.0",
            "digest": format!("sha256:{}", "0".repeat(64)),
            "observed_at": "2026-11-21T09:59:00Z",
        },
        "datasets": [{ "category": "person.name", "result": "complete", "count": 1 }],
        "items": [{
            "category": "person.name",
            "observed_at": "2026-11-21T09:59:00Z",
            "fields": { "given": "Marie", "family": "Dupont" },
        }],
    })
}

fn signed(payload: &Value, typ: &str, by: &PrivateKey) -> String {
    let unsigned = jws::Unsigned::new(typ, by.public().kid(), payload.to_string().as_bytes());
    let signature = by.sign(unsigned.message()).unwrap();
    unsigned.with(&signature)
}

fn sealed(signed: &str) -> String {
    let to = RecipientKey::from_public(OURS.public().clone()).unwrap();
    jwe::seal(signed.as_bytes(), Content::Signed, &to, &mut rand::rngs::OsRng.unwrap_err()).unwrap()
}

fn signers() -> Vec<PublicKey> {
    vec![ENGINE.public().clone()]
}

fn open(token: &str) -> Result<Opened, ParcelError> {
    parcel::open(token, &OURS, &signers(), Expected { parcel: PARCEL, online_service: SERVICE, consent: CONSENT })
}

fn open_content(content: &Value) -> Result<Opened, ParcelError> {
    open(&sealed(&signed(content, "consentry-parcel+jwt", &ENGINE)))
}

#[test]
fn a_parcel_for_us_is_opened() {
    let opened = open_content(&content()).unwrap();
    assert_eq!(opened.content, content());
    assert!(!format!("{opened:?}").contains("Dupont"));
    let shown = online_service::table::show(&opened);
    assert!(shown.contains("Dupont") && shown.contains("sample-bank"), "{shown}");
}

#[test]
fn whatever_does_not_check_is_refused_by_its_first_fault() {
    let token = sealed(&signed(&content(), "consentry-parcel+jwt", &ENGINE));
    let mut damaged = token.clone();
    let last = if damaged.pop() == Some('A') { 'Q' } else { 'A' };
    damaged.push(last);
    assert_eq!(open(&damaged).err(), Some(ParcelError::Sealed));
    assert_eq!(open(&token.replacen('.', "", 1)).err(), Some(ParcelError::Sealed));
    for (typ, by) in [("consentry-parcel+jwt", &*STRANGER), ("consentry-event+jwt", &*ENGINE)] {
        assert_eq!(open(&sealed(&signed(&content(), typ, by))).err(), Some(ParcelError::Signature), "{typ}");
    }
    for member in ["parcel", "online_service", "consent"] {
        let mut other = content();
        other[member] = "pcl_01JD8Z3M7K0000000000000001".into();
        assert_eq!(open_content(&other).err(), Some(ParcelError::Other(member)));
    }
    let mut wrong = content();
    wrong["items"][0]["fields"]["shoe.size"] = 43.into();
    let error = open_content(&wrong).unwrap_err();
    assert!(matches!(error, ParcelError::Schema(_)) && !error.to_string().contains("43"), "{error}");
}

#[test]
fn an_event_counts_only_with_the_engines_signature() {
    let pair = |seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let (engine, stranger) = (pair(1), pair(2));
    let keys = [format!("whpk_{}", STANDARD.encode(engine.public_key().as_ref()))];
    let data = json!({
        "parcel": PARCEL,
        "session": "ses_01JD8Z3M7K0000000000000000",
        "expires_at": "2026-11-21T11:00:00Z",
    });
    let now = 1_795_000_000;
    let read = |kind: &str, id: &str, second, by: &Ed25519KeyPair| {
        let body = json!({ "type": kind, "timestamp": "2026-11-21T10:00:00Z", "data": data }).to_string();
        let signature = STANDARD.encode(by.sign(format!("evt_1.{second}.{body}").as_bytes()));
        let head = Head { id: id.to_owned(), second, signatures: format!("v1,AAAA v1a,{signature}") };
        event::verify(&head, &body, &keys, now)
    };
    assert_eq!(read("parcel.ready", "evt_1", now, &engine).unwrap().parcel, PARCEL);
    assert_eq!(read("parcel.ready", "evt_1", now, &stranger), Err(EventError::Signature));
    assert_eq!(read("parcel.ready", "evt_2", now, &engine), Err(EventError::Signature));
    assert_eq!(read("parcel.ready", "evt_1", now - 301, &engine), Err(EventError::Time));
    assert_eq!(read("session.failed", "evt_1", now, &engine), Err(EventError::Kind));
}

#[test]
fn a_parcel_is_kept_once_whole_and_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let inbox = Inbox::open(folder.path()).unwrap();
    let mut parcel = open_content(&content()).unwrap();
    assert_eq!(inbox.keep(&parcel).unwrap(), Kept::New);
    let first = parcel.content.clone();
    parcel.content = json!({});
    assert_eq!(inbox.keep(&parcel).unwrap(), Kept::Again);
    assert_eq!(inbox.read(PARCEL).unwrap(), first);
    assert_eq!(inbox.list().unwrap(), [PARCEL]);
    let mode = std::fs::metadata(folder.path().join(format!("{PARCEL}.json"))).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    parcel.id = "pcl_../../../etc/passwd0000000".to_owned();
    assert!(inbox.keep(&parcel).is_err());
    assert!(!inbox.has(&parcel.id));
}

#[test]
fn a_key_is_made_once_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("service.key.der");
    let made = key::read_or_make(&path, Algorithm::Ps256).unwrap();
    assert_eq!(key::read_or_make(&path, Algorithm::Ps256).unwrap().public(), made.public());
    std::fs::write(&path, "not a key").unwrap();
    assert!(matches!(key::read_or_make(&path, Algorithm::Ps256), Err(KeyError::Content { .. })));
}
