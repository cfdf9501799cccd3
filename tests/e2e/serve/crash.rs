//! `kill -9`, and what the next life of the engine makes of it.

use std::time::Duration;

use consentry_tests::journey::Journey;
use consentry_tests::service::next;
use online_service::receiver::Taken;
use reqwest::Method;
use sample_bank::{Change, SiteState};
use serde_json::json;

use super::delivery::parcel;
use super::flow::{nothing_of_the_person, receipts};
use super::{EVENT, LOGIN, World};

async fn state(person: &Journey) -> String {
    person.status().await.unwrap()["state"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_parcel_survives_and_is_delivered_once() {
    let mut world = World::new().await;
    let (person, _) = world.in_review().await;
    person.share(&[]).await.unwrap();
    let waiting = parcel(&world, &person).await;
    world.kill_and_restart();
    assert_eq!(state(&person).await, "delivering");
    assert_eq!(parcel(&world, &person).await, waiting);

    let mut told = world.listen().await;
    let Ok(Taken::Received(received, _)) = next(&mut told, EVENT).await.unwrap() else { panic!("not received") };
    assert_eq!(received.id, waiting);
    let mut events = person.events().await.unwrap();
    events.until("completed", EVENT).await.unwrap();
    let receipts = receipts(&world, &person).await;
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].outcome, "delivered");
    assert_eq!(world.service.inbox().unwrap().list().unwrap(), [waiting]);
    nothing_of_the_person(&world, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parcel_that_was_fetched_but_not_acknowledged_is_fetched_again_with_the_same_bytes() {
    let mut world = World::new().await;
    let (person, _) = world.in_review().await;
    person.share(&[]).await.unwrap();
    let waiting = parcel(&world, &person).await;
    let before = world.service.receiver(&world.node).unwrap().engine.fetch(&waiting).await.unwrap();
    world.kill_and_restart();
    let after = world.service.receiver(&world.node).unwrap().engine.fetch(&waiting).await.unwrap();
    assert_eq!(before, after);

    let mut told = world.listen().await;
    assert!(matches!(next(&mut told, EVENT).await.unwrap(), Ok(Taken::Received(..))));
    person.events().await.unwrap().until("completed", EVENT).await.unwrap();
    assert_eq!(world.service.inbox().unwrap().list().unwrap(), [waiting]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_gone_in_the_next_life_too() {
    let mut world = World::new().await;
    let mut told = world.listen().await;
    let (person, _) = world.in_review().await;
    person.share(&[]).await.unwrap();
    let Ok(Taken::Received(received, _)) = next(&mut told, EVENT).await.unwrap() else { panic!("not received") };
    world.kill_and_restart();
    assert!(world.service.receiver(&world.node).unwrap().engine.fetch(&received.id).await.unwrap_err().is_gone());
    // Both were answered, the person who shared and the one who acknowledged: the end is on the disk, and the row is gone.
    assert_eq!(person.call(Method::GET, "", None).await.unwrap().status, 404);
    assert_eq!(world.service.inbox().unwrap().list().unwrap(), [received.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_that_a_crash_cuts_off_happened_whole_or_not_at_all() {
    let mut world = World::new().await;
    // Killed ever later after the acknowledgement was sent, and before its answer is there.
    for late in [0, 2, 5, 12] {
        let (person, _) = world.in_review().await;
        person.share(&[]).await.unwrap();
        let waiting = parcel(&world, &person).await;
        let receiver = world.service.receiver(&world.node).unwrap();
        let bytes = receiver.engine.fetch(&waiting).await.unwrap();
        let digest = super::delivery::digest(bytes.as_bytes());
        let acknowledged = tokio::spawn({
            let (engine, waiting, digest) = (receiver.engine.clone(), waiting.clone(), digest.clone());
            async move { engine.acknowledge(&waiting, &digest).await.is_ok() }
        });
        tokio::time::sleep(Duration::from_millis(late)).await;
        tokio::task::block_in_place(|| world.node.kill()).unwrap();
        let answered = acknowledged.await.unwrap();
        tokio::task::block_in_place(|| world.node.serve()).unwrap();

        let again = receiver.engine.fetch(&waiting).await;
        let status = person.call(Method::GET, "", None).await.unwrap();
        match again {
            // It did not happen: the same bytes wait, and the session waits with them.
            Ok(same) => {
                assert!(!answered && same == bytes, "{late}");
                assert_eq!(status.json()["status"]["state"], "delivering", "{late}: {status:?}");
                receiver.engine.acknowledge(&waiting, &digest).await.unwrap();
                assert_eq!(receipts(&world, &person).await[0].outcome, "delivered", "{late}");
            }
            // It happened. Whoever was told so finds a session that is over; else the next life may have ended it, with its receipt.
            Err(error) => {
                assert!(error.is_gone(), "{late}: {error}");
                if answered || status.status == 404 {
                    assert_eq!(status.status, 404, "{late}: {status:?}");
                } else {
                    assert_eq!(status.json()["status"]["state"], "completed", "{late}: {status:?}");
                    assert_eq!(receipts(&world, &person).await[0].outcome, "delivered", "{late}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_dies_with_its_process_and_says_so() {
    let mut world = World::new().await;
    let (person, _, question) = world.asked().await;
    let code = world.bank.last_otp().unwrap();
    world.kill_and_restart();
    let status = person.status().await.unwrap();
    assert_eq!((&status["state"], &status["code"]), (&json!("failed"), &json!("node-lost")));
    let late = person.seal(question["question"].as_str(), &[("code", &code)]).await.unwrap();
    assert_eq!(person.call(Method::POST, "answers", Some(late.into())).await.unwrap().status, 409);
    let receipts = receipts(&world, &person).await;
    assert_eq!(receipts.len(), 1);
    assert_eq!((receipts[0].outcome.as_str(), receipts[0].code.as_deref()), ("failed", Some("node-lost")));
    nothing_of_the_person(&world, &[&code]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_collected_and_not_shared_dies_with_the_process() {
    let mut world = World::new().await;
    let (person, _) = world.in_review().await;
    world.kill_and_restart();
    let status = person.status().await.unwrap();
    assert_eq!((&status["state"], &status["code"]), (&json!("failed"), &json!("node-lost")));
    assert!(person.call(Method::GET, "preview", None).await.unwrap().status.is_client_error());
    nothing_of_the_person(&world, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_waits_for_the_login_goes_on() {
    let mut world = World::new().await;
    let mut told = world.listen().await;
    let (person, _) = world.agreed().await;
    world.kill_and_restart();
    assert_eq!(state(&person).await, "awaiting-credentials");
    let mut events = person.events().await.unwrap();
    person.log_in(&LOGIN).await.unwrap();
    events.until("in-review", EVENT).await.unwrap();
    person.share(&[]).await.unwrap();
    assert!(matches!(next(&mut told, EVENT).await.unwrap(), Ok(Taken::Received(..))));
    events.until("completed", EVENT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_asked_to_end_ends_its_collections_first() {
    let mut world = World::new().await;
    let (person, _, _) = world.asked().await;
    tokio::task::block_in_place(|| world.node.stop()).unwrap();
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    lost_with_a_receipt(&world, &person).await;
    nothing_of_the_person(&world, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_asked_to_end_keeps_what_a_review_needs_for_its_receipt() {
    let mut world = World::new().await;
    let (person, mut events) = world.in_review().await;
    tokio::task::block_in_place(|| world.node.stop()).unwrap();
    while events.next(EVENT).await.unwrap().is_some() {}
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    lost_with_a_receipt(&world, &person).await;
    assert!(person.call(Method::GET, "preview", None).await.unwrap().status.is_client_error());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_asked_to_end_waits_for_no_slow_source() {
    let mut world = World::new().await;
    let slow = Change { state: Some(SiteState::Slow), slow_ms: Some(60_000), ..Change::default() };
    world.bank.change(slow);
    let (person, mut events) = world.agreed().await;
    person.log_in(&LOGIN).await.unwrap();
    events.until("collecting", EVENT).await.unwrap();
    tokio::task::block_in_place(|| world.node.stop()).unwrap();
    nothing_was_cut_off(&world);
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    lost_with_a_receipt(&world, &person).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_engine_ends_by_itself_and_sessions_before_their_login_go_on() {
    let mut world = World::new().await;
    let (person, _events) = world.agreed().await;
    tokio::task::block_in_place(|| world.node.stop()).unwrap();
    nothing_was_cut_off(&world);
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    assert_eq!(state(&person).await, "awaiting-credentials");
}

/// Whatever was under way ended by itself.
fn nothing_was_cut_off(world: &World) {
    let log = std::fs::read_to_string(world.node.path("stderr")).unwrap();
    assert!(!log.contains("cut off"), "{log}");
}

/// The person learns that the run is over, and has their receipt.
async fn lost_with_a_receipt(world: &World, person: &Journey) {
    let status = person.status().await.unwrap();
    assert_eq!((&status["state"], &status["code"]), (&json!("failed"), &json!("node-lost")));
    let receipts = receipts(world, person).await;
    assert_eq!(receipts.len(), 1);
    assert_eq!((receipts[0].outcome.as_str(), receipts[0].code.as_deref()), ("failed", Some("node-lost")));
}
