//! Errors as RFC 9457 problems: what happened, whose turn it is, what to do next. The outside never sees an inner error:
//! that one goes to the log.

use std::fmt::Write as _;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use consentry_contract::failure::{Code, Failure};
use schemars::JsonSchema;
use serde::Serialize;

use crate::account::AccountError;
use crate::consent::ConsentError;
use crate::consent::Refusal as ConsentRefusal;
use crate::engine::EngineError;
use crate::operator::NotAllowed;
use crate::release::Refusal;

mod table;

pub use table::*;

/// A problem, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// Stable; names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// More about this case, without values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The failure, where the problem is one of the table: code, blame, retry, stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::schema::Failure>")]
    pub failure: Option<Box<Failure>>,
}

impl Problem {
    /// A problem of the API itself.
    pub fn of(kind: &Kind) -> Self {
        Self {
            kind: format!("urn:consentry:problem:{}", kind.name),
            title: kind.title.to_owned(),
            status: kind.statuses.first().map_or(500, StatusCode::as_u16),
            detail: None,
            next: Some(kind.next.to_owned()),
            failure: None,
        }
    }

    /// A failure of a collection, in the words of the table.
    pub fn failure(status: StatusCode, code: Code) -> Self {
        let row = code.row();
        Self {
            kind: format!("urn:consentry:failure:{code}"),
            title: row.what.en.to_owned(),
            status: status.as_u16(),
            detail: None,
            next: Some(row.next.en.to_owned()),
            failure: Some(Box::new(Failure::new(code))),
        }
    }

    /// The same with a detail.
    #[must_use]
    pub fn detail(self, detail: impl ToString) -> Self {
        Self { detail: Some(detail.to_string()), ..self }
    }

    /// The same with another status of its kind.
    #[must_use]
    pub fn status(self, status: StatusCode) -> Self {
        Self { status: status.as_u16(), ..self }
    }

    /// The same with something closer to do next.
    #[must_use]
    pub fn next(self, next: &str) -> Self {
        Self { next: Some(next.to_owned()), ..self }
    }

    /// There is no such thing, or it is not the caller's: the two look alike.
    pub fn not_found() -> Self {
        Self::of(&NOT_FOUND)
    }

    /// The engine is there and can't do its work. It is again by itself, once the reason is gone.
    pub fn degraded(error: &EngineError) -> Self {
        if error.is_full() {
            let next = "Make room: the engine goes on by itself then.";
            return Self::of(&DEGRADED).detail("The disk of the store is full.").next(next);
        }
        Self::of(&DEGRADED).detail("The store can't be read or written, or the keys don't answer.")
    }

    /// The caller did not say who it is.
    pub fn unauthorized() -> Self {
        Self::of(&UNAUTHORIZED)
    }
}

/// What the description of the API says about problems.
pub(super) fn description() -> String {
    let mut text = "Moves a person's data on their consent only, to the Online Service they chose, and forgets it.\n\n\
                    Refusals are problems (RFC 9457). Their `type` is `urn:consentry:failure:CODE` with a code of the table of \
                    failures, or `urn:consentry:problem:` and one of these names:\n\n| name | status | what happened |\n|---|---|---|\n"
        .to_owned();
    for kind in KINDS {
        let statuses: Vec<&str> = kind.statuses.iter().map(StatusCode::as_str).collect();
        let _ = writeln!(text, "| {} | {} | {} |", kind.name, statuses.join(", "), kind.title);
    }
    text
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        if error.is_full() {
            tracing::error!(error = %crate::causes::chain(&error), "the disk of the store is full: make room");
            return Self::of(&FULL);
        }
        match error {
            EngineError::NotFound => Self::not_found(),
            EngineError::NotAllowed(deed) => Self::of(&ROLE).detail(NotAllowed(deed)),
            EngineError::Busy => Self::of(&BUSY),
            EngineError::TooMany => Self::of(&TOO_MANY_SESSIONS),
            EngineError::Followed => Self::of(&TOO_MANY_STREAMS),
            EngineError::Stopping => Self::of(&STOPPING),
            EngineError::Maintenance => Self::of(&MAINTENANCE),
            EngineError::Connector(_) => Self::failure(StatusCode::SERVICE_UNAVAILABLE, Code::IncompatibleWorld),
            EngineError::Assertion(error) => Self::of(&ASSERTION).detail(error),
            EngineError::Request(error) => Self::of(&REQUEST).detail(error),
            EngineError::Source(text) => Self::of(&SOURCE).detail(text),
            EngineError::Step(error) => Self::of(&WRONG_STATE).detail(error),
            EngineError::NotAsked(error) => Self::of(&NOT_ASKED).detail(error),
            EngineError::Sealed => {
                let next = "Encrypt with a key of /v1/keys: RSA-OAEP-256, A256GCM, with the session's id inside.";
                Self::failure(StatusCode::BAD_REQUEST, Code::DecryptFailed).next(next)
            }
            EngineError::Fields(text) => Self::of(&FIELDS).detail(text),
            // Which secret it is stands in the log: it is the operator's business.
            EngineError::Operator { .. } => Self::failure(StatusCode::SERVICE_UNAVAILABLE, Code::OperatorRejected),
            EngineError::Gate(error @ Refusal::Unknown) => Self::of(&DECISION).detail(error),
            EngineError::Gate(error) => Self::of(&GATE).detail(error),
            EngineError::Right(text) => Self::of(&RIGHT).detail(text),
            EngineError::Account(error) => account(&error),
            EngineError::Gone => Self::of(&GONE),
            EngineError::OtherDigest => Self::of(&OTHER_DIGEST),
            EngineError::Consent(error) => consent(error),
            EngineError::Platform(error) => platform(&*error),
        }
    }
}

fn account(error: &AccountError) -> Problem {
    match error {
        AccountError::NotSignedIn => Problem::unauthorized(),
        AccountError::Full { .. }
        | AccountError::LastPasskey
        | AccountError::AccessesSpent { .. }
        | AccountError::PersonNeeded => Problem::of(&ACCOUNT).detail(error),
        error => Problem::of(&PASSKEY).detail(error),
    }
}

fn consent(error: ConsentError) -> Problem {
    match error {
        ConsentError::Unknown => Problem::not_found(),
        ConsentError::Refused(ConsentRefusal::Withdrawn) => Problem::failure(StatusCode::GONE, Code::ConsentWithdrawn),
        ConsentError::Refused(ConsentRefusal::Expired) => Problem::failure(StatusCode::GONE, Code::ConsentExpired),
        ConsentError::Refused(refusal) => Problem::of(&CONSENT).detail(refusal),
        error => platform(&error),
    }
}

fn platform(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error = %crate::causes::chain(error), "a request failed inside");
    Problem::failure(StatusCode::INTERNAL_SERVER_ERROR, Code::PlatformFailed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_problems_is_the_golden_one() {
        let mut table = "# Problems\n\nWritten by a test of `engine/src/api/problem.rs`. Names and statuses stay.\n\n\
                         | type | status | what happened | what to do |\n|---|---|---|---|\n"
            .to_owned();
        for kind in KINDS {
            let statuses: Vec<&str> = kind.statuses.iter().map(StatusCode::as_str).collect();
            let (name, statuses) = (kind.name, statuses.join(", "));
            let _ = writeln!(table, "| `urn:consentry:problem:{name}` | {statuses} | {} | {} |", kind.title, kind.next);
        }
        for code in Code::ALL {
            let row = code.row();
            let _ = writeln!(table, "| `urn:consentry:failure:{code}` |  | {} | {} |", row.what.en, row.next.en);
        }
        crate::fixtures::golden("problems.md", &table);
    }
}
