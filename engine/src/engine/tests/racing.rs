//! What a person does at the same time in two places: what they agreed to is what the session goes on with, and what happened stands in
//! the receipt.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_choice_beside_a_decision_leaves_no_session_under_a_consent_that_was_not_given() {
    let world = world().await;
    let mut agreed = 0;
    for _ in 0..60 {
        let session = world.session().await;
        let notice = world.engine.choose_source(&session, "sample-bank", "sample-bank").await.unwrap();
        let (engine, chosen) = (world.engine.clone(), session.clone());
        let choosing = tokio::spawn(async move { engine.choose_source(&chosen, "sample-bank", "sample-bank").await });
        let (engine, agreeing) = (world.engine.clone(), session.clone());
        let deciding = tokio::spawn(async move {
            let all = notice.facts().asked.iter().map(|asked| asked.category).collect();
            engine.give_consent(&agreeing, &notice.digest(), &all).await
        });
        let (_, _) = (choosing.await.unwrap(), deciding.await.unwrap());
        if session.state() == (State::AwaitingCredentials { rejected: 0 }) {
            agreed += 1;
            let record = world.engine.consents.record(session.consent().unwrap()).await.unwrap();
            assert_eq!(record.status(), Status::Given, "it waits for a login under a consent that was never given");
        }
        world.engine.withdraw(&session).await.unwrap();
        assert_eq!(session.state(), State::Withdrawn);
    }
    assert!(agreed > 0, "nobody agreed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_right_before_the_end_stands_in_the_receipt() {
    let world = world().await;
    for withdrawn in [true, false] {
        let session = world.in_review().await;
        let parcel = world.parcel(&session).await;
        let bytes = world.engine.fetch_parcel(&lender(), parcel).await.unwrap();
        // It is noted, and the session has not heard of it yet.
        let now = world.clock.now();
        world.engine.outbox.acknowledge(parcel, lender().id(), &Digest::of(&bytes), now).await.unwrap();
        if withdrawn {
            world.engine.withdraw(&session).await.unwrap();
        } else {
            world.engine.expire(&session).await;
        }
        let receipt = world.receipts(&session).await.pop().unwrap();
        assert_eq!(receipt.outcome, if withdrawn { "withdrawn" } else { "failed" });
        assert_eq!(receipt.parcel.unwrap().acknowledged_at, Some(now));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_follow_a_session_and_leave_a_place_when_they_go() {
    let world = world().await;
    let (session, other) = (world.session().await, world.session().await);
    let following: Vec<_> = std::iter::from_fn(|| world.engine.follow(&session).ok()).collect();
    assert_eq!(following.len(), 8);
    assert!(matches!(world.engine.follow(&session), Err(EngineError::Followed)));
    let _another = world.engine.follow(&other).unwrap();
    drop(following);
    world.engine.follow(&session).unwrap();
}
