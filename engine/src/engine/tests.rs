use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;
use zeroize::Zeroizing;

use super::catalogue::Catalogue;
use super::*;
use crate::clock::ManualClock;
use crate::collect::compile::Compiler;
use crate::collect::package::Package;
use crate::collect::sandbox::SandboxSettings;
use crate::consent::Status;
use crate::data::Digest;
use crate::fixtures::{BEARER, REQUEST, category, collected, entropy, hollow_connector, id, lender, lender_as};
use crate::fixtures::{name_item, now, operator, transaction_item};
use crate::id::{GrantId, ParcelId, RunId};
use crate::jose::{RecipientKey, jwe};
use crate::outcome::{Run, RunName};
use crate::receipt::{Facts, Receipt};
use crate::release::Decision;
use crate::session::events::What;
use crate::session::state::{State, Step};
use crate::session::{Review, Sending};
use crate::trace::{Device, Language, Navigation};

mod authorisation;
mod doors;
mod durability;
mod escrow;
mod folder;
mod forget;
mod full;
mod lending;
mod lists;
mod places;
mod power_loss;
mod racing;
mod refused;
mod rights;
mod stops;
mod synchronise;
mod unusable;
mod wider;

const NAVIGATION: Navigation = Navigation { device: Device::Desktop, language: Language::UNDETERMINED };
const LOGIN: [(&str, &str); 2] = [("login", "12345678"), ("password", "Correct-Horse-7!")];

struct World {
    engine: Arc<Engine>,
    clock: Arc<ManualClock>,
}

async fn world() -> World {
    world_in(None, Arc::new(ManualClock::new(now())), crate::keys::software::tests::keys()).await
}

fn builder(connector: Package, clock: &Arc<ManualClock>) -> Builder {
    let mut catalogue = Catalogue::default();
    assert_eq!(catalogue.add(connector), None);
    Engine::builder()
        .compiler(Compiler::in_process())
        .clock(clock.clone())
        .entropy(Arc::new(Entropy::system()))
        .keys(crate::keys::software::tests::keys())
        .catalogue(catalogue)
        .operator(operator())
        .online_service(lender())
        .sandbox(SandboxSettings { concurrent_runs: 4, guest_threads: 1 })
}

async fn world_in(folder: Option<&Path>, clock: Arc<ManualClock>, keys: Arc<dyn KeyProvider>) -> World {
    let mut builder = builder(hollow_connector(), &clock).keys(keys);
    if let Some(folder) = folder {
        builder = builder.store(folder.to_owned());
    }
    World { engine: builder.build().await.unwrap(), clock }
}

impl World {
    async fn session(&self) -> Arc<Session> {
        self.engine.create_session(&lender(), REQUEST.as_bytes()).await.unwrap().session
    }

    /// A session whose person has agreed to everything.
    async fn agreed(&self) -> Arc<Session> {
        let session = self.session().await;
        self.agree(&session).await;
        session
    }

    async fn agree(&self, session: &Session) {
        let notice = self.engine.choose_source(session, "sample-bank", "sample-bank").await.unwrap();
        let all = notice.facts().asked.iter().map(|asked| asked.category).collect();
        self.engine.give_consent(session, &notice.digest(), &all).await.unwrap();
    }

    /// A session in review, as if a connector had found these things.
    async fn in_review(&self) -> Arc<Session> {
        let session = self.session().await;
        self.review(&session).await;
        session
    }

    async fn review(&self, session: &Session) {
        self.review_of(session, vec![name_item("Martin"), transaction_item("rent", -90_000)]).await;
    }

    /// As if a connector had found these.
    async fn review_of(&self, session: &Session, items: Vec<crate::data::Item>) {
        self.agree(session).await;
        let now = self.clock.now();
        let consent = session.consent().unwrap();
        let (grant, run) = self.engine.entropy.with(|rng| (GrantId::new(now, rng), RunId::new(now, rng)));
        self.engine.consents.issue_grant(consent, grant, now).await.unwrap();
        let grant = self.engine.consents.use_grant(consent, grant, "desk", now).await.unwrap();
        session.step(Step::CredentialsGiven, now).unwrap();
        let run =
            Run::begin(RunName { run, session: session.id(), consent }, self.clock.clone(), self.engine.end_sink());
        session.attach(&run, &consentry_host_api::stop::Stopper::default());
        let data = collected(&grant, run.name().run, items);
        session.note(|notes| {
            notes.collected = data.counts();
            notes.alive.data = Some(data.presence());
            notes.traced = true;
        });
        session.hold_review(Review { run, data: data.minimise(&grant, &[], crate::fixtures::now()) }, now).unwrap();
        self.engine.save(session).await;
    }

    async fn sealed(&self, session: SessionId, fields: &[(&str, &str)]) -> String {
        let typed = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        let values = fields.iter().map(|(name, text)| ((*name).to_owned(), typed(text))).collect::<Vec<_>>();
        self.seal(&crate::credentials::write(session, None, &values)).await
    }

    /// Seals what a person sends.
    async fn seal(&self, message: &[u8]) -> String {
        let key = RecipientKey::from_public(self.engine.intake_keys().await.unwrap().remove(0)).unwrap();
        entropy().with(|rng| jwe::seal(message, jwe::Content::Plain, &key, rng)).unwrap()
    }

    async fn receipts(&self, session: &Session) -> Vec<Facts> {
        let keys = self.engine.signing_keys().await.unwrap();
        let verify = |(_, token): (_, String)| Receipt::verify(&token, &keys).unwrap().facts().clone();
        session.receipts().into_iter().map(verify).collect()
    }

    async fn parcel(&self, session: &Arc<Session>) -> ParcelId {
        self.engine.share(session, &Decision::all()).await.unwrap()
    }

    /// The Online Service fetches a parcel and acknowledges it.
    async fn deliver(&self, parcel: ParcelId) {
        let bytes = self.engine.fetch_parcel(&lender(), parcel).await.unwrap();
        self.engine.acknowledge(&lender(), parcel, Digest::of(&bytes)).await.unwrap();
    }

    fn pass(&self, minutes: i64) {
        self.clock.advance(SignedDuration::from_mins(minutes));
    }
}

/// The names of the events whose leaves a receipt lists.
fn events(receipt: &Facts) -> Vec<String> {
    let name = |leaf: &crate::receipt::LeafFacts| {
        serde_json::to_value(&leaf.event).unwrap()["event"].as_str().map(str::to_owned)
    };
    receipt.leaves.iter().filter_map(name).collect()
}

/// The states that a session went through.
async fn states(session: &Session) -> Vec<&'static str> {
    let mut events = session.subscribe(0);
    let mut states = vec![];
    while let Some(event) = events.next().await {
        if let What::State { state, .. } = event.what {
            states.push(state.name());
        }
    }
    states
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_opened_has_a_receipt_whatever_the_end() {
    let world = world().await;
    let session = world.agreed().await;
    let sealed = world.sealed(session.id(), &LOGIN).await;
    world.engine.open_login(&session, &sealed, NAVIGATION).await.unwrap();
    let states = states(&session).await;
    assert_eq!(states, ["requested", "awaiting-consent", "awaiting-credentials", "collecting", "failed"]);
    let receipts = world.receipts(&session).await;
    let [receipt] = &receipts[..] else { panic!("{receipts:?}") };
    assert_eq!((receipt.outcome.as_str(), receipt.code.as_deref()), ("failed", Some("trap")));
    let events: Vec<String> =
        receipt.leaves.iter().map(|leaf| serde_json::to_value(&leaf.event).unwrap()["event"].to_string()).collect();
    assert_eq!(events, [r#""consent-given""#, r#""login-opened""#, r#""erased""#]);
    let consent = world.engine.consents.record(session.consent().unwrap()).await.unwrap();
    assert_eq!((consent.status(), consent.logins_opened()), (Status::Expired, 1));
    assert!(world.engine.rows.all().await.unwrap().is_empty(), "an ended session leaves no row");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_logins_at_once_one_is_opened() {
    let world = world().await;
    let session = world.agreed().await;
    let sealed = world.sealed(session.id(), &LOGIN).await;
    let tries = (0..6).map(|_| {
        let (engine, session, sealed) = (world.engine.clone(), session.clone(), sealed.clone());
        tokio::spawn(async move { engine.open_login(&session, &sealed, NAVIGATION).await.is_ok() })
    });
    let mut opened = 0;
    for each in tries.collect::<Vec<_>>() {
        opened += usize::from(each.await.unwrap());
    }
    assert_eq!(opened, 1);
    states(&session).await;
    assert_eq!(world.engine.consents.record(session.consent().unwrap()).await.unwrap().logins_opened(), 1);
    assert_eq!(session.receipts().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_do_not_fit_are_named_without_a_value_and_may_be_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(now()));
    let world = world_in(Some(folder.path()), clock, crate::keys::software::tests::keys()).await;
    let session = world.agreed().await;
    for (fields, named) in [
        (&[("login", "1234"), ("password", "Correct-Horse-7!")][..], "login has another form"),
        (&[("login", "12345678")][..], "password is missing"),
    ] {
        let sealed = world.sealed(session.id(), fields).await;
        let error = world.engine.open_login(&session, &sealed, NAVIGATION).await.unwrap_err().to_string();
        assert!(error.contains(named) && !error.contains("1234"), "{error}");
    }
    assert_eq!(session.state(), State::AwaitingCredentials { rejected: 2 });
    let sealed = world.sealed(session.id(), &[("pin", "1")]).await;
    assert!(world.engine.open_login(&session, &sealed, NAVIGATION).await.is_err());
    assert_eq!(session.state(), State::Failed { code: Code::SecretUnusable });
    let receipts = world.receipts(&session).await;
    assert_eq!(receipts.len(), 3);
    for receipt in receipts {
        // It never left the host: nobody refused it, and no trace of it is kept.
        assert_eq!(receipt.code.as_deref(), Some("secret-unusable"));
        assert_eq!(receipt.kept.iter().map(|kept| kept.row.as_str()).collect::<Vec<_>>(), ["R14", "R15"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_fetched_as_often_as_wanted_and_ends_with_its_digest() {
    let world = world().await;
    let session = world.in_review().await;
    let preview = world.engine.preview(&session).unwrap();
    assert_eq!(preview["items"][0]["fields"]["family"], "Martin");
    let nothing =
        Decision::all().without_category(category("person.name")).without_category(category("bank.transaction"));
    assert!(matches!(world.engine.share(&session, &nothing).await, Err(EngineError::Gate(_))));
    for elsewhere in [Decision::all().without_item(2), Decision::all().without_category(category("bank.account"))] {
        let refused = world.engine.share(&session, &elsewhere).await;
        assert!(matches!(refused, Err(EngineError::Gate(crate::release::Refusal::Unknown))), "{refused:?}");
    }
    let parcel = world.engine.share(&session, &Decision::all().without_item(1)).await.unwrap();

    let stranger = lender_as(id(2));
    assert!(matches!(world.engine.fetch_parcel(&stranger, parcel).await, Err(EngineError::NotFound)));
    let early = world.engine.acknowledge(&lender(), parcel, Digest::of(b"x")).await;
    assert!(matches!(early, Err(EngineError::OtherDigest)), "{early:?}");
    let bytes = world.engine.fetch_parcel(&lender(), parcel).await.unwrap();
    assert_eq!(world.engine.fetch_parcel(&lender(), parcel).await.unwrap(), bytes);
    let wrong = world.engine.acknowledge(&lender(), parcel, Digest::of(b"x")).await;
    assert!(matches!(wrong, Err(EngineError::OtherDigest)));
    let digest = Digest::of(&bytes);
    world.engine.acknowledge(&lender(), parcel, digest).await.unwrap();
    world.engine.acknowledge(&lender(), parcel, digest).await.unwrap();
    assert!(matches!(world.engine.fetch_parcel(&lender(), parcel).await, Err(EngineError::Gone)));

    assert_eq!(session.state(), State::Completed);
    let receipts = world.receipts(&session).await;
    let [receipt] = &receipts[..] else { panic!("{receipts:?}") };
    assert_eq!(receipt.outcome, "delivered");
    assert_eq!(receipt.parcel.as_ref().map(|parcel| parcel.digest), Some(digest));
    assert_eq!(
        receipt.categories.iter().map(|each| (each.collected, each.shared)).collect::<Vec<_>>(),
        [(1, 0), (1, 1)]
    );
    assert!(receipt.leaves.iter().any(|leaf| matches!(leaf.event, crate::ledger::Event::Released { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_before_the_fetch_leaves_nothing_and_one_after_it_names_the_send() {
    let world = world().await;
    let session = world.in_review().await;
    let parcel = world.parcel(&session).await;
    let withdrawal = world.engine.withdraw(&session).await.unwrap();
    assert_eq!((withdrawal.sending, withdrawal.passed_on), (None, None), "nobody received anything");
    assert!(matches!(world.engine.fetch_parcel(&lender(), parcel).await, Err(EngineError::Gone)));
    let receipt = world.receipts(&session).await.remove(0);
    assert_eq!((receipt.outcome.as_str(), receipt.parcel.unwrap().fetched_at), ("withdrawn", None));

    let session = world.in_review().await;
    let parcel = world.parcel(&session).await;
    let bytes = world.engine.fetch_parcel(&lender(), parcel).await.unwrap();
    let withdrawal = world.engine.withdraw(&session).await.unwrap();
    assert_eq!((withdrawal.sending, withdrawal.passed_on.is_some()), (Some(parcel), true));
    assert!(matches!(world.engine.fetch_parcel(&lender(), parcel).await, Err(EngineError::Gone)));
    let late = world.engine.acknowledge(&lender(), parcel, Digest::of(&bytes)).await;
    assert!(matches!(late, Err(EngineError::Gone)));
    assert!(world.receipts(&session).await[0].parcel.as_ref().unwrap().fetched_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_erases_what_is_in_review_and_what_was_not_begun_never_begins() {
    let world = world().await;
    let session = world.in_review().await;
    world.engine.withdraw(&session).await.unwrap();
    assert!(matches!(world.engine.share(&session, &Decision::all()).await, Err(EngineError::Step(_))));
    assert_eq!(world.receipts(&session).await[0].outcome, "withdrawn");

    let session = world.agreed().await;
    world.engine.withdraw(&session).await.unwrap();
    let sealed = world.sealed(session.id(), &LOGIN).await;
    assert!(world.engine.open_login(&session, &sealed, NAVIGATION).await.is_err());
    assert!(session.receipts().is_empty(), "nothing was opened");
    assert_eq!(world.engine.consents.record(session.consent().unwrap()).await.unwrap().status(), Status::Withdrawn);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hour_ends_everything() {
    let world = world().await;
    let (waiting, reviewed) = (world.agreed().await, world.in_review().await);
    let sending = world.in_review().await;
    let parcel = world.parcel(&sending).await;
    world.engine.fetch_parcel(&lender(), parcel).await.unwrap();
    world.pass(59);
    world.engine.sweep().await.unwrap();
    assert!(matches!(waiting.state(), State::AwaitingCredentials { .. }));
    world.pass(1);
    assert!(world.engine.share(&reviewed, &Decision::all()).await.is_err(), "the consent has expired");
    world.engine.sweep().await.unwrap();
    assert_eq!((waiting.state(), reviewed.state()), (State::Expired, State::Expired));
    assert_eq!(sending.state(), State::Failed { code: Code::DeliveryFailed });
    let receipt = world.receipts(&sending).await.remove(0);
    assert_eq!(receipt.code.as_deref(), Some("delivery-failed"));
    assert!(receipt.parcel.unwrap().fetched_at.is_some());
    for session in [&waiting, &reviewed, &sending] {
        assert!(world.engine.session(session.id()).is_none(), "an ended session is not kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_with_what_survives_and_says_what_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(now()));
    let keys = crate::keys::software::tests::keys();
    let world = world_in(Some(folder.path()), clock.clone(), keys.clone()).await;
    let (agreed, reviewed, sending) = (world.agreed().await, world.in_review().await, world.in_review().await);
    let parcel = world.parcel(&sending).await;
    let ids = [agreed.id(), reviewed.id(), sending.id()];
    drop((world, agreed, reviewed, sending));

    let world = world_in(Some(folder.path()), clock, keys).await;
    let [agreed, reviewed, sending] = ids.map(|id| world.engine.session(id).unwrap());
    assert_eq!(agreed.state(), State::AwaitingCredentials { rejected: 0 });
    let sealed = world.sealed(agreed.id(), &LOGIN).await;
    world.engine.open_login(&agreed, &sealed, NAVIGATION).await.unwrap();

    assert_eq!(reviewed.state(), State::Failed { code: Code::NodeLost });
    assert_eq!(world.receipts(&reviewed).await[0].code.as_deref(), Some("node-lost"));

    let bytes = world.engine.fetch_parcel(&lender(), parcel).await.unwrap();
    world.engine.acknowledge(&lender(), parcel, Digest::of(&bytes)).await.unwrap();
    assert_eq!(sending.state(), State::Completed);
    let receipt = world.receipts(&sending).await.remove(0);
    assert_eq!(receipt.outcome, "delivered");
    let told = receipt.parcel.as_ref().unwrap();
    assert_eq!((told.id, told.digest, told.fetched_at.is_some()), (parcel, Digest::of(&bytes), true));
    assert_eq!(events(&receipt), ["consent-given", "released", "erased"]);
    let counts: Vec<_> =
        receipt.categories.iter().map(|each| (each.category.as_str(), each.collected, each.shared)).collect();
    assert_eq!(counts, [("bank.transaction", 1, 1), ("person.name", 1, 1)]);
    assert_eq!(receipt.kept.iter().map(|kept| kept.row.as_str()).collect::<Vec<_>>(), ["R05", "R14", "R15", "R24"]);
    states(&agreed).await;
    world.engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_faster_than_the_session_is_believed() {
    let world = world().await;
    let session = world.in_review().await;
    let Review { run, data } = session.take_review().unwrap();
    let sealed = world.engine.release(&session, data.review(&Decision::all()), None).await.unwrap();
    let (parcel, digest) = (sealed.id(), sealed.digest());
    world.engine.fetch_parcel(&lender(), parcel).await.unwrap();
    world.engine.acknowledge(&lender(), parcel, digest).await.unwrap();
    world.engine.send(&session, Sending { run, parcel, digest, shortfall: None }).await.unwrap();
    assert_eq!(session.state(), State::Completed);
    assert_eq!(world.receipts(&session).await[0].outcome, "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_was_cut_off_by_a_crash_goes_on_from_the_outbox() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(now()));
    let keys = crate::keys::software::tests::keys();
    let world = world_in(Some(folder.path()), clock.clone(), keys.clone()).await;
    let session = world.in_review().await;
    let Review { run, data } = session.take_review().unwrap();
    let data = data.review(&Decision::all().without_item(1));
    let parcel = world.engine.release(&session, data, None).await.unwrap().id();
    let id = session.id();
    drop((world, session, run));

    let world = world_in(Some(folder.path()), clock, keys).await;
    let session = world.engine.session(id).unwrap();
    assert_eq!(session.state(), State::Delivering);
    let bytes = world.engine.fetch_parcel(&lender(), parcel).await.unwrap();
    world.engine.acknowledge(&lender(), parcel, Digest::of(&bytes)).await.unwrap();
    let receipt = world.receipts(&session).await.remove(0);
    assert_eq!((receipt.outcome.as_str(), receipt.parcel.map(|parcel| parcel.id)), ("delivered", Some(parcel)));
    assert_eq!(receipt.categories.iter().map(|each| each.shared).collect::<Vec<_>>(), [0, 1]);
}
