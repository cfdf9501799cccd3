//! Automatic synchronisation, at a bank whose sessions go on until it ends them.

use sample_bank::{Change, JULIE, SampleBank, SiteState};
use serde_json::Value;

use super::authorisation::{door, exchange};
use super::*;
use crate::account::AccountName;
use crate::collect::signature::{Trust, TrustedKey};
use crate::connection::Standing;
use crate::consent::AccessTerms;
use crate::erase::receipt::Scope;
use crate::id::ConsentId;
use crate::online_service::OnlineService;

const ASKED: &str = r#"{"purpose":"tenant-check","categories":["person.name"]}"#;
const JULIES: [(&str, &str); 2] = [("login", JULIE.login), ("password", JULIE.password)];

/// Somebody with an account, and their bank.
struct There {
    world: World,
    bank: SampleBank,
    account: AccountName,
    token: String,
    folder: tempfile::TempDir,
    keys: Arc<dyn KeyProvider>,
}

/// The connector that keeps its session; `cargo xtask connectors` builds it.
fn returning() -> Package {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/connectors");
    let key = std::fs::read_to_string(built.join("developer.pub")).expect("`cargo xtask connectors` builds it");
    let trust = Trust::keys(vec![TrustedKey::parse("developer", &key).unwrap()]);
    Package::read(std::fs::read(built.join("tests/returning.wasm")).unwrap(), &trust).unwrap()
}

async fn node(folder: &Path, bank: &SampleBank, clock: &Arc<ManualClock>, keys: &Arc<dyn KeyProvider>) -> World {
    let base = bank.site_url.parse().unwrap();
    let builder = builder(returning(), clock).keys(keys.clone()).store(folder.to_owned()).development(true);
    let builder = builder.base("returning", "returning", base).online_service(lender_as(id(2)));
    World { engine: builder.build().await.unwrap(), clock: clock.clone() }
}

async fn there() -> There {
    let any = "127.0.0.1:0".parse().unwrap();
    let bank = SampleBank::start(any, any).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let keys = crate::keys::software::tests::keys();
    let world = node(folder.path(), &bank, &Arc::new(ManualClock::new(now())), &keys).await;
    let (account, token) = world.engine.accounts().made_up(7, now()).await;
    There { world, bank, account, token, folder, keys }
}

fn terms(frequency: u8, days: u16) -> AccessTerms {
    AccessTerms::new(frequency, days).unwrap()
}

impl There {
    /// A session in which the person agreed, also to synchronisation, and logged in: what was found is in review.
    async fn collected(&self, by: &OnlineService, terms: AccessTerms) -> Arc<Session> {
        let engine = &self.world.engine;
        let session = engine.create_session(by, ASKED.as_bytes()).await.unwrap().session;
        engine.link(&session, &self.account).await.unwrap();
        let notice = engine.choose_source(&session, "returning", "returning").await.unwrap();
        let granted = [category("person.name")].into();
        engine.give_consent(&session, &notice.digest(), &granted).await.unwrap();
        let told = engine.synchronisation_notice(&session, terms).unwrap();
        assert_ne!(told.digest(), notice.digest());
        engine.agree_to_synchronise(&session, terms, &told.digest()).await.unwrap();
        let login = self.world.sealed(session.id(), &JULIES).await;
        engine.open_login(&session, &login, NAVIGATION).await.unwrap();
        self.comes_to(&session, "in-review").await;
        session
    }

    /// The same, shared: there is a connection.
    async fn connected_to(&self, by: &OnlineService, terms: AccessTerms) -> ConsentId {
        let session = self.collected(by, terms).await;
        let parcel = self.world.parcel(&session).await;
        self.deliver(by, parcel).await;
        session.begins_connection().unwrap()
    }

    async fn connected(&self) -> ConsentId {
        self.connected_to(&lender(), terms(4, 180)).await
    }

    async fn deliver(&self, by: &OnlineService, parcel: ParcelId) {
        let bytes = self.world.engine.fetch_parcel(by, parcel).await.unwrap();
        self.world.engine.acknowledge(by, parcel, Digest::of(&bytes)).await.unwrap();
    }

    async fn comes_to(&self, session: &Session, state: &str) {
        let mut events = session.subscribe(0);
        while let Some(event) = events.next().await {
            if let What::State { state: found, failure } = event.what {
                if found.name() == state {
                    return;
                }
                assert!(!found.is_end(), "{found:?} instead of {state}: {failure:?}");
            }
        }
        panic!("the events ended before {state}");
    }

    /// Time passes, the engine looks at its clock; what it began while nobody was there has come to its share, or to its end.
    async fn later(&self, hours: i64) -> Vec<Arc<Session>> {
        let engine = &self.world.engine;
        self.world.clock.advance(SignedDuration::from_hours(hours));
        let before: Vec<_> = engine.sessions.all().iter().map(|session| session.id()).collect();
        engine.sweep().await.unwrap();
        engine.tasks.close();
        engine.tasks.wait().await;
        engine.tasks.reopen();
        let mut begun = engine.sessions.all();
        begun.retain(|session| session.is_unattended() && !before.contains(&session.id()));
        begun
    }

    /// The same after the node has stopped and begun again.
    async fn restarted(self) -> Self {
        let Self { world: World { engine, clock }, bank, account, token, folder, keys } = self;
        engine.shut_down().await;
        drop(engine);
        let world = node(folder.path(), &bank, &clock, &keys).await;
        Self { world, bank, account, token, folder, keys }
    }

    /// The same after the node has died where it stood.
    async fn crashed(self) -> Self {
        let Self { world: World { engine, clock }, bank, account, token, folder, keys } = self;
        drop(engine);
        let world = node(folder.path(), &bank, &clock, &keys).await;
        Self { world, bank, account, token, folder, keys }
    }

    async fn standing(&self, consent: ConsentId) -> Option<Standing> {
        self.world.engine.connections.get(consent).await.unwrap().map(|each| each.standing)
    }

    async fn status(&self, consent: ConsentId) -> Status {
        self.world.engine.consents.record(consent).await.unwrap().status()
    }

    async fn keeps(&self, consent: ConsentId) -> bool {
        self.world.engine.connections.session(consent).await.unwrap().is_some()
    }

    fn logins(&self) -> usize {
        self.bank.requests().iter().filter(|seen| seen.method == "POST" && seen.path == "/login").count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_synchronised_is_delivered_without_a_login_also_after_a_restart() {
    let mut there = there().await;
    let consent = there.connected().await;
    for life in 0..2 {
        let begun = there.later(6).await;
        let [access] = &begun[..] else { panic!("{begun:?}") };
        assert_eq!(access.state(), State::Delivering, "{:?}", access.failure());
        there.deliver(&lender(), access.parcel().unwrap()).await;
        assert_eq!(access.state(), State::Completed);
        let receipts = there.world.receipts(access).await;
        let told = events(&receipts[0]);
        assert_eq!(told, ["access-began", "released", "erased"], "no login was opened");
        assert_eq!(there.logins(), 1, "the person's own");
        assert_eq!(there.world.engine.accounts().receipts(&there.account).await.unwrap().len(), 2 + life);
        let cookies = there.bank.cookies();
        assert!(!cookies.is_empty());
        let values: Vec<&str> = cookies.iter().map(String::as_str).chain([JULIE.login, JULIE.password]).collect();
        let searched = crate::canary::search(there.folder.path(), &values).unwrap();
        assert!(searched.files > 3 && searched.found.is_empty(), "{searched:?}");

        drop(begun);
        there = there.restarted().await;
    }
    assert_eq!(there.standing(consent).await, Some(Standing::Active));
    let copy = there.world.engine.account_copy(&there.account).await.unwrap();
    assert_eq!(
        (&copy["connections"][0]["standing"], &copy["connections"][0]["session_kept"]),
        (&"active".into(), &true.into())
    );
    let told = crate::rights::export::record(&there.world.engine.consents.record(consent).await.unwrap());
    assert_eq!(told["access_terms"]["recurringIndicator"], true);
    assert_eq!(told["access_terms"]["frequencyPerDay"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_bank_ended_the_session_the_person_is_needed_and_no_login_is_tried() {
    let there = there().await;
    let consent = there.connected().await;
    there.bank.reset();
    let begun = there.later(6).await;
    assert_eq!(begun[0].state(), State::Failed { code: Code::PersonAbsent });
    assert_eq!((there.standing(consent).await, there.logins()), (Some(Standing::PersonNeeded), 0));
    assert!(!there.keeps(consent).await, "what is of no use is not kept");
    there.bank.reset();
    assert!(there.later(24).await.is_empty() && there.bank.requests().is_empty(), "nothing more is tried");

    let renewed = there.connected().await;
    assert_eq!((there.standing(consent).await, there.standing(renewed).await), (None, Some(Standing::Active)));
    assert_eq!(there.status(consent).await, Status::Expired);
    assert_eq!(there.later(6).await[0].state(), State::Delivering);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_rejected_twice_holds_the_connection() {
    let there = there().await;
    let consent = there.connected().await;
    there.bank.set_state(SiteState::BotWall);
    for standing in [Standing::Active, Standing::Held] {
        let begun = there.later(6).await;
        assert_eq!(begun[0].state(), State::Failed { code: Code::CredentialsRejected });
        assert_eq!(there.standing(consent).await, Some(standing));
    }
    assert!(there.later(24).await.is_empty(), "a third could lock the account");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_asked_four_times_in_24_hours_however_many_connections_lead_there() {
    let mut there = there().await;
    there.connected().await;
    there.connected_to(&lender_as(id::<crate::id::kind::OnlineService>(2)), terms(4, 180)).await;
    assert_eq!(there.later(6).await.len(), 2);
    assert_eq!(there.later(6).await.len(), 2);
    // A restart begins no new count.
    there = there.restarted().await;
    assert_eq!(there.later(6).await.len(), 0, "the fifth");
    assert_eq!(there.later(11).await.len(), 0, "within 24 hours of the first");
    assert_eq!(there.later(1).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_repeats_no_access_and_forgets_none() {
    let mut there = there().await;
    let consent = there.connected().await;
    there.connected_to(&lender_as(id::<crate::id::kind::OnlineService>(2)), terms(4, 180)).await;
    assert_eq!(there.later(6).await.len(), 2);
    let begun = there.later(6).await;
    assert_eq!(begun.len(), 2);
    let own = begun.iter().find(|access| access.request().online_service() == lender().id()).unwrap();
    let parcel = own.parcel().unwrap();
    drop(begun);
    there = there.crashed().await;
    assert_eq!((there.standing(consent).await, there.keeps(consent).await), (Some(Standing::Active), true));
    assert!(there.later(0).await.is_empty(), "what had begun is not begun again");
    there.deliver(&lender(), parcel).await;
    assert!(there.world.engine.fetch_parcel(&lender(), parcel).await.is_err(), "it was delivered once");
    assert!(there.later(6).await.is_empty(), "the fifth within 24 hours");
    assert_eq!(there.later(12).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_takes_the_connections_of_a_person_with_what_they_keep_and_nobody_elses() {
    let there = there().await;
    let (consent, engine) = (there.connected().await, &there.world.engine);
    let other = there.connected_to(&lender_as(id::<crate::id::kind::OnlineService>(2)), terms(4, 180)).await;
    let subject = engine.connections.get(consent).await.unwrap().unwrap().subject;
    let receipt = engine.erase(Scope::Subject(subject)).await.unwrap();
    let erased = receipt.facts().erased.iter().map(|each| each.record.as_str());
    let kept: Vec<_> = erased.filter(|record| record.starts_with("R12/")).collect();
    assert!(kept.len() == 2 && kept.iter().all(|record| record.ends_with(&consent.to_string())), "{kept:?}");
    assert_eq!((there.standing(consent).await, there.keeps(consent).await), (None, false));
    assert_eq!((there.standing(other).await, there.keeps(other).await), (Some(Standing::Active), true));
    let begun = there.later(6).await;
    let to: Vec<_> = begun.iter().map(|access| access.request().online_service()).collect();
    assert_eq!(to, [lender_as(id::<crate::id::kind::OnlineService>(2)).id()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn its_person_asks_for_an_access_now_within_the_four_and_nobody_else_does() {
    let there = there().await;
    let consent = there.connected().await;
    let door = door(&there.world, None).await;
    let path = format!("/v1/account/connections/{consent}/access");
    let asks =
        async |token: &str| exchange(door, "post", &path, Some(token), ("application/json", String::new())).await;
    let token = || there.world.engine.accounts().signed_in_again(&there.account, there.world.clock.now());
    let (_, other) = there.world.engine.accounts().made_up(8, there.world.clock.now()).await;
    assert_eq!(asks(&other).await, "404 not-found");

    let both = [token(), token()];
    let mut answers = [asks(&both[0]).await, asks(&both[1]).await];
    answers.sort();
    assert_eq!(answers, ["204", "409 account"], "one at a time");
    let begun = there.later(0).await;
    assert!(begun.is_empty(), "it began when it was asked for");
    let ours = |session: &Arc<Session>| session.is_unattended();
    let access = there.world.engine.sessions.all().into_iter().find(ours).unwrap();
    assert_eq!(access.state(), State::Delivering);
    there.deliver(&lender(), access.parcel().unwrap()).await;
    assert_eq!(there.logins(), 1, "the person's own");
    // What is due is counted from there, and what is asked for is one of the four.
    assert_eq!(there.later(5).await.len(), 0);
    assert_eq!(there.later(1).await.len(), 1);
    for expected in ["204", "204", "409 account"] {
        there.later(1).await;
        assert_eq!(asks(&token()).await, expected);
    }

    there.bank.reset();
    assert_eq!(there.later(24).await[0].state(), State::Failed { code: Code::PersonAbsent });
    there.later(1).await;
    assert_eq!(asks(&token()).await, "409 account", "the person is needed first");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_its_consent_and_never_later_than_180_days_after_the_person_was_there() {
    let there = there().await;
    let short = there.connected_to(&lender(), terms(1, 2)).await;
    let long = there.connected_to(&lender_as(id::<crate::id::kind::OnlineService>(2)), terms(1, 180)).await;
    assert_eq!(there.later(24).await.len(), 2);
    assert_eq!(there.later(24).await.len(), 1, "two days were agreed to");
    assert_eq!((there.standing(short).await, there.status(short).await), (None, Status::Expired));
    assert_eq!(there.later(177 * 24).await.len(), 1);
    assert_eq!(there.standing(long).await, Some(Standing::Active));
    assert_eq!(there.later(24).await.len(), 0);
    assert_eq!((there.standing(long).await, there.keeps(long).await), (None, false));
    assert_eq!(there.status(long).await, Status::Expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn to_stop_it_ends_what_runs_and_nobody_else_can() {
    let there = there().await;
    let consent = there.connected().await;
    let engine = &there.world.engine;
    there.bank.change(Change { state: Some(SiteState::Slow), slow_ms: Some(600_000), ..Change::default() });
    there.world.clock.advance(SignedDuration::from_hours(6));
    engine.sweep().await.unwrap();
    let access = loop {
        let found = engine.sessions.find(|session| session.is_unattended() && session.is_busy());
        match found {
            Some(found) if !there.bank.requests().is_empty() => break found,
            _ => tokio::task::yield_now().await,
        }
    };
    let door = door(&there.world, None).await;
    let (_, other) = engine.accounts().made_up(8, there.world.clock.now()).await;
    let path = format!("/v1/account/connections/{consent}");
    let body = || ("application/json", String::new());
    assert_eq!(exchange(door, "delete", &path, Some(&other), body()).await, "404 not-found");
    assert_eq!(exchange(door, "delete", &path, None, body()).await, "401 unauthorized");
    let of_others = engine.account_of(&other).unwrap();
    assert_eq!(engine.connections(&of_others).await.unwrap(), Vec::<Value>::new());
    assert_eq!(there.standing(consent).await, Some(Standing::Active));

    // They signed in six hours ago.
    let token = engine.accounts().signed_in_again(&there.account, there.world.clock.now());
    assert_eq!(exchange(door, "delete", &path, Some(&token), body()).await, "204");
    assert_eq!((access.state(), there.status(consent).await), (State::Withdrawn, Status::Withdrawn));
    assert_eq!((there.standing(consent).await, there.keeps(consent).await), (None, false));
    engine.tasks.close();
    engine.tasks.wait().await;
    let receipt = &there.world.receipts(&access).await[0];
    assert_eq!((receipt.outcome.as_str(), receipt.parcel.is_none()), ("withdrawn", true));
    assert!(!there.keeps(consent).await, "what the run that was ended kept is not kept either");
    assert_eq!(there.token.len(), token.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_shared_begins_nothing_and_what_is_taken_back_or_closed_ends() {
    let there = there().await;
    let engine = &there.world.engine;
    let session = there.collected(&lender(), terms(4, 180)).await;
    let consent = session.begins_connection().unwrap();
    engine.withdraw(&session).await.unwrap();
    assert_eq!((there.standing(consent).await, there.status(consent).await), (None, Status::Withdrawn));

    let consent = there.connected().await;
    assert!(there.keeps(consent).await);
    engine.close_account(&there.account).await.unwrap();
    assert_eq!((there.standing(consent).await, there.keeps(consent).await), (None, false));
    assert!(there.later(24).await.is_empty());
    assert_eq!(there.status(consent).await, Status::Withdrawn);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_agrees_to_it_without_an_account_or_to_another_notice() {
    let there = there().await;
    let engine = &there.world.engine;
    let session = engine.create_session(&lender(), ASKED.as_bytes()).await.unwrap().session;
    let notice = engine.choose_source(&session, "returning", "returning").await.unwrap();
    assert!(engine.synchronisation_notice(&session, terms(4, 180)).is_err(), "before the decision");
    engine.give_consent(&session, &notice.digest(), &[category("person.name")].into()).await.unwrap();
    assert!(matches!(engine.synchronisation_notice(&session, terms(4, 180)), Err(EngineError::Account(_))));
    engine.link(&session, &there.account).await.unwrap();
    let told = engine.synchronisation_notice(&session, terms(4, 180)).unwrap();
    assert!(engine.agree_to_synchronise(&session, terms(4, 30), &told.digest()).await.is_err());
    assert!(engine.agree_to_synchronise(&session, terms(4, 180), &notice.digest()).await.is_err());
    assert!(
        AccessTerms::new(5, 180).is_none() && AccessTerms::new(4, 181).is_none() && AccessTerms::new(0, 1).is_none()
    );
    let words = serde_json::to_string(&told).unwrap();
    for said in ["up to 4 times in 24 hours, for 180 days", "there is no preview", "jusqu'à 4 fois en 24 heures"] {
        assert!(words.contains(said), "{said}");
    }
    assert!(!words.contains("You see everything before it is shared"));
}
