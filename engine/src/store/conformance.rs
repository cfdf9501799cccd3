//! What every store promises. One suite, run by each back end.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::{Expect, Revision, Store, StoreError};

/// Runs the suite. `fresh` opens an empty store.
pub(super) async fn all<F: Future<Output = Arc<dyn Store>>>(fresh: impl Fn() -> F) {
    what_is_written_is_read(&*fresh().await).await;
    a_write_happens_as_expected_or_not_at_all(&*fresh().await).await;
    a_delete_happens_as_expected_or_not_at_all(&*fresh().await).await;
    no_revision_is_given_twice(&*fresh().await).await;
    a_scan_lists_a_prefix_in_order(&*fresh().await).await;
    of_all_who_race_one_wins(fresh().await).await;
    it_behaves_like_a_map(fresh().await).await;
}

async fn put(store: &dyn Store, key: &str, body: &[u8], expect: Expect) -> Result<Revision, StoreError> {
    store.put(key, b"head".to_vec(), body.to_vec(), expect).await
}

async fn body(store: &dyn Store, key: &str) -> Option<Vec<u8>> {
    store.get(key).await.unwrap().map(|entry| entry.body)
}

#[track_caller]
fn conflict<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Conflict)), "{result:?}");
}

async fn what_is_written_is_read(store: &dyn Store) {
    assert_eq!(store.get("a").await.unwrap(), None);
    for length in [0, 1, 65_535, 65_536, 65_537, 300_000] {
        let content = vec![7; length];
        let revision = put(store, "a", &content, Expect::Any).await.unwrap();
        let entry = store.get("a").await.unwrap().unwrap();
        assert_eq!((entry.head.as_slice(), entry.body, entry.revision), (&b"head"[..], content, revision));
    }
    put(store, "a", b"short again", Expect::Any).await.unwrap();
    assert_eq!(body(store, "a").await.unwrap(), b"short again");
}

async fn a_write_happens_as_expected_or_not_at_all(store: &dyn Store) {
    let one = put(store, "a", b"one", Expect::Absent).await.unwrap();
    conflict(put(store, "a", b"other", Expect::Absent).await);
    let two = put(store, "a", b"two", Expect::At(one)).await.unwrap();
    assert!(two > one);
    conflict(put(store, "a", b"other", Expect::At(one)).await);
    conflict(put(store, "b", b"other", Expect::At(one)).await);
    assert_eq!(body(store, "a").await.unwrap(), b"two");
    assert_eq!(body(store, "b").await, None);
}

async fn a_delete_happens_as_expected_or_not_at_all(store: &dyn Store) {
    let one = put(store, "a", &[7; 100_000], Expect::Absent).await.unwrap();
    let two = put(store, "a", &[8; 100_000], Expect::At(one)).await.unwrap();
    conflict(store.delete("a", Expect::At(one)).await);
    conflict(store.delete("a", Expect::Absent).await);
    assert!(body(store, "a").await.is_some());
    store.delete("a", Expect::At(two)).await.unwrap();
    assert_eq!(body(store, "a").await, None);
    store.delete("a", Expect::Any).await.unwrap();
    conflict(store.delete("a", Expect::At(two)).await);
}

async fn no_revision_is_given_twice(store: &dyn Store) {
    let one = put(store, "a", b"one", Expect::Absent).await.unwrap();
    store.delete("a", Expect::Any).await.unwrap();
    let two = put(store, "a", b"two", Expect::Absent).await.unwrap();
    assert!(two > one);
    conflict(put(store, "a", b"late", Expect::At(one)).await);
}

async fn a_scan_lists_a_prefix_in_order(store: &dyn Store) {
    for key in ["R1/b/2", "R1/a/1", "R10/a/1", "R1/a/2", "R2/a/1"] {
        put(store, key, &[7; 70_000], Expect::Absent).await.unwrap();
    }
    let keys = async |prefix: &str| -> Vec<String> {
        let heads = store.scan(prefix).await.unwrap();
        assert!(heads.iter().all(|(_, head, _)| head == b"head"));
        heads.into_iter().map(|(key, ..)| key).collect()
    };
    assert_eq!(keys("R1/").await, ["R1/a/1", "R1/a/2", "R1/b/2"]);
    assert_eq!(keys("R1/a/").await, ["R1/a/1", "R1/a/2"]);
    assert_eq!(keys("R3/").await, [""; 0]);
    assert_eq!(keys("").await.len(), 5);
}

async fn of_all_who_race_one_wins(store: Arc<dyn Store>) {
    let mut revision = put(&*store, "a", b"0", Expect::Absent).await.unwrap();
    for round in 0..5_u8 {
        let race = (0..8_u8).map(|racer| {
            let store = store.clone();
            tokio::spawn(async move {
                put(&*store, "a", &[round, racer], Expect::At(revision)).await.ok().map(|r| (racer, r))
            })
        });
        let mut won = Vec::new();
        for racer in race.collect::<Vec<_>>() {
            won.extend(racer.await.unwrap());
        }
        let [(racer, next)] = won[..] else { panic!("{won:?}") };
        assert_eq!(body(&*store, "a").await.unwrap(), [round, racer]);
        revision = next;
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, Expected, usize),
    Delete(u8, Expected),
}

#[derive(Debug, Clone, Copy)]
enum Expected {
    Absent,
    Last,
    Older,
    Any,
}

/// Random steps on few keys, beside a plain map that says what must come out.
async fn it_behaves_like_a_map(store: Arc<dyn Store>) {
    let expected =
        || prop_oneof![Just(Expected::Absent), Just(Expected::Last), Just(Expected::Older), Just(Expected::Any)];
    let step = prop_oneof![
        (0..3_u8, expected(), prop_oneof![0..10_usize, 65_530..65_545_usize]).prop_map(|(k, e, n)| Step::Put(k, e, n)),
        (0..3_u8, expected()).prop_map(|(k, e)| Step::Delete(k, e)),
    ];
    let steps = prop::collection::vec(step, 60).new_tree(&mut TestRunner::default()).unwrap().current();

    let mut model: [Option<(Vec<u8>, Revision)>; 3] = [None, None, None];
    let mut seen = [vec![Revision(0)], vec![Revision(0)], vec![Revision(0)]];
    for step in steps {
        let (at, expected) = match &step {
            Step::Put(at, expected, _) | Step::Delete(at, expected) => (usize::from(*at), *expected),
        };
        let current = model[at].as_ref().map(|(_, revision)| *revision);
        let expect = match expected {
            Expected::Absent => Expect::Absent,
            Expected::Last => Expect::At(*seen[at].last().unwrap()),
            Expected::Older => Expect::At(seen[at][0]),
            Expected::Any => Expect::Any,
        };
        let key = format!("k{at}");
        match step {
            Step::Put(_, _, length) => match put(&*store, &key, &vec![9; length], expect).await {
                Ok(revision) => {
                    assert!(expect.met_by(current) && seen[at].iter().all(|known| *known < revision));
                    seen[at].push(revision);
                    model[at] = Some((vec![9; length], revision));
                }
                Err(error) => assert!(matches!(error, StoreError::Conflict) && !expect.met_by(current)),
            },
            Step::Delete(..) => match store.delete(&key, expect).await {
                Ok(()) => {
                    assert!(expect.met_by(current));
                    model[at] = None;
                }
                Err(error) => assert!(matches!(error, StoreError::Conflict) && !expect.met_by(current)),
            },
        }
        let entry = store.get(&key).await.unwrap().map(|entry| (entry.body, entry.revision));
        assert_eq!(entry, model[at]);
    }
    let keys: Vec<String> = store.scan("k").await.unwrap().into_iter().map(|(key, ..)| key).collect();
    let wanted: Vec<String> = (0..3).filter(|at| model[*at].is_some()).map(|at| format!("k{at}")).collect();
    assert_eq!(keys, wanted);
}
