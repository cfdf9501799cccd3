//! The bank's interface for programs: a login for a token, then accounts and operations as JSON. The same customers, sessions and states as the
//! pages have; a token is a session's id.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::{StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::accounts::PAGE_SIZE;
use crate::bank::{Bank, Received};
use crate::operation::operation;
use crate::person::Person;
use crate::settings::Settings;
use crate::state::SiteState;

/// How long a token is said to be good, in seconds.
const TOKEN_S: u32 = 300;

#[derive(Deserialize)]
pub(crate) struct Login {
    login: String,
    password: String,
}

#[derive(Deserialize)]
pub(crate) struct PageNumber {
    page: Option<u32>,
}

/// Gives a token for a login.
pub(crate) async fn token(State(bank): State<Arc<Bank>>, Json(login): Json<Login>) -> Response {
    let right = Person::with_login(&login.login, &login.password, &bank.settings());
    let state = right.and_then(|right| right.fault).unwrap_or(bank.settings().state);
    let mut memory = bank.memory();
    memory.received = Some(Received { login: login.login, password: login.password });
    match (right, state) {
        (None, _) | (_, SiteState::WrongPassword) => refused(StatusCode::UNAUTHORIZED, "invalid_credentials"),
        (_, SiteState::AccountLocked) => refused(StatusCode::FORBIDDEN, "account_locked"),
        (_, SiteState::PasswordExpired) => refused(StatusCode::FORBIDDEN, "password_expired"),
        (Some(right), _) => {
            let fresh = memory.open_session();
            let id = memory.admit(&fresh, right);
            Json(json!({ "access_token": id, "expires_in": TOKEN_S })).into_response()
        }
    }
}

fn refused(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

/// Who shows a token of a session that is inside.
pub(crate) struct Bearer {
    settings: Settings,
    person: &'static Person,
}

impl FromRequestParts<Arc<Bank>> for Bearer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, bank: &Arc<Bank>) -> Result<Self, Response> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let id = header.and_then(|value| value.strip_prefix("Bearer "));
        if bank.settings_for(id).state == SiteState::SessionLost {
            id.into_iter().for_each(|id| bank.memory().end_session(id));
        }
        let person = id.and_then(|id| bank.memory().session(id)?.customer());
        let Some(person) = person else { return Err(refused(StatusCode::UNAUTHORIZED, "invalid_token")) };
        Ok(Self { settings: bank.settings_for(id), person })
    }
}

/// The accounts.
pub(crate) async fn accounts(bearer: Bearer) -> Json<Value> {
    let empty = bearer.settings.state == SiteState::Empty;
    let accounts = bearer.person.accounts.iter().enumerate().filter(|_| !empty).map(|(place, account)| {
        let (id, balance) = ((place + 1).to_string(), decimal(account.balance_cents));
        json!({ "id": id, "label": account.label, "iban": account.iban, "currency": account.currency, "balance": balance })
    });
    Json(json!({ "accounts": accounts.collect::<Vec<_>>() }))
}

/// One page of an account's operations, newest first, and the number of the next one.
pub(crate) async fn operations(bearer: Bearer, Path(id): Path<usize>, Query(asked): Query<PageNumber>) -> Response {
    let settings = &bearer.settings;
    let place = id.wrapping_sub(1);
    let Some(count) = settings.operations.get(place).copied() else {
        return refused(StatusCode::NOT_FOUND, "no_such_account");
    };
    let page = asked.page.unwrap_or(1).max(1);
    let first = (page - 1).saturating_mul(PAGE_SIZE);
    let rows = (first..count.min(first.saturating_add(PAGE_SIZE))).map(|number| {
        let row = operation(bearer.person, place, number);
        let (date, amount) = (row.date.to_string(), decimal(row.cents));
        json!({ "id": row.reference, "date": date, "label": row.label, "amount": amount })
    });
    let next = (first + PAGE_SIZE < count).then_some(page + 1);
    Json(json!({ "operations": rows.collect::<Vec<_>>(), "next": next })).into_response()
}

/// `-12.30`
fn decimal(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100)
}
