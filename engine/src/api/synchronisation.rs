//! Automatic synchronisation: its notice and the yes to it in a session, and the connections of an account.

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::account::Holder;
use super::describe::{NoContent, Shaped};
use super::problem::{BODY, Problem};
use super::{Answer, At, Body, Person};
use crate::connection::Standing;
use crate::consent::{AccessTerms, Notice};
use crate::data::Digest;
use crate::id::{ConsentId, OnlineServiceId};

/// How often, and for how long.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Accesses in 24 hours, 1 to 4.
    frequency_per_day: u8,
    /// Days, 1 to 180.
    valid_days: u16,
}

/// A yes to what a notice says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Agreed {
    /// Accesses in 24 hours, 1 to 4.
    frequency_per_day: u8,
    /// Days, 1 to 180.
    valid_days: u16,
    /// The digest of the notice for these terms.
    notice: Digest,
}

/// The consent that was recorded.
#[derive(Serialize, JsonSchema)]
pub(super) struct Recorded {
    /// Also the connection's name, once there is one.
    consent: ConsentId,
}

/// The connections of an account.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form of what the engine makes")]
pub(super) struct Connections {
    connections: Vec<Connected>,
}

/// A connection. Nothing of what is kept for it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form of what the engine makes")]
pub(super) struct Connected {
    /// The consent for automatic synchronisation; also the connection's name.
    consent: ConsentId,
    online_service: OnlineServiceId,
    online_service_name: Option<String>,
    connector: String,
    source: String,
    standing: Standing,
    frequency_per_day: u8,
    /// The strong authentication: when the person collected, being there.
    authenticated_at: Timestamp,
    /// The end, at the latest.
    until: Timestamp,
    /// When the last access began.
    last_at: Option<Timestamp>,
    /// When the next one is due; none where the person is needed first.
    next_at: Option<Timestamp>,
    /// Whether a session at the Data Source is kept.
    session_kept: bool,
}

fn terms(frequency_per_day: u8, valid_days: u16) -> Answer<AccessTerms> {
    let outside = "frequency_per_day is 1 to 4, and valid_days 1 to 180";
    AccessTerms::new(frequency_per_day, valid_days).ok_or_else(|| Problem::of(&BODY).detail(outside))
}

/// The notice for these terms.
pub(super) async fn notice(
    Person(session): Person,
    State(engine): At,
    Body(wanted): Body<Wanted>,
) -> Answer<Json<Notice>> {
    let terms = terms(wanted.frequency_per_day, wanted.valid_days)?;
    Ok(Json(engine.synchronisation_notice(&session, terms)?))
}

/// Yes to it.
pub(super) async fn agree(
    Person(session): Person,
    State(engine): At,
    Body(agreed): Body<Agreed>,
) -> Answer<Json<Recorded>> {
    let terms = terms(agreed.frequency_per_day, agreed.valid_days)?;
    Ok(Json(Recorded { consent: engine.agree_to_synchronise(&session, terms, &agreed.notice).await? }))
}

/// Takes that back.
pub(super) async fn take_back(Person(session): Person, State(engine): At) -> Answer<NoContent> {
    engine.take_back_synchronisation(&session).await?;
    Ok(NoContent)
}

/// The connections of an account.
pub(super) async fn list(State(engine): At, holder: Holder) -> Answer<Shaped<Connections>> {
    let connections = engine.connections(holder.account()).await?;
    Ok(Shaped::new(serde_json::json!({ "connections": connections })))
}

/// Stops one.
pub(super) async fn stop(State(engine): At, holder: Holder, Path(consent): Path<String>) -> Answer<NoContent> {
    let consent = consent.parse().map_err(|_| Problem::not_found())?;
    engine.stop_connection(holder.account(), consent).await?;
    Ok(NoContent)
}

/// Begins an access of one now.
pub(super) async fn access(State(engine): At, holder: Holder, Path(consent): Path<String>) -> Answer<NoContent> {
    let consent = consent.parse().map_err(|_| Problem::not_found())?;
    engine.access_now(holder.account(), consent).await?;
    Ok(NoContent)
}
