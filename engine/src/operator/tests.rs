//! Who is known, for how long, and what each may do; what stands in the audit log.

use std::sync::Arc;

use jiff::SignedDuration;

use super::audit::{About, Actor, Audit, leave};
use super::*;
use crate::clock::ManualClock;
use crate::fixtures::{at, entropy};
use crate::keys::SoftwareKeys;
use crate::store::Shelves;

const KEY: &str = "a-key-that-was-drawn-at-random";

fn operators(roles: &[Role]) -> (Operators, OperatorKey) {
    let id = "opr_01JD8Z3M7K0000000000000000".parse().unwrap();
    let key = OperatorKey {
        id,
        roles: roles.iter().copied().collect(),
        key_sha256: KeyHash::of(KEY),
        signs: BTreeSet::new(),
    };
    (Operators::new(vec![key.clone()], entropy()), key)
}

#[test]
fn a_key_gives_its_roles_and_nothing_else() {
    let (operators, _) = operators(&[Role::Author]);
    assert!(operators.known("another key").is_none() && operators.known("").is_none());
    let author = operators.known(KEY).unwrap();
    assert!(author.may(Deed::HealthLook) && author.may(Deed::ReportPull));
    let error = author.check(Deed::SourceHold).unwrap_err();
    assert_eq!(error.to_string(), "source-hold is for platform, maintenance");
}

#[test]
fn what_is_about_persons_is_for_the_data_protection_officer_alone() {
    for deed in [Deed::RightsLook, Deed::RightExtend, Deed::RightRefuse, Deed::DisclosureNote, Deed::TraceFind] {
        assert_eq!(deed.roles(), [Role::Dpo], "{}", deed.name());
    }
}

#[test]
fn a_sign_in_ends_when_idle_after_twelve_hours_by_signing_out_and_with_its_key() {
    let (operators, key) = operators(&[Role::Platform]);
    let began = at("2026-11-22T08:00:00Z");
    assert!(operators.sign_in("another key", began).is_none());
    let (_, used) = operators.sign_in(KEY, began).unwrap();
    let (_, idle) = operators.sign_in(KEY, began).unwrap();
    let mut now = began;
    while now < began + LIFE {
        assert!(operators.signed_in(&used.token, now).is_some(), "{now}");
        now += SignedDuration::from_mins(29);
    }
    assert!(operators.signed_in(&used.token, began + LIFE).is_none());
    assert!(operators.signed_in(&idle.token, began + IDLE).is_none());
    let (_, out) = operators.sign_in(KEY, began).unwrap();
    operators.sign_out(&out.token);
    assert!(operators.signed_in(&out.token, began).is_none());
    let (_, gone) = operators.sign_in(KEY, began).unwrap();
    operators.replace(vec![OperatorKey { key_sha256: KeyHash::of("the next key"), ..key }]);
    assert!(operators.signed_in(&gone.token, began).is_none());
}

#[test]
fn the_one_that_was_used_least_lately_makes_room() {
    let (operators, _) = operators(&[Role::Platform]);
    let began = at("2026-11-22T08:00:00Z");
    let tokens: Vec<String> = (0..=SIGN_INS_MAX as i64)
        .map(|second| operators.sign_in(KEY, began + SignedDuration::from_secs(second)).unwrap().1.token)
        .collect();
    let now = began + SignedDuration::from_mins(10);
    assert!(operators.signed_in(&tokens[0], now).is_none());
    assert!(operators.signed_in(&tokens[1], now).is_some());
}

#[test]
fn no_sentence_stands_in_the_log() {
    assert_eq!(About::of("sample-bank/sample-bank").as_str(), "sample-bank/sample-bank");
    for sentence in ["Marie Dupont called", "marie@example.org", "", &"x".repeat(129)] {
        let about = About::of(sentence);
        assert!(about.as_str().starts_with("sha256:") && about.as_str().len() == 71, "{about:?}");
        let read: About = serde_json::from_value(sentence.into()).unwrap();
        assert_eq!(read, about);
    }
}

#[tokio::test]
async fn both_doors_write_one_log_which_sorts_by_time_and_ends_after_twelve_months() {
    let now = at("2026-11-22T08:00:00Z");
    let clock = Arc::new(ManualClock::new(now));
    let drawn = entropy();
    let shelves = Shelves::memory(Arc::new(SoftwareKeys::ephemeral(now)), drawn.clone(), clock.clone());
    let audit = Audit::new(&shelves, drawn.clone());
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join("audit");
    let by = Actor::Account(1000);
    leave(&left, (by, Deed::KeyRotate, Some(About::of("intake"))), &drawn, now).unwrap();
    let operator = Actor::Operator("opr_01JD8Z3M7K0000000000000000".parse().unwrap());
    audit.note(operator, Deed::SourceHold, None, now + SignedDuration::from_secs(1)).await.unwrap();
    for _ in 0..2 {
        audit.take_in(&left).await.unwrap();
        let entries = audit.entries().await.unwrap();
        let told: Vec<_> = entries.iter().map(|entry| (entry.by, entry.deed)).collect();
        assert_eq!(told, [(by, Deed::KeyRotate), (operator, Deed::SourceHold)]);
    }
    assert_eq!(std::fs::read_dir(&left).unwrap().count(), 0);
    clock.set(at("2027-11-22T08:00:00Z"));
    assert_eq!(audit.entries().await.unwrap().len(), 1);
}

#[test]
fn nothing_is_left_through_a_link_that_stands_in_the_place_of_the_folder() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let left = folder.path().join("audit");
    std::os::unix::fs::symlink(elsewhere.path(), &left).unwrap();
    let left = leave(&left, (Actor::Account(0), Deed::KeyRotate, None), &entropy(), at("2026-11-22T08:00:00Z"));
    assert!(left.is_err());
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}
