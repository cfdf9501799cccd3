//! The console under `/console`: what operators see of a node that runs, and what they do to it. Pages are written by the server, without
//! a script and without anything from elsewhere; a browser that shows them may load the style sheet and send their forms, and
//! nothing else.
//!
//! It decides nothing: every page and every form asks [`Engine::note`](crate::engine::Engine::note) first, which knows the roles and
//! writes the audit log.

use axum::Router;
use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, REFERRER_POLICY, X_FRAME_OPTIONS};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::api::Shared;
use crate::engine::{Engine, EngineError};
use crate::operator::Operator;

mod breaks;
mod desk;
mod health;
mod node;
mod page;
mod sign_in;
mod versions;

/// The cookie of a browser that is signed in: browsers take one of this name for this host alone, and over TLS alone.
const COOKIE_NAME: &str = "__Host-consentry-console";
/// The same in development, where there may be no TLS.
const COOKIE_NAME_IN_DEVELOPMENT: &str = "consentry-console";
/// Nothing but our own style sheet and forms.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The routes of the console.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/console/style.css", get(style))
        .route("/console/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/console/sign-out", post(sign_in::sign_out))
        .route("/console", get(health::overview))
        .route("/console/sources/{connector}/{source}", get(health::source))
        .route("/console/hold", post(health::hold))
        .route("/console/release", post(health::release))
        .route("/console/versions", get(versions::page))
        .route("/console/serve-version", post(versions::choose))
        .route("/console/approve", post(versions::approve))
        .route("/console/deliveries", get(node::deliveries))
        .route("/console/tell-again", post(node::tell_again))
        .route("/console/retention", get(node::retention))
        .route("/console/keys", get(node::keys))
        .route("/console/audit", get(node::audit))
        .route("/console/breaks", get(breaks::page))
        .route("/console/close-break", post(breaks::close))
        .route("/console/desk", get(desk::page))
        .route("/console/desk/extend", post(desk::extend))
        .route("/console/desk/refuse", post(desk::refuse))
        .route("/console/desk/disclosure", post(desk::disclosure))
        .layer(middleware::from_fn(harden))
}

async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], page::STYLE.0).into_response()
}

fn cookie_name(engine: &Engine) -> &'static str {
    if engine.is_development() { COOKIE_NAME_IN_DEVELOPMENT } else { COOKIE_NAME }
}

/// An operator whose browser is signed in.
struct Signed {
    operator: Operator,
    token: String,
}

impl Signed {
    /// What a form of this browser has to bring: another site can send a form, and can't read this.
    fn csrf(&self) -> String {
        hex::encode(Sha256::digest(format!("form {}", self.token).as_bytes()))
    }
}

impl FromRequestParts<Shared> for Signed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, engine: &Shared) -> Result<Self, Response> {
        let cookies = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut all = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let token = all.find(|(name, _)| *name == cookie_name(engine)).map(|(_, token)| token.to_owned());
        let signed = token.and_then(|token| Some(Self { operator: engine.signed_in(&token)?, token }));
        signed.ok_or_else(|| to("/console/sign-in"))
    }
}

/// A form that an operator sent.
struct Sent<T>(Signed, T);

#[derive(Deserialize)]
struct WithCsrf<T> {
    csrf: String,
    #[serde(flatten)]
    rest: T,
}

impl<T: DeserializeOwned> FromRequest<Shared> for Sent<T> {
    type Rejection = Response;

    async fn from_request(request: Request, engine: &Shared) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let signed = Signed::from_request_parts(&mut parts, engine).await?;
        let request = Request::from_parts(parts, body);
        let wrong = || {
            told(StatusCode::BAD_REQUEST, "This form is not one of the console's, or it is from an earlier sign-in.")
        };
        let Form(form): Form<WithCsrf<T>> = Form::from_request(request, engine).await.map_err(|_| wrong())?;
        let (sent, known) = (form.csrf.as_bytes(), signed.csrf());
        match aws_lc_rs::constant_time::verify_slices_are_equal(sent, known.as_bytes()) {
            Ok(()) => Ok(Self(signed, form.rest)),
            Err(_) => Err(wrong()),
        }
    }
}

/// What a page or a form ends with.
type Answer = Result<Response, Told>;

/// Something went wrong, for the operator's eyes.
struct Told(EngineError);

impl From<EngineError> for Told {
    fn from(error: EngineError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        match self.0 {
            EngineError::NotAllowed(deed) => {
                let may: Vec<&str> = deed.roles().iter().map(|role| role.name()).collect();
                let text = format!("This is for operators with the role {}.", may.join(" or "));
                told(StatusCode::FORBIDDEN, &text)
            }
            EngineError::NotFound => told(StatusCode::NOT_FOUND, "There is no such thing here (any more)."),
            error @ (EngineError::Right(_) | EngineError::Source(_) | EngineError::Gone) => {
                told(StatusCode::CONFLICT, &error.to_string())
            }
            error => {
                tracing::error!(error = %crate::causes::chain(&error), "the console can't do what was asked");
                told(StatusCode::INTERNAL_SERVER_ERROR, "This can't be done now; the log says why.")
            }
        }
    }
}

fn told(status: StatusCode, text: &str) -> Response {
    let body = html! { p.said role="alert" { (text) } p { a href="/console" { "Back to the console" } } };
    (status, shown(page::frame("Not done", &html! {}, &body))).into_response()
}

fn shown(page: Markup) -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], page.into_string()).into_response()
}

/// Goes there, with a `GET`.
fn to(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/console"));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}
