//! The author's day: the tutorial, every command of it, in the order in which it stands there.

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
    let parcel = std::fs::read_to_string(root().join("target/tutorial/parcel.json")).unwrap();
    assert!(parcel.contains("bank.transaction"), "{parcel}");
    for secret in ["Correct-Horse-7!", "12345678"] {
        assert!(!out.contains(secret) && !err.contains(secret), "{secret}\n{out}\n{err}");
    }
}
