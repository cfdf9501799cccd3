//! The disk of the store that is not there: nothing is forgotten before the operator says so.

use super::World;
use super::delivery::parcel;
use super::erase::consentry;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_start_beside_another_store_and_forgets_nothing_until_it_is_told_to() {
    let mut world = World::new().await;
    let (person, _) = world.in_review().await;
    person.share(&[]).await.unwrap();
    let waiting = parcel(&world, &person).await;
    let [store, away] = ["data/store", "data/away"].map(|name| world.node.path(name));
    let config = world.node.path("consentry.toml").display().to_string();
    let adopt = |flags: &[&str]| {
        let arguments: Vec<&str> = ["keys", "adopt", "--config", &config].iter().chain(flags).copied().collect();
        tokio::task::block_in_place(|| consentry(&arguments))
    };
    tokio::task::block_in_place(|| world.node.stop()).unwrap();

    // As if its disk were not mounted.
    std::fs::rename(&store, &away).unwrap();
    let refused = tokio::task::block_in_place(|| world.node.serve()).unwrap_err().to_string();
    assert!(refused.contains("Mount it") && refused.contains("consentry keys adopt"), "{refused}");
    assert!(!adopt(&[]).0, "it is meant only if it is said");
    std::fs::remove_dir_all(&store).unwrap();
    std::fs::rename(&away, &store).unwrap();
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    let fetched = world.service.receiver(&world.node).unwrap().engine.fetch(&waiting).await;
    assert!(fetched.is_ok(), "nothing was forgotten: {fetched:?}");

    // Some of its bytes are not what was written: sled leaves out what was written last, and the node does not.
    tokio::task::block_in_place(|| world.node.stop()).unwrap();
    let data = store.join("db");
    let whole = std::fs::read(&data).unwrap();
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap();
    let spoilt = [&whole[..end - 100], &[0xA5; 16], &whole[end - 84..]].concat();
    std::fs::write(&data, spoilt).unwrap();
    for _ in 0..2 {
        let refused = tokio::task::block_in_place(|| world.node.serve()).unwrap_err().to_string();
        assert!(refused.contains("records are missing") && refused.contains("consentry keys adopt"), "{refused}");
    }
    let (done, told) = adopt(&["--yes"]);
    assert!(done && !told.contains("0 record(s)"), "{told}");
    tokio::task::block_in_place(|| world.node.serve()).unwrap();

    // Lost for good.
    tokio::task::block_in_place(|| world.node.stop()).unwrap();
    std::fs::remove_dir_all(&store).unwrap();
    let (done, told) = adopt(&["--yes"]);
    assert!(done && told.contains("0 record(s)"), "{told}");
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    assert!(world.service.receiver(&world.node).unwrap().engine.fetch(&waiting).await.is_err());
    let (audited, told) = consentry(&["audit", "export", "--config", &config]);
    assert!(audited && told.contains("store-adopt"), "{told}");
}
