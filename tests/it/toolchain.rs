//! What `cargo xtask connectors` does to the toolchain: it adds the target for connectors where that is missing, before anything is built.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use consentry_tests::node::binary;

/// Stands in for a program of the toolchain: notes how it was called, and does this.
fn stand_in(folder: &Path, name: &str, does: &str) {
    let (path, calls) = (folder.join(name), folder.join("calls"));
    let text = format!("#!/bin/sh\necho \"{name} $*\" >> '{}'\n{does}\n", calls.display());
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Calls it where no other program is found than the stand-ins: what it said, and what it called.
fn connectors(installed: bool, rustup: &str) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    if installed {
        std::fs::create_dir(&target).unwrap();
    }
    stand_in(folder.path(), "rustc", &format!("echo '{}'", target.display()));
    stand_in(folder.path(), "rustup", rustup);
    stand_in(folder.path(), "cargo", "exit 101");
    let called = Command::new(binary("xtask").unwrap())
        .args(["connectors", "sample-bank"])
        .env("PATH", folder.path())
        .output()
        .unwrap();
    assert!(!called.status.success(), "nothing can be built here");
    let calls = std::fs::read_to_string(folder.path().join("calls")).unwrap();
    let words = |line: &str| line.split(" --message-format").next().unwrap_or_default().to_owned();
    (String::from_utf8(called.stderr).unwrap(), calls.lines().map(words).collect())
}

#[test]
fn a_missing_target_is_added_before_connectors_are_built() {
    let looks = "rustc --print target-libdir --target wasm32-unknown-unknown";
    let (adds, builds) = ("rustup target add wasm32-unknown-unknown", "cargo build --target wasm32-unknown-unknown");

    let (said, calls) = connectors(false, "");
    assert_eq!(calls, [looks, adds, builds], "{said}");
    assert!(said.contains("adding the target wasm32-unknown-unknown"), "{said}");

    // One that is there is left alone.
    let (said, calls) = connectors(true, "");
    assert_eq!(calls, [looks, builds], "{said}");

    // One that can't be added is told with the command that adds it.
    let (said, calls) = connectors(false, "exit 1");
    assert_eq!(calls, [looks, adds], "{said}");
    assert!(said.contains("install the Rust target") && said.contains(adds), "{said}");
}
