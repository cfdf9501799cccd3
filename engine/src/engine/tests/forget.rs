//! Erasure because somebody asked: what is gone, what is left, and what the receipt says of both.

use super::*;
use crate::account::AccountName;
use crate::entropy::Entropy;
use crate::erase::receipt::{ErasureReceipt, Facts, Scope};
use crate::id::SubjectId;
use crate::operator::Deed;
use crate::operator::audit::{About, Actor};
use crate::rights::Right;

async fn erase(world: &World, scope: Scope) -> Facts {
    let receipt = world.engine.erase(scope).await.unwrap();
    let keys = world.engine.signing_keys().await.unwrap();
    let shown = ErasureReceipt::verify(receipt.token(), &keys).unwrap();
    assert_eq!(shown.facts(), receipt.facts());
    let changed = receipt.token().replacen('.', ".A", 1);
    assert!(ErasureReceipt::verify(&changed, &keys).is_err());
    assert!(shown.facts().searched.iter().all(|place| place.found == 0), "{:?}", shown.facts().searched);
    receipt.facts().clone()
}

fn records(facts: &Facts) -> Vec<String> {
    let mut kinds: Vec<_> =
        facts.erased.iter().map(|each| each.record.rsplit_once('/').unwrap().0.to_owned()).collect();
    kinds.sort();
    kinds
}

fn survivors(facts: &Facts) -> Vec<&str> {
    facts.survives.iter().map(|each| each.kept.row.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_waits_for_its_receiver_goes_with_its_parcel_and_nobody_elses_does() {
    let world = world().await;
    let (one, other) = (world.in_review().await, world.in_review().await);
    let (parcel, others) = (world.parcel(&one).await, world.parcel(&other).await);
    let facts = erase(&world, Scope::Session(one.id())).await;
    assert_eq!(records(&facts), ["R04/session", "R23/parcel"]);
    assert!(facts.keys.iter().any(|key| key.key.starts_with("within-3600.")), "{:?}", facts.keys);
    assert!(world.engine.session(one.id()).is_none() && one.state() == State::Withdrawn);
    assert!(matches!(
        world.engine.fetch_parcel(&lender(), parcel).await,
        Err(EngineError::Gone | EngineError::NotFound)
    ));
    assert_eq!(survivors(&facts), ["R05", "R11", "R14", "R15", "R21", "R24"]);
    assert_eq!(facts.destroyed["keys of records"], 2);
    assert_eq!(facts.destroyed["root keys of key tables"], facts.keys.len() - 1);
    assert_eq!(facts.destroyed["roots of the key provider"], 1, "{:?}", facts.keys);
    assert!(facts.survives.iter().all(|each| each.kept.until.is_none_or(|until| until > facts.at)));
    assert!(facts.survives[2].why.contains("law") && facts.survives[2].kept.until.is_some());
    assert!(facts.not_claimed.len() > 2);
    assert!(world.engine.fetch_parcel(&lender(), others).await.is_ok(), "the other person's is there");
    assert_eq!(other.state(), State::Delivering);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopped_node_keeps_is_erased_with_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(now()));
    let keys = crate::keys::software::tests::keys();
    let world = world_in(Some(folder.path()), clock.clone(), keys.clone()).await;
    let sending = world.in_review().await;
    world.parcel(&sending).await;
    let waiting = world.agreed().await;
    world.engine.shut_down().await;
    drop((world, sending, waiting));
    let world = world_in(Some(folder.path()), clock, keys).await;
    let facts = erase(&world, Scope::OnlineService(lender().id())).await;
    assert!(world.engine.sessions.all().is_empty());
    assert_eq!(records(&facts), ["R04/session", "R04/session", "R23/parcel"]);
    assert_eq!(survivors(&facts), ["R11", "R14", "R15", "R21", "R24"]);
    let consents = facts.survives[1].records;
    assert_eq!(consents, Some(2));
    let again = erase(&world, Scope::OnlineService(lender().id())).await;
    assert_eq!(records(&again), [""; 0], "nothing has come since");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_names_what_operators_did_and_nothing_whose_time_is_over() {
    let world = world().await;
    let session = world.agreed().await;
    let (id, clock) = (session.id(), &world.clock);
    let by = Actor::Account(0);
    world.engine.audit.note(by, Deed::Erase, Some(About::of(id)), clock.now()).await.unwrap();
    world.engine.audit.note(by, Deed::Erase, Some(About::of("ses_another")), clock.now()).await.unwrap();
    let facts = erase(&world, Scope::Session(id)).await;
    let audit = facts.survives.iter().find(|each| each.kept.row == "R18").unwrap();
    assert_eq!((audit.records, audit.kept.until.unwrap().to_string().as_str()), (Some(1), "2027-11-21T10:00:00Z"));
    assert!(audit.why.contains("operators"), "{}", audit.why);
    assert!(survivors(&facts).contains(&"R14"));
    // Nobody has looked since its time was over: it is there, and serves nobody.
    clock.set("2027-12-21T10:00:00Z".parse().unwrap());
    assert_eq!(survivors(&erase(&world, Scope::Session(id)).await), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_runs_is_asked_through_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(now()));
    // Taken, and not done when its engine crashed.
    std::fs::create_dir(folder.path().join("erase")).unwrap();
    crate::forward::file::receive(&folder.path().join("erase/three.taken"), b"ses_", &Entropy::system()).unwrap();
    let world = world_in(Some(folder.path()), clock, crate::keys::software::tests::keys()).await;
    let session = world.agreed().await;
    let request = folder.path().join("erase/one.request");
    crate::forward::file::receive(&request, session.id().to_string().as_bytes(), &Entropy::system()).unwrap();
    crate::forward::file::receive(&folder.path().join("erase/two.request"), b"all", &Entropy::system()).unwrap();
    world.engine.sweep().await.unwrap();
    assert!(!request.exists(), "it is taken, and the sweep waits for nobody");
    world.engine.tasks.close();
    world.engine.tasks.wait().await;
    let left = std::fs::read_dir(folder.path().join("erase")).unwrap().map(|each| each.unwrap().file_name());
    let mut left: Vec<_> = left.map(|name| name.into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["one.receipt", "three.refused", "two.refused"]);
    let why = std::fs::read_to_string(folder.path().join("erase/two.refused")).unwrap();
    assert!(why.contains("asks for no erasure"), "{why}");
    let token = std::fs::read_to_string(folder.path().join("erase/one.receipt")).unwrap();
    let receipt = ErasureReceipt::verify(&token, &world.engine.signing_keys().await.unwrap()).unwrap();
    assert_eq!(receipt.facts().scope, Scope::Session(session.id()));
    assert!(world.engine.session(session.id()).is_none());
}

/// Somebody's account, and a session of theirs in review.
async fn linked(world: &World, byte: u8) -> (AccountName, Arc<Session>, SubjectId) {
    let (account, _) = world.engine.accounts().made_up(byte, world.clock.now()).await;
    let session = world.session().await;
    world.engine.link(&session, &account).await.unwrap();
    world.review(&session).await;
    let subject = session.linked().unwrap().subject;
    (account, session, subject)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receipt_that_the_end_of_a_session_leaves_in_an_account_goes_with_it() {
    let world = world().await;
    let (account, _, subject) = linked(&world, 7).await;
    let facts = erase(&world, Scope::Subject(subject)).await;
    assert_eq!(records(&facts), ["R04/session", "R13/account-receipt"]);
    let stays = survivors(&facts);
    assert_eq!(stays, ["R05", "R11", "R14", "R15", "R21"]);
    assert!(world.engine.accounts().receipts(&account).await.unwrap().is_empty());
    assert!(world.engine.accounts().of_subject(subject).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_accounts_requests_and_directives_hold_of_a_session_is_erased_or_named() {
    let world = world().await;
    let (account, session, subject) = linked(&world, 7).await;
    let (other, _, others) = linked(&world, 8).await;
    let parcel = world.parcel(&session).await;
    world.deliver(parcel).await;
    let token = session.receipts().remove(0).1;
    for right in [Right::PostMortem, Right::Access] {
        world.engine.ask_right(&token, super::rights::ask(right)).await.unwrap();
    }
    let facts = erase(&world, Scope::Session(session.id())).await;
    assert_eq!(records(&facts), ["R13/account-receipt", "R22/directive"]);
    assert_eq!(survivors(&facts), ["R05", "R11", "R13", "R14", "R15", "R16", "R21", "R24"]);
    let requests = facts.survives.iter().find(|each| each.kept.row == "R16").unwrap();
    assert!(requests.records == Some(2) && requests.why.contains("law"), "{requests:?}");
    assert!(facts.survives[2].why.contains("account"), "{:?}", facts.survives[2]);
    let accounts = world.engine.accounts();
    assert!(accounts.receipts(&account).await.unwrap().is_empty());
    assert!(accounts.of_subject(subject).await.unwrap().is_some(), "the name is not of that session alone");

    let facts = erase(&world, Scope::OnlineService(lender().id())).await;
    assert_eq!(records(&facts), ["R04/session", "R13/account-receipt"]);
    assert!(survivors(&facts).contains(&"R16"), "{:?}", survivors(&facts));
    assert!(accounts.receipts(&other).await.unwrap().is_empty());
    for known in [subject, others] {
        assert!(accounts.of_subject(known).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_an_erasure_lies_three_days_for_whoever_did_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(now()));
    let engine = builder(hollow_connector(), &clock).store(folder.path().to_owned()).build().await.unwrap();
    let answers = ["a.receipt", "b.refused"].map(|name| folder.path().join("erase").join(name));
    for answer in &answers {
        std::fs::write(answer, "what came of it").unwrap();
        std::fs::File::open(answer).unwrap().set_modified(now().into()).unwrap();
    }
    for (hours, are_there) in [(72, true), (1, false)] {
        clock.advance(SignedDuration::from_hours(hours));
        engine.sweep().await.unwrap();
        assert!(answers.iter().all(|answer| answer.exists() == are_there), "{hours}");
    }
}
