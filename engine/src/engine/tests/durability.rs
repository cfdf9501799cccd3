//! The whole flow over a store that fails at each of its durable operations in turn: the machine dies there, or the disk is
//! full from there on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::outbox::How;
use crate::store::faulty::{Fault, Faulty, memory};
use crate::store::{Shelves, Store};

/// What the world outside knows. It survives the engine.
#[derive(Default)]
struct Outside {
    stage: Mutex<&'static str>,
    session: Mutex<Option<Arc<Session>>>,
    /// A receiver that honours the id: what it has under it is never another thing.
    received: Mutex<BTreeMap<ParcelId, Vec<u8>>>,
    acknowledged: AtomicUsize,
    /// Of all lives, by the receipt's token.
    receipts: Mutex<Vec<String>>,
}

pub(super) async fn world_over(store: &Arc<Faulty>, clock: &Arc<ManualClock>, keys: &Arc<dyn KeyProvider>) -> World {
    let mut catalogue = Catalogue::default();
    assert_eq!(catalogue.add(hollow_connector()), None);
    let entropy = Arc::new(Entropy::system());
    let shelves = Shelves::over(Box::new(store.clone()), keys.clone(), entropy.clone(), clock.clone());
    shelves.clear_orphans().await.unwrap();
    let mut builder = Engine::builder()
        .clock(clock.clone())
        .entropy(entropy)
        .keys(keys.clone())
        .catalogue(catalogue)
        .operator(operator())
        .online_service(lender())
        .sandbox(SandboxSettings { concurrent_runs: 1, guest_threads: 1 });
    builder.shelves = Some(shelves);
    World { engine: builder.build().await.unwrap(), clock: clock.clone() }
}

impl Outside {
    fn enter(&self, stage: &'static str) {
        *self.stage.lock().unwrap() = stage;
    }

    fn stage(&self) -> &'static str {
        *self.stage.lock().unwrap()
    }

    fn session(&self) -> Option<Arc<Session>> {
        self.session.lock().unwrap().clone()
    }

    /// The person reads what a life of the session says.
    fn read_receipts(&self) {
        if let Some(session) = self.session() {
            let told = session.receipts().into_iter().map(|(_, token)| token);
            let mut known = self.receipts.lock().unwrap();
            for token in told {
                if !known.contains(&token) {
                    known.push(token);
                }
            }
        }
    }

    /// Goes on from wherever the session stands, to its end. Says whether there was a session to go on with.
    async fn drive(&self, world: &World) -> Result<bool, EngineError> {
        let session = match self.session().map(|session| session.id()) {
            None => {
                self.enter("create");
                world.engine.create_session(&lender(), REQUEST.as_bytes()).await?.session
            }
            Some(id) => match world.engine.session(id) {
                Some(session) => session,
                None => return Ok(false),
            },
        };
        *self.session.lock().unwrap() = Some(session.clone());
        while !session.state().is_end() {
            self.step(world, &session).await?;
        }
        self.read_receipts();
        Ok(true)
    }

    async fn step(&self, world: &World, session: &Arc<Session>) -> Result<(), EngineError> {
        let engine = &world.engine;
        match session.state() {
            State::Requested => {
                self.enter("choose");
                engine.choose_source(session, "sample-bank", "sample-bank").await?;
            }
            State::AwaitingConsent => {
                self.enter("consent");
                let notice = session.notice().unwrap();
                let all = notice.facts().asked.iter().map(|asked| asked.category).collect();
                engine.give_consent(session, &notice.digest(), &all).await?;
            }
            State::AwaitingCredentials { .. } => {
                self.enter("login");
                let sealed = world.sealed(session.id(), &LOGIN).await;
                let opened = engine.begin(session, &sealed, NAVIGATION).await?;
                self.enter("collect");
                let data =
                    collected(opened.run.name().run, vec![name_item("Martin"), transaction_item("rent", -90_000)]);
                session.note(|notes| {
                    notes.collected = data.counts();
                    notes.alive.data = Some(data.presence());
                });
                let data = data.minimise(&opened.grant);
                session.hold_review(Review { run: opened.run, data }, world.clock.now()).unwrap();
                engine.save(session).await;
            }
            State::InReview => {
                self.enter("share");
                world.engine.share(session, &Decision::all()).await?;
            }
            State::Delivering => {
                self.enter("fetch");
                let parcel = session.parcel().unwrap();
                let bytes = engine.fetch_parcel(&lender(), parcel).await?;
                let digest = Digest::of(&bytes);
                let known = self.received.lock().unwrap().insert(parcel, bytes.clone());
                assert!(known.is_none_or(|known| known == bytes), "other bytes under the same id");
                self.enter("acknowledge");
                engine.acknowledge(&lender(), parcel, digest).await?;
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            state => panic!("nobody drives {state:?}"),
        }
        Ok(())
    }

    async fn facts(&self, world: &World) -> Vec<Facts> {
        let keys = world.engine.signing_keys().await.unwrap();
        let tokens = self.receipts.lock().unwrap().clone();
        tokens.iter().map(|token| Receipt::verify(token, &keys).unwrap().facts().clone()).collect()
    }

    /// What must hold for every flow that came to its end. On a full disk a receipt may lack the leaf of the erasure.
    async fn check(&self, world: &World, killed_in: &str, fault: Fault) {
        let facts = self.facts(world).await;
        let received = self.received.lock().unwrap().clone();
        assert!(received.len() <= 1, "{killed_in}: delivered twice");
        let Some((&parcel, bytes)) = received.first_key_value() else {
            let codes: Vec<_> = facts.iter().filter_map(|facts| facts.code.as_deref()).collect();
            let lost = ["login", "collect", "share"].contains(&killed_in);
            let consent = self.session().and_then(|session| session.consent()).unwrap();
            let opened = world.engine.consents.record(consent).await.unwrap().logins_opened();
            assert!(
                lost && codes.len() == opened,
                "{killed_in}: {opened} logins opened, and the receipts say {codes:?}"
            );
            assert!(facts.iter().all(|facts| facts.parcel.is_none()
                && (fault == Fault::Full || events(facts).contains(&"erased".to_owned()))));
            return;
        };
        let seen = world.engine.outbox.look(parcel).await.unwrap().unwrap();
        assert_eq!(seen.end.unwrap().how, How::Acknowledged, "{killed_in}");
        assert!(!world.engine.outbox.holds(parcel).await.unwrap());
        let told =
            facts.iter().find(|facts| facts.outcome == "delivered").unwrap_or_else(|| panic!("{killed_in}: {facts:?}"));
        let of_parcel = told.parcel.as_ref().unwrap();
        assert_eq!((of_parcel.id, of_parcel.digest), (parcel, Digest::of(bytes)), "{killed_in}");
        assert!(of_parcel.fetched_at.is_some() && of_parcel.acknowledged_at.is_some());
        for event in ["consent-given", "login-opened", "released", "erased"] {
            if (event, fault) == ("erased", Fault::Full) {
                continue;
            }
            assert!(events(told).contains(&event.to_owned()), "{killed_in}: {event} of {:?}", events(told));
        }
        assert!(
            told.categories.iter().all(|each| (each.collected, each.shared) == (1, 1)) && told.categories.len() == 2
        );
        assert!(told.kept.iter().any(|kept| kept.row == "R24"));
    }
}

/// After the hour, only what the retention table keeps is left, each record with its key, each delivery and consent closed.
async fn check_remains(below: &Arc<dyn Store>, clock: &Arc<ManualClock>, keys: &Arc<dyn KeyProvider>, at: usize) {
    clock.advance(SignedDuration::from_mins(61));
    let world = world_over(&Faulty::new(below.clone(), Fault::Dead, usize::MAX), clock, keys).await;
    world.engine.sweep().await.unwrap();
    assert!(world.engine.sessions().is_empty());
    let all: Vec<String> = below.scan("").await.unwrap().into_iter().map(|(key, ..)| key).collect();
    let (wraps, records): (Vec<_>, Vec<_>) = all.iter().partition(|key| key.starts_with("wraps/"));
    assert_eq!(wraps.len(), records.len(), "{at}: {all:?}");
    let kept = ["R05/", "R14/", "R15/", "R24/"];
    assert!(records.iter().all(|key| kept.iter().any(|row| key.starts_with(row))), "{at}: {records:?}");
    for key in records.iter().filter(|key| key.starts_with("R24/")) {
        let parcel = key.rsplit('/').next().unwrap().parse().unwrap();
        assert!(world.engine.outbox.look(parcel).await.unwrap().unwrap().end.is_some(), "{at}: {key} is open");
    }
    let consents = records.iter().filter(|key| key.starts_with("R14/consent/")).count();
    assert_eq!(world.engine.consents.expire_due(clock.now()).await.unwrap().len(), consents, "{at}");
}

/// One life that dies just before the durable operation `at`, and one more that goes on. Tells the stage in which it died.
fn die_at(at: usize, keys: &Arc<dyn KeyProvider>) -> Option<&'static str> {
    let (below, clock, outside) = (memory(), Arc::new(ManualClock::new(now())), Outside::default());
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let first = runtime();
    let died = first.block_on(async {
        let store = Faulty::new(below.clone(), Fault::Dead, at);
        let world = world_over(&store, &clock, keys).await;
        tokio::select! {
            biased;
            () = store.died() => true,
            ended = outside.drive(&world) => { ended.unwrap(); false }
        }
    });
    first.shutdown_background();
    let killed_in = outside.stage();
    outside.read_receipts();
    let ended_before = outside.session().is_some_and(|session| session.state().is_end());
    runtime().block_on(async {
        let world = world_over(&Faulty::new(below.clone(), Fault::Dead, usize::MAX), &clock, keys).await;
        let went_on = outside.drive(&world).await.unwrap();
        assert!(went_on || ended_before, "{at}, {killed_in}: a session that went on is gone");
        outside.check(&world, killed_in, Fault::Dead).await;
        for (key, ..) in below.scan("R23/").await.unwrap() {
            let parcel = key.rsplit('/').next().unwrap().parse().unwrap();
            assert!(
                !world.engine.outbox.holds(parcel).await.unwrap(),
                "{at}, {killed_in}: a parcel that nobody waits for"
            );
        }
        check_remains(&below, &clock, keys, at).await;
    });
    died.then_some(killed_in)
}

#[test]
fn a_machine_that_dies_at_any_durable_operation_loses_nothing_acknowledged_and_leaves_nothing_half_written() {
    let keys = crate::keys::software::tests::keys();
    let mut histogram = BTreeMap::<&str, usize>::new();
    for at in 1.. {
        let Some(stage) = die_at(at, &keys) else { break };
        *histogram.entry(stage).or_default() += 1;
    }
    println!("kill points by stage: {histogram:?}");
    for stage in ["create", "choose", "consent", "login", "collect", "share", "fetch", "acknowledge"] {
        assert!(histogram.contains_key(stage), "nothing died in {stage}: {histogram:?}");
    }
}

/// The disk is full from the operation `at` on, until somebody makes room. Tells whether anybody noticed.
async fn full_at(at: usize, keys: &Arc<dyn KeyProvider>) -> bool {
    let (below, clock, outside) = (memory(), Arc::new(ManualClock::new(now())), Outside::default());
    let store = Faulty::new(below.clone(), Fault::Full, at);
    let world = world_over(&store, &clock, keys).await;
    let first = outside.drive(&world).await;
    let full_in = outside.stage();
    if let Err(error) = &first {
        assert!(error.is_full(), "{at}, {full_in}: {error:?}");
        let problem = crate::api::problem::Problem::from(match first {
            Err(error) => error,
            Ok(_) => unreachable!(),
        });
        assert!(problem.next.unwrap().contains("make room"));
    }
    if let Some(session) = outside.session() {
        assert!(!session.is_busy(), "{at}, {full_in}: the slot is held");
        if session.state().is_end() {
            tokio::time::timeout(std::time::Duration::from_secs(5), states(&session)).await.expect("its events end");
        }
    }
    let noticed = store.done() >= at;
    store.heal();
    // The same person goes on, or has a receipt that says why not; the next one is served.
    outside.drive(&world).await.unwrap();
    outside.check(&world, full_in, Fault::Full).await;
    let next = Outside::default();
    next.drive(&world).await.unwrap();
    next.check(&world, "nothing", Fault::Dead).await;
    world.pass(61);
    world.engine.sweep().await.unwrap();
    assert!(world.engine.sessions().is_empty(), "{at}, {full_in}: a session is held for ever");
    check_remains(&below, &clock, keys, at).await;
    noticed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_no_more_than_the_run_that_meets_it() {
    let keys = crate::keys::software::tests::keys();
    let mut points = 0;
    while full_at(points + 1, &keys).await {
        points += 1;
    }
    assert!(points > 20, "{points}");
}

/// A withdrawal of what is being delivered dies just before its durable operation `at`; the person says it again where the
/// next life did not follow. Tells whether anything died.
fn withdrawal_dies_at(at: usize, keys: &Arc<dyn KeyProvider>) -> bool {
    let (below, clock, outside) = (memory(), Arc::new(ManualClock::new(now())), Outside::default());
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let first = runtime();
    let (died, parcel) = first.block_on(async {
        let store = Faulty::new(below.clone(), Fault::Dead, usize::MAX);
        let world = world_over(&store, &clock, keys).await;
        let session = world.session().await;
        *outside.session.lock().unwrap() = Some(session.clone());
        while session.state() != State::Delivering {
            outside.step(&world, &session).await.unwrap();
        }
        let parcel = session.parcel().unwrap();
        store.fail_in(at);
        tokio::select! {
            biased;
            () = store.died() => (true, parcel),
            withdrawn = world.engine.withdraw(&session) => { withdrawn.unwrap(); (false, parcel) }
        }
    });
    first.shutdown_background();
    outside.read_receipts();
    runtime().block_on(async {
        let world = world_over(&Faulty::new(below.clone(), Fault::Dead, usize::MAX), &clock, keys).await;
        if let Some(session) = world.engine.session(outside.session().unwrap().id()) {
            if !session.state().is_end() {
                assert_eq!(at, 1, "what was on the record was not followed");
                world.engine.withdraw(&session).await.unwrap();
            }
            *outside.session.lock().unwrap() = Some(session);
            outside.read_receipts();
        }
        assert!(
            world.engine.fetch_parcel(&lender(), parcel).await.is_err()
                && !world.engine.outbox.holds(parcel).await.unwrap()
        );
        let facts = outside.facts(&world).await;
        assert!(facts.iter().any(|facts| facts.outcome == "withdrawn"), "{at}: {facts:?}");
        check_remains(&below, &clock, keys, at).await;
    });
    died
}

#[test]
fn a_withdrawal_that_dies_half_way_is_followed_by_the_next_life() {
    let keys = crate::keys::software::tests::keys();
    let points = (1..).take_while(|&at| withdrawal_dies_at(at, &keys)).count();
    assert!(points >= 6, "{points}");
}
