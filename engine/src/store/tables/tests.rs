use std::sync::LazyLock;

use super::rewrite::root;
use super::*;
use crate::clock::{ManualClock, SystemClock};
use crate::erase::retention::{
    R04AnonymousSession, R10CredentialMaintenance, R13Account, R14ConsentRecord, R15ConsentLogLeaf, Retained as _, Term,
};
use crate::keys::KeyProvider;
use crate::store::faulty::{Fault, Faulty, MemoryStore, memory};
use crate::store::roots::{FileRoots, envelope};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-21T10:00:00Z")
}

fn entropy() -> Arc<Entropy> {
    Arc::new(Entropy::system())
}

fn hour() -> TableName {
    TableName::of(R04AnonymousSession::ROW, &Term::from(now()), "s1")
}

fn day() -> TableName {
    TableName::of(R10CredentialMaintenance::ROW, &Term::from(now()), "c1")
}

/// The keys of all lives.
fn keys() -> Arc<dyn KeyProvider> {
    static KEYS: LazyLock<Arc<dyn KeyProvider>> = LazyLock::new(crate::keys::software::tests::keys);
    KEYS.clone()
}

/// What a start makes of these files: tables in one place, roots in another.
async fn open(tables: &Arc<MemoryStore>, roots: &Arc<MemoryStore>, now: Timestamp) -> Result<Tables, StoreError> {
    let roots = FileRoots::open(roots.clone(), keys(), entropy()).await?;
    Tables::open(tables.clone(), Arc::new(roots), entropy(), Arc::new(ManualClock::new(now)), Fit::Must).await
}

struct World {
    tables: Arc<MemoryStore>,
    roots: Arc<MemoryStore>,
    held: Tables,
}

async fn world() -> World {
    let (tables, roots) = (memory(), memory());
    let held = open(&tables, &roots, now()).await.unwrap();
    World { tables, roots, held }
}

impl World {
    async fn take(&self, table: &TableName) -> (KeyName, RecordKey) {
        let (name, key, _) = self.held.take(table, None, now()).await.unwrap();
        (name, key)
    }

    /// The next life, with these keys in use.
    async fn again(&mut self, used: &[(TableName, KeyName)], now: Timestamp) {
        self.held = open(&self.tables, &self.roots, now).await.unwrap();
        let used = used.iter().map(|used| (used.clone(), None)).collect();
        self.held.keep_only(&used, now).await.unwrap();
    }

    fn opens(&self, table: &TableName, name: KeyName) -> bool {
        self.held.key(table, name, now()).is_some()
    }

    async fn roots(&self) -> Vec<String> {
        self.held.0.roots.list().iter().map(|root| root.table.clone()).collect()
    }
}

#[test]
fn a_records_table_follows_from_its_row_and_term() {
    let known = Term::from(now());
    let cases = [
        (R04AnonymousSession::ROW, known, "within-3600"),
        (R04AnonymousSession::ROW, known.ending_by(now()), "within-3600"),
        (R10CredentialMaintenance::ROW, known, "day-2027-03-21"),
        (R14ConsentRecord::ROW, known, "day-2027-12-21"),
        (R14ConsentRecord::ROW, known.ending_by(at("2026-12-01T00:00:00Z")), "day-2026-12-01"),
        (R15ConsentLogLeaf::ROW, known, "kept-2026-11-21"),
        (R13Account::ROW, known, "within-86400"),
        (R13Account::ROW, Term::open(), "open-1"),
        (R14ConsentRecord::ROW, Term::open(), "open-1"),
    ];
    for (row, term, name) in cases {
        let table = TableName::of(row, &term, "sub_1");
        assert_eq!(table.as_str(), name, "{}", row.id);
        assert_eq!(TableName::read(name), Some(table));
    }
    for other in ["roots", "within-x", "day-2026-13-01", "open-12", "x-1"] {
        assert_eq!(TableName::read(other), None, "{other}");
    }
    let table = TableName::read("day-2026-11-21").unwrap();
    assert!(!table.is_over(at("2026-11-21T23:59:59Z")) && table.is_over(at("2026-11-22T00:00:00Z")));
}

#[tokio::test]
async fn a_key_outlives_its_process_and_a_dropped_one_does_not() {
    let mut world = world().await;
    let ((kept, key), (dropped, _)) = (world.take(&hour()).await, world.take(&hour()).await);
    let gone = world.held.drop_keys(&[(hour(), dropped)], now()).await.unwrap();
    assert!(gone.len() == 1 && gone[0].key.starts_with("within-3600.") && gone[0].provider == "roots-file", "{gone:?}");
    assert_eq!(world.held.drop_keys(&[(hour(), dropped)], now()).await.unwrap(), []);
    world.again(&[(hour(), kept)], now()).await;
    assert_eq!(world.held.key(&hour(), kept, now()).unwrap().danger_bytes(), key.danger_bytes());
    assert!(!world.opens(&hour(), dropped));
    assert_eq!((world.held.used(), world.roots().await.len()), (1, 2), "this generation, and the next");
}

#[tokio::test]
async fn an_older_copy_of_a_table_opens_with_no_later_root() {
    let mut world = world().await;
    let ((kept, _), (dropped, _)) = (world.take(&hour()).await, world.take(&hour()).await);
    let older = world.tables.copy();
    world.held.drop_keys(&[(hour(), dropped)], now()).await.unwrap();
    let refused = open(&older, &world.roots, now()).await.err().unwrap();
    assert!(matches!(&refused, StoreError::Table { table } if table == "within-3600"), "{refused:?}");
    // The newest copy of both opens, elsewhere.
    let (tables, roots) = (world.tables.copy(), world.roots.copy());
    world.tables = tables;
    world.roots = roots;
    world.again(&[(hour(), kept)], now()).await;
    assert!(world.opens(&hour(), kept));
}

#[tokio::test]
async fn a_key_that_no_record_names_goes_at_the_next_start() {
    let mut world = world().await;
    let ((kept, _), (left, _)) = (world.take(&hour()).await, world.take(&hour()).await);
    let before = world.tables.copy();
    world.again(&[(hour(), kept)], now()).await;
    assert!(world.opens(&hour(), kept) && !world.opens(&hour(), left));
    assert!(open(&before, &world.roots, now()).await.is_err(), "those nobody had are gone, too, with the root");
}

#[tokio::test]
async fn each_key_goes_at_its_deadline_and_a_day_goes_as_a_whole() {
    let mut world = world().await;
    let until = at("2026-11-21T11:00:00Z");
    let (exact, ..) = world.held.take(&hour(), Some(until), now()).await.unwrap();
    let (of_day, _) = world.take(&day()).await;
    let just_before = at("2026-11-21T10:59:59.999999999Z");
    assert!(world.held.key(&hour(), exact, just_before).is_some());
    assert!(world.held.key(&hour(), exact, until).is_none(), "before anybody looked at the clock");
    assert_eq!(world.held.due(just_before).await.unwrap(), []);
    assert_eq!(world.held.due(until).await.unwrap().len(), 1);
    assert!(world.held.key(&hour(), exact, now()).is_none(), "a clock that is set back does not bring it back");

    let last = at("2027-03-21T23:59:59Z");
    assert_eq!(world.held.due(last).await.unwrap(), []);
    assert!(world.held.key(&day(), of_day, last).is_some());
    let older = world.tables.copy();
    let gone = world.held.due(at("2027-03-22T00:00:00Z")).await.unwrap();
    assert_eq!(gone.len(), 2, "both roots: {gone:?}");
    assert!(!world.opens(&day(), of_day) && !world.roots().await.contains(&"day-2027-03-21".to_owned()));
    assert_eq!(crate::store::files::Files::list(&*world.tables).await.unwrap(), ["within-3600"]);
    let put_back = open(&older, &world.roots, now()).await.unwrap();
    assert!(put_back.key(&day(), of_day, now()).is_none(), "its roots are gone");
    assert_eq!(crate::store::files::Files::list(&*older).await.unwrap(), ["within-3600"]);
    world.again(&[], at("2027-03-22T00:00:00Z")).await;
}

#[tokio::test]
async fn a_day_that_ends_by_a_clock_that_was_ahead_is_over_after_a_crash_also_by_one_that_is_right() {
    for (deaths, fault) in (1..=3).flat_map(|at| [(at, Fault::Dead), (at, Fault::DeadAfter)]) {
        let below = memory();
        let store = Faulty::new(below.clone(), fault, usize::MAX);
        let roots = FileRoots::open(Arc::new(store.clone()), keys(), entropy()).await.unwrap();
        let clock = Arc::new(ManualClock::new(now()));
        let tables = Tables::open(Arc::new(store.clone()), Arc::new(roots), entropy(), clock, Fit::Must).await.unwrap();
        let (of_day, ..) = tables.take(&day(), None, now()).await.unwrap();
        store.fail_in(deaths);
        let ended = tokio::select! {
            () = store.died() => false,
            done = tables.due(at("2027-03-22T00:00:00Z")) => { done.unwrap(); true }
        };
        assert_eq!(ended, deaths == 3, "{deaths}: there are two operations");
        let tables = open(&below, &below, now()).await.unwrap();
        let is_there = tables.key(&day(), of_day, now()).is_some();
        assert_eq!(is_there, (deaths, fault) == (1, Fault::Dead), "{deaths} {fault:?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_gives_nothing_a_longer_life() {
    let world = world().await;
    let until = at("2026-11-21T11:00:00Z");
    let (exact, ..) = world.held.take(&hour(), Some(until), now()).await.unwrap();
    assert_eq!(world.held.due(at("2026-11-21T10:40:00Z")).await.unwrap(), []);
    // Forty minutes old. The clock goes back by thirty.
    assert_eq!(world.held.time().behind(at("2026-11-21T10:10:00Z")), 1800);
    assert_eq!(world.held.due(at("2026-11-21T10:10:00Z")).await.unwrap(), []);
    assert_eq!(world.held.time().behind(at("2026-11-21T10:10:00Z")), 0, "it is told once");
    assert!(world.held.key(&hour(), exact, at("2026-11-21T10:29:59Z")).is_some());
    assert!(world.held.key(&hour(), exact, at("2026-11-21T10:30:00Z")).is_none());
    assert_eq!(world.held.due(at("2026-11-21T10:30:00Z")).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_looked_at_the_clock_and_had_to_wait_sets_it_back_by_nothing() {
    let roots = FileRoots::open(memory(), keys(), entropy()).await.unwrap();
    let held = Tables::open(memory(), Arc::new(roots), entropy(), Arc::new(SystemClock), Fit::Must).await.unwrap();
    let looks = (0..4).map(|_| {
        let held = held.clone();
        tokio::spawn(async move {
            for _ in 0..500 {
                let before = SystemClock.now();
                tokio::task::yield_now().await;
                held.due(before).await.unwrap();
            }
        })
    });
    for look in looks.collect::<Vec<_>>() {
        look.await.unwrap();
    }
    held.due(SystemClock.now() - jiff::SignedDuration::from_secs(40)).await.unwrap();
    assert_eq!(held.time().back, 0);
}

#[tokio::test]
async fn those_who_drop_at_once_share_a_rewrite() {
    let world = world().await;
    let mut names = vec![];
    for _ in 0..20 {
        names.push(world.take(&hour()).await.0);
    }
    let drops = names.iter().map(|name| {
        let (held, name) = (world.held.clone(), *name);
        tokio::spawn(async move { held.drop_keys(&[(hour(), name)], now()).await.unwrap().len() })
    });
    let mut rewrites = 0;
    for drop in drops.collect::<Vec<_>>() {
        rewrites += drop.await.unwrap();
    }
    assert!((1..=5).contains(&rewrites), "{rewrites}");
    assert_eq!(world.held.used(), 0);
}

#[tokio::test]
async fn a_rewrite_that_dies_anywhere_is_finished_by_the_next_start() {
    for (deaths, fault) in (1..=2).flat_map(|at| [(at, Fault::Dead), (at, Fault::DeadAfter)]) {
        let below = memory();
        let store = Faulty::new(below.clone(), fault, usize::MAX);
        let roots = FileRoots::open(Arc::new(store.clone()), keys(), entropy()).await.unwrap();
        let clock = Arc::new(ManualClock::new(now()));
        let tables = Tables::open(Arc::new(store.clone()), Arc::new(roots), entropy(), clock, Fit::Must).await.unwrap();
        let (kept, ..) = tables.take(&hour(), None, now()).await.unwrap();
        let (dropped, ..) = tables.take(&hour(), None, now()).await.unwrap();
        let older = below.copy();
        store.fail_in(deaths);
        let drop = [(hour(), dropped)];
        tokio::select! {
            () = store.died() => {}
            done = tables.drop_keys(&drop, now()) => panic!("{done:?}"),
        }
        let tables = open(&below, &below, now()).await.unwrap();
        tables.keep_only(&[((hour(), kept), None)].into(), now()).await.unwrap();
        assert!(tables.key(&hour(), kept, now()).is_some(), "{deaths} {fault:?}");
        assert_eq!(tables.used(), 1);
        assert!(tables.drop_keys(&[(hour(), dropped)], now()).await.unwrap().is_empty());
        assert!(open(&older, &below, now()).await.is_err(), "{deaths} {fault:?}: the older root is there");
    }
}

#[tokio::test]
async fn what_was_let_go_opens_in_no_older_copy_of_all_files_once_it_is_settled() {
    let mut world = world().await;
    let ((kept, _), (dropped, _)) = (world.take(&hour()).await, world.take(&hour()).await);
    let settle = async |world: &World| world.held.roots().settle(None, now()).await.unwrap();
    assert_eq!(settle(&world).await, [], "nothing was let go");
    let (tables, roots) = (world.tables.copy(), world.roots.copy());
    world.held.drop_keys(&[(hour(), dropped)], now()).await.unwrap();
    assert!(open(&tables, &roots, now()).await.is_ok(), "the provider's root is there");
    let gone = settle(&world).await;
    assert!(gone.len() == 1 && gone[0].provider == "software", "{gone:?}");
    assert_eq!(settle(&world).await, []);
    let refused = open(&tables, &roots, now()).await.err().unwrap();
    assert!(matches!(&refused, StoreError::Roots), "{refused:?}");
    world.again(&[(hour(), kept)], now()).await;
    assert!(world.opens(&hour(), kept));
    assert_eq!(settle(&world).await.len(), 1, "nobody knows what the last life let go");
}

#[tokio::test]
async fn a_change_of_the_root_that_dies_anywhere_is_finished_by_the_next_start() {
    for fault in [Fault::Dead, Fault::DeadAfter] {
        let below = memory();
        let store = Faulty::new(below.clone(), fault, usize::MAX);
        let roots = FileRoots::open(Arc::new(store.clone()), keys(), entropy()).await.unwrap();
        roots.change(&[root(&hour(), 1), root(&hour(), 2)], &[], now()).await.unwrap();
        let older = below.copy();
        roots.change(&[], &[root(&hour(), 1)], now()).await.unwrap();
        store.fail_in(1);
        tokio::select! {
            () = store.died() => {}
            done = roots.settle(None, now()) => panic!("{done:?}"),
        }
        let open = async |files: &Arc<MemoryStore>| FileRoots::open(files.clone(), keys(), entropy()).await;
        let roots = open(&below).await.unwrap();
        assert_eq!(roots.list(), [root(&hour(), 2)]);
        assert!(!roots.settle(None, now()).await.unwrap().is_empty());
        assert!(open(&older).await.is_err(), "{fault:?}");
        assert_eq!(open(&below).await.unwrap().list(), [root(&hour(), 2)]);
    }
}

#[tokio::test]
async fn a_file_of_roots_from_before_they_stood_under_a_root_of_their_own_opens() {
    let (files, key) = (memory(), entropy().with(|rng| RecordKey::generate(rng)));
    let header = serde_json::json!({ "v": 1, "wrap": keys().wrap_record(&key, b"roots").await.unwrap() });
    let body = [&[11][..], b"within-3600", &7_u64.to_be_bytes(), &[5; 32]].concat();
    let bytes = entropy().with(|rng| envelope(&header, b"roots", body.into(), &key, rng)).unwrap();
    crate::store::files::Files::replace(&*files, "roots", bytes, crate::store::files::Room::Free).await.unwrap();
    let roots = FileRoots::open(files.clone(), keys(), entropy()).await.unwrap();
    assert_eq!((roots.list(), roots.is_marked()), (vec![root(&hour(), 7)], false));
    roots.settle(Some(roots.mark()), now()).await.unwrap();
    let again = FileRoots::open(files, keys(), entropy()).await.unwrap();
    assert_eq!((again.list(), again.is_marked()), (vec![root(&hour(), 7)], true));
}
