//! `kill -9`, and what the next life of the engine makes of it.

use consentry_tests::journey::Journey;
use consentry_tests::service::next;
use online_service::receiver::Taken;
use reqwest::Method;
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
    let mut events = person.events(0).await.unwrap();
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
    person.events(0).await.unwrap().until("completed", EVENT).await.unwrap();
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
    // The session is over; if its end was not on the disk yet, the next life wrote the receipt.
    let status = person.call(Method::GET, "", None).await.unwrap();
    assert!(status.status == 404 || status.json()["status"]["state"] == "completed", "{status:?}");
    assert_eq!(world.service.inbox().unwrap().list().unwrap(), [received.id]);
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
    let mut events = person.events(0).await.unwrap();
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
    // Its session ended in order, so that nothing of it is left to be taken up.
    assert_eq!(person.call(Method::GET, "", None).await.unwrap().status, 404);
}
