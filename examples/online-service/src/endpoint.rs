//! The address that events are sent to. It answers 204 only when the parcel is ours; anything else makes the engine tell the
//! event again, later and later, for as long as it keeps the parcel.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use tokio::sync::mpsc;

use crate::event::EVENT_BYTES_MAX;
use crate::receiver::{ReceiveError, Receiver, Taken};

/// Where events are taken.
pub const PATH: &str = "/consentry/events";

/// What became of one event.
pub type Told = Result<Taken, ReceiveError>;

/// The one route. What became of each event goes to `tell`.
pub fn router(receiver: Arc<Receiver>, tell: mpsc::Sender<Told>) -> Router {
    Router::new().route(PATH, post(take)).layer(DefaultBodyLimit::max(EVENT_BYTES_MAX)).with_state((receiver, tell))
}

async fn take(State((receiver, tell)): State<(Arc<Receiver>, mpsc::Sender<Told>)>, body: String) -> StatusCode {
    let told = receiver.take(&body).await;
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
