//! Who may use the commands for keys, what they refuse to make, and how they end where the keys don't open.

use std::path::Path;
use std::process::{Command, Output};

use consentry_tests::node::{Node, binary};
use consentry_tests::service::Service;
use nix::unistd::geteuid;

fn run(node: &Node, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(binary("consentry").unwrap());
    command.args(arguments).arg("--config").arg(node.path("consentry.toml"));
    let Output { status, stdout, stderr } = node.with_variables(&mut command).output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

fn node() -> Node {
    Node::prepare("http://127.0.0.1:9", &Service::new().unwrap().registered().unwrap()).unwrap()
}

/// The names in a folder, with what the files hold.
fn held(folder: &Path) -> Vec<(String, Option<Vec<u8>>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut held: Vec<_> =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).ok())).collect();
    held.sort();
    held
}

#[test]
fn what_another_account_would_leave_in_the_data_folder_is_refused() {
    let node = node();
    let data = node.path("data");
    let owner = if geteuid().is_root() {
        std::os::unix::fs::chown(&data, Some(65_534), None).unwrap();
        "65534"
    } else {
        let config = node.path("consentry.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let others = text.replace("data-folder = \"data\"", "data-folder = \"/etc\"");
        assert_ne!(others, text);
        std::fs::write(config, others).unwrap();
        "0"
    };
    let before = held(&data);
    let session = ["erase", "--session", "ses_01JD8Z3M7K0000000000000000"];
    for arguments in [&["keys", "rotate", "signing"][..], &["keys", "generate"], &["keys", "adopt", "--yes"], &session]
    {
        let (code, said) = run(&node, arguments);
        assert_eq!(code, Some(1), "{arguments:?}: {said}");
        assert!(said.contains(&format!("belongs to the account {owner}")) && said.contains("runuser"), "{said}");
    }
    assert_eq!(held(&data), before, "nothing is written");
}

#[test]
fn keys_are_not_made_anew_beside_root_keys_of_others() {
    let node = node();
    std::fs::write(node.path("data/roots"), "of keys that are gone").unwrap();
    std::fs::remove_file(node.path("data/keys")).unwrap();
    let (code, said) = run(&node, &["keys", "generate"]);
    assert!(code == Some(1) && said.contains("put the copy of these back"), "{said}");
    assert!(!node.path("data/keys").exists());
    std::fs::remove_file(node.path("data/roots")).unwrap();
    let (code, said) = run(&node, &["keys", "generate"]);
    assert!(code == Some(0) && said.contains("keys written"), "{said}");
}

#[test]
fn a_passphrase_that_does_not_open_the_keys_has_an_end_of_its_own() {
    let node = node();
    let good = std::fs::read(node.path("passphrase")).unwrap();
    for (passphrase, code) in [(&b"another"[..], 4), (b"", 4), (&good, 0)] {
        std::fs::write(node.path("passphrase"), passphrase).unwrap();
        let (ended, said) = run(&node, &["keys", "list"]);
        assert_eq!(ended, Some(code), "{said}");
    }
    std::fs::write(node.path("passphrase"), "another").unwrap();
    let (ended, said) = run(&node, &["serve"]);
    assert_eq!(ended, Some(4), "a service that is started again after any failure must not try it once more: {said}");
    std::fs::remove_file(node.path("data/keys")).unwrap();
    assert_eq!(run(&node, &["keys", "list"]).0, Some(1), "any other fault is worth another start");
}
