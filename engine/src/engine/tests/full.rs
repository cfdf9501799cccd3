//! A store that takes no writes: what is told is what happens, the person's word holds, and all goes on when there is room.

use std::net::SocketAddr;

use super::doors::{get, send, serve};
use super::durability::world_over;
use super::*;
use crate::erase::receipt::Scope;
use crate::store::faulty::{Fault, Faulty, memory};

/// An engine on loopback whose store can be full.
struct Door {
    world: World,
    store: Arc<Faulty>,
    address: SocketAddr,
}

async fn door() -> Door {
    let store = Faulty::new(memory(), Fault::Full, usize::MAX);
    let world = world_over(&store, &Arc::new(ManualClock::new(now())), &crate::keys::software::tests::keys()).await;
    let address = serve(&world.engine).await;
    Door { world, store, address }
}

impl Door {
    /// A session in review whose person has this token.
    async fn in_review(&self) -> (Arc<Session>, String) {
        let new = self.world.engine.create_session(&lender(), REQUEST.as_bytes()).await.unwrap();
        self.world.review(&new.session).await;
        (new.session, new.token)
    }

    async fn post(&self, path: &str, token: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let answer = send(self.address, &head).await;
        (answer[9..12].parse().unwrap(), answer)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shares_on_a_full_disk_can_share_again_whatever_was_left_out_before() {
    let door = door().await;
    // Full from each of the writes of a share on.
    for at in 1.. {
        let (session, token) = door.in_review().await;
        let path = format!("/v1/sessions/{}", session.id());
        let before = get(door.address, &format!("{path}/preview"), &token).await.1;
        door.store.fail_in(at);
        let (status, answer) = door.post(&format!("{path}/share"), &token, r#"{"without_items":[0]}"#).await;
        let noticed = status != 202;
        assert!(!noticed || (status == 507 && answer.contains("try again then")), "{at}: {answer}");
        if !noticed {
            assert!(at > 3, "a share has more writes than {at}");
            break;
        }
        assert_eq!(session.state(), State::InReview, "{at}");
        let body = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        let after = get(door.address, &format!("{path}/preview"), &token).await.1;
        assert_eq!(body(&before), body(&after), "{at}: the preview is whole again");

        door.store.heal();
        assert_eq!(door.post(&format!("{path}/share"), &token, "{}").await.0, 202, "{at}");
        let parcel = session.parcel().unwrap();
        let bytes = door.world.engine.fetch_parcel(&lender(), parcel).await.unwrap();
        door.world.engine.acknowledge(&lender(), parcel, Digest::of(&bytes)).await.unwrap();
        let receipt = door.world.receipts(&session).await.pop().unwrap();
        assert_eq!(receipt.outcome, "delivered", "{at}");
        let counts: Vec<_> = receipt.categories.iter().map(|each| (each.collected, each.shared)).collect();
        assert_eq!(counts, [(1, 1), (1, 1)], "{at}");
        let released = events(&receipt).iter().filter(|event| *event == "released").count();
        assert_eq!(released, 1, "{at}: one release, one leaf");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_on_a_full_disk_holds_and_says_what_is_not_noted_yet() {
    let door = door().await;
    let (session, token) = door.in_review().await;
    let path = format!("/v1/sessions/{}/withdraw", session.id());
    let consent = session.consent().unwrap();
    door.store.fail_in(1);
    let (status, answer) = door.post(&path, &token, "").await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains(r#""noted":false"#) && answer.contains("withdrawal holds"), "{answer}");
    assert_eq!(session.state(), State::Withdrawn);
    assert!(door.world.engine.preview(&session).is_err(), "what was collected is erased");
    assert_eq!(door.world.receipts(&session).await[0].outcome, "withdrawn");

    // Room for others, and nobody has noted it yet: it holds all the same.
    door.store.heal();
    let engine = &door.world.engine;
    let active = engine.consents.active(consent, door.world.clock.now()).await;
    assert!(matches!(active, Err(ConsentError::Refused(ConsentRefusal::Withdrawn))), "{active:?}");
    engine.sweep().await.unwrap();
    let record = engine.consents.record(consent).await.unwrap();
    assert_eq!(record.status(), Status::Withdrawn);
    let (_, answer) = door.post(&path, &token, "").await;
    assert!(answer.contains(r#""noted":true"#), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_on_a_full_disk_takes_a_parcel_back_and_no_send_begins() {
    let door = door().await;
    let (session, _) = door.in_review().await;
    let engine = &door.world.engine;
    let parcel = door.world.parcel(&session).await;
    let now = door.world.clock.now();
    let active = engine.consents.active(session.consent().unwrap(), now).await.unwrap();
    door.store.fail_in(1);
    let withdrawal = engine.withdraw(&session).await.unwrap();
    assert_eq!((withdrawal.sending, withdrawal.noted), (None, false));
    door.store.heal();
    // Somebody looked before, and begins only now.
    let begun = engine.consents.dispatch(active, parcel, now).await;
    assert!(matches!(begun, Err(ConsentError::Refused(ConsentRefusal::Withdrawn))), "{begun:?}");
    assert!(engine.fetch_parcel(&lender(), parcel).await.is_err());
    assert!(!engine.outbox.holds(parcel).await.unwrap());
    engine.sweep().await.unwrap();
    assert!(engine.consents.active(session.consent().unwrap(), now).await.is_err());
    assert_eq!(engine.consents.record(session.consent().unwrap()).await.unwrap().status(), Status::Withdrawn);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_needs_no_room() {
    let door = door().await;
    for withdraws in [false, true] {
        let new = door.world.engine.create_session(&lender(), REQUEST.as_bytes()).await.unwrap();
        door.world.engine.choose_source(&new.session, "sample-bank", "sample-bank").await.unwrap();
        door.store.fail_in(1);
        let path = format!("/v1/sessions/{}", new.session.id());
        let answered = match withdraws {
            true => door.post(&format!("{path}/withdraw"), &new.token, "").await,
            false => door.post(&format!("{path}/consent"), &new.token, r#"{"decision":"refused"}"#).await,
        };
        assert!(answered.0 < 300, "{}", answered.1);
        assert_eq!(new.session.state(), State::Withdrawn);
        door.store.heal();
        let notice = new.session.notice().unwrap();
        let all = notice.facts().asked.iter().map(|asked| asked.category).collect();
        assert!(door.world.engine.give_consent(&new.session, &notice.digest(), &all).await.is_err(), "it stays a no");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_finds_the_disk_full_may_be_given_again() {
    let door = door().await;
    let mut at = 1;
    loop {
        let session = door.world.agreed().await;
        let sealed = door.world.sealed(session.id(), &LOGIN).await;
        door.store.fail_in(at);
        let opened = door.world.engine.begin(&session, &sealed, NAVIGATION.into()).await;
        door.store.heal();
        let Err(error) = opened else { break };
        assert!(error.is_full(), "{at}: {error:?}");
        assert!(matches!(session.state(), State::AwaitingCredentials { .. }), "{at}: {:?}", session.state());
        door.world.engine.begin(&session, &sealed, NAVIGATION.into()).await.map(drop).unwrap();
        at += 1;
    }
    assert!(at > 4, "{at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_takes_no_writes_is_told_and_taken_back_by_itself() {
    let door = door().await;
    assert_eq!(get(door.address, "/v1/health", "").await.0, 200);
    // Nobody writes: the engine tries by itself.
    door.store.fail_in(1);
    door.world.pass(1);
    door.world.engine.sweep().await.unwrap();
    let (status, answer) = get(door.address, "/v1/health", "").await;
    assert!(status == 503 && answer.contains("disk of the store is full") && answer.contains("degraded"), "{answer}");
    door.store.heal();
    door.world.engine.sweep().await.unwrap();
    assert_eq!(get(door.address, "/v1/health", "").await.0, 200);

    // Somebody writes: it is known at once.
    door.store.fail_in(1);
    assert!(door.world.engine.create_session(&lender(), REQUEST.as_bytes()).await.err().unwrap().is_full());
    assert_eq!(get(door.address, "/v1/health", "").await.0, 503);
    door.store.heal();
    door.world.engine.create_session(&lender(), REQUEST.as_bytes()).await.unwrap();
    assert_eq!(get(door.address, "/v1/health", "").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_on_a_full_disk_erases_and_its_receipt_of_later_names_it() {
    let door = door().await;
    let (session, _) = door.in_review().await;
    let engine = &door.world.engine;
    let parcel = door.world.parcel(&session).await;
    let scope = Scope::Session(session.id());
    door.store.fail_in(1);
    let refused = engine.erase(scope).await.unwrap_err();
    assert!(refused.is_full(), "{refused}");
    assert!(!engine.outbox.holds(parcel).await.unwrap());
    assert!(engine.session(session.id()).is_none() && engine.rows.all().await.unwrap().is_empty());
    door.store.heal();
    let facts = engine.erase(scope).await.unwrap().facts().clone();
    let mut records: Vec<_> = facts.erased.iter().map(|each| each.record.rsplit_once('/').unwrap().0).collect();
    records.sort_unstable();
    assert_eq!(records, ["R04/session", "R23/parcel"]);
    assert_eq!(facts.destroyed["keys of records"], 2);
    assert!(facts.destroyed["root keys of key tables"] > 0, "{:?}", facts.keys);
    assert!(facts.searched.iter().all(|place| place.found == 0), "{:?}", facts.searched);
    // Each is named once.
    assert_eq!(engine.erase(scope).await.unwrap().facts().erased, []);
}
