//! What a form of ours sends. Bounded, read in one piece; names may come several times.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::my_data::RECEIPT_FORM_BYTES_MAX;
use crate::api::Shared;

/// Longest wait for a whole form.
const WAIT: Duration = Duration::from_secs(30);

/// The fields of a form, in order.
pub(super) struct Form(Vec<(String, String)>);

impl FromRequest<Shared> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Response> {
        let bytes = read(request, RECEIPT_FORM_BYTES_MAX).await?;
        Ok(Self(url::form_urlencoded::parse(&bytes).into_owned().collect()))
    }
}

/// Something sealed, as it was sent.
pub(super) struct Sealed(pub(super) String);

impl FromRequest<Shared> for Sealed {
    type Rejection = Response;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Response> {
        let bytes = read(request, crate::api::BODY_BYTES_MAX).await?;
        String::from_utf8(bytes).map(Self).map_err(|_| StatusCode::BAD_REQUEST.into_response())
    }
}

async fn read(request: Request, most: usize) -> Result<Vec<u8>, Response> {
    match tokio::time::timeout(WAIT, to_bytes(request.into_body(), most)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE.into_response()),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT.into_response()),
    }
}

impl Form {
    /// The first value of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of this name.
    pub(super) fn all<'f, 'n>(&'f self, name: &'n str) -> impl Iterator<Item = &'f str> + use<'f, 'n> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}
