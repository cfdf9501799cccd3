//! A person's rights: asked for with a receipt, looked at with a receipt, answered by the Online Service.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, At, Body, Caller, Problem, Text};
use crate::id::RightsRequestId;
use crate::rights::Ask;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Who asks: the receipt, with all its disclosures.
    receipt: String,
    /// What.
    ask: Ask,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    receipt: String,
}

/// A person asks. What is done here is done when the answer comes, and a copy is in it.
pub(super) async fn ask(State(engine): At, Body(asked): Body<Asked>) -> Answer<Response> {
    let told = engine.ask_right(&asked.receipt, asked.ask).await?;
    Ok((StatusCode::CREATED, Json(told)).into_response())
}

/// Where the person's requests stand.
pub(super) async fn look(State(engine): At, Body(shown): Body<Shown>) -> Answer<Json<Value>> {
    Ok(Json(engine.look_at_rights(&shown.receipt).await?))
}

/// What the Online Service has to answer.
pub(super) async fn open(caller: Caller, State(engine): At) -> Answer<Json<Value>> {
    Ok(Json(engine.rights_for(&caller.0).await?))
}

/// Its signed answer.
pub(super) async fn answer(
    caller: Caller,
    State(engine): At,
    Path(request): Path<String>,
    Text(token): Text,
) -> Answer<StatusCode> {
    let request: RightsRequestId = request.parse().map_err(|_| Problem::not_found())?;
    engine.answer_right(&caller.0, request, token.trim()).await?;
    Ok(StatusCode::NO_CONTENT)
}
