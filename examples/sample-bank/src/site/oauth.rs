//! Authorisation by redirect for the interface of programs: the person logs in here, and goes back with a code that is exchanged once for a
//! token (RFC 6749, 4.1). The program pushes its request first (RFC 9126), with a challenge (RFC 7636, method `S256`). Clients are not registered: this bank has nothing to lose.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::{Form, Json};
use maud::html;
use serde::Deserialize;
use serde_json::json;

use super::layout::{Notice, page};
use crate::authorisation::Asked;
use crate::bank::Bank;
use crate::person::Person;
use crate::state::SiteState;

const WRONG: Notice = Notice::Error("Identifiant ou mot de passe incorrect.");
/// How long a token is said to be good, in seconds.
const TOKEN_S: u32 = 300;

/// How long a pushed request is said to be good, in seconds.
const PUSHED_S: u32 = 60;

/// The name of what was asked for.
#[derive(Deserialize)]
pub(crate) struct Named {
    request_uri: String,
}

/// The person's yes or no.
#[derive(Deserialize)]
pub(crate) struct Said {
    #[serde(flatten)]
    named: Named,
    #[serde(default)]
    login: String,
    #[serde(default)]
    password: String,
    /// Pressed instead of the other button.
    refuse: Option<String>,
}

/// A program's request, before it sends the person.
pub(crate) async fn push(State(bank): State<Arc<Bank>>, Form(asked): Form<Asked>) -> Response {
    // Of 32 bytes, in base64url.
    if asked.code_challenge_method != "S256" || asked.code_challenge.len() != 43 {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_request" }))).into_response();
    }
    let name = bank.memory().push(asked);
    (StatusCode::CREATED, Json(json!({ "request_uri": name, "expires_in": PUSHED_S }))).into_response()
}

pub(crate) async fn form(State(bank): State<Arc<Bank>>, Query(named): Query<Named>) -> Response {
    match bank.memory().pushed(&named.request_uri) {
        Some(_) => consent(&named, None).into_response(),
        None => unknown(),
    }
}

fn unknown() -> Response {
    (StatusCode::BAD_REQUEST, "request_uri").into_response()
}

fn consent(named: &Named, notice: Option<Notice>) -> Html<String> {
    let body = html! {
        form #autorisation method="post" action="/oauth/authorize" {
            input type="hidden" name="request_uri" value=(named.request_uri);
            p { label for="login" { "Identifiant" } input #login name="login" autocomplete="username"; }
            p { label for="password" { "Mot de passe" } input #password type="password" name="password"; }
            button { "Autoriser" }
            button name="refuse" value="1" { "Refuser" }
        }
    };
    page("Autorisation", false, notice, body)
}

pub(crate) async fn submit(State(bank): State<Arc<Bank>>, Form(said): Form<Said>) -> Response {
    let Some(asked) = bank.memory().pushed(&said.named.request_uri) else { return unknown() };
    if said.refuse.is_some() {
        return back(&asked, "error", "access_denied");
    }
    let everybodys = bank.settings().state;
    let login = Person::with_login(&said.login, &said.password, &bank.settings())
        .filter(|login| login.fault.unwrap_or(everybodys) != SiteState::WrongPassword);
    let Some(login) = login else {
        return consent(&said.named, Some(WRONG)).into_response();
    };
    let mut memory = bank.memory();
    let fresh = memory.open_session();
    let session = memory.admit(&fresh, login);
    let code = memory.authorise(session, asked.code_challenge.clone());
    drop(memory);
    back(&asked, "code", &code)
}

/// To where the person came from.
fn back(asked: &Asked, name: &str, value: &str) -> Response {
    let Ok(mut url) = url::Url::parse(&asked.redirect_uri) else {
        return (StatusCode::BAD_REQUEST, "redirect_uri").into_response();
    };
    url.query_pairs_mut().append_pair(name, value).append_pair("state", &asked.state);
    (StatusCode::FOUND, [(header::LOCATION, url.to_string())]).into_response()
}

/// A code with its verifier.
#[derive(Deserialize)]
pub(crate) struct Exchange {
    code: String,
    #[serde(default)]
    code_verifier: String,
}

pub(crate) async fn token(State(bank): State<Arc<Bank>>, Form(exchange): Form<Exchange>) -> Response {
    match bank.memory().exchange(&exchange.code, &exchange.code_verifier) {
        Some(session) => Json(json!({ "access_token": session, "expires_in": TOKEN_S })).into_response(),
        None => (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response(),
    }
}
