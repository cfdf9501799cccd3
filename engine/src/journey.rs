//! The person's pages: choose a Data Source, read the notice, decide, sign in, follow, look, share, keep the receipt; and the texts
//! about all of it.
//!
//! The server writes every page whole, from where the session stands: a reload shows the right screen, and until the login nothing
//! needs a script. A login never reaches this module in clear: its fields have no name in the form, so that a form without its
//! script sends nothing, and what the script sends is sealed. Pages decide nothing; they call the engine as the API does.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::engine::{Engine, NewSession};

mod acts;
mod agree;
mod assets;
mod choose;
mod documents;
mod end;
mod form;
mod frame;
mod item;
mod key;
mod lend;
mod login;
mod my_data;
mod place;
mod preview;
mod rights;
mod screen;
mod told;
mod trouble;
mod visitor;
mod words;
mod working;

/// What no page needs: scripts and styles in the page, anything from elsewhere, frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// Where an Online Service sends the person's browser; none where no address of ours is known.
pub fn entry_url(engine: &Engine, new: &NewSession) -> Option<String> {
    let public = engine.public_url()?.as_str().trim_end_matches('/');
    Some(format!("{public}/journey/{}/enter/{}", new.session.id(), new.entry))
}

/// The routes, beside those of the API.
pub fn router() -> Router<Arc<Engine>> {
    let at = |rest: &str| format!("/journey/{{session}}{rest}");
    Router::new()
        .route(&at(""), get(screen::show))
        .route(&at("/enter/{code}"), get(acts::enter).head(no_head))
        .route(&at("/source"), post(acts::choose))
        .route(&at("/consent"), post(acts::decide))
        .route(&at("/credentials"), post(acts::sign_in))
        .route(&at("/answer"), post(acts::answer))
        .route(&at("/deny"), post(acts::deny))
        .route(&at("/events"), get(working::events))
        .route(&at("/image"), get(working::image))
        .route(&at("/item/{at}"), get(item::file))
        .route(&at("/share"), post(acts::share))
        .route(&at("/stop"), get(end::stop).post(acts::withdraw))
        .route(&at("/report"), post(acts::report))
        .route(&at("/report/login"), post(lend::lend))
        .route(&at("/report/login/end"), post(lend::take_back))
        .route(&at("/receipt/{receipt}"), get(end::receipt))
        .route(&at("/leave"), get(end::leave_for))
        .route("/journey/assets/{name}", get(assets::serve))
        .route("/", get(documents::home))
        .route("/policy", get(documents::policy))
        .route("/trust", get(documents::trust))
        .route("/my-data", get(my_data::show).post(my_data::look))
        .route("/my-data/ask", post(my_data::ask))
        .route("/my-data/take-back", post(my_data::take_back))
        .layer(middleware::from_fn(harden))
}

/// The one use of an entry code is a `GET`; who looks ahead uses nothing up.
async fn no_head() -> Response {
    StatusCode::METHOD_NOT_ALLOWED.into_response()
}

async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(X_FRAME_OPTIONS, "DENY");
    set(REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=()");
    // Over plain HTTP browsers ignore it.
    set(STRICT_TRANSPORT_SECURITY, "max-age=63072000");
    response
}
