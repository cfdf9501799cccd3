//! A receipt outside of the engine: by the command that needs no engine, and by a library of others.

use std::process::Command;

use consentry::receipt::file::ReceiptFile;
use consentry_tests::journey::{Journey, client, send};
use consentry_tests::service::next;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::cli::{Called, call};
use super::{EVENT, LOGIN, World};

/// The person's receipt with its proofs, which come when the engine has looked at its clock.
async fn file(person: &Journey) -> ReceiptFile {
    loop {
        let receipt = person.receipts().await.unwrap().remove(0);
        let file: ReceiptFile =
            serde_json::from_value(json!({ "receipt": receipt["receipt"], "proofs": receipt["proofs"] })).unwrap();
        if !file.proofs.is_empty() {
            return file;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn get(world: &World, path: &str) -> (u16, String) {
    let client = consentry_tests::journey::client().unwrap();
    let answer = client.get(format!("{}/v1/{path}", world.node.url)).send().await.unwrap();
    (answer.status().as_u16(), String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_checked_without_us_and_by_a_library_of_others() {
    let mut world = World::new().await;
    assert_eq!(get(&world, "log/checkpoint").await.0, 404, "nothing has happened");
    let mut told = world.listen().await;
    let (person, mut events, question) = world.asked().await;
    world.answer(&person, &question).await;
    events.until("in-review", EVENT).await.unwrap();
    person.share(&[]).await.unwrap();
    next(&mut told, EVENT).await.unwrap().unwrap();
    events.until("completed", EVENT).await.unwrap();
    let file = tokio::time::timeout(EVENT, file(&person)).await.unwrap();
    let keys = get(&world, "keys").await.1;
    let (status, checkpoint) = get(&world, "log/checkpoint").await;
    assert_eq!((status, checkpoint.lines().nth(1)), (200, Some("4")), "{checkpoint}");
    assert_eq!(get(&world, "log/tile/0/000.p/4").await.0, 200);
    assert_eq!(get(&world, "log/tile/..%2f..%2fkeys").await.0, 404);
    // The engine is gone; so may be its operator.
    drop(world);

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("keys"), &keys).unwrap();
    let verify = async |text: String, more: &[&str]| -> Called {
        std::fs::write(path("receipt"), text).unwrap();
        let mut arguments = vec!["verify".to_owned(), "receipt".into(), path("receipt"), "--keys".into(), path("keys")];
        arguments.extend(more.iter().map(|&word| word.to_owned()));
        call(arguments).await
    };
    let held = verify(file.to_text() + "\n", &["--json"]).await;
    assert_eq!((held.code, &held.json()["facts"]["outcome"]), (Some(0), &json!("delivered")), "{held:?}");
    assert_eq!(held.json()["ledger"][3]["size"], 4);
    let told = verify(file.to_text(), &[]).await;
    // A second may have begun in between: then the log was written with three leaves, and with four.
    assert!(told.out.contains("released is leaf 2 of ") && told.out.contains("the receipt holds"), "{told:?}");
    let changed = verify(file.to_text().replacen("index 1", "index 2", 1), &[]).await;
    assert_eq!((changed.code, changed.out.as_str()), (Some(1), ""), "{changed:?}");
    let bare = verify(file.receipt.clone(), &[]).await;
    assert!(bare.code == Some(1) && bare.err.contains("--signature-only"), "{bare:?}");

    // Of the receipt the person shows the outcome, and what was shared; not from which bank.
    let parts: Vec<&str> = file.receipt.split('~').collect();
    let some = format!("{}~{}~", parts[0], parts[1]);
    let shown = verify(some.clone(), &["--signature-only"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.json()["source"].is_null() && shown.json()["categories"].as_array().unwrap().len() == 1);
    let theirs = |receipt: &str| {
        std::fs::write(path("sd-jwt"), receipt).unwrap();
        by_others(&path("sd-jwt"), &path("keys"))
    };
    assert_eq!(theirs(&some), Ok(shown.json()));
    assert_eq!(theirs(&file.receipt), Ok(verify(file.receipt.clone(), &["--signature-only"]).await.json()));
    let mut forged = some.into_bytes();
    let last = forged.len() - 3;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let payload = theirs(std::str::from_utf8(&forged).unwrap());
    assert!(payload.is_err() || payload.unwrap()["categories"] == json!([]), "a changed disclosure discloses nothing");
}

/// What the library says that a receipt says.
fn by_others(receipt: &str, keys: &str) -> Result<Value, String> {
    with_others("verify.py", &[receipt, keys]).map(|text| serde_json::from_str(&text).unwrap())
}

/// Runs a program with the library of others.
fn with_others(program: &str, arguments: &[&str]) -> Result<String, String> {
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sources/sd-jwt");
    let installed = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/sources/sd-jwt");
    let done = Command::new(sources.join("install")).arg(&installed).status().unwrap();
    assert!(done.success(), "the library can't be installed");
    let python = installed.join("venv/bin/python");
    let ran = Command::new(python).arg(sources.join(program)).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    if ran.status.success() { Ok(text(ran.stdout)) } else { Err(text(ran.stderr)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_is_bound_to_a_key_is_shown_by_a_library_of_others_and_by_nobody_else() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let key: Value = serde_json::from_str(&with_others("hold.py", &["new", &path("key")]).unwrap()).unwrap();
    let person = world.service.ask(&world.node).await.unwrap();
    let notice = person.choose("sample-bank", "sample-bank").await.unwrap();
    let decision = json!({ "decision": "given", "notice": notice["digest"], "categories": ["person.name"],
        "attests_access": true, "holder_key": key });
    person.call(Method::POST, "consent", Some(decision)).await.unwrap().good().unwrap();
    let mut events = person.events().await.unwrap();
    person.log_in(&[LOGIN[0], ("password", "another password")]).await.unwrap();
    events.until("collecting", EVENT).await.unwrap();
    events.until("awaiting-credentials", EVENT).await.unwrap();
    let receipt = person.receipts().await.unwrap()[0]["receipt"].as_str().unwrap().to_owned();
    std::fs::write(path("receipt"), &receipt).unwrap();
    std::fs::write(path("keys"), get(&world, "keys").await.1).unwrap();

    let post = async |what: &str, body: &Value| {
        let request = client().unwrap().post(format!("{}/v1/{what}", world.node.url));
        send(request.header("content-type", "application/json").body(body.to_string())).await.unwrap()
    };
    let ask = |shown: &str| json!({ "receipt": shown, "ask": { "right": "access" } });
    assert_eq!(post("rights", &ask(&receipt)).await.status, StatusCode::NOT_FOUND, "without the key");
    let given = post("rights/nonce", &json!({})).await.good().unwrap();
    let [nonce, audience] = ["nonce", "audience"].map(|name| given[name].as_str().unwrap());
    let shown =
        with_others("hold.py", &["show", &path("receipt"), &path("keys"), &path("key"), nonce, audience]).unwrap();
    let told = post("rights", &ask(&shown)).await.good().unwrap();
    assert_eq!(told["result"]["receipt"]["outcome"], "failed", "{told}");
    assert_eq!(post("rights", &ask(&shown)).await.status, StatusCode::NOT_FOUND, "a nonce is taken once");
}
