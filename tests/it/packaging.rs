//! What a node is installed with: the unit of systemd is one, and lets the node do little else than it has to.

use std::process::{Command, Output};

use super::contract::root;

fn analyze(arguments: &[&str], unit: &str) -> Output {
    Command::new("systemd-analyze")
        .args(arguments)
        .arg(unit)
        .output()
        .expect("systemd-analyze: apt-get install systemd")
}

#[test]
fn the_unit_is_one_and_confines_the_node() {
    confines("", "20");
}

#[test]
fn what_stands_beside_it_for_a_browser_is_known_and_leaves_it_confined() {
    let beside = std::fs::read_to_string(root().join("packaging/consentry-browser.conf")).unwrap();
    // A browser needs namespaces; what systemd counts beside them stays.
    confines(&beside, "45");
}

/// Reads the unit with what stands beside it behind it, as systemd does; its exposure is at most so many tenths.
fn confines(beside: &str, tenths: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("consentry.service");
    let text = std::fs::read_to_string(root().join("packaging/consentry.service")).unwrap() + "\n" + beside;
    // It is not installed here; what is checked is that systemd knows every line.
    let program = std::env::current_exe().unwrap();
    std::fs::write(&path, text.replace("/usr/bin/consentry", program.to_str().unwrap())).unwrap();
    let unit = path.to_str().unwrap();
    let verified = analyze(&["verify", "--man=no"], unit);
    let told = String::from_utf8_lossy(&verified.stderr).into_owned();
    // Of systemd 254; before that the browser has no control group of its own beside the node's.
    let faults =
        told.lines().filter(|line| line.contains("consentry.service:") && !line.contains("'DelegateSubgroup'"));
    assert!(verified.status.success() && faults.count() == 0, "{told}");
    // The worst is 10.0; a unit without any of it has 9.6.
    let exposed = analyze(&["security", "--offline=true", &format!("--threshold={tenths}"), "--no-pager"], unit);
    assert!(exposed.status.success(), "{}", String::from_utf8_lossy(&exposed.stdout));
}

#[test]
fn the_unit_names_what_the_command_line_has_and_the_node_needs() {
    let text = std::fs::read_to_string(root().join("packaging/consentry.service")).unwrap();
    for line in [
        "RestartPreventExitStatus=4",
        "MemorySwapMax=0",
        "LimitMEMLOCK=8M",
        "LimitCORE=0",
        "LoadCredential=passphrase:",
        "NoNewPrivileges=yes",
    ] {
        assert!(text.lines().any(|each| each.starts_with(line)), "{line}");
    }
    // Compiled connectors are written by the node and run by it.
    assert!(!text.lines().any(|line| line.starts_with("MemoryDenyWriteExecute=yes")));
}
