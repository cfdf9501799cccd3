use std::sync::Arc;

use jiff::SignedDuration;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::clock::{Clock as _, ManualClock};
use crate::entropy::Entropy;
use crate::fixtures::id;
use crate::keys::software::tests::keys;

const BREAK: &str = "1|sample-bank|page-unrecognised|accounts|-";
const JWE: &str = "sealed.by.the.browser";

struct World {
    lendings: Lendings,
    clock: Arc<ManualClock>,
}

fn world() -> World {
    let clock = Arc::new(ManualClock::new("2026-11-21T10:11:12Z".parse().unwrap()));
    let entropy = Arc::new(Entropy::from(StdRng::seed_from_u64(1)));
    World { lendings: Lendings::new(&Shelves::memory(keys(), entropy, clock.clone())), clock }
}

impl World {
    /// A login that was lent a minute after the run had failed.
    async fn lent(&self, digit: u8, ticket: &str) -> Lending {
        let agreed_at = self.clock.now();
        let lending = Lending {
            consent: id(digit),
            session: id(digit),
            online_service: id(1),
            subject: None,
            report: id(digit),
            ticket: ticket.to_owned(),
            connector: "sample-bank".to_owned(),
            source: "sample-bank".to_owned(),
            language: "en".to_owned(),
            agreed_at,
            failed_at: agreed_at - SignedDuration::from_mins(1),
            openings: Vec::new(),
            ended: None,
            before: Vec::new(),
        };
        self.lendings.lend(&lending, JWE).await.unwrap();
        lending
    }

    async fn kept(&self, consent: ConsentId) -> bool {
        self.lendings.seen(consent).await.unwrap().unwrap().kept
    }
}

#[tokio::test]
async fn an_opening_is_in_the_record_before_there_is_a_login_and_its_outcome_after_it() {
    let world = world();
    let lent = world.lent(1, BREAK).await;
    let at = world.clock.now();
    assert_eq!(world.lendings.open(lent.consent, at).await.unwrap().as_deref(), Some(JWE));
    let opening = |outcome: Option<&str>| Opening { at, outcome: outcome.map(str::to_owned) };
    assert_eq!(world.lendings.seen(lent.consent).await.unwrap().unwrap().openings, [opening(None)]);
    world.lendings.note(lent.consent, at, "page-unrecognised").await.unwrap();
    let seen = world.lendings.seen(lent.consent).await.unwrap().unwrap();
    assert_eq!(seen.openings, [opening(Some("page-unrecognised"))]);
    assert_eq!(world.lendings.open(id(9), at).await.unwrap(), None, "nobody lent this");
}

#[tokio::test]
async fn who_lets_a_login_go_ends_the_run_with_it_and_waits_and_no_second_run_begins() {
    let world = world();
    let lent = world.lent(1, BREAK).await;
    let running = world.lendings.begin(lent.consent).await.unwrap();
    assert!(world.lendings.begin(lent.consent).await.is_none(), "two at a time could lock the account");
    let (lendings, consent, now) = (world.lendings.clone(), lent.consent, world.clock.now());
    let ends = tokio::spawn(async move { lendings.end(consent, Why::Withdrawn, now).await });
    running.stopper().wait().await;
    assert!(!ends.is_finished() && world.kept(consent).await, "no receipt for what is still in memory");
    drop(running);
    ends.await.unwrap().unwrap();
    assert!(!world.kept(consent).await);
    // Lent again, by a consent of its own; the one before stays in the record.
    let again = world.lent(1, BREAK).await;
    let seen = world.lendings.seen(consent).await.unwrap().unwrap();
    let before =
        Before { report: lent.report, agreed_at: lent.agreed_at, ended: Some(Ended { at: now, why: Why::Withdrawn }) };
    assert_eq!((seen.kept, seen.ended, seen.before), (true, None, vec![before]));
    assert!(world.lendings.begin(again.consent).await.is_some());
}

#[tokio::test]
async fn the_one_that_was_opened_least_is_next_and_none_more_often_than_its_bound() {
    let world = world();
    let (first, second) = (world.lent(1, BREAK).await, world.lent(2, BREAK).await);
    world.lent(3, "1|another|trap|-|-").await;
    let order = async || -> Vec<ConsentId> {
        world.lendings.of(BREAK).await.unwrap().iter().map(|lending| lending.consent).collect()
    };
    assert_eq!(order().await, [first.consent, second.consent]);
    world.lendings.open(first.consent, world.clock.now()).await.unwrap();
    assert_eq!(order().await, [second.consent, first.consent]);
    for _ in 1..OPENINGS_MAX {
        assert!(world.lendings.open(first.consent, world.clock.now()).await.unwrap().is_some());
    }
    assert_eq!(world.lendings.open(first.consent, world.clock.now()).await.unwrap(), None);
    assert_eq!(order().await, [second.consent]);
}

#[tokio::test]
async fn a_login_is_gone_120_days_after_the_failure_and_not_an_instant_later() {
    let world = world();
    let lent = world.lent(1, BREAK).await;
    assert_eq!(lent.until(), lent.failed_at + SignedDuration::from_hours(24 * 120));
    world.clock.advance(lent.until().duration_since(world.clock.now()) - SignedDuration::from_secs(1));
    assert!(world.kept(lent.consent).await);
    world.clock.advance(SignedDuration::from_secs(1));
    assert!(!world.kept(lent.consent).await);
    assert!(world.lendings.of(BREAK).await.unwrap().is_empty());
    assert_eq!(world.lendings.open(lent.consent, world.clock.now()).await.unwrap(), None);
    // The end of its time is no early end; the record is proof for a while.
    world.lendings.end(lent.consent, Why::Withdrawn, world.clock.now()).await.unwrap();
    assert_eq!(world.lendings.get(lent.consent).await.unwrap().unwrap().ended, None);
    world.clock.advance(SignedDuration::from_hours(24 * 31 * 13));
    assert_eq!(world.lendings.get(lent.consent).await.unwrap(), None);
}

#[tokio::test]
async fn what_was_taken_back_is_not_opened_and_may_be_lent_once_more() {
    let world = world();
    let lent = world.lent(1, BREAK).await;
    world.lendings.open(lent.consent, world.clock.now()).await.unwrap();
    world.lendings.end(lent.consent, Why::Withdrawn, world.clock.now()).await.unwrap();
    world.lendings.end(lent.consent, Why::Fixed, world.clock.now()).await.unwrap();
    let seen = world.lendings.seen(lent.consent).await.unwrap().unwrap();
    assert_eq!((seen.kept, seen.ended.unwrap().why, seen.openings.len()), (false, Why::Withdrawn, 1));
    assert_eq!(world.lendings.open(lent.consent, world.clock.now()).await.unwrap(), None);
    world.lent(1, BREAK).await;
    let seen = world.lendings.seen(lent.consent).await.unwrap().unwrap();
    assert_eq!(
        (seen.kept, seen.ended, seen.openings.len()),
        (true, None, 1),
        "what was done before stays in the record"
    );
}
