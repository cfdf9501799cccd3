//! The person's side: choose a source, read the notice, decide, log in, answer, look, share, withdraw, take the receipt.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use consentry_tape::Report;
use futures_util::Stream;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::describe::{Accepted, NoContent, Shaped};
use super::rights::TakenBack;
use super::{Answer, At, Body, Person, Problem, Text};
use crate::consent::{ConsentError, Notice, Refusal};
use crate::data::{Category, Digest};
use crate::engine::catalogue::Offer;
use crate::engine::{EngineError, Visit};
use crate::id::{ParcelId, QuestionId, ReceiptId, ReportId, RightsRequestId};
use crate::jose::holder::{EcJwk, HolderKey};
use crate::maintenance::lent::Seen;
use crate::predicate::Answered;
use crate::release::Decision;
use crate::session::Place;
use crate::session::events::Subscription;

/// What can be chosen.
#[derive(Serialize, JsonSchema)]
pub(super) struct Offers {
    sources: Vec<Offer>,
}

/// The Data Sources that can answer this session's request.
pub(super) async fn sources(Person(session): Person, State(engine): At) -> Json<Offers> {
    Json(Offers { sources: engine.sources_for(session.request()) })
}

/// A Data Source, as the list of sources names it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Chosen {
    connector: String,
    source: String,
}

/// Chooses a Data Source and gives the notice for it.
pub(super) async fn choose_source(
    Person(session): Person,
    State(engine): At,
    Body(chosen): Body<Chosen>,
) -> Answer<Json<Notice>> {
    let notice = engine.choose_source(&session, &chosen.connector, &chosen.source).await?;
    Ok(Json((*notice).clone()))
}

/// The notice that was shown.
pub(super) async fn notice(Person(session): Person) -> Answer<Json<Notice>> {
    session.notice().map(|notice| Json((*notice).clone())).ok_or_else(Problem::not_found)
}

/// The person's decision.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "decision", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Decided {
    /// Yes, to what this notice says, for these categories; and the account is the person's, or they may use it.
    Given {
        /// The digest of the notice that was shown.
        notice: Digest,
        /// What is granted of it.
        #[serde(default)]
        categories: BTreeSet<Category>,
        /// Questions that may be answered with yes or no.
        #[serde(default)]
        predicates: BTreeSet<String>,
        /// The account is the person's, or they may use it.
        attests_access: bool,
        /// A public key of the person's own, to which the receipts are bound: who shows one has to prove that they hold the key.
        #[schemars(with = "Option<EcJwk>")]
        holder_key: Option<HolderKey>,
    },
    /// No.
    Refused {},
}

/// The person's yes or no.
pub(super) async fn decide(
    Person(session): Person,
    State(engine): At,
    Body(decided): Body<Decided>,
) -> Answer<NoContent> {
    match decided {
        Decided::Given { attests_access: false, .. } => {
            return Err(EngineError::from(ConsentError::from(Refusal::NotAttested)).into());
        }
        Decided::Given { notice, categories, predicates, holder_key, .. } => {
            if let Some(key) = &holder_key {
                engine.bind_receipts(&session, key).await?;
            }
            engine.give_consent_to_all(&session, &notice, &categories, &predicates).await?;
        }
        Decided::Refused {} => engine.refuse_consent(&session).await?,
    }
    Ok(NoContent)
}

/// The login, as one JWE. The collection starts; its events tell how it goes.
pub(super) async fn credentials(
    Person(session): Person,
    State(engine): At,
    visit: Visit,
    Text(jwe): Text,
) -> Answer<Accepted> {
    engine.open_login(&session, &jwe, visit).await?;
    Ok(Accepted)
}

/// An answer to a question, as one JWE.
pub(super) async fn answer(Person(session): Person, State(engine): At, Text(jwe): Text) -> Answer<NoContent> {
    engine.answer(&session, &jwe).await?;
    Ok(NoContent)
}

/// No to a question.
pub(super) async fn deny(
    Person(session): Person,
    State(engine): At,
    Path((_, question)): Path<(String, String)>,
) -> Answer<NoContent> {
    let question: QuestionId = question.parse().map_err(|_| Problem::not_found())?;
    engine.deny(&session, question)?;
    Ok(NoContent)
}

/// The session's events from the beginning, or from the one after `Last-Event-ID`.
pub(super) async fn events(
    Person(session): Person,
    State(engine): At,
    headers: HeaderMap,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let following = (session.subscribe_after(last), engine.follow(&session)?);
    Ok(Sse::new(futures_util::stream::unfold(following, next_event)).keep_alive(KeepAlive::default()))
}

async fn next_event(
    (mut events, place): (Subscription, Place),
) -> Option<(Result<Event, Infallible>, (Subscription, Place))> {
    let event = events.next().await?;
    let sent = Event::default().id(events.id(&event)).json_data(&event);
    // An event is plain data; one that were not would be told as a comment, not end the stream.
    let sent = sent.unwrap_or_else(|_| Event::default().comment("not shown"));
    Some((Ok(sent), (events, place)))
}

/// What was found. Items and datasets are those of `parcel-0.1.json`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form of what the engine writes straight from the items")]
pub(super) struct Preview {
    /// Each with `category`, `observed_at` and `fields`.
    items: Vec<Map<String, Value>>,
    /// What each category came to.
    datasets: Vec<Map<String, Value>>,
    /// Questions that were answered here.
    predicates: Vec<Answered>,
}

/// What was found, for the person's eyes only.
pub(super) async fn preview(Person(session): Person, State(engine): At) -> Answer<Shaped<Preview>> {
    Ok(Shaped::new(engine.preview(&session)?))
}

/// What is left out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Share {
    /// Items to leave out, by their place in the preview.
    #[serde(default)]
    without_items: BTreeSet<usize>,
    /// Categories to leave out.
    #[serde(default)]
    without_categories: BTreeSet<Category>,
}

/// Shares what is left.
pub(super) async fn share(Person(session): Person, State(engine): At, Body(share): Body<Share>) -> Answer<Accepted> {
    let mut decision = Decision::all();
    for at in share.without_items {
        decision = decision.without_item(at);
    }
    for category in share.without_categories {
        decision = decision.without_category(category);
    }
    engine.share(&session, &decision).await?;
    Ok(Accepted)
}

/// What is told where a withdrawal holds and is not on the disk.
const NOT_NOTED: &str = "Your withdrawal holds: nothing is collected or sent any more, and what was in memory is erased. It could \
    not be written to the record of your consent and to the ledger yet, because the store takes nothing at the moment; this is \
    tried again until it works. If the engine ends before that, the record will say that your consent's time was over.";

/// Takes the consent back. The answer names a send that had begun before, and says what could not be noted yet.
pub(super) async fn withdraw(Person(session): Person, State(engine): At) -> Answer<Json<Withdrawn>> {
    let withdrawal = engine.withdraw(&session).await?;
    Ok(Json(Withdrawn {
        withdrawn_at: withdrawal.at,
        sending: withdrawal.sending,
        noted: withdrawal.noted,
        online_service: withdrawal.passed_on.map(|to| PassedOn { request: to.request, answer_by: to.answer_by }),
        next: (!withdrawal.noted).then_some(NOT_NOTED),
    }))
}

/// A consent that was taken back.
#[derive(Serialize, JsonSchema)]
pub(super) struct Withdrawn {
    withdrawn_at: Timestamp,
    /// A send that had begun before.
    sending: Option<ParcelId>,
    /// Whether the store has taken it; it holds all the same.
    noted: bool,
    /// What the Online Service has to answer, where something had gone to it. `POST /v1/rights/look` says what it answered, or that it did
    /// not.
    online_service: Option<PassedOn>,
    /// What is done about it where it has not.
    next: Option<&'static str>,
}

/// What an Online Service has to answer.
#[derive(Serialize, JsonSchema)]
pub(super) struct PassedOn {
    request: RightsRequestId,
    /// After that its silence is shown.
    answer_by: Timestamp,
}

/// A receipt so far.
#[derive(Serialize, JsonSchema)]
pub(super) struct Issued {
    id: ReceiptId,
    /// An SD-JWT with all its disclosures.
    receipt: String,
    /// That its events are in the ledger; empty as long as one is missing.
    proofs: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Receipts {
    receipts: Vec<Issued>,
}

/// The receipts so far, one for each login that was opened, with the proofs that they are in the ledger once those are there.
pub(super) async fn receipts(Person(session): Person, State(engine): At) -> Answer<Json<Receipts>> {
    let files = engine.receipt_files(&session).await?.into_iter();
    let receipts = files.map(|(id, file)| Issued { id, receipt: file.receipt, proofs: file.proofs });
    Ok(Json(Receipts { receipts: receipts.collect() }))
}

/// A report that is offered.
#[derive(Serialize, JsonSchema)]
pub(super) struct Reported {
    /// Its name, once it was given.
    given: Option<ReportId>,
    #[schemars(with = "Map<String, Value>")]
    report: Arc<Report>,
    /// The login that the person lent for re-tests.
    lent: Option<Seen>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Given {
    given: ReportId,
}

/// The report of the failure, whole, as it is kept if it is given.
pub(super) async fn report(Person(session): Person, State(engine): At) -> Answer<Json<Reported>> {
    let offer = engine.offered(&session).ok_or_else(Problem::not_found)?;
    let lent = engine.lent(&session).await?;
    Ok(Json(Reported { given: offer.given, report: offer.report, lent }))
}

/// Yes to the report.
pub(super) async fn give_report(Person(session): Person, State(engine): At) -> Answer<Json<Given>> {
    Ok(Json(Given { given: engine.give_report(&session).await? }))
}

/// No to the report, now or later.
pub(super) async fn refuse_report(Person(session): Person, State(engine): At) -> Answer<NoContent> {
    engine.refuse_report(&session).await?;
    Ok(NoContent)
}

/// A login for re-tests of the break, as one JWE to a key whose duty is `maintenance`; who gave the report may lend it.
pub(super) async fn lend(
    Person(session): Person,
    State(engine): At,
    visit: Visit,
    Text(jwe): Text,
) -> Answer<Json<Seen>> {
    Ok(Json(engine.lend_login(&session, &jwe, visit.navigation.language).await?))
}

/// Takes it back: it is erased at once.
pub(super) async fn take_back(Person(session): Person, State(engine): At) -> Answer<Json<TakenBack>> {
    Ok(TakenBack::by(&engine.take_back_in_session(&session).await?))
}
