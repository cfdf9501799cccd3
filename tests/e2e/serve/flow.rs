//! One collection, the person's ways through it, and what is left of them.

use consentry::receipt::Facts;
use consentry_tests::canary;
use consentry_tests::service::next;
use online_service::inbox::Kept;
use online_service::receiver::Taken;
use reqwest::Method;
use sample_bank::{Change, JULIE, SiteState};
use serde_json::{Value, json};

use super::{EVENT, LOGIN, World};

/// What the receipts of a session say, each verified with the published keys.
pub(super) async fn receipts(world: &World, person: &consentry_tests::journey::Journey) -> Vec<Facts> {
    world.service.receipts(&world.node, person).await.unwrap()
}

/// The engine wrote no value of the person, in no encoding, to any file: store, keys, logs, what it printed.
pub(super) fn nothing_of_the_person(world: &World, more: &[&str]) {
    let mut values = vec![JULIE.login, JULIE.password, JULIE.last_name, JULIE.email, JULIE.accounts[0].iban];
    values.extend(more);
    let searched = canary::search(&world.node.path(""), &values).unwrap();
    assert!(searched.files > 3 && searched.bytes > 100_000, "{searched:?}");
    let log = std::fs::read_to_string(world.node.path("stderr")).unwrap();
    assert!(log.contains("TRACE") && log.contains("a run ended"), "the log was written, and all of it");
    assert_eq!(searched.found, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_goes_from_the_request_to_the_receipt_and_leaves_nothing() {
    let mut world = World::new().await;
    let mut told = world.listen().await;
    let (person, mut events, question) = world.asked().await;
    assert_eq!((&question["kind"], &question["fields"][0]["secret"]), (&json!("otp"), &json!(true)));
    let code = world.answer(&person, &question).await;
    let review = events.until("in-review", EVENT).await.unwrap();
    let preview = person.preview().await.unwrap();
    let items = preview["items"].as_array().unwrap();
    assert!(items.iter().any(|item| item["fields"]["iban"] == JULIE.accounts[0].iban), "{preview}");
    person.share(&[0]).await.unwrap();

    let Ok(Taken::Received(parcel, Kept::New)) = next(&mut told, EVENT).await.unwrap() else { panic!("not received") };
    assert_eq!(parcel.content["items"].as_array().unwrap().len(), items.len() - 1);
    let left_out: Vec<&Value> =
        parcel.content["datasets"].as_array().unwrap().iter().filter(|d| d["withheld"] == 1).collect();
    assert_eq!(left_out.len(), 1, "{}", parcel.content["datasets"]);
    assert_eq!(left_out[0]["category"], items[0]["category"]);
    assert_eq!(parcel.content["provenance"]["connector"], "sample-bank");
    events.until("completed", EVENT).await.unwrap();
    assert!(review["seq"].as_u64() > question["seq"].as_u64());

    let receipts = receipts(&world, &person).await;
    let [receipt] = &receipts[..] else { panic!("{receipts:?}") };
    assert_eq!(receipt.outcome, "delivered");
    let facts = receipt.parcel.as_ref().unwrap();
    assert_eq!((facts.id.to_string(), facts.digest.to_string()), (parcel.id.clone(), parcel.digest.clone()));
    assert!(facts.fetched_at.is_some() && facts.acknowledged_at.is_some());
    let shared: usize = receipt.categories.iter().map(|each| each.shared).sum();
    assert_eq!(shared, items.len() - 1);

    let again = world.service.receiver(&world.node).unwrap().engine.fetch(&parcel.id).await;
    assert!(again.unwrap_err().is_gone());
    nothing_of_the_person(&world, &[&code]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_may_be_given_again_twice_and_each_use_has_a_receipt() {
    let mut world = World::new().await;
    let mut told = world.listen().await;
    let (person, mut events) = world.agreed().await;
    for rejected in 1..=2 {
        person.log_in(&[("login", JULIE.login), ("password", "Wrong-Horse-0!")]).await.unwrap();
        events.until("collecting", EVENT).await.unwrap();
        let state = events.until("awaiting-credentials", EVENT).await.unwrap();
        assert_eq!(state["rejected"], rejected);
    }
    person.log_in(&LOGIN).await.unwrap();
    events.until("in-review", EVENT).await.unwrap();
    person.share(&[]).await.unwrap();
    assert!(matches!(next(&mut told, EVENT).await.unwrap(), Ok(Taken::Received(_, Kept::New))));
    events.until("completed", EVENT).await.unwrap();
    let ends: Vec<(String, Option<String>)> =
        receipts(&world, &person).await.into_iter().map(|facts| (facts.outcome, facts.code)).collect();
    let rejected = || ("failed".to_owned(), Some("credentials-rejected".to_owned()));
    assert_eq!(ends, [rejected(), rejected(), ("delivered".to_owned(), None)]);
    nothing_of_the_person(&world, &["Wrong-Horse-0!"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_wrong_password_ends_it() {
    let world = World::new().await;
    let (person, mut events) = world.agreed().await;
    for _ in 1..=3 {
        person.log_in(&[("login", JULIE.login), ("password", "Wrong-Horse-0!")]).await.unwrap();
        events.until("collecting", EVENT).await.unwrap();
        if person.status().await.unwrap()["state"] != "failed" {
            // Whatever comes after this attempt: another chance, or the end.
            while let Some(event) = events.next(EVENT).await.unwrap() {
                if event["type"] == "state" && event["state"] != "collecting" {
                    break;
                }
            }
        }
    }
    let status = person.status().await.unwrap();
    assert_eq!((&status["state"], &status["code"]), (&json!("failed"), &json!("credentials-rejected")));
    let refused = person.call(Method::POST, "credentials", Some(person.seal(None, &LOGIN).await.unwrap().into())).await;
    assert_eq!(refused.unwrap().status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_no_is_asked_for_nothing_more() {
    let world = World::new().await;
    let person = world.service.ask(&world.node).await.unwrap();
    person.choose("sample-bank", "sample-bank").await.unwrap();
    let mut events = person.events().await.unwrap();
    person.call(Method::POST, "consent", Some(json!({ "decision": "refused" }))).await.unwrap().good().unwrap();
    events.until("withdrawn", EVENT).await.unwrap();
    let login = person.seal(None, &LOGIN).await.unwrap();
    let refused = person.call(Method::POST, "credentials", Some(login.into())).await.unwrap();
    assert!(refused.status.is_client_error(), "{refused:?}");
    assert!(world.bank.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_before_sharing_leaves_nothing_to_share() {
    let world = World::new().await;
    let (person, mut events) = world.in_review().await;
    let answer = person.withdraw().await.unwrap();
    assert!(answer["withdrawn_at"].is_string() && answer["sending"].is_null(), "{answer}");
    events.until("withdrawn", EVENT).await.unwrap();
    for (method, path, body) in [(Method::GET, "preview", None), (Method::POST, "share", Some(json!({})))] {
        let refused = person.call(method, path, body).await.unwrap();
        assert!(refused.status.is_client_error() && refused.media == "application/problem+json", "{path}: {refused:?}");
    }
    let outcomes: Vec<String> = receipts(&world, &person).await.into_iter().map(|facts| facts.outcome).collect();
    assert_eq!(outcomes, ["withdrawn"]);
    nothing_of_the_person(&world, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_while_a_code_is_awaited_stops_the_collection() {
    let world = World::new().await;
    let (person, mut events, question) = world.asked().await;
    let seen = world.bank.requests().len();
    person.withdraw().await.unwrap();
    events.until("withdrawn", EVENT).await.unwrap();
    let code = world.bank.last_otp().unwrap();
    let late = person.seal(question["question"].as_str(), &[("code", &code)]).await.unwrap();
    assert_eq!(person.call(Method::POST, "answers", Some(late.into())).await.unwrap().status, 409);
    while events.next(EVENT).await.unwrap().is_some() {}
    // Logging out may come; nothing that reads.
    let later = world.bank.requests().split_off(seen);
    assert!(later.iter().all(|request| request.path == "/logout"), "{later:?}");
    let receipts = receipts(&world, &person).await;
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].outcome, "withdrawn");
    nothing_of_the_person(&world, &[&code]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_while_the_source_is_slow_does_not_wait_for_it() {
    let world = World::new().await;
    world.bank.change(Change { state: Some(SiteState::Slow), slow_ms: Some(20_000), ..Change::default() });
    let (person, mut events) = world.agreed().await;
    person.log_in(&LOGIN).await.unwrap();
    events.until("collecting", EVENT).await.unwrap();
    person.withdraw().await.unwrap();
    events.until("withdrawn", std::time::Duration::from_secs(5)).await.unwrap();
    while events.next(std::time::Duration::from_secs(10)).await.unwrap().is_some() {}
    assert_eq!(receipts(&world, &person).await[0].outcome, "withdrawn");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_sees_what_was_missed_and_nothing_twice() {
    let world = World::new().await;
    let (person, mut events) = world.in_review().await;
    let mut whole = vec![];
    let (mut all, mut third) = (person.events().await.unwrap(), String::new());
    while let Some(event) = all.next(EVENT).await.unwrap() {
        let last = event["state"] == "in-review";
        whole.push(event);
        if whole.len() == 3 {
            all.last().clone_into(&mut third);
        }
        if last {
            break;
        }
    }
    // A name that no event has begins anew.
    for (last, next) in [(third.as_str(), 3), ("3", 0)] {
        let mut rest = person.events_after(last).await.unwrap();
        assert_eq!(rest.next(EVENT).await.unwrap().unwrap(), whole[next]);
    }
    let steps: Vec<&str> = whole.iter().filter_map(|event| event["step"].as_str()).collect();
    assert_eq!(steps, ["login", "profile", "accounts", "operations", "documents"]);
    person.withdraw().await.unwrap();
    events.until("withdrawn", EVENT).await.unwrap();
}
