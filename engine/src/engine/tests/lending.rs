//! Logins that people lend for re-tests: who may lend one, to which key, and how it ends.

use consentry_contract::failure::Code;
use consentry_tape::{Point, Proof, REPORT_VERSION, Report};

use super::*;
use crate::entropy::Entropy;
use crate::erase::receipt::{ErasureReceipt, Scope};
use crate::jose::PublicKey;
use crate::maintenance::lent::Why;
use crate::online_service::KeyHash;
use crate::operator::{Deed, OperatorKey, Role, Sight};
use crate::rights::{Ground, Right};
use crate::store::Shelves;
use crate::trace::Language;

fn report() -> Report {
    Report {
        version: REPORT_VERSION,
        engine: "0.1.0".to_owned(),
        connector: "sample-bank".to_owned(),
        connector_version: "0.1.0".to_owned(),
        connector_digest: "d".to_owned(),
        source: "sample-bank".to_owned(),
        point: Point {
            code: Code::PageUnrecognised,
            page: Some("accounts".parse().unwrap()),
            missing: None,
            limit: None,
            last: None,
        },
        proof: Proof::Elsewhere,
        pages: Vec::new(),
        shape: Vec::new(),
        good: None,
        kept: Default::default(),
        recording: None,
    }
}

async fn node(folder: Option<&Path>) -> World {
    let clock = Arc::new(ManualClock::new(now()));
    let mut builder = builder(hollow_connector(), &clock).reports();
    if let Some(folder) = folder {
        builder = builder.store(folder.to_owned());
    }
    World { engine: builder.build().await.unwrap(), clock }
}

impl World {
    /// A session whose run broke; its report is offered.
    async fn broken(&self) -> Arc<Session> {
        let session = self.agreed().await;
        self.breaks(&session).await;
        session
    }

    /// The run of this session broke.
    async fn breaks(&self, session: &Session) {
        self.engine.reports.count(&report(), None, self.clock.now()).await.unwrap();
        session.offer(report(), None, self.clock.now());
    }

    /// Its person gives the report, and lends the login.
    async fn gives(&self, session: &Session) {
        self.engine.give_report(session).await.unwrap();
        let jwe = self.sealed_to(&self.engine.maintenance_keys().await.unwrap()[0], session).await;
        self.lend(session, &jwe).await.unwrap();
    }

    /// The same, with the report given and the login lent.
    async fn lent(&self) -> Arc<Session> {
        let session = self.broken().await;
        self.gives(&session).await;
        session
    }

    async fn sealed_to(&self, key: &PublicKey, session: &Session) -> String {
        let typed = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        let values = LOGIN.map(|(name, text)| (name.to_owned(), typed(text)));
        let message = crate::credentials::write(session.id(), None, &values);
        let key = RecipientKey::from_public(key.clone()).unwrap();
        entropy().with(|rng| jwe::seal(&message, jwe::Content::Plain, &key, rng)).unwrap()
    }

    async fn lend(&self, session: &Session, jwe: &str) -> Result<(), EngineError> {
        self.engine.lend_login(session, jwe, Language::UNDETERMINED).await.map(drop)
    }

    /// Whether the login is there, and why it ended.
    async fn stands(&self, session: &Session) -> (bool, Option<Why>) {
        let seen = self.engine.lent(session).await.unwrap().unwrap();
        (seen.kept, seen.ended.map(|ended| ended.why))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_lent_only_after_the_report_and_only_to_the_maintenance_key() {
    let world = node(None).await;
    // The keys of tests are one key; those of a node are not.
    for duty in [Duty::Intake, Duty::Maintenance] {
        world.engine.keys.rotate(duty, now()).await.unwrap();
    }
    let session = world.broken().await;
    let maintenance = world.engine.maintenance_keys().await.unwrap().remove(0);
    let intake = world.engine.intake_keys().await.unwrap().remove(0);
    assert_ne!(maintenance.kid(), intake.kid());
    let right = world.sealed_to(&maintenance, &session).await;
    assert!(matches!(world.lend(&session, &right).await, Err(EngineError::NotFound)), "no report was given");
    world.engine.give_report(&session).await.unwrap();
    let wrong = world.sealed_to(&intake, &session).await;
    for refused in [wrong.as_str(), "no.token", ""] {
        assert!(matches!(world.lend(&session, refused).await, Err(EngineError::Sealed)), "{refused:.20}");
    }
    assert_eq!(world.engine.lent(&session).await.unwrap(), None);
    // The other way round, a login for a collection is not taken either.
    let other = world.agreed().await;
    let jwe = world.sealed_to(&maintenance, &other).await;
    assert!(matches!(world.engine.open_login(&other, &jwe, NAVIGATION).await, Err(EngineError::Sealed)));
    world.lend(&session, &right).await.unwrap();
    let seen = world.engine.lent(&session).await.unwrap().unwrap();
    assert_eq!((seen.kept, seen.until), (true, now() + SignedDuration::from_hours(24 * 120)));
    assert!(seen.openings.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_operator_takes_no_part_there_is_no_key_to_lend_to() {
    assert_eq!(world().await.engine.maintenance_keys().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_goes_with_the_report_with_the_consent_and_with_the_fix() {
    let world = node(None).await;
    let [reported, withdrawn, fixed] = [world.lent().await, world.lent().await, world.lent().await];
    world.engine.refuse_report(&reported).await.unwrap();
    assert_eq!(world.stands(&reported).await, (false, Some(Why::Withdrawn)));
    world.engine.withdraw(&withdrawn).await.unwrap();
    assert_eq!(world.stands(&withdrawn).await, (false, Some(Why::Withdrawn)));
    let again = world.sealed_to(&world.engine.maintenance_keys().await.unwrap()[0], &withdrawn).await;
    assert!(matches!(world.lend(&withdrawn, &again).await, Err(EngineError::NotFound)), "the consent was withdrawn");
    assert_eq!(world.stands(&fixed).await, (true, None));
    world.engine.reports.seen_by(Sight::Node).close(&report().fingerprint(), world.clock.now()).await.unwrap();
    assert_eq!(world.stands(&fixed).await, (false, Some(Why::Fixed)));
    let jwe = world.sealed_to(&world.engine.maintenance_keys().await.unwrap()[0], &fixed).await;
    assert!(matches!(world.lend(&fixed, &jwe).await, Err(EngineError::NotFound)), "the break is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn to_take_it_back_erases_the_login_alone_with_a_receipt_and_an_erasure_takes_it_along() {
    let folder = tempfile::tempdir().unwrap();
    let world = node(Some(folder.path())).await;
    let (mine, others) = (world.lent().await, world.lent().await);
    let receipt = world.engine.take_back_in_session(&mine).await.unwrap();
    let receipt = ErasureReceipt::verify(receipt.token(), &world.engine.signing_keys().await.unwrap()).unwrap();
    let facts = receipt.facts();
    let consent = mine.consent().unwrap();
    assert_eq!(facts.scope, Scope::LentLogin(consent));
    assert_eq!(facts.erased.len(), 1);
    assert_eq!(facts.erased[0].record, format!("R10/lent-login/{consent}"));
    assert!(facts.keys.iter().any(|key| key.key.starts_with("day-")), "{:?}", facts.keys);
    assert_eq!(facts.survives.iter().map(|left| left.kept.row.as_str()).collect::<Vec<_>>(), ["R14"]);
    assert_eq!(world.stands(&mine).await, (false, Some(Why::Withdrawn)));
    assert!(!mine.state().is_end() && world.engine.session(mine.id()).is_some(), "the session goes on");
    let again = world.engine.take_back_in_session(&mine).await.unwrap();
    assert!(again.facts().erased.is_empty(), "nothing is left to erase");
    // Everything of the other session.
    let (id, consent) = (others.id(), others.consent().unwrap());
    let facts = world.engine.erase(Scope::Session(id)).await.unwrap().facts().clone();
    assert!(facts.erased.iter().any(|each| each.record.starts_with("R10/lent-login/")), "{:?}", facts.erased);
    assert!(!world.engine.lent_under(consent).await.unwrap().unwrap().kept);
    let none = world.agreed().await;
    assert!(matches!(world.engine.take_back_in_session(&none).await, Err(EngineError::NotFound)));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (one, other) = (entry.path(), to.join(entry.file_name()));
        if one.is_dir() {
            copy(&one, &other);
        } else {
            std::fs::copy(one, other).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_store_from_before_holds_no_login_after_it_was_taken_back() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (clock, keys) = (Arc::new(ManualClock::new(now())), crate::keys::software::tests::keys());
    let start = async || {
        let builder = builder(hollow_connector(), &clock).reports().keys(keys.clone()).store(folder.path().to_owned());
        World { engine: builder.build().await.unwrap(), clock: clock.clone() }
    };
    let world = start().await;
    let [mine, others] = [world.lent().await, world.lent().await].map(|session| session.consent().unwrap());
    world.engine.shut_down().await;
    drop(world);
    copy(&folder.path().join("store"), elsewhere.path());
    let world = start().await;
    world.engine.erase(Scope::LentLogin(mine)).await.unwrap();
    world.engine.shut_down().await;
    drop(world);
    std::fs::remove_dir_all(folder.path().join("store")).unwrap();
    copy(elsewhere.path(), &folder.path().join("store"));
    let entropy = Arc::new(Entropy::system());
    drop(Shelves::adopt(folder.path(), keys.clone(), entropy, clock.clone()).await.unwrap());
    let world = start().await;
    let lendings = world.engine.reports.lendings();
    assert!(lendings.seen(mine).await.unwrap().is_none_or(|seen| !seen.kept), "its key is gone");
    assert_eq!(lendings.open(mine, now()).await.unwrap(), None);
    assert!(lendings.seen(others).await.unwrap().unwrap().kept, "the other person's is there");
    assert!(lendings.open(others, now()).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_of_the_person_finds_what_was_lent_where_they_had_signed_in() {
    let world = node(None).await;
    let (account, _) = world.engine.accounts().made_up(7, now()).await;
    let session = world.session().await;
    world.engine.link(&session, &account).await.unwrap();
    world.agree(&session).await;
    world.breaks(&session).await;
    world.gives(&session).await;
    let subject = session.linked().unwrap().subject;
    let facts = world.engine.erase(Scope::Subject(subject)).await.unwrap().facts().clone();
    assert!(facts.erased.iter().any(|each| each.record.starts_with("R10/lent-login/")), "{:?}", facts.erased);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_receipt_sees_what_they_lent_and_takes_it_back() {
    let world = node(None).await;
    let session = world.in_review().await;
    world.breaks(&session).await;
    world.gives(&session).await;
    let parcel = world.parcel(&session).await;
    world.deliver(parcel).await;
    let receipt = session.receipts()[0].1.clone();
    // The session's hour passes; the login stays.
    world.pass(61);
    world.engine.sweep().await.unwrap();
    let look = async || world.engine.look_at_rights(&receipt).await.unwrap()["lent"].clone();
    assert_eq!((&look().await["kept"], &look().await["source"]), (&true.into(), &"sample-bank".into()));
    let copy = world.engine.ask_right(&receipt, super::rights::ask(Right::Access)).await.unwrap();
    assert_eq!(copy["result"]["lent"]["kept"], true);
    world.engine.take_back(&receipt).await.unwrap();
    assert_eq!((&look().await["kept"], &look().await["ended"]["why"]), (&false.into(), &"withdrawn".into()));
    assert!(matches!(world.engine.take_back("x").await, Err(EngineError::NotFound)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_receipt_in_an_account_takes_the_login_back_with_that() {
    let world = node(None).await;
    let (account, _) = world.engine.accounts().made_up(7, now()).await;
    let session = world.session().await;
    world.engine.link(&session, &account).await.unwrap();
    world.review(&session).await;
    world.breaks(&session).await;
    world.gives(&session).await;
    let parcel = world.parcel(&session).await;
    world.deliver(parcel).await;
    let consent = session.consent().unwrap();
    let look =
        async || world.engine.look_at_rights_in_account(&account, consent).await.unwrap()["lent"]["kept"].clone();
    assert_eq!(look().await, true);
    let (other, _) = world.engine.accounts().made_up(8, now()).await;
    assert!(matches!(world.engine.take_back_in_account(&other, consent).await, Err(EngineError::NotFound)));
    assert_eq!(look().await, true);
    world.engine.take_back_in_account(&account, consent).await.unwrap();
    assert_eq!(look().await, false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retest_is_a_deed_of_maintenance_and_opens_nothing_under_a_restricted_consent() {
    let world = node(None).await;
    let session = world.lent().await;
    let roles = [(Role::Author, 1), (Role::Maintenance, 2)];
    let keys = roles.map(|(role, digit)| OperatorKey {
        id: id(digit),
        roles: [role].into(),
        key_sha256: KeyHash::of(role.name()),
        signs: Default::default(),
    });
    world.engine.operators.replace(keys.to_vec());
    let [author, maintenance] = roles.map(|(role, _)| world.engine.operator(role.name()).unwrap());
    let ticket = report().fingerprint();
    let refused = world.engine.retest(&author, &ticket).await;
    assert!(matches!(refused, Err(EngineError::NotAllowed(Deed::ReportRetest))));
    world.engine.consents.restrict(session.consent().unwrap(), Ground::AccuracyDisputed, now()).await.unwrap();
    assert!(matches!(world.engine.retest(&maintenance, &ticket).await, Err(EngineError::NotFound)));
    assert!(world.engine.lent(&session).await.unwrap().unwrap().openings.is_empty());
    let deeds: Vec<Deed> = world.engine.audit_log().await.unwrap().iter().map(|entry| entry.deed).collect();
    assert_eq!(deeds, [Deed::ReportRetest], "the author's was not allowed, so it was not noted");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sealed_for_another_session_is_let_go_at_its_first_opening() {
    let world = node(None).await;
    let (session, other) = (world.broken().await, world.agreed().await);
    world.engine.give_report(&session).await.unwrap();
    let jwe = world.sealed_to(&world.engine.maintenance_keys().await.unwrap()[0], &other).await;
    world.lend(&session, &jwe).await.unwrap();
    world.engine.retest_noted(&report().fingerprint()).await.unwrap();
    let seen = world.engine.lent(&session).await.unwrap().unwrap();
    assert_eq!(seen.openings[0].outcome.as_deref(), Some("decrypt-failed"));
    assert_eq!((seen.kept, seen.ended.unwrap().why), (false, Why::Unusable));
}
