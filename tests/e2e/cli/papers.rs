//! The operator's papers and a person's rights on the command line, over the data of a node that served somebody.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use consentry_tests::journey::{client, send};
use consentry_tests::node::{Node, binary};
use consentry_tests::service::{BEARER, ID, Service, next};
use online_service::receiver::Taken;
use sample_bank::{Change, JULIE, SampleBank};
use serde_json::{Value, json};

use super::{Called, call, words};
use crate::serve::{EVENT, LOGIN};

fn refused(called: &Called, why: &str) {
    assert!(called.code == Some(1) && called.err.contains(why), "{why}: {called:?}");
}

fn good(called: Called) -> String {
    assert_eq!(called.code, Some(0), "{called:?}");
    called.out
}

fn read(out: &str) -> Value {
    serde_json::from_str(out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// Words, and one more argument that has spaces in it.
fn with(line: &str, name: &str, value: &str) -> Vec<String> {
    let mut arguments = words(line);
    arguments.extend([name.to_owned(), value.to_owned()]);
    arguments
}

fn prepared() -> (Service, Node, String) {
    let service = Service::new().unwrap();
    let node = Node::prepare("http://127.0.0.1:9", &service.registered().unwrap()).unwrap();
    let config = node.path("consentry.toml").display().to_string();
    (service, node, config)
}

fn edit(node: &Node, from: &str, to: &str) {
    let path = node.path("consentry.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}: {text}");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_processing_says_what_the_configuration_does() {
    let (_service, node, config) = prepared();
    let text = good(call(words(&format!("register --config {config}"))).await);
    for told in [
        "Kept by Example Operator (privacy@operator.example)",
        "| Example Hosting | runs our machines | sealed records | FR | none |",
        "## Example Lettings: tenant-check",
        "Example Lettings SAS, RCS 1, Nanterre (FR)",
        "the Online Service is controller, the operator its processor",
        "signed by Ada Martin, managing director at 2026-11-01T09:00:00Z",
        "| R20 | metering_event |",
    ] {
        assert!(text.contains(told), "{told}\n{text}");
    }
    edit(&node, "role = \"controller\"", "role = \"joint\"");
    let record = read(&good(call(words(&format!("register --json --config {config}"))).await));
    assert_eq!(record["activities"][0]["role"], "joint", "{record}");
    assert_eq!(record["sources"][0]["name"], "Banque du Vallon");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_necessary_is_refused_before_anybody_is_asked_for_it() {
    let (_service, node, config) = prepared();
    let lint = format!("lint --config {config}");
    assert!(good(call(words(&lint)).await).contains("Example Lettings: 1 purpose(s)"));
    let request = |name: &str, category: &str| {
        let asked = json!({ "purpose": "tenant-check", "categories": [category] });
        std::fs::write(node.path(name), asked.to_string()).unwrap();
        format!("{lint} --online-service {ID} --request {}", node.path(name).display())
    };
    assert!(good(call(words(&request("fits.json", "person.name"))).await).contains("asks for what was declared"));
    refused(&call(words(&request("wider.json", "person.birth"))).await, "does not include the category person.birth");

    let all = "needs = [\"income\", \"contact\", \"identity\", \"tax\", \"contract\", \"entitlement\", \"solvency\"]";
    edit(&node, all, "needs = [\"tax\"]");
    refused(&call(words(&lint)).await, "none of its needs explains");
    // No node serves it, either.
    let checked = call(words(&format!("config check {config}"))).await;
    assert!(checked.code == Some(1) && checked.err.contains("none of its needs explains"), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_of_trust_is_signed_by_the_key_that_is_registered() {
    let (_service, node, config) = prepared();
    let name = node.path("own").display().to_string();
    good(call(words(&format!("keys signer {name}"))).await);
    let commit = format!("commit --online-service {ID} --key {name}.key.der");
    let text = good(call(with(&format!("{commit} --show"), "--by", "Ada Martin")).await);
    assert!(text.contains("trust"), "{text}");
    let signed = good(call(with(&commit, "--by", "Ada Martin, managing director")).await);
    std::fs::write(node.path("commitments"), signed.trim()).unwrap();
    // It is not the key that is registered.
    let check = words(&format!("config check {config}"));
    assert_eq!(call(check.clone()).await.code, Some(1));
    std::fs::copy(format!("{name}.jwk.json"), node.path("signer.jwk.json")).unwrap();
    good(call(check).await);
    let record = good(call(words(&format!("register --config {config}"))).await);
    assert!(record.contains("signed by Ada Martin, managing director"), "{record}");
}

/// Calls the binary with something on its standard input.
async fn typed(arguments: Vec<String>, input: &str) -> String {
    let mut child = Command::new(binary("consentry").unwrap())
        .args(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A node that delivered one parcel, and was stopped; the person's receipt in a file of its folder.
async fn delivered() -> (SampleBank, Service, Node) {
    let any = "127.0.0.1:0".parse().unwrap();
    let bank = SampleBank::start(any, any).await.unwrap();
    bank.change(Change { operations: Some([2, 0, 0]), ..Change::default() });
    let mut service = Service::new().unwrap();
    let registered = service.registered().unwrap();
    let mut node = tokio::task::block_in_place(|| Node::start(&bank.site_url, &registered)).unwrap();
    let mut told = service.listen(&node).await.unwrap();
    let person = service.ask_for(&["person.name", "bank.account"], &node).await.unwrap();
    let notice = person.choose("sample-bank", "sample-bank").await.unwrap();
    person.agree(&notice).await.unwrap();
    let mut events = person.events().await.unwrap();
    person.log_in(&LOGIN).await.unwrap();
    events.until("in-review", EVENT).await.unwrap();
    person.share(&[]).await.unwrap();
    assert!(matches!(next(&mut told, EVENT).await.unwrap(), Ok(Taken::Received(..))));
    events.until("completed", EVENT).await.unwrap();
    let receipts = person.receipts().await.unwrap();
    std::fs::write(node.path("receipt.json"), receipts[0]["receipt"].as_str().unwrap()).unwrap();
    let asked = client().unwrap().get(format!("{}/v1/metering", node.url)).bearer_auth(BEARER);
    let metered = send(asked).await.unwrap().good().unwrap();
    assert_eq!((&metered["months"][0]["delivered"], &metered["months"][0]["settled"]), (&json!(1), &json!(false)));
    tokio::task::block_in_place(|| node.stop()).unwrap();
    (bank, service, node)
}

async fn rights(config: &str, receipt: &Path) {
    let table = good(call(words("rights table")).await);
    assert!(table.contains("post-mortem") && table.contains("nothing-is-done-under-it"), "{table}");
    let ask = |right: &str| words(&format!("rights ask {right} --config {config} --receipt {}", receipt.display()));
    let copy = read(&good(call(ask("access")).await));
    assert_eq!(copy["result"]["delivery"]["end"]["how"], "acknowledged", "{copy}");
    refused(&call(ask("restriction")).await, "needs its `ground`");
    let listed = read(&good(call(words(&format!("rights list --json --config {config}"))).await));
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["state"]), (1, &json!("awaiting-party")), "{listed}");
    let request = copy["request"].as_str().unwrap();
    let decide = |word: &str| format!("rights {word} {request} --config {config}");
    good(call(with(&decide("extend"), "--why", "it takes a search by hand")).await);
    refused(&call(with(&decide("extend"), "--why", "and more")).await, "extended before");
    good(call(with(&decide("refuse"), "--why", "a court wants it kept")).await);
    let table = good(call(words(&format!("rights list --config {config}"))).await);
    assert!(table.contains("partially-fulfilled"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_traces_registers_and_counts_are_there_once_the_node_has_stopped() {
    let (_bank, _service, node) = delivered().await;
    let config = node.path("consentry.toml").display().to_string();
    rights(&config, &node.path("receipt.json")).await;

    let find = |erase: &str| {
        let line = format!("trace find --config {config} --source sample-bank --by Ada {erase}");
        with(&line, "--why", "the person asks")
    };
    let found = read(&typed(find(""), JULIE.login).await);
    assert_eq!(
        (found["found"].as_array().unwrap().len(), &found["found"][0]["data_source"]),
        (1, &json!("sample-bank"))
    );
    typed(find("--erase"), JULIE.login).await;
    assert!(read(&typed(find(""), JULIE.login).await)["found"].as_array().unwrap().is_empty());
    let looks = good(call(words(&format!("rights look-ups --config {config}"))).await);
    let found: Vec<_> = read(&looks).as_array().unwrap().iter().map(|look| look["found"].clone()).collect();
    assert_eq!(found, [1, 1, 0], "{looks}");
    assert!(!looks.contains(JULIE.login));

    // Which elements were read, in which hour; nothing that they say, and of nobody.
    let accesses = good(call(words(&format!("rights accesses --config {config}"))).await);
    let access = read(&accesses)[0].clone();
    assert_eq!(access["data_source"], "sample-bank");
    assert!(access["elements"].as_array().unwrap().iter().any(|each| each[0] == "person.name"), "{accesses}");
    assert!(access["at"].as_str().unwrap().ends_with(":00:00Z") && access.as_object().unwrap().len() == 3, "{access}");
    for hidden in [JULIE.login, JULIE.last_name, "ses_", "cns_"] {
        assert!(!accesses.contains(hidden), "{hidden}: {accesses}");
    }

    let noted = format!("rights disclosed --config {config} --authority CNIL --element trace --answer one");
    good(call(with(&noted, "--basis", "Art. 58 GDPR, order 12")).await);
    let disclosures = read(&good(call(words(&format!("rights disclosures --config {config}"))).await));
    assert_eq!((&disclosures[0]["authority"], &disclosures[0]["elements"]), (&json!("CNIL"), &json!(["trace"])));

    let months = read(&good(call(words(&format!("metering --json --config {config}"))).await));
    assert_eq!((months[0]["online_service"].as_str(), &months[0]["delivered"]), (Some(ID), &json!(1)), "{months}");
    assert_eq!(months[0].as_object().unwrap().len(), 6, "{months}");
    let table = good(call(words(&format!("metering --config {config} --online-service {ID}"))).await);
    assert!(table.contains("Example Lettings") && table.contains("not yet"), "{table}");

    // All of it is in the log of what operators did.
    let log = good(call(words(&format!("audit export --config {config}"))).await);
    for deed in ["right-ask", "right-extend", "right-refuse", "trace-find", "disclosure-note", "metering-look"] {
        assert!(log.contains(&format!("\"{deed}\"")), "{deed}: {log}");
    }
    assert!(!log.contains(JULIE.login));
}
