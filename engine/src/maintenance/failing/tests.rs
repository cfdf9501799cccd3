//! From how many failures on a place has failed, and which of them count.

use consentry_contract::failure::{Code, Failure};

use super::*;
use crate::fixtures::{at, bank, id};
use crate::outcome::Delivery;

const START: &str = "2026-11-22T08:00:00Z";

fn failure(code: Code) -> Outcome {
    Outcome::failed(Failure::new(code))
}

fn delivered() -> Outcome {
    let digest = Digest::of(b"parcel");
    Outcome::Delivered(Delivery { parcel: id(4), digest, acknowledged_at: at(START) })
}

/// Whether these runs, one each so many seconds, pass the threshold of eight in ten.
fn passes(runs: impl IntoIterator<Item = Outcome>, seconds: i64) -> bool {
    let failing = Failing::new(Threshold::new(10, 80));
    let mut now = at(START);
    for outcome in runs {
        failing.note(&bank(), &outcome, now);
        now += SignedDuration::from_secs(seconds);
    }
    !failing.take_passed().is_empty()
}

fn broken(count: usize) -> impl Iterator<Item = Outcome> {
    std::iter::repeat_with(|| failure(Code::PageUnrecognised)).take(count)
}

#[test]
fn eight_failures_of_ten_runs_within_an_hour_pass_and_fewer_do_not() {
    assert!(passes(broken(10), 1));
    assert!(passes([delivered(), delivered()].into_iter().chain(broken(8)), 1));
    assert!(!passes([delivered(), delivered(), delivered()].into_iter().chain(broken(7)), 1));
    assert!(!passes(broken(9), 1), "thin traffic");
    assert!(!passes(broken(100), 401), "thin traffic: ten of them take more than an hour");
}

#[test]
fn what_is_not_the_connectors_turn_and_what_passes_by_itself_does_not_count() {
    for code in [Code::CredentialsRejected, Code::PlatformFailed, Code::DeliveryFailed, Code::SourceUnavailable] {
        assert!(!passes(std::iter::repeat_with(|| failure(code)).take(100), 1), "{code}");
    }
    let after_the_login = Failure { retry: Retry::WithPerson, ..Failure::new(Code::SourceUnavailable) };
    assert!(!passes(std::iter::repeat_with(|| Outcome::failed(after_the_login.clone())).take(100), 1));
    let left = std::iter::repeat_with(|| Outcome::Withdrawn { sending: None }).take(100);
    assert!(!passes(left, 1));
}

#[test]
fn runs_are_counted_anew_after_that_and_never_without_a_threshold() {
    let failing = Failing::new(Threshold::new(10, 80));
    for _ in 0..10 {
        failing.note(&bank(), &failure(Code::PageUnrecognised), at(START));
    }
    assert_eq!(failing.take_passed().len(), 1);
    failing.note(&bank(), &failure(Code::PageUnrecognised), at(START));
    assert!(failing.take_passed().is_empty());
    let never = Failing::new(None);
    for _ in 0..100 {
        never.note(&bank(), &failure(Code::PageUnrecognised), at(START));
    }
    assert!(never.take_passed().is_empty());
    assert!(Threshold::new(4, 80).is_none() && Threshold::new(20, 0).is_none() && Threshold::new(20, 101).is_none());
}
