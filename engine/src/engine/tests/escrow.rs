//! Who somebody is, whom an Online Service knows by a name of its own: sealed, and opened on an order that is in the ledger first.

use serde_json::json;

use super::*;
use crate::account::{AccountName, Contact};
use crate::erase::receipt::Scope;
use crate::escrow::{LiftError, LiftFile};
use crate::id::SubjectId;
use crate::jose::Algorithm;
use crate::jose::tests::{published_key, recipient};

const CONTACT: &str = "julie@example.org";

/// A node with the key of an authority, and somebody with an account who shared something there.
async fn shared(folder: &Path) -> (World, AccountName, SubjectId, Facts) {
    let clock = Arc::new(ManualClock::new(now()));
    let builder = builder(hollow_connector(), &clock).store(folder.to_owned()).authority(recipient());
    let world = World { engine: builder.build().await.unwrap(), clock };
    let (account, _) = world.engine.accounts().made_up(7, now()).await;
    let contact = Contact::try_from(CONTACT.to_owned()).unwrap();
    world.engine.accounts().set_contact(&account, Some(contact)).await.unwrap();
    let session = world.session().await;
    world.engine.link(&session, &account).await.unwrap();
    world.review(&session).await;
    deliver(&world, &session).await;
    let subject = session.linked().unwrap().subject;
    let facts = world.receipts(&session).await.remove(0);
    (world, account, subject, facts)
}

async fn deliver(world: &World, session: &Arc<Session>) {
    let parcel = world.parcel(session).await;
    let bytes = world.engine.fetch_parcel(&lender(), parcel).await.unwrap();
    world.engine.acknowledge(&lender(), parcel, Digest::of(&bytes)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_who_somebody_is_without_an_order_in_the_ledger_and_the_offline_key() {
    let folder = tempfile::tempdir().unwrap();
    let (world, account, subject, facts) = shared(folder.path()).await;
    assert!(facts.kept.iter().any(|kept| kept.row == "R19"), "the receipt says that it is kept: {:?}", facts.kept);
    let (order, file) = world.engine.lift(subject, "A court", "order 12", None).await.unwrap();
    let (key, log) = (published_key(Algorithm::RsaOaep256), world.engine.log_keys().await.unwrap());
    let (identity, _) = file.open(&key, &log).unwrap();
    assert_eq!((identity.subject, identity.contact.as_deref()), (subject, Some(CONTACT)));
    assert_eq!((identity.account.as_str(), identity.data_source.as_str()), (account.as_str(), "sample-bank"));
    assert!(!format!("{identity:?} {file:?}").contains(CONTACT));

    // Not with another key, not without the leaf, not for another envelope.
    assert_eq!(file.open(&published_key(Algorithm::Ps256), &log).err(), Some(LiftError::Refused));
    assert_eq!(file.open(&key, &[]).err(), Some(LiftError::NotInTheLog));
    let released = facts.leaves.iter().find(|leaf| leaf.event.name() == "released").unwrap();
    let other = world.engine.ledger.proof(released.leaf).await.unwrap().unwrap();
    assert_eq!(LiftFile { proof: other, ..file.clone() }.open(&key, &log).err(), Some(LiftError::NotInTheLog));
    let no_order = LiftFile { event: released.event.clone(), ..file.clone() };
    assert_eq!(no_order.open(&key, &log).err(), Some(LiftError::OtherOrder));
    let envelope = format!("{}A", file.envelope);
    assert_eq!(LiftFile { envelope, ..file.clone() }.open(&key, &log).err(), Some(LiftError::OtherOrder));
    let crate::ledger::Event::AnonymityLifted { consent, envelope, .. } = file.event else {
        panic!("{:?}", file.event)
    };
    let another = crate::ledger::Event::AnonymityLifted { consent, order: id(9), envelope };
    assert_eq!(LiftFile { event: another, ..file.clone() }.open(&key, &log).err(), Some(LiftError::NotInTheLog));

    // It is in the register, and the person sees it.
    assert_eq!(world.engine.disclosures().await.unwrap()[0].id, order);
    let told = world.engine.account_copy(&account).await.unwrap()["lifted"].clone();
    assert_eq!((told.as_array().unwrap().len(), &told[0]["authority"]), (1, &json!("A court")), "{told}");
    let copy =
        world.engine.ask_right_in_account(&account, facts.consent, super::rights::ask(crate::rights::Right::Access));
    assert_eq!(copy.await.unwrap()["result"]["lifted"][0]["basis"], "order 12");
    // An erasure says that the envelope stays, and until when.
    let erased = world.engine.erase(Scope::Subject(subject)).await.unwrap();
    assert!(erased.facts().survives.iter().any(|left| left.kept.row == "R19" && left.records == Some(1)));
    // After thirteen months nobody can say it any more.
    world.pass(60 * 24 * 31 * 14);
    world.engine.sweep().await.unwrap();
    assert!(matches!(world.engine.lift(subject, "A court", "order 13", None).await, Err(EngineError::NotFound)));
    assert_eq!(world.engine.disclosures().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_forbids_it_is_told_when_it_ends_and_an_account_that_is_closed_leaves_the_envelope() {
    let folder = tempfile::tempdir().unwrap();
    let (world, account, subject, _) = shared(folder.path()).await;
    let until = world.clock.now() + SignedDuration::from_hours(24);
    world.engine.lift(subject, "A court", "order 12", Some(until)).await.unwrap();
    let told = async || world.engine.account_copy(&account).await.unwrap()["lifted"].as_array().unwrap().len();
    assert_eq!(told().await, 0);
    world.pass(60 * 24 - 1);
    assert_eq!(told().await, 0);
    world.pass(1);
    assert_eq!(told().await, 1);
    world.engine.accounts().close(&account).await.unwrap();
    assert!(world.engine.lift(subject, "A court", "order 13", None).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_of_who_has_no_account_or_where_there_is_no_authority() {
    let folder = tempfile::tempdir().unwrap();
    let (with_key, ..) = shared(folder.path()).await;
    let anonymous = with_key.in_review().await;
    deliver(&with_key, &anonymous).await;
    assert!(with_key.receipts(&anonymous).await[0].kept.iter().all(|kept| kept.row != "R19"));

    let world = world().await;
    let (account, _) = world.engine.accounts().made_up(7, now()).await;
    let session = world.session().await;
    world.engine.link(&session, &account).await.unwrap();
    world.review(&session).await;
    deliver(&world, &session).await;
    let subject = session.linked().unwrap().subject;
    assert!(matches!(world.engine.lift(subject, "A court", "order 12", None).await, Err(EngineError::NotFound)));
    assert!(world.engine.disclosures().await.unwrap().is_empty(), "there is nothing to order");
}
