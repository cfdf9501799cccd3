//! What operators ask for over HTTP, with their keys. Each deed is in the audit log before it is done.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::Asked;
use super::describe::{Lines, NoContent};
use super::resources::page;
use super::{Answer, At, Body, Operator};
use crate::engine::Retested;
use crate::maintenance::reports::{Ticket, TicketState};
use crate::operator::Deed;

/// The audit log, one JSON object for each line.
pub(super) async fn audit(by: Operator, State(engine): At) -> Answer<Lines> {
    engine.note(&by, Deed::AuditExport, None).await?;
    let mut lines = String::new();
    for entry in engine.audit_log().await? {
        lines +=
            &serde_json::to_string(&entry).map_err(|error| crate::engine::EngineError::Platform(Box::new(error)))?;
        lines.push('\n');
    }
    Ok(Lines(lines))
}

/// Which breaks.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BreaksWanted {
    /// Only those that stand there.
    state: Option<TicketState>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many, 1 to 100; 50 without it.
    limit: Option<u16>,
}

/// Breaks, in the order in which they were first seen. An author's are those of connectors that they signed.
#[derive(Serialize, JsonSchema)]
pub(super) struct Breaks {
    breaks: Vec<Told>,
    /// Where the next page begins; none after the last one.
    next: Option<String>,
}

/// A break, as its ticket has it.
#[derive(Serialize, JsonSchema)]
struct Told {
    /// Contract version, connector, failure code, page, and what is missing on it.
    #[serde(rename = "break")]
    ticket: String,
    state: TicketState,
    /// How often it failed, with a report and without.
    failures: u64,
    /// Reports that were given and are kept.
    reports: usize,
    /// Whether there is a recording that fails in the same way.
    replayable: bool,
    first_seen: Timestamp,
    last_seen: Timestamp,
    /// Versions of the connector that it hit.
    versions: BTreeSet<String>,
}

impl From<(Ticket, usize)> for Told {
    fn from((ticket, reports): (Ticket, usize)) -> Self {
        let Ticket { fingerprint, state, failures, first, last, versions, replayable, signers: _ } = ticket;
        Self { ticket: fingerprint, state, failures, reports, replayable, first_seen: first, last_seen: last, versions }
    }
}

/// What broke.
pub(super) async fn breaks(
    by: Operator,
    State(engine): At,
    Asked(wanted): Asked<BreaksWanted>,
) -> Answer<Json<Breaks>> {
    let most = page(wanted.limit)?;
    engine.note(&by, Deed::ReportsLook, None).await?;
    let mut tickets = engine.tickets(&by).await?;
    tickets.sort_by(|(one, _), (other, _)| (one.first, &one.fingerprint).cmp(&(other.first, &other.fingerprint)));
    let at = |after: &String| {
        tickets.iter().position(|(ticket, _)| ticket.fingerprint == *after).map_or(tickets.len(), |at| at + 1)
    };
    let from = wanted.after.as_ref().map_or(0, at);
    let fits = |(ticket, _): &(Ticket, usize)| wanted.state.is_none_or(|state| ticket.state == state);
    let mut breaks: Vec<Told> = tickets.into_iter().skip(from).filter(fits).take(most + 1).map(Told::from).collect();
    let more = breaks.len() > most;
    breaks.truncate(most);
    let next = breaks.last().filter(|_| more).map(|last| last.ticket.clone());
    Ok(Json(Breaks { breaks, next }))
}

/// Closes a break: its reports and the logins that were lent for it are erased.
pub(super) async fn close(by: Operator, State(engine): At, Body(closed): Body<Break>) -> Answer<NoContent> {
    engine.close_ticket(&by, &closed.ticket).await?;
    Ok(NoContent)
}

/// A break.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Break {
    /// As its ticket names it.
    #[serde(rename = "break")]
    ticket: String,
}

/// Tries a break again on its live Data Source, once, with a login that was lent for it.
pub(super) async fn retest(by: Operator, State(engine): At, Body(tried): Body<Break>) -> Answer<Json<Retested>> {
    Ok(Json(engine.retest(&by, &tried.ticket).await?))
}
