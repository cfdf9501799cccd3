//! The person's pages in real Chromium, against the real binary: Playwright presses what a person presses (`tests/journey`), and axe-core
//! looks at every screen. The sample bank misbehaves as it is told; one source is an application that nobody here wrote.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use consentry_contract::failure::Code;
use consentry_tests::journey::{client, send};
use consentry_tests::node::{Node, Served, free_address};
use consentry_tests::service::{BEARER, Service};
use sample_bank::{Change, JULIE, SampleBank};
use serde_json::{Value, json};

use crate::{juntagrico, of, person};

/// Runs a script of `tests/journey` with what it is given, and tells what it printed. Each of its waits has a deadline, so it ends.
pub(crate) async fn drive(script: &str, mut given: Value) -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = tests.join("../target/peers").canonicalize().expect("run `tests/peers/install target/peers`");
    given["modules"] = json!(installed);
    given["bearer"] = json!(BEARER);
    let script = tests.join("journey").join(script);
    let node = installed.join("venv/bin/node");
    let ended = tokio::task::spawn_blocking(move || {
        let (stdin, stdout, stderr) = (Stdio::piped(), Stdio::piped(), Stdio::piped());
        let child = Command::new(node).arg(&script).stdin(stdin).stdout(stdout).stderr(stderr).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("node: {error}: run `tests/peers/install target/peers`"));
        child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    let ended = ended.await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    println!("{out}");
    assert!(ended.status.success(), "{out}\n{err}");
    out.into_owned()
}

/// The sample bank with an engine and an Online Service, and a script that uses them.
async fn with_the_bank(script: &str, more: Value) {
    with_the_bank_and(script, more, "").await;
}

/// The same, with more in the engine's configuration.
async fn with_the_bank_and(script: &str, more: Value, config: &str) {
    let any = "127.0.0.1:0".parse().unwrap();
    let bank = SampleBank::start(any, any).await.unwrap();
    bank.change(Change { operations: Some([20, 0, 0]), ..Change::default() });
    let mut service = Service::new().unwrap();
    let registered = service.registered().unwrap();
    let mut node = tokio::task::block_in_place(|| Node::prepare(&bank.site_url, &registered)).unwrap();
    let text = std::fs::read_to_string(node.path("consentry.toml")).unwrap();
    std::fs::write(node.path("consentry.toml"), text + config).unwrap();
    tokio::task::block_in_place(|| node.serve()).unwrap();
    let _told = service.listen(&node).await.unwrap();
    let mut given = json!({
        "engine": node.url,
        "maintenance": maintenance_key(&node).await,
        "control": bank.control_url,
        "callback": format!("http://{}/apply", service.address()),
        "login": JULIE.login,
        "password": JULIE.password,
    });
    given.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    drive(script, given).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_goes_the_whole_way_in_a_browser_and_nothing_in_clear_leaves_it() {
    with_the_bank("success.mjs", json!({})).await;
}

/// The name of the key that lent logins are sealed to; none where the engine takes no part.
async fn maintenance_key(node: &Node) -> Value {
    let jwks = send(client().unwrap().get(format!("{}/v1/keys", node.url))).await.unwrap().good().unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().find(|key| key["duty"] == "maintenance").map_or(Value::Null, |key| key["kid"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_lends_their_login_after_the_report_and_takes_it_back() {
    with_the_bank_and("lend.mjs", json!({}), "\n[maintenance]\nreports = true\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_is_bound_to_a_key_opens_the_pages_with_that_key_alone() {
    with_the_bank("bound.mjs", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_has_its_page_with_what_to_do_next() {
    let words: BTreeMap<&str, Value> = Code::ALL
        .iter()
        .map(|code| {
            let row = code.row();
            (code.name(), json!({ "en": [row.what.en, row.next.en], "fr": [row.what.fr, row.next.fr] }))
        })
        .collect();
    with_the_bank("failures.mjs", json!({ "words": words })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_gets_into_a_persons_pages() {
    with_the_bank("hostile.mjs", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_goes_the_whole_way_from_the_portal_to_the_receipt_in_a_browser() {
    let categories = ["person.name", "person.address", "person.email", "bank.account", "document.invoice"];
    let mut service = Service::new().unwrap();
    let registered = service.registered().unwrap();
    let source = Served { id: "juntagrico", base: juntagrico::portal().await, secrets: &[] };
    let node = tokio::task::block_in_place(|| {
        let mut node = Node::prepare_at(free_address().unwrap(), source, &categories, &registered).unwrap();
        node.serve().unwrap();
        node
    });
    let _told = service.listen(&node).await.unwrap();
    let marie = person("marie");
    let shown = ["last_name", "iban", "email", "city"].map(|key| of(&marie, key));
    let given = json!({
        "engine": node.url,
        "callback": format!("http://{}/apply", service.address()),
        "source": "juntagrico",
        "categories": categories,
        "login": of(&marie, "email"),
        "password": of(&marie, "password"),
        "shown": shown,
    });
    drive("real.mjs", given).await;
}
