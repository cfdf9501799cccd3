//! Operators of the real binary: known by keys, each with roles; what they do stands in the audit log, whichever door it came through.

use std::process::{Command, Output};

use consentry_tests::journey::{client, send};
use consentry_tests::node::{Node, binary};
use consentry_tests::service::Service;
use reqwest::StatusCode;
use serde_json::Value;

/// An operator of a node: the key, the id, and what stands of them in the configuration.
pub(crate) struct Operator {
    pub(crate) key: String,
    pub(crate) id: String,
    section: String,
}

impl Operator {
    /// Made by the command line.
    pub(crate) fn new(roles: &[&str]) -> Self {
        let roles: Vec<&str> = roles.iter().flat_map(|role| ["--role", role]).collect();
        let made = consentry(&["keys", "operator"], &roles);
        let text = String::from_utf8(made.stdout).unwrap();
        let (key, section) = text.split_once("\n\n").unwrap();
        let id = section.split('"').nth(1).unwrap().to_owned();
        Self { key: key.strip_prefix("key ").unwrap().to_owned(), id, section: section.to_owned() }
    }
}

impl Operator {
    /// An author who signs connectors with this key.
    pub(crate) fn author(signs: &str) -> Self {
        let author = Self::new(&["author"]);
        Self { section: format!("{}\nsigns = [\"{signs}\"]\n", author.section.trim_end()), ..author }
    }
}

pub(crate) fn consentry(first: &[&str], then: &[&str]) -> Output {
    let output = Command::new(binary("consentry").unwrap()).args(first).args(then).output().unwrap();
    assert!(output.status.success(), "{first:?} {then:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Gives a node these operators and no others, from its next start or reading on.
pub(crate) fn register(node: &Node, operators: &[&Operator]) {
    let path = node.path("consentry.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let rest = text.split("[[operator-key]]").next().unwrap();
    let sections: String = operators.iter().map(|each| format!("{}\n", each.section)).collect();
    std::fs::write(&path, format!("{rest}{sections}")).unwrap();
}

async fn audit(node: &Node, key: Option<&str>) -> (StatusCode, Vec<Value>) {
    let mut request = client().unwrap().get(format!("{}/v1/audit", node.url));
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let reply = send(request).await.unwrap();
    (reply.status, entries(&reply.bytes))
}

fn entries(bytes: &[u8]) -> Vec<Value> {
    let lines = std::str::from_utf8(bytes).unwrap().lines();
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn deeds(entries: &[Value]) -> Vec<(&str, &str, &str)> {
    let text = |value: &Value| -> String { value.as_str().unwrap_or("-").to_owned() };
    let told = |entry: &Value| {
        let told: [&'static str; 3] = [&entry["by"], &entry["deed"], &entry["about"]].map(|value| &*text(value).leak());
        (told[0], told[1], told[2])
    };
    entries.iter().map(told).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_did_what_is_in_one_log_and_each_does_what_their_roles_say() {
    let service = Service::new().unwrap();
    let mut node = Node::prepare("http://127.0.0.1:9", &service.registered().unwrap()).unwrap();
    let [platform, author] = [&["platform", "maintenance"][..], &["author"]].map(Operator::new);
    register(&node, &[&platform, &author]);
    tokio::task::block_in_place(|| node.serve()).unwrap();
    let config = node.path("consentry.toml").to_str().unwrap().to_owned();

    assert_eq!(audit(&node, None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(audit(&node, Some("a key that nobody has")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(audit(&node, Some(&author.key)).await.0, StatusCode::FORBIDDEN);
    let (status, seen) = audit(&node, Some(&platform.key)).await;
    assert_eq!(status, StatusCode::OK);
    let seen = deeds(&seen);
    // Before the node ran, somebody approved its connector; the look itself is there, the refused one is not.
    assert!(seen.iter().any(|(by, deed, _)| by.starts_with("account:") && *deed == "connector-approve"), "{seen:?}");
    assert_eq!(seen.last(), Some(&(&*platform.id, "audit-export", "-")));
    assert!(!seen.iter().any(|(by, ..)| *by == author.id), "{seen:?}");

    // The command line beside the engine that runs, and after it.
    consentry(&["keys", "rotate", "intake", "--config", &config], &[]);
    for running in [true, false] {
        if !running {
            tokio::task::block_in_place(|| node.stop()).unwrap();
        }
        let exported = tokio::task::block_in_place(|| consentry(&["audit", "export", "--config", &config], &[]));
        let exported = entries(&exported.stdout);
        let seen = deeds(&exported);
        assert!(seen.iter().any(|(_, deed, about)| (*deed, *about) == ("key-rotate", "intake")), "{seen:?}");
        assert_eq!(seen.last().unwrap().1, "audit-export", "{seen:?}");
        let ats: Vec<&str> = exported.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
        assert!(ats.is_sorted(), "{ats:?}");
    }

    // A key that is taken out of the configuration is nobody's.
    tokio::task::block_in_place(|| node.serve()).unwrap();
    assert_eq!(audit(&node, Some(&platform.key)).await.0, StatusCode::OK);
    register(&node, &[&author]);
    node.hang_up().unwrap();
    let mut asked = 0;
    while audit(&node, Some(&platform.key)).await.0 != StatusCode::UNAUTHORIZED {
        asked += 1;
        assert!(asked < 600, "the key still opens");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
