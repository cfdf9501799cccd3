//! A disk that is full when a node is set up, starts and works: one error that says what to do, nothing half-written, and it goes on when
//! there is room. What each durable step makes of it is tried in the engine's own tests, one by one.

use std::process::Command;

use consentry_tests::disk::SmallDisk;
use consentry_tests::journey::{client, send};
use consentry_tests::node::binary;

use super::{EVENT, LOGIN, World};

/// Room for a node that works, and for the reserve of its store.
const ENOUGH: u32 = 400 * 1024;

/// Makes the node's keys: the exit code, and what was said.
fn generate(world: &World) -> (Option<i32>, String) {
    let mut command = Command::new(binary("consentry").unwrap());
    command.args(["keys", "generate", "--config"]).arg(world.node.path("consentry.toml"));
    let done = tokio::task::block_in_place(|| command.output()).unwrap();
    (done.status.code(), String::from_utf8(done.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_with_too_little_room_is_told_before_half_of_anything_is_there() {
    let mut world = World::prepared().await;
    let data = world.node.path("data");
    std::fs::remove_dir_all(&data).unwrap();
    // Room for the entry of the audit log, and for a part of the keys.
    let Some(disk) = SmallDisk::at(&data, 8) else { return };
    let (code, said) = generate(&world);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("data/keys: no keys were made") && said.contains("make room there"), "{said}");
    let names: Vec<String> = disk.list().into_iter().map(|(name, _)| name).collect();
    assert!(names.len() == 1 && names[0].starts_with("audit/"), "{names:?}");

    // Room for a store, and not for its reserve.
    disk.resize(16 * 1024);
    let (code, said) = generate(&world);
    assert_eq!(code, Some(0), "{said}");
    world.node.approve("connectors/sample-bank.wasm").unwrap();
    let before = disk.list();
    let said = tokio::task::block_in_place(|| world.node.serve()).unwrap_err().to_string();
    assert!(said.contains("the disk of the store is full: nothing new was kept, make room"), "{said}");
    assert_eq!(disk.list(), before, "{said}");
    assert!(!data.join("store").exists());

    disk.resize(ENOUGH);
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    tokio::task::block_in_place(|| world.node.stop()).unwrap();
    // A start that finds its disk full leaves no file that was not there; it goes on when there is room.
    let names = || disk.list().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let before = names();
    disk.fill();
    let said = tokio::task::block_in_place(|| world.node.serve()).unwrap_err().to_string();
    assert!(said.contains("make room"), "{said}");
    assert_eq!(names(), before, "{said}");
    disk.clear();
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    // The node's files are not there any more when it ends otherwise.
    world.node.kill().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_leaves_nothing_half_written() {
    let mut world = World::prepared().await;
    let data = world.node.path("data");
    std::fs::remove_dir_all(&data).unwrap();
    let Some(disk) = SmallDisk::at(&data, 64) else { return };

    disk.fill();
    let (code, said) = generate(&world);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("make room"), "{said}");
    assert_eq!(disk.list(), [], "{said}");

    disk.clear();
    disk.resize(ENOUGH);
    let (code, said) = generate(&world);
    assert_eq!(code, Some(0), "{said}");
    world.node.approve("connectors/sample-bank.wasm").unwrap();
    let before = disk.list();
    disk.fill();
    let said = tokio::task::block_in_place(|| world.node.serve()).unwrap_err().to_string();
    assert!(said.contains("make room"), "{said}");
    assert_eq!(disk.list(), before, "{said}");

    disk.clear();
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    let (person, mut events) = world.agreed().await;
    disk.fill();
    person.log_in(&LOGIN).await.unwrap_err();
    let health = send(client().unwrap().get(format!("{}/v1/health", world.node.url))).await.unwrap();
    assert!(health.status == 503 && health.json().to_string().contains("full"), "{health:?}");
    disk.clear();
    person.log_in(&LOGIN).await.unwrap();
    events.until("in-review", EVENT).await.unwrap();
    // The node's files are not there any more when it ends otherwise.
    world.node.kill().unwrap();
}
