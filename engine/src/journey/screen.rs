//! Which screen a session is at. Nothing else decides it: a reload, another tab, the way back from another page lead to the same.

use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;

use super::visitor::Visitor;
use super::{agree, choose, end, login, preview, working};
use crate::session::state::State;

/// What a link of ours can add to the address.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    /// Words to find a Data Source by.
    pub(super) q: Option<String>,
    /// Another Data Source is wanted.
    choose: Option<String>,
    /// A login could not be taken, and is to be given again.
    again: Option<String>,
}

/// The page where the session is.
pub(super) async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Response {
    let again = asked.choose.is_some() || asked.q.is_some();
    match (visitor.session.state(), visitor.session.notice()) {
        (State::AwaitingConsent, Some(notice)) if !again => agree::page(&visitor, &notice, None),
        (State::Requested | State::AwaitingConsent, _) => choose::page(&visitor, asked.q.as_deref(), None),
        (State::AwaitingCredentials { rejected }, _) => login::page(&visitor, rejected, asked.again.is_some()).await,
        (State::Collecting { .. } | State::AwaitingPerson { .. }, _) => working::page(&visitor).await,
        (State::InReview, _) => preview::page(&visitor, None),
        (state, _) => end::page(&visitor, &state).await,
    }
}
