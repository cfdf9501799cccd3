//! Connectors are updated, held back, pinned and revoked while the engine runs and people are in the middle of something.

use std::process::Command;
use std::time::{Duration, Instant};

use consentry_tests::journey::{client, send};
use consentry_tests::node::binary;
use consentry_tests::service::next;
use consentry_tests::versions::{Made, sample_bank};
use online_service::inbox::Kept;
use online_service::receiver::Taken;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{EVENT, World, post};
use crate::operators::{Operator, register};

/// How long the engine may take to see what has changed.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
pub(super) const NEXT: (&str, &str) = ("version = \"0.1.0\"", "version = \"0.2.0\"");
const WIDER: (&str, &str) = ("origins = [\"{base}\"]", "origins = [\"{base}\", \"https://elsewhere.example\"]");

impl World {
    /// A new version beside the first.
    pub(super) fn update(&self, name: &str, changes: &[(&str, &str)]) -> Made {
        sample_bank(&self.node.path(&format!("connectors/{name}")), changes).unwrap()
    }

    /// `consentry connector` with this node's configuration: whether it went well, and what it said.
    fn connector(&self, arguments: &[&str]) -> (bool, String) {
        let config = self.node.path("consentry.toml");
        let mut command = Command::new(binary("consentry").unwrap());
        command.arg("connector").args(arguments).arg("--config").arg(config);
        let output = tokio::task::block_in_place(|| command.output()).unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    /// What `connector list` says about a version.
    fn listed(&self, version: &str) -> Value {
        let (_, text) = self.connector(&["list", "--json"]);
        let rows: Value = serde_json::from_str(text.lines().find(|line| line.starts_with('[')).unwrap()).unwrap();
        let row = rows.as_array().unwrap().iter().find(|row| row["version"] == version);
        row.unwrap_or_else(|| panic!("{rows}")).clone()
    }

    /// The version whose notice a person reads who begins now; none if nothing is offered.
    async fn offered(&self) -> Option<String> {
        let person = self.service.ask(&self.node).await.unwrap();
        person.sources().await.unwrap().as_array().unwrap().first()?;
        // It may have gone since.
        let notice = person.choose("sample-bank", "sample-bank").await.ok()?;
        Some(notice["facts"]["source"]["version"].as_str().unwrap().to_owned())
    }

    /// Waits until whoever begins gets this version.
    pub(super) async fn until_offered(&self, version: Option<&str>) {
        let deadline = Instant::now() + SEEN_WITHIN;
        while self.offered().await.as_deref() != version {
            assert!(Instant::now() < deadline, "{version:?} is not offered: {}", self.connector(&["list"]).1);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_asks_for_no_more_is_taken_at_once_and_a_run_keeps_the_version_it_began_with() {
    let mut world = World::new().await;
    let mut told = world.listen().await;
    let (person, mut events, question) = world.asked().await;
    let first = world.listed("0.1.0")["digest"].clone();
    // It even takes the place of the file.
    let second = world.update("sample-bank.wasm", &[NEXT]);
    world.until_offered(Some("0.2.0")).await;
    assert_eq!(world.listed("0.2.0")["standing"], "covered");

    world.answer(&person, &question).await;
    events.until("in-review", EVENT).await.unwrap();
    person.share(&[]).await.unwrap();
    let Ok(Taken::Received(parcel, Kept::New)) = next(&mut told, EVENT).await.unwrap() else { panic!("not received") };
    let provenance = &parcel.content["provenance"];
    assert_eq!((&provenance["version"], &provenance["digest"]), (&json!("0.1.0"), &first), "{provenance}");
    assert_ne!(first, second.digest.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_asks_for_more_waits_and_the_older_one_goes_on() {
    let world = World::new().await;
    let (_person, _events, _question) = world.asked().await;
    let wider = world.update("sample-bank.wasm", &[NEXT, WIDER]);
    let deadline = Instant::now() + SEEN_WITHIN;
    while !std::fs::read_to_string(world.node.path("stderr")).unwrap().contains("it asks for more than was approved") {
        assert!(Instant::now() < deadline, "the update was not seen");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(world.offered().await.as_deref(), Some("0.1.0"));
    let row = world.listed("0.2.0");
    assert_eq!((&row["standing"], &row["serves"]), (&json!("waiting"), &json!(false)), "{row}");

    let file = wider.path.to_str().unwrap();
    let (approved, shown) = world.connector(&["approve", file]);
    assert!(!approved && shown.contains("https://elsewhere.example"), "{shown}");
    let (approved, other) = world.connector(&["approve", file, "--diff", &wider.digest.to_string()]);
    assert!(!approved && other.contains("another difference"), "{other}");
    assert_eq!(world.offered().await.as_deref(), Some("0.1.0"));
    let difference = shown.lines().find_map(|line| line.strip_prefix("difference ")).unwrap();
    let (approved, told) = world.connector(&["approve", file, "--diff", difference]);
    assert!(approved, "{told}");
    world.until_offered(Some("0.2.0")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_and_steer_connectors_over_http_each_as_their_role_says() {
    let [platform, author] = [&["platform"][..], &["author"]].map(Operator::new);
    let mut world = World::new().await;
    register(&world.node, &[&platform, &author]);
    tokio::task::block_in_place(|| world.node.stop().and_then(|()| world.node.serve())).unwrap();
    let wider = world.update("sample-bank-2.wasm", &[NEXT, WIDER]);
    let url = |path: &str| format!("{}/v1/connectors{path}", world.node.url);
    let page = async |path: &str, by: &Operator| {
        send(client().unwrap().get(url(path)).bearer_auth(&by.key)).await.unwrap().good().unwrap()
    };
    let decide = async |path: &str, by: &Operator, body: &Value| {
        post(&world, &format!("/v1/connectors{path}"), Some(&by.key), body.clone()).await
    };
    let deadline = Instant::now() + SEEN_WITHIN;
    let (first, next) = loop {
        let first = page("?limit=1", &platform).await;
        if let Some(next) = first["next"].as_str() {
            break (first["connectors"][0].clone(), page(&format!("?limit=1&after={next}"), &author).await);
        }
        assert!(Instant::now() < deadline, "the update is not seen: {first}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let told = (&first["version"], &first["standing"], &first["digest"], &first["sources"][0]["serves"]);
    assert_eq!(told, (&json!("0.2.0"), &json!("waiting"), &json!(wider.digest), &json!(false)));
    assert!(first["waiting"]["added"].to_string().contains("https://elsewhere.example"), "{first}");
    assert_eq!((&next["connectors"][0]["version"], &next["next"]), (&json!("0.1.0"), &Value::Null));
    assert_eq!(next["connectors"][0]["sources"][0]["serves"], true);

    let older = next["connectors"][0]["digest"].clone();
    let seen = json!({ "digest": wider.digest, "difference": first["waiting"]["difference"] });
    assert_eq!(decide("/approve", &author, &seen).await.status, StatusCode::FORBIDDEN);
    let another = json!({ "digest": wider.digest, "difference": older });
    assert_eq!(decide("/approve", &platform, &another).await.json()["type"], "urn:consentry:problem:source");
    assert_eq!(decide("/approve", &platform, &seen).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.offered().await.as_deref(), Some("0.2.0"));
    let mut serve = json!({ "connector": "sample-bank", "source": "sample-bank", "digest": older });
    assert_eq!(decide("/serve", &author, &serve).await.status, StatusCode::FORBIDDEN);
    assert_eq!(decide("/serve", &platform, &serve).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.offered().await.as_deref(), Some("0.1.0"));
    serve["digest"] = Value::Null;
    assert_eq!(decide("/serve", &platform, &serve).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.offered().await.as_deref(), Some("0.2.0"));
    let source = json!({ "connector": "sample-bank", "source": "sample-bank" });
    assert_eq!(decide("/hold", &author, &source).await.status, StatusCode::FORBIDDEN);
    assert_eq!(decide("/hold", &platform, &source).await.status, StatusCode::NO_CONTENT);
    assert!(page("", &author).await["connectors"][0]["sources"][0]["held_since"].is_string());
    assert_eq!(world.offered().await, None);
    assert_eq!(decide("/release", &platform, &source).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.offered().await.as_deref(), Some("0.2.0"));
    let nowhere = json!({ "connector": "sample-bank", "source": "elsewhere" });
    assert_eq!(decide("/hold", &platform, &nowhere).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_ends_where_it_is_and_does_not_begin_again() {
    let world = World::new().await;
    let (person, mut events, _question) = world.asked().await;
    let digest = world.listed("0.1.0")["digest"].as_str().unwrap().to_owned();
    let (revoked, told) = world.connector(&["revoke", "--digest", &digest, "--why", "it tells the wrong balance"]);
    assert!(revoked, "{told}");
    let failed = events.until("failed", EVENT).await.unwrap();
    assert_eq!(failed["code"], "connector-revoked", "{failed}");
    assert_eq!(person.status().await.unwrap()["code"], "connector-revoked");
    // The events end when the session's end is noted, and so its receipt.
    while events.next(EVENT).await.unwrap().is_some() {}
    let receipts = world.service.receipts(&world.node, &person).await.unwrap();
    assert_eq!(receipts.iter().map(|facts| facts.code.as_deref()).collect::<Vec<_>>(), [Some("connector-revoked")]);
    world.until_offered(None).await;
    assert!(world.listed("0.1.0")["because"].as_str().unwrap().contains("it tells the wrong balance"));

    // Nothing that its key signed runs again either, once the key is revoked.
    world.update("sample-bank-2.wasm", &[NEXT]);
    let key = consentry_tests::node::developer_key().unwrap();
    assert!(world.connector(&["revoke", "--key", &key, "--why", "stolen"]).0);
    assert_eq!(world.listed("0.2.0")["standing"], "revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_keeps_a_source_at_its_version_and_is_read_again_without_a_restart() {
    let world = World::new().await;
    world.update("sample-bank-2.wasm", &[NEXT]);
    world.until_offered(Some("0.2.0")).await;
    let path = world.node.path("consentry.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let pinned = |version: &str| text.replacen("[[source]]\n", &format!("[[source]]\nversion = \"{version}\"\n"), 1);
    std::fs::write(&path, pinned("0.1.0")).unwrap();
    world.node.hang_up().unwrap();
    world.until_offered(Some("0.1.0")).await;
    assert_eq!(world.listed("0.2.0")["because"], "the source is pinned to 0.1.0");
    // A version that is not there is nothing, and nothing else stands in for it.
    std::fs::write(&path, pinned("0.9.0")).unwrap();
    world.node.hang_up().unwrap();
    world.until_offered(None).await;
    // What makes no sense is not taken.
    std::fs::write(&path, pinned("newest")).unwrap();
    world.node.hang_up().unwrap();
    std::fs::write(&path, &text).unwrap();
    world.node.hang_up().unwrap();
    world.until_offered(Some("0.2.0")).await;
}
