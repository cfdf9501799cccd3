//! What sealed records under keys of their own cost, against sled bare: 10,000 records of 1 KiB written durably and read back. Run by
//! hand, in a build with optimisation: `cargo test --release --lib -- --ignored --nocapture ten_thousand`.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::*;
use crate::clock::{Clock as _, ManualClock};
use crate::entropy::Entropy;
use crate::erase::retention::{R24DeliveryOutcome, Term};
use crate::store::{Record, Shelves};

const RECORDS: usize = 10_000;
const BYTES: usize = 1024;
const AT_ONCE: usize = 64;

#[derive(Serialize, Deserialize, Clone)]
struct Text(String);

impl Record for Text {
    const NAMESPACE: &'static str = "text";
    const RIGHTS: crate::rights::declared::Declared = crate::rights::declared::Declared::NOT_PERSONAL;
    type Row = R24DeliveryOutcome;
}

/// As sled writes by itself, and as it would have to: with the file synced.
fn bare(folder: &Path, synced: bool) -> (Duration, Duration) {
    let db = sled::Config::new().path(folder).flush_every_ms(None).open().unwrap();
    let file = File::open(folder.join(DATA)).unwrap();
    let value = vec![b'x'; BYTES];
    let start = Instant::now();
    for number in 0..RECORDS {
        db.insert(format!("n{number}"), value.as_slice()).unwrap();
        db.flush().unwrap();
        if synced {
            file.sync_all().unwrap();
        }
    }
    let written = start.elapsed();
    let start = Instant::now();
    for number in 0..RECORDS {
        assert_eq!(db.get(format!("n{number}")).unwrap().unwrap().len(), BYTES);
    }
    (written, start.elapsed())
}

async fn sealed(folder: &Path, at_once: usize) -> (Duration, Duration) {
    let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00Z".parse().unwrap()));
    let (keys, entropy) = (crate::keys::software::tests::keys(), Arc::new(Entropy::system()));
    let shelves = Shelves::sled(folder, keys, entropy, clock.clone()).await.unwrap();
    let (shelf, text, term) = (shelves.shelf(), Text("x".repeat(BYTES)), Term::from(clock.now()));
    let start = Instant::now();
    let writers = (0..at_once).map(|writer| {
        let (shelf, text) = (shelf.clone(), text.clone());
        tokio::spawn(async move {
            for number in (writer..RECORDS).step_by(at_once) {
                shelf.put(&format!("n{number}"), &text, Expect::Absent, term).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let written = start.elapsed();
    let start = Instant::now();
    for number in 0..RECORDS {
        let read = shelf.get::<Text>(&format!("n{number}")).await.unwrap().unwrap();
        assert_eq!(read.value.0.len(), BYTES);
    }
    (written, start.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: minutes of syncs, and nothing is asserted about time"]
async fn ten_thousand_sealed_records_against_sled_bare() {
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let place = |name: &str| folder.path().join(name);
    let tell = |name: &str, (written, read): (Duration, Duration)| {
        println!("{name:<40}{:>9.2} s written{:>9.3} s read", written.as_secs_f64(), read.as_secs_f64());
        (written, read)
    };
    let plain = tell("sled bare, as it acknowledges", bare(&place("plain"), false));
    let synced = tell("sled bare, the file synced", bare(&place("synced"), true));
    let one = tell("sealed, one writer", sealed(&place("one"), 1).await);
    let many = tell("sealed, 64 writers", sealed(&place("many"), AT_ONCE).await);
    let ratio = |ours: Duration, theirs: Duration| ours.as_secs_f64() / theirs.as_secs_f64();
    println!(
        "ratios to sled with the file synced: one writer {:.2}, 64 writers {:.2}, read {:.1}; to sled as it acknowledges: {:.2}",
        ratio(one.0, synced.0),
        ratio(many.0, synced.0),
        ratio(one.1, synced.1),
        ratio(one.0, plain.0)
    );
}
