//! Bytes that are not as they were written: of the disk, of whoever copied it. Whatever they hit, the store misses nothing in silence.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt as _;

use super::*;

const RECORDS: usize = 60;
const SPOILT_BYTES: usize = 16;
/// In how many places of the file they are spoilt, one after the other.
const PLACES: usize = 48;

fn heads(listed: &[Listed]) -> BTreeMap<String, Revision> {
    listed.iter().map(|(key, _, revision)| (key.clone(), *revision)).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() { copy(&entry.path(), &to) } else { drop(fs::copy(entry.path(), to)) }
    }
}

#[tokio::test]
async fn a_store_whose_bytes_were_spoilt_does_not_open_without_its_records() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    // What a start has seen, sled keeps an account of; what was written since is where records get lost.
    let store = SledStore::open(&whole, Fit::Must).await.unwrap();
    fill(&store, 0..RECORDS / 2).await;
    drop(store);
    let store = SledStore::open(&whole, Fit::Must).await.unwrap();
    fill(&store, RECORDS / 2..RECORDS).await;
    let all = heads(&store.scan("").await.unwrap());
    drop(store);

    let used = used(&fs::read(whole.join(DATA)).unwrap());
    let (mut told, mut broken) = (0, 0);
    for place in used.iter().step_by(used.len() / PLACES) {
        let spoilt = folder.path().join(place.to_string());
        copy(&whole, &spoilt);
        let file = fs::OpenOptions::new().write(true).open(spoilt.join(DATA)).unwrap();
        file.write_all_at(&[0xA5; SPOILT_BYTES], *place).unwrap();
        match SledStore::open(&spoilt, Fit::Must).await {
            Ok(store) => {
                let there = heads(&store.scan("").await.unwrap());
                assert!(there == all, "place {place}: {} of {}", there.len(), all.len());
            }
            Err(StoreError::Lost { .. }) => {
                told += 1;
                let accepted = SledStore::open(&spoilt, Fit::Accepted).await.unwrap();
                let left = heads(&accepted.scan("").await.unwrap());
                assert_ne!(left, all);
                drop(accepted);
                let again = SledStore::open(&spoilt, Fit::Must).await.unwrap();
                assert_eq!(heads(&again.scan("").await.unwrap()), left, "place {place}: what was accepted stays");
            }
            Err(StoreError::Broken { .. }) => broken += 1,
            Err(error) => panic!("place {place}: {error:?}"),
        }
        fs::remove_dir_all(&spoilt).unwrap();
    }
    assert!(told > 0 && broken > 0, "{told} told, {broken} broken: this tests nothing");
}

#[tokio::test]
async fn a_store_of_a_program_that_kept_no_sum_opens_and_has_one_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
    fill(&store, 0..10).await;
    let all = heads(&store.scan("").await.unwrap());
    let without_its_sum = |open: &Open| open.db.remove(TALLY).map(drop).map_err(failed);
    store.0.exclusive(without_its_sum).unwrap();
    drop(store);
    let lost = SledStore::open(folder.path(), Fit::Must).await;
    assert!(matches!(lost, Err(StoreError::Lost { .. })), "it had one");

    fs::remove_file(folder.path().join("written")).unwrap();
    let store = SledStore::open(folder.path(), Fit::Must).await.unwrap();
    assert_eq!(heads(&store.scan("").await.unwrap()), all);
    store.0.exclusive(|open| open.db.remove(head_key("R07/session/0")).map(drop).map_err(failed)).unwrap();
    drop(store);
    assert!(matches!(SledStore::open(folder.path(), Fit::Must).await, Err(StoreError::Lost { .. })));
}

async fn fill(store: &SledStore, numbers: std::ops::Range<usize>) {
    for number in numbers {
        put(store, &format!("R07/session/{number}"), vec![7; number * 20]).await.unwrap();
        if number % 5 == 4 {
            store.delete(&format!("R07/session/{}", number - 2), Expect::Any).await.unwrap();
        }
    }
}

/// Where the file holds something.
fn used(bytes: &[u8]) -> Vec<u64> {
    let pieces = bytes.chunks(SPOILT_BYTES).enumerate();
    pieces.filter(|(_, piece)| piece.iter().any(|byte| *byte != 0)).map(|(at, _)| (at * SPOILT_BYTES) as u64).collect()
}
