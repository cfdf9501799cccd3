use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::unfinished::{UNFINISHED, is_whole};
use super::*;
use crate::store::conformance;

mod power_loss;
mod spoilt;

fn count_files(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

async fn put(store: &SledStore, key: &str, body: Vec<u8>) -> Result<Revision, StoreError> {
    store.put(key, vec![1], body, Expect::Any).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sled_keeps_the_promises_of_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::sync::atomic::AtomicUsize::new(0);
    conformance::all(|| async {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Arc::new(SledStore::open(&folder.path().join(number.to_string()), Fit::Must).await.unwrap()) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn what_was_written_is_there_when_the_store_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
    let one = put(&store, "a", vec![7; 200_000]).await.unwrap();
    put(&store, "gone", vec![7; 200_000]).await.unwrap();
    store.delete("gone", Expect::Any).await.unwrap();
    drop(store);
    let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
    assert_eq!(store.get("a").await.unwrap().unwrap(), Entry { head: vec![1], body: vec![7; 200_000], revision: one });
    assert_eq!(store.scan("").await.unwrap().len(), 1);
    assert!(put(&store, "a", vec![]).await.unwrap() > one);
    let open = store.0.open.read().unwrap();
    assert_eq!(
        open.as_ref().unwrap().db.len(),
        2,
        "a head and the sum: no chunk of what was replaced or deleted is left"
    );
}

#[tokio::test]
async fn a_folder_has_one_engine() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
    let error = SledStore::open(folder.path(), Fit::Must).await.err().unwrap();
    assert!(matches!(error, StoreError::InUse), "{error:?}");
    put(&store, "a", vec![]).await.unwrap();
    drop(store);
    SledStore::open(folder.path(), Fit::Must).await.unwrap();
}

#[tokio::test]
async fn no_value_ever_goes_to_a_file_that_sled_does_not_sync() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
    for round in 0..3_u8 {
        for key in 0..40 {
            put(&store, &format!("small/{key}"), vec![round; CHUNK_BYTES]).await.unwrap();
        }
        put(&store, "large", vec![round; 8 * 1024 * 1024]).await.unwrap();
        // Leaves that lose their values are merged with others.
        for key in (0..40).filter(|key| key % 7 != 0) {
            store.delete(&format!("small/{key}"), Expect::Any).await.unwrap();
        }
    }
    drop(store);
    let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
    assert_eq!(store.get("large").await.unwrap().unwrap().body, vec![2; 8 * 1024 * 1024]);
    assert_eq!(count_files(&folder.path().join("blobs")), 0);
}

#[tokio::test]
async fn a_full_disk_is_told_before_anything_is_written_and_deleting_still_works() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
    put(&store, "a", vec![1]).await.unwrap();
    drop(store);
    let store = SledStore::open_with(folder.path(), Fit::Must, u64::MAX, File::sync_all).await.unwrap();
    assert!(matches!(put(&store, "a", vec![2]).await, Err(StoreError::Full)));
    assert!(matches!(put(&store, "b", vec![2]).await, Err(StoreError::Full)));
    assert_eq!(store.get("a").await.unwrap().unwrap().body, [1]);
    assert_eq!(store.get("b").await.unwrap(), None);
    store.delete("a", Expect::Any).await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), None);
}

#[test]
fn why_a_store_does_not_open_is_told_with_what_to_do() {
    let folder = Path::new("/var/lib/store");
    let told = |error| opening_failed(error, folder);
    let full = io::Error::from(io::ErrorKind::StorageFull);
    assert!(matches!(told(sled::Error::Io(full)), StoreError::Full));
    let broken = told(sled::Error::Corruption { at: None, bt: () }).to_string();
    assert!(broken.contains("/var/lib/store is damaged") && broken.contains("move it away"), "{broken}");
    assert!(!failed(sled::Error::Corruption { at: None, bt: () }).to_string().contains("backtrace"));
}

#[tokio::test]
async fn after_an_error_of_the_disk_the_store_opens_itself_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
    put(&store, "a", vec![1]).await.unwrap();
    let failing = store.0.exclusive(|_| Err::<(), _>(StoreError::Io(io::Error::other("the disk"))));
    assert!(matches!(failing, Err(StoreError::Io(_))));
    assert!(store.0.open.read().unwrap().is_none());
    assert_eq!(store.get("a").await.unwrap().unwrap().body, [1]);
    put(&store, "a", vec![2]).await.unwrap();
    assert_eq!(store.get("a").await.unwrap().unwrap().body, [2]);
}

#[tokio::test]
async fn what_a_start_left_half_written_is_taken_away_and_what_it_finished_is_not() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(SETTINGS), [0; 63]).unwrap();
    fs::write(folder.path().join(DATA), []).unwrap();
    for number in 0..2 {
        let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
        put(&store, "a", vec![number]).await.unwrap();
    }
    let summaries = || {
        let paths = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.to_string_lossy().contains("snap.")).collect::<Vec<_>>()
    };
    let [summary] = &summaries()[..] else { panic!("{:?}", summaries()) };
    let whole = fs::read(summary).unwrap();
    assert!(is_whole(&whole));
    let unfinished = folder.path().join(format!("snap.7FFFFFFFFFFFFFFF{UNFINISHED}"));
    for length in [0, 11, 12, whole.len() - 1] {
        fs::write(&unfinished, &whole[..length]).unwrap();
        let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
        assert_eq!(store.get("a").await.unwrap().unwrap().body, [1], "{length}");
        assert!(!unfinished.exists(), "{length}");
    }
    // A start that died before it gave a whole summary its name.
    let [summary] = &summaries()[..] else { panic!("{:?}", summaries()) };
    fs::rename(summary, summary.with_extension(format!("{}{UNFINISHED}", summary.extension().unwrap().display())))
        .unwrap();
    let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
    assert_eq!(store.get("a").await.unwrap().unwrap().body, [1]);
}

static SYNCED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

#[tokio::test]
async fn every_write_syncs_the_file_before_it_is_acknowledged() {
    fn counted(file: &File) -> io::Result<()> {
        SYNCED.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        file.sync_all()
    }
    let synced = || SYNCED.load(std::sync::atomic::Ordering::SeqCst);
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open_with(folder.path(), Fit::Must, RESERVE_BYTES, counted).await.unwrap();
    for number in 1..=3 {
        let before = synced();
        put(&store, "a", vec![number; 100_000]).await.unwrap();
        assert_eq!(synced(), before + 1, "put {number}");
    }
    let before = synced();
    store.delete("a", Expect::Any).await.unwrap();
    assert_eq!(synced(), before + 1, "delete");
}

/// Lets these writes wait until all of them do, and gives what became of each.
#[expect(clippy::await_holding_lock, reason = "the disk is busy as long as it is held")]
async fn at_once(store: &SledStore, writes: Vec<(&str, Expect)>) -> Vec<Result<Revision, StoreError>> {
    let busy = store.0.open.read().unwrap();
    let write = |(at, (key, expect)): (usize, (&str, Expect))| {
        let (store, key) = (store.clone(), key.to_owned());
        tokio::spawn(async move { store.put(&key, vec![1], vec![at.to_le_bytes()[0]], expect).await })
    };
    let count = writes.len();
    let all: Vec<_> = writes.into_iter().enumerate().map(write).collect();
    while store.0.waiting.lock().unwrap().len() < count {
        tokio::task::yield_now().await;
    }
    drop(busy);
    let mut done = vec![];
    for one in all {
        done.push(one.await.unwrap());
    }
    done
}

#[tokio::test]
async fn those_who_write_at_once_share_a_sync_and_each_is_told_what_became_of_its_own() {
    static SYNCS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    fn counted(file: &File) -> io::Result<()> {
        SYNCS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        file.sync_all()
    }
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open_with(folder.path(), Fit::Must, 0, counted).await.unwrap();
    let before = SYNCS.load(std::sync::atomic::Ordering::Relaxed);
    let names: Vec<String> = (0..20).map(|number| format!("n{number}")).collect();
    let mut writes: Vec<_> = names.iter().map(|name| (name.as_str(), Expect::Absent)).collect();
    // Who comes second to the same record finds it there, as if the first one had been done long ago.
    writes.push(("n0", Expect::Absent));
    let done = at_once(&store, writes).await;
    assert_eq!(SYNCS.load(std::sync::atomic::Ordering::Relaxed) - before, 1);
    assert!(done[..20].iter().all(Result::is_ok) && matches!(done[20], Err(StoreError::Conflict)), "{done:?}");
    drop(store);
    let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
    assert_eq!(store.scan("").await.unwrap().len(), 20);
    assert_eq!(store.get("n0").await.unwrap().unwrap().body, [0]);
}

#[tokio::test]
async fn a_sync_that_fails_fails_for_all_who_shared_it() {
    static FAILS: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    fn failing(file: &File) -> io::Result<()> {
        if FAILS.load(std::sync::atomic::Ordering::Relaxed) {
            Err(io::Error::other("the disk"))
        } else {
            file.sync_all()
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open_with(folder.path(), Fit::Must, 0, failing).await.unwrap();
    FAILS.store(true, std::sync::atomic::Ordering::Relaxed);
    let done = at_once(&store, vec![("a", Expect::Any), ("b", Expect::Any)]).await;
    assert!(done.iter().all(|one| matches!(one, Err(StoreError::Io(_)))), "{done:?}");
    FAILS.store(false, std::sync::atomic::Ordering::Relaxed);
    assert!(at_once(&store, vec![("a", Expect::Any), ("b", Expect::Any)]).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_write_that_can_not_be_synced_is_not_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    drop(SledStore::open(folder.path(), Fit::Must).await.unwrap());
    fn failing(file: &File) -> io::Result<()> {
        // The store opens, which syncs two files; then the disk is gone.
        if file.metadata()?.is_file() && SYNCS_LEFT.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) <= 0 {
            return Err(io::Error::other("the disk"));
        }
        Ok(())
    }
    static SYNCS_LEFT: std::sync::atomic::AtomicIsize = std::sync::atomic::AtomicIsize::new(2);
    let store = SledStore::open_with(folder.path(), Fit::Must, RESERVE_BYTES, failing).await.unwrap();
    assert!(matches!(put(&store, "a", vec![1]).await, Err(StoreError::Io(_))));
}

#[tokio::test]
async fn the_store_of_an_engine_asks_the_kernel_to_sync() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
    // The kernel syncs no device of this kind, and says so to whoever asks.
    assert!((store.0.sync)(&File::open("/dev/null").unwrap()).is_err());
}

#[tokio::test]
async fn too_large_a_record_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
    assert!(matches!(put(&store, "a", vec![0; VALUE_BYTES_MAX + 1]).await, Err(StoreError::TooLarge)));
}

/// Says to the test below that it is the child, and in which folder.
const CRASH_FOLDER: &str = "CONSENTRY_TEST_CRASH_FOLDER";

/// The child of the next test: writes records, and says which are acknowledged, until it is killed.
#[tokio::test]
#[ignore = "runs only as the child of the crash test"]
async fn writer_that_is_killed() {
    let Some(folder) = std::env::var_os(CRASH_FOLDER) else { return };
    let store = SledStore::open(Path::new(&folder), Fit::Must).await.unwrap();
    let done = store.scan("k").await.unwrap().len();
    for number in done.. {
        // Bodies of several chunks now and then, and a record that is rewritten all the time.
        let length = if number % 5 == 0 { 150_000 } else { 1000 };
        put(&store, &format!("k{number:06}"), vec![number.to_le_bytes()[0]; length]).await.unwrap();
        println!("acknowledged k{number:06}");
        put(&store, "counter", number.to_string().into_bytes()).await.unwrap();
        println!("acknowledged counter {number}");
    }
}

/// Lets the child write, and kills it after some acknowledgements. Tells the last record and the last count it acknowledged.
fn write_until_killed(folder: &Path, acknowledgements: usize) -> (Option<usize>, Option<usize>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::sled::tests::writer_that_is_killed", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CRASH_FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let (mut record, mut counter) = (None, None);
    let mut left = acknowledgements;
    for line in lines {
        // The first line comes after the test runner's own words.
        let Some((_, what)) = line.split_once("acknowledged ") else { continue };
        match what.strip_prefix("counter ") {
            Some(number) => counter = number.parse().ok(),
            None => record = what[1..].parse().ok(),
        }
        left -= 1;
        if left == 0 {
            // SIGKILL: no destructor runs, nothing is flushed. What the child wrote to the pipe before is still read.
            child.kill().unwrap();
        }
        left = left.max(1);
    }
    child.wait().unwrap();
    (record, counter)
}

#[test]
fn whatever_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for acknowledgements in [1, 2, 7, 20, 33] {
        let (record, counter) = write_until_killed(folder.path(), acknowledgements);
        let (Some(record), counter) = (record, counter) else { panic!("the child wrote nothing") };
        runtime.block_on(async {
            let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
            for number in 0..=record {
                let entry = store.get(&format!("k{number:06}")).await.unwrap();
                let body = entry.unwrap_or_else(|| panic!("k{number:06} is lost")).body;
                let length = if number % 5 == 0 { 150_000 } else { 1000 };
                assert_eq!(body, vec![number.to_le_bytes()[0]; length]);
            }
            if let Some(counter) = counter {
                let kept = store.get("counter").await.unwrap().unwrap().body;
                let kept: usize = String::from_utf8(kept).unwrap().parse().unwrap();
                assert!((counter..=counter + 1).contains(&kept), "{kept} after {counter}");
            }
        });
    }
}
