//! What a person does: each act calls the engine and leads back to the page where the session then is.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::form::{Form, Sealed};
use super::visitor::{Reader, Visitor, in_path};
use super::{agree, choose, preview, trouble};
use crate::api::Shared;
use crate::consent::ConsentError;
use crate::consent::Refusal;
use crate::data::{Category, Digest};
use crate::engine::{EngineError, Visit};
use crate::release::Decision;
use crate::session::Session;

/// The session that an entry link names; nobody has to be known for it.
pub(super) struct Named(Option<Arc<Session>>);

impl FromRequestParts<Shared> for Named {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, engine: &Shared) -> Result<Self, Response> {
        Ok(Self(in_path(parts, engine).await))
    }
}

/// The way in: the code is used up, the browser gets its cookie and a clean address.
pub(super) async fn enter(
    reader: Reader,
    State(engine): State<Shared>,
    Named(session): Named,
    Path((_, code)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(session) = session else { return trouble::nobody(&reader) };
    let clean = reader.place.session(session.id());
    match engine.enter(&session, &code).await {
        Ok(secret) => {
            let seconds = session.deadline().duration_since(engine.now()).as_secs().max(1);
            let cookie = reader.place.set_cookie(&session.id().to_string(), &secret, seconds);
            ([(SET_COOKIE, cookie)], Redirect::to(&clean)).into_response()
        }
        // The same browser again, by its history or a reload.
        Err(EngineError::NotFound) if reader.may_see(&session, &headers) => Redirect::to(&clean).into_response(),
        Err(EngineError::NotFound) => trouble::used(&reader),
        Err(error) => trouble::engine(&Visitor { reader, session, engine }, error),
    }
}

/// Back to where the session is.
fn back(visitor: &Visitor) -> Response {
    Redirect::to(&visitor.at("")).into_response()
}

fn alert(text: &str) -> Option<Markup> {
    Some(html! { p { strong { (text) } } })
}

/// Chooses a Data Source.
pub(super) async fn choose(visitor: Visitor, form: Form) -> Response {
    let chosen = form.get("source").and_then(|source| source.split_once('/'));
    let Some((connector, source)) = chosen else { return back(&visitor) };
    match visitor.engine.choose_source(&visitor.session, connector, source).await {
        Ok(_) => back(&visitor),
        Err(EngineError::Source(_) | EngineError::Maintenance) => {
            let gone = visitor.reader.say(
                "This source can't be used now. Please choose another one.",
                "Cette source n'est pas utilisable en ce moment. Veuillez en choisir une autre.",
            );
            choose::page(&visitor, None, alert(gone))
        }
        Err(error @ (EngineError::Connector(_) | EngineError::Operator { .. })) => {
            let told = trouble::failure(&visitor.reader, error.code());
            choose::page(&visitor, None, Some(told))
        }
        Err(error) => trouble::engine(&visitor, error),
    }
}

/// Yes, to all or to what is ticked; or no.
pub(super) async fn decide(visitor: Visitor, form: Form) -> Response {
    if form.get("decision") == Some("refused") {
        let refused = visitor.engine.refuse_consent(&visitor.session).await;
        return refused.map_or_else(|error| trouble::engine(&visitor, error), |()| back(&visitor));
    }
    let Some(notice) = visitor.session.notice() else { return back(&visitor) };
    let reader = visitor.reader.clone();
    let again = |text: &str| agree::page(&visitor, &notice, alert(text));
    let all = form.get("decision") == Some("all");
    let facts = notice.facts();
    let ticked = |name: &str, value: &str| all || form.all(name).any(|given| given == value);
    let asked = facts.asked.iter().map(|asked| asked.category);
    let granted: BTreeSet<Category> = asked.filter(|category| ticked("category", category.name())).collect();
    let questions = facts.predicates.iter().map(|asked| asked.predicate.clone());
    let questions: BTreeSet<String> = questions.filter(|asked| ticked("predicate", asked)).collect();
    if granted.is_empty() && questions.is_empty() {
        return again(reader.say(
            "Nothing is ticked. Tick what you agree to, or say no.",
            "Rien n'est coché. Cochez ce que vous acceptez, ou refusez.",
        ));
    }
    if form.get("attests") != Some("yes") {
        return again(reader.say(
            "Please tick that the account is yours, or that you may use it.",
            "Veuillez cocher que le compte est le vôtre, ou que vous pouvez l'utiliser.",
        ));
    }
    let shown: Option<Digest> = form.get("notice").and_then(|text| text.parse().ok());
    let shown = shown.unwrap_or_else(|| Digest::of(b"no notice"));
    match visitor.engine.give_consent_to_all(&visitor.session, &shown, &granted, &questions).await {
        Ok(()) => back(&visitor),
        Err(EngineError::Consent(ConsentError::Refused(Refusal::OtherNotice))) => again(reader.say(
            "What you read has changed meanwhile. This is how it is now; please decide again.",
            "Ce que vous avez lu a changé entre-temps. Voici la version actuelle ; veuillez décider à nouveau.",
        )),
        Err(EngineError::Consent(ConsentError::Refused(Refusal::AlreadyDecided))) => back(&visitor),
        Err(error) => trouble::engine(&visitor, error),
    }
}

/// The sealed login. The script shows whatever page the session is at afterwards.
pub(super) async fn sign_in(visitor: Visitor, visit: Visit, Sealed(jwe): Sealed) -> Response {
    status(visitor.engine.open_login(&visitor.session, &jwe, visit).await)
}

/// A sealed answer.
pub(super) async fn answer(visitor: Visitor, Sealed(jwe): Sealed) -> Response {
    status(visitor.engine.answer(&visitor.session, &jwe).await)
}

/// What the script is told of something sealed.
pub(super) fn status(done: Result<(), EngineError>) -> Response {
    match done {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        // Why stands in the page that is shown next.
        Err(error) => {
            tracing::info!(error = %crate::causes::chain(&error), "what was sealed was not taken");
            StatusCode::CONFLICT.into_response()
        }
    }
}

/// No to a question.
pub(super) async fn deny(visitor: Visitor, form: Form) -> Response {
    if let Some(question) = form.get("question").and_then(|text| text.parse().ok())
        && visitor.engine.deny(&visitor.session, question).is_err()
    {
        tracing::debug!("a question that was refused was not open any more");
    }
    back(&visitor)
}

/// Shares what is ticked.
pub(super) async fn share(visitor: Visitor, form: Form) -> Response {
    let Ok(found) = visitor.engine.preview(&visitor.session) else { return back(&visitor) };
    let list = |name: &str| found[name].as_array().map_or(&[][..], Vec::as_slice).to_vec();
    let ticked: BTreeSet<usize> = form.all("item").filter_map(|at| at.parse().ok()).collect();
    let groups: BTreeSet<&str> = form.all("category").collect();
    let mut decision = Decision::all();
    for at in (0..list("items").len()).filter(|at| !ticked.contains(at)) {
        decision = decision.without_item(at);
    }
    let names = list("datasets").into_iter().filter_map(|dataset| dataset["category"].as_str().map(str::to_owned));
    for category in names.filter(|name| !groups.contains(name.as_str())).filter_map(|name| name.parse().ok()) {
        decision = decision.without_category(category);
    }
    match visitor.engine.share(&visitor.session, &decision).await {
        Ok(_) => back(&visitor),
        Err(EngineError::Gate(_)) => preview::page(
            &visitor,
            alert(visitor.reader.say(
                "Nothing is ticked. Tick at least one thing, or share nothing.",
                "Rien n'est coché. Cochez au moins un élément, ou ne partagez rien.",
            )),
        ),
        Err(error) => trouble::engine(&visitor, error),
    }
}

/// Takes the consent back, or ends what was not decided yet.
pub(super) async fn withdraw(visitor: Visitor) -> Response {
    match visitor.engine.withdraw(&visitor.session).await {
        Ok(_) => back(&visitor),
        Err(error) => trouble::engine(&visitor, error),
    }
}

/// Gives the report of a failure, or does not.
pub(super) async fn report(visitor: Visitor, form: Form) -> Response {
    let done = match form.get("give") {
        Some("yes") => visitor.engine.give_report(&visitor.session).await.map(drop),
        _ => visitor.engine.refuse_report(&visitor.session).await,
    };
    done.map_or_else(|error| trouble::engine(&visitor, error), |()| back(&visitor))
}
