//! How the real binary is kept running: values from the environment, whether it is ready, a stop that waits for what is under way, logs for
//! machines.

use std::path::Path;
use std::process::Command;

use consentry_tests::journey::{client, send};
use consentry_tests::node::{Node, binary};
use consentry_tests::service::Service;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::StatusCode;
use sample_bank::{Change, SampleBank};
use serde_json::Value;

use super::serve::{EVENT, LOGIN};

async fn status(node: &Node, path: &str) -> StatusCode {
    send(client().unwrap().get(format!("{}{path}", node.url))).await.unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_takes_nothing_new_and_waits_for_what_is_under_way() {
    let any = "127.0.0.1:0".parse().unwrap();
    let bank = SampleBank::start(any, any).await.unwrap();
    bank.change(Change { ask_otp: Some(true), ..Change::default() });
    let service = Service::new().unwrap();
    let mut node = Node::prepare(&bank.site_url, &service.registered().unwrap()).unwrap();
    node.set_variable("CONSENTRY__ENGINE__DRAIN_SECONDS", Path::new("3000"));
    node.set_variable("CONSENTRY_LOG_FORMAT", Path::new("json"));
    tokio::task::block_in_place(|| node.serve()).unwrap();
    let person = service.ask(&node).await.unwrap();
    let notice = person.choose("sample-bank", "sample-bank").await.unwrap();
    person.agree(&notice).await.unwrap();
    let mut events = person.events().await.unwrap();
    person.log_in(&LOGIN).await.unwrap();
    events.question(EVENT).await.unwrap();
    assert_eq!(status(&node, "/v1/ready").await, StatusCode::OK);

    kill(Pid::from_raw(i32::try_from(node.process().unwrap()).unwrap()), Signal::SIGTERM).unwrap();
    let mut asked = 0;
    while status(&node, "/v1/ready").await != StatusCode::SERVICE_UNAVAILABLE {
        asked += 1;
        assert!(asked < 600, "it does not begin to stop");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    // It is well, takes nobody new, and the person is still asked.
    assert_eq!(status(&node, "/v1/health").await, StatusCode::OK);
    let refused = format!("{:#}", service.ask(&node).await.unwrap_err());
    assert!(refused.contains("503") && refused.contains("about to stop"), "{refused}");
    assert_eq!(person.status().await.unwrap()["state"], "awaiting-person");
    // A second signal ends it at once: `stop` fails if that takes long.
    tokio::task::block_in_place(|| node.stop()).unwrap();

    let log = std::fs::read_to_string(node.path("stderr")).unwrap();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    assert!(lines.iter().any(|line| line["message"] == "answered" && line["route"] == "/v1/ready"), "{log}");
    assert!(!log.contains(LOGIN[0].1) && !log.contains(LOGIN[1].1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_names_what_the_environment_changes_and_refuses_what_leads_nowhere() {
    let service = Service::new().unwrap();
    let node = Node::prepare("http://127.0.0.1:9", &service.registered().unwrap()).unwrap();
    let check = |name: &str, value: &str| {
        let mut command = Command::new(binary("consentry").unwrap());
        command.args(["config", "check"]).arg(node.path("consentry.toml")).env(name, value).output().unwrap()
    };
    let taken = check("CONSENTRY__ENGINE__NODE", "node-7");
    let told = String::from_utf8(taken.stdout).unwrap();
    assert!(taken.status.success() && told.contains("node node-7"), "{told}");
    assert!(told.contains("from the environment: CONSENTRY__ENGINE__NODE"), "{told}");
    let refused = check("CONSENTRY__ENGINE__NODDE", "node-7");
    assert!(!refused.status.success() && String::from_utf8(refused.stderr).unwrap().contains("nodde"));
}
