//! The disk is full from any durable operation on, until somebody makes room.

use super::*;

/// Tells whether anybody noticed that the disk was full from the operation `at` on.
async fn full_at(at: usize, keys: &Arc<dyn KeyProvider>) -> bool {
    let (below, clock, outside) = (memory(), Arc::new(ManualClock::new(now())), Outside::default());
    let store = Faulty::new(below.clone(), Fault::Full, at);
    let world = world_over(&store, &clock, keys).await;
    let first = outside.drive(&world, &FLOW).await;
    // A login or a decision that met the full disk ended the run.
    let may_be_lost = outside.session().is_some_and(|session| session.state().is_end());
    if let Err(error) = &first {
        assert!(error.is_full(), "{at}: {error:?}");
        let problem = crate::api::problem::Problem::from(match first {
            Err(error) => error,
            Ok(_) => unreachable!(),
        });
        assert!(problem.next.unwrap().contains("make room"));
    }
    if let Some(session) = outside.session() {
        assert!(!session.is_busy(), "{at}: the slot is held");
        if session.state().is_end() {
            tokio::time::timeout(std::time::Duration::from_secs(5), states(&session)).await.expect("its events end");
        }
    }
    let noticed = store.done() >= at;
    store.heal();
    // The same person goes on, or has a receipt that says why not; the next one is served.
    outside.drive(&world, &FLOW).await.unwrap();
    check(&outside, &world, &FLOW, may_be_lost, Fault::Full).await;
    let next = Outside::default();
    next.drive(&world, &FLOW).await.unwrap();
    check(&next, &world, &FLOW, false, Fault::Dead).await;
    world.pass(61);
    world.engine.sweep().await.unwrap();
    assert!(world.engine.sessions.all().is_empty(), "{at}: a session is held for ever");
    // What a full disk kept from being closed, a start closes.
    let world = world_over(&store, &clock, keys).await;
    check_remains(&below, &world).await;
    noticed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_no_more_than_the_run_that_meets_it() {
    let keys = crate::keys::software::tests::keys();
    let mut points = 0;
    while full_at(points + 1, &keys).await {
        points += 1;
    }
    assert!(points > 20, "{points}");
}
