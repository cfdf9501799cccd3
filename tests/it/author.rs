//! Our own connectors pass the suite that every connector has to pass, on the recordings beside their source.

use std::fmt::Write as _;

use consentry::author::acceptance::{Shown, Suite};
use consentry_tests::collecting::{collector, connector};

use super::contract::root;

/// Each connector, and how many of its states are shown by recordings or by what is made of them.
const CONNECTORS: [(&str, usize); 7] = [
    ("sample-bank", 15),
    ("juntagrico", 9),
    ("oidc-provider", 10),
    ("tax-notice", 9),
    ("berlin-group", 9),
    ("sample-branch", 13),
    ("kresus", 8),
];

#[tokio::test(flavor = "multi_thread")]
async fn our_own_connectors_name_every_state_as_it_is() {
    let collector = collector().unwrap();
    let mut wrong = String::new();
    for (name, played) in CONNECTORS {
        let folder = root().join("connectors").join(name);
        let findings = Suite::open(&collector, connector(name).unwrap(), &folder).unwrap().run().await;
        for finding in findings.iter().filter(|finding| !finding.faults.is_empty()) {
            let _ = writeln!(wrong, "{name}, {}: {:#?}", finding.name, finding.faults);
        }
        let shown = findings.iter().filter(|finding| matches!(finding.shown, Shown::Recorded | Shown::Derived(_)));
        assert_eq!(shown.count(), played, "{name}: {findings:#?}");
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn a_form_login_connector_for_the_sample_bank_is_short() {
    for room in ["templates/form-login", "templates/oauth", "templates/json-api", "sample-branch"] {
        let path = root().join("connectors").join(room).join("src/lib.rs");
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!((40..120).contains(&lines), "{room}: {lines} lines");
    }
}

/// What ends a program where it stands. The readers of numbers, days and files are given anything besides (`readers.rs`, `pdf/src/tests.rs`).
const ENDS: [&str; 7] = [".unwrap()", ".expect(\"", "panic!(", "unreachable!(", "todo!(", "assert!(", "assert_eq!("];

#[test]
fn nothing_that_a_connector_is_written_with_panics() {
    let mut wrong = String::new();
    let folders =
        ["connectors/sdk/src", "connectors/pdf/src"].map(|folder| std::fs::read_dir(root().join(folder)).unwrap());
    for path in folders.into_iter().flatten().map(|entry| entry.unwrap().path()) {
        // Tests, what stands in for the host in them, and what is generated.
        if ["tests.rs", "readers.rs", "native.rs", "bindings.rs"].iter().any(|name| path.ends_with(name)) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for (at, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let indexed = line.match_indices('[').any(|(place, _)| {
                line[..place].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ')' | ']'))
            });
            if indexed || ENDS.iter().any(|end| line.contains(end)) {
                let _ = writeln!(wrong, "{}:{}: {line}", path.display(), at + 1);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
