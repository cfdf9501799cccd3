//! Bodies of requests. They are bounded; one that is too large is answered with a problem like everything else.
//!
//! To close a connection while the other side still writes lets it see a broken connection instead of the answer. So the
//! rest of a body that is too large is read and dropped, up to a bound.

use std::marker::PhantomData;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::problem::{BODY, QUERY};
use super::{BODY_BYTES_MAX, Problem, Shared};

/// Most bytes that are read beyond [`BODY_BYTES_MAX`] before the connection is closed.
const DROPPED_BYTES_MAX: usize = 1024 * 1024;
/// Longest wait for a whole body.
const WAIT: Duration = Duration::from_secs(30);

/// JSON that was read, or a problem that says where it is wrong.
pub(super) struct Body<T>(pub(super) T);

/// A body as it was sent: a token.
pub(super) struct Text(pub(super) String);

/// A form of text fields.
pub(super) struct Form<T>(pub(super) T);

/// What stands in the query, each once.
pub(super) struct Asked<T>(pub(super) T);

/// The media type of a form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";
/// The media type of a token (RFC 7515, section 9.2.1).
pub(super) const JOSE: &str = "application/jose";
const JSON: &str = "application/json";

/// JSON of this form that somebody else reads.
pub(super) struct Unread<T>(pub(super) String, PhantomData<fn() -> T>);

impl<T: DeserializeOwned> FromRequest<Shared> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        let bytes = read_as(JSON, request).await?;
        match Json::from_bytes(&bytes) {
            Ok(Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(refused(rejection.status(), &rejection.body_text())),
        }
    }
}

impl FromRequest<Shared> for Text {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        text(read_as(JOSE, request).await?).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<Shared> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        let bytes = read_as(FORM, request).await?;
        let members: serde_json::Map<String, serde_json::Value> =
            form_urlencoded::parse(&bytes).map(|(name, value)| (name.into(), value.into())).collect();
        let read = serde_json::from_value(members.into());
        read.map(Self).map_err(|error| refused(StatusCode::BAD_REQUEST, &error.to_string()))
    }
}

impl<T: DeserializeOwned> FromRequestParts<Shared> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        read.map(|Query(asked)| Self(asked)).map_err(|rejection| Problem::of(&QUERY).detail(rejection.body_text()))
    }
}

impl<T> FromRequest<Shared> for Unread<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        Ok(Self(text(read_as(JSON, request).await?)?, PhantomData))
    }
}

/// The body, if it is said to be of this kind: what a page of somebody else's can send without asking first has another.
async fn read_as(expected: &'static str, request: Request) -> Result<Vec<u8>, Problem> {
    let media = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let fits = media.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case(expected));
    let bytes = read(request).await?;
    let other = || refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, &format!("expected {expected}"));
    if fits { Ok(bytes) } else { Err(other()) }
}

fn text(bytes: Vec<u8>) -> Result<String, Problem> {
    String::from_utf8(bytes).map_err(|_| refused(StatusCode::BAD_REQUEST, "expected UTF-8"))
}

pub(super) async fn read(request: Request) -> Result<Vec<u8>, Problem> {
    let late = || refused(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
    tokio::time::timeout(WAIT, read_all(request)).await.unwrap_or_else(|_| Err(late()))
}

async fn read_all(request: Request) -> Result<Vec<u8>, Problem> {
    let mut chunks = request.into_body().into_data_stream();
    let (mut bytes, mut dropped) = (vec![], 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| refused(StatusCode::BAD_REQUEST, "the body broke off"))?;
        if dropped == 0 && bytes.len() + chunk.len() <= BODY_BYTES_MAX {
            bytes.extend_from_slice(&chunk);
            continue;
        }
        bytes.clear();
        dropped += chunk.len();
        if dropped > DROPPED_BYTES_MAX {
            break;
        }
    }
    if dropped == 0 {
        Ok(bytes)
    } else {
        Err(refused(StatusCode::PAYLOAD_TOO_LARGE, &format!("a body has at most {BODY_BYTES_MAX} bytes")))
    }
}

fn refused(status: StatusCode, detail: &str) -> Problem {
    Problem::of(&BODY).status(status).detail(detail)
}
