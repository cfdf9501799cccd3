//! The author's day: the tutorial, every command of it, in the order in which it stands there; and every template.

mod careless;
mod redirect;
mod review;
mod tools;
mod watch;

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use consentry_tests::node::binary;

/// The tutorial's bank listens where its manual says; another run of these tests may be at it.
const PORTS: [u16; 2] = [18090, 18091];
const FREE_WITHIN: Duration = Duration::from_secs(300);

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The commands of a document, in the order in which they stand there.
fn commands(document: &str) -> String {
    let blocks = document.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.collect()
}

fn wait_for_ports() {
    let until = Instant::now() + FREE_WITHIN;
    while PORTS.iter().any(|port| TcpListener::bind(("127.0.0.1", *port)).is_err()) {
        assert!(Instant::now() < until, "another program listens on {PORTS:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn the_tutorial_works_as_it_is_written() {
    let text = std::fs::read_to_string(root().join("docs/tutorial.md")).unwrap();
    let commands = commands(&text);
    assert!(commands.lines().count() > 20, "{commands}");
    // The binaries that the tutorial speaks of.
    for name in ["consentry", "sample-bank"] {
        binary(name).unwrap();
    }
    let _ = std::fs::remove_dir_all(root().join("target/tutorial"));
    wait_for_ports();
    // What was built before is built no more; where it is kept is all that differs from a reader's terminal.
    let script = format!(
        "set -eo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null' EXIT\nexport CARGO_TARGET_DIR=\"$PWD/target/tutorial-build\"\n{commands}"
    );
    let done = Command::new("bash").arg("-c").arg(&script).current_dir(root()).output().unwrap();
    let [out, err] = [&done.stdout, &done.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(done.status.success(), "{out}\n{err}");
    assert!(out.contains("bank.account=3 bank.balance=3 bank.transaction=12"), "{out}\n{err}");
    assert!(out.contains("test result: ok. 2 passed; 0 failed"), "{out}\n{err}");
    let parcel = std::fs::read_to_string(root().join("target/tutorial/parcel.json")).unwrap();
    assert!(parcel.contains("bank.transaction"), "{parcel}");
    assert!(!out.contains("Correct-Horse-7!") && !err.contains("Correct-Horse-7!"), "{out}\n{err}");
}

/// A key that signs connectors, without a passphrase.
fn key() -> String {
    root().join("target/connectors/developer.key").display().to_string()
}

/// Calls the command; what was built for the tutorial is used again.
fn consentry(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(binary("consentry").unwrap());
    command.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", root().join("target/tutorial-build"));
    let done = command.output().unwrap();
    let told = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (done.status.success(), told)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_template_builds_and_passes_its_tests_and_what_leaves_a_state_out_is_not_published() {
    let folder = tempfile::tempdir().unwrap();
    for template in ["form-login", "browser", "oauth", "json-api"] {
        let name = format!("my-{template}");
        let (made, told) = consentry(folder.path(), &["connector", "new", &name, "--template", template]);
        assert!(made, "{told}");
        let (passed, told) = consentry(folder.path(), &["connector", "test", &name]);
        let counted = match template {
            "form-login" => "15 passed, 0 failed\n",
            "browser" => "13 passed, 0 failed, 2 declared not to apply (not counted as passed)\n",
            _ => "11 passed, 0 failed, 4 declared not to apply (not counted as passed)\n",
        };
        assert!(passed && told.contains(counted), "{template}: {told}");
        // Its kept pages, read without WebAssembly.
        let mut natively = Command::new("cargo");
        natively.args(["test", "--quiet", "--offline"]).current_dir(folder.path().join(&name));
        let natively = natively.env("CARGO_TARGET_DIR", root().join("target/tutorial-build")).output().unwrap();
        let told = [natively.stdout, natively.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(natively.status.success() && told.contains("2 passed"), "{template}: {told}");
    }
    tools::looks_are_told(folder.path(), "my-form-login");
    review::is_done_as_the_guide_says(folder.path(), "my-form-login");
    careless::is_believed_only_where_nothing_contradicts(folder.path(), "my-form-login");
    careless::is_not_published(folder.path(), "my-form-login");
    watch::runs_what_is_changed(folder.path(), "my-form-login").await;
    redirect::collects(folder.path(), "my-oauth").await;
    let platform = folder.path().join("platform");
    std::fs::create_dir(&platform).unwrap();
    std::fs::remove_file(folder.path().join("my-form-login/tape/otp-ok.recording")).unwrap();
    let publish = |key: &str| {
        consentry(folder.path(), &["connector", "publish", "my-form-login", "--to", "platform", "--key", key])
    };
    let (published, told) = publish(&key());
    assert!(!published && told.contains("otp-ok:\n  there is no recording `otp-ok`"), "{told}");
    // What could not be signed is not built nor tested first.
    std::fs::write(folder.path().join("no-key"), "no key").unwrap();
    let (published, told) = publish("no-key");
    assert!(!published && told.contains("no-key") && !told.contains("otp-ok"), "{told}");
    assert_eq!(std::fs::read_dir(&platform).unwrap().count(), 0);
}
