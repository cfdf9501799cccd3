use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::SignedDuration;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::Semaphore;

use super::*;
use crate::fixtures::{categories, clock, entropy, given, id, later, notice, now, register, request};
use crate::store::Shelves;
use crate::store::faulty::{Fault, Faulty, memory};

mod sequences;

fn refusal<T: std::fmt::Debug>(result: Result<T, ConsentError>) -> Refusal {
    match result {
        Err(ConsentError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_consent_goes_from_asked_to_given_to_withdrawn_and_never_back() {
    let register = register();
    let consent = given(&register, 1, &["person.name"]).await;
    let active = register.active(consent, now()).await.unwrap();
    assert_eq!(active.categories(), &categories(&["person.name"]));
    assert_eq!(register.withdraw(consent, now()).await.unwrap().sending, None);
    assert_eq!(refusal(register.active(consent, now()).await), Refusal::Withdrawn);
    let yes = register.give(consent, &notice().digest(), &categories(&["person.name"]), now()).await;
    assert_eq!(refusal(yes), Refusal::AlreadyDecided);
    register.withdraw(consent, now()).await.unwrap();
    register.expire(consent, later()).await.unwrap();
    assert_eq!(register.record(consent).await.unwrap().status(), Status::Withdrawn);
}

#[tokio::test]
async fn nothing_is_granted_that_was_not_asked_or_not_shown() {
    let register = register();
    let (consent, notice) = (id(2), notice());
    register.ask(consent, id(2), &request(crate::fixtures::REQUEST), &notice, later(), now()).await.unwrap();
    let wider = categories(&["person.name", "bank.account"]);
    assert_eq!(refusal(register.give(consent, &notice.digest(), &wider, now()).await), Refusal::NotAsked);
    assert_eq!(refusal(register.give(consent, &notice.digest(), &categories(&[]), now()).await), Refusal::NotAsked);
    let other = Digest::of(b"another notice");
    let name = categories(&["person.name"]);
    assert_eq!(refusal(register.give(consent, &other, &name, now()).await), Refusal::OtherNotice);
    assert_eq!(refusal(register.active(consent, now()).await), Refusal::NotGiven);
    assert_eq!(refusal(register.give(consent, &notice.digest(), &name, later()).await), Refusal::Expired);
}

#[tokio::test]
async fn a_consent_ends_with_its_validity_and_its_period_begins_to_run() {
    let register = register();
    let consent = given(&register, 1, &["person.name"]).await;
    assert_eq!(refusal(register.active(consent, later()).await), Refusal::Expired);
    assert_eq!(register.expire_due(later()).await.unwrap().len(), 1);
    assert_eq!(register.expire_due(later()).await.unwrap().len(), 1, "closed once, named each time");
    let stored = register.shelf.get::<Consent>(&consent.to_string()).await.unwrap().unwrap();
    let deadline = crate::erase::retention::Row::by_id("R14").unwrap().deadline(&stored.term).unwrap();
    assert_eq!(deadline.to_string(), "2027-12-21T10:30:00Z");
}

#[tokio::test]
async fn one_consent_opens_three_logins_at_most() {
    let register = register();
    let consent = given(&register, 1, &["person.name"]).await;
    for digit in 1..=3 {
        register.issue_grant(consent, id(digit), now()).await.unwrap();
    }
    assert_eq!(refusal(register.issue_grant(consent, id(4), now()).await), Refusal::GrantsSpent);
    assert_eq!(refusal(register.use_grant(consent, id(5), "node-1", now()).await), Refusal::NoSuchGrant);
}

/// The same races over every store that one machine has.
async fn stores() -> Vec<(Arc<ConsentRegister>, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let keys = crate::keys::software::tests::keys();
    let sled = Shelves::sled(folder.path(), keys, entropy(), clock()).await.unwrap();
    let sled = Arc::new(ConsentRegister::new(sled.shelf()));
    vec![(Arc::new(register()), None), (sled, Some(folder))]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_all_who_use_a_grant_at_once_one_succeeds() {
    for (register, _folder) in stores().await {
        let consent = given(&register, 1, &["person.name"]).await;
        register.issue_grant(consent, id(1), now()).await.unwrap();
        let tries = (0..24).map(|node| {
            let register = register.clone();
            tokio::spawn(async move { register.use_grant(consent, id(1), &format!("node-{node}"), now()).await })
        });
        let (mut won, mut lost) = (0, 0);
        for each in tries.collect::<Vec<_>>() {
            match each.await.unwrap() {
                Ok(_) => won += 1,
                Err(ConsentError::Refused(Refusal::GrantUsed)) => lost += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!((won, lost), (1, 23));
    }
}

/// Several senders and one withdrawal at once, again and again. Whatever the order: a send that began is named by the
/// withdrawal, and one that is not named never began; nor does any begin afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_withdrawal_names_the_send_that_began_or_there_is_none() {
    for (register, folder) in stores().await {
        let (mut sent, mut stopped) = (0, 0);
        for round in 0..if folder.is_some() { 12 } else { 200 } {
            let consent = ConsentId::new(now(), &mut StdRng::seed_from_u64(round));
            let notice = notice();
            register.ask(consent, id(1), &request(crate::fixtures::REQUEST), &notice, later(), now()).await.unwrap();
            register.give(consent, &notice.digest(), &categories(&["person.name"]), now()).await.unwrap();
            let began = Arc::new(AtomicUsize::new(0));
            // Now and then the withdrawal is there before anybody looks.
            let withdrawn_first = round % 12 == 0;
            let gate = Arc::new(Semaphore::new(if withdrawn_first { 0 } else { 3 }));
            let senders: Vec<_> = (0..3)
                .map(|_| {
                    let (register, began, gate) = (register.clone(), began.clone(), gate.clone());
                    tokio::spawn(async move {
                        let _through = gate.acquire().await;
                        let active = register.active(consent, now()).await?;
                        let proof = register.dispatch(active, id(7), now()).await?;
                        began.fetch_add(1, Ordering::SeqCst);
                        Ok::<_, ConsentError>(proof.parcel())
                    })
                })
                .collect();
            // The withdrawal arrives after 0, 1, 2, … turns of the senders, and at last after a send that began.
            for turn in 0..round % 12 {
                tokio::task::yield_now().await;
                while turn == 10 && began.load(Ordering::SeqCst) == 0 {
                    tokio::task::yield_now().await;
                }
            }
            let withdrawal = register.withdraw(consent, now()).await.unwrap();
            gate.add_permits(3);
            for sender in senders {
                match sender.await.unwrap() {
                    Ok(parcel) => assert_eq!(Some(parcel), withdrawal.sending, "a send that began is named"),
                    Err(error) => assert_eq!(refusal::<()>(Err(error)), Refusal::Withdrawn),
                }
            }
            match withdrawal.sending {
                Some(_) => sent += 1,
                None => {
                    assert_eq!(began.load(Ordering::SeqCst), 0);
                    stopped += 1;
                }
            }
            assert_eq!(refusal(register.active(consent, now()).await), Refusal::Withdrawn);
        }
        assert!(sent > 0 && stopped > 0, "both orders are met: {sent} sent, {stopped} stopped");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sending_the_same_parcel_again_is_the_same_send_and_another_parcel_is_refused() {
    for (register, _folder) in stores().await {
        let consent = given(&register, 1, &["person.name"]).await;
        let tries = (0..16).map(|_| {
            let register = register.clone();
            tokio::spawn(async move {
                let active = register.active(consent, now()).await?;
                register.dispatch(active, id(7), now()).await
            })
        });
        for each in tries.collect::<Vec<_>>() {
            assert_eq!(each.await.unwrap().unwrap().parcel(), id(7));
        }
        let active = register.active(consent, now()).await.unwrap();
        assert_eq!(refusal(register.dispatch(active, id(8), now()).await), Refusal::OtherParcel);
    }
}

#[tokio::test]
async fn an_old_proof_does_not_outlive_a_withdrawal() {
    let register = register();
    let consent = given(&register, 1, &["person.name"]).await;
    let active = register.active(consent, now()).await.unwrap();
    register.withdraw(consent, now()).await.unwrap();
    assert_eq!(refusal(register.dispatch(active, id(7), now()).await), Refusal::Withdrawn);
}

#[tokio::test]
async fn a_record_says_what_was_asked_and_what_became_of_it() {
    let register = register();
    let (asked, notice) = (request(crate::fixtures::REQUEST), notice());
    let consent = id(3);
    register.ask(consent, id(4), &asked, &notice, later(), now()).await.unwrap();
    let record = register.record(consent).await.unwrap();
    assert_eq!((record.purpose(), record.source(), record.history_days()), ("tenant-check", "sample-bank", Some(30)));
    let wanted: Vec<_> = record.asked().iter().map(|asked| (asked.category, asked.why.en.as_str())).collect();
    let why = "to see the income.";
    assert_eq!(wanted, ["person.name", "bank.transaction"].map(|name| (crate::fixtures::category(name), why)));
    assert_eq!(record.notice(), &notice.digest());
    assert_eq!((record.valid_until(), record.asked_at(), record.changed_at()), (later(), now(), now()));
    assert_eq!((record.status(), record.granted().len(), record.logins_opened()), (Status::Requested, 0, 0));

    let soon = now() + jiff::SignedDuration::from_secs(60);
    let names = categories(&["person.name"]);
    register.give(consent, &notice.digest(), &names, soon).await.unwrap();
    for digit in [5, 6] {
        register.issue_grant(consent, id(digit), soon).await.unwrap();
    }
    let grant = register.use_grant(consent, id(5), "node-1", soon).await.unwrap();
    assert_eq!((grant.source(), grant.history_days()), ("sample-bank", Some(30)));
    let record = register.record(consent).await.unwrap();
    assert_eq!((record.changed_at(), record.asked_at(), record.logins_opened()), (soon, now(), 1));
    let _second = register.use_grant(consent, id(6), "node-1", soon).await.unwrap();
    assert_eq!(register.record(consent).await.unwrap().logins_opened(), 2);
}

#[tokio::test]
async fn the_same_yes_again_changes_nothing_and_any_other_one_is_too_late() {
    let register = register();
    let consent = given(&register, 1, &["person.name"]).await;
    let (name, digest) = (categories(&["person.name"]), notice().digest());
    register.give(consent, &digest, &name, now()).await.unwrap();
    let other = Digest::of(b"another notice");
    assert_eq!(refusal(register.give(consent, &other, &name, now()).await), Refusal::AlreadyDecided);
    let more = categories(&["person.name", "bank.transaction"]);
    assert_eq!(refusal(register.give(consent, &digest, &more, now()).await), Refusal::AlreadyDecided);
    assert_eq!(refusal(register.give(consent, &digest, &name, later()).await), Refusal::Expired);
}

#[tokio::test]
async fn a_no_is_a_no() {
    let register = register();
    let (consent, notice) = (id(2), notice());
    register.ask(consent, id(2), &request(crate::fixtures::REQUEST), &notice, later(), now()).await.unwrap();
    register.refuse(consent, now()).await.unwrap();
    assert_eq!(register.record(consent).await.unwrap().status(), Status::Refused);
    let name = categories(&["person.name"]);
    assert_eq!(refusal(register.give(consent, &notice.digest(), &name, now()).await), Refusal::AlreadyDecided);
    assert_eq!(refusal(register.refuse(consent, now()).await), Refusal::AlreadyDecided);
}

#[test]
fn a_text_is_told_in_the_language_of_the_person() {
    let both = crate::online_service::Localised { en: "yes".to_owned(), fr: "oui".to_owned() };
    assert_eq!([notice::Language::En, notice::Language::Fr].map(|language| both.in_language(language)), ["yes", "oui"]);
}

#[tokio::test]
async fn a_withdrawal_that_the_store_did_not_take_is_written_when_it_takes_writes_again() {
    let store = Faulty::new(memory(), Fault::Full, usize::MAX);
    let keys = crate::keys::software::tests::keys();
    let (records, files) = (Box::new(store.clone()), Arc::new(store.clone()));
    let shelves = Shelves::open(records, files.clone(), files, keys, entropy(), clock()).await.unwrap();
    let [register, next] = [(); 2].map(|()| ConsentRegister::new(shelves.shelf()));
    let consent = given(&register, 1, &["person.name"]).await;
    store.fail_in(1);
    assert!(!register.withdraw(consent, now()).await.unwrap().noted);
    assert!(register.write_withdrawals().await.is_err(), "there is still no room");
    store.heal();
    assert_eq!(next.record(consent).await.unwrap().status(), Status::Given, "nobody else knows yet");
    register.write_withdrawals().await.unwrap();
    assert_eq!(next.record(consent).await.unwrap().status(), Status::Withdrawn);
    let done = store.done();
    register.write_withdrawals().await.unwrap();
    assert_eq!(store.done(), done, "once is enough");
}
