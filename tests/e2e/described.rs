//! The interface does what its description says: Schemathesis asks the real binary for everything in the OpenAPI document, as an Online
//! Service and as a person, with what the document allows and with what it does not (`tests/schema`).

use std::path::{Path, PathBuf};
use std::process::Command;

use consentry_tests::journey::{client, send};
use consentry_tests::node::Node;
use consentry_tests::service::{BEARER, Service};
use sample_bank::SampleBank;
use serde_json::{Value, json};

/// Cases for each operation, at the most.
const CASES: &str = "6";
/// What has to hold of each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance";

/// Asks for the operations of these groups with this key.
fn ask(document: &Path, url: &str, key: &str, groups: &[&str]) -> Result<(), String> {
    let st: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/schema/venv/bin/st");
    let mut command = Command::new(&st);
    command.arg("run").arg(document).args(["--url", url, "--checks", CHECKS, "--max-examples", CASES, "--seed", "1"]);
    command.args([
        "--phases",
        "examples,coverage,fuzzing",
        "--request-timeout",
        "30",
        "--no-color",
        "--warnings",
        "off",
    ]);
    command.arg("--header").arg(format!("Authorization: Bearer {key}"));
    command.args(groups.iter().flat_map(|group| ["--include-tag", group]));
    // Its folder of found cases goes with the test's.
    command.current_dir(document.parent().unwrap());
    let done = command.output().unwrap_or_else(|error| panic!("{error}: run `tests/schema/install target/schema`"));
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    if done.status.success() { Ok(()) } else { Err(said) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_one_that_the_description_names() {
    let any = "127.0.0.1:0".parse().unwrap();
    let bank = SampleBank::start(any, any).await.unwrap();
    let service = Service::new().unwrap();
    let registered = service.registered().unwrap();
    let node = tokio::task::block_in_place(|| Node::start(&bank.site_url, &registered)).unwrap();
    let person = service.ask(&node).await.unwrap();

    let url = format!("{}/v1/openapi.json", node.url);
    let mut document = send(client().unwrap().get(url)).await.unwrap().good().unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object_mut().unwrap();
    // A stream of events has no end.
    paths.shift_remove("/v1/sessions/{session}/events").unwrap();
    for operation in paths.values_mut().flat_map(|path| path.as_object_mut().unwrap().values_mut()) {
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            if parameter["name"] == "session" {
                parameter["schema"] = json!({ "const": person.session() });
            }
        }
        // It writes no JOSE; to it such a body is a text like another.
        let body = operation.get_mut("requestBody").and_then(|body| body["content"].as_object_mut());
        if let Some(text) =
            body.and_then(|content| content.shift_remove("application/jose").map(|text| (content, text)))
        {
            text.0.insert("text/plain".to_owned(), text.1);
        }
    }
    let path = node.path("openapi.json");
    std::fs::write(&path, document.to_string()).unwrap();
    tokio::task::block_in_place(|| {
        ask(&path, &node.url, person.token(), &["journey"]).unwrap();
        ask(&path, &node.url, BEARER, &["engine", "ledger", "sessions", "parcels", "rights"]).unwrap();
    });
}
