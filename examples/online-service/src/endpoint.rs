//! The address that events are sent to. It answers 204 only when the parcel is ours; anything else makes the engine tell the
//! event again, later and later, for as long as it keeps the parcel.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::sync::mpsc;

use crate::event::{EVENT_BYTES_MAX, Head};
use crate::receiver::{ReceiveError, Receiver, Taken};

/// Where events are taken.
pub const PATH: &str = "/consentry/events";

/// What became of one event.
pub type Told = Result<Taken, ReceiveError>;

/// The one route. What became of each event goes to `tell`.
pub fn router(receiver: Arc<Receiver>, tell: mpsc::Sender<Told>) -> Router {
    Router::new().route(PATH, post(take)).layer(DefaultBodyLimit::max(EVENT_BYTES_MAX)).with_state((receiver, tell))
}

async fn take(
    State((receiver, tell)): State<(Arc<Receiver>, mpsc::Sender<Told>)>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let second = text("webhook-timestamp").parse().unwrap_or_default();
    let head = Head { id: text("webhook-id").to_owned(), second, signatures: text("webhook-signature").to_owned() };
    let told = receiver.take(&head, &body).await;
    let status = match &told {
        Ok(_) => StatusCode::NO_CONTENT,
        // Somebody who is not our engine: nothing to tell again.
        Err(ReceiveError::Event(_)) => StatusCode::FORBIDDEN,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    // Nobody may listen any more; the parcel is kept all the same.
    let _ = tell.send(told).await;
    status
}
