//! Keys from their making to their end, also when another program changes the file of an engine that runs.

use super::*;
use crate::jose::RecipientKey;
use crate::keys::KeyState::{self, Current, Previous, Retired};

fn sealed(keys: &SoftwareKeys) -> String {
    let entry = keys.set().newest(Duty::Maintenance).unwrap();
    let Material::Rsa(key) = entry.material.as_ref() else { panic!("RSA") };
    let to = RecipientKey::from_public(key.public().clone()).unwrap();
    jwe::seal(b"secret", Content::Plain, &to, &mut StdRng::seed_from_u64(1)).unwrap()
}

async fn opens(keys: &SoftwareKeys, token: &str) -> bool {
    let keys: &dyn KeyProvider = keys;
    keys.open(Duty::Maintenance, token, CREDENTIALS_BYTES_MAX).await.is_ok()
}

async fn states(keys: &SoftwareKeys) -> Vec<KeyState> {
    let listed = keys.list().await.unwrap();
    listed.iter().filter(|key| key.duty == Duty::Maintenance).map(|key| key.state).collect()
}

#[tokio::test]
async fn a_key_seals_until_it_is_rotated_is_published_until_it_is_retired_and_opens_until_it_is_destroyed() {
    let (_folder, path, keys) = written();
    let first = keys.set().newest(Duty::Maintenance).unwrap();
    // The published key is that of other duties too, and ids are one of a kind.
    let old = keys.rotate(Duty::Maintenance, now()).await.unwrap().kid;
    let others = |entry: &Entry| entry.duty != first.duty || entry.kid == old;
    keys.change(|set| {
        set.entries.retain(others);
        Ok(())
    })
    .await
    .unwrap();
    let token = sealed(&keys);
    assert_eq!(states(&keys).await, [Current]);
    for refused in [keys.retire(&old).await.map(drop), keys.destroy(&old, now()).await.map(drop)] {
        assert!(matches!(&refused, Err(KeyError::Current(kid)) if *kid == old), "{refused:?}");
    }

    let new = keys.rotate(Duty::Maintenance, now()).await.unwrap();
    assert_eq!((states(&keys).await, new.state), (vec![Previous, Current], Current));
    let published = keys.publics(Duty::Maintenance).await.unwrap();
    assert_eq!(published.iter().map(PublicKey::kid).collect::<Vec<_>>(), [&new.kid, &old]);
    assert!(opens(&keys, &token).await && opens(&keys, &sealed(&keys)).await);

    for _ in 0..2 {
        assert_eq!(keys.retire(&old).await.unwrap().state, Retired);
    }
    assert_eq!(states(&keys).await, [Retired, Current]);
    assert_eq!(keys.publics(Duty::Maintenance).await.unwrap().len(), 1);
    let again = SoftwareKeys::open(&path, "right".into(), now()).unwrap();
    assert_eq!(again.list().await.unwrap(), keys.list().await.unwrap());
    assert!(opens(&again, &token).await, "it is there, whoever asks for it");

    let gone = keys.destroy(&old, now()).await.unwrap();
    assert_eq!((&gone.key, gone.at), (&old, now()));
    assert!(!opens(&keys, &token).await && !opens(&again, &token).await);
    for unknown in [keys.retire(&old).await.map(drop), keys.destroy(&old, now()).await.map(drop)] {
        assert!(matches!(unknown, Err(KeyError::Unknown(_))), "{unknown:?}");
    }
}

#[tokio::test]
async fn an_engine_that_runs_takes_up_what_another_program_did() {
    let (_folder, path, engine) = written();
    let tag = engine.month_hmac(Month::of(now()), b"login", now()).await.unwrap();
    let tool = SoftwareKeys::open(&path, "right".into(), now()).unwrap();
    let new = tool.rotate(Duty::Storage, now()).await.unwrap();
    let wrap = engine.wrap_record(&RecordKey::generate(&mut StdRng::seed_from_u64(1)), b"here").await.unwrap();
    assert_eq!(wrap.kid, new.kid);

    // Each changes what the other has not seen yet, and neither loses it.
    let next = Month::of("2026-12-01T00:00:00Z".parse().unwrap());
    let (made, rotated) = tokio::join!(engine.month_hmac(next, b"login", now()), tool.rotate(Duty::Storage, now()));
    let (made, rotated) = (made.unwrap(), rotated.unwrap());
    for keys in [&engine, &tool, &SoftwareKeys::open(&path, "right".into(), now()).unwrap()] {
        assert_eq!(keys.month_hmac(Month::of(now()), b"login", now()).await.unwrap(), tag);
        assert_eq!(keys.month_hmac(next, b"login", now()).await.unwrap(), made);
        let current: Vec<_> = keys.list().await.unwrap().into_iter().filter(|key| key.duty == Duty::Storage).collect();
        assert_eq!(current.last().unwrap().kid, rotated.kid);
        assert_eq!(current.len(), 3);
    }
}

#[tokio::test]
async fn a_file_that_is_spoilt_or_gone_takes_no_key_from_an_engine_that_runs_and_is_not_written_over() {
    let (_folder, path, keys) = written();
    let before = keys.list().await.unwrap();
    let good = fs::read(&path).unwrap();
    fs::write(&path, b"spoilt").unwrap();
    assert_eq!(keys.list().await.unwrap(), before);
    assert!(matches!(keys.rotate(Duty::Storage, now()).await, Err(KeyError::File(KeyFileError::Form))));
    assert_eq!(fs::read(&path).unwrap(), b"spoilt");
    fs::remove_file(&path).unwrap();
    assert_eq!(keys.list().await.unwrap(), before);
    assert!(matches!(keys.rotate(Duty::Storage, now()).await, Err(KeyError::File(KeyFileError::Missing))));

    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    std::io::Write::write_all(&mut made.unwrap(), &good).unwrap();
    keys.rotate(Duty::Storage, now()).await.unwrap();
    assert_eq!(keys.list().await.unwrap().len(), before.len() + 1);
}

#[tokio::test]
async fn whoever_does_not_let_go_of_the_file_holds_nothing_up_for_long() {
    let (_folder, path, keys) = written();
    let other = fs::File::open(&path).unwrap();
    other.lock().unwrap();
    let held = keys.rotate(Duty::Storage, now()).await;
    assert!(matches!(held, Err(KeyError::File(KeyFileError::Held))), "{held:?}");
    assert_eq!(keys.list().await.unwrap().len(), Duty::ALL.len(), "what needs no change goes on");
    other.unlock().unwrap();
    keys.rotate(Duty::Storage, now()).await.unwrap();
}
