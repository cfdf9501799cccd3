//! What every [`KeyProvider`] does, shown on one that has just made its keys.

use std::path::Path;
use std::sync::Arc;

use consentry::clock::{Clock as _, Month, SystemClock, Timestamp};
use consentry::entropy::Entropy;
use consentry::erase::retention::{R16RightsRequest, Term};
use consentry::jose::jwe::{self, CREDENTIALS_BYTES_MAX, Content};
use consentry::jose::{PublicKey, RecipientKey, jws};
use consentry::keys::KeyState::{Current, Previous, Retired};
use consentry::keys::{Duty, KeyError, KeyProvider, KeyState, RecordKey, Wrap};
use consentry::rights::declared::Declared;
use consentry::store::{Expect, Record, Shelves, StoreError};
use serde::{Deserialize, Serialize};

type Keys = Arc<dyn KeyProvider>;

const PAIRS: [Duty; 4] = [Duty::Intake, Duty::Maintenance, Duty::Signing, Duty::Log];

pub(super) async fn all(keys: Keys) {
    each_duty_has_one_key_of_its_own(&keys).await;
    a_token_opens_under_its_own_duty_and_whole_only(&keys).await;
    a_signature_is_of_the_duty_and_checks_out(&keys).await;
    a_records_key_unwraps_at_its_place_only(&keys).await;
    a_months_key_dies_and_stays_dead(&keys).await;
    many_ask_at_once(&keys).await;
    a_root_goes_with_the_next_and_takes_nobody_elses_with_it(&keys).await;
    a_copy_of_all_files_from_before_an_erasure_does_not_open(&keys).await;
    for duty in Duty::ALL {
        a_key_goes_its_way(&keys, duty).await;
    }
}

async fn each_duty_has_one_key_of_its_own(keys: &Keys) {
    let listed = keys.list().await.unwrap();
    for duty in Duty::ALL {
        let of_duty: Vec<_> = listed.iter().filter(|key| key.duty == duty).collect();
        assert_eq!(of_duty.len(), 1, "{duty}");
        assert_eq!(of_duty[0].state, Current);
        assert!(keys.holds(duty, &of_duty[0].kid).await.unwrap());
    }
    let mut kids: Vec<_> = listed.iter().map(|key| &key.kid).collect();
    kids.sort();
    kids.dedup();
    assert_eq!(kids.len(), Duty::ALL.len(), "no two have one name");
    for duty in PAIRS {
        let publics = keys.publics(duty).await.unwrap();
        assert_eq!(publics.len(), 1);
        assert_eq!(publics[0].modulus_bits(), 4096);
    }
    assert!(matches!(keys.publics(Duty::Storage).await, Err(KeyError::WrongDuty(Duty::Storage))));
}

fn seal(to: PublicKey) -> String {
    let to = RecipientKey::from_public(to).unwrap();
    Entropy::system().with(|rng| jwe::seal(b"secret", Content::Plain, &to, rng)).unwrap()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(done: Result<T, KeyError>, what: &str) {
    assert!(matches!(done, Err(KeyError::Refused(_))), "{what}: {done:?}");
}

async fn a_token_opens_under_its_own_duty_and_whole_only(keys: &Keys) {
    let token = seal(keys.public(Duty::Intake).await.unwrap());
    assert_eq!(keys.open(Duty::Intake, &token, CREDENTIALS_BYTES_MAX).await.unwrap().as_slice(), b"secret");
    for duty in [Duty::Maintenance, Duty::Signing, Duty::Log] {
        refused(keys.open(duty, &token, CREDENTIALS_BYTES_MAX).await, duty.name());
    }
    // The header, the key, the nonce, the text, the tag: each changed a little, and each is refused in the same words.
    let parts: Vec<&str> = token.split('.').collect();
    for at in 0..parts.len() {
        let flipped = if parts[at].starts_with('A') { "B" } else { "A" };
        let mut changed: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        changed[at].replace_range(..1, flipped);
        refused(keys.open(Duty::Intake, &changed.join("."), CREDENTIALS_BYTES_MAX).await, &format!("part {at}"));
    }
    let kid = keys.public(Duty::Intake).await.unwrap().kid().to_owned();
    for wrapped in [&[][..], &[0; 511], &[0; 512], &[0xff; 512], &[1; 513]] {
        refused(keys.unwrap(Duty::Intake, &kid, wrapped).await, &format!("{} bytes", wrapped.len()));
    }
    refused(keys.unwrap(Duty::Intake, "unknown", &[1; 512]).await, "no such key");
    assert!(matches!(
        keys.unwrap(Duty::Storage, &kid, &[1; 512]).await,
        Err(KeyError::WrongDuty(_) | KeyError::Refused(_))
    ));
}

async fn a_signature_is_of_the_duty_and_checks_out(keys: &Keys) {
    for duty in [Duty::Signing, Duty::Log] {
        let token = keys.sign_compact(duty, "receipt+jwt", b"{}").await.unwrap();
        let key = keys.public(duty).await.unwrap();
        assert_eq!(jws::verify(&token, "receipt+jwt", 10_000, &key).unwrap(), b"{}");
    }
    let (signing, intake) = (keys.public(Duty::Signing).await.unwrap(), keys.public(Duty::Intake).await.unwrap());
    refused(keys.sign(Duty::Log, signing.kid(), b"{}").await, "another duty's key");
    refused(keys.sign(Duty::Intake, intake.kid(), b"{}").await, "a key that opens does not sign");
    refused(keys.unwrap(Duty::Signing, signing.kid(), &[1; 512]).await, "a key that signs does not open");
}

async fn a_records_key_unwraps_at_its_place_only(keys: &Keys) {
    let key = Entropy::system().with(|rng| RecordKey::generate(rng));
    let wrap = keys.wrap_record(&key, b"here").await.unwrap();
    let again = keys.wrap_record(&key, b"here").await.unwrap();
    assert_ne!(wrap.bytes, again.bytes, "never the same twice");
    for wrap in [&wrap, &again] {
        assert_eq!(keys.unwrap_record(wrap, b"here").await.unwrap().danger_bytes(), key.danger_bytes());
    }
    refused(keys.unwrap_record(&wrap, b"there").await, "another place");
    for at in [0, wrap.bytes.len() / 2, wrap.bytes.len() - 1] {
        let mut changed = wrap.clone();
        changed.bytes[at] ^= 1;
        refused(keys.unwrap_record(&changed, b"here").await, &format!("byte {at}"));
    }
    let short = Wrap { kid: wrap.kid.clone(), bytes: vec![0; 7] };
    let unknown = Wrap { kid: "unknown".into(), bytes: wrap.bytes };
    for wrong in [short, unknown] {
        refused(keys.unwrap_record(&wrong, b"here").await, "no wrap");
    }
}

async fn a_months_key_dies_and_stays_dead(keys: &Keys) {
    let start: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    let last: Timestamp = "2027-11-30T23:59:59.999999999Z".parse().unwrap();
    let end: Timestamp = "2027-12-01T00:00:00Z".parse().unwrap();
    let (month, next) = (Month::of(start), Month::of("2026-12-01T00:00:00Z".parse().unwrap()));
    let tag = keys.month_hmac(month, b"login", start).await.unwrap();
    let later = keys.month_hmac(next, b"login", last).await.unwrap();
    assert_eq!(keys.month_hmac(month, b"login", last).await.unwrap(), tag);
    assert_ne!(keys.month_hmac(month, b"other", last).await.unwrap(), tag);
    assert_ne!(later, tag, "each month has its own key");

    assert!(matches!(keys.month_hmac(month, b"login", end).await, Err(KeyError::Destroyed(_))), "even before the pass");
    assert_eq!(keys.destroy_due(last).await.unwrap(), []);
    let gone = keys.destroy_due(end).await.unwrap();
    assert_eq!(gone.iter().map(|gone| gone.key.as_str()).collect::<Vec<_>>(), ["month-2026-11"]);
    assert_eq!(keys.destroy_due(end).await.unwrap(), []);
    let after: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    let back = keys.month_hmac(month, b"login", after).await;
    assert!(matches!(back, Err(KeyError::Destroyed(_))), "a clock that is set back does not bring it back: {back:?}");
    assert_eq!(keys.month_hmac(next, b"login", last).await.unwrap(), later, "the next month's is there");
    // The clock was thirteen months ahead, and is right again: the month is not over, and people log in.
    let new = keys.month_hmac(month, b"login", start).await.unwrap();
    assert_ne!(new, tag, "with another key");
    assert_eq!(keys.month_hmac(month, b"login", last).await.unwrap(), new, "which lives as long as any");
    assert!(matches!(keys.month_hmac(month, b"login", end).await, Err(KeyError::Destroyed(_))));
    assert_eq!(keys.destroy_due(end).await.unwrap().len(), 1);
    assert!(matches!(keys.month_hmac(month, b"login", after).await, Err(KeyError::Destroyed(_))));
}

async fn a_root_goes_with_the_next_and_takes_nobody_elses_with_it(keys: &Keys) {
    let (key, now) = (Entropy::system().with(|rng| RecordKey::generate(rng)), SystemClock.now());
    let wrap = async |owner: &str| keys.wrap_under_root(owner, &key, b"file").await.unwrap();
    let (old, new, others) = (wrap("one").await, wrap("one").await, wrap("other").await);
    assert_eq!(keys.destroy_roots("one", "unknown", now).await.unwrap(), [], "never all of them");
    let gone = keys.destroy_roots("one", &new.kid, now).await.unwrap();
    assert_eq!(gone.iter().map(|gone| &gone.key).collect::<Vec<_>>(), [&old.kid]);
    refused(keys.unwrap_record(&old, b"file").await, "its root is destroyed");
    for wrap in [&new, &others] {
        assert_eq!(keys.unwrap_record(wrap, b"file").await.unwrap().danger_bytes(), key.danger_bytes());
    }
    refused(keys.unwrap_record(&new, b"another file").await, "another place");
    assert_eq!(keys.list().await.unwrap().len(), Duty::ALL.len(), "roots are nobody's duty");
}

#[derive(Serialize, Deserialize)]
struct Note(String);

impl Record for Note {
    const NAMESPACE: &'static str = "note";
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
    type Row = R16RightsRequest;
}

/// The key file of software keys is not among the files: a copy of it is what no erasure reaches.
async fn a_copy_of_all_files_from_before_an_erasure_does_not_open(keys: &Keys) {
    let folder = tempfile::tempdir().unwrap();
    let (live, copied) = (folder.path().join("live"), folder.path().join("copied"));
    let open = async |folder: &Path| {
        Shelves::sled(folder, keys.clone(), Arc::new(Entropy::system()), Arc::new(SystemClock)).await
    };
    let shelves = open(&live).await.unwrap();
    let shelf = shelves.shelf::<R16RightsRequest>();
    for name in ["one", "two"] {
        shelf.put(name, &Note(name.to_owned()), Expect::Absent, Term::open()).await.unwrap();
    }
    copy(&live, &copied);
    shelf.delete::<Note>("one").await.unwrap();
    let begun = std::time::Instant::now();
    let gone = shelves.destroy_due(SystemClock.now()).await.unwrap();
    println!("another root in {:?}, by {}", begun.elapsed(), gone[0].provider);
    drop((shelf, shelves));
    let refused = open(&copied).await.unwrap_err();
    assert!(matches!(refused, StoreError::Roots), "{refused:?}");
    let shelves = open(&live).await.unwrap();
    let shelf = shelves.shelf::<R16RightsRequest>();
    assert!(shelf.holds::<Note>("two").await.unwrap() && !shelf.holds::<Note>("one").await.unwrap());
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { std::fs::copy(&path, &to).map(drop).unwrap() }
    }
}

async fn many_ask_at_once(keys: &Keys) {
    let public = keys.public(Duty::Intake).await.unwrap();
    let asking = (0..60).map(|number| {
        let (keys, token) = (keys.clone(), seal(public.clone()));
        tokio::spawn(async move {
            // Some of them damaged: they harm nobody else.
            let token = if number % 3 == 0 { token.replacen('.', ".A", 1) } else { token };
            let opened = keys.open(Duty::Intake, &token, CREDENTIALS_BYTES_MAX).await;
            let signed = keys.sign_compact(Duty::Signing, "receipt+jwt", b"{}").await;
            (number % 3 == 0, opened, signed)
        })
    });
    for asked in asking.collect::<Vec<_>>() {
        let (damaged, opened, signed) = asked.await.unwrap();
        signed.unwrap();
        if damaged { refused(opened, "damaged") } else { assert_eq!(opened.unwrap().as_slice(), b"secret") }
    }
}

/// What a key of a duty does for others, as long as it is there.
enum Use {
    Opens(String),
    Signs(String),
    Unwraps(Wrap),
}

impl Use {
    async fn of(keys: &Keys, duty: Duty) -> Self {
        match duty {
            Duty::Intake | Duty::Maintenance => Self::Opens(seal(keys.public(duty).await.unwrap())),
            Duty::Signing | Duty::Log => Self::Signs(keys.public(duty).await.unwrap().kid().to_owned()),
            Duty::Storage => {
                let key = RecordKey::from_bytes(zeroize::Zeroizing::new([5; 32]));
                Self::Unwraps(keys.wrap_record(&key, b"here").await.unwrap())
            }
        }
    }

    async fn works(&self, keys: &Keys, duty: Duty) -> bool {
        let done = match self {
            Self::Opens(token) => keys.open(duty, token, CREDENTIALS_BYTES_MAX).await.map(drop),
            Self::Signs(kid) => keys.sign(duty, kid, b"message").await.map(drop),
            Self::Unwraps(wrap) => keys.unwrap_record(wrap, b"here").await.map(drop),
        };
        assert!(matches!(done, Ok(()) | Err(KeyError::Refused(_))), "{done:?}");
        done.is_ok()
    }
}

async fn states(keys: &Keys, duty: Duty) -> Vec<KeyState> {
    keys.list().await.unwrap().iter().filter(|key| key.duty == duty).map(|key| key.state).collect()
}

async fn published(keys: &Keys, duty: Duty) -> Vec<String> {
    match keys.publics(duty).await {
        Err(KeyError::WrongDuty(_)) => vec![],
        publics => publics.unwrap().iter().map(|key| key.kid().to_owned()).collect(),
    }
}

async fn a_key_goes_its_way(keys: &Keys, duty: Duty) {
    let now = SystemClock.now();
    let old = keys.list().await.unwrap().into_iter().find(|key| key.duty == duty).unwrap().kid;
    let early = Use::of(keys, duty).await;
    for refused in [keys.retire(&old).await.map(drop), keys.destroy(&old, now).await.map(drop)] {
        assert!(matches!(&refused, Err(KeyError::Current(kid)) if *kid == old), "{refused:?}");
    }
    // The clock was ahead when the first was made: the one that is made last seals all the same.
    let new = keys.rotate(duty, now - jiff::SignedDuration::from_hours(24)).await.unwrap();
    assert_eq!((states(keys, duty).await, new.state, new.duty), (vec![Previous, Current], Current, duty));
    let both = published(keys, duty).await;
    assert!(both.is_empty() || both == [new.kid.clone(), old.clone()], "{both:?}");
    let late = Use::of(keys, duty).await;
    assert!(early.works(keys, duty).await && late.works(keys, duty).await, "whoever had yesterday's key goes on");

    for _ in 0..2 {
        assert_eq!(keys.retire(&old).await.unwrap().state, Retired);
    }
    assert_eq!(states(keys, duty).await, [Retired, Current]);
    let left = published(keys, duty).await;
    match duty {
        Duty::Storage => assert_eq!(left, Vec::<String>::new()),
        Duty::Intake | Duty::Maintenance => assert_eq!(left, std::slice::from_ref(&new.kid)),
        Duty::Signing | Duty::Log => assert_eq!(left, both, "what it signed is checked with it"),
    }
    assert!(early.works(keys, duty).await, "retired, and there");

    let gone = keys.destroy(&old, now).await.unwrap();
    assert_eq!((&gone.key, gone.at), (&old, now));
    assert!(!early.works(keys, duty).await && late.works(keys, duty).await, "{duty}");
    assert_eq!(states(keys, duty).await, [Current]);
    assert!(!published(keys, duty).await.contains(&old));
    for unknown in [keys.retire(&old).await.map(drop), keys.destroy(&old, now).await.map(drop)] {
        assert!(matches!(unknown, Err(KeyError::Unknown(_))), "{unknown:?}");
    }
}
