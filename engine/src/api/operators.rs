//! What operators ask for over HTTP, with their keys. Each deed is in the audit log before it is done.

use axum::extract::State;

use super::describe::Lines;
use super::{Answer, At, Operator};
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
