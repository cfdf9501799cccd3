use jiff::ToSpan as _;

use super::*;
use crate::collect::signature::{SigningKey, Trust, TrustedKey, unsigned};
use crate::fixtures::{at, entropy, hollow_connector_with, now};

const MANIFEST: &str = include_str!("../../../../connectors/sample-bank/manifest.toml");

/// An author with a key.
struct Author {
    key: SigningKey,
    trust: Trust,
}

impl Author {
    fn new() -> Self {
        let (key, public) = SigningKey::ephemeral();
        Self { key, trust: Trust::keys(vec![TrustedKey::parse("an author", &public).unwrap()]) }
    }

    /// A version whose manifest was changed like this.
    fn version(&self, number: &str, change: (&str, &str)) -> Package {
        let text = MANIFEST.replacen("version = \"0.1.0\"", &format!("version = \"{number}\""), 1);
        assert!(text.contains(number) && text.contains(change.0), "{change:?}");
        let package = hollow_connector_with(&text.replacen(change.0, change.1, 1));
        Package::read(self.key.sign(unsigned(package.bytes()), "test").unwrap(), &self.trust).unwrap()
    }
}

const SAME: (&str, &str) = ("contract", "contract");
const WIDER: (&str, &str) = ("origins = [\"{base}\"", "origins = [\"https://elsewhere.example\", \"{base}\"");

fn approve(decisions: &mut Decisions, package: &Package) {
    let difference = decisions.difference(package);
    decisions.approve(package, &difference, now());
}

#[test]
fn a_version_runs_if_it_was_approved_or_asks_for_no_more_than_one_that_was() {
    let author = Author::new();
    let mut decisions = Decisions::default();
    let first = author.version("0.1.0", SAME);
    let Verdict::Waiting(all) = decisions.verdict(&first) else { panic!("nothing was approved") };
    assert!(all.before.is_none() && all.added == asked(&first));
    approve(&mut decisions, &first);
    assert_eq!(decisions.verdict(&first), Verdict::Approved);

    assert_eq!(decisions.verdict(&author.version("0.2.0", SAME)), Verdict::Covered(Version::of(&first)));
    let wider = author.version("0.3.0", WIDER);
    let Verdict::Waiting(difference) = decisions.verdict(&wider) else { panic!("it asks for more") };
    let [added] = &difference.added[..] else { panic!("{difference:?}") };
    assert!(added.sentence.contains("https://elsewhere.example"), "{added}");
    approve(&mut decisions, &wider);
    assert_eq!(decisions.verdict(&wider), Verdict::Approved);
    assert_eq!(decisions.approvals()[1].against, Some(Version::of(&first).digest));
}

#[test]
fn another_authors_update_waits_even_if_it_asks_for_nothing_more() {
    let (author, other) = (Author::new(), Author::new());
    let mut decisions = Decisions::default();
    approve(&mut decisions, &author.version("0.1.0", SAME));
    let Verdict::Waiting(difference) = decisions.verdict(&other.version("0.2.0", SAME)) else { panic!("another key") };
    assert_eq!(difference.added.iter().map(|each| each.kind).collect::<Vec<_>>(), [PermissionKind::Signer]);
}

#[test]
fn what_was_revoked_never_runs_again_nor_covers_anything() {
    let author = Author::new();
    let mut decisions = Decisions::default();
    let (first, second) = (author.version("0.1.0", SAME), author.version("0.2.0", SAME));
    approve(&mut decisions, &first);
    decisions.revoke(Revoked::Digest(Version::of(&first).digest), "it lies", now());
    approve(&mut decisions, &first);
    assert!(matches!(decisions.verdict(&first), Verdict::Revoked(_)));
    assert!(matches!(decisions.verdict(&second), Verdict::Waiting(_)));
    // Signing it again changes nothing: the digest is that of what runs.
    let again = author.key.sign(first.bytes(), "once more").unwrap();
    let again = Package::read(again, &author.trust).unwrap();
    assert!(matches!(decisions.verdict(&again), Verdict::Revoked(_)));

    approve(&mut decisions, &second);
    decisions.revoke(Revoked::Key(second.signer().unwrap().key.clone()), "stolen", now());
    assert!(matches!(decisions.verdict(&second), Verdict::Revoked(_)));
}

#[test]
fn a_difference_is_bound_to_both_versions() {
    let author = Author::new();
    let [first, second, third] = ["0.1.0", "0.2.0", "0.3.0"].map(|number| author.version(number, SAME));
    let wider = author.version("0.4.0", WIDER);
    let digests = [
        Difference::of(&first, &wider).digest(),
        Difference::of(&second, &wider).digest(),
        Difference::of(&first, &third).digest(),
        Difference::of(&wider, &first).digest(),
    ];
    assert_eq!(digests.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    assert!(Difference::of(&first, &wider).widens() && !Difference::of(&wider, &first).widens());
}

#[test]
fn decisions_survive_in_their_file_and_a_damaged_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("connectors.json");
    let (author, other) = (Author::new(), Author::new());
    assert_eq!(Decisions::read(&path).unwrap(), Decisions::default());
    for package in [author.version("0.1.0", SAME), other.version("0.1.0", WIDER)] {
        Decisions::change(&path, &crate::fixtures::entropy(), |decisions| approve(decisions, &package)).unwrap();
        assert_eq!(Decisions::read(&path).unwrap().verdict(&package), Verdict::Approved);
    }
    assert_eq!(Decisions::read(&path).unwrap().approvals().len(), 2);
    let text = std::fs::read_to_string(&path).unwrap();
    for damaged in [text.replace("\"format\": 1", "\"format\": 2"), text[..100].to_owned(), String::new()] {
        std::fs::write(&path, damaged).unwrap();
        let error = Decisions::read(&path).unwrap_err().to_string();
        assert!(error.contains("connectors.json") && error.contains("put a copy"), "{error}");
        assert!(
            Decisions::change(&path, &crate::fixtures::entropy(), |_| ()).is_err(),
            "what can't be read is not written over"
        );
    }
}

#[test]
fn an_approval_goes_five_years_after_its_connector_went() {
    let mut decisions = Decisions::default();
    let package = Author::new().version("0.1.0", SAME);
    approve(&mut decisions, &package);
    let years = |years: i64| (now().to_zoned(jiff::tz::TimeZone::UTC) + years.years()).timestamp();
    decisions.keep_time(|_| true, years(9));
    decisions.keep_time(|_| false, years(10));
    decisions.keep_time(|_| false, years(14));
    assert_eq!(decisions.approvals().len(), 1);
    decisions.keep_time(|_| false, years(16));
    assert_eq!(decisions.approvals().len(), 0);
}

#[test]
fn a_source_is_held_once_and_a_version_is_chosen_in_the_place_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("connectors.json");
    let (since, later) = (at("2026-11-22T08:00:00Z"), at("2026-11-22T09:00:00Z"));
    let [one, other] = [b"one", b"two"].map(|bytes| Digest::of(bytes));
    let change = |change: &dyn Fn(&mut Decisions)| {
        Decisions::change(&path, &entropy(), |decisions| change(decisions)).unwrap();
        Decisions::read(&path).unwrap()
    };
    // A file in which nothing is held or chosen reads as one from before there was such a thing.
    change(&|_| {});
    assert!(!std::fs::read_to_string(&path).unwrap().contains("held"));
    change(&|decisions| decisions.hold("bank", "bank", since));
    let held = change(&|decisions| decisions.hold("bank", "bank", later));
    assert_eq!(held.held().iter().map(|held| held.since).collect::<Vec<_>>(), [since]);
    assert_eq!(change(&|decisions| decisions.release("bank", "branch")).held().len(), 1);
    assert!(change(&|decisions| decisions.release("bank", "bank")).held().is_empty());
    change(&|decisions| decisions.choose("bank", "bank", Some(one), since));
    let chosen = change(&|decisions| decisions.choose("bank", "bank", Some(other), later));
    assert_eq!(chosen.chosen().iter().map(|chosen| chosen.digest).collect::<Vec<_>>(), [other]);
    assert!(change(&|decisions| decisions.choose("bank", "bank", None, later)).chosen().is_empty());
}
