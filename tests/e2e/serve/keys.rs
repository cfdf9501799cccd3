//! The operator rotates, retires and destroys keys while the engine runs.

use std::process::Command;

use consentry_tests::journey::{client, send};
use consentry_tests::node::binary;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::cli::call;
use super::{EVENT, LOGIN, World};

impl World {
    /// `consentry keys` with this node's configuration: whether it went well, and what it said.
    fn keys(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(binary("consentry").unwrap());
        command.arg("keys").args(arguments).arg("--config").arg(self.node.path("consentry.toml"));
        let output = tokio::task::block_in_place(|| command.output()).unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    }

    /// The ids and states of the keys of a duty.
    fn keys_of(&self, duty: &str) -> Vec<(String, String)> {
        let (_, text) = self.keys(&["list", "--json"]);
        let listed: Value =
            serde_json::from_str(text.lines().find(|line| line.starts_with('[')).expect(&text)).unwrap();
        let keys = listed.as_array().unwrap().iter().filter(|key| key["duty"] == duty);
        keys.map(|key| (key["kid"].as_str().unwrap().to_owned(), key["state"].as_str().unwrap().to_owned())).collect()
    }

    fn intake(&self) -> Vec<(String, String)> {
        self.keys_of("intake")
    }

    /// The published keys.
    async fn jwks(&self) -> Value {
        let request = client().unwrap().get(format!("{}/v1/keys", self.node.url));
        send(request).await.unwrap().good().unwrap()
    }

    /// The ids of the published keys that logins are sealed to, the current one first.
    async fn published(&self) -> Vec<String> {
        let jwks = self.jwks().await;
        let keys = jwks["keys"].as_array().unwrap().iter().filter(|key| key["use"] == "enc");
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_read_the_keys_yesterday_can_go_on_until_they_are_destroyed() {
    let world = World::new().await;
    let (early, mut events) = world.agreed().await;
    let yesterday = early.published_key().await.unwrap();
    let old = yesterday.public().kid().to_owned();
    assert_eq!(world.intake(), [(old.clone(), "current".to_owned())]);
    let (refused, why) = world.keys(&["destroy", &old, "--yes"]);
    assert!(!refused && why.contains("rotate the duty first"), "{why}");

    let (rotated, said) = world.keys(&["rotate", "intake"]);
    assert!(rotated, "{said}");
    let new = world.intake()[1].0.clone();
    assert_eq!(world.published().await, [new.clone(), old.clone()]);
    let (retired, said) = world.keys(&["retire", &old]);
    assert!(retired && said.contains("still opens"), "{said}");
    assert_eq!(world.published().await, std::slice::from_ref(&new));
    assert_eq!(world.intake(), [(old.clone(), "retired".to_owned()), (new.clone(), "current".to_owned())]);

    let sealed = early.seal_to(&yesterday, None, &LOGIN).unwrap();
    early.call(Method::POST, "credentials", Some(json!(sealed))).await.unwrap().good().unwrap();
    events.until("in-review", EVENT).await.unwrap();

    let (late, mut events) = world.agreed().await;
    let (destroyed, said) = world.keys(&["destroy", &old, "--yes"]);
    assert!(destroyed && said.contains(&old), "{said}");
    let sealed = late.seal_to(&yesterday, None, &LOGIN).unwrap();
    let refused = late.call(Method::POST, "credentials", Some(json!(sealed))).await.unwrap();
    assert!(refused.good().is_err(), "nobody opens it any more");
    late.log_in(&LOGIN).await.unwrap();
    events.until("in-review", EVENT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_good_after_its_signing_key_was_retired_until_it_is_destroyed() {
    let world = World::new().await;
    let (person, mut events) = world.agreed().await;
    person.log_in(&[LOGIN[0], ("password", "another password")]).await.unwrap();
    events.until("collecting", EVENT).await.unwrap();
    events.until("awaiting-credentials", EVENT).await.unwrap();
    let receipt = person.receipts().await.unwrap()[0]["receipt"].as_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("receipt"), &receipt).unwrap();
    let verified = async || {
        std::fs::write(path("keys"), world.jwks().await.to_string()).unwrap();
        let arguments = ["verify", "receipt", &path("receipt"), "--signature-only", "--keys", &path("keys")];
        call(arguments.map(str::to_owned).to_vec()).await.code
    };
    let asked = async || {
        let request = client().unwrap().post(format!("{}/v1/rights", world.node.url));
        let body = json!({ "receipt": receipt, "ask": { "right": "access" } }).to_string();
        send(request.header("content-type", "application/json").body(body)).await.unwrap().status
    };
    let old = world.keys_of("signing")[0].0.clone();
    for steps in [vec!["rotate", "signing"], vec!["retire", &old]] {
        let (done, said) = world.keys(&steps);
        assert!(done, "{said}");
        assert_eq!((asked().await, verified().await), (StatusCode::CREATED, Some(0)), "{steps:?}");
    }
    assert_eq!(world.keys_of("signing")[0], (old.clone(), "retired".to_owned()));
    let (destroyed, said) = world.keys(&["destroy", &old, "--yes"]);
    assert!(destroyed && said.contains("taken for forged"), "{said}");
    assert_eq!((asked().await, verified().await), (StatusCode::NOT_FOUND, Some(1)));
}
