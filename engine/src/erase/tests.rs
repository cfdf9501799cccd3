use std::sync::Arc;

use jiff::SignedDuration;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::*;
use crate::clock::{Clock, ManualClock, Month};
use crate::entropy::Entropy;
use crate::erase::retention::{R04AnonymousSession, R16RightsRequest, Storable, Term};
use crate::keys::software::tests::keys;
use crate::rights::declared::Declared;
use crate::store::{Expect, Record};

fn run() -> RunId {
    "run_01JD8Z3M7K0000000000000000".parse().unwrap()
}

#[test]
fn a_run_is_erased_when_every_part_of_it_is_gone() {
    let gone = || true;
    let left = || false;
    let all = Parts { secrets: &gone, sandbox: &gone, tasks: &gone, data: &gone, parcel: &gone };
    let erased = Erased::prove(run(), &all, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!((erased.run(), erased.at()), (run(), Timestamp::UNIX_EPOCH));
    let cases = [
        (Parts { secrets: &left, ..all }, vec!["secrets"]),
        (Parts { sandbox: &left, ..all }, vec!["sandbox"]),
        (Parts { tasks: &left, ..all }, vec!["tasks"]),
        (Parts { data: &left, ..all }, vec!["data"]),
        (Parts { parcel: &left, ..all }, vec!["parcel"]),
        (Parts { tasks: &left, parcel: &left, ..all }, vec!["tasks", "parcel"]),
    ];
    for (parts, left) in cases {
        let error = Erased::prove(run(), &parts, Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(error.parts(), left);
        assert_eq!(error.to_string(), format!("not erased yet: {}", left.join(", ")));
    }
}

#[derive(Serialize, Deserialize)]
struct SessionNote;
#[derive(Serialize, Deserialize)]
struct RightsNote;

impl Record for SessionNote {
    const NAMESPACE: &'static str = "note";
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
    type Row = R04AnonymousSession;
}
impl Record for RightsNote {
    const NAMESPACE: &'static str = "note";
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
    type Row = R16RightsRequest;
}

async fn put<T: Record<Row = R>, R: Storable>(shelves: &Shelves, name: &str, note: T, term: Term) {
    shelves.shelf::<R>().put(name, &note, Expect::Absent, term).await.unwrap();
}

#[tokio::test]
async fn what_a_pass_can_not_do_about_one_key_keeps_it_from_no_other() {
    let (clock, folder) =
        (Arc::new(ManualClock::new("2026-11-21T10:00:00Z".parse().unwrap())), tempfile::tempdir().unwrap());
    let (entropy, keys) =
        (Arc::new(Entropy::from(StdRng::seed_from_u64(1))), crate::keys::software::tests::keys_in(folder.path()));
    let shelves = Shelves::memory(keys.clone(), entropy.clone(), clock.clone());
    let outbox = Outbox::new(&shelves, entropy);
    let _tag = keys.month_hmac(Month::of(clock.now()), b"login", clock.now()).await.unwrap();
    put(&shelves, "s1", SessionNote, Term::from(clock.now())).await;
    clock.set(Month::of(clock.now()).first_instant_after(13));
    let other = std::fs::File::open(folder.path().join("keys")).unwrap();
    other.lock().unwrap();
    let held = due(&shelves, &outbox, &*keys, clock.now()).await;
    assert!(matches!(held, Err(EraseError::Keys(KeyError::File(_)))), "{held:?}");
    assert_eq!(shelves.keys_used(), 0, "the record's own key needs no key file to go");
    other.unlock().unwrap();
    assert_eq!(due(&shelves, &outbox, &*keys, clock.now()).await.unwrap().erased.get("R04"), Some(&1));
}

#[tokio::test]
async fn a_pass_erases_what_is_due_and_nothing_else() {
    let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00Z".parse().unwrap()));
    let entropy = Arc::new(Entropy::from(StdRng::seed_from_u64(1)));
    let keys = keys();
    let shelves = Shelves::memory(keys.clone(), entropy.clone(), clock.clone());
    let outbox = Outbox::new(&shelves, entropy);
    let start = clock.now();
    let _tag = keys.month_hmac(Month::of(start), b"login", start).await.unwrap();
    for name in ["s1", "s2"] {
        put(&shelves, name, SessionNote, Term::from(start)).await;
    }
    put(&shelves, "r1", RightsNote, Term::from(start)).await;
    put(&shelves, "r2", RightsNote, Term::open()).await;

    let counts = |pass: Pass| (pass.erased.into_iter().collect::<Vec<_>>(), pass.keys.len());
    let pass = async || counts(due(&shelves, &outbox, &*keys, clock.now()).await.unwrap());
    assert_eq!(pass().await, (vec![], 0));
    clock.advance(SignedDuration::from_hours(1));
    assert_eq!(pass().await, (vec![("R04", 2)], 2), "and the root under which their keys stood, and that of all roots");
    assert_eq!(pass().await, (vec![], 0));
    clock.set(Month::of(start).first_instant_after(13));
    assert_eq!(pass().await, (vec![], 1));
    clock.set("2027-12-21T10:00:00Z".parse().unwrap());
    assert_eq!(pass().await, (vec![("R16", 1)], 1));
    clock.set("2027-12-22T00:00:00Z".parse().unwrap());
    assert_eq!(pass().await, (vec![], 3), "the table of that day");
    clock.set(Timestamp::MAX);
    assert_eq!(pass().await, (vec![], 0));
    assert_eq!(shelves.shelf::<R16RightsRequest>().names::<RightsNote>().await.unwrap(), ["r2"]);
}
