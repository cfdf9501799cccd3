//! The operator erases a session beside an engine that runs, and without one; the receipt is checked with the published keys.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use consentry_tests::child::Program;
use consentry_tests::node::binary;
use consentry_tests::service::ID;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::World;
use super::delivery::parcel;

pub(super) fn consentry(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(binary("consentry").unwrap()).args(arguments).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_erased_with_a_receipt_that_anybody_can_check() {
    let mut world = World::new().await;
    let (one, _) = world.in_review().await;
    one.share(&[]).await.unwrap();
    let parcel = parcel(&world, &one).await;
    let (other, _) = world.agreed().await;
    let path = |name: &str| world.node.path(name).display().to_string();
    let (config, receipt, keys) = (path("consentry.toml"), path("receipt.jwt"), path("keys.json"));
    let published = reqwest::get(format!("{}/v1/keys", world.node.url)).await.unwrap().text().await.unwrap();
    std::fs::write(&keys, published).unwrap();

    let erase = |session: &str, out: &str| {
        tokio::task::block_in_place(|| consentry(&["erase", "--session", session, "--config", &config, "--out", out]))
    };
    let (done, told) = erase(one.session(), &path("nowhere/receipt.jwt"));
    assert!(!done && told.contains("nothing was erased"), "{told}");
    assert_eq!(one.status().await.unwrap()["state"], "delivering");
    let (done, told) = erase(one.session(), &receipt);
    assert!(done && told.contains("erased   R04/session/") && told.contains("erased   R23/parcel/"), "{told}");
    assert!(told.contains("within-3600.") && told.contains("kept     1 of R14"), "{told}");
    assert!(one.status().await.is_err(), "its session is gone");
    assert!(world.service.receiver(&world.node).unwrap().engine.fetch(&parcel).await.is_err());
    assert_eq!(other.status().await.unwrap()["state"], "awaiting-credentials");

    // A pipe gives the passphrase once.
    let (third, _) = world.agreed().await;
    let (done, told) = tokio::task::block_in_place(|| {
        let mut command = Command::new(binary("consentry").unwrap());
        command.args(["erase", "--session", third.session(), "--config", &config]);
        command.env("CONSENTRY__KEYS__PASSPHRASE_FILE", "/dev/stdin").stdin(Stdio::piped());
        let mut erases = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let passphrase = std::fs::read(world.node.path("passphrase")).unwrap();
        erases.stdin.take().unwrap().write_all(&passphrase).unwrap();
        let done = erases.wait_with_output().unwrap();
        (done.status.success(), [done.stdout, done.stderr].map(|text| String::from_utf8(text).unwrap()).concat())
    });
    assert!(done && told.contains("erased   R04/session/"), "{told}");

    let verify = |file: &str| consentry(&["verify", "erasure", file, "--keys", &keys]);
    let (holds, told) = verify(&receipt);
    assert!(holds && told.contains("the receipt holds"), "{told}");
    let token = std::fs::read_to_string(&receipt).unwrap();
    std::fs::write(&receipt, token.replacen('.', ".A", 1)).unwrap();
    assert!(!verify(&receipt).0);

    tokio::task::block_in_place(|| world.node.stop()).unwrap();
    let (done, told) = consentry(&["erase", "--session", other.session(), "--config", &config, "--json"]);
    let told: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert!(done && told["facts"]["erased"][0]["record"].as_str().unwrap().starts_with("R04/session/"), "{told}");
    let (done, told) = consentry(&["erase", "--online-service", ID, "--config", &config, "--json"]);
    let told: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    let survives = told["facts"]["survives"].as_array().unwrap();
    assert!(done && survives.iter().any(|kept| kept["row"] == "R14" && kept["until"].is_string()), "{told}");
    let (done, told) = consentry(&["erase", "--session", "ses_nobody", "--config", &config]);
    assert!(!done && told.contains("not an id"), "{told}");
}

#[test]
fn a_simulation_of_some_days_finds_every_record_gone_at_its_deadline() {
    let arguments = ["sim", "retention", "--days", "5", "--json"];
    let output = Command::new(binary("consentry").unwrap()).args(arguments).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        output.status.success() && report["wrong"].as_array().unwrap().is_empty() && report["days"] == 5,
        "{report}"
    );
}

#[test]
fn a_simulation_that_is_ended_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary("consentry").unwrap());
    command.args(["sim", "retention", "--years", "100"]).env("TMPDIR", temporary.path());
    let mut simulates = Program::start("consentry", &mut command, |_| {}).unwrap();
    let begun = || {
        std::fs::read_dir(temporary.path()).unwrap().any(|folder| folder.unwrap().path().join("live/store/db").exists())
    };
    while !begun() {
        assert!(simulates.ended(Duration::from_millis(20)).is_err(), "it has begun nothing");
    }
    simulates.signal(Signal::SIGTERM).unwrap();
    assert_eq!(simulates.ended(Duration::from_secs(60)).unwrap().code(), Some(1));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}
