//! The Online Service's side: begin a session, look where it stands, fetch the parcel, acknowledge it.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, At, Body, Caller, Either, Problem, Text};
use crate::data::Digest;
use crate::id::{ParcelId, SessionId};
use crate::jose::jwk::jwks;

/// Whether the engine is there, its store takes writes and its keys answer.
pub(super) async fn health(State(engine): At) -> Response {
    match engine.healthy().await {
        Ok(()) if engine.is_development() => Json(json!({ "status": "ok", "development": true })).into_response(),
        Ok(()) => Json(json!({ "status": "ok" })).into_response(),
        Err(error) => Problem::degraded(&error).into_response(),
    }
}

/// The public keys of the engine as a JWKS: those that logins and answers are encrypted to (`enc`), those that parcels, events and
/// receipts are signed with (`sig`), and those that the ledger is signed with (`sig`, `duty` is `log`), newest first.
pub(super) async fn keys(State(engine): At) -> Answer<Json<Value>> {
    let mut keys = engine.intake_keys().await?;
    keys.extend(engine.signing_keys().await?);
    Ok(Json(jwks(&keys, &engine.log_keys().await?)))
}

/// The ledger's signed checkpoint (C2SP tlog-checkpoint).
pub(super) async fn checkpoint(State(engine): At) -> Answer<Response> {
    let note = engine.checkpoint().await?.ok_or_else(Problem::not_found)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

/// A tile of the ledger (C2SP tlog-tiles).
pub(super) async fn tile(State(engine): At, Path(path): Path<String>) -> Answer<Response> {
    let bytes = engine.log_tile(format!("tile/{path}")).await?.ok_or_else(Problem::not_found)?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

#[derive(Serialize)]
pub(super) struct Created {
    session: SessionId,
    /// The person's secret for this session. It is shown once.
    token: String,
    expires_at: jiff::Timestamp,
}

/// Begins a session from a data request.
pub(super) async fn create_session(caller: Caller, State(engine): At, Text(body): Text) -> Answer<Response> {
    let new = engine.create_session(&caller.0, body.as_bytes()).await?;
    let location = format!("/v1/sessions/{}", new.session.id());
    let created = Created { session: new.session.id(), token: new.token, expires_at: new.session.deadline() };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(created)).into_response())
}

/// Where a session stands.
pub(super) async fn session(Either(session): Either) -> Json<Value> {
    Json(json!({
        "session": session.id(),
        "status": session.state(),
        "failure": session.failure(),
        "purpose": session.request().purpose(),
        "reference": session.request().reference(),
        "consent": session.consent(),
        "parcel": session.parcel(),
        "expires_at": session.deadline(),
    }))
}

/// The parcel's bytes. Asking for them begins the send; asking again gives the same bytes.
pub(super) async fn fetch_parcel(caller: Caller, State(engine): At, Path(parcel): Path<String>) -> Answer<Response> {
    let parcel: ParcelId = parcel.parse().map_err(|_| Problem::not_found())?;
    let sealed = engine.fetch_parcel(&caller.0, parcel).await?;
    Ok(([(header::CONTENT_TYPE, "application/jose")], sealed).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Acknowledgement {
    digest: Digest,
}

/// The receiver has the parcel, and says so with its digest: only that erases our copy.
pub(super) async fn acknowledge(
    caller: Caller,
    State(engine): At,
    Path(parcel): Path<String>,
    Body(body): Body<Acknowledgement>,
) -> Answer<StatusCode> {
    let parcel: ParcelId = parcel.parse().map_err(|_| Problem::not_found())?;
    engine.acknowledge(&caller.0, parcel, body.digest).await?;
    Ok(StatusCode::NO_CONTENT)
}
