//! The real command plants values by every door of a real engine and looks for them everywhere: here, that it finds nothing in ours, and
//! something in one that leaks.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};

use consentry_tests::canary;
use consentry_tests::journey::{client, send};
use consentry_tests::node::{binary, connector};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use sample_bank::JULIE;
use serde_json::Value;

use super::memory::mappings_with;
use super::{LOGIN, World};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A drill with these connectors.
fn drill(connectors: &[&str]) -> Command {
    let mut command = Command::new(binary("consentry").unwrap());
    command.args(["canary", "run", "--bank"]).arg(binary("sample-bank").unwrap());
    for name in connectors {
        command.arg("--connector").arg(connector(name).unwrap());
    }
    command
}

#[test]
fn what_a_drill_plants_by_every_door_is_nowhere() {
    let done = drill(&["sample-bank", "sample-branch", "tests/returning"]).arg("--json").output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["found"].as_array().unwrap().len(), 0, "{report}");
    let looks = report["looks"].as_array().unwrap();
    // Each of: a wrong password, a code, a preview, a delivery, two failures, for each connector; of the one that keeps its session: a delivery,
    // one while nobody is there, two failures; the others once.
    assert_eq!(looks.len(), 2 * 6 + 4 + 6, "{report}");
    assert!(looks.iter().any(|when| when == "it was delivered while nobody was there"), "{report}");
    assert!(
        looks.iter().any(|when| when == "a collection failed, its report was given, and a lent login was opened"),
        "{report}"
    );
    assert!(report["places"].as_u64() > Some(500) && report["bytes"].as_u64() > Some(100_000_000), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_to_be_somewhere_is_found_there_and_is_not_printed() {
    let world = World::new().await;
    let (config, process) = (world.node.path("consentry.toml"), world.node.process().unwrap().to_string());
    let known = "privacy@operator.example";
    let look = |values: &str, arguments: &[&str]| {
        let mut command = Command::new(binary("consentry").unwrap());
        command.args(["canary", "search", "--values", "-"]).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(values.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    for place in [["--in", config.to_str().unwrap()], ["--process", &process]] {
        let looked = look(&format!("{}\n{known}\n", JULIE.password), &place);
        let told = said(&looked);
        assert_eq!(looked.status.code(), Some(1), "{told}");
        assert!(told.contains("FOUND    value 2 in ") && !told.contains("FOUND    value 1"), "{told}");
        assert!(!told.contains(known), "{told}");
        assert!(look(JULIE.password, &place).status.success());
    }
    // What was not looked into is not clean: a device, what others packed, a value that memory holds by chance.
    let packed = world.node.path("core.zst");
    std::fs::write(&packed, b"\x28\xb5\x2f\xfd and more").unwrap();
    for (value, place, why) in [
        (JULIE.password, ["--in", "/dev/zero"], "neither a file nor a folder"),
        (JULIE.password, ["--in", packed.to_str().unwrap()], "packed"),
        ("314159", ["--process", &process], "value 1 is shorter than"),
    ] {
        let looked = look(value, &place);
        let told = said(&looked);
        assert!(looked.status.code() == Some(3) && told.contains("NOT SEARCHED") && told.contains(why), "{told}");
    }
}

/// Run by `cargo xtask leaky`, which builds that engine.
#[test]
#[ignore = "needs an engine that was built to leak"]
fn an_engine_that_leaks_is_caught() {
    // What is typed into a form, and what is pressed on a keypad of a page.
    for (connector, value) in [("sample-bank", "the password"), ("sample-branch", "the branch's code")] {
        let done = drill(&[connector]).arg("--engine").arg(binary("consentry-leaky").unwrap()).output().unwrap();
        let told = said(&done);
        assert_eq!(done.status.code(), Some(1), "{told}");
        for place in ["/engine/stderr", "/engine/data/leak", "/dev/shm/consentry-canary-", "/wire/events", "/mem at "] {
            let is_told = |line: &str| line.starts_with(&format!("FOUND    {value} in ")) && line.contains(place);
            assert!(told.lines().any(is_told), "{value}, {place}: {told}");
        }
    }
}

/// Run as the test before. The engine is told to panic with the login that it has just opened as the message: once so that the process goes
/// on, and once so that it ends, where a core may be written.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an engine that was built to leak"]
async fn a_panic_with_an_opened_login_tells_its_place_alone() {
    let (_, most) = getrlimit(Resource::RLIMIT_CORE).unwrap();
    setrlimit(Resource::RLIMIT_CORE, most, most).unwrap();
    for ends in [false, true] {
        let mut world = World::prepared().await;
        world.node.set_program("consentry-leaky");
        std::fs::write(world.node.path("data/panics"), if ends { "ends" } else { "" }).unwrap();
        tokio::task::block_in_place(|| world.node.serve()).unwrap();
        let (person, _events) = world.agreed().await;
        assert!(person.log_in(&LOGIN).await.is_err(), "nobody answers what panicked");
        if ends {
            let status = tokio::task::block_in_place(|| world.node.ended()).unwrap();
            assert_eq!((status.signal(), status.core_dumped()), (Some(Signal::SIGABRT as i32), false));
        } else {
            let health = send(client().unwrap().get(format!("{}/v1/health", world.node.url))).await.unwrap();
            assert!(health.status.is_success(), "it goes on");
            let process = world.node.process().unwrap();
            tokio::task::block_in_place(|| assert_eq!(mappings_with(process, JULIE.password), [""; 0]));
        }
        let told = std::fs::read_to_string(world.node.path("stderr")).unwrap();
        assert!(told.contains("leak.rs:") && told.contains("its message is not shown"), "{told}");
        let values = [JULIE.login, JULIE.password];
        assert_eq!(canary::search(&world.node.path(""), &values).unwrap().found, []);
    }
}
