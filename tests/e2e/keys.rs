//! Keys: both back ends do the same (`conformance`), and what is said of a token is true of a real one behind a real PKCS#11 module.

mod conformance;
mod owner;
mod token;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use consentry::clock::{Clock as _, SystemClock};
use consentry::keys::pkcs11::Settings;
use consentry::keys::{Duty, KeyProvider as _};
use consentry::keys::{SoftwareKeys, TokenKeys};
use consentry_tests::token::{LABEL, PIN, Server, Token};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::Attribute;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_a_token_holds_twice_goes_wholly() {
    let token = Token::able().unwrap();
    tokio::task::block_in_place(|| alone("keys::on_a_token_with_copies", token.variable.clone()));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs only as the child of another test"]
async fn on_a_token_with_copies() {
    let (module, now) = (Token::module().unwrap(), SystemClock.now());
    let keys = tokio::task::block_in_place(|| TokenKeys::generate(settings(module.clone()), now).unwrap());
    let old = keys.list().await.unwrap().into_iter().find(|key| key.duty == Duty::Storage).unwrap().kid;
    let month = consentry::clock::Month::of(now);
    keys.month_hmac(month, b"login", now).await.unwrap();
    keys.rotate(Duty::Storage, now).await.unwrap();

    let module = Pkcs11::new(module).unwrap();
    // The keys above have begun the module already.
    let _ = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slot = module.get_slots_with_token().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    let named = |id: &str| session.find_objects(&[Attribute::Token(true), Attribute::Id(id.into())]).unwrap();
    let month_id = format!("month-{month}");
    for id in [&old, &month_id] {
        session.copy_object(named(id)[0], &[Attribute::Token(true)]).unwrap();
        assert_eq!(named(id).len(), 2, "{id}");
    }
    assert_eq!(keys.retire(&old).await.unwrap().kid, old);
    keys.destroy(&old, now).await.unwrap();
    assert_eq!(keys.destroy_due(month.first_instant_after(13)).await.unwrap().len(), 1);
    for id in [&old, &month_id] {
        assert!(named(id).is_empty(), "{id}");
    }
}
