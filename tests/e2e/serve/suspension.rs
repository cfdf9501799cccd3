//! A Data Source whose runs fail is suspended, and the operator's address is told of that and of the break: until an operator releases it, a
//! re-test brings everything, or another version serves it.

use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::routing::post;
use consentry_tests::journey::{Journey, Reply, client, send};
use online_service::event::{EventError, Head, verify};
use reqwest::{Method, StatusCode};
use sample_bank::{Change, SiteState};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::lending::{key, lend, offered, retest};
use super::versions::NEXT;
use super::{EVENT, LOGIN, World};
use crate::console::Browser;
use crate::operators::{Operator, consentry, register};

/// From the first failure until the operator's address is told.
const TOLD_WITHIN: Duration = Duration::from_secs(60);
/// As many failures suspend a source here.
const RUNS: usize = 5;

/// An operator's address, and what arrives there.
async fn address() -> (String, mpsc::Receiver<(Head, String)>) {
    let (arrived, events) = mpsc::channel(16);
    let take = move |headers: HeaderMap, body: String| async move {
        let text = |name: &str| headers[name].to_str().unwrap().to_owned();
        let second = text("webhook-timestamp").parse().unwrap();
        let head = Head { id: text("webhook-id"), second, signatures: text("webhook-signature") };
        arrived.send((head, body)).await.unwrap();
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/breaks", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/breaks", post(take))).await });
    (url, events)
}

async fn choose(world: &World) -> Reply {
    let person = world.service.ask(&world.node).await.unwrap();
    let body = json!({ "connector": "sample-bank", "source": "sample-bank" });
    person.call(Method::POST, "source", Some(body)).await.unwrap()
}

impl World {
    /// A person whose run breaks at the bank.
    async fn broken(&self) -> Journey {
        let (person, mut events) = self.agreed().await;
        person.log_in(&LOGIN).await.unwrap();
        events.until("failed", EVENT).await.unwrap();
        person
    }

    /// As many runs break as have the source suspended, which is waited for.
    async fn until_suspended(&self) -> Journey {
        self.bank.change(Change { state: Some(SiteState::JsonError), ..Change::default() });
        for _ in 1..RUNS {
            self.broken().await;
        }
        let last = self.broken().await;
        let deadline = Instant::now() + TOLD_WITHIN;
        while choose(self).await.status.is_success() {
            assert!(Instant::now() < deadline, "it is not suspended");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        last
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_whose_runs_fail_is_suspended_until_somebody_or_something_mends_it() {
    let (url, mut told) = address().await;
    let mut world = World::prepared().await;
    let path = world.node.path("consentry.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let section = format!("\n[maintenance]\nreports = true\nevents = \"{url}\"\nsuspend-runs = {RUNS}\n");
    std::fs::write(&path, config + &section).unwrap();
    let maintenance = Operator::new(&["maintenance"]);
    register(&world.node, &[&maintenance]);
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    world.bank.change(Change { operations: Some([20, 0, 0]), ..Change::default() });
    let keys = send(client().unwrap().get(format!("{}/v1/webhooks/keys", world.node.url))).await.unwrap();
    let keys: Vec<String> = serde_json::from_value(keys.good().unwrap()["keys"].clone()).unwrap();
    let described = send(client().unwrap().get(format!("{}/v1/openapi.json", world.node.url))).await.unwrap();
    let described = described.good().unwrap();
    let mut next = async || -> (String, Value) {
        let (head, body) = tokio::time::timeout(TOLD_WITHIN, told.recv()).await.unwrap().unwrap();
        // Signed as other events are, and none that an Online Service knows.
        assert_eq!(verify(&head, &body, &keys, head.second), Err(EventError::Kind));
        let event: Value = serde_json::from_str(&body).unwrap();
        let kind = event["type"].as_str().unwrap();
        let content = &described["webhooks"][kind]["post"]["requestBody"]["content"]["application/json"];
        let schema = json!({ "components": described["components"], "allOf": [content["schema"]] });
        jsonschema::draft202012::new(&schema).unwrap().validate(&event).unwrap();
        (kind.to_owned(), event["data"].clone())
    };

    let last = world.until_suspended().await;
    let ticket = offered(&last).await;
    let suspended = ("source.suspended".to_owned(), json!({ "source": "sample-bank/sample-bank" }));
    // What is told at the same time comes in any order.
    let mut both = [next().await, next().await];
    both.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert_eq!(both, [("break.opened".to_owned(), json!({ "break": ticket })), suspended.clone()]);
    let refused = choose(&world).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.json()["type"], "urn:consentry:problem:maintenance");
    let person = world.service.ask(&world.node).await.unwrap();
    assert!(person.sources().await.unwrap()[0]["maintenance_since"].is_string());
    let browser = Browser::new(&world.node, &maintenance).await;
    assert!(browser.page("/console/sources/sample-bank/sample-bank").await.contains("suspended: its runs fail"));
    let config = path.to_str().unwrap().to_owned();
    let entries = tokio::task::block_in_place(|| consentry(&["audit", "export", "--config", &config], &[]));
    let entries = String::from_utf8(entries.stdout).unwrap();
    let node =
        entries.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).find(|entry| entry["by"] == "node");
    let node = node.unwrap_or_else(|| panic!("{entries}"));
    assert_eq!((&node["deed"], &node["about"]), (&json!("source-hold"), &json!("sample-bank/sample-bank")));

    // The bank mends it, and a re-test says so.
    last.call(Method::PUT, "report", None).await.unwrap().good().unwrap();
    lend(&last, &key(&world, Some("maintenance")).await).await.good().unwrap();
    assert!(!retest(&world, &ticket).status.success());
    assert_eq!(choose(&world).await.status, StatusCode::SERVICE_UNAVAILABLE, "it is still broken");
    world.bank.change(Change { state: Some(SiteState::Ok), ..Change::default() });
    assert!(retest(&world, &ticket).status.success());
    world.until_offered(Some("0.1.0")).await;

    // An operator releases it.
    world.until_suspended().await;
    assert_eq!(next().await, suspended);
    let release = ["source", "release", "sample-bank", "sample-bank", "--config", &config];
    tokio::task::block_in_place(|| consentry(&release, &[]));
    world.until_offered(Some("0.1.0")).await;

    // Another version serves it.
    world.until_suspended().await;
    assert_eq!(next().await, suspended);
    world.update("next.wasm", &[NEXT]);
    world.until_offered(Some("0.2.0")).await;
}
