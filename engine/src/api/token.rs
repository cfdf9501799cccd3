//! Access for Online Services: `private_key_jwt` (RFC 7523, section 2.2) against a token for a quarter of an hour.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::{ASSERTION, Problem};
use super::{Answer, At, Form};
use crate::engine::TOKEN_LIFE;
use crate::online_service::assertion::ASSERTION_TYPE;

/// Who asks for access.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Wanted {
    /// `client_credentials`.
    grant_type: String,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    client_assertion_type: String,
    /// A JWT by the registered signing key: PS256, with `iss`, `sub`, `aud`, `jti`, `iat`, `exp`.
    client_assertion: String,
}

/// Access.
#[derive(Serialize, JsonSchema)]
pub(super) struct Given {
    access_token: String,
    token_type: &'static str,
    /// In seconds.
    expires_in: i64,
}

/// Gives access for an assertion.
pub(super) async fn give(State(engine): At, Form(wanted): Form<Wanted>) -> Answer<Json<Given>> {
    if wanted.grant_type != "client_credentials" || wanted.client_assertion_type != ASSERTION_TYPE {
        return Err(Problem::of(&ASSERTION).detail("grant_type or client_assertion_type is another"));
    }
    let access_token = engine.give_access(&wanted.client_assertion)?;
    Ok(Json(Given { access_token, token_type: "Bearer", expires_in: TOKEN_LIFE.as_secs() }))
}
