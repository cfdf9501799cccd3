//! Who signed a connector, and what an operator reads before saying yes.

use std::path::Path;

use consentry::collect::signature::unsigned;
use consentry_tests::versions::sample_bank;

use super::{Called, Desk, call, configuration, connector, login, words};

/// A passphrase file and the names of a key's two files.
fn key_in(folder: &Path) -> (String, String, String) {
    let passphrase = folder.join("passphrase");
    std::fs::write(&passphrase, "only for tests\n").unwrap();
    std::fs::set_permissions(&passphrase, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let name = folder.join("author").display().to_string();
    (passphrase.display().to_string(), format!("{name}.key"), format!("{name}.pub"))
}

fn refused(called: &Called, why: &str) {
    assert!(called.code == Some(1) && called.err.contains(why), "{why}: {called:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_is_signed_and_its_signature_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (passphrase, secret, public) = key_in(folder.path());
    let name = secret.trim_end_matches(".key");
    let made = call(words(&format!("connector keygen {name} --passphrase-file {passphrase}"))).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    refused(
        &call(words(&format!("connector keygen {name} --passphrase-file {passphrase}"))).await,
        "never overwritten",
    );

    let file = folder.path().join("bank.wasm");
    let built = std::fs::read(connector("sample-bank").unwrap()).unwrap();
    std::fs::write(&file, unsigned(&built)).unwrap();
    let verify = format!("connector verify {} --trust {public}", file.display());
    refused(&call(words(&verify)).await, "it is not signed");
    refused(&call(words(&format!("connector sign {} --key {secret}", file.display()))).await, "--passphrase-file");
    let sign = format!("connector sign {} --key {secret} --passphrase-file {passphrase}", file.display());
    assert_eq!(call(words(&sign)).await.code, Some(0));
    let verified = call(words(&verify)).await;
    assert!(verified.code == Some(0) && verified.out.contains("signed by author"), "{verified:?}");
    let told = call(words(&format!("{verify} --json"))).await.json();
    assert_eq!((&told["signed-by"], &told["id"]), (&"author".into(), &"sample-bank".into()), "{told}");
    let checked = call(words(&format!("connector check --json {}", file.display()))).await.json();
    assert_eq!(checked["digest"], told["digest"], "{checked}");

    let developer = connector("sample-bank").unwrap().with_file_name("developer.pub");
    let stranger = format!("connector verify {} --trust {}", file.display(), developer.display());
    refused(&call(words(&stranger)).await, "which is not trusted here");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    refused(&call(words(&verify)).await, "changed after it was signed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_known_has_signed_runs_in_development_only_and_not_quietly() {
    let desk = Desk::new().await;
    let folder = tempfile::tempdir().unwrap();
    let built = std::fs::read(connector("sample-bank").unwrap()).unwrap();
    std::fs::write(folder.path().join("bank.wasm"), unsigned(&built)).unwrap();
    let mut arguments = desk.collect(&login());
    let at = arguments.iter().position(|word| word == "--connectors").unwrap();
    arguments[at + 1] = folder.path().display().to_string();
    let called = call(arguments.clone()).await;
    refused(&called, "it is not signed");
    arguments.push("--unsigned".to_owned());
    let called = call(arguments.clone()).await;
    assert!(called.code == Some(0) && called.err.contains("nobody answers for what they do"), "{called:?}");
    arguments.retain(|word| word != "--development");
    assert_eq!(call(arguments).await.code, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_versions_are_compared_for_people_and_for_machines() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let next = ("version = \"0.1.0\"", "version = \"0.2.0\"");
    let wider = ("origins = [\"{base}\"]", "origins = [\"{base}\", \"https://elsewhere.example\"]");
    let old = sample_bank(&path("old.wasm"), &[]).unwrap();
    let new = sample_bank(&path("new.wasm"), &[next, wider]).unwrap();
    let command = format!("connector diff {} {}", old.path.display(), new.path.display());
    let told = call(words(&command)).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    for word in ["before sample-bank 0.1.0", "after  sample-bank 0.2.0", "https://elsewhere.example", "origin"] {
        assert!(told.out.contains(word), "{word}: {}", told.out);
    }
    let told = call(words(&format!("{command} --json"))).await.json();
    assert_eq!(
        (&told["widens"], &told["difference"]["after"]["digest"]),
        (&true.into(), &new.digest.to_string().into())
    );
    let added = told["difference"]["added"].as_array().unwrap();
    assert!(added.len() == 1 && added[0]["kind"] == "origin", "{told}");
    let back = format!("connector diff --json {} {}", new.path.display(), old.path.display());
    assert_eq!(call(words(&back)).await.json()["widens"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_named_key_has_signed_is_served_to_nobody_and_it_is_said_how_to_name_one() {
    let desk = Desk::new().await;
    let mut arguments = desk.collect(&login());
    let at = arguments.iter().position(|word| word == "--trust").unwrap();
    arguments.drain(at..at + 2);
    let called = call(arguments).await;
    assert_eq!(called.code, Some(1), "{called:?}");
    let told = called.json()["error"].as_str().unwrap().to_owned();
    assert!(told.contains("which is not trusted here") && told.contains("--trust"), "{told}");

    let folder = connector("sample-bank").unwrap().parent().unwrap().to_owned();
    let list = format!("connector list --json {}", folder.display());
    for (trust, serves) in [(String::new(), false), (format!(" --trust {}/developer.pub", folder.display()), true)] {
        let listed = call(words(&format!("{list}{trust}"))).await.json();
        let row = listed.as_array().unwrap().iter().find(|row| row["connector"] == "sample-bank").unwrap();
        assert_eq!(row["serves"], serves, "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_version_of_a_connector_waits_for_its_approval_and_not_for_a_difference() {
    let (node, _) = configuration().await;
    std::fs::remove_file(node.path("data/connectors.json")).unwrap();
    let listed =
        call(words(&format!("connector list --json --config {}", node.path("consentry.toml").display()))).await;
    let why = "nothing of this connector is approved yet";
    assert!(listed.err.contains(why) && !listed.err.contains("connector diff"), "{listed:?}");
    assert_eq!(listed.json()[0]["because"], format!("waits for approval: {why}"), "{listed:?}");
}
