use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::keys::software::tests::keys;

struct World {
    ledger: Arc<Ledger>,
    shelves: Shelves,
    clock: Arc<ManualClock>,
}

fn world() -> World {
    let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00Z".parse().unwrap()));
    let entropy = Arc::new(Entropy::from(StdRng::seed_from_u64(1)));
    let shelves = Shelves::memory(keys(), entropy.clone(), clock.clone());
    let ledger = Ledger::new(&shelves, entropy, keys(), sequencer::in_memory());
    World { ledger: Arc::new(ledger), shelves, clock }
}

fn consent(last: u8) -> ConsentId {
    format!("cns_01JD8Z3M7K000000000000000{last}").parse().unwrap()
}

fn given(last: u8) -> Event {
    Event::ConsentGiven { consent: consent(last), notice: Digest::of(b"notice") }
}

#[tokio::test]
async fn a_leaf_is_durable_and_whoever_has_the_salt_can_check_it() {
    let World { ledger, clock, .. } = world();
    let leaf = ledger.accept(given(1), clock.now()).await.unwrap();
    assert_eq!(leaf.event(), &given(1));
    let kept = ledger.commitment(leaf.id()).await.unwrap().unwrap();
    let salt = ledger.salt(consent(1)).await.unwrap().unwrap();
    assert_eq!((commitment(&salt, &given(1)), Some(leaf.commitment())), (Some(kept), Some(kept)));
    assert_ne!(commitment(&salt, &Event::ConsentWithdrawn { consent: consent(1) }), Some(kept));
    assert_ne!(commitment(&Salt::from_bytes([0; 32]), &given(1)), Some(kept));
}

#[tokio::test]
async fn a_planned_leaf_is_found_once_it_was_accepted_and_accepted_once() {
    let World { ledger, clock, .. } = world();
    let planned = ledger.plan(given(1), clock.now());
    assert!(ledger.find(&planned).await.unwrap().is_none(), "a plan is no leaf");
    let leaf = ledger.accept_planned(&planned, clock.now()).await.unwrap();
    let again = ledger.accept_planned(&planned, clock.now()).await.unwrap();
    assert_eq!((leaf.id(), leaf.commitment()), (again.id(), again.commitment()));
    assert_eq!(ledger.find(&planned).await.unwrap().unwrap().event(), &given(1));
    let mut lie = serde_json::to_value(&planned).unwrap();
    lie["event"] = serde_json::to_value(given(2)).unwrap();
    let lie = serde_json::from_value(lie).unwrap();
    assert!(ledger.find(&lie).await.unwrap().is_none(), "another event under its name");
    assert!(ledger.accept_planned(&lie, clock.now()).await.is_err());
}

#[tokio::test]
async fn the_same_event_of_two_consents_can_not_be_told_alike() {
    let World { ledger, clock, .. } = world();
    let salts = [1, 2].map(|at| (ledger.clone(), clock.clone(), at)).map(|(ledger, clock, at)| async move {
        let _ = ledger.accept(given(at), clock.now()).await.unwrap();
        ledger.salt(consent(at)).await.unwrap().unwrap()
    });
    let [one, two] = salts;
    assert!(one.await != two.await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_one_consent_at_once_share_a_salt() {
    let World { ledger, clock, .. } = world();
    let accepting: Vec<_> = (0..8)
        .map(|_| {
            let (ledger, now) = (ledger.clone(), clock.now());
            tokio::spawn(async move { ledger.accept(given(1), now).await.unwrap().commitment() })
        })
        .collect();
    let wanted = {
        let mut commitments = std::collections::BTreeSet::new();
        for one in accepting {
            commitments.insert(one.await.unwrap());
        }
        commitments
    };
    assert_eq!(wanted.len(), 1);
}

#[tokio::test]
async fn a_salt_goes_with_the_consent_and_the_leaf_stays() {
    let World { ledger, shelves, clock } = world();
    let leaf = ledger.accept(given(1), clock.now()).await.unwrap();
    ledger.consent_terminated(consent(1), clock.now()).await.unwrap();
    let due = shelves.expired(Timestamp::MAX).await.unwrap();
    let [salt] = &due[..] else { panic!("{due:?}") };
    assert_eq!((salt.namespace.as_str(), salt.deadline.to_string().as_str()), ("salt", "2027-12-21T10:00:00Z"));

    ledger.forget(consent(1)).await.unwrap();
    assert_eq!(ledger.salt(consent(1)).await.unwrap(), None);
    assert_eq!(ledger.commitment(leaf.id()).await.unwrap(), Some(leaf.commitment()));
}

#[test]
fn what_a_leaf_commits_to_never_changes() {
    let run: RunId = "run_01JD8Z3M7K0000000000000000".parse().unwrap();
    let parcel: ParcelId = "pcl_01JD8Z3M7K0000000000000000".parse().unwrap();
    let event = Event::Released { consent: consent(1), run, parcel };
    assert_eq!(
        serde_json::to_string(&event).unwrap(),
        r#"{"event":"released","consent":"cns_01JD8Z3M7K0000000000000001","run":"run_01JD8Z3M7K0000000000000000","parcel":"pcl_01JD8Z3M7K0000000000000000"}"#
    );
    assert_eq!(
        commitment(&Salt::from_bytes([7; 32]), &event).unwrap().to_string(),
        "sha256:648ee29b88ac28898a14de440157f85bca61ff9faa2610366c4c9679cdb3ef05"
    );
    assert_eq!(format!("{:?}", Salt::from_bytes([7; 32])), "Salt");
}

/// The log's public keys.
async fn log_keys() -> Vec<crate::jose::PublicKey> {
    keys().publics(crate::keys::Duty::Log).await.unwrap()
}

#[tokio::test]
async fn an_accepted_leaf_gets_its_place_and_its_proof_holds_offline() {
    let World { ledger, clock, shelves } = world();
    assert_eq!((ledger.sequence().await.unwrap(), ledger.checkpoint().await.unwrap()), (0, None));
    let mut leaves = vec![];
    for at in 1..=3 {
        leaves.push(ledger.accept(given(at), clock.now()).await.unwrap());
        clock.advance(jiff::SignedDuration::from_secs(1));
    }
    assert_eq!(ledger.proof(leaves[0].id()).await.unwrap(), None, "accepted, and without a place yet");
    assert_eq!(ledger.sequence().await.unwrap(), 3);
    let later = ledger.accept(given(1), clock.now()).await.unwrap();
    assert_eq!((ledger.sequence().await.unwrap(), ledger.sequence().await.unwrap()), (4, 4));
    let keys = log_keys().await;
    for (index, leaf) in (0..).zip(leaves.iter().chain([&later])) {
        let text = ledger.proof(leaf.id()).await.unwrap().unwrap();
        let shown = proof::verify(&text, &leaf.commitment(), &keys).unwrap();
        assert_eq!((shown.index, shown.size), (index, 4));
        assert!(proof::verify(&text, &Digest::of(b"another"), &keys).is_err());
    }
    let note = ledger.checkpoint().await.unwrap().unwrap();
    assert_eq!(proof::checkpoint(&note, &keys).unwrap().size(), 4);
    assert!(note.starts_with("consentry.example/log\n4\n"), "{note}");
    assert_eq!(ledger.tiles.read("checkpoint").unwrap().unwrap(), note.as_bytes());
    assert!(shelves.shelf::<R15ConsentLogLeaf>().names::<WaitingRow>().await.unwrap().is_empty());
    assert!(ledger.tile("tile/0/000.p/4".into()).await.unwrap().is_some());
    assert_eq!(ledger.tile("checkpoint".into()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_sequence_at_once_write_one_log() {
    let World { ledger, clock, .. } = world();
    let mut leaves = vec![];
    for round in 0..6 {
        for at in 0..9 {
            leaves.push(ledger.accept(given(at), clock.now()).await.unwrap());
        }
        let both = [0, 1].map(|_| ledger.clone()).map(|ledger| tokio::spawn(async move { ledger.sequence().await }));
        for one in both {
            one.await.unwrap().unwrap();
        }
        assert_eq!(ledger.sequence().await.unwrap(), (round + 1) * 9);
    }
    let keys = log_keys().await;
    let mut places = std::collections::BTreeSet::new();
    for leaf in &leaves {
        let text = ledger.proof(leaf.id()).await.unwrap().unwrap();
        places.insert(proof::verify(&text, &leaf.commitment(), &keys).unwrap().index);
    }
    assert_eq!(places, (0..54).collect());
}

#[tokio::test]
async fn who_sequences_after_a_full_disk_goes_on_with_what_was_begun() {
    use crate::store::faulty::{Fault, Faulty, memory};
    let mut refused = 0;
    for at in 1..12 {
        let faulty = Faulty::new(memory(), Fault::Full, usize::MAX);
        let entropy = Arc::new(Entropy::from(StdRng::seed_from_u64(1)));
        let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00Z".parse().unwrap()));
        let (store, files) = (Box::new(faulty.clone()), Arc::new(faulty.clone()));
        let shelves = Shelves::open(store, files.clone(), files, keys(), entropy.clone(), clock.clone()).await.unwrap();
        let ledger = Ledger::new(&shelves, entropy, keys(), sequencer::in_memory());
        let one = ledger.accept(given(1), clock.now()).await.unwrap();
        clock.advance(jiff::SignedDuration::from_secs(1));
        let two = ledger.accept(given(2), clock.now()).await.unwrap();
        clock.advance(jiff::SignedDuration::from_secs(1));
        faulty.fail_in(at);
        refused += usize::from(ledger.sequence().await.is_err());
        faulty.heal();
        // What comes in between does not get in between.
        let late = ledger.accept(given(3), clock.now()).await.unwrap();
        assert_eq!(ledger.sequence().await.unwrap(), 3, "at {at}");
        for (index, leaf) in (0..).zip([&one, &two, &late]) {
            let text = ledger.proof(leaf.id()).await.unwrap().unwrap();
            let shown = proof::verify(&text, &leaf.commitment(), &log_keys().await).unwrap();
            assert_eq!(shown.index, index, "at {at}");
        }
    }
    assert!(refused > 4, "{refused}");
}
