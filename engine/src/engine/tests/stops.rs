//! A planned stop: what runs is stopped, what was found is erased, and the next life of the node has the receipts.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn after_a_planned_stop_the_next_life_has_the_receipts() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(now()));
    let keys = crate::keys::software::tests::keys();
    let world = world_in(Some(folder.path()), clock.clone(), keys.clone()).await;
    let (agreed, reviewed, sending) = (world.agreed().await, world.in_review().await, world.in_review().await);
    let parcel = world.parcel(&sending).await;
    // One whose connector is at work: its grant is used, its login opened.
    let collecting = world.agreed().await;
    let sealed = world.sealed(collecting.id(), &LOGIN).await;
    let _opened = world.engine.begin(&collecting, &sealed, NAVIGATION.into()).await.unwrap();

    world.engine.shut_down().await;
    assert!(world.engine.preview(&reviewed).is_err(), "what was found is erased");
    assert_eq!(reviewed.state(), State::InReview, "it is for the next life to say how it ended");
    for session in [&agreed, &reviewed, &collecting] {
        states(session).await;
    }
    let ids = [agreed.id(), reviewed.id(), collecting.id(), sending.id()];
    drop((world, agreed, reviewed, sending, collecting, _opened));

    let world = world_in(Some(folder.path()), clock, keys).await;
    let [agreed, reviewed, collecting, sending] = ids.map(|id| world.engine.session(id).unwrap());
    assert_eq!(agreed.state(), State::AwaitingCredentials { rejected: 0 });
    for lost in [&reviewed, &collecting] {
        assert_eq!(lost.state(), State::Failed { code: Code::NodeLost });
        let receipt = world.receipts(lost).await.pop().unwrap();
        assert_eq!((receipt.outcome.as_str(), receipt.code.as_deref()), ("failed", Some("node-lost")));
    }
    assert_eq!((sending.state(), sending.parcel()), (State::Delivering, Some(parcel)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_holds_up_no_stop() {
    let world = world().await;
    world.engine.tasks.spawn(std::future::pending::<()>());
    let stopped = tokio::time::timeout(Duration::from_secs(120), world.engine.shut_down()).await;
    assert!(stopped.is_ok(), "it waits for what never ends");
}
