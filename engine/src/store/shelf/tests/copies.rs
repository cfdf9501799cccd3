//! Copies of the files, taken before an erasure: what was erased does not open in them, everything else does.

use std::path::{Path, PathBuf};

use super::*;
use crate::store::Mismatch;

async fn open(folder: &Path, keys: &Arc<dyn KeyProvider>) -> Result<Shelves, StoreError> {
    open_at(folder, keys, crate::fixtures::now()).await
}

async fn open_at(folder: &Path, keys: &Arc<dyn KeyProvider>, now: Timestamp) -> Result<Shelves, StoreError> {
    let (entropy, clock) = (Arc::new(Entropy::system()), Arc::new(ManualClock::new(now)));
    Shelves::sled(folder, keys.clone(), entropy, clock).await
}

async fn adopt(folder: &Path, keys: &Arc<dyn KeyProvider>) -> Shelves {
    let (entropy, clock) = (Arc::new(Entropy::system()), crate::fixtures::clock());
    Shelves::adopt(folder, keys.clone(), entropy, clock).await.unwrap()
}

#[track_caller]
fn does_not_fit(opened: Result<Shelves, StoreError>, wanted: Mismatch) {
    let refused = opened.unwrap_err();
    assert!(matches!(&refused, StoreError::NoStore { how, .. } if *how == wanted), "{wanted:?}: {refused}");
    assert!(refused.to_string().contains("keys adopt"), "{refused}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { std::fs::copy(&path, &to).map(drop).unwrap() }
    }
}

async fn text(shelves: &Shelves, name: &str) -> Option<String> {
    shelves.shelf::<R23SealedParcel>().get::<Note>(name).await.unwrap().map(|stored| stored.value.0)
}

async fn request(shelves: &Shelves, name: &str) -> Option<String> {
    shelves.shelf::<R16RightsRequest>().get::<Request>(name).await.unwrap().map(|stored| stored.value.0)
}

/// Two persons' records are copied, then one person's are erased; the copy is a minute older.
async fn erased() -> (tempfile::TempDir, Arc<dyn KeyProvider>) {
    let folder = tempfile::tempdir().unwrap();
    let (live, keys) = (folder.path().join("live"), keys());
    let shelves = open(&live, &keys).await.unwrap();
    for name in ["one", "two"] {
        let term = Term::from(crate::fixtures::now());
        shelves.shelf().put(name, &Note(name.into()), Expect::Absent, term).await.unwrap();
        shelves.shelf().put(name, &Request(name.into()), Expect::Absent, Term::open()).await.unwrap();
    }
    copy(&live, &folder.path().join("copy"));
    shelves.shelf::<R23SealedParcel>().delete::<Note>("one").await.unwrap();
    shelves.shelf::<R16RightsRequest>().delete::<Request>("one").await.unwrap();
    shelves.destroy_due(crate::fixtures::now() + SignedDuration::from_mins(1)).await.unwrap();
    drop(shelves);
    (folder, keys)
}

fn place(folder: &Path, name: &str, parts: [(&str, &str); 3]) -> PathBuf {
    let to = folder.join(name);
    std::fs::create_dir_all(&to).unwrap();
    for (part, from) in parts {
        let (from, to) = (folder.join(from).join(part), to.join(part));
        if from.is_dir() { copy(&from, &to) } else { std::fs::copy(from, to).map(drop).unwrap() }
    }
    to
}

#[tokio::test]
async fn what_was_let_go_out_of_a_record_opens_in_no_older_store_and_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (live, keys) = (folder.path().join("live"), keys());
    let shelves = open(&live, &keys).await.unwrap();
    let shelf = shelves.shelf::<R16RightsRequest>();
    for name in ["one", "two", "crashed"] {
        shelf.put(name, &Request("before".into()), Expect::Absent, Term::open()).await.unwrap();
    }
    copy(&live, &folder.path().join("copy"));
    let without = Request("without".into());
    shelf.put_anew("one", &without, Expect::Any, Term::open()).await.unwrap();
    shelf.put("two", &without, Expect::Any, Term::open()).await.unwrap();
    shelves.destroy_due(crate::fixtures::now() + SignedDuration::from_mins(1)).await.unwrap();
    // Nothing settles after this one: the next start does.
    shelf.put_anew("crashed", &without, Expect::Any, Term::open()).await.unwrap();
    drop((shelf, shelves));
    let shelves = open(&live, &keys).await.unwrap();
    for name in ["one", "two", "crashed"] {
        assert_eq!(request(&shelves, name).await.as_deref(), Some("without"), "{name}");
    }
    assert_eq!(shelves.keys_used(), 3);
    drop(shelves);
    let parts = [("store", "copy"), ("tables", "live"), ("roots", "live")];
    let shelves = adopt(&place(folder.path(), "restored", parts), &keys).await;
    assert_eq!((request(&shelves, "one").await, request(&shelves, "crashed").await), (None, None));
    assert_eq!(request(&shelves, "two").await.as_deref(), Some("before"), "nothing was let go of it");
}

#[tokio::test]
async fn an_older_store_with_the_newest_tables_has_everything_but_what_was_erased() {
    let (folder, keys) = erased().await;
    let parts = [("store", "copy"), ("tables", "live"), ("roots", "live")];
    let restored = place(folder.path(), "restored", parts);
    does_not_fit(open(&restored, &keys).await, Mismatch::Older);
    let shelves = adopt(&restored, &keys).await;
    assert_eq!((text(&shelves, "one").await, request(&shelves, "one").await), (None, None));
    assert_eq!(text(&shelves, "two").await.as_deref(), Some("two"));
    assert_eq!(request(&shelves, "two").await.as_deref(), Some("two"));
    let names = shelves.shelf::<R16RightsRequest>().names::<Request>().await.unwrap();
    assert_eq!(names, ["two"], "what was erased goes from the restored store before it serves");
    drop(shelves);
    assert!(open(&restored, &keys).await.is_ok(), "it is the store from now on");
}

#[tokio::test]
async fn a_store_that_is_missing_another_or_older_forgets_nothing_before_somebody_says_so() {
    let (folder, keys) = erased().await;
    let live = folder.path().join("live");
    drop(open(&folder.path().join("other"), &keys).await.unwrap());
    let away = folder.path().join("away");
    std::fs::rename(live.join("store"), &away).unwrap();
    does_not_fit(open(&live, &keys).await, Mismatch::Missing);
    for (from, how) in [("other", Mismatch::Another), ("copy", Mismatch::Older)] {
        std::fs::remove_dir_all(live.join("store")).unwrap();
        copy(&folder.path().join(from).join("store"), &live.join("store"));
        does_not_fit(open(&live, &keys).await, how);
    }
    std::fs::remove_dir_all(live.join("store")).unwrap();
    copy(&away, &live.join("store"));
    assert_eq!(request(&open(&live, &keys).await.unwrap(), "two").await.as_deref(), Some("two"));

    std::fs::remove_dir_all(live.join("store")).unwrap();
    assert_eq!(adopt(&live, &keys).await.keys_used(), 0);
    std::fs::remove_dir_all(live.join("store")).unwrap();
    copy(&away, &live.join("store"));
    does_not_fit(open(&live, &keys).await, Mismatch::Older);
    let shelves = adopt(&live, &keys).await;
    assert_eq!(
        (shelves.keys_used(), request(&shelves, "two").await),
        (0, None),
        "they went when an empty one was accepted"
    );
}

#[tokio::test]
async fn older_tables_beside_a_newer_store_are_told_too() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), crate::keys::software::tests::keys());
    let live = folder.path().join("live");
    let shelves = open(&live, &keys).await.unwrap();
    copy(&live, &folder.path().join("copy"));
    for minutes in 1..3 {
        shelves.destroy_due(crate::fixtures::now() + SignedDuration::from_mins(minutes)).await.unwrap();
    }
    drop(shelves);
    let parts = [("store", "live"), ("tables", "copy"), ("roots", "copy")];
    does_not_fit(open(&place(folder.path(), "older", parts), &keys).await, Mismatch::Newer);
}

#[tokio::test]
async fn an_older_copy_of_everything_does_not_open_with_the_keys_of_today() {
    let (folder, keys) = erased().await;
    let refused = open(&folder.path().join("copy"), &keys).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Roots), "{refused:?}");
    let tried = open(&folder.path().join("live"), &keys).await.unwrap().try_copy(&folder.path().join("copy")).await;
    let mut opened = tried.unwrap().opened;
    opened.sort();
    assert_eq!(opened, ["R16/request/two", "R23/note/two"]);
}

#[tokio::test]
async fn an_older_store_with_its_own_tables_does_not_open_with_the_keys_of_today() {
    let (folder, keys) = erased().await;
    let parts = [("store", "live"), ("tables", "copy"), ("roots", "live")];
    let stolen = place(folder.path(), "stolen", parts);
    let refused = open(&stolen, &keys).await.unwrap_err();
    assert!(matches!(refused, StoreError::Table { .. }), "{refused:?}");
    // Without the roots of that day, whoever copied everything else has nothing.
    std::fs::remove_file(stolen.join("roots")).unwrap();
    assert!(matches!(open(&stolen, &keys).await, Err(StoreError::Table { .. })));
}

#[tokio::test]
async fn a_storage_key_may_go_and_takes_no_record_with_it() {
    let (folder, keys) = erased().await;
    let live = folder.path().join("live");
    let all = keys.list().await.unwrap();
    let old = all.into_iter().find(|key| key.duty == crate::keys::Duty::Storage).unwrap().kid;
    keys.rotate(crate::keys::Duty::Storage, crate::fixtures::now()).await.unwrap();
    keys.destroy(&old, crate::fixtures::now()).await.unwrap();
    assert_eq!(request(&open(&live, &keys).await.unwrap(), "two").await.as_deref(), Some("two"));
}

#[tokio::test]
async fn a_clock_that_is_set_back_while_the_engine_is_off_gives_nothing_a_longer_life() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), crate::keys::software::tests::keys());
    let start = crate::fixtures::now();
    let after = |minutes: i64| start + SignedDuration::from_mins(minutes);
    let shelves = open_at(folder.path(), &keys, start).await.unwrap();
    let put = async |shelves: &Shelves, name: &str, now: Timestamp| {
        shelves.shelf().put(name, &Note(name.into()), Expect::Absent, Term::from(now)).await.unwrap();
    };
    put(&shelves, "one", start).await;
    shelves.destroy_due(after(40)).await.unwrap();
    drop(shelves);
    // Forty minutes old. The clock goes back by thirty, twice, and the engine starts after each.
    drop(open_at(folder.path(), &keys, after(10)).await.unwrap());
    let shelves = open_at(folder.path(), &keys, after(-20)).await.unwrap();
    put(&shelves, "new", after(-20)).await;
    assert_eq!(text(&shelves, "one").await.as_deref(), Some("one"));
    shelves.destroy_due(after(-1)).await.unwrap();
    assert_eq!(text(&shelves, "one").await.as_deref(), Some("one"));
    shelves.destroy_due(after(0)).await.unwrap();
    assert_eq!(text(&shelves, "one").await, None, "sixty minutes after it was made, by all clocks together");
    drop(shelves);
    let shelves = open_at(folder.path(), &keys, after(39)).await.unwrap();
    assert_eq!(text(&shelves, "new").await.as_deref(), Some("new"), "it has its whole hour, also after a start");
    shelves.destroy_due(after(40)).await.unwrap();
    assert_eq!(text(&shelves, "new").await, None);
}

#[tokio::test]
async fn a_clock_that_was_far_ahead_by_mistake_leaves_a_node_that_serves() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), crate::keys::software::tests::keys());
    let start = crate::fixtures::now();
    let shelves = open(folder.path(), &keys).await.unwrap();
    for mistaken in ["2099-01-01T00:00:00Z".parse().unwrap(), Timestamp::MAX] {
        shelves.destroy_due(mistaken).await.unwrap();
        shelves.destroy_due(start).await.unwrap();
    }
    drop(shelves);
    let shelves = open(folder.path(), &keys).await.unwrap();
    shelves.shelf().put("one", &Note("one".into()), Expect::Absent, Term::from(start)).await.unwrap();
    shelves.destroy_due(start + SignedDuration::from_mins(59)).await.unwrap();
    assert_eq!(text(&shelves, "one").await.as_deref(), Some("one"));
    shelves.destroy_due(start + SignedDuration::from_mins(60)).await.unwrap();
    assert_eq!(text(&shelves, "one").await, None);
}

#[tokio::test]
async fn a_store_without_its_tables_is_not_taken_for_one_that_was_erased() {
    let (folder, keys) = erased().await;
    let live = folder.path().join("live");
    std::fs::rename(live.join("tables"), folder.path().join("away")).unwrap();
    let refused = open(&live, &keys).await.unwrap_err();
    assert!(matches!(refused, StoreError::NoTables), "{refused:?}");
    std::fs::remove_dir(live.join("tables")).unwrap();
    std::fs::rename(folder.path().join("away"), live.join("tables")).unwrap();
    assert_eq!(text(&open(&live, &keys).await.unwrap(), "two").await.as_deref(), Some("two"));
}

#[tokio::test]
async fn where_the_roots_are_damaged_and_nobody_has_a_copy_what_the_error_says_leads_on() {
    let (folder, keys) = erased().await;
    let live = folder.path().join("live");
    let mut roots = std::fs::read(live.join("roots")).unwrap();
    *roots.last_mut().unwrap() ^= 1;
    std::fs::write(live.join("roots"), roots).unwrap();
    let refused = open(&live, &keys).await.unwrap_err();
    assert!(matches!(refused, StoreError::Roots), "{refused:?}");
    assert!(refused.to_string().contains("take `roots` and `tables` away, and `consentry keys adopt`"), "{refused}");
    std::fs::remove_file(live.join("roots")).unwrap();
    std::fs::remove_dir_all(live.join("tables")).unwrap();
    drop(adopt(&live, &keys).await);
    let shelves = open(&live, &keys).await.unwrap();
    assert_eq!((text(&shelves, "two").await, request(&shelves, "two").await), (None, None));
    shelves.shelf().put("three", &Request("three".into()), Expect::Absent, Term::open()).await.unwrap();
    drop(shelves);
    assert_eq!(request(&open(&live, &keys).await.unwrap(), "three").await.as_deref(), Some("three"));
}

#[tokio::test]
async fn a_single_table_that_is_missing_or_older_is_not_taken_for_an_erasure() {
    let folder = tempfile::tempdir().unwrap();
    let (live, keys) = (folder.path().join("live"), keys());
    let shelves = open(&live, &keys).await.unwrap();
    let shelf = shelves.shelf::<R23SealedParcel>();
    shelves.shelf().put("kept", &Request("kept".into()), Expect::Absent, Term::open()).await.unwrap();
    let put = async |name: String| {
        shelf.put(&name, &Note(name.clone()), Expect::Absent, Term::from(crate::fixtures::now())).await.unwrap();
    };
    put("first".into()).await;
    copy(&live, &folder.path().join("copy"));
    // Nothing goes, and the table has new keys more than once.
    for number in 0..100 {
        put(format!("later-{number}")).await;
    }
    drop((shelf, shelves));
    copy(&live, &folder.path().join("newest"));
    let listed = std::fs::read_dir(live.join("tables")).unwrap().map(|entry| entry.unwrap().file_name());
    let table = listed.map(|name| name.into_string().unwrap()).find(|name| name.starts_with("within-")).unwrap();
    let file = live.join("tables").join(&table);

    std::fs::copy(folder.path().join("copy/tables").join(&table), &file).unwrap();
    let older = open(&live, &keys).await.unwrap_err();
    assert!(matches!(&older, StoreError::Table { table: told } if *told == table), "{older:?}");
    std::fs::remove_file(&file).unwrap();
    let missing = open(&live, &keys).await.unwrap_err();
    assert!(matches!(&missing, StoreError::NoTable { table: told } if *told == table), "{missing:?}");
    assert!(missing.to_string().contains("keys adopt"), "{missing}");

    std::fs::copy(folder.path().join("newest/tables").join(&table), &file).unwrap();
    let shelves = open(&live, &keys).await.unwrap();
    for name in ["first", "later-0", "later-99"] {
        assert_eq!(text(&shelves, name).await.as_deref(), Some(name), "nothing was changed meanwhile");
    }
    drop(shelves);
    std::fs::remove_file(&file).unwrap();
    let shelves = adopt(&live, &keys).await;
    assert_eq!((text(&shelves, "first").await, shelves.keys_used()), (None, 1), "somebody said that it is lost");
    assert_eq!(request(&shelves, "kept").await.as_deref(), Some("kept"));
    drop(shelves);
    assert!(open(&live, &keys).await.is_ok());
}

#[tokio::test]
async fn a_start_clears_away_its_own_unfinished_files_and_not_the_key_file_of_a_rotation() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["keys.new", "roots.new"] {
        std::fs::write(folder.path().join(name), "half").unwrap();
    }
    drop(open(folder.path(), &keys()).await.unwrap());
    assert!(folder.path().join("keys.new").exists() && !folder.path().join("roots.new").exists());
}
