//! A folder of real connectors under the operator's decisions: what is served, what waits, what is revoked, and why.

use std::path::{Path, PathBuf};

use consentry::collect::decisions::{Decisions, Revoked};
use consentry::collect::package::Package;
use consentry::engine::catalogue::{Catalogue, CatalogueError, Folder, Pin, Standing};
use consentry::entropy::Entropy;
use consentry_tests::collecting::trust;
use consentry_tests::versions::{Made, sample_bank};
use jiff::Timestamp;

const SECOND: (&str, &str) = ("version = \"0.1.0\"", "version = \"0.2.0\"");
const WIDER: (&str, &str) = ("origins = [\"{base}\"]", "origins = [\"{base}\", \"https://elsewhere.example\"]");
const ID: &str = "sample-bank";

struct World {
    folder: tempfile::TempDir,
    first: Made,
}

impl World {
    /// A folder with the first version in it, which the operator has approved.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let first = sample_bank(&folder.path().join("first.wasm"), &[]).unwrap();
        let world = Self { folder, first };
        world.approve(&world.first.path);
        world
    }

    fn update(&self, changes: &[(&str, &str)]) -> Made {
        sample_bank(&self.folder.path().join("second.wasm"), changes).unwrap()
    }

    fn decisions(&self) -> PathBuf {
        self.folder.path().join("decisions.json")
    }

    fn decide(&self, decide: impl FnOnce(&mut Decisions)) {
        Decisions::change(&self.decisions(), &Entropy::system(), decide).unwrap();
    }

    fn approve(&self, path: &Path) {
        let package = Package::open(path, &trust().unwrap()).unwrap();
        self.decide(|decisions| decisions.approve(&package, &decisions.difference(&package), Timestamp::UNIX_EPOCH));
    }

    fn revoke(&self, made: &Made) {
        self.decide(|decisions| decisions.revoke(Revoked::Digest(made.digest), "it was seen", Timestamp::UNIX_EPOCH));
    }

    fn folder(&self) -> Folder {
        let decisions = Some(self.decisions());
        Folder { decisions, ..Folder::of(self.folder.path(), trust().unwrap()) }
    }

    fn load(&self) -> (Catalogue, Vec<CatalogueError>) {
        self.folder().load()
    }
}

/// The version that serves.
fn serving(catalogue: &Catalogue) -> Option<String> {
    catalogue.serving(ID, ID).map(|connector| connector.package.manifest().version().to_string())
}

#[test]
fn an_update_that_asks_for_no_more_is_covered_and_one_that_asks_for_more_waits_for_the_operator() {
    let world = World::new();
    let covered = world.update(&[SECOND]);
    let (catalogue, refused) = world.load();
    assert!(refused.is_empty() && serving(&catalogue).as_deref() == Some("0.2.0"), "{refused:?}");
    assert!(matches!(catalogue.version(ID, &covered.digest).unwrap().standing, Standing::Covered(_)));

    let wider = world.update(&[SECOND, WIDER]);
    let (catalogue, refused) = world.load();
    assert_eq!(serving(&catalogue).as_deref(), Some("0.1.0"));
    assert!(catalogue.version(ID, &wider.digest).is_none(), "it may not run");
    assert!(matches!(&refused[..], [CatalogueError::Waiting { version, .. }] if version == "0.2.0"), "{refused:?}");

    world.approve(&wider.path);
    let (catalogue, refused) = world.load();
    assert!(refused.is_empty() && serving(&catalogue).as_deref() == Some("0.2.0"), "{refused:?}");
    assert_eq!(catalogue.version(ID, &wider.digest).unwrap().standing, Standing::Approved);
}

#[test]
fn what_is_revoked_serves_nobody_under_any_name_and_covers_nothing() {
    let world = World::new();
    let second = world.update(&[SECOND]);
    world.revoke(&second);
    let (catalogue, refused) = world.load();
    assert_eq!(serving(&catalogue).as_deref(), Some("0.1.0"));
    assert!(catalogue.version(ID, &second.digest).is_none());
    let told: Vec<String> = refused.iter().map(ToString::to_string).collect();
    assert!(matches!(&told[..], [one] if one.ends_with("0.2.0 of sample-bank is revoked: it was seen")), "{told:?}");
    // In another file, and approved after all: it stays revoked.
    std::fs::rename(&second.path, world.folder.path().join("another.wasm")).unwrap();
    world.approve(&world.folder.path().join("another.wasm"));
    assert!(world.load().0.version(ID, &second.digest).is_none());
    // With the first gone too there is nothing that the second is covered by, and nothing that serves.
    world.revoke(&world.first);
    let (catalogue, refused) = world.load();
    assert_eq!((serving(&catalogue), catalogue.served().count(), refused.len()), (None, 0, 2), "{refused:?}");
}

#[test]
fn a_pin_to_what_may_not_run_serves_nobody_instead_of_something_else() {
    let world = World::new();
    let second = world.update(&[SECOND]);
    let pinned = |pin: Pin| Folder { pins: [((ID.to_owned(), ID.to_owned()), pin)].into(), ..world.folder() }.load();
    assert_eq!(serving(&pinned("0.1.0".parse().unwrap()).0).as_deref(), Some("0.1.0"));
    world.revoke(&second);
    let (catalogue, refused) = pinned(Pin::Digest(second.digest));
    assert_eq!(serving(&catalogue), None);
    assert!(refused.iter().any(|error| matches!(error, CatalogueError::Pin { .. })), "{refused:?}");
}

#[test]
fn decisions_that_can_not_be_read_serve_nobody() {
    let world = World::new();
    std::fs::write(world.decisions(), "{").unwrap();
    let (catalogue, refused) = world.load();
    assert_eq!(catalogue.connectors().count(), 0);
    assert!(matches!(&refused[..], [CatalogueError::Decisions(_)]), "{refused:?}");
}
