//! The site: its pages, and what stands before all of them.

mod accounts;
mod api;
mod branch;
mod customer;
mod layout;
mod login;
mod oauth;
mod steps;
mod visit;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::html;

use crate::bank::{Bank, SeenRequest};
use crate::settings::Settings;
use crate::state::SiteState;
use layout::{Notice, page};
use visit::Visit;

pub use accounts::PAGE_SIZE;

/// Bytes of a request body; the largest form has three short fields.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Characters of a path, names of fields and characters of a name that are kept for the control port.
const SEEN_MAX: usize = 200;
/// What Retry-After says, in seconds.
const MAINTENANCE_RETRY_S: &str = "1800";
const RATE_LIMIT_RETRY_S: &str = "120";

pub(crate) fn router(bank: Arc<Bank>) -> Router {
    Router::new()
        .route("/", get(login::home))
        .route("/login", get(login::form).post(login::submit))
        .route("/branch", get(branch::form).post(branch::submit))
        .route("/branch/keypad", get(branch::keypad))
        .route("/logout", get(login::logout))
        .route("/captcha", get(steps::captcha).post(steps::submit_captcha))
        .route("/captcha.png", get(steps::captcha_image))
        .route("/otp", get(steps::otp).post(steps::submit_otp))
        .route("/approval", get(steps::approval))
        .route("/terms", get(steps::terms).post(steps::accept_terms))
        .route("/password", get(steps::new_password))
        .route("/accounts", get(accounts::list))
        .route("/accounts/{number}/operations", get(accounts::operations))
        .route("/profile", get(customer::profile))
        .route("/documents", get(customer::documents))
        .route("/documents/{file}", get(customer::document))
        .route("/oauth/par", axum::routing::post(oauth::push))
        .route("/oauth/authorize", get(oauth::form).post(oauth::submit))
        .route("/oauth/token", axum::routing::post(oauth::token))
        .route("/api/token", axum::routing::post(api::token))
        .route("/api/accounts", get(api::accounts))
        .route("/api/accounts/{id}/operations", get(api::operations))
        .route("/style.css", get(layout::style))
        .fallback(not_found)
        .layer(from_fn_with_state(bank.clone(), front_door))
        .with_state(bank)
}

/// Notes the request, then lets it wait, turns it away or lets it in, as the state says.
async fn front_door(State(bank): State<Arc<Bank>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    bank.memory().note_request(seen(&parts, &body));
    let settings = bank.settings_for(session(&parts.headers).as_deref());
    if let Some(away) = turned_away(&bank, &settings).await {
        return away;
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// The session that a request says it belongs to, by its cookie or its token.
fn session(headers: &HeaderMap) -> Option<String> {
    let token = || headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::to_owned);
    visit::cookie(headers).or_else(token)
}

/// What stands before every page in some states. `None` lets in, in the state `slow` after a while.
async fn turned_away(bank: &Bank, settings: &Settings) -> Option<Response> {
    match settings.state {
        SiteState::Maintenance => return Some(maintenance()),
        SiteState::BotWall => return Some(bot_wall()),
        SiteState::RateLimit => return Some(rate_limit()),
        SiteState::GatewayTimeout => return Some(gateway_timeout()),
        SiteState::Slow => {
            let late = tokio::time::sleep(Duration::from_millis(settings.slow_ms));
            tokio::select! {
                () = late => {}
                () = bank.stopping.cancelled() => {}
            }
        }
        _ => {}
    }
    None
}

fn seen(parts: &Parts, body: &Bytes) -> SeenRequest {
    let form = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let body = url::form_urlencoded::parse(if form { body } else { b"" });
    let short = |text: &str| text.chars().take(SEEN_MAX).collect::<String>();
    SeenRequest {
        method: parts.method.to_string(),
        path: short(parts.uri.path()),
        fields: query.chain(body).take(SEEN_MAX).map(|(name, _)| short(&name)).collect(),
    }
}

async fn not_found(visit: Visit) -> Response {
    let notice = Notice::Error("La page demandée n’existe pas ou n’existe plus.");
    let body = html! { p { a href="/" { "Retour à l’accueil" } } };
    (StatusCode::NOT_FOUND, page("Page introuvable", visit.is_inside(), Some(notice), body)).into_response()
}

fn maintenance() -> Response {
    let body = html! {
        p.maintenance { "Notre site est momentanément indisponible en raison d’une opération de maintenance." }
        p { "Nous vous remercions de bien vouloir vous reconnecter ultérieurement." }
    };
    let headers = [(header::RETRY_AFTER, MAINTENANCE_RETRY_S)];
    (StatusCode::SERVICE_UNAVAILABLE, headers, page("Site en maintenance", false, None, body)).into_response()
}

fn rate_limit() -> Response {
    let body =
        html! { p.trop-de-demandes { "Vous avez effectué trop de demandes. Merci de patienter quelques instants." } };
    let headers = [(header::RETRY_AFTER, RATE_LIMIT_RETRY_S)];
    (StatusCode::TOO_MANY_REQUESTS, headers, page("Trop de demandes", false, None, body)).into_response()
}

/// What a proxy says on its own when nothing answers behind it.
fn gateway_timeout() -> Response {
    let body =
        "<html><head><title>504 Gateway Time-out</title></head><body><h1>504 Gateway Time-out</h1></body></html>";
    (StatusCode::GATEWAY_TIMEOUT, axum::response::Html(body)).into_response()
}

/// The page of a firewall bought elsewhere: in English, without anything of the bank.
fn bot_wall() -> Response {
    let body = html! {
        (maud::DOCTYPE)
        html lang="en" {
            head { title { "Access Denied" } }
            body {
                h1 { "Access Denied" }
                p { "You don't have permission to access this page on this server." }
                p { "Your request looks automated. Reference #18.5d2f1502.1751270400.2a6c1f" }
            }
        }
    };
    (StatusCode::FORBIDDEN, axum::response::Html(body.into_string())).into_response()
}

/// Sends elsewhere as old sites do: 302, which browsers follow with GET.
fn found(path: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, path)]).into_response()
}
