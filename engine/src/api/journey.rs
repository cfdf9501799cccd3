//! The person's side: choose a source, read the notice, decide, log in, answer, look, share, withdraw, take the receipt.

use std::collections::BTreeSet;
use std::convert::Infallible;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT_LANGUAGE, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, At, Body, Person, Problem, Text};
use crate::consent::{ConsentError, Notice, Refusal};
use crate::data::{Category, Digest};
use crate::engine::EngineError;
use crate::id::QuestionId;
use crate::release::Decision;
use crate::session::events::Subscription;
use crate::trace::{Device, Language, Navigation};

/// The Data Sources that can answer this session's request.
pub(super) async fn sources(Person(session): Person, State(engine): At) -> Json<Value> {
    Json(json!({ "sources": engine.sources_for(session.request()) }))
}

#[derive(Deserialize)]
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

#[derive(Deserialize)]
#[serde(tag = "decision", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Decided {
    /// Yes, to what this notice says, for these categories; and the account is the person's, or they may use it.
    Given {
        notice: Digest,
        #[serde(default)]
        categories: BTreeSet<Category>,
        /// Questions that may be answered with yes or no.
        #[serde(default)]
        predicates: BTreeSet<String>,
        attests_access: bool,
    },
    /// No.
    Refused {},
}

/// The person's yes or no.
pub(super) async fn decide(
    Person(session): Person,
    State(engine): At,
    Body(decided): Body<Decided>,
) -> Answer<StatusCode> {
    match decided {
        Decided::Given { attests_access: false, .. } => {
            return Err(EngineError::from(ConsentError::from(Refusal::NotAttested)).into());
        }
        Decided::Given { notice, categories, predicates, .. } => {
            engine.give_consent_to_all(&session, &notice, &categories, &predicates).await?;
        }
        Decided::Refused {} => engine.refuse_consent(&session).await?,
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The login, as one JWE. The collection starts; its events tell how it goes.
pub(super) async fn credentials(
    Person(session): Person,
    State(engine): At,
    headers: HeaderMap,
    Text(jwe): Text,
) -> Answer<StatusCode> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let navigation = Navigation {
        device: Device::of_user_agent(text(USER_AGENT)),
        language: Language::of_accept_language(text(ACCEPT_LANGUAGE)),
    };
    engine.open_login(&session, &jwe, navigation).await?;
    Ok(StatusCode::ACCEPTED)
}

/// An answer to a question, as one JWE.
pub(super) async fn answer(Person(session): Person, State(engine): At, Text(jwe): Text) -> Answer<StatusCode> {
    engine.answer(&session, &jwe).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// No to a question.
pub(super) async fn deny(
    Person(session): Person,
    State(engine): At,
    Path((_, question)): Path<(String, String)>,
) -> Answer<StatusCode> {
    let question: QuestionId = question.parse().map_err(|_| Problem::not_found())?;
    engine.deny(&session, question)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The session's events from the beginning, or from the one after `Last-Event-ID`.
pub(super) async fn events(
    Person(session): Person,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let seen = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    let stream = futures_util::stream::unfold(session.subscribe(seen), next_event);
    Sse::new(stream).keep_alive(KeepAlive::default())
}

async fn next_event(mut events: Subscription) -> Option<(Result<Event, Infallible>, Subscription)> {
    let event = events.next().await?;
    let sent = Event::default().id(event.seq.to_string()).json_data(&event);
    // An event is plain data; one that were not would be told as a comment, not end the stream.
    let sent = sent.unwrap_or_else(|_| Event::default().comment("not shown"));
    Some((Ok(sent), events))
}

/// What was found, for the person's eyes only.
pub(super) async fn preview(Person(session): Person, State(engine): At) -> Answer<Json<Value>> {
    Ok(Json(engine.preview(&session)?))
}

#[derive(Deserialize)]
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
pub(super) async fn share(Person(session): Person, State(engine): At, Body(share): Body<Share>) -> Answer<StatusCode> {
    let mut decision = Decision::all();
    for at in share.without_items {
        decision = decision.without_item(at);
    }
    for category in share.without_categories {
        decision = decision.without_category(category);
    }
    engine.share(&session, &decision).await?;
    Ok(StatusCode::ACCEPTED)
}

/// What is told where a withdrawal holds and is not on the disk.
const NOT_NOTED: &str = "Your withdrawal holds: nothing is collected or sent any more, and what was in memory is erased. It could \
    not be written to the record of your consent and to the ledger yet, because the store takes nothing at the moment; this is \
    tried again until it works. If the engine ends before that, the record will say that your consent's time was over.";

/// Takes the consent back. The answer names a send that had begun before, and says what could not be noted yet.
pub(super) async fn withdraw(Person(session): Person, State(engine): At) -> Answer<Json<Value>> {
    let withdrawal = engine.withdraw(&session).await?;
    let next = (!withdrawal.noted).then_some(NOT_NOTED);
    let (at, sending, noted) = (withdrawal.at, withdrawal.sending, withdrawal.noted);
    Ok(Json(json!({ "withdrawn_at": at, "sending": sending, "noted": noted, "next": next })))
}

/// The receipts so far, one for each login that was opened, with the proofs that they are in the ledger once those are there.
pub(super) async fn receipts(Person(session): Person, State(engine): At) -> Answer<Json<Value>> {
    let files = engine.receipt_files(&session).await?.into_iter();
    let receipts = files.map(|(id, file)| json!({ "id": id, "receipt": file.receipt, "proofs": file.proofs }));
    Ok(Json(json!({ "receipts": receipts.collect::<Vec<_>>() })))
}

/// The report of the failure, whole, as it is kept if it is given.
pub(super) async fn report(Person(session): Person, State(engine): At) -> Answer<Json<Value>> {
    let offer = engine.offered(&session).ok_or_else(Problem::not_found)?;
    Ok(Json(json!({ "given": offer.given, "report": &*offer.report })))
}

/// Yes to the report.
pub(super) async fn give_report(Person(session): Person, State(engine): At) -> Answer<Json<Value>> {
    let id = engine.give_report(&session).await?;
    Ok(Json(json!({ "given": id })))
}

/// No to the report, now or later.
pub(super) async fn refuse_report(Person(session): Person, State(engine): At) -> Answer<StatusCode> {
    engine.refuse_report(&session).await?;
    Ok(StatusCode::NO_CONTENT)
}
