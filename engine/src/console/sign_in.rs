//! Signing in: the key is typed once, and the browser gets a cookie that no script reads and no other site sends.

use axum::extract::{Form, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::page::frame;
use super::{Answer, Sent, cookie_name, shown, to};
use crate::api::Shared;
use crate::operator::LIFE;

fn form(wrong: bool) -> Markup {
    frame(
        "Sign in",
        &html! {},
        &html! {
            div.narrow {
                @if wrong { p.said role="alert" { "No operator has this key." } }
                form.sheet method="post" action="/console/sign-in" {
                    label for="key" { "Your operator key" }
                    input id="key" name="key" type="password" required autocomplete="current-password" autofocus;
                    button type="submit" { "Sign in" }
                }
                p { "It was printed once, by consentry keys operator. You are signed out after 12 hours, and after half an hour without a click." }
            }
        },
    )
}

pub(super) async fn page() -> Response {
    shown(form(false))
}

#[derive(Deserialize)]
pub(super) struct Key {
    key: String,
}

pub(super) async fn sign_in(State(engine): State<Shared>, headers: HeaderMap, Form(sent): Form<Key>) -> Answer {
    // Nobody is signed in by another site's form.
    let from = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok()).unwrap_or("same-origin");
    let signed_in = match from {
        "same-origin" | "none" => engine.sign_in(sent.key.trim()).await?,
        _ => None,
    };
    let Some(signed_in) = signed_in else { return Ok((StatusCode::FORBIDDEN, shown(form(true))).into_response()) };
    let cookie = format!(
        "{}={}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={}",
        cookie_name(&engine),
        signed_in.token,
        LIFE.as_secs()
    );
    Ok(([(SET_COOKIE, cookie)], to("/console")).into_response())
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

pub(super) async fn sign_out(State(engine): State<Shared>, Sent(signed, Nothing {}): Sent<Nothing>) -> Answer {
    engine.sign_out(&signed.operator, &signed.token).await?;
    let cookie = format!("{}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0", cookie_name(&engine));
    Ok(([(SET_COOKIE, cookie)], to("/console/sign-in")).into_response())
}
