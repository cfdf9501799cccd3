//! What must hold after every flow, however it was cut short.

use super::*;

/// What must hold once the flow has come to its end in another life. `may_be_lost` says that what died with the machine was
/// in memory only; a receipt may then tell of no delivery. On a full disk a receipt may lack the leaf of the erasure.
pub(super) async fn check(outside: &Outside, world: &World, flow: &Flow, may_be_lost: bool, fault: Fault) {
    let facts = outside.facts(world).await;
    let received = outside.received.lock().unwrap().clone();
    assert!(received.len() <= 1, "delivered twice");
    let acknowledged = outside.acknowledged.load(Ordering::SeqCst) > 0;
    let withdrawn = outside.withdrawn.load(Ordering::SeqCst) > 0;
    let delivered = facts.iter().filter(|facts| ["delivered", "partial"].contains(&facts.outcome.as_str()));
    let delivered: Vec<&Facts> = delivered.collect();
    if delivered.is_empty() {
        assert!(!acknowledged, "an acknowledged parcel has no receipt: {facts:?}");
        assert!(may_be_lost || flow.crashes || flow.stop.is_some(), "nothing was lost, nothing delivered: {facts:?}");
        let shared = facts.iter().filter(|facts| facts.parcel.is_none()).flat_map(|facts| &facts.categories);
        assert!(shared.into_iter().all(|category| category.shared == 0), "shared without a parcel: {facts:?}");
    }
    // A life that died between the receipt and the session's end leaves a second receipt to the next one, of the same run.
    for told in &delivered {
        let (parcel, bytes) = received.first_key_value().expect("what is delivered was received");
        check_delivered(world, flow, told, *parcel, bytes, fault).await;
        assert_eq!(told.run, delivered[0].run, "delivered twice");
        assert!(!withdrawn, "a withdrawal was confirmed, and what it was about delivered");
    }
    if fault != Fault::Full {
        assert!(facts.iter().all(|facts| events(facts).contains(&"erased".to_owned())), "not erased: {facts:?}");
    }
    for parcel in received.keys().filter(|_| delivered.is_empty()) {
        assert!(world.engine.fetch_parcel(&lender(), *parcel).await.is_err(), "what has ended is still given out");
    }
}

async fn check_delivered(world: &World, flow: &Flow, told: &Facts, parcel: ParcelId, bytes: &[u8], fault: Fault) {
    let seen = world.engine.outbox.look(parcel).await.unwrap().unwrap();
    assert_eq!(seen.end.unwrap().how, How::Acknowledged);
    assert!(!world.engine.outbox.holds(parcel).await.unwrap());
    assert_eq!(told.outcome, if flow.shortfall { "partial" } else { "delivered" });
    let of_parcel = told.parcel.as_ref().unwrap();
    assert_eq!((of_parcel.id, of_parcel.digest), (parcel, Digest::of(bytes)));
    assert!(of_parcel.fetched_at.is_some() && of_parcel.acknowledged_at.is_some());
    for event in ["consent-given", "login-opened", "released", "erased"] {
        if (event, fault) != ("erased", Fault::Full) {
            assert!(events(told).contains(&event.to_owned()), "{event} of {:?}", events(told));
        }
    }
    let counts: Vec<_> = told.categories.iter().map(|each| (each.collected, each.shared)).collect();
    // The name is the first item, and the second category.
    assert_eq!(counts, [(1, 1), (1, usize::from(!flow.leaves_out))]);
    assert!(told.kept.iter().any(|kept| kept.row == "R24"));
}

/// Every login that was opened has a receipt, unless the machine came back after the session's hour: then nobody is there
/// to read one. No receipt tells of a login that the consent's record knows nothing of.
pub(super) async fn check_openings(outside: &Outside, world: &World, session: &Session, keys: &CountingKeys) {
    assert!(session.state().is_end());
    let facts = outside.facts(world).await;
    let opened = keys.opened() - outside.answers.load(Ordering::SeqCst);
    let over = world.clock.now() >= session.deadline();
    let runs = facts.iter().map(|facts| facts.run).collect::<BTreeSet<_>>().len();
    assert!(runs >= opened || over, "{opened} logins opened, and the receipts say {facts:?}");
    if let Some(consent) = session.consent() {
        let record = world.engine.consents.record(consent).await.unwrap();
        assert!(runs <= record.logins_opened(), "{} grants used: {facts:?}", record.logins_opened());
        let withdrawn = outside.withdrawn.load(Ordering::SeqCst) > 0;
        assert!(!withdrawn || matches!(record.status(), Status::Withdrawn | Status::Refused), "{record:?}");
    }
}

/// After the hour, only what the retention table keeps is left, each record with its key, each delivery and consent closed.
pub(super) async fn check_remains(below: &Arc<MemoryStore>, world: &World) {
    world.pass(61);
    world.engine.sweep().await.unwrap();
    assert!(world.engine.sessions.all().is_empty());
    let listed = below.scan("").await.unwrap().into_iter().map(|(key, ..)| key);
    let records: Vec<String> = listed.filter(|key| key != "mark").collect();
    assert_eq!(world.engine.shelves.keys_used(), records.len(), "{records:?}");
    let kept = ["R05/", "R14/", "R15/", "R16/rights-request/", "R21/access/", "R24/", "R29/"];
    assert!(records.iter().all(|key| kept.iter().any(|row| key.starts_with(row))), "{records:?}");
    // What the Online Service has to answer after a withdrawal that came late: asked once, whatever died in between.
    assert!(records.iter().filter(|key| key.starts_with("R16/")).count() <= 1, "{records:?}");
    for key in records.iter().filter(|key| key.starts_with("R24/")) {
        let parcel = key.rsplit('/').next().unwrap().parse().unwrap();
        assert!(world.engine.outbox.look(parcel).await.unwrap().unwrap().end.is_some(), "{key} is open");
    }
    let consents = records.iter().filter(|key| key.starts_with("R14/consent/")).count();
    assert_eq!(world.engine.consents.expire_due(world.clock.now()).await.unwrap().len(), consents);
}
