//! What operators ask for over HTTP, with their keys. Each deed is in the audit log before it is done.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::Lines;
use super::{Answer, At, Body, Operator};
use crate::engine::Retested;
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
