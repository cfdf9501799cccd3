//! Our own connectors pass the suite that every connector has to pass, on the recordings beside their source.

use std::fmt::Write as _;

use consentry::author::acceptance::{Shown, Suite};
use consentry_tests::collecting::{collector, connector};

use super::contract::root;

/// Each connector, and how many of its states are shown by recordings or by what is made of them.
const CONNECTORS: [(&str, usize); 6] = [
    ("sample-bank", 15),
    ("juntagrico", 9),
    ("oidc-provider", 10),
    ("tax-notice", 9),
    ("sample-branch", 0),
    ("kresus", 0),
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
