//! The first start of a sandbox: together with another one, cut off, and after one that was killed.

use std::path::{Path, PathBuf};

use consentry_tests::child::Program;
use consentry_tests::node::{binary, connector};
use nix::sys::signal::Signal;

use super::{STARTS_WITHIN, address, command};

fn start(folder: &Path, listen: &str) -> Program {
    let (bank, wasm) = (binary("sample-bank").unwrap(), connector("sample-bank").unwrap());
    let given = ["--bank", bank.to_str().unwrap(), "--connector", wasm.to_str().unwrap(), "--listen", listen];
    Program::start("consentry", &mut command(folder, &given), |_| {}).unwrap()
}

fn names(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn of_two_first_starts_one_makes_the_sandbox_and_both_have_it() {
    let home = tempfile::tempdir().unwrap();
    let (folder, listen) = (home.path().join("sandbox"), address());
    let both = [(); 2].map(|()| start(&folder, &listen));
    // Whichever came first serves; the other finds its sandbox whole, and its addresses taken.
    let [first, second] = both;
    let (serves, mut other) = match first.line("consentry: SANDBOX", STARTS_WITHIN) {
        Ok(_) => (first, second),
        Err(_) => {
            second.line("consentry: SANDBOX", STARTS_WITHIN).expect("one of the two serves");
            (second, first)
        }
    };
    assert_eq!(other.ended(STARTS_WITHIN).unwrap().code(), Some(1));
    let key = serves.line("key-file ", STARTS_WITHIN).unwrap();
    assert!(Path::new(&key).is_file() && folder.join("data/keys").is_file());
    assert_eq!(names(home.path()), std::slice::from_ref(&folder));
    assert!(!folder.join("lock").exists());
}

#[test]
fn a_first_start_that_is_ended_leaves_nothing_and_what_a_killed_one_left_is_no_harm() {
    let home = tempfile::tempdir().unwrap();
    let (folder, listen) = (home.path().join("sandbox"), address());
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut cut_off = start(&folder, &listen);
        cut_off.line("consentry: making a sandbox", STARTS_WITHIN).unwrap();
        cut_off.signal(signal).unwrap();
        assert_eq!(cut_off.ended(STARTS_WITHIN).unwrap().code(), Some(130));
        assert_eq!(names(home.path()), [""; 0].map(PathBuf::from));
    }
    let mut killed = start(&folder, &listen);
    killed.line("consentry: making a sandbox", STARTS_WITHIN).unwrap();
    killed.signal(Signal::SIGKILL).unwrap();
    killed.ended(STARTS_WITHIN).unwrap();
    assert_eq!(names(home.path()), [home.path().join("sandbox.part")]);
    start(&folder, &listen).line("consentry: SANDBOX", STARTS_WITHIN).unwrap();
    assert_eq!(names(home.path()), [folder]);
}
