//! What an Online Service asks for again and again: lists in pages, and the same thing once more.

use consentry_contract::failure::Failure;
use serde_json::{Value, json};

use super::doors::{get, send, serve};
use super::*;
use crate::health::Count;
use crate::outcome::{Delivery, EndSink, Ended, Outcome};

/// Posts a data request with an idempotency key; gives the status and the answer.
async fn begin(address: std::net::SocketAddr, key: &str, body: &str) -> (u16, Value) {
    begin_as(address, &format!("Bearer {BEARER}"), key, body).await
}

async fn begin_as(address: std::net::SocketAddr, who: &str, key: &str, body: &str) -> (u16, Value) {
    let head = format!("Host: localhost\r\nAuthorization: {who}\r\nIdempotency-Key: {key}\r\nConnection: close");
    let length = body.len();
    let request = format!(
        "POST /v1/sessions HTTP/1.1\r\n{head}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let answer = send(address, &request).await;
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (answer[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_same_session_for_an_hour() {
    let world = world().await;
    let address = serve(&world.engine).await;
    let first = begin(address, "\"one\"", REQUEST).await;
    assert_eq!(first.0, 201);
    assert_eq!(begin(address, "one", REQUEST).await, first, "in quotes or without");
    // Who only knows the Online Service's name, which is no secret, is not it.
    for who in [lender().id().to_string(), format!("online-service {}", lender().id())] {
        assert_eq!(begin_as(address, &who, "one", REQUEST).await.0, 401);
    }
    assert_ne!(begin(address, "two", REQUEST).await.1["session"], first.1["session"]);
    let other = begin(address, "one", &REQUEST.replace("30", "31")).await;
    assert_eq!((other.0, &other.1["type"]), (422, &Value::from("urn:consentry:problem:other-body")));
    assert_eq!(begin(address, &"x".repeat(256), REQUEST).await.0, 400);
    let wrong = begin(address, "three", "{}").await;
    assert_eq!((wrong.0, begin(address, "three", "{}").await), (422, wrong));
    world.pass(60);
    assert_ne!(begin(address, "one", REQUEST).await.1["session"], first.1["session"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_come_in_pages_and_are_their_receivers_alone() {
    let world = world().await;
    let address = serve(&world.engine).await;
    let mut parcels = vec![];
    for _ in 0..3 {
        let session = world.in_review().await;
        parcels.push(world.parcel(&session).await);
        world.pass(1);
    }
    let bytes = world.engine.fetch_parcel(&lender(), parcels[0]).await.unwrap();
    world.engine.fetch_parcel(&lender(), parcels[1]).await.unwrap();
    world.engine.acknowledge(&lender(), parcels[0], Digest::of(&bytes)).await.unwrap();

    let page = async |query: &str| -> Value {
        let (status, answer) = get(address, &format!("/v1/deliveries{query}"), BEARER).await;
        assert_eq!(status, 200, "{answer}");
        assert!(!answer.contains("ses_") && !answer.contains("cns_"), "{answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let first = page("?limit=2").await;
    let states: Vec<&str> =
        first["deliveries"].as_array().unwrap().iter().map(|each| each["state"].as_str().unwrap()).collect();
    assert_eq!((states, first["next"].as_str()), (vec!["acknowledged", "fetched"], Some(&*parcels[1].to_string())));
    let last = page(&format!("?limit=2&after={}", parcels[1])).await;
    assert_eq!((&last["deliveries"][0]["state"], &last["next"]), (&Value::from("waiting"), &Value::Null));
    let (others, _) = world.engine.own_deliveries(&lender_as(id(2)), None, 10).await.unwrap();
    assert_eq!(others, []);
    for wrong in ["?limit=0", "?limit=101", "?limit=x", "?after=x", "?speed=9"] {
        assert_eq!(get(address, &format!("/v1/deliveries{wrong}"), BEARER).await.0, 400, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consents_come_in_pages_are_their_askers_alone_and_name_neither_session_nor_source() {
    let world = world().await;
    let address = serve(&world.engine).await;
    let shared = world.in_review().await;
    let parcel = world.parcel(&shared).await;
    world.engine.fetch_parcel(&lender(), parcel).await.unwrap();
    world.pass(1);
    let withdrawn = world.agreed().await;
    world.engine.withdraw(&withdrawn).await.unwrap();
    world.pass(1);
    let refused = world.session().await;
    world.engine.choose_source(&refused, "sample-bank", "sample-bank").await.unwrap();
    world.engine.withdraw(&refused).await.unwrap();
    let ids = [shared, withdrawn, refused].map(|session| session.consent().unwrap().to_string());

    let ask = async |path: &str| -> Value {
        let (status, answer) = get(address, &format!("/v1/consents{path}"), BEARER).await;
        assert_eq!(status, 200, "{answer}");
        assert!(!answer.contains("ses_") && !answer.contains("sample-bank"), "{answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let told = |page: &Value| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        page["consents"].as_array().unwrap().iter().map(|each| (text(&each["consent"]), text(&each["state"]))).collect()
    };
    let stands = |at: usize, state: &str| (ids[at].clone(), state.to_owned());
    let first = ask("?limit=2").await;
    assert_eq!(told(&first), [stands(0, "given"), stands(1, "withdrawn")]);
    assert_eq!(first["next"], *ids[1]);
    let last = ask(&format!("?limit=2&after={}", ids[1])).await;
    assert_eq!((told(&last), &last["next"]), (vec![stands(2, "refused")], &Value::Null));

    let one = ask(&format!("/{}", ids[0])).await;
    assert_eq!((&one["state"], &one["parcel"]), (&Value::from("given"), &Value::from(parcel.to_string())));
    assert!(one["categories"].as_array().unwrap().contains(&Value::from("bank.transaction")), "{one}");
    assert_eq!(last["consents"][0]["categories"], Value::Array(vec![]), "nothing was agreed to");
    // No sweep has closed the record yet; its time is over all the same.
    world.pass(60);
    let over = ask(&format!("/{}", ids[0])).await;
    assert_eq!((&over["state"], &over["changed_at"]), (&Value::from("expired"), &over["valid_until"]));

    let other = lender_as(id(2));
    assert_eq!(world.engine.own_consents(&other, None, 10).await.unwrap(), (vec![], None));
    let anothers = world.engine.own_consent(&other, ids[0].parse().unwrap()).await.unwrap_err();
    assert_eq!(crate::api::problem::Problem::from(anothers), crate::api::problem::Problem::not_found());
    for (wrong, status) in [("?limit=0", 400), ("?after=x", 400), ("/x", 404), ("/cns_01JD8Z3M7K0000000000000000", 404)]
    {
        assert_eq!(get(address, &format!("/v1/consents{wrong}"), BEARER).await.0, status, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_tells_how_it_did_from_twenty_runs_on() {
    let world = world().await;
    let address = serve(&world.engine).await;
    let listed = async || -> Value {
        let (_, answer) = get(address, "/v1/sources", BEARER).await;
        let page: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        page["sources"][0].clone()
    };
    let catalogue = world.engine.catalogue();
    let source = catalogue.serving("sample-bank", "sample-bank").unwrap().notice_source("sample-bank").unwrap();
    let count = |outcome: Outcome| {
        let name = RunName { run: id(1), session: id(2), consent: id(3) };
        let ended = Run::begin(name, world.clock.clone(), Arc::new(Nobody)).end(outcome);
        world
            .engine
            .health()
            .note(Count::of(&source, &ended, Some(SignedDuration::from_millis(700))), world.clock.now());
    };
    for _ in 0..4 {
        count(Outcome::failed(Failure::new(Code::SourceUnavailable)));
    }
    for _ in 0..15 {
        count(Outcome::Delivered(Delivery { parcel: id(4), digest: Digest::of(b"one"), acknowledged_at: now() }));
    }
    let nothing = json!({ "success_share": null, "p50_seconds": null, "p90_seconds": null });
    assert_eq!(listed().await["health"], nothing, "nineteen say too much about each");
    count(Outcome::failed(Failure::new(Code::SourceUnavailable)));
    let told = listed().await;
    assert_eq!(told["health"], json!({ "success_share": 0.75, "p50_seconds": 0.854, "p90_seconds": 0.854 }));
    assert_eq!(told["maintenance_since"], Value::Null);
    world.pass(25 * 60);
    assert_eq!(listed().await["health"], nothing, "a day later");
}

struct Nobody;

impl EndSink for Nobody {
    fn ended(&self, _: &Ended) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_found_by_name_country_kind_and_category() {
    let world = world().await;
    let found = |filter: listing::SourceFilter| world.engine.sources(&filter, None, 10).0.len();
    let all = listing::SourceFilter::default();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found(all.clone()), 1);
    for (filter, count) in [
        (listing::SourceFilter { search: text("VALLON"), ..all.clone() }, 1),
        (listing::SourceFilter { search: text("other"), ..all.clone() }, 0),
        (listing::SourceFilter { country: text("FR"), category: text("bank.account"), ..all.clone() }, 1),
        (listing::SourceFilter { country: text("DE"), ..all.clone() }, 0),
        (listing::SourceFilter { kind: text("tax"), ..all.clone() }, 0),
    ] {
        assert_eq!(found(filter.clone()), count, "{filter:?}");
    }
    assert_eq!(world.engine.sources(&all, Some("sample-bank/sample-bank"), 10), (vec![], None));
}
