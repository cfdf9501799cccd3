//! A break at the bank, from the person's failed run to the author's desk: what is offered is what is kept, and nobody is in it.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use consentry_tests::journey::{client, send};
use consentry_tests::node::{Node, binary, connector, free_address};
use consentry_tests::service::Service;
use reqwest::{Method, StatusCode};
use sample_bank::{Change, JULIE, SampleBank, SiteState};
use serde_json::{Value, json};

use super::flow::nothing_of_the_person;
use super::{EVENT, LOGIN, World, post};
use crate::console::Browser;
use crate::operators::{Operator, register};

fn reports(arguments: &[&str], config: Option<&Path>) -> Output {
    let mut command = Command::new(binary("consentry").unwrap());
    command.arg("reports").args(arguments);
    command.args(config.iter().flat_map(|config| [Path::new("--config"), config]));
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

async fn world() -> World {
    let bank = SampleBank::start(free_address().unwrap(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    bank.change(Change { operations: Some([20, 0, 0]), ..Change::default() });
    let service = Service::new().unwrap();
    let mut node = Node::prepare(&bank.site_url, &service.registered().unwrap()).unwrap();
    let config = std::fs::read_to_string(node.path("consentry.toml")).unwrap();
    std::fs::write(node.path("consentry.toml"), config + "\n[maintenance]\nreports = true\n").unwrap();
    tokio::task::block_in_place(|| node.serve()).unwrap();
    World { bank, service, node }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_goes_from_the_person_who_gives_it_to_the_authors_desk() {
    let mut world = world().await;
    // All is well once: what the pages look like then stands beside the reports that come later.
    let (person, mut events) = world.agreed().await;
    person.log_in(&LOGIN).await.unwrap();
    events.until("in-review", EVENT).await.unwrap();
    person.call(Method::POST, "withdraw", None).await.unwrap().good().unwrap();
    world.bank.change(Change { state: Some(SiteState::JsonError), ..Change::default() });
    let mut last = Value::Null;
    for gives in [false, true] {
        let (person, mut events) = world.agreed().await;
        assert_eq!(person.call(Method::GET, "report", None).await.unwrap().status, 404, "nothing failed yet");
        person.log_in(&LOGIN).await.unwrap();
        events.until("failed", EVENT).await.unwrap();
        let shown = person.call(Method::GET, "report", None).await.unwrap().good().unwrap();
        assert_eq!(shown["report"]["proof"], "replayed", "{shown}");
        assert_eq!(shown["given"], Value::Null);
        if gives {
            let given = person.call(Method::PUT, "report", None).await.unwrap().good().unwrap();
            let again = person.call(Method::PUT, "report", None).await.unwrap().good().unwrap();
            assert_eq!(given, again, "given once");
        } else {
            assert!(person.call(Method::DELETE, "report", None).await.unwrap().status.is_success());
            assert_eq!(person.call(Method::GET, "report", None).await.unwrap().status, 404, "declined is gone");
        }
        last = shown["report"].clone();
    }
    tokio::task::block_in_place(|| world.node.kill()).unwrap();
    nothing_of_the_person(&world, &[]);

    let config = world.node.path("consentry.toml");
    let listed: Value = serde_json::from_slice(&reports(&["list", "--json"], Some(&config)).stdout).unwrap();
    let ticket = listed[0]["fingerprint"].as_str().unwrap();
    assert_eq!(
        (listed.as_array().unwrap().len(), &listed[0]["failures"], &listed[0]["state"]),
        (1, &2.into(), &"new".into())
    );
    let file = world.node.path("break.json");
    let path = file.to_str().unwrap();
    let pulled = reports(&["pull", ticket, "--to", path], Some(&config));
    assert!(pulled.status.success(), "{}", said(&pulled));
    let pulled: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(pulled, last, "what was shown is what is kept");
    assert!(!pulled.to_string().contains(JULIE.last_name));
    let shown = said(&reports(&["show", path], None));
    assert!(shown.contains("page-unrecognised on accounts") && shown.contains("table#comptes"), "{shown}");
    // How the page has changed since all was well.
    assert!(shown.contains("page accounts, as version") && shown.contains("-       table#comptes"), "{shown}");
    let built = connector("sample-bank").unwrap();
    let replayed = reports(&["replay", path, "--connector", built.to_str().unwrap()], None);
    assert_eq!(replayed.status.code(), Some(30), "{}", said(&replayed));
    assert!(said(&replayed).contains("page-unrecognised on accounts"), "{}", said(&replayed));

    assert!(reports(&["close", ticket], Some(&config)).status.success());
    let closed: Value = serde_json::from_slice(&reports(&["list", "--json"], Some(&config)).stdout).unwrap();
    assert_eq!(closed[0]["state"], "fixed");
    assert!(!reports(&["pull", ticket, "--to", path], Some(&config)).status.success(), "its reports are erased");
}

/// A key that signs nothing here.
const OTHER: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

fn key_file(world: &World, name: &str, operator: &Operator) -> PathBuf {
    let path = world.node.path(name);
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path).unwrap();
    file.write_all(operator.key.as_bytes()).unwrap();
    path
}

async fn over_http(world: &World, by: &Operator, state: &str) -> Value {
    let request = client().unwrap().get(format!("{}/v1/reports?state={state}", world.node.url));
    send(request.bearer_auth(&by.key)).await.unwrap().good().unwrap()
}

async fn close(world: &World, by: &Operator, ticket: &Value) -> StatusCode {
    post(world, "/v1/reports/close", Some(&by.key), json!({ "break": ticket })).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn an_author_sees_breaks_of_connectors_that_they_signed_and_no_others() {
    let mut world = world().await;
    let path = world.node.path("consentry.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let signed_by = config.split('"').find(|part| part.starts_with("RW")).unwrap().to_owned();
    let [author, other] = [&*signed_by, OTHER].map(Operator::author);
    tokio::task::block_in_place(|| world.node.kill()).unwrap();
    register(&world.node, &[&author, &other]);
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    world.bank.change(Change { state: Some(SiteState::JsonError), ..Change::default() });
    let (person, mut events) = world.agreed().await;
    person.log_in(&LOGIN).await.unwrap();
    events.until("failed", EVENT).await.unwrap();
    person.call(Method::PUT, "report", None).await.unwrap().good().unwrap();

    let breaks = Browser::new(&world.node, &author).await.page("/console/breaks").await;
    assert!(breaks.contains("page-unrecognised"), "{breaks}");
    let breaks = Browser::new(&world.node, &other).await.page("/console/breaks").await;
    assert!(!breaks.contains("page-unrecognised"), "{breaks}");
    assert_eq!(over_http(&world, &other, "new").await, json!({ "breaks": [], "next": null }));
    assert_eq!(over_http(&world, &author, "fixed").await, json!({ "breaks": [], "next": null }));
    let told = over_http(&world, &author, "new").await["breaks"][0].clone();
    let counts = (&told["failures"], &told["reports"], &told["replayable"], &told["versions"]);
    assert_eq!(counts, (&json!(1), &json!(1), &json!(true), &json!(["0.1.0"])), "{told}");
    assert_eq!(close(&world, &other, &told["break"]).await, StatusCode::NOT_FOUND);
    tokio::task::block_in_place(|| world.node.kill()).unwrap();

    let [own, others] = [("own", &author), ("other", &other)].map(|(name, who)| key_file(&world, name, who));
    let by = |key: &Path, arguments: &[&str]| {
        reports(&[arguments, &["--operator-key-file", key.to_str().unwrap()]].concat(), Some(&path))
    };
    let listed = |key: &Path| -> Value { serde_json::from_slice(&by(key, &["list", "--json"]).stdout).unwrap() };
    let seen = listed(&own);
    let ticket = seen[0]["fingerprint"].as_str().unwrap_or_else(|| panic!("{seen}"));
    assert_eq!(listed(&others), Value::Array(vec![]));
    let file = world.node.path("break.json");
    let pull = ["pull", ticket, "--to", file.to_str().unwrap()];
    assert!(!by(&others, &pull).status.success() && !by(&others, &["close", ticket]).status.success());
    assert!(!file.exists() && listed(&own)[0]["state"] == "new");
    let nobody = key_file(&world, "nobody", &Operator::new(&["author"]));
    let refused = said(&by(&nobody, &["list"]));
    assert!(refused.contains("no operator of the configuration has this key"), "{refused}");
    let pulled = by(&own, &pull);
    assert!(pulled.status.success() && file.exists(), "{}", said(&pulled));
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    assert_eq!(close(&world, &author, &told["break"]).await, StatusCode::NO_CONTENT);
    let closed = over_http(&world, &author, "fixed").await["breaks"][0].clone();
    assert_eq!((&closed["state"], &closed["reports"]), (&json!("fixed"), &json!(0)), "{closed}");
}
