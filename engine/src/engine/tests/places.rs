//! How many sessions there may be, and how long ended ones stay.

use super::doors::{get, serve};
use super::*;

async fn world_of(most: usize, each: usize) -> World {
    let clock = Arc::new(ManualClock::new(now()));
    let builder = builder(hollow_connector(), &clock).online_service(lender_as(id(2))).sessions(most, each);
    World { engine: builder.build().await.unwrap(), clock }
}

async fn create(world: &World, digit: u8) -> Result<Arc<Session>, EngineError> {
    Ok(world.engine.create_session(&lender_as(id(digit)), REQUEST.as_bytes()).await?.session)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_gives_its_place_back_at_once_and_keeps_its_receipts() {
    let world = world_of(3, 3).await;
    let new = world.engine.create_session(&lender(), REQUEST.as_bytes()).await.unwrap();
    world.review(&new.session).await;
    let ends = [world.agreed().await, world.agreed().await];
    assert!(create(&world, 1).await.is_err());

    world.engine.withdraw(&new.session).await.unwrap();
    world.engine.fail(&ends[0], Code::Cancelled).await;
    let sealed = world.sealed(ends[1].id(), &LOGIN).await;
    world.engine.open_login(&ends[1], &sealed, NAVIGATION).await.unwrap();
    states(&ends[1]).await;
    let next = [world.session().await, world.session().await, world.session().await];
    assert!(create(&world, 1).await.is_err(), "three are open again");

    let address = serve(&world.engine).await;
    let path = format!("/v1/sessions/{}/receipts", new.session.id());
    world.pass(59);
    world.engine.sweep().await.unwrap();
    let (status, answer) = get(address, &path, &new.token).await;
    assert!(status == 200 && answer.contains(r#""receipt":""#), "{answer}");
    world.pass(1);
    world.engine.sweep().await.unwrap();
    assert_eq!(get(address, &path, &new.token).await.0, 404);
    assert!(next.iter().all(|session| session.state() == State::Expired));
    assert!(world.engine.sessions.all().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_online_service_that_asks_for_too_many_is_told_so_and_others_are_served() {
    let world = world_of(3, 2).await;
    let first = create(&world, 1).await.unwrap();
    create(&world, 1).await.unwrap();
    let refused = create(&world, 1).await.err().unwrap();
    assert!(matches!(refused, EngineError::TooMany), "{refused:?}");
    let problem = crate::api::problem::Problem::from(refused);
    assert_eq!((problem.status, problem.kind.as_str()), (429, "urn:consentry:problem:too-many-sessions"));
    assert!(problem.next.unwrap().contains("sessions-per-online-service-max"));

    create(&world, 2).await.unwrap();
    let refused = create(&world, 2).await.err().unwrap();
    assert!(matches!(refused, EngineError::Busy), "the node is full: {refused:?}");
    world.engine.withdraw(&first).await.unwrap();
    create(&world, 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_end_at_once_fill_no_memory_and_push_no_receipt_out() {
    let world = world_of(100, 3).await;
    let kept = world.in_review().await;
    world.engine.withdraw(&kept).await.unwrap();
    for _ in 0..20 {
        let session = create(&world, 1).await.unwrap();
        world.engine.withdraw(&session).await.unwrap();
    }
    assert_eq!(world.engine.sessions.all().len(), 3);
    assert_eq!(world.engine.session(kept.id()).unwrap().receipts().len(), 1);
    for _ in 0..4 {
        let session = world.in_review().await;
        world.engine.withdraw(&session).await.unwrap();
    }
    assert_eq!(world.engine.sessions.all().len(), 3, "receipts are bounded too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_taken_up_has_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(now()));
    let keys = crate::keys::software::tests::keys();
    let start = async || {
        let builder = builder(hollow_connector(), &clock).keys(keys.clone());
        let builder = builder.store(folder.path().to_owned()).sessions(2, 2);
        World { engine: builder.build().await.unwrap(), clock: clock.clone() }
    };
    let world = start().await;
    let (agreed, reviewed) = (world.agreed().await.id(), world.in_review().await.id());
    drop(world);
    let world = start().await;
    assert!(world.engine.session(reviewed).unwrap().state().is_end(), "it died with its node");
    create(&world, 1).await.unwrap();
    assert!(create(&world, 1).await.is_err(), "the one that goes on has a place");
    world.engine.withdraw(&world.engine.session(agreed).unwrap()).await.unwrap();
    create(&world, 1).await.unwrap();
    assert!(world.engine.caller(BEARER).is_some());
    assert!(world.engine.caller("another key").is_none());
}
