//! `consentry` with its keys in a token: making them, using them, losing the token and finding it again, and the token that lacks
//! something.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use consentry_tests::node::{Node, binary};
use consentry_tests::service::Service;
use consentry_tests::token::{LABEL, PIN, Server, Token};
use reqwest::{Method, StatusCode};
use sample_bank::SampleBank;
use serde_json::json;

use crate::serve::{EVENT, LOGIN};

/// An engine that is not started yet and takes its keys from a token.
fn node(bank: &SampleBank, service: &Service, module: &Path, variable: (&str, &Path)) -> Node {
    let mut node = Node::prepare(&bank.site_url, &service.registered().unwrap()).unwrap();
    let text = std::fs::read_to_string(node.path("consentry.toml")).unwrap();
    let section = format!("pkcs11-module = {module:?}\ntoken = \"{LABEL}\"\npin-file = \"pin\"");
    let text = text.replace("passphrase-file = \"passphrase\"", &section);
    std::fs::write(node.path("consentry.toml"), text).unwrap();
    let mut pin = std::fs::File::options().write(true).create_new(true).mode(0o600).open(node.path("pin")).unwrap();
    pin.write_all(PIN.as_bytes()).unwrap();
    // What `prepare` made is not needed: the keys stand elsewhere.
    std::fs::remove_file(node.path("data/keys")).unwrap();
    node.set_variable(variable.0, variable.1);
    node
}

fn run(node: &Node, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(binary("consentry").unwrap());
    command.args(arguments).arg("--config").arg(node.path("consentry.toml"));
    let output = node.with_variables(&mut command).output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

async fn bank() -> SampleBank {
    let any = "127.0.0.1:0".parse().unwrap();
    SampleBank::start(any, any).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_goes_away_is_the_platforms_failure_and_is_found_again() {
    let (bank, service, token) = (bank().await, Service::new().unwrap(), Token::able().unwrap());
    let server = token.serve().unwrap();
    let (name, value) = server.variable();
    let mut node = node(&bank, &service, &Server::module(), (name, &value));
    let (made, said) = run(&node, &["keys", "generate"]);
    assert!(made && said.contains("keys made in the token"), "{said}");
    let (again, said) = run(&node, &["keys", "generate"]);
    assert!(!again && said.contains("has a key for each duty already"), "{said}");
    tokio::task::block_in_place(|| node.serve()).unwrap();

    let person = service.ask(&node).await.unwrap();
    let notice = person.choose("sample-bank", "sample-bank").await.unwrap();
    person.agree(&notice).await.unwrap();
    let mut events = person.events().await.unwrap();
    let sealed = person.seal(None, &LOGIN).await.unwrap();
    // Another program makes a new key: the engine publishes it, and still opens what was sealed to the old one.
    let (rotated, said) = run(&node, &["keys", "rotate", "intake"]);
    assert!(rotated, "{said}");

    drop(server);
    let lost = person.call(Method::POST, "credentials", Some(json!(sealed))).await.unwrap();
    assert_eq!(lost.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", lost.json());
    let failure = &lost.json()["failure"];
    assert_eq!((&failure["blame"], &failure["code"]), (&json!("platform"), &json!("platform-failed")), "{failure}");
    // A login that can't be opened now costs the person nothing.
    let waiting = person.status().await.unwrap();
    assert_eq!(waiting["state"], "awaiting-credentials", "{waiting}");
    // What needs no key goes on.
    assert!(person.sources().await.is_ok());

    let server = token.serve().unwrap();
    // It is there, and answers nobody: that ends too, and costs nothing either.
    server.hang().unwrap();
    let hangs = person.call(Method::POST, "credentials", Some(json!(sealed))).await.unwrap();
    assert_eq!(hangs.json()["failure"]["code"], "platform-failed", "{}", hangs.json());
    assert_eq!(person.status().await.unwrap()["state"], "awaiting-credentials");
    assert!(person.sources().await.is_ok());
    server.go_on().unwrap();
    let back = loop {
        let reply = person.call(Method::POST, "credentials", Some(json!(sealed))).await.unwrap();
        if reply.status != StatusCode::INTERNAL_SERVER_ERROR {
            break reply;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    back.good().unwrap();
    events.until("in-review", EVENT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_lacks_something_a_wrong_pin_and_a_wrong_name_are_refused_at_the_start() {
    let (bank, service) = (bank().await, Service::new().unwrap());
    let token = Token::lacking().unwrap();
    let mut first = node(&bank, &service, &token.module, (token.variable.0, &token.variable.1));
    for _ in 0..2 {
        let (made, said) = run(&first, &["keys", "generate"]);
        assert!(!made && said.contains("the token can't do RSA-OAEP with SHA-256"), "{said}");
    }
    let (_, said) = run(&first, &["keys", "list", "--json"]);
    assert_eq!(said.trim(), "[]", "nothing is left on it");
    // One that has a key already, which another program made: the start tries it.
    let key = consentry::jose::PrivateKey::generate(consentry::jose::Algorithm::RsaOaep256).unwrap();
    token.import(&key.danger_to_pkcs8(), "consentry intake 2026-01-01T00:00:00Z").unwrap();
    let said = tokio::task::block_in_place(|| first.serve()).unwrap_err().to_string();
    assert!(said.contains("the token can't do RSA-OAEP with SHA-256"), "{said}");

    let config = first.path("consentry.toml");
    let good = std::fs::read_to_string(&config).unwrap();
    for (from, to, told) in [
        // Refused before anything on the token is looked at.
        ("token = \"consentry\"", "token = \"other\"", "the module has no token \"other\", but: consentry"),
        (&*format!("{:?}", token.module), "\"/lib/none.so\"", "can't be loaded as a PKCS#11 module"),
        ("pin-file = \"pin\"", "pin-file = \"service.jwk.json\"", "set its mode to 600"),
        ("pin-file = \"pin\"", "", "passphrase-file alone"),
        ("pin-file = \"pin\"", "pin-file = \"$CREDENTIALS_DIRECTORY/pin\"", "LoadCredential"),
    ] {
        assert!(good.contains(from), "{from}");
        std::fs::write(&config, good.replace(from, to)).unwrap();
        let (opened, said) = run(&first, &["keys", "list"]);
        assert!(!opened && said.contains(told), "{said}");
        assert!(!said.contains(PIN));
    }
    std::fs::write(&config, good).unwrap();
    std::fs::write(first.path("pin"), "another").unwrap();
    let mut listed = Command::new(binary("consentry").unwrap());
    listed.args(["keys", "list"]).arg("--config").arg(&config);
    let refused = first.with_variables(&mut listed).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(4) && said.contains("the token refuses the PIN"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_comes_from_a_credential_of_systemd_or_an_open_file_too() {
    let (bank, service) = (bank().await, Service::new().unwrap());
    let token = Token::lacking().unwrap();
    let mut node = node(&bank, &service, &token.module, (token.variable.0, &token.variable.1));
    let config = node.path("consentry.toml");
    let good = std::fs::read_to_string(&config).unwrap();

    let pin = |from: &str| {
        std::fs::write(&config, good.replace("pin-file = \"pin\"", &format!("pin-file = {from:?}"))).unwrap()
    };
    pin("/dev/fd/0");
    let mut command = Command::new(binary("consentry").unwrap());
    command.args(["keys", "list", "--json", "--config"]).arg(&config).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = node.with_variables(&mut command).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PIN}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.success(), output.stdout.trim_ascii()), (true, &b"[]"[..]));

    // As systemd shows a credential: the mode has the mask of an access list in it.
    let credentials = node.path("credentials");
    std::fs::create_dir(&credentials).unwrap();
    std::fs::write(credentials.join("pin"), PIN).unwrap();
    std::fs::set_permissions(credentials.join("pin"), std::fs::Permissions::from_mode(0o440)).unwrap();
    node.set_variable("CREDENTIALS_DIRECTORY", &credentials);
    pin("$CREDENTIALS_DIRECTORY/pin");
    let (opened, said) = run(&node, &["keys", "list", "--json"]);
    assert!(opened && said.trim() == "[]", "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_the_passphrase_of_keys_in_a_file() {
    let service = Service::new().unwrap().registered().unwrap();
    let mut node = Node::prepare("http://127.0.0.1:9", &service).unwrap();
    let config = node.path("consentry.toml");
    let good = std::fs::read_to_string(&config).unwrap();
    let passphrase = std::fs::read(node.path("passphrase")).unwrap();
    std::fs::remove_file(node.path("passphrase")).unwrap();

    let from = |place: &str| {
        let text = good.replace("passphrase-file = \"passphrase\"", &format!("passphrase-file = {place:?}"));
        assert_ne!(text, good);
        std::fs::write(&config, text).unwrap();
    };
    from("/dev/fd/0");
    for (given, opens) in [(&passphrase[..], true), (b"another one", false)] {
        let mut command = Command::new(binary("consentry").unwrap());
        command.args(["keys", "list", "--json", "--config"]).arg(&config).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = node.with_variables(&mut command).spawn().unwrap();
        child.stdin.take().unwrap().write_all(given).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!((output.status.success(), said.contains("\"current\"")), (opens, opens), "{said}");
    }

    let credentials = node.path("credentials");
    std::fs::create_dir(&credentials).unwrap();
    std::fs::write(credentials.join("passphrase"), &passphrase).unwrap();
    std::fs::set_permissions(credentials.join("passphrase"), std::fs::Permissions::from_mode(0o440)).unwrap();
    node.set_variable("CREDENTIALS_DIRECTORY", &credentials);
    from("$CREDENTIALS_DIRECTORY/passphrase");
    let (opened, said) = run(&node, &["keys", "list", "--json"]);
    assert!(opened && said.contains("\"current\""), "{said}");
}
