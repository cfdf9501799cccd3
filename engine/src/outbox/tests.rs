use std::fmt;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::keys::software::tests::keys;

const BYTES: &[u8] = b"a JWE that nobody here can open";

struct World {
    outbox: Outbox,
    shelves: Shelves,
    clock: Arc<ManualClock>,
}

fn world() -> World {
    let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00Z".parse().unwrap()));
    let entropy = Arc::new(Entropy::from(StdRng::seed_from_u64(1)));
    let shelves = Shelves::memory(keys(), entropy.clone(), clock.clone());
    World { outbox: Outbox::new(&shelves, entropy), shelves, clock }
}

fn parcel(last: u8) -> ParcelId {
    format!("pcl_01JD8Z3M7K000000000000000{last}").parse().unwrap()
}

fn lender(last: u8) -> OnlineServiceId {
    format!("osv_01JD8Z3M7K000000000000000{last}").parse().unwrap()
}

impl World {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// Takes parcel 1 for lender 1, in a session that began `minutes` ago.
    async fn queued(self, minutes: i64) -> Self {
        let label = Label {
            parcel: parcel(1),
            consent: "cns_01JD8Z3M7K0000000000000000".parse().unwrap(),
            online_service: lender(1),
            digest: Digest::of(BYTES),
        };
        let ends_at = self.now() + SignedDuration::from_mins(60 - minutes);
        let session = "ses_01JD8Z3M7K0000000000000000".parse().unwrap();
        self.outbox.take(label, BYTES.to_vec(), session, ends_at, self.now()).await.unwrap();
        self
    }

    async fn sending(self) -> Self {
        let world = self.queued(0).await;
        world.outbox.begin(parcel(1), world.now(), world.now()).await.unwrap();
        world
    }

    async fn fetch(&self) -> Result<Fetched, OutboxError> {
        self.outbox.fetch(parcel(1), lender(1), self.now()).await
    }

    async fn acknowledge(&self, bytes: &[u8]) -> Result<End, OutboxError> {
        self.outbox.acknowledge(parcel(1), lender(1), &Digest::of(bytes), self.now()).await
    }

    async fn lease(&self) -> Option<ThinEvent> {
        self.outbox.lease_events(1, self.now()).await.unwrap().pop()
    }

    /// Whether our copy is still there.
    async fn holds_bytes(&self) -> bool {
        !self.shelves.shelf::<R23SealedParcel>().names::<Body>().await.unwrap().is_empty()
    }
}

fn how(result: Result<impl fmt::Debug, OutboxError>) -> How {
    match result {
        Err(OutboxError::Gone(end)) => end.how,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nothing_is_given_out_before_a_send_began_and_then_the_same_bytes_each_time() {
    let world = world().queued(0).await;
    let consent = "cns_01JD8Z3M7K0000000000000000".parse().unwrap();
    assert_eq!(world.fetch().await.unwrap(), Fetched::Undispatched(consent));
    assert!(matches!(world.acknowledge(BYTES).await, Err(OutboxError::NotFetched)));
    let began = world.now();
    world.outbox.begin(parcel(1), began, began).await.unwrap();
    world.pass(60);
    world.outbox.begin(parcel(1), world.now(), world.now()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(world.fetch().await.unwrap(), Fetched::Parcel(ParcelBytes(BYTES.to_vec())));
    }
    assert_eq!(world.acknowledge(BYTES).await.unwrap().fetched_at, Some(began));
}

#[tokio::test]
async fn only_its_digest_erases_a_parcel_and_to_say_it_again_changes_nothing() {
    let world = world().sending().await;
    assert!(matches!(world.acknowledge(b"another").await, Err(OutboxError::WrongDigest)));
    assert!(world.holds_bytes().await);
    let end = world.acknowledge(BYTES).await.unwrap();
    assert_eq!((end.how, world.holds_bytes().await), (How::Acknowledged, false));
    world.pass(60);
    assert_eq!(world.acknowledge(BYTES).await.unwrap(), end);
    assert_eq!(how(world.acknowledge(b"another").await), How::Acknowledged);
    assert_eq!(how(world.fetch().await), How::Acknowledged);
    assert_eq!(world.outbox.withdraw(parcel(1), world.now()).await.unwrap(), end, "an end stays");
}

#[tokio::test]
async fn nobody_else_learns_that_there_is_a_parcel() {
    let world = world().sending().await;
    let other = world.outbox.fetch(parcel(1), lender(2), world.now()).await;
    assert!(matches!(other, Err(OutboxError::Unknown)));
    let other = world.outbox.acknowledge(parcel(1), lender(2), &Digest::of(BYTES), world.now()).await;
    assert!(matches!(other, Err(OutboxError::Unknown)));
    assert!(matches!(world.outbox.fetch(parcel(2), lender(1), world.now()).await, Err(OutboxError::Unknown)));
    assert!(world.holds_bytes().await);
}

#[tokio::test]
async fn after_a_withdrawal_nobody_gets_the_bytes_and_it_is_known_whether_somebody_had_them() {
    let queued = world().queued(0).await;
    let end = queued.outbox.withdraw(parcel(1), queued.now()).await.unwrap();
    assert_eq!((end.how, end.fetched_at, queued.holds_bytes().await), (How::Withdrawn, None, false));
    assert_eq!(how(queued.fetch().await), How::Withdrawn);
    assert_eq!(how(queued.outbox.begin(parcel(1), queued.now(), queued.now()).await), How::Withdrawn);

    let sending = world().sending().await;
    let end = sending.outbox.withdraw(parcel(1), sending.now()).await.unwrap();
    assert_eq!((end.how, end.fetched_at, sending.holds_bytes().await), (How::Withdrawn, Some(sending.now()), false));
    assert_eq!(how(sending.acknowledge(BYTES).await), How::Withdrawn);
}

#[tokio::test]
async fn a_parcel_waits_one_hour_and_never_longer_than_its_session() {
    for (minutes, seconds) in [(0, 3600), (40, 1200)] {
        let world = world().queued(minutes).await;
        world.pass(seconds - 1);
        assert!(world.fetch().await.is_ok());
        assert_eq!(world.outbox.sweep(world.now()).await.unwrap(), []);
        world.pass(1);
        assert_eq!(how(world.fetch().await), How::Undelivered, "even before the sweep");
        let dead = world.outbox.sweep(world.now()).await.unwrap();
        let end = End { how: How::Undelivered, at: world.now(), fetched_at: None };
        assert_eq!(dead, [DeadLetter { parcel: parcel(1), end }]);
        assert!(!world.holds_bytes().await);
        assert_eq!(world.outbox.sweep(world.now()).await.unwrap(), []);
    }
}

#[tokio::test]
async fn what_remains_of_a_delivery_names_no_session_and_no_consent() {
    let world = world().sending().await;
    world.acknowledge(BYTES).await.unwrap();
    let shelf = world.shelves.shelf::<R24DeliveryOutcome>();
    let delivery = shelf.get::<Delivery>(&parcel(1).to_string()).await.unwrap().unwrap();
    let json = serde_json::to_string(&delivery.value).unwrap();
    assert!(!json.contains("ses_") && !json.contains("cns_"), "{json}");
    assert_eq!(shelf.expired(Timestamp::MAX).await.unwrap()[0].deadline.to_string(), "2027-12-21T10:00:00Z");
}

#[tokio::test]
async fn a_crash_between_two_writes_is_finished_by_the_sweep() {
    // Ended, but the bytes are still there.
    let world = world().sending().await;
    world.outbox.change(parcel(1), |delivery| Ok(delivery.finish(How::Acknowledged, world.now()))).await.unwrap();
    assert!(world.holds_bytes().await);
    assert_eq!(how(world.fetch().await), How::Acknowledged);
    assert_eq!(world.outbox.sweep(world.now()).await.unwrap(), []);
    assert!(!world.holds_bytes().await);

    // Bytes, but no delivery yet: it was never taken.
    let term = Term::from(world.now());
    world.outbox.parcels.put(&parcel(2).to_string(), &Body(vec![1]), Expect::Absent, term).await.unwrap();
    assert_eq!(world.outbox.sweep(world.now()).await.unwrap(), []);
    assert_eq!(world.lease().await, None);
    assert!(matches!(world.outbox.fetch(parcel(2), lender(1), world.now()).await, Err(OutboxError::Unknown)));
}

#[tokio::test]
async fn an_event_is_leased_to_one_at_a_time_and_keeps_its_id() {
    let world = world().queued(0).await;
    let first = world.lease().await.unwrap();
    assert_eq!((first.parcel, first.online_service, first.attempt), (parcel(1), lender(1), 1));
    assert_eq!(world.lease().await, None);
    world.pass(29);
    assert_eq!(world.lease().await, None);
    world.pass(1);
    let second = world.lease().await.unwrap();
    assert_eq!((second.id, second.attempt), (first.id, 2));
    world.outbox.told(first, true, world.now()).await.unwrap();
    world.outbox.told(second, false, world.now()).await.unwrap();
    world.pass(1);
    assert_eq!(world.lease().await, None, "two seconds after the second attempt");
    world.pass(2);
    let third = world.lease().await.unwrap();
    world.outbox.told(third, true, world.now()).await.unwrap();
    world.pass(1000);
    assert_eq!(world.lease().await, None, "it was told");
}

#[tokio::test]
async fn what_has_ended_is_not_told_any_more() {
    let world = world().queued(0).await;
    let event = world.lease().await.unwrap();
    world.outbox.withdraw(parcel(1), world.now()).await.unwrap();
    world.outbox.told(event, false, world.now()).await.unwrap();
    world.pass(1000);
    assert_eq!(world.lease().await, None);
}

#[test]
fn attempts_grow_apart_and_come_to_an_end() {
    let waits: Vec<_> = (1..).map_while(next_attempt).collect();
    assert!(waits.is_sorted() && waits.len() == 10);
    assert_eq!(next_attempt(0), None);
    assert!(waits.iter().sum::<SignedDuration>() < LIFETIME);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_acknowledgement_and_a_withdrawal_at_once_one_decides() {
    for _ in 0..20 {
        let world = Arc::new(world().sending().await);
        let (one, two) = (world.clone(), world.clone());
        let acknowledged = tokio::spawn(async move { one.acknowledge(BYTES).await });
        let withdrawn = tokio::spawn(async move { two.outbox.withdraw(parcel(1), two.now()).await });
        let (acknowledged, withdrawn) = (acknowledged.await.unwrap(), withdrawn.await.unwrap().unwrap());
        match acknowledged {
            Ok(end) => assert_eq!((end, end.how), (withdrawn, How::Acknowledged)),
            Err(OutboxError::Gone(end)) => assert_eq!((end, end.how), (withdrawn, How::Withdrawn)),
            Err(error) => panic!("{error:?}"),
        }
        assert!(!world.holds_bytes().await);
    }
}
