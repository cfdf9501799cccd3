//! A login that is lent after a failed run: tried live by an operator, seen and taken back by its person, read by nobody.

use std::process::{Command, Output};

use consentry::jose::{Algorithm, PublicKey, RecipientKey};
use consentry_tests::journey::{Journey, Reply, client, send};
use consentry_tests::node::binary;
use reqwest::{Method, StatusCode};
use sample_bank::{Change, SiteState};
use serde_json::{Value, json};

use super::flow::nothing_of_the_person;
use super::{EVENT, LOGIN, World, post};
use crate::operators::{Operator, register};

/// The published key of the engine with this duty; the one for logins of collections with none.
pub(super) async fn key(world: &World, duty: Option<&str>) -> RecipientKey {
    let jwks = send(client().unwrap().get(format!("{}/v1/keys", world.node.url))).await.unwrap().good().unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["use"] == "enc" && key["duty"].as_str() == duty).unwrap();
    RecipientKey::from_public(PublicKey::from_jwk(&key.to_string(), Algorithm::RsaOaep256).unwrap()).unwrap()
}

pub(super) async fn lend(person: &Journey, key: &RecipientKey) -> Reply {
    let jwe = person.seal_to(key, None, &LOGIN).unwrap();
    person.call(Method::PUT, "report/login", Some(jwe.into())).await.unwrap()
}

/// A node that takes part, with two operators.
async fn world(operators: &[&Operator]) -> World {
    let mut world = World::prepared().await;
    let path = world.node.path("consentry.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config + "\n[maintenance]\nreports = true\n").unwrap();
    register(&world.node, operators);
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    world.bank.change(Change { operations: Some([20, 0, 0]), ..Change::default() });
    world
}

pub(super) fn retest(world: &World, ticket: &str) -> Output {
    let mut command = Command::new(binary("consentry").unwrap());
    command.args(["reports", "retest", ticket, "--json", "--config"]).arg(world.node.path("consentry.toml"));
    tokio::task::block_in_place(|| world.node.with_variables(&mut command).output()).unwrap()
}

/// The break that a person's run met, as its ticket names it.
pub(super) async fn offered(person: &Journey) -> String {
    let shown = person.call(Method::GET, "report", None).await.unwrap().good().unwrap();
    let point = &shown["report"]["point"];
    let [code, page, missing] = ["code", "page", "missing"].map(|name| point[name].as_str().unwrap_or("-"));
    format!("1|sample-bank|{code}|{page}|{missing}")
}

async fn seen(world: &World, receipt: &str) -> Value {
    post(world, "/v1/rights/look", None, json!({ "receipt": receipt })).await.good().unwrap()["lent"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lent_login_is_opened_for_one_run_at_a_time_and_its_person_sees_each_and_takes_it_back() {
    let [maintenance, author] = [&["maintenance"][..], &["author"]].map(Operator::new);
    let mut world = world(&[&maintenance, &author]).await;
    world.bank.change(Change { state: Some(SiteState::JsonError), ..Change::default() });
    let (person, mut events) = world.agreed().await;
    person.log_in(&LOGIN).await.unwrap();
    events.until("failed", EVENT).await.unwrap();
    let (own, intake) = (key(&world, Some("maintenance")).await, key(&world, None).await);
    assert_eq!(lend(&person, &own).await.status, StatusCode::NOT_FOUND, "no report was given");
    let ticket = offered(&person).await;
    person.call(Method::PUT, "report", None).await.unwrap().good().unwrap();
    assert_eq!(lend(&person, &intake).await.json()["type"], "urn:consentry:failure:decrypt-failed");
    let lent = lend(&person, &own).await.good().unwrap();
    assert_eq!((&lent["kept"], &lent["openings"]), (&true.into(), &json!([])));
    let receipt = person.receipts().await.unwrap().pop().unwrap()["receipt"].as_str().unwrap().to_owned();
    nothing_of_the_person(&world, &[]);

    // By the interface, while the bank is still broken.
    let asked = json!({ "break": ticket });
    let refused = post(&world, "/v1/reports/retest", Some(&author.key), asked.clone()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let tried = post(&world, "/v1/reports/retest", Some(&maintenance.key), asked.clone()).await.good().unwrap();
    assert_eq!((&tried["outcome"], &tried["failure"]["page"]), (&"page-unrecognised".into(), &"accounts".into()));
    // By the command line, once it is mended; and when it asks what nobody is there to answer.
    world.bank.change(Change { state: Some(SiteState::Ok), ..Change::default() });
    let mended = retest(&world, &ticket);
    assert!(mended.status.success(), "{}", String::from_utf8_lossy(&mended.stderr));
    assert_eq!(serde_json::from_slice::<Value>(&mended.stdout).unwrap()["outcome"], "complete");
    world.ask_otp();
    let tried = post(&world, "/v1/reports/retest", Some(&maintenance.key), asked.clone()).await.good().unwrap();
    assert_eq!(tried["outcome"], "person-absent");

    let shown = seen(&world, &receipt).await;
    let outcomes: Vec<&str> =
        shown["openings"].as_array().unwrap().iter().map(|each| each["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["page-unrecognised", "complete", "person-absent"]);
    assert_eq!(person.receipts().await.unwrap().len(), 1, "a re-test gives nobody anything");
    let taken = post(&world, "/v1/rights/take-back", None, json!({ "receipt": receipt })).await.good().unwrap();
    assert!(taken["erasure"].as_str().unwrap().split('.').count() == 3);
    let shown = seen(&world, &receipt).await;
    assert_eq!((&shown["kept"], &shown["ended"]["why"]), (&false.into(), &"withdrawn".into()));
    let none = post(&world, "/v1/reports/retest", Some(&maintenance.key), asked).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    assert!(!retest(&world, &ticket).status.success());

    // Lent once more: one that the bank refuses is not tried a second time.
    lend(&person, &own).await.good().unwrap();
    let refuses = Change { state: Some(SiteState::WrongPassword), ask_otp: Some(false), ..Change::default() };
    world.bank.change(refuses);
    assert_eq!(retest(&world, &ticket).status.code(), Some(10), "the code's own exit code");
    let shown = seen(&world, &receipt).await;
    assert_eq!(
        (&shown["ended"]["why"], &shown["openings"][3]["outcome"]),
        (&"unusable".into(), &"credentials-rejected".into())
    );
    tokio::task::block_in_place(|| world.node.kill()).unwrap();
    nothing_of_the_person(&world, &[]);
}
