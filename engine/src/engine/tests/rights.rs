//! Eight rights under three roles, each from the receipt of a real flow: what is done, what is stored then, what is handed out,
//! what the Online Service has to answer.

use serde_json::{Value, json};

use super::*;
use crate::account::AccountName;
use crate::consent::Refusal;
use crate::erase::receipt::Scope;
use crate::erase::retention::R22PostMortemDirective;
use crate::fixtures::lender_in;
use crate::id::{ConsentId, OnlineServiceId};
use crate::jose::Algorithm;
use crate::jose::holder::Holder;
use crate::jose::tests::published_key;
use crate::online_service::{OnlineService, Role};
use crate::rights::{Answer, Ask, Ground, Outcome as Done, Right};

const ROLES: [Role; 3] = [Role::Controller, Role::Processor, Role::Joint];
const WORDS: &str = "my name is spelt Marie";

/// An engine whose Online Service has this role, and the receipt of a delivery that ended well.
async fn delivered(role: Role) -> (World, OnlineService, String, Facts) {
    let clock = Arc::new(ManualClock::new(now()));
    let engine = builder(hollow_connector(), &clock).online_service(lender_in(role)).build().await.unwrap();
    let world = World { engine, clock };
    let session = world.in_review().await;
    let parcel = world.parcel(&session).await;
    let bytes = world.engine.fetch_parcel(&lender(), parcel).await.unwrap();
    world.engine.acknowledge(&lender(), parcel, Digest::of(&bytes)).await.unwrap();
    let token = session.receipts()[0].1.clone();
    let facts = world.receipts(&session).await.remove(0);
    // Rights outlive the session.
    world.pass(61);
    world.engine.sweep().await.unwrap();
    assert!(world.engine.sessions.all().is_empty());
    (world, lender_in(role), token, facts)
}

pub(super) fn ask(right: Right) -> Ask {
    let ground = (right == Right::Restriction).then_some(Ground::AccuracyDisputed);
    let said = matches!(right, Right::Rectification | Right::PostMortem | Right::Objection);
    Ask { right, ground, statement: said.then(|| WORDS.to_owned()), transmit_to: None }
}

/// What is stored of the consent after the right was used, or handed out.
async fn kept(world: &World, right: Right, facts: &Facts, told: &Value) -> String {
    let record = world.engine.consents.record(facts.consent).await.unwrap();
    match right {
        Right::Access | Right::Portability => {
            let copy = &told["result"];
            assert_eq!(copy["consent"]["record_id"], facts.consent.to_string(), "{copy}");
            assert_eq!(copy["consent"]["parties"][0]["party_name"], "Example Lettings");
            assert_eq!(copy["delivery"]["end"]["how"], "acknowledged");
            assert_eq!(copy["leaves"].as_array().unwrap().len(), 3);
            assert!(!copy.to_string().contains("Martin"), "the data itself is not kept, and so not handed out");
            "a copy: record, receipt, leaves, delivery".to_owned()
        }
        Right::Rectification => {
            assert_eq!(record.statements()[0].text, WORDS);
            assert_eq!(record.status(), Status::Expired, "what was decided stays what was decided");
            "the statement, beside the record".to_owned()
        }
        Right::Erasure => {
            assert_eq!(record.status(), Status::Withdrawn);
            assert!(!world.engine.outbox.holds(facts.parcel.as_ref().unwrap().id).await.unwrap());
            assert_eq!(told["result"]["survives"][0]["row"], "R14");
            assert_eq!(told["reasons"], json!(["proof-is-kept"]));
            "the proof, until its period ends".to_owned()
        }
        Right::Restriction => {
            assert_eq!(record.restriction().unwrap().ground, Ground::AccuracyDisputed);
            "the record, marked".to_owned()
        }
        Right::Objection => {
            assert_eq!(record.restriction().unwrap().ground, Ground::ObjectionPending);
            assert!(record.statements()[0].text.ends_with(WORDS));
            assert_eq!(told["reasons"], json!(["not-found-without-login"]));
            "the objection, beside the record, which is marked".to_owned()
        }
        Right::Withdrawal => {
            assert_eq!(record.status(), Status::Withdrawn);
            "the record, withdrawn".to_owned()
        }
        Right::PostMortem => {
            let shelf = world.engine.shelves.shelf::<R22PostMortemDirective>();
            let names = world.engine.consents.record(facts.consent).await.map(|record| record.id().to_string());
            assert!(shelf.holds::<super::super::rights::Directive>(&names.unwrap()).await.unwrap());
            "the directive, sealed".to_owned()
        }
    }
}

/// How somebody proves who they are.
enum Proof {
    /// By the receipt.
    Receipt(String),
    /// By the account that holds the receipt.
    Account(AccountName, ConsentId),
}

impl Proof {
    async fn of(kind: &str, world: &World, token: &str, facts: &Facts) -> Self {
        if kind == "receipt" {
            return Self::Receipt(token.to_owned());
        }
        let (account, _) = world.engine.accounts().made_up(7, world.clock.now()).await;
        world.engine.keep_in_account(&account, token).await.unwrap();
        Self::Account(account, facts.consent)
    }

    async fn ask(&self, world: &World, ask: Ask) -> Result<Value, EngineError> {
        match self {
            Self::Receipt(token) => world.engine.ask_right(token, ask).await,
            Self::Account(account, consent) => world.engine.ask_right_in_account(account, *consent, ask).await,
        }
    }

    async fn look(&self, world: &World) -> Value {
        match self {
            Self::Receipt(token) => world.engine.look_at_rights(token).await.unwrap(),
            Self::Account(account, consent) => world.engine.look_at_rights_in_account(account, *consent).await.unwrap(),
        }
    }
}

/// What the Online Service is asked, and what its signed answer makes of the request.
async fn party(world: &World, service: &OnlineService, proof: &Proof, told: &Value) -> String {
    let open = world.engine.rights_for(service).await.unwrap();
    let Some(asked) = open["requests"].as_array().unwrap().first() else {
        assert!(told["online_service"].is_null() && !told["closed_at"].is_null());
        return "is not asked".to_owned();
    };
    assert_eq!((&asked["request"], &told["state"]), (&told["request"], &json!("awaiting-party")));
    // Silence is shown.
    world.pass(60 * 24 * 20);
    let looked = proof.look(world).await;
    assert_eq!(looked["requests"][0]["online_service"]["silent"], true);
    let request = asked["request"].as_str().unwrap().parse().unwrap();
    let answer = Answer { request, outcome: Done::Done, reason: None, at: world.clock.now() };
    let signed = answer.sign(&published_key(Algorithm::Ps256)).unwrap();
    assert!(world.engine.answer_right(service, request, &signed[1..]).await.is_err());
    world.engine.answer_right(service, request, &signed).await.unwrap();
    let looked = proof.look(world).await;
    assert_eq!(looked["requests"][0]["online_service"]["answer"], signed);
    assert!(world.engine.rights_for(service).await.unwrap()["requests"].as_array().unwrap().is_empty());
    format!("answers, signed; then {}", looked["requests"][0]["state"].as_str().unwrap())
}

/// The table of all cells, as `golden/rights-cells.md` has it.
#[tokio::test]
async fn every_right_under_every_role_does_what_the_table_says() {
    let mut table =
        String::from("| right | who asks | role | what is kept then | the Online Service |\n|---|---|---|---|---|\n");
    for right in Right::ALL {
        for (proof, role) in ["receipt", "account"].into_iter().flat_map(|proof| ROLES.map(|role| (proof, role))) {
            let (world, service, token, facts) = delivered(role).await;
            let shown = Proof::of(proof, &world, &token, &facts).await;
            let told = shown.ask(&world, ask(right)).await.unwrap();
            let kept = kept(&world, right, &facts, &told).await;
            let party = party(&world, &service, &shown, &told).await;
            let role = serde_json::to_value(role).unwrap();
            table += &format!("| {} | {proof} | {} | {kept} | {party} |\n", right.name(), role.as_str().unwrap());
        }
    }
    let golden = include_str!("../../../golden/rights-cells.md");
    assert!(golden.ends_with(&table), "golden/rights-cells.md must end with:\n{table}");
}

#[tokio::test]
async fn an_account_asks_about_its_own_receipts_only() {
    let (world, _, token, facts) = delivered(Role::Controller).await;
    let (mine, _) = world.engine.accounts().made_up(1, world.clock.now()).await;
    let (other, _) = world.engine.accounts().made_up(2, world.clock.now()).await;
    world.engine.keep_in_account(&mine, &token).await.unwrap();
    let parts: Vec<&str> = token.split('~').collect();
    let half = world.engine.keep_in_account(&other, &format!("{}~{}~", parts[0], parts[1])).await;
    assert!(matches!(half, Err(EngineError::NotFound)), "{half:?}");
    let asked = world.engine.ask_right_in_account(&other, facts.consent, ask(Right::Access)).await;
    assert!(matches!(asked, Err(EngineError::NotFound)), "{asked:?}");
    let copy = world.engine.account_copy(&mine).await.unwrap();
    assert_eq!(copy["receipts"][0]["receipt"], facts.receipt.to_string());
    assert_eq!((&copy["receipts"][0]["state"], &copy["contact"]), (&json!("expired"), &Value::Null));
    // What a closed account held is gone; the receipt in its person's hand is as good as before.
    world.engine.accounts().close(&mine).await.unwrap();
    assert!(world.engine.account_copy(&mine).await.is_err());
    assert!(world.engine.ask_right(&token, ask(Right::Access)).await.is_ok());
}

#[tokio::test]
async fn only_the_whole_receipt_proves_who_asks() {
    let (world, service, token, facts) = delivered(Role::Controller).await;
    let parts: Vec<&str> = token.split('~').collect();
    let without_salt = format!("{}~{}~", parts[0], parts[1]);
    let mut forged = token.clone();
    forged.replace_range(40..41, if &token[40..41] == "A" { "B" } else { "A" });
    for wrong in [without_salt.as_str(), &forged, "", "~", facts.receipt.to_string().as_str()] {
        let refused = world.engine.ask_right(wrong, ask(Right::Access)).await;
        assert!(matches!(refused, Err(EngineError::NotFound)), "{refused:?}");
    }
    // Once the salt is gone, nobody can prove anything any more, and there is nothing to ask about.
    world.engine.ledger.forget(facts.consent).await.unwrap();
    assert!(matches!(world.engine.look_at_rights(&token).await, Err(EngineError::NotFound)));
    assert!(world.engine.rights_for(&service).await.unwrap()["requests"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn the_same_request_again_is_the_same_request_and_the_operator_decides_with_reasons() {
    let (world, _, token, _) = delivered(Role::Joint).await;
    let first = world.engine.ask_right(&token, ask(Right::Erasure)).await.unwrap();
    let again = world.engine.ask_right(&token, ask(Right::Erasure)).await.unwrap();
    assert_eq!((&first["request"], &again["duplicate"]), (&again["request"], &json!(true)));
    let request = first["request"].as_str().unwrap().parse().unwrap();
    world.engine.extend_right(request, "the Online Service has to search by hand").await.unwrap();
    assert!(matches!(world.engine.extend_right(request, "more").await, Err(EngineError::Right(_))));
    world.engine.refuse_right(request, "a court has ordered that it be kept").await.unwrap();
    let told = world.engine.look_at_rights(&token).await.unwrap()["requests"][0].clone();
    assert_eq!((told["state"].as_str(), told["late"].as_bool()), (Some("partially-fulfilled"), Some(false)));
    assert_eq!(told["decision"], "a court has ordered that it be kept");
    assert_eq!(told["extended"], "the Online Service has to search by hand");
    assert!(matches!(world.engine.refuse_right(id(7), "no such").await, Err(EngineError::NotFound)));
}

#[tokio::test]
async fn a_restricted_consent_opens_no_login_and_a_withdrawal_by_receipt_stops_what_runs() {
    let world = world().await;
    let session = world.in_review().await;
    let consent = session.consent().unwrap();
    world.engine.consents.restrict(consent, Ground::Claims, world.clock.now()).await.unwrap();
    let shared = world.engine.share(&session, &Decision::all()).await;
    assert!(
        matches!(&shared, Err(EngineError::Consent(error)) if error.to_string() == Refusal::Restricted.to_string())
    );
    assert!(world.engine.outbox.lease_events(10, world.clock.now()).await.unwrap().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_receipt_that_is_bound_to_a_key_proves_nothing_without_it() {
    let world = world().await;
    let session = world.session().await;
    let (holder, other) = (Holder::new(), Holder::new());
    let notice = world.engine.choose_source(&session, "sample-bank", "sample-bank").await.unwrap();
    world.engine.bind_receipts(&session, &holder.key).await.unwrap();
    let all = notice.facts().asked.iter().map(|asked| asked.category).collect();
    world.engine.give_consent(&session, &notice.digest(), &all).await.unwrap();
    assert!(world.engine.bind_receipts(&session, &other.key).await.is_err(), "before the decision only");
    let sealed = world.sealed(session.id(), &[("login", "another form")]).await;
    world.engine.open_login(&session, &sealed, NAVIGATION).await.unwrap_err();
    let token = session.receipts()[0].1.clone();

    let engine = &world.engine;
    let show = |by: &Holder, nonce: &str| by.show(&token, engine.give_nonce().1, nonce, world.clock.now());
    let asks = async |shown: &str| engine.ask_right(shown, ask(Right::Access)).await;
    let good = show(&holder, &engine.give_nonce().0);
    for (what, wrong) in [
        ("no proof", token.clone()),
        ("another key", show(&other, &engine.give_nonce().0)),
        ("a nonce of nobody", show(&holder, "made up")),
        ("another receipt's", good.replacen('~', "~x~", 1)),
    ] {
        assert!(matches!(asks(&wrong).await, Err(EngineError::NotFound)), "{what}");
    }
    let told = asks(&good).await.unwrap();
    assert_eq!(told["result"]["receipt"]["cnf"]["jwk"]["crv"], "P-256", "{told}");
    assert!(matches!(asks(&good).await, Err(EngineError::NotFound)), "a nonce is taken once");
    let late = engine.give_nonce().0;
    world.pass(5);
    assert!(matches!(asks(&show(&holder, &late)).await, Err(EngineError::NotFound)), "too late");
    let looked = engine.look_at_rights(&show(&holder, &engine.give_nonce().0)).await.unwrap();
    assert_eq!(looked["requests"][0]["right"], "access");
    // Into an account only with the proof; from there the account is who asks.
    let (account, _) = engine.accounts().made_up(7, world.clock.now()).await;
    assert!(engine.keep_in_account(&account, &token).await.is_err());
    engine.keep_in_account(&account, &show(&holder, &engine.give_nonce().0)).await.unwrap();
    let consent = session.consent().unwrap();
    assert!(engine.look_at_rights_in_account(&account, consent).await.is_ok());
}

#[tokio::test]
async fn what_was_delivered_is_taken_back_where_it_went_with_a_day_and_a_signed_answer() {
    let world = world().await;
    let session = world.in_review().await;
    let parcel = world.parcel(&session).await;
    let bytes = world.engine.fetch_parcel(&lender(), parcel).await.unwrap();
    world.engine.acknowledge(&lender(), parcel, Digest::of(&bytes)).await.unwrap();
    assert!(world.engine.passed_on(&session).await.is_none());
    let token = session.receipts()[0].1.clone();

    let first = world.engine.withdraw(&session).await.unwrap().passed_on.unwrap();
    assert_eq!(first.answer_by, world.clock.now() + crate::rights::PARTY_ANSWERS);
    assert_eq!(world.engine.withdraw(&session).await.unwrap().passed_on, Some(first), "once, however often it is said");
    assert_eq!(world.engine.passed_on(&session).await, Some(first));
    let asked = world.engine.ask_right(&token, ask(Right::Withdrawal)).await.unwrap();
    assert_eq!((&asked["request"], &asked["duplicate"]), (&json!(first.request), &json!(true)), "nor by receipt");
    let open = world.engine.rights_for(&lender()).await.unwrap()["requests"].clone();
    assert_eq!((open.as_array().unwrap().len(), &open[0]["right"]), (1, &json!("withdrawal")), "{open}");

    world.pass(60 * 24 * 20);
    let told = world.engine.look_at_rights(&token).await.unwrap()["requests"][0].clone();
    assert_eq!((&told["online_service"]["silent"], &told["state"]), (&json!(true), &json!("awaiting-party")), "{told}");
    let answer = Answer { request: first.request, outcome: Done::Done, reason: None, at: world.clock.now() };
    let signed = answer.sign(&published_key(Algorithm::Ps256)).unwrap();
    world.engine.answer_right(&lender(), first.request, &signed).await.unwrap();
    let told = world.engine.look_at_rights(&token).await.unwrap()["requests"][0].clone();
    assert_eq!((&told["online_service"]["answer"], &told["state"]), (&json!(signed), &json!("fulfilled")), "{told}");
}

#[tokio::test]
async fn months_are_counted_without_anybody_in_them_and_settled_once_they_are_over() {
    let world = world().await;
    let session = world.in_review().await;
    let parcel = world.parcel(&session).await;
    let bytes = world.engine.fetch_parcel(&lender(), parcel).await.unwrap();
    world.engine.acknowledge(&lender(), parcel, Digest::of(&bytes)).await.unwrap();
    world.engine.acknowledge(&lender(), parcel, Digest::of(&bytes)).await.unwrap();
    let taken_back = world.in_review().await;
    world.parcel(&taken_back).await;
    world.engine.withdraw(&taken_back).await.unwrap();
    let months = async || {
        let told = world.engine.metered(None).await.unwrap();
        let counts = told.iter().map(|told| {
            let each = &told.counts;
            (each.month.to_string(), [each.delivered, each.withdrawn, each.undelivered], told.settled)
        });
        counts.collect::<Vec<_>>()
    };
    assert_eq!(months().await, [("2026-11".to_owned(), [1, 1, 0], false)]);
    assert!(world.engine.metered(Some(id(2))).await.unwrap().is_empty(), "of another Online Service");
    // 1 December has passed.
    world.pass(60 * 24 * 11);
    world.engine.sweep().await.unwrap();
    assert_eq!(months().await, [("2026-11".to_owned(), [1, 1, 0], true)]);
    // What it was counted from goes after thirteen months; the sum stays.
    world.pass(60 * 24 * 420);
    world.engine.sweep().await.unwrap();
    assert!(world.engine.outbox.list().await.unwrap().is_empty());
    assert_eq!(months().await, [("2026-11".to_owned(), [1, 1, 0], true)]);
}

#[tokio::test]
async fn a_trace_is_found_and_erased_by_the_login_alone_and_every_look_is_logged() {
    let world = world().await;
    let (now, engine) = (world.clock.now(), &world.engine);
    for login in ["Julie@Example.org ", "someone-else"] {
        engine.traces.keep("sample-bank", login, id(1), NAVIGATION, now).await.unwrap();
    }
    let find = async |login: &str, erase| {
        engine.find_traces("sample-bank", login, "Ada", "she asks for it", erase).await.unwrap().len()
    };
    assert_eq!((find("julie@example.org", false).await, find("nobody", false).await), (1, 0));
    assert_eq!(engine.find_traces("another-bank", "julie@example.org", "Ada", "why", false).await.unwrap().len(), 0);
    assert_eq!((find("julie@example.org", true).await, find("julie@example.org", false).await), (1, 0));
    assert_eq!(find("someone-else", false).await, 1, "another one's trace stays");
    let looks = engine.look_ups().await.unwrap();
    assert_eq!(looks.len(), 6);
    assert!(looks.iter().all(|look| look.by == "Ada") && !format!("{looks:?}").to_lowercase().contains("julie"));
    let noted =
        engine.note_disclosure("CNIL", "Art. 58 GDPR, order 12", vec!["trace".into()], "one count").await.unwrap();
    assert_eq!(engine.disclosures().await.unwrap(), [noted]);
    // Whatever the keys of months say: a month whose key is dead leads to nobody.
    world.clock.advance(SignedDuration::from_hours(24 * 31 * 14));
    engine.keys.destroy_due(world.clock.now()).await.unwrap();
    assert_eq!(find("someone-else", false).await, 0);
}

#[tokio::test]
async fn every_stored_type_says_how_it_answers() {
    let all = declared();
    let names: std::collections::BTreeSet<(&str, &str)> = all.iter().map(|each| (each.row, each.name)).collect();
    assert_eq!(names.len(), all.len());
    for (row, name) in
        [("R14", "consent"), ("R14", "salt"), ("R05", "trace"), ("R16", "rights-request"), ("R23", "parcel")]
    {
        assert!(names.contains(&(row, name)), "{row}/{name}");
    }
}

/// A session of somebody who signed in, delivered; what its Online Service knows them as.
async fn shared_by(world: &World, account: &AccountName) -> crate::id::SubjectId {
    let session = world.session().await;
    world.engine.link(&session, account).await.unwrap();
    world.review(&session).await;
    let parcel = world.parcel(&session).await;
    let bytes = world.engine.fetch_parcel(&lender(), parcel).await.unwrap();
    world.engine.acknowledge(&lender(), parcel, Digest::of(&bytes)).await.unwrap();
    session.linked().unwrap().subject
}

#[tokio::test]
async fn an_account_gets_its_receipts_and_is_somebody_else_to_each_online_service() {
    let clock = Arc::new(ManualClock::new(now()));
    let world = World { engine: builder(hollow_connector(), &clock).build().await.unwrap(), clock };
    let (mine, _) = world.engine.accounts().made_up(1, now()).await;
    let (other, _) = world.engine.accounts().made_up(2, now()).await;
    let (first, second) = (shared_by(&world, &mine).await, shared_by(&world, &mine).await);
    assert_eq!(first, second, "the same person again");
    assert_ne!(first, shared_by(&world, &other).await);
    let elsewhere = world.engine.entropy.with(|rng| OnlineServiceId::new(now(), rng));
    assert_ne!(first, world.engine.accounts().link(&mine, elsewhere, now()).await.unwrap().subject);
    let receipts = world.engine.accounts().receipts(&mine).await.unwrap();
    assert_eq!((receipts.len(), receipts[0].online_service), (2, lender().id()));

    // Too late once a login was given.
    let late = world.in_review().await;
    assert!(matches!(world.engine.link(&late, &mine).await, Err(EngineError::Step(_))));

    // By the name that the Online Service knows, all of it goes, and nobody else's.
    let erasure = world.engine.erase(Scope::Subject(first)).await.unwrap();
    let kinds: Vec<_> = erasure.facts().erased.iter().map(|each| each.record.split('/').nth(1).unwrap()).collect();
    assert_eq!(kinds, ["account-receipt", "account-receipt"]);
    assert!(world.engine.accounts().receipts(&mine).await.unwrap().is_empty());
    assert_eq!(world.engine.accounts().receipts(&other).await.unwrap().len(), 1);
    assert_ne!(first, shared_by(&world, &mine).await, "the next time they are somebody else there");
}
