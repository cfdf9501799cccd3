//! Keys: both back ends do the same (`conformance`), and what is said of a token is true of a real one behind a real PKCS#11 module.

mod conformance;
mod token;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use consentry::clock::{Clock as _, SystemClock};
use consentry::keys::pkcs11::Settings;
use consentry::keys::{SoftwareKeys, TokenKeys};
use consentry_tests::token::{LABEL, PIN, Server, Token};

fn settings(module: PathBuf) -> Settings {
    Settings { module, token: LABEL.to_owned(), pin: PIN.into() }
}

/// Runs one test that is ignored otherwise in a process of its own, where a variable leads to a token.
fn alone(test: &str, (name, value): (&str, PathBuf)) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(name, value)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[child.stdout, child.stderr].concat()).into_owned();
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_software_conform() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let keys = tokio::task::block_in_place(|| SoftwareKeys::generate(&path, "right".into(), SystemClock.now()));
    conformance::all(Arc::new(keys.unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_a_token_conform() {
    let token = Token::able().unwrap();
    tokio::task::block_in_place(|| alone("keys::on_the_token_itself", token.variable.clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_a_token_conform_from_afar() {
    let token = Token::able().unwrap();
    let server = token.serve().unwrap();
    tokio::task::block_in_place(|| alone("keys::on_the_token_behind_a_server", server.variable()));
}

async fn conforms(module: PathBuf) {
    let made = tokio::task::block_in_place(|| TokenKeys::generate(settings(module.clone()), SystemClock.now()));
    drop(made.unwrap());
    let keys = tokio::task::block_in_place(|| TokenKeys::open(settings(module)).unwrap());
    conformance::all(Arc::new(keys)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs only as the child of another test"]
async fn on_the_token_itself() {
    conforms(Token::module().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs only as the child of another test"]
async fn on_the_token_behind_a_server() {
    conforms(Server::module()).await;
}
