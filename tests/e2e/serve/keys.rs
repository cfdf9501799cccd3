//! The operator rotates, retires and destroys keys while the engine runs.

use std::process::Command;

use consentry_tests::journey::{client, send};
use consentry_tests::node::binary;
use reqwest::Method;
use serde_json::{Value, json};

use super::{EVENT, LOGIN, World};

impl World {
    /// `consentry keys` with this node's configuration: whether it went well, and what it said.
    fn keys(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(binary("consentry").unwrap());
        command.arg("keys").args(arguments).arg("--config").arg(self.node.path("consentry.toml"));
        let output = tokio::task::block_in_place(|| command.output()).unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    }

    /// The ids and states of the keys that open logins.
    fn intake(&self) -> Vec<(String, String)> {
        let (_, text) = self.keys(&["list", "--json"]);
        let listed: Value =
            serde_json::from_str(text.lines().find(|line| line.starts_with('[')).expect(&text)).unwrap();
        let intake = listed.as_array().unwrap().iter().filter(|key| key["duty"] == "intake");
        intake.map(|key| (key["kid"].as_str().unwrap().to_owned(), key["state"].as_str().unwrap().to_owned())).collect()
    }

    /// The ids of the published keys that logins are sealed to, the current one first.
    async fn published(&self) -> Vec<String> {
        let request = client().unwrap().get(format!("{}/v1/keys", self.node.url));
        let jwks = send(request).await.unwrap().good().unwrap();
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
