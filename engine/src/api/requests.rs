//! The Online Service's side: begin a session, look where it stands, fetch the parcel, acknowledge it.

use axum::Json;
use axum::extract::{Path, State};
use consentry_contract::failure::Failure;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::body::Unread;
use super::describe::{Created, Jose, NoContent, Note, Octets, Shaped};
use super::{Answer, At, Body, Caller, Either, Problem};
use crate::data::Digest;
use crate::id::{ConsentId, ParcelId, SessionId};
use crate::jose::jwk::jwks;
use crate::request;
use crate::session::state::State as SessionState;

/// The engine works.
#[derive(Serialize, JsonSchema)]
pub(super) struct Health {
    /// `ok` or `ready`.
    status: &'static str,
    /// http and loopback are allowed: never for real persons' data.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    development: bool,
}

/// Whether the engine is there, its store takes writes and its keys answer.
pub(super) async fn health(State(engine): At) -> Answer<Json<Health>> {
    engine.healthy().await.map_err(|error| Problem::degraded(&error))?;
    Ok(Json(Health { status: "ok", development: engine.is_development() }))
}

/// Public keys (RFC 7517).
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form of what `jwks` makes")]
pub(super) struct Jwks {
    /// Each has `kty`, `kid`, `use`, `alg` and its numbers; those of the ledger and those for lent logins have `duty`.
    keys: Vec<Map<String, Value>>,
}

/// Whether new sessions may be sent here: as [`health`], and no stop has begun.
pub(super) async fn ready(State(engine): At) -> Answer<Json<Health>> {
    if engine.is_draining() {
        return Err(crate::engine::EngineError::Stopping.into());
    }
    engine.healthy().await.map_err(|error| Problem::degraded(&error))?;
    Ok(Json(Health { status: "ready", development: engine.is_development() }))
}

/// The public keys of the engine as a JWKS: those that logins and answers are encrypted to (`enc`), those that parcels, events and
/// receipts are signed with (`sig`), those that the ledger is signed with (`sig`, `duty` is `log`), and, where the operator takes part in the
/// maintenance programme, those that lent logins are encrypted to (`enc`, `duty` is `maintenance`), newest first.
pub(super) async fn keys(State(engine): At) -> Answer<Shaped<Jwks>> {
    let mut keys = engine.intake_keys().await?;
    keys.extend(engine.signing_keys().await?);
    Ok(Shaped::new(jwks(&keys, &engine.log_keys().await?, &engine.maintenance_keys().await?)))
}

/// Keys of Standard Webhooks.
#[derive(Serialize, JsonSchema)]
pub(super) struct WebhookKeys {
    /// `whpk_` and the public key (Ed25519), newest first.
    keys: Vec<String>,
}

/// The public keys that events are signed with.
pub(super) async fn webhook_keys(State(engine): At) -> Json<WebhookKeys> {
    Json(WebhookKeys { keys: vec![engine.webhook_key()] })
}

/// The ledger's signed checkpoint (C2SP tlog-checkpoint).
pub(super) async fn checkpoint(State(engine): At) -> Answer<Note> {
    let note = engine.checkpoint().await?.ok_or_else(Problem::not_found)?;
    Ok(Note("text/plain; charset=utf-8", note))
}

/// A tile of the ledger (C2SP tlog-tiles).
pub(super) async fn tile(State(engine): At, Path(path): Path<String>) -> Answer<Octets> {
    let bytes = engine.log_tile(format!("tile/{path}")).await?.ok_or_else(Problem::not_found)?;
    Ok(Octets(bytes))
}

/// A session that has begun.
#[derive(Serialize, JsonSchema)]
pub(super) struct Begun {
    session: SessionId,
    /// The person's secret for this session. It is shown once.
    token: String,
    /// Where the Online Service sends the person's browser; it lets one in, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// When it ends at the latest.
    expires_at: Timestamp,
}

/// Begins a session from a data request.
pub(super) async fn create_session(
    caller: Caller,
    State(engine): At,
    body: Unread<request::Raw>,
) -> Answer<Created<Begun>> {
    let new = engine.create_session(&caller.0, body.0.as_bytes()).await?;
    let location = format!("/v1/sessions/{}", new.session.id());
    let url = crate::journey::entry_url(&engine, &new);
    let begun = Begun { session: new.session.id(), url, token: new.token, expires_at: new.session.deadline() };
    Ok(Created(Some(location), begun))
}

/// Where a session stands.
#[derive(Serialize, JsonSchema)]
pub(super) struct Standing {
    session: SessionId,
    status: SessionState,
    /// Why it failed, or why something is missing in what was delivered.
    #[schemars(with = "Option<crate::schema::Failure>")]
    failure: Option<Failure>,
    purpose: String,
    /// The Online Service's own.
    reference: Option<String>,
    consent: Option<ConsentId>,
    parcel: Option<ParcelId>,
    /// When it ends at the latest.
    expires_at: Timestamp,
}

/// Where a session stands.
pub(super) async fn session(Either(session): Either) -> Json<Standing> {
    Json(Standing {
        session: session.id(),
        status: session.state(),
        failure: session.failure(),
        purpose: session.request().purpose().to_owned(),
        reference: session.request().reference().map(str::to_owned),
        consent: session.consent(),
        parcel: session.parcel(),
        expires_at: session.deadline(),
    })
}

/// The parcel's bytes. Asking for them begins the send; asking again gives the same bytes.
pub(super) async fn fetch_parcel(caller: Caller, State(engine): At, Path(parcel): Path<String>) -> Answer<Jose> {
    let parcel: ParcelId = parcel.parse().map_err(|_| Problem::not_found())?;
    let sealed = engine.fetch_parcel(&caller.0, parcel).await?;
    Ok(Jose(sealed))
}

/// What was received.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Acknowledgement {
    /// The SHA-256 of the bytes that were fetched.
    digest: Digest,
}

/// The receiver has the parcel, and says so with its digest: only that erases our copy.
pub(super) async fn acknowledge(
    caller: Caller,
    State(engine): At,
    Path(parcel): Path<String>,
    Body(body): Body<Acknowledgement>,
) -> Answer<NoContent> {
    let parcel: ParcelId = parcel.parse().map_err(|_| Problem::not_found())?;
    engine.acknowledge(&caller.0, parcel, body.digest).await?;
    Ok(NoContent)
}
