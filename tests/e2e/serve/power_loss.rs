//! The machine loses its power after any call that the real engine made on its disk while people logged in, shared and were delivered:
//! it starts, every share that was confirmed is there to be fetched, once, and no value of a person is in any file.

use std::path::Path;

use consentry_tests::canary;
use online_service::engine::EngineError;
use sample_bank::JULIE;

use super::World;
use super::delivery::{digest, parcel};
use disk::{Call, Disk, lose_power, read, recording};

#[expect(dead_code, reason = "the engine's own tests record themselves")]
#[path = "../../../engine/src/fixtures/disk.rs"]
mod disk;

const COLLECTIONS: usize = 6;
/// Every fourth keeps all that was not synced: so fifty drop some of it, or all, which is as many as the project's goals name.
const LOSSES: usize = 67;
/// On a disk that syncs nothing: so many are enough to see that something is lost there.
const LOSSES_WITHOUT_SYNC: usize = 8;

/// Each third is delivered before it counts as done.
fn is_delivered(number: usize) -> bool {
    number % 3 == 2
}

async fn fetch(world: &World, parcel: &str) -> Result<String, EngineError> {
    world.service.receiver(&world.node).unwrap().engine.fetch(parcel).await
}

/// Starts on what is left, and says what is wrong with it.
async fn wrong(world: &World, parcels: &[String], begun: usize, acknowledged: usize) -> Option<String> {
    for (number, parcel) in parcels.iter().enumerate().take(begun) {
        let (done, delivered) = (number < acknowledged, is_delivered(number));
        match fetch(world, parcel).await {
            Ok(_) if done && delivered => return Some(format!("collection {number} is given out after its end")),
            Ok(bytes) => {
                let engine = world.service.receiver(&world.node).unwrap().engine;
                if let Err(error) = engine.acknowledge(parcel, &digest(bytes.as_bytes())).await {
                    return Some(format!("collection {number} is not delivered: {error}"));
                }
                if fetch(world, parcel).await.is_ok() {
                    return Some(format!("collection {number} is given out twice"));
                }
            }
            Err(_) if done && !delivered => return Some(format!("collection {number} was shared, and is not there")),
            Err(_) => {}
        }
    }
    let values = [JULIE.login, JULIE.password, JULIE.last_name, JULIE.email, JULIE.accounts[0].iban];
    let found = canary::search(&world.node.path(""), &values).unwrap().found;
    (!found.is_empty()).then(|| format!("values of a person are in {found:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_was_confirmed_survives_fifty_losses_of_power() {
    let mut world = World::prepared().await;
    let folder = tempfile::tempdir().unwrap();
    let [before, log] = ["before", "log"].map(|name| folder.path().join(name));
    let data = world.node.path("data").canonicalize().unwrap();
    copy(&data, &before);
    for (name, value) in recording(&data, &log) {
        world.node.set_variable(name, value);
    }
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    let (mut parcels, mut marks) = (vec![], vec![]);
    let now = || std::fs::metadata(&log).unwrap().len();
    for number in 0..COLLECTIONS {
        marks.push((now(), b'b'));
        let (person, _) = world.in_review().await;
        person.share(&[]).await.unwrap();
        let parcel = parcel(&world, &person).await;
        if is_delivered(number) {
            let bytes = fetch(&world, &parcel).await.unwrap();
            let engine = world.service.receiver(&world.node).unwrap().engine;
            engine.acknowledge(&parcel, &digest(bytes.as_bytes())).await.unwrap();
        }
        parcels.push(parcel);
        marks.push((now(), b'a'));
    }
    // Not killed: its last call would be done, and perhaps not yet written down.
    tokio::task::block_in_place(|| world.node.stop()).unwrap();
    let calls = read(Disk::default().with(&before), &log, &data, &marks);
    // What it does from now on is not looked at.
    world.node.set_variable("RECORD_LOG", Path::new("/dev/null"));

    let mut lose = |disk: Disk, losses| {
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            lose_power(disk.with(&before), &calls, losses, |left, begun, acknowledged| {
                std::fs::remove_dir_all(&data).unwrap();
                copy(left, &data);
                if let Err(error) = world.node.serve() {
                    return Some(format!("it does not start: {error}"));
                }
                let wrong = runtime.block_on(wrong(&world, &parcels, begun, acknowledged));
                world.node.kill().unwrap();
                wrong
            })
        })
    };
    let wrong = lose(Disk::default(), LOSSES);
    println!("{LOSSES} losses of power in {} calls, {} went wrong", calls.len(), wrong.len());
    assert!(wrong.is_empty(), "{} of {LOSSES}:\n{}", wrong.len(), wrong.join("\n"));
    let syncs = calls.iter().filter(|call| matches!(call, Call::Sync(_))).count();
    assert!(syncs > COLLECTIONS && !lose(Disk::that_ignores_syncs(), LOSSES_WITHOUT_SYNC).is_empty(), "{syncs} syncs");
}

/// A folder with all that is in it, for its owner alone.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}
