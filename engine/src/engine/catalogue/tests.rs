use super::*;
use crate::fixtures::{hollow_connector_with, now};

const MANIFEST: &str = include_str!("../../../../connectors/sample-bank/manifest.toml");
const ID: &str = "sample-bank";

/// A version that differs from all others of another name of the bank, and may or may not run.
fn version(number: &str, name: &str, standing: Standing) -> Connector {
    let text = MANIFEST.replacen("version = \"0.1.0\"", &format!("version = \"{number}\""), 1);
    let text = text.replacen("name = \"", &format!("name = \"{name} "), 1);
    Connector::new(hollow_connector_with(&text), standing)
}

/// What a look saw.
fn look(versions: &[&Connector]) -> Catalogue {
    let mut catalogue = Catalogue::default();
    versions.iter().for_each(|version| catalogue.put((*version).clone()).unwrap());
    catalogue
}

fn waiting(connector: &Connector) -> Standing {
    Standing::Waiting(Box::new(Decisions::default().difference(&connector.package)))
}

fn serving(catalogue: &Catalogue) -> Option<Digest> {
    catalogue.serving(ID, ID).map(|connector| connector.digest)
}

#[test]
fn what_a_session_has_chosen_goes_on_beside_a_file_of_the_same_number_and_can_be_revoked() {
    for number in ["0.1.0", "0.2.0"] {
        let first = version("0.1.0", "One", Standing::Approved);
        let other = version(number, "Another", Standing::Approved);
        let (earlier, in_use) = (look(&[&first]), BTreeSet::from([first.digest]));
        let mut next = look(&[&other]);
        next.keep(&earlier, &in_use, |_| Standing::Approved);
        assert!(next.version(ID, &first.digest).is_some_and(|kept| kept.gone), "{number}");
        assert_eq!(serving(&next), Some(other.digest), "{number}");
        next.pins.insert((ID.to_owned(), ID.to_owned()), Pin::Version(number.to_owned()));
        assert_eq!(serving(&next), Some(other.digest), "{number}, pinned");
        // At the next look it has been revoked.
        let revoked = |_: &Package| {
            let what = crate::collect::decisions::Revoked::Digest(first.digest);
            Standing::Revoked(Revocation { what, why: "it was seen".to_owned(), at: now() })
        };
        let mut last = look(&[&other]);
        last.keep(&next, &in_use, revoked);
        let standing = last.connectors().find(|each| each.digest == first.digest).map(|each| each.standing.clone());
        assert!(matches!(standing, Some(Standing::Revoked(_))), "{number}: {standing:?}");
        // Nobody needs it any more.
        let mut without = look(&[&other]);
        without.keep(&next, &BTreeSet::new(), |_| Standing::Approved);
        assert_eq!(without.connectors().count(), 1, "{number}");
    }
}

#[test]
fn what_an_update_that_waits_took_the_place_of_serves_until_it_is_approved() {
    for number in ["0.1.0", "0.2.0"] {
        let first = version("0.1.0", "One", Standing::Approved);
        let mut update = version(number, "Another", Standing::Approved);
        update.standing = waiting(&update);
        let mut next = look(&[&update]);
        next.keep(&look(&[&first]), &BTreeSet::new(), |_| Standing::Approved);
        assert_eq!(serving(&next), Some(first.digest), "{number}");
        let mut last = look(&[&Connector { standing: Standing::Approved, ..update.clone() }]);
        last.keep(&next, &BTreeSet::new(), |_| Standing::Approved);
        assert_eq!((serving(&last), last.connectors().count()), (Some(update.digest), 1), "{number}");
    }
}
