use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::fixtures::disk::{Disk, Recorded, lose_power, record};
use crate::jose::jwe::{self, CREDENTIALS_BYTES_MAX, Content};
use crate::jose::tests::{published_key, recipient};
use crate::jose::{Algorithm, jws};

mod lifecycle;

fn now() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

/// Keys that are quick to have: the RSA ones are published.
pub(crate) fn keys() -> Arc<dyn KeyProvider> {
    Arc::new(SoftwareKeys::with(published(), None, now()))
}

/// The same, in a file of this folder, which is made if it is not there: another process of a test has them, too.
pub(crate) fn keys_in(folder: &Path) -> Arc<dyn KeyProvider> {
    let path = folder.join("keys");
    if !path.exists() {
        let file = KeyFile::create(&path, "right".into(), Cost::LEAST).unwrap();
        file.write_new(&published().encode().unwrap()).unwrap();
    }
    Arc::new(SoftwareKeys::open(&path, "right".into(), now()).unwrap())
}

fn published() -> KeySet {
    KeySet { entries: Duty::ALL.map(|duty| Entry::published(duty, now())).into(), ..KeySet::default() }
}

/// A key file in a new folder, with the passphrase `right`.
fn written() -> (tempfile::TempDir, std::path::PathBuf, SoftwareKeys) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let file = KeyFile::create(&path, "right".into(), Cost::LEAST).unwrap();
    let version = file.write_new(&published().encode().unwrap()).unwrap();
    let keys = SoftwareKeys::open(&path, "right".into(), now()).unwrap();
    assert_eq!(keys.seen().map(|seen| seen.taken), Some(version));
    (folder, path, keys)
}

fn kids(keys: &SoftwareKeys) -> Vec<String> {
    keys.set().entries.iter().map(|entry| format!("{} {}", entry.duty, entry.kid)).collect()
}

#[tokio::test]
async fn ephemeral_keys_are_made_once_each_when_they_are_asked_for() {
    let keys: Arc<dyn KeyProvider> = Arc::new(SoftwareKeys::ephemeral(now()));
    let [one, two, signing] = [Duty::Intake, Duty::Intake, Duty::Signing].map(|duty| {
        tokio::spawn({
            let keys = keys.clone();
            async move { keys.public(duty).await.unwrap() }
        })
    });
    let (one, two, signing) = (one.await.unwrap(), two.await.unwrap(), signing.await.unwrap());
    assert_eq!(one, two);
    assert_ne!(one.kid(), signing.kid());
    assert_eq!((one.modulus_bits(), signing.modulus_bits()), (4096, 4096));
    assert!(matches!(keys.public(Duty::Storage).await, Err(KeyError::WrongDuty(Duty::Storage))));
}

#[tokio::test]
async fn a_token_opens_under_its_own_duty_only() {
    let keys = keys();
    let token = jwe::seal(b"secret", Content::Plain, &recipient(), &mut StdRng::seed_from_u64(1)).unwrap();
    assert_eq!(keys.open(Duty::Intake, &token, CREDENTIALS_BYTES_MAX).await.unwrap().as_slice(), b"secret");
    let signing = keys.open(Duty::Signing, &token, CREDENTIALS_BYTES_MAX).await;
    assert!(matches!(signing, Err(KeyError::Refused(_))), "the same key, but another duty: {signing:?}");
    let damaged = keys.open(Duty::Intake, &token.replace('.', ".A"), CREDENTIALS_BYTES_MAX).await;
    assert!(matches!(damaged, Err(KeyError::Refused(_))));
}

#[tokio::test]
async fn a_signature_is_made_with_the_newest_key_and_checks_out() {
    let keys = keys();
    let token = keys.sign_compact(Duty::Signing, "receipt+jwt", b"{}").await.unwrap();
    let key = keys.public(Duty::Signing).await.unwrap();
    assert_eq!(jws::verify(&token, "receipt+jwt", 10_000, &key).unwrap(), b"{}");
    assert_eq!(&key, published_key(Algorithm::Ps256).public());
}

#[tokio::test]
async fn a_records_key_unwraps_at_its_place_only() {
    let keys = keys();
    let key = RecordKey::generate(&mut StdRng::seed_from_u64(1));
    let wrap = keys.wrap_record(&key, b"here").await.unwrap();
    assert_eq!(keys.unwrap_record(&wrap, b"here").await.unwrap().danger_bytes(), key.danger_bytes());
    let mut other = wrap.clone();
    other.bytes[20] ^= 1;
    let mut unknown = wrap.clone();
    unknown.kid.push('x');
    let short = Wrap { kid: wrap.kid.clone(), bytes: vec![0; 11] };
    for (wrap, aad) in [(&wrap, "there"), (&other, "here"), (&unknown, "here"), (&short, "here")] {
        let refused = keys.unwrap_record(wrap, aad.as_bytes()).await;
        assert!(matches!(refused, Err(KeyError::Refused(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_months_key_dies_at_the_first_instant_of_the_thirteenth_month() {
    let keys = keys();
    let month = Month::of(now());
    let last: Timestamp = "2027-11-30T23:59:59.999999999Z".parse().unwrap();
    let end: Timestamp = "2027-12-01T00:00:00Z".parse().unwrap();
    let tag = keys.month_hmac(month, b"login", now()).await.unwrap();
    assert_eq!(keys.month_hmac(month, b"login", last).await.unwrap(), tag);
    assert_ne!(keys.month_hmac(month, b"other", last).await.unwrap(), tag);
    assert_ne!(keys.month_hmac(Month::of(end), b"login", last).await.unwrap(), tag, "each month has its own key");

    assert!(matches!(keys.month_hmac(month, b"login", end).await, Err(KeyError::Destroyed(_))), "even before the pass");
    assert_eq!(keys.destroy_due(last).await.unwrap(), []);
    let gone = keys.destroy_due(end).await.unwrap();
    assert_eq!(gone, [Destroyed { key: "month-2026-11".into(), at: end, provider: "software".into() }]);
    let over = "2026-12-01T00:00:00Z".parse().unwrap();
    let back = keys.month_hmac(month, b"login", over).await;
    assert!(matches!(back, Err(KeyError::Destroyed(_))), "a clock that is set back does not bring it back: {back:?}");
    // The clock was ahead by mistake, and the month is not over: whoever logs in now needs a key.
    assert_ne!(keys.month_hmac(month, b"login", now()).await.unwrap(), tag, "another one");
}

#[tokio::test]
async fn a_key_file_opens_with_its_passphrase_and_keeps_what_changed() {
    let (_folder, path, keys) = written();
    let tag = keys.month_hmac(Month::of(now()), b"login", now()).await.unwrap();
    let old = keys.set().newest(Duty::Storage).unwrap().kid;
    let storage = keys.rotate(Duty::Storage, now()).await.unwrap().kid;
    let gone = keys.destroy(&old, now()).await.unwrap();
    let wrap = keys.wrap_record(&RecordKey::generate(&mut StdRng::seed_from_u64(1)), b"here").await.unwrap();

    let opened = SoftwareKeys::open(&path, "right".into(), now()).unwrap();
    assert_eq!(kids(&opened), kids(&keys));
    assert_eq!(opened.set().newest(Duty::Storage).unwrap().kid, storage);
    assert_eq!(opened.set().destroyed, [gone]);
    assert_eq!(opened.month_hmac(Month::of(now()), b"login", now()).await.unwrap(), tag);
    assert!(opened.unwrap_record(&wrap, b"here").await.is_ok());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_new_key_file_has_a_key_for_each_duty_and_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let keys = SoftwareKeys::generate_at_cost(&path, "right".into(), now(), Cost::LEAST).unwrap();
    let duties: Vec<_> = keys.set().entries.iter().map(|entry| entry.duty).collect();
    assert_eq!(duties, Duty::ALL);
    assert_eq!(kids(&SoftwareKeys::open(&path, "right".into(), now()).unwrap()), kids(&keys));

    let before = fs::read(&path).unwrap();
    let again = SoftwareKeys::generate_at_cost(&path, "right".into(), now(), Cost::LEAST);
    assert!(matches!(again, Err(KeyError::File(KeyFileError::Exists))));
    assert_eq!(fs::read(&path).unwrap(), before);
    let empty = SoftwareKeys::generate(&folder.path().join("other"), "".into(), now());
    assert!(matches!(empty, Err(KeyError::File(KeyFileError::NoPassphrase))));
}

#[track_caller]
#[tokio::test]
async fn a_link_to_the_key_file_stays_one_and_the_file_that_it_leads_to_is_rewritten() {
    let (folder, path, keys) = written();
    drop(keys);
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let keys = SoftwareKeys::open(&link, "right".into(), now()).unwrap();
    let fresh = keys.rotate(Duty::Log, now()).await.unwrap().kid;
    assert!(link.symlink_metadata().unwrap().is_symlink());
    let direct = SoftwareKeys::open(&path, "right".into(), now()).unwrap();
    assert!(direct.list().await.unwrap().iter().any(|key| key.kid == fresh));
}

fn does_not_open(path: &std::path::Path, passphrase: &str, why: &str) {
    let error = SoftwareKeys::open(path, passphrase.into(), now()).unwrap_err();
    let KeyError::File(error) = error else { panic!("{error:?}") };
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn a_key_file_that_is_damaged_open_to_others_or_missing_says_so() {
    let (_folder, path, _keys) = written();
    does_not_open(&path, "wrong", "the passphrase is wrong");
    let good = fs::read(&path).unwrap();
    for at in [0, 16, 17, 60, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        does_not_open(&path, "right", "damaged");
    }
    fs::write(&path, &good[..40]).unwrap();
    does_not_open(&path, "right", "damaged");
    fs::write(&path, &good).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    does_not_open(&path, "right", "mode 640");
    fs::remove_file(&path).unwrap();
    does_not_open(&path, "right", "generate one first");
}

#[tokio::test]
async fn a_change_that_can_not_be_written_does_not_happen() {
    let (folder, _path, keys) = written();
    folder.close().unwrap();
    assert!(matches!(keys.month_hmac(Month::of(now()), b"login", now()).await, Err(KeyError::File(_))));
    assert!(keys.set().months.is_empty());
}

#[test]
fn nothing_secret_is_printed() {
    let (_folder, path, keys) = written();
    let printed = format!("{keys:?} {:?}", RecordKey::generate(&mut StdRng::seed_from_u64(1)));
    let file = path.display();
    let wanted = kids(&keys);
    assert_eq!(
        printed,
        format!("SoftwareKeys {{ keys: {wanted:?}, months: [], file: Some({:?}), .. }} RecordKey", file.to_string())
    );
    assert_eq!(format!("{:?}", Wrap { kid: "k".into(), bytes: vec![7; 60] }), r#"Wrap { kid: "k", .. }"#);
}

#[test]
#[ignore = "runs only as the child of the next test"]
fn key_file_that_is_recorded() {
    let Some(mut recorded) = Recorded::child() else { return };
    let file = KeyFile::create(&recorded.folder.join("keys"), "right".into(), Cost::LEAST).unwrap();
    for number in 1..5 {
        recorded.begin();
        let written = if number == 1 { file.write_new(&[number; 3000]) } else { file.replace(&[number; 3000]) };
        written.unwrap();
        recorded.acknowledged();
    }
}

#[test]
fn the_keys_survive_a_loss_of_power() {
    let calls = record("keys::software::tests::key_file_that_is_recorded", &[]);
    let wrong = |folder: &Path, begun: usize, acknowledged: usize| {
        let found = match KeyFile::open(&folder.join("keys"), "right".into()) {
            Ok((_, opened)) => usize::from(opened.bytes[0]),
            Err(KeyFileError::Missing) => 0,
            Err(error) => return Some(format!("after {acknowledged}: {error}")),
        };
        (found != begun && found != acknowledged).then(|| format!("version {found} after {acknowledged} of {begun}"))
    };
    assert_eq!(lose_power(Disk::default(), &calls, 40, wrong), [""; 0]);
    assert!(!lose_power(Disk::that_ignores_syncs(), &calls, 20, wrong).is_empty());
}
