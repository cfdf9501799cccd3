//! From the outbox to the receiver: at least once, and once as seen by a receiver that honours the parcel's id.

use std::time::Duration;

use consentry_tests::journey::{Journey, client, send};
use consentry_tests::service::{BEARER, next};
use online_service::inbox::Kept;
use online_service::receiver::Taken;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::flow::{nothing_of_the_person, receipts};
use super::{EVENT, World};

/// Fetches and acknowledges as the Online Service would, step by step.
async fn call(
    world: &World,
    key: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> consentry_tests::journey::Reply {
    let request = client().unwrap().request(method, format!("{}/v1/parcels/{path}", world.node.url)).bearer_auth(key);
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    };
    send(request).await.unwrap()
}

/// The parcel of a session that was shared.
pub(super) async fn parcel(world: &World, person: &Journey) -> String {
    let session = world.service.receiver(&world.node).unwrap().engine.session(person.session()).await.unwrap();
    session["parcel"].as_str().expect("a parcel waits").to_owned()
}

pub(super) fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_digest_of_what_was_fetched_erases_it_and_only_for_its_owner() {
    let world = World::new().await;
    let (person, mut events) = world.in_review().await;
    person.share(&[]).await.unwrap();
    events.until("delivering", EVENT).await.unwrap();
    let parcel = parcel(&world, &person).await;
    let ack = format!("{parcel}/ack");
    let guess = json!({ "digest": digest(b"something else") });

    for key in ["", "another-key", person.token()] {
        assert_eq!(call(&world, key, Method::GET, &parcel, None).await.status, 401);
        assert_eq!(call(&world, key, Method::POST, &ack, Some(guess.clone())).await.status, 401);
    }
    let unfetched = call(&world, BEARER, Method::POST, &ack, Some(guess.clone())).await;
    assert_eq!((unfetched.status.as_u16(), unfetched.media.as_str()), (409, "application/problem+json"));

    let first = call(&world, BEARER, Method::GET, &parcel, None).await;
    let second = call(&world, BEARER, Method::GET, &parcel, None).await;
    assert_eq!((first.status.as_u16(), first.media.as_str()), (200, "application/jose"));
    assert_eq!(first.bytes, second.bytes);

    let wrong = call(&world, BEARER, Method::POST, &ack, Some(guess)).await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.json()["type"].clone()),
        (409, json!("urn:consentry:problem:other-digest"))
    );
    assert_eq!(call(&world, BEARER, Method::GET, &parcel, None).await.bytes, first.bytes);

    let right = json!({ "digest": digest(&first.bytes) });
    for _ in 0..2 {
        assert_eq!(call(&world, BEARER, Method::POST, &ack, Some(right.clone())).await.status, 204);
    }
    events.until("completed", EVENT).await.unwrap();
    assert_eq!(call(&world, BEARER, Method::GET, &parcel, None).await.status, 410);
    assert_eq!(receipts(&world, &person).await.len(), 1);
    nothing_of_the_person(&world, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_down_is_told_again() {
    let mut world = World::new().await;
    // Somebody answers the door, and the line goes dead.
    let door = tokio::net::TcpListener::bind(world.service.address()).await.unwrap();
    let (person, mut events) = world.in_review().await;
    person.share(&[]).await.unwrap();
    let (line, _) = tokio::time::timeout(EVENT, door.accept()).await.unwrap().unwrap();
    drop((line, door));
    assert_eq!(person.status().await.unwrap()["state"], "delivering");

    let mut told = world.listen().await;
    assert!(matches!(next(&mut told, EVENT).await.unwrap(), Ok(Taken::Received(_, Kept::New))));
    events.until("completed", EVENT).await.unwrap();
    assert_eq!(world.service.inbox().unwrap().list().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_before_the_fetch_leaves_nothing_to_fetch() {
    let world = World::new().await;
    let (person, mut events) = world.in_review().await;
    person.share(&[]).await.unwrap();
    events.until("delivering", EVENT).await.unwrap();
    let parcel = parcel(&world, &person).await;
    let answer = person.withdraw().await.unwrap();
    assert!(answer["sending"].is_null(), "{answer}");
    events.until("withdrawn", EVENT).await.unwrap();
    let gone = call(&world, BEARER, Method::GET, &parcel, None).await;
    assert_eq!((gone.status.as_u16(), gone.media.as_str()), (410, "application/problem+json"));
    let receipt = receipts(&world, &person).await.pop().unwrap();
    assert_eq!(receipt.outcome, "withdrawn");
    assert_eq!(receipt.parcel.unwrap().fetched_at, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_after_the_fetch_names_the_send_that_had_begun() {
    let world = World::new().await;
    let (person, mut events) = world.in_review().await;
    person.share(&[]).await.unwrap();
    events.until("delivering", EVENT).await.unwrap();
    let parcel = parcel(&world, &person).await;
    assert_eq!(call(&world, BEARER, Method::GET, &parcel, None).await.status, 200);
    let answer = person.withdraw().await.unwrap();
    assert_eq!(answer["sending"], parcel.as_str());
    events.until("withdrawn", Duration::from_secs(10)).await.unwrap();
    assert_eq!(call(&world, BEARER, Method::GET, &parcel, None).await.status, 410);
    let receipt = receipts(&world, &person).await.pop().unwrap();
    assert!(receipt.parcel.unwrap().fetched_at.is_some());
}
