//! Accounts without their passkeys, which are tested with a browser's authenticator.

use std::sync::Arc;

use jiff::SignedDuration;
use url::Url;

use super::*;
use crate::clock::ManualClock;
use crate::id::{ConsentId, OnlineServiceId, ReceiptId};
use crate::keys::SoftwareKeys;

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn accounts(url: &str) -> Accounts {
    let (clock, entropy) = (Arc::new(ManualClock::new(now())), Arc::new(Entropy::system()));
    let shelves = Shelves::memory(Arc::new(SoftwareKeys::ephemeral(now())), entropy.clone(), clock);
    Accounts::new(&shelves, Passkeys::at(Some(&Url::parse(url).unwrap())), entropy)
}

fn access() -> SourceAccess {
    let mut rng = rand::rngs::OsRng;
    let rng = &mut rand::TryRngCore::unwrap_mut(&mut rng);
    SourceAccess {
        receipt: ReceiptId::new(now(), rng),
        consent: ConsentId::new(now(), rng),
        online_service: OnlineServiceId::new(now(), rng),
        source: "sample-bank".to_owned(),
        kept_at: now(),
        token: "a receipt".to_owned(),
    }
}

#[tokio::test]
async fn whoever_closes_an_account_leaves_nothing() {
    let accounts = accounts("https://consentry.example");
    let ((mine, token), (other, others)) = (accounts.made_up(1, now()).await, accounts.made_up(2, now()).await);
    for _ in 0..3 {
        accounts.keep(&mine, &access()).await.unwrap();
        accounts.keep(&other, &access()).await.unwrap();
    }
    assert_eq!(accounts.receipts(&mine).await.unwrap().len(), 3);
    accounts.close(&mine).await.unwrap();
    assert!(accounts.receipts(&mine).await.unwrap().is_empty());
    assert!(matches!(accounts.who(&token, now()), Err(AccountError::NotSignedIn)));
    assert!(matches!(accounts.get(&mine).await, Err(AccountError::NotSignedIn)));
    assert!(matches!(accounts.keep(&mine, &access()).await, Err(AccountError::NotSignedIn)));
    // The neighbour's is whole.
    assert_eq!((accounts.receipts(&other).await.unwrap().len(), accounts.who(&others, now()).unwrap()), (3, other));
    assert_eq!(accounts.shelf.names::<Account>().await.unwrap().len(), 1);
    assert_eq!(accounts.shelf.names::<SourceAccess>().await.unwrap().len(), 3);
}

#[tokio::test]
async fn somebody_is_signed_in_for_an_hour_and_until_they_sign_out() {
    let accounts = accounts("https://consentry.example");
    let (name, token) = accounts.made_up(1, now()).await;
    let last = now() + SIGNED_IN - SignedDuration::from_nanos(1);
    assert_eq!(accounts.who(&token, last).unwrap(), name);
    assert!(accounts.who(&token, now() + SIGNED_IN).is_err());
    assert!(accounts.who("guessed", now()).is_err());
    accounts.sign_out(&token);
    assert!(accounts.who(&token, now()).is_err());
}

#[test]
fn a_receipt_stands_in_no_output() {
    let access = access();
    let told = format!("{access:?}");
    assert!(told.contains(&access.receipt.to_string()) && !told.contains(&access.token), "{told}");
}

#[tokio::test]
async fn a_contact_is_an_address_and_can_be_taken_away() {
    let accounts = accounts("https://consentry.example");
    let (name, _) = accounts.made_up(1, now()).await;
    for wrong in ["", "a@", "@b", "a b@c", "a@b\n", &format!("{}@b", "a".repeat(CONTACT_BYTES_MAX))] {
        assert_eq!(Contact::try_from(wrong.to_owned()), Err(NotAContact), "{wrong}");
    }
    let contact = Contact::try_from("marie@example.org".to_owned()).unwrap();
    assert_eq!(format!("{contact:?}"), "Contact");
    accounts.set_contact(&name, Some(contact.clone())).await.unwrap();
    assert_eq!(accounts.get(&name).await.unwrap().contact, Some(contact));
    accounts.set_contact(&name, None).await.unwrap();
    assert_eq!(accounts.get(&name).await.unwrap().contact, None);
}

#[tokio::test]
async fn the_last_passkey_stays() {
    let accounts = accounts("https://consentry.example");
    let (name, _) = accounts.made_up(1, now()).await;
    let one = accounts.get(&name).await.unwrap().passkeys[0].clone();
    assert!(matches!(accounts.remove_passkey(&name, &one.id()).await, Err(AccountError::LastPasskey)));
    let another = Passkey::made_up(9, now());
    let add = |account: &mut Account| {
        account.passkeys.push(another.clone());
        Ok(Change::Adds)
    };
    accounts.change(&name, add).await.unwrap();
    accounts.remove_passkey(&name, &one.id()).await.unwrap();
    assert!(matches!(accounts.remove_passkey(&name, &one.id()).await, Err(AccountError::Passkey(_))));
    assert_eq!(accounts.get(&name).await.unwrap().passkeys[0].id(), another.id());
}

#[tokio::test]
async fn passkeys_need_a_name_and_answers_need_a_question() {
    assert!(matches!(accounts("https://192.0.2.1/").begin(), Err(AccountError::Passkey(PasskeyError::NoName))));
    let accounts = accounts("https://consentry.example/below");
    let asked = accounts.begin().unwrap();
    assert_eq!(asked["rp"]["id"], "consentry.example");
    assert_eq!(asked["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(accounts.begin_sign_in().unwrap()["userVerification"], "required");
    for junk in [&b""[..], b"{}", b"null", &[0xff; 100]] {
        assert!(matches!(accounts.open(junk, now()).await, Err(AccountError::Passkey(PasskeyError::Form))));
        assert!(matches!(accounts.sign_in(junk, now()).await, Err(AccountError::Passkey(PasskeyError::Form))));
    }
}

#[tokio::test]
async fn receipts_without_their_account_go_at_a_start() {
    let accounts = accounts("https://consentry.example");
    let ((mine, _), (other, _)) = (accounts.made_up(1, now()).await, accounts.made_up(2, now()).await);
    for name in [&mine, &other] {
        accounts.keep(name, &access()).await.unwrap();
    }
    // A close that was cut off, or an older store that was put back.
    accounts.shelf.delete::<Account>(&mine.0).await.unwrap();
    accounts.take_away_left().await.unwrap();
    assert!(accounts.receipts(&mine).await.unwrap().is_empty());
    assert_eq!(accounts.receipts(&other).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_taken_out_of_an_account_takes_its_key_with_it_and_what_is_added_keeps_it() {
    let (clock, entropy) = (Arc::new(ManualClock::new(now())), Arc::new(Entropy::system()));
    let shelves = Shelves::memory(Arc::new(SoftwareKeys::ephemeral(now())), entropy.clone(), clock);
    let url = Url::parse("https://consentry.example").unwrap();
    let accounts = Accounts::new(&shelves, Passkeys::at(Some(&url)), entropy);
    let (name, _) = accounts.made_up(1, now()).await;
    let record = [crate::store::record_key::<Account>(name.as_str()).unwrap()];
    let key = async || shelves.standing(&record).await.unwrap().records.remove(0).key;
    let with = access().online_service;
    let first = key().await;
    let contact = Contact::try_from("marie@example.org".to_owned()).unwrap();
    accounts.set_contact(&name, Some(contact)).await.unwrap();
    accounts.link(&name, with, now()).await.unwrap();
    assert_eq!(key().await, first);
    accounts.set_contact(&name, None).await.unwrap();
    let second = key().await;
    accounts.forget_subject(&name, with).await.unwrap();
    let third = key().await;
    assert!(first != second && second != third);
    accounts.forget_subject(&name, with).await.unwrap();
    assert_eq!((key().await, shelves.keys_used()), (third, 1));
}
