use std::sync::Arc;

use consentry_contract::failure::{Code, Failure};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::file::ReceiptFile;
use super::*;
use crate::clock::{Clock, ManualClock};
use crate::entropy::Entropy;
use crate::erase::Parts;
use crate::erase::retention::{R05TransactionTrace, R14ConsentRecord, Retained as _};
use crate::keys::software::tests::keys;
use crate::ledger::Ledger;
use crate::outcome::{EndSink, Run, RunName};
use crate::store::Shelves;

struct Nobody;

impl EndSink for Nobody {
    fn ended(&self, _: &Ended) {}
}

fn run(last: u8) -> RunId {
    format!("run_01JD8Z3M7K000000000000000{last}").parse().unwrap()
}

fn consent(last: u8) -> ConsentId {
    format!("cns_01JD8Z3M7K000000000000000{last}").parse().unwrap()
}

fn erased(run: RunId, at: Timestamp) -> Erased {
    let gone = || true;
    Erased::prove(run, &Parts { secrets: &gone, sandbox: &gone, tasks: &gone, data: &gone, parcel: &gone }, at).unwrap()
}

struct World {
    clock: Arc<ManualClock>,
    keys: Arc<dyn KeyProvider>,
    ledger: Ledger,
}

fn world() -> World {
    let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00Z".parse().unwrap()));
    let entropy = Arc::new(Entropy::from(StdRng::seed_from_u64(1)));
    let keys = keys();
    let shelves = Shelves::memory(keys.clone(), entropy.clone(), clock.clone());
    let ledger = Ledger::new(&shelves, entropy, keys.clone(), crate::ledger::sequencer::in_memory());
    World { clock, keys, ledger }
}

impl World {
    fn ended(&self, outcome: Outcome) -> Ended {
        let session = "ses_01JD8Z3M7K0000000000000000".parse().unwrap();
        let name = RunName { run: run(1), session, consent: consent(1) };
        Run::begin(name, self.clock.clone(), Arc::new(Nobody)).end(outcome)
    }

    async fn about(&self, leaf_of: ConsentId) -> About {
        let event = Event::Erased { consent: leaf_of, run: run(1) };
        let leaf = self.ledger.accept(event, self.clock.now()).await.unwrap();
        About {
            receipt: "rct_01JD8Z3M7K0000000000000000".parse().unwrap(),
            online_service: "osv_01JD8Z3M7K0000000000000000".parse().unwrap(),
            notice: Digest::of(b"notice"),
            source: Source {
                id: "bank".into(),
                connector: "sample-bank".into(),
                version: "0.1.0".into(),
                digest: Digest::of(b"connector"),
            },
            categories: vec![Counted { category: "transaction".into(), collected: 300, shared: 299 }],
            parcel: None,
            leaves: vec![leaf],
            salt: self.ledger.salt(leaf_of).await.unwrap().unwrap(),
            kept: vec![
                Kept::under(R05TransactionTrace::ROW, &Term::from(self.clock.now())),
                Kept::under(R14ConsentRecord::ROW, &Term::open()),
            ],
            processing: Processing::default(),
            holder: None,
            blinding: Blinding::from_bytes([9; 32]),
        }
    }

    async fn issue(&self, outcome: Outcome) -> Receipt {
        let about = self.about(consent(1)).await;
        let erased = erased(run(1), self.clock.now());
        Receipt::issue(&self.ended(outcome), erased, about, &*self.keys).await.unwrap()
    }
}

#[tokio::test]
async fn a_receipt_says_what_happened_and_checks_out_without_us() {
    let world = world();
    let receipt = world.issue(Outcome::failed(Failure::new(Code::DeliveryFailed))).await;
    let keys = world.keys.publics(Duty::Signing).await.unwrap();
    let read = Receipt::verify(receipt.token(), &keys).unwrap();
    assert_eq!(read, receipt);
    let facts = read.facts();
    assert_eq!((facts.outcome.as_str(), facts.code.as_deref()), ("failed", Some("delivery-failed")));
    assert_eq!((facts.run, facts.consent), (run(1), consent(1)));
    assert_eq!(facts.erased.parts, Erased::PARTS);
    let until: Vec<_> = facts.kept.iter().map(|kept| kept.until.map(|until| until.to_string())).collect();
    assert_eq!(until, [Some("2027-12-21T10:00:00Z".to_owned()), None]);
}

#[tokio::test]
async fn every_end_has_its_receipt() {
    let world = world();
    for outcome in [Outcome::Expired, Outcome::Withdrawn { sending: None }] {
        let name = outcome.name();
        let facts = world.issue(outcome).await.facts().clone();
        assert_eq!((facts.outcome.as_str(), facts.code), (name, None));
    }
}

#[tokio::test]
async fn a_receipt_needs_the_proof_of_its_own_run_and_the_leaves_of_its_own_consent() {
    let world = world();
    let ended = world.ended(Outcome::Expired);
    let about = world.about(consent(1)).await;
    let other = Receipt::issue(&ended, erased(run(2), world.clock.now()), about, &*world.keys).await;
    assert!(matches!(other, Err(ReceiptError::OtherRun)));
    let about = world.about(consent(2)).await;
    let other = Receipt::issue(&ended, erased(run(1), world.clock.now()), about, &*world.keys).await;
    assert!(matches!(other, Err(ReceiptError::OtherLeaf)));
}

#[tokio::test]
async fn a_receipt_that_was_changed_does_not_hold() {
    let world = world();
    let token = world.issue(Outcome::Expired).await.token().to_owned();
    let keys = world.keys.publics(Duty::Signing).await.unwrap();
    for at in (0..token.len()).step_by(token.len() / 200) {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(Receipt::verify(&changed, &keys).is_err(), "at {at}");
    }
    assert!(Receipt::verify(&token, &[]).is_err());
    let other = world.keys.sign_compact(Duty::Signing, "consentry-parcel+jwt", b"{}").await.unwrap();
    assert!(Receipt::verify(&other, &keys).is_err());
}

impl World {
    /// A receipt as the person keeps it, with the keys that sign and the log's.
    async fn file(&self) -> (ReceiptFile, Vec<PublicKey>, Vec<PublicKey>) {
        let receipt = self.issue(Outcome::Expired).await;
        self.ledger.sequence().await.unwrap();
        let mut proofs = vec![];
        for leaf in &receipt.facts().leaves {
            proofs.push(self.ledger.proof(leaf.leaf).await.unwrap().unwrap());
        }
        let file = ReceiptFile { receipt: receipt.token().to_owned(), proofs };
        let [signing, log] = [Duty::Signing, Duty::Log].map(|duty| self.keys.publics(duty));
        (file, signing.await.unwrap(), log.await.unwrap())
    }
}

#[tokio::test]
async fn of_a_thousand_receipts_with_one_byte_changed_a_thousand_are_refused() {
    use rand::Rng as _;
    let (file, signing, log) = world().file().await;
    let text = file.to_text();
    let (_, shown) = ReceiptFile::read(&text).unwrap().verify(&signing, &log).unwrap();
    assert_eq!((shown[0].origin.as_str(), shown[0].index, shown[0].size), ("consentry.example/log", 0, 1));
    let mut rng = StdRng::seed_from_u64(20_261_122);
    for _ in 0..1000 {
        let mut changed = text.clone().into_bytes();
        let at = rng.random_range(0..changed.len());
        changed[at] ^= 1 << rng.random_range(0..8);
        let held = String::from_utf8(changed).ok().and_then(|text| ReceiptFile::read(&text).ok());
        let held = held.and_then(|file| file.verify(&signing, &log).ok());
        assert!(held.is_none(), "byte {at}, {:?}", &text[at.saturating_sub(10)..(at + 10).min(text.len())]);
    }
}

#[tokio::test]
async fn without_its_proofs_or_by_other_keys_a_receipt_is_not_shown_to_be_in_the_log() {
    let (file, signing, log) = world().file().await;
    let bare = ReceiptFile { proofs: vec![], ..file.clone() };
    assert!(matches!(bare.verify(&signing, &log), Err(ReceiptError::NotInTheLog)));
    assert!(matches!(file.verify(&signing, &[]), Err(ReceiptError::NotInTheLog)));
    assert!(matches!(file.verify(&[], &log), Err(ReceiptError::Refused(_))));
}

#[tokio::test]
async fn what_is_withheld_is_not_shown_and_the_rest_still_holds() {
    let (file, signing, _) = world().file().await;
    let parts: Vec<&str> = file.receipt.split('~').collect();
    let shown = Receipt::presented(&format!("{}~{}~", parts[0], parts[1]), &signing).unwrap();
    assert_eq!((shown["outcome"].as_str(), shown["categories"][0]["shared"].as_u64()), (Some("expired"), Some(299)));
    assert!(WITHHELD.iter().all(|name| !shown.contains_key(*name)), "{shown:?}");
    assert!(Receipt::verify(&format!("{}~", parts[0]), &signing).is_err(), "a part is no whole receipt");
    assert!(Receipt::presented(parts[0], &signing).is_err());
    assert!(Receipt::presented(&format!("{}~~", parts[0]), &signing).is_err());
}
