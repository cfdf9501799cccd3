use std::sync::Mutex;

use jiff::SignedDuration;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Deserialize;

use super::*;
use crate::clock::ManualClock;
use crate::erase::retention::{R04AnonymousSession, R16RightsRequest, R23SealedParcel, Retained as _};
use crate::keys::software::tests::keys;
use crate::rights::declared::Declared;
use crate::store::NAME_BYTES_MAX;
use crate::store::faulty::{Fault, Faulty, memory};

mod copies;
mod power_loss;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Note(String);

impl Record for Note {
    const NAMESPACE: &'static str = "note";
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
    type Row = R23SealedParcel;
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Request(String);

impl Record for Request {
    const NAMESPACE: &'static str = "request";
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
    type Row = R16RightsRequest;
}

struct World {
    shelves: Shelves,
    shelf: Shelf<R23SealedParcel>,
    clock: Arc<ManualClock>,
}

fn world() -> World {
    let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00Z".parse().unwrap()));
    let entropy = Arc::new(Entropy::from(StdRng::seed_from_u64(1)));
    let shelves = Shelves::memory(keys(), entropy, clock.clone());
    World { shelf: shelves.shelf(), shelves, clock }
}

impl World {
    fn term(&self) -> Term {
        Term::from(self.clock.now())
    }

    async fn put(&self, name: &str, text: &str, expect: Expect) -> Result<Revision, StoreError> {
        self.shelf.put(name, &Note(text.to_owned()), expect, self.term()).await
    }

    async fn text(&self, name: &str) -> Option<String> {
        self.shelf.get::<Note>(name).await.unwrap().map(|stored| stored.value.0)
    }

    /// The keys of everything in the store.
    async fn all(&self) -> Vec<String> {
        let listed = self.shelves.0.store.scan("").await.unwrap().into_iter().map(|(key, ..)| key);
        listed.filter(|key| key != crate::store::mark::MARK).collect()
    }
}

#[tokio::test]
async fn what_is_put_on_a_shelf_is_found_again_and_never_stands_in_clear() {
    let world = world();
    let one = world.put("n1", "canary-one", Expect::Absent).await.unwrap();
    let stored = world.shelf.get::<Note>("n1").await.unwrap().unwrap();
    assert_eq!(stored, Stored { value: Note("canary-one".into()), revision: one, term: world.term() });
    for key in world.all().await {
        let entry = world.shelves.0.store.get(&key).await.unwrap().unwrap();
        assert!(!String::from_utf8_lossy(&[entry.head, entry.body].concat()).contains("canary"), "{key}");
    }
}

#[tokio::test]
async fn a_record_is_written_by_compare_and_set() {
    let world = world();
    let one = world.put("n1", "one", Expect::Absent).await.unwrap();
    for expect in [Expect::Absent, Expect::At(Revision(one.0 + 7))] {
        assert!(matches!(world.put("n1", "no", expect).await, Err(StoreError::Conflict)));
    }
    let two = world.put("n1", "two", Expect::At(one)).await.unwrap();
    assert!(matches!(world.put("n1", "no", Expect::At(one)).await, Err(StoreError::Conflict)));
    assert!(world.put("n1", "three", Expect::Any).await.unwrap() > two);
    assert_eq!(world.text("n1").await.unwrap(), "three");
    assert_eq!((world.all().await.len(), world.shelves.keys_used()), (1, 1), "a write that lost leaves no key");
}

#[tokio::test]
async fn a_key_is_not_in_the_store_and_goes_with_its_record() {
    let world = world();
    world.put("n1", "one", Expect::Absent).await.unwrap();
    assert_eq!(world.all().await, ["R23/note/n1"]);
    let bytes = world.shelves.0.store.get("R23/note/n1").await.unwrap().unwrap();
    world.shelf.delete::<Note>("n1").await.unwrap();
    assert_eq!((world.all().await, world.shelves.keys_used()), (vec![], 0));
    world.shelf.delete::<Note>("n1").await.unwrap();

    // An old copy of the record, put back: without its key it is nothing.
    world.shelves.0.store.put("R23/note/n1", bytes.head, bytes.body, Expect::Absent).await.unwrap();
    assert_eq!(world.text("n1").await, None);
    world.put("n1", "new", Expect::Absent).await.unwrap();
    assert_eq!(world.text("n1").await.unwrap(), "new");
}

#[tokio::test]
async fn a_record_that_was_changed_or_moved_is_damaged() {
    let world = world();
    world.put("n1", "one", Expect::Absent).await.unwrap();
    world.put("n2", "two", Expect::Absent).await.unwrap();
    let store = &world.shelves.0.store;
    let [one, two] =
        [store.get("R23/note/n1").await.unwrap().unwrap(), store.get("R23/note/n2").await.unwrap().unwrap()];
    let later = String::from_utf8(one.head.clone()).unwrap().replace("10:00:00", "10:30:00").into_bytes();
    let mut flipped = one.body.clone();
    flipped[20] ^= 1;
    let cases = [
        (one.head.clone(), flipped),
        (later, one.body.clone()),
        (one.head.clone(), two.body.clone()),
        (two.head, two.body),
    ];
    for (head, body) in cases {
        store.put("R23/note/n1", head, body, Expect::Any).await.unwrap();
        let error = world.shelf.get::<Note>("n1").await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    }
    store.put("R23/note/n1", one.head, one.body, Expect::Any).await.unwrap();
    assert_eq!(world.text("n1").await.unwrap(), "one");
}

#[tokio::test]
async fn a_record_past_its_deadline_is_gone_at_once_and_then_erased() {
    let world = world();
    let put = world.put("n1", "one", Expect::Absent).await.unwrap();
    world.clock.advance(SignedDuration::from_secs(3599));
    assert_eq!(world.text("n1").await.unwrap(), "one");
    assert_eq!(world.shelf.expired(world.clock.now()).await.unwrap(), []);
    world.clock.advance(SignedDuration::from_secs(1));
    let now = world.clock.now();
    assert_eq!(world.text("n1").await, None);
    assert!(matches!(world.put("n1", "late", Expect::At(put)).await, Err(StoreError::Conflict)));
    let expired = world.shelves.expired(now).await.unwrap();
    let wanted = Expired { row: R23SealedParcel::ROW, namespace: "note".into(), name: "n1".into(), deadline: now };
    assert_eq!(expired, [wanted]);
    let gone = world.shelves.erase(&expired, now).await;
    assert_eq!((gone.erased, gone.destroyed.len(), gone.failures.len()), (vec!["R23/note/n1".to_owned()], 1, 0));
    assert!(world.shelves.erase(&expired, now).await.erased.is_empty());
    assert_eq!((world.all().await, world.shelves.keys_used()), (vec![], 0));
}

#[tokio::test]
async fn an_erasure_that_dies_half_way_leaves_nothing_that_opens() {
    let (below, keys) = (memory(), keys());
    let shelves = async |fault| {
        let store = Faulty::new(below.clone(), Fault::Dead, fault);
        let files = Arc::new(store.clone());
        let (entropy, clock) = (Arc::new(Entropy::system()), crate::fixtures::clock());
        let opened = Shelves::open(Box::new(store.clone()), files.clone(), files, keys.clone(), entropy, clock);
        (opened.await.unwrap().shelf::<R16RightsRequest>(), store)
    };
    let (whole, _) = shelves(usize::MAX).await;
    whole.put("a", &Request("a".into()), Expect::Absent, Term::open()).await.unwrap();
    let (dying, store) = shelves(usize::MAX).await;
    // The table, the roots, and then the record.
    store.fail_in(3);
    tokio::select! {
        () = store.died() => {}
        deleted = dying.delete::<Request>("a") => panic!("{deleted:?}"),
    }
    let left: Vec<_> = below.scan("R16/").await.unwrap().into_iter().map(|(key, ..)| key).collect();
    assert_eq!(left.len(), 1, "the key went first: {left:?}");
    let (whole, _) = shelves(usize::MAX).await;
    assert!(whole.get::<Request>("a").await.unwrap().is_none() && !whole.holds::<Request>("a").await.unwrap());
    assert!(below.scan("R16/").await.unwrap().is_empty(), "a start takes away what nothing opens");
}

#[tokio::test]
async fn what_was_written_again_in_between_is_not_erased() {
    let world = world();
    world.put("n1", "one", Expect::Absent).await.unwrap();
    world.clock.advance(SignedDuration::from_hours(1));
    let expired = world.shelves.expired(world.clock.now()).await.unwrap();
    world.put("n1", "new", Expect::Absent).await.unwrap();
    assert!(world.shelves.erase(&expired, world.clock.now()).await.erased.is_empty());
    assert_eq!(world.text("n1").await.unwrap(), "new");
    world.shelves.destroy_due(world.clock.now()).await.unwrap();
    assert_eq!(world.shelves.keys_used(), 1, "the old key went with the old record");
}

#[tokio::test]
async fn an_end_is_never_put_off() {
    let world = world();
    let end = world.clock.now() + SignedDuration::from_mins(10);
    let note = Note("one".into());
    let one = world.shelf.put("n1", &note, Expect::Absent, world.term().ending_by(end)).await.unwrap();
    world.clock.advance(SignedDuration::from_mins(5));
    world.shelf.put("n1", &note, Expect::At(one), world.term()).await.unwrap();
    world.clock.advance(SignedDuration::from_mins(5));
    assert_eq!(world.text("n1").await, None);
}

#[tokio::test]
async fn a_record_without_a_deadline_gets_one_when_its_trigger_fires() {
    let world = world();
    let shelf = world.shelves.shelf::<R16RightsRequest>();
    let request = Request("one".into());
    let one = shelf.put("q1", &request, Expect::Absent, Term::open()).await.unwrap();
    world.clock.advance(SignedDuration::from_hours(24 * 365 * 3));
    assert_eq!(shelf.expired(Timestamp::MAX).await.unwrap(), []);
    shelf.put("q1", &request, Expect::At(one), world.term()).await.unwrap();
    assert_eq!(shelf.expired(Timestamp::MAX).await.unwrap()[0].deadline.to_string(), "2030-12-20T10:00:00Z");
}

#[tokio::test]
async fn shelves_and_kinds_do_not_mix() {
    let world = world();
    world.put("n1", "one", Expect::Absent).await.unwrap();
    let requests = world.shelves.shelf::<R16RightsRequest>();
    requests.put("n1", &Request("two".into()), Expect::Absent, Term::open()).await.unwrap();
    assert_eq!(world.text("n1").await.unwrap(), "one");
    assert_eq!(world.shelf.names::<Note>().await.unwrap(), ["n1"]);
    assert_eq!(format!("{:?} {:?}", world.shelf, world.shelves), "Shelf(R23) Shelves");
    assert_eq!(format!("{:?}", world.shelves.shelf::<R04AnonymousSession>()), "Shelf(R04)");
}

#[tokio::test]
async fn a_name_is_an_id_and_nothing_else() {
    let world = world();
    for name in ["", "a/b", "a b", "é", "a\0", &"a".repeat(NAME_BYTES_MAX + 1)] {
        assert!(matches!(world.put(name, "x", Expect::Any).await, Err(StoreError::BadName)), "{name:?}");
    }
    world.put(&"a".repeat(NAME_BYTES_MAX), "x", Expect::Any).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_all_who_write_at_once_one_wins_and_no_key_is_left_over() {
    let world = Arc::new(world());
    let wins = Arc::new(Mutex::new(0));
    let race = (0..16).map(|racer| {
        let (world, wins) = (world.clone(), wins.clone());
        tokio::spawn(async move {
            if world.put("n1", &racer.to_string(), Expect::Absent).await.is_ok() {
                *wins.lock().unwrap() += 1;
            }
        })
    });
    for racer in race.collect::<Vec<_>>() {
        racer.await.unwrap();
    }
    assert_eq!(*wins.lock().unwrap(), 1);
    assert_eq!((world.all().await.len(), world.shelves.keys_used()), (1, 1));
}

#[tokio::test]
async fn shelves_on_disk_keep_what_they_hold_and_show_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00Z".parse().unwrap()));
    let keys = keys();
    for round in 0..2 {
        let entropy = Arc::new(Entropy::from(StdRng::seed_from_u64(round)));
        let shelves = Shelves::sled(folder.path(), keys.clone(), entropy, clock.clone()).await.unwrap();
        let shelf = shelves.shelf::<R23SealedParcel>();
        if round == 0 {
            shelf.put("n1", &Note("canary".repeat(40_000)), Expect::Absent, Term::from(clock.now())).await.unwrap();
        } else {
            assert_eq!(shelf.get::<Note>("n1").await.unwrap().unwrap().value.0, "canary".repeat(40_000));
        }
    }
    for place in ["", "store", "tables"] {
        for file in std::fs::read_dir(folder.path().join(place)).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                assert!(!bytes.windows(6).any(|window| window == b"canary"), "{path:?}");
            }
        }
    }
}

/// Whether a file below this folder has these bytes, as they are or written as text.
fn is_below(folder: &std::path::Path, bytes: &[u8]) -> bool {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

    let texts = [hex::encode(bytes), STANDARD_NO_PAD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)];
    let forms: Vec<&[u8]> = texts.iter().map(String::as_bytes).chain([bytes]).collect();
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_below(&path, bytes);
        }
        let held = std::fs::read(path).unwrap();
        forms.iter().any(|form| held.windows(form.len()).any(|part| part == *form))
    })
}

#[tokio::test]
async fn no_key_of_a_record_stands_in_any_file_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00Z".parse().unwrap()));
    let shelves = Shelves::sled(folder.path(), keys(), Arc::new(Entropy::system()), clock.clone()).await.unwrap();
    for name in ["one", "two"] {
        shelves.shelf().put(name, &Note(name.into()), Expect::Absent, Term::from(clock.now())).await.unwrap();
        shelves.shelf().put(name, &Request(name.into()), Expect::Absent, Term::open()).await.unwrap();
    }
    shelves.shelf::<R23SealedParcel>().delete::<Note>("one").await.unwrap();
    shelves.destroy_due(clock.now() + SignedDuration::from_mins(1)).await.unwrap();
    let tables = shelves.tables();
    let records: Vec<[u8; 32]> = tables.keys().values().map(|key| *key.danger_bytes()).collect();
    let roots = tables.roots().list().into_iter().map(|root| *tables.roots().key(&root).unwrap().danger_bytes());
    let all: Vec<[u8; 32]> = records.into_iter().chain(roots).collect();
    assert!(all.len() > 64, "{}", all.len());
    let names: Vec<String> = tables.keys().keys().map(|name| format!("{name:?}")).collect();
    drop(shelves);
    assert!(names.iter().any(|name| is_below(folder.path(), name.as_bytes())), "a key's name is there, and is found");
    for key in all {
        assert!(!is_below(folder.path(), &key));
    }
}
