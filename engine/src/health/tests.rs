//! What is counted, from how many on it is told, and for how long.

use std::sync::Arc;

use consentry_contract::failure::{Code, Failure};
use jiff::SignedDuration;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::data::Digest;
use crate::fixtures::{at, bank, entropy, id};
use crate::keys::SoftwareKeys;
use crate::outcome::{Delivery, EndSink, Run, RunName};

struct Nobody;

impl EndSink for Nobody {
    fn ended(&self, _: &Ended) {}
}

const START: &str = "2026-11-22T08:00:00Z";

struct World {
    clock: Arc<ManualClock>,
    shelves: Shelves,
    health: Health,
}

impl World {
    async fn new() -> Self {
        let now = at(START);
        let clock = Arc::new(ManualClock::new(now));
        let shelves = Shelves::memory(Arc::new(SoftwareKeys::ephemeral(now)), entropy(), clock.clone());
        let health = Health::open(&shelves).await.unwrap();
        Self { clock, shelves, health }
    }

    fn end(&self, outcome: Outcome, milliseconds: Option<i64>) {
        let name = RunName { run: id(1), session: id(2), consent: id(3) };
        let ended = Run::begin(name, self.clock.clone(), Arc::new(Nobody)).end(outcome);
        let took = milliseconds.map(SignedDuration::from_millis);
        self.health.note(Count::of(&bank(), &ended, took), self.clock.now());
    }

    fn figures(&self, window: Window) -> Figures {
        self.health.figures_of(&bank().connector, &bank().id, window, self.clock.now())
    }
}

fn delivered() -> Outcome {
    let digest = Digest::of(b"a parcel");
    Outcome::Delivered(Delivery { parcel: id(4), digest, acknowledged_at: at(START) })
}

fn failed(code: Code) -> Outcome {
    Outcome::failed(Failure::new(code))
}

#[tokio::test]
async fn shares_and_percentiles_are_told_from_twenty_on() {
    let world = World::new().await;
    for _ in 0..RUNS_MIN - 1 {
        world.end(delivered(), Some(1000));
    }
    let figures = world.figures(Window::Hour);
    assert_eq!((figures.runs, figures.whole, figures.success_share, figures.p50_seconds), (19, 19, None, None));
    world.end(failed(Code::SourceUnavailable), Some(60_000));
    let figures = world.figures(Window::Hour);
    assert_eq!((figures.success_share, figures.judged), (Some(0.95), 20));
    let [p50, p99] = [figures.p50_seconds, figures.p99_seconds].map(Option::unwrap);
    assert!((1.0..1.5).contains(&p50) && (60.0..90.0).contains(&p99), "{p50} {p99}");
}

#[tokio::test]
async fn what_is_not_the_connectors_turn_says_nothing_about_it() {
    let world = World::new().await;
    world.end(failed(Code::CredentialsRejected), None);
    world.end(Outcome::Withdrawn { sending: None }, None);
    world.end(Outcome::Expired, None);
    world.end(failed(Code::DeliveryFailed), None);
    let figures = world.figures(Window::Hour);
    assert_eq!((figures.runs, figures.judged, figures.left), (4, 0, 2));
    let told: Vec<_> = figures.faults.iter().map(|(fault, count)| (fault.blame, fault.code, *count)).collect();
    assert!(told.contains(&(Blame::Person, Code::CredentialsRejected, 1)), "{told:?}");
    let missing = Failure::new(Code::SourceUnavailable);
    let Outcome::Delivered(delivery) = delivered() else { unreachable!() };
    world.end(Outcome::Partial(delivery, missing), None);
    let figures = world.figures(Window::Hour);
    assert_eq!((figures.runs, figures.judged, figures.partial), (5, 1, 1));
}

#[tokio::test]
async fn windows_let_go_and_a_restart_keeps_what_was_saved() {
    let world = World::new().await;
    world.end(delivered(), Some(500));
    let hours = SignedDuration::from_hours;
    for (later, expected) in [(0, [1, 1, 1]), (2, [0, 1, 1]), (26, [0, 0, 1]), (24 * 7 + 1, [0, 0, 0])] {
        world.clock.set(at(START) + hours(later));
        assert_eq!(Window::ALL.map(|window| world.figures(window).runs), expected, "after {later} h");
    }
    world.clock.set(at(START));
    world.health.save(at(START)).await.unwrap();
    world.end(delivered(), Some(500));
    world.health.save(at(START)).await.unwrap();
    let next = Health::open(&world.shelves).await.unwrap();
    assert_eq!(next.figures(Window::Hour, at(START)), world.health.figures(Window::Hour, at(START)));
    assert_eq!(next.figures(Window::Hour, at(START)).len(), 1);
    // Past its row's period nothing of it is read.
    world.clock.set(at(START) + hours(24 * 8 + 1));
    assert!(Health::open(&world.shelves).await.unwrap().figures(Window::Week, at(START)).is_empty());
}

#[tokio::test]
async fn nothing_that_is_stored_names_a_session_or_a_run() {
    let world = World::new().await;
    world.end(failed(Code::CredentialsRejected), Some(10));
    let slot = Slot::of(&world.health.lock().slots[&number_of(at(START))]);
    let text = serde_json::to_string(&slot).unwrap();
    assert!(!text.contains("_0") && !text.contains(START), "{text}");
}
