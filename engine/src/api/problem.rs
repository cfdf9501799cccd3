//! Errors as RFC 9457 problems: what happened, whose turn it is, what to do next. The outside never sees an inner error:
//! that one goes to the log.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use consentry_contract::failure::{Code, Failure};
use serde::Serialize;

use crate::account::AccountError;
use crate::consent::ConsentError;
use crate::consent::Refusal as ConsentRefusal;
use crate::engine::EngineError;
use crate::operator::NotAllowed;

/// A problem, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    pub failure: Option<Box<Failure>>,
}

impl Problem {
    /// A problem of the API itself.
    pub fn new(status: StatusCode, name: &str, title: &str, next: &str) -> Self {
        Self {
            kind: format!("urn:consentry:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: None,
            next: Some(next.to_owned()),
            failure: None,
        }
    }

    /// A failure of a collection, in the words of the table.
    pub fn failure(status: StatusCode, code: Code) -> Self {
        let row = code.row();
        Self {
            kind: format!("urn:consentry:failure:{code}"),
            failure: Some(Box::new(Failure::new(code))),
            ..Self::new(status, "", row.what.en, row.next.en)
        }
    }

    /// The same with a detail.
    #[must_use]
    pub fn detail(self, detail: impl ToString) -> Self {
        Self { detail: Some(detail.to_string()), ..self }
    }

    /// There is no such thing, or it is not the caller's: the two look alike.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing here.", "Check the address and the key.")
    }

    /// The engine is there and can't do its work. It is again by itself, once the reason is gone.
    pub fn degraded(error: &EngineError) -> Self {
        let (reason, next) = if error.is_full() {
            ("The disk of the store is full.", "Make room: the engine goes on by itself then.")
        } else {
            ("The store can't be read or written, or the keys don't answer.", "Look into the log: it names the reason.")
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "degraded", "The engine can't do its work now.", next).detail(reason)
    }

    /// The caller did not say who it is.
    pub fn unauthorized() -> Self {
        let next = "Send `Authorization: Bearer KEY`: an Online Service its key, a person the session's token.";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "The caller is not known.", next)
    }
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
        let step = "Read the session's state and events; they say what comes next.";
        if error.is_full() {
            tracing::error!(error = %crate::causes::chain(&error), "the disk of the store is full: make room");
            let next = "The operator has to make room. What was not stored did not happen: try again then, unless the session's \
                        state says that it has ended.";
            return Self::new(StatusCode::INSUFFICIENT_STORAGE, "full", "The disk of the engine is full.", next);
        }
        match error {
            EngineError::NotFound => Self::not_found(),
            EngineError::NotAllowed(deed) => {
                let next = "Ask an operator who has one of the roles.";
                let title = "This operator has no role for it.";
                Self::new(StatusCode::FORBIDDEN, "role", title, next).detail(NotAllowed(deed))
            }
            EngineError::Busy => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "There are as many open sessions as this node can have.",
                "Try again later.",
            ),
            EngineError::TooMany => {
                let next = "Wait until one of them has ended: each does within an hour of its start. The operator sets how many \
                            there may be with sessions-per-online-service-max.";
                let title = "This Online Service has as many open sessions as it may have.";
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-sessions", title, next)
            }
            EngineError::Connector(_) => Self::failure(StatusCode::SERVICE_UNAVAILABLE, Code::IncompatibleWorld),
            EngineError::Request(error) => {
                let next = "Compare the request with the registered purpose.";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "request", "The request is refused.", next).detail(error)
            }
            EngineError::Source(text) => {
                let next = "Choose one of the session's sources.";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "source", "This source can't be used.", next).detail(text)
            }
            EngineError::Step(error) => {
                Self::new(StatusCode::CONFLICT, "wrong-state", "The session is not at this point.", step).detail(error)
            }
            EngineError::NotAsked(error) => {
                Self::new(StatusCode::CONFLICT, "not-asked", "Nobody is asking this (any more).", step).detail(error)
            }
            EngineError::Sealed => {
                let next = "Encrypt with a key of /v1/keys: RSA-OAEP-256, A256GCM, with the session's id inside.";
                Self { next: Some(next.to_owned()), ..Self::failure(StatusCode::BAD_REQUEST, Code::DecryptFailed) }
            }
            EngineError::Fields(text) => {
                let next = "Send the fields that the connector's manifest declares.";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "fields", "The login is not complete.", next).detail(text)
            }
            // Which secret it is stands in the log: it is the operator's business.
            EngineError::Operator { .. } => Self::failure(StatusCode::SERVICE_UNAVAILABLE, Code::OperatorRejected),
            EngineError::Gate(error) => {
                let next = "Keep at least one item, or withdraw.";
                Self::new(StatusCode::CONFLICT, "gate", "Nothing was released.", next).detail(error)
            }
            EngineError::Right(text) => {
                let next = "Send what the description of the API names for this right.";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "right", "The request can't be taken.", next).detail(text)
            }
            EngineError::Account(error) => account(&error),
            EngineError::Gone => {
                let next = "Nothing: it was acknowledged, withdrawn, or its hour is over.";
                Self::new(StatusCode::GONE, "gone", "The parcel is not here any more.", next)
            }
            EngineError::OtherDigest => {
                let next = "Compute the SHA-256 of the bytes that were fetched, and acknowledge that.";
                Self::new(StatusCode::CONFLICT, "other-digest", "The digest is not that of the parcel.", next)
            }
            EngineError::Consent(error) => consent(error),
            EngineError::Platform(error) => platform(&*error),
        }
    }
}

fn account(error: &AccountError) -> Problem {
    match error {
        AccountError::NotSignedIn => Problem::unauthorized(),
        AccountError::Full { .. } | AccountError::LastPasskey => {
            let next = "Take something out of the account, or close it.";
            Problem::new(StatusCode::CONFLICT, "account", "The account does not do this.", next).detail(error)
        }
        error => {
            let next = "Begin again, with a passkey of this account.";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "passkey", "The passkey is not accepted.", next)
                .detail(error)
        }
    }
}

fn consent(error: ConsentError) -> Problem {
    match error {
        ConsentError::Unknown => Problem::not_found(),
        ConsentError::Refused(refusal) => {
            let (name, code) = match refusal {
                ConsentRefusal::Withdrawn => ("consent-withdrawn", Some(Code::ConsentWithdrawn)),
                ConsentRefusal::Expired => ("consent-expired", Some(Code::ConsentExpired)),
                _ => ("consent", None),
            };
            match code {
                Some(code) => Problem::failure(StatusCode::GONE, code),
                None => {
                    let next = "Show the person the notice again and let them decide.";
                    Problem::new(StatusCode::CONFLICT, name, "The consent does not allow this.", next).detail(refusal)
                }
            }
        }
        error => platform(&error),
    }
}

fn platform(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error = %crate::causes::chain(error), "a request failed inside");
    Problem::failure(StatusCode::INTERNAL_SERVER_ERROR, Code::PlatformFailed)
}
