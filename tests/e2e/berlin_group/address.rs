//! Where the person is, on its way through a whole engine to the bank: from a trusted proxy's word into a header of the request, and nowhere else.

use std::path::Path;

use consentry_tests::journey::{client, send};
use consentry_tests::node::{Node, Served, free_address};
use consentry_tests::service::Service;
use consentry_tests::versions::{changed, signed};

use super::{Wire, bank, seal};
use crate::serve::EVENT;

const PERSON: &str = "203.0.113.77";
const CATEGORIES: [&str; 3] = ["bank.account", "bank.balance", "bank.transaction"];

/// The connector for banks that want no certificate in TLS, which this one, by plain HTTP, can't have.
fn without_tls() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../connectors/berlin-group/manifest.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let tls = text.split_once("[[operator]]\nname = \"tls\"").unwrap().1;
    let tls = format!("[[operator]]\nname = \"tls\"{}", tls.split_once("\n# The address").unwrap().0);
    signed(&changed("connectors/berlin-group", &[(&tls, "")]).unwrap()).unwrap()
}

/// Every file below a folder that holds this text.
fn holding(folder: &Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if std::fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
        {
            found.push(path);
        }
    }
    found
}

/// An engine that trusts a proxy on this machine, or none; what a bank was sent when a person began there.
async fn begun(trusted: bool) -> (String, Node) {
    let wire = Wire::to(bank().await).await;
    let (seal, base) = (seal().await, format!("{}/v1", wire.url));
    let secrets =
        [("signing-key", seal.key.as_str()), ("key-id", seal.id.as_str()), ("certificate", seal.certificate.as_str())];
    let served = Served { id: "berlin-group", base: &base, secrets: &secrets };
    let service = Service::new().unwrap();
    let registered = service.registered().unwrap();
    let node = tokio::task::block_in_place(|| {
        let mut node = Node::prepare_at(free_address().unwrap(), served, &CATEGORIES, &registered).unwrap();
        std::fs::write(node.path("connectors/berlin-group.wasm"), without_tls()).unwrap();
        let config = std::fs::read_to_string(node.path("consentry.toml")).unwrap();
        let config = config.replacen("\nid = \"berlin-group\"", "\nid = \"test-bank\"", 1);
        std::fs::write(node.path("consentry.toml"), config).unwrap();
        if trusted {
            node.set_variable("CONSENTRY__API__TRUSTED_PROXIES", Path::new("[\"127.0.0.1\"]"));
        }
        node.approve("connectors/berlin-group.wasm").unwrap();
        node.serve().unwrap();
        node
    });
    let person = service.ask_for(&CATEGORIES, &node).await.unwrap();
    let notice = person.choose("berlin-group", "test-bank").await.unwrap();
    person.agree(&notice).await.unwrap();
    let mut events = person.events().await.unwrap();
    let jwe = person.seal(None, &[]).await.unwrap();
    let url = format!("{}/v1/sessions/{}/credentials", node.url, person.session());
    let request = client().unwrap().post(url).bearer_auth(person.token()).header("content-type", "application/jose");
    send(request.header("x-forwarded-for", PERSON).body(jwe)).await.unwrap().good().unwrap();
    if trusted {
        events.question(EVENT).await.unwrap();
    } else {
        // A bank that insists on it refuses.
        while events.next(EVENT).await.unwrap().is_some_and(|event| event["state"] != "failed") {}
    }
    (wire.sent(), node)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_is_told_where_the_person_is_and_nothing_else_is() {
    let (sent, mut node) = begun(true).await;
    assert!(sent.starts_with("POST /v1/consents "), "{sent}");
    let told: Vec<&str> = sent.lines().filter(|line| line.to_lowercase().starts_with("psu-ip-address:")).collect();
    assert!(!told.is_empty() && told.iter().all(|line| line.ends_with(&format!(": {PERSON}"))), "{sent}");
    tokio::task::block_in_place(|| node.stop()).unwrap();
    let folder = node.path("consentry.toml").parent().unwrap().to_owned();
    assert!(std::fs::read_to_string(node.path("stderr")).unwrap().contains("credentials"));
    assert_eq!(holding(&folder, PERSON), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_trusted_proxy_is_not_believed_and_the_engine_sends_no_address_of_its_own() {
    let (sent, _node) = begun(false).await;
    assert!(sent.contains("POST /v1/consents ") && !sent.to_lowercase().contains("psu-ip-address"), "{sent}");
}
