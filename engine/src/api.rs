//! The HTTP API under `/v1`: what an Online Service and a person's page need for one flow.
//!
//! An Online Service sends its bearer key, a person the token of the session; each reaches its own things only, and what is
//! another's looks like what does not exist. Bodies are bounded. A log line has method, route, status and the peer's
//! network: no path, no query, no address, no body.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};

use crate::engine::Engine;
use crate::id::SessionId;
use crate::online_service::OnlineService;
use crate::operator::Operator;
use crate::peer::CutAddress;
use crate::session::Session;

mod body;
mod callback;
mod journey;
mod metrics;
mod operators;
pub mod problem;
mod requests;
mod rights;
mod serve;
// TLS, and who is known by a certificate.
pub mod tls;

use body::{Body, Text};
use problem::Problem;
pub use serve::{serve, serve_tls};

/// Largest body of a request: a sealed login with its encoding.
pub const BODY_BYTES_MAX: usize = crate::jose::jwe::CREDENTIALS_BYTES_MAX + 4096;

/// What handlers share.
pub type Shared = Arc<Engine>;

/// The routes.
pub fn router(engine: Shared) -> Router {
    Router::new()
        .route("/v1/health", get(requests::health))
        .route("/v1/keys", get(requests::keys))
        .route("/v1/metrics", get(metrics::metrics))
        .route("/v1/log/checkpoint", get(requests::checkpoint))
        .route("/v1/log/tile/{*path}", get(requests::tile))
        .route("/v1/audit", get(operators::audit))
        .route("/v1/sessions", post(requests::create_session))
        .route("/v1/sessions/{session}", get(requests::session))
        .route("/v1/parcels/{parcel}", get(requests::fetch_parcel).head(no_head))
        .route("/v1/parcels/{parcel}/ack", post(requests::acknowledge))
        .route("/v1/sessions/{session}/sources", get(journey::sources))
        .route("/v1/sessions/{session}/source", post(journey::choose_source))
        .route("/v1/sessions/{session}/notice", get(journey::notice))
        .route("/v1/sessions/{session}/consent", post(journey::decide))
        .route("/v1/sessions/{session}/credentials", post(journey::credentials))
        .route("/v1/sessions/{session}/answers", post(journey::answer))
        .route("/v1/sessions/{session}/questions/{question}", delete(journey::deny))
        .route("/v1/sessions/{session}/events", get(journey::events))
        .route("/v1/sessions/{session}/preview", get(journey::preview))
        .route("/v1/sessions/{session}/share", post(journey::share))
        .route("/v1/sessions/{session}/withdraw", post(journey::withdraw))
        .route("/v1/sessions/{session}/receipts", get(journey::receipts))
        .route("/v1/rights", get(rights::open).post(rights::ask))
        .route("/v1/rights/look", post(rights::look))
        .route("/v1/rights/{request}/answer", post(rights::answer))
        .route(
            "/v1/sessions/{session}/report",
            get(journey::report).put(journey::give_report).delete(journey::refuse_report),
        )
        .route("/v1/callback", get(callback::come_back).head(no_head))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { other_method() })
        .layer(middleware::from_fn(log_and_harden))
        .with_state(engine)
}

fn other_method() -> Problem {
    let next = "Use the method that the description of the API names.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "This method is not served here.", next)
}

/// Where a `GET` is the one use of something, a `HEAD` is none: who looks ahead (a mail scanner, a proxy) uses nothing up.
async fn no_head() -> Response {
    ([(ALLOW, "GET")], other_method()).into_response()
}

async fn log_and_harden(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let network = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| CutAddress::of(info.0.ip()));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    tracing::info!(
        %method,
        route = route.as_deref().unwrap_or("-"),
        status = response.status().as_u16(),
        network = network.map(|network| network.to_string()).as_deref().unwrap_or("-"),
        milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "answered"
    );
    response
}

/// An Online Service that showed its key.
struct Caller(Arc<OnlineService>);

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, engine: &Shared) -> Result<Self, Problem> {
        let key = bearer(parts).ok_or_else(Problem::unauthorized)?;
        engine.caller(key).map(Self).ok_or_else(Problem::unauthorized)
    }
}

/// An operator who showed their key.
impl FromRequestParts<Shared> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, engine: &Shared) -> Result<Self, Problem> {
        bearer(parts).and_then(|key| engine.operator(key)).ok_or_else(Problem::unauthorized)
    }
}

/// The session in the path, for the person who showed its token.
struct Person(Arc<Session>);

impl FromRequestParts<Shared> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, engine: &Shared) -> Result<Self, Problem> {
        let token = bearer(parts).ok_or_else(Problem::unauthorized)?.to_owned();
        let session = path_session(parts, engine).await?;
        if session.knows(&token) { Ok(Self(session)) } else { Err(Problem::not_found()) }
    }
}

/// The session in the path, for the person or for the Online Service that began it.
struct Either(Arc<Session>);

impl FromRequestParts<Shared> for Either {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, engine: &Shared) -> Result<Self, Problem> {
        let key = bearer(parts).ok_or_else(Problem::unauthorized)?.to_owned();
        let session = path_session(parts, engine).await?;
        let owner = || engine.caller(&key).is_some_and(|caller| caller.id() == session.request().online_service());
        if session.knows(&key) || owner() { Ok(Self(session)) } else { Err(Problem::not_found()) }
    }
}

async fn path_session(parts: &mut Parts, engine: &Shared) -> Result<Arc<Session>, Problem> {
    let path =
        axum::extract::RawPathParams::from_request_parts(parts, engine).await.map_err(|_| Problem::not_found())?;
    let text = path.iter().find(|(name, _)| *name == "session").map(|(_, value)| value.to_owned());
    let id: SessionId = text.and_then(|text| text.parse().ok()).ok_or_else(Problem::not_found)?;
    engine.session(id).ok_or_else(Problem::not_found)
}

fn bearer(parts: &Parts) -> Option<&str> {
    // RFC 9110 section 11.1: the name of a scheme has no case.
    let (scheme, key) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}

/// What a handler ends with.
type Answer<T> = Result<T, Problem>;

impl IntoResponse for crate::engine::EngineError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

/// The engine, for handlers that need nothing else.
type At = State<Shared>;
