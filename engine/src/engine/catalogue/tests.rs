use super::*;
use crate::collect::signature::{SigningKey, Trust, TrustedKey, unsigned};
use crate::fixtures::{entropy, hollow_connector_with, now};

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

/// A folder, an author whom it trusts, and the operator's decisions.
struct Place {
    folder: tempfile::TempDir,
    key: SigningKey,
    known: Folder,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (key, public) = SigningKey::ephemeral();
        let trust = Trust::keys(vec![TrustedKey::parse("an author", &public).unwrap()]);
        let path = folder.path().join("files");
        std::fs::create_dir(&path).unwrap();
        let [decisions, copies] = ["connectors.json", "connectors"].map(|name| Some(folder.path().join(name)));
        Self { known: Folder { decisions, copies, ..Folder::of(&path, trust) }, folder, key }
    }

    /// Puts this into the one file.
    fn put(&self, change: (&str, &str)) -> Package {
        let component = hollow_connector_with(&MANIFEST.replacen(change.0, change.1, 1));
        let signed = self.key.sign(unsigned(component.bytes()), "test").unwrap();
        std::fs::write(self.known.path.join("bank.wasm"), &signed).unwrap();
        Package::read(signed, &self.known.trust).unwrap()
    }

    fn decide(&self, decide: impl FnOnce(&mut Decisions)) {
        Decisions::change(self.known.decisions.as_ref().unwrap(), &entropy(), decide).unwrap();
    }

    fn approve(&self, package: &Package) {
        self.decide(|decisions| decisions.approve(package, &decisions.difference(package), now()));
    }

    /// What an engine does when it sees a change.
    async fn look(&self, earlier: &Catalogue) -> Catalogue {
        let mut next = self.known.load().0;
        next.keep(earlier, &BTreeSet::new(), |package| self.known.decide(package));
        self.known.keep_copies(&next).await.unwrap();
        next
    }

    fn copies(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("connectors")).map_or(0, Iterator::count)
    }
}

#[tokio::test]
async fn what_stands_in_for_an_update_is_there_after_a_restart_until_it_is_approved_or_revoked() {
    for revoked in [false, true] {
        let place = Place::new();
        let first = place.put(("", ""));
        place.approve(&first);
        let before = place.look(&Catalogue::default()).await;
        assert_eq!((serving(&before), place.copies()), (Some(Digest::of(first.bytes())), 0));
        let wider = ("origins = [\"{base}\"", "origins = [\"https://elsewhere.example\", \"{base}\"");
        let update = place.put(wider);
        let waits = place.look(&before).await;
        assert_eq!((serving(&waits), place.copies()), (Some(Digest::of(first.bytes())), 1));
        // Another engine, which has only the files.
        let restarted = place.known.load().0;
        assert_eq!(serving(&restarted), Some(Digest::of(first.bytes())));
        assert!(restarted.version(ID, &Digest::of(first.bytes())).is_some_and(|each| each.gone));
        assert_eq!(serving(&place.look(&restarted).await), Some(Digest::of(first.bytes())));
        if revoked {
            let what = crate::collect::decisions::Revoked::Digest(Digest::of(first.bytes()));
            place.decide(|decisions| decisions.revoke(what, "it was seen", now()));
            assert_eq!(serving(&place.known.load().0), None);
        } else {
            place.approve(&update);
            assert_eq!(serving(&place.known.load().0), Some(Digest::of(update.bytes())));
        }
        place.look(&restarted).await;
        assert_eq!(place.copies(), 0, "revoked: {revoked}");
    }
}
