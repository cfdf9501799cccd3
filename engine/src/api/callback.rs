//! Where a person comes back to whom a connector sent elsewhere (a consent page, a strong authentication). The state in the
//! query, known to nobody but the run and the place it sent them to, finds the run; nobody has to log in here, and nothing of
//! the query is shown, logged or kept.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use zeroize::Zeroizing;

use super::At;
use super::describe::Words;
use crate::credentials::Values;

/// Most parts of a query that are looked at.
const PARTS_MAX: usize = 32;
const BACK: &str = "Thank you. You can close this window.\nMerci. Vous pouvez fermer cette fenêtre.\n";
const UNKNOWN: &str = "Nobody waits for this answer (any more). You can close this window.\n\
                       Plus personne n'attend cette réponse. Vous pouvez fermer cette fenêtre.\n";

/// Hands what the person brings to the run that waits for them.
pub(super) async fn come_back(State(engine): At, RawQuery(query): RawQuery) -> Words {
    let query = Zeroizing::new(query.unwrap_or_default());
    let mut state = None;
    let mut brought = Values::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()).take(PARTS_MAX) {
        if name == "state" {
            state.get_or_insert(Zeroizing::new(value.into_owned()));
        } else if brought.iter().all(|(given, _)| *given != name) {
            // Of a part that is there twice, the first counts.
            brought.push(name.into_owned(), Zeroizing::new(value.into_owned().into_bytes()));
        }
    }
    let taken = state.is_some_and(|state| engine.come_back(&state, brought).is_ok());
    let (status, text) = if taken { (StatusCode::OK, BACK) } else { (StatusCode::NOT_FOUND, UNKNOWN) };
    Words((status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}
