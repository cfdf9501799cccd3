//! The control port: what goes wrong on the site, and what the site has seen. JSON, without a login; bind it to loopback.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::bank::{Bank, SeenRequest};
use crate::person::{JULIE, MARIE, Person};
use crate::sample_bank::NoApprovalAwaited;
use crate::settings::{Change, Settings};
use crate::state::SiteState;

type Refused = (StatusCode, Json<Value>);

pub(crate) fn router(bank: Arc<Bank>) -> Router {
    Router::new()
        .route("/state", get(state).put(set_state))
        .route("/states", get(states))
        .route("/reset", post(reset))
        .route("/approve", post(approve))
        .route("/deny", post(deny))
        .route("/last-otp", get(last_otp))
        .route("/last-captcha", get(last_captcha))
        .route("/requests", get(requests))
        .route("/received", get(received))
        .route("/customers", get(customers))
        .route("/cookies", get(cookies))
        .with_state(bank)
}

async fn state(State(bank): State<Arc<Bank>>) -> Json<Settings> {
    Json(bank.settings())
}

async fn set_state(
    State(bank): State<Arc<Bank>>,
    change: Result<Json<Change>, JsonRejection>,
) -> Result<Json<Settings>, Refused> {
    match change {
        Ok(Json(change)) => Ok(Json(bank.memory().change(change))),
        Err(rejection) => Err(refused(rejection.status(), &rejection.body_text())),
    }
}

async fn states() -> Json<Value> {
    Json(SiteState::TABLE.iter().map(|(_, name, doc)| json!({"state": name, "doc": doc})).collect())
}

async fn reset(State(bank): State<Arc<Bank>>) -> Json<Settings> {
    bank.memory().reset();
    Json(bank.settings())
}

async fn approve(State(bank): State<Arc<Bank>>) -> Result<StatusCode, Refused> {
    answered(bank.memory().answer_approvals(true))
}

async fn deny(State(bank): State<Arc<Bank>>) -> Result<StatusCode, Refused> {
    answered(bank.memory().answer_approvals(false))
}

async fn last_otp(State(bank): State<Arc<Bank>>) -> Result<Json<Value>, Refused> {
    match &bank.memory().last_otp {
        Some(code) => Ok(Json(json!({"code": code}))),
        None => Err(refused(StatusCode::NOT_FOUND, "no code was sent yet")),
    }
}

async fn last_captcha(State(bank): State<Arc<Bank>>) -> Result<Json<Value>, Refused> {
    match &bank.memory().last_captcha {
        Some(code) => Ok(Json(json!({"code": code}))),
        None => Err(refused(StatusCode::NOT_FOUND, "no captcha was shown yet")),
    }
}

async fn requests(State(bank): State<Arc<Bank>>) -> Json<Vec<SeenRequest>> {
    Json(bank.memory().requests())
}

async fn received(State(bank): State<Arc<Bank>>) -> Result<Json<Value>, Refused> {
    match &bank.memory().received {
        Some(received) => Ok(Json(json!(received))),
        None => Err(refused(StatusCode::NOT_FOUND, "no login form was received yet")),
    }
}

async fn customers(State(bank): State<Arc<Bank>>) -> Json<Value> {
    let settings = bank.settings();
    let told = |person: &Person| json!({"login": person.login, "password": settings.password_of(person), "code": settings.code_of(person), "shown": person.shown()});
    Json([&MARIE, &JULIE].into_iter().map(told).collect())
}

async fn cookies(State(bank): State<Arc<Bank>>) -> Json<Vec<String>> {
    Json(bank.memory().session_ids())
}

fn answered(answer: Result<(), NoApprovalAwaited>) -> Result<StatusCode, Refused> {
    match answer {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(refused(StatusCode::CONFLICT, &error.to_string())),
    }
}

fn refused(status: StatusCode, why: &str) -> Refused {
    (status, Json(json!({"error": why})))
}
