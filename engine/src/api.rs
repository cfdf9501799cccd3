//! The HTTP API under `/v1`: what an Online Service and a person's page need for one flow.
//!
//! An Online Service sends its bearer key, a person the token of the session; each reaches its own things only, and what is
//! another's looks like what does not exist. Bodies are bounded. A log line has method, route, status and the peer's
//! network: no path, no query, no address, no body.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{ALLOW, AUTHORIZATION};
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};

use crate::engine::Engine;
use crate::id::SessionId;
use crate::online_service::OnlineService;
use crate::operator::Operator;
use crate::peer::CutAddress;
use crate::session::Session;

mod account;
mod body;
mod callback;
mod connectors;
mod describe;
mod idempotency;
mod journey;
mod limits;
mod metrics;
mod operators;
pub mod problem;
mod reference;
mod requests;
mod resources;
mod rights;
mod serve;
mod synchronisation;
mod token;
mod visit;
// TLS, and who is known by a certificate.
pub mod tls;

use body::{Body, Form, Text};
use describe::{Routes, delete, get, post, put};
use idempotency::Once;
use limits::Limits;
use problem::Problem;
use reference::Reference;
pub use serve::{serve, serve_tls};

/// Largest body of a request: a sealed login with its encoding.
pub const BODY_BYTES_MAX: usize = crate::jose::jwe::CREDENTIALS_BYTES_MAX + 4096;

/// What handlers share.
pub type Shared = Arc<Engine>;

/// The routes, and the document that describes them.
fn routes() -> Routes {
    let own = Routes::new()
        .at(
            "/v1/health",
            [get(ENGINE, "Whether the engine is there, its store takes writes and its keys answer", requests::health)],
        )
        .at("/v1/ready", [get(ENGINE, "Whether new sessions may be sent here", requests::ready)])
        .at("/v1/keys", [get(ENGINE, "The public keys, as a JWKS", requests::keys)])
        .at("/v1/metrics", [get(ENGINE, "Counts for this machine and components, for Prometheus", metrics::metrics)])
        .at("/v1/openapi.json", [get(ENGINE, "This document", reference::document)])
        .at("/docs", [get(ENGINE, "This document, to read", reference::page)])
        .at("/v1/log/checkpoint", [get(LEDGER, "The ledger's signed checkpoint", requests::checkpoint)])
        .at("/v1/log/tile/{*path}", [get(LEDGER, "A tile of the ledger", requests::tile)])
        .at("/v1/audit", [get(OPERATORS, "The audit log, one JSON object for each line", operators::audit)])
        .at("/v1/connectors", [get(OPERATORS, "The versions of connectors, and what they serve", connectors::list)])
        .at("/v1/connectors/approve", [post(OPERATORS, "Approve what a version asks for", connectors::approve)])
        .at("/v1/connectors/serve", [post(OPERATORS, "Say which version serves a Data Source", connectors::serve)])
        .at("/v1/connectors/hold", [post(OPERATORS, "Hold a Data Source: nobody can choose it", connectors::hold)])
        .at("/v1/connectors/release", [post(OPERATORS, "Release a Data Source", connectors::release)])
        .at("/v1/reports", [get(OPERATORS, "What broke, and how many met it", operators::breaks)])
        .at("/v1/reports/close", [post(OPERATORS, "Close a break; its reports are erased", operators::close)])
        .at("/v1/reports/retest", [post(OPERATORS, "Try a break again, with a login that was lent", operators::retest)])
        .at("/v1/token", [post(SESSIONS, "Access for an Online Service, by private_key_jwt", token::give)])
        .at("/v1/sources", [get(SESSIONS, "The Data Sources that are served here", resources::sources)])
        .at("/v1/consents", [get(SESSIONS, "What persons were asked for, and what they decided", resources::consents)])
        .at("/v1/consents/{consent}", [get(SESSIONS, "Where a consent stands", resources::consent)])
        .at("/v1/deliveries", [get(PARCELS, "What waits, what was fetched, and how it ended", resources::deliveries)])
        .at("/v1/metering", [get(PARCELS, "Counts of deliveries by month, for invoices", resources::metering)])
        .at("/v1/webhooks/keys", [get(ENGINE, "The keys that events are signed with", requests::webhook_keys)])
        .at("/v1/sessions", [post(SESSIONS, "Begin a session from a data request", requests::create_session).once()])
        .at(SESSION, [get(SESSIONS, "Where a session stands", requests::session)])
        .at("/v1/parcels/{parcel}", [get(PARCELS, "Fetch the sealed parcel", requests::fetch_parcel).no_head()])
        .at("/v1/parcels/{parcel}/ack", [post(PARCELS, "Acknowledge it by its digest", requests::acknowledge).once()])
        .at(
            "/v1/rights",
            [
                get(RIGHTS, "The requests that this Online Service has to answer", rights::open),
                post(RIGHTS, "A person's request, with the receipt", rights::ask).once(),
            ],
        )
        .at("/v1/rights/nonce", [post(RIGHTS, "A nonce, to show a receipt that is bound to a key", rights::nonce)])
        .at("/v1/rights/look", [post(RIGHTS, "Where the person's requests stand", rights::look)])
        .at("/v1/rights/take-back", [post(RIGHTS, "Take a lent login back, with the receipt", rights::take_back)])
        .at("/v1/rights/{request}/answer", [post(RIGHTS, "The Online Service's signed answer", rights::answer)]);
    with_accounts(with_the_persons_way(own))
}

/// What a person does in a session.
fn with_the_persons_way(routes: Routes) -> Routes {
    let of = |part: &str| format!("{SESSION}/{part}");
    routes
        .at(&of("sources"), [get(JOURNEY, "The Data Sources that can answer", journey::sources)])
        .at(&of("source"), [post(JOURNEY, "Choose a Data Source; gives the notice", journey::choose_source)])
        .at(&of("notice"), [get(JOURNEY, "The notice that was shown", journey::notice)])
        .at(&of("consent"), [post(JOURNEY, "Yes or no", journey::decide)])
        .at(&of("credentials"), [post(JOURNEY, "The login, as one JWE; the collection begins", journey::credentials)])
        .at(&of("answers"), [post(JOURNEY, "An answer to a question, as one JWE", journey::answer)])
        .at(&of("questions/{question}"), [delete(JOURNEY, "No to a question", journey::deny)])
        .at(&of("events"), [get(JOURNEY, "The session's events, from `Last-Event-ID` on", journey::events)])
        .at(&of("preview"), [get(JOURNEY, "What was found", journey::preview)])
        .at(&of("share"), [post(JOURNEY, "Share it, less what is left out", journey::share)])
        .at(&of("withdraw"), [post(JOURNEY, "Take the consent back", journey::withdraw)])
        .at(&of("receipts"), [get(JOURNEY, "The receipts so far, with their proofs", journey::receipts)])
        .at(
            &of("report"),
            [
                get(JOURNEY, "The report of a failure, whole", journey::report),
                put(JOURNEY, "Give it", journey::give_report),
                delete(JOURNEY, "Do not give it, or take it back", journey::refuse_report),
            ],
        )
        .at(
            &of("report/login"),
            [
                put(JOURNEY, "Lend the login for re-tests, as one JWE", journey::lend),
                delete(JOURNEY, "Take it back", journey::take_back),
            ],
        )
        .at(&of("account"), [put(ACCOUNTS, "Link the session with an account", account::link)])
        .at(
            &of("synchronisation"),
            [
                post(ACCOUNTS, "The notice for automatic synchronisation on these terms", synchronisation::notice),
                put(ACCOUNTS, "Agree to it", synchronisation::agree),
                delete(ACCOUNTS, "Take that back", synchronisation::take_back),
            ],
        )
        .at(
            "/v1/callback",
            [get(JOURNEY, "Where a Data Source sends the person back to", callback::come_back).no_head()],
        )
}

/// What an account is for.
fn with_accounts(routes: Routes) -> Routes {
    routes
        .at("/v1/accounts/options", [post(ACCOUNTS, "Options for the first passkey of a new account", account::begin)])
        .at("/v1/accounts", [post(ACCOUNTS, "Open an account with a passkey", account::open)])
        .at("/v1/sign-in/options", [post(ACCOUNTS, "Options to ask for a passkey", account::begin_sign_in)])
        .at(
            "/v1/sign-in",
            [
                post(ACCOUNTS, "Sign in with a passkey", account::sign_in),
                delete(ACCOUNTS, "Sign out", account::sign_out),
            ],
        )
        .at(
            "/v1/account",
            [
                get(ACCOUNTS, "Everything in the account", account::copy),
                delete(ACCOUNTS, "Close it; everything in it is gone", account::close),
            ],
        )
        .at("/v1/account/contact", [put(ACCOUNTS, "Set the contact, or take it away", account::contact)])
        .at("/v1/account/passkeys/options", [post(ACCOUNTS, "Options for one more passkey", account::begin_passkey)])
        .at("/v1/account/passkeys", [post(ACCOUNTS, "Add a passkey", account::add_passkey)])
        .at("/v1/account/passkeys/{passkey}", [delete(ACCOUNTS, "Take a passkey away", account::remove_passkey)])
        .at("/v1/account/receipts", [post(ACCOUNTS, "Keep a receipt", account::keep)])
        .at("/v1/account/receipts/{receipt}", [delete(ACCOUNTS, "Let go of a receipt", account::let_go)])
        .at("/v1/account/rights", [post(ACCOUNTS, "A request about one of its consents", account::ask)])
        .at("/v1/account/rights/{consent}", [get(ACCOUNTS, "Where the requests about a consent stand", account::look)])
        .at("/v1/account/connections", [get(ACCOUNTS, "What is synchronised automatically", synchronisation::list)])
        .at("/v1/account/connections/{consent}", [delete(ACCOUNTS, "Stop it", synchronisation::stop)])
        .at(
            "/v1/account/connections/{consent}/access",
            [post(ACCOUNTS, "Begin an access now", synchronisation::access)],
        )
        .at("/v1/account/lent/{consent}", [delete(ACCOUNTS, "Take a lent login back", account::take_back)])
}

const SESSION: &str = "/v1/sessions/{session}";
const ENGINE: &str = "engine";
const LEDGER: &str = "ledger";
const SESSIONS: &str = "sessions";
const PARCELS: &str = "parcels";
const JOURNEY: &str = "journey";
const RIGHTS: &str = "rights";
const ACCOUNTS: &str = "accounts";
const OPERATORS: &str = "operators";

/// The interface.
pub fn router(engine: Shared) -> Router {
    let (router, document, once) = routes().finish();
    let limits = Arc::new(Limits::new(engine.requests_per_minute(), engine.clock()));
    router
        .merge(crate::console::routes())
        .merge(crate::journey::router())
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::of(&problem::METHOD) })
        .layer(middleware::from_fn_with_state((engine.clone(), Arc::new(Once::new(once))), idempotency::once))
        .layer(middleware::from_fn_with_state((engine.clone(), limits), limits::limit))
        .layer(Extension(Reference::of(document)))
        .layer(middleware::from_fn(log_and_harden))
        .with_state(engine)
}

/// Where a `GET` is the one use of something, a `HEAD` is none: who looks ahead (a mail scanner, a proxy) uses nothing up.
async fn no_head() -> Response {
    ([(ALLOW, "GET")], Problem::of(&problem::METHOD)).into_response()
}

async fn log_and_harden(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let network = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| CutAddress::of(info.0.ip()));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // Only what is named by its content says otherwise.
    headers.entry("cache-control").or_insert(HeaderValue::from_static("no-store"));
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

/// The description of the interface.
#[cfg(test)]
pub(crate) fn document() -> serde_json::Value {
    routes().finish().1
}

/// Serves as if over TLS, to a component or to somebody without a certificate.
#[cfg(test)]
pub(crate) async fn serve_as(listener: tokio::net::TcpListener, engine: Shared, component: Option<&str>) {
    let over = Extension(tls::OverTls(component.map(tls::Component::named)));
    axum::serve(listener, router(engine).layer(over)).await.unwrap();
}

/// An Online Service that showed its access token.
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
