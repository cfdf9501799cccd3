//! Who asks: a stranger, somebody on the way in, or a customer. Read from the session cookie alone.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use maud::html;

use super::found;
use super::layout::page;
use crate::bank::Bank;
use crate::person::Person;
use crate::session::{Session, Step};
use crate::settings::Settings;
use crate::state::SiteState;

const COOKIE: &str = "SESSIONID";

/// Anybody's request.
pub(crate) struct Visit {
    pub(crate) bank: Arc<Bank>,
    /// The id of a living session.
    pub(crate) session: Option<String>,
    /// A cookie came, but its session is dead.
    pub(crate) stale: bool,
}

impl Visit {
    /// Reads or changes the session, if there is one.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let id = self.session.as_deref()?;
        self.bank.memory().session(id).map(change)
    }

    /// The step before this visitor, or nothing for a customer who is inside.
    pub(crate) fn step(&self) -> Option<Step> {
        self.with(|session| session.step()).unwrap_or(Some(Step::Login))
    }

    pub(crate) fn is_inside(&self) -> bool {
        self.step().is_none()
    }

    /// Sends to where this visitor belongs now.
    pub(crate) fn onwards(&self) -> Response {
        match self.step() {
            None => found("/accounts"),
            Some(Step::Login) if self.stale => found("/login?motif=session"),
            Some(step) => found(step.path()),
        }
    }

    /// Whether this form was given to this session and is sent for the first time.
    pub(crate) fn spend_form(&self, token: &str) -> bool {
        self.with(|session| session.spend_form(token)).unwrap_or(false)
    }

    pub(crate) fn form_token(&self) -> String {
        self.session.as_deref().map(|id| self.bank.memory().form_token(id)).unwrap_or_default()
    }

    pub(crate) fn settings(&self) -> Settings {
        self.bank.settings_for(self.session.as_deref())
    }

    pub(crate) fn state(&self) -> SiteState {
        self.settings().state
    }
}

impl FromRequestParts<Arc<Bank>> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, bank: &Arc<Bank>) -> Result<Self, Infallible> {
        let cookie = cookie(&parts.headers);
        let session = cookie.clone().filter(|id| bank.memory().session(id).is_some());
        let stale = cookie.is_some() && session.is_none();
        Ok(Self { bank: bank.clone(), session, stale })
    }
}

/// A customer's request, behind the login. Others are sent to their next step.
pub(crate) struct Customer {
    pub(crate) bank: Arc<Bank>,
    pub(crate) session: String,
    pub(crate) person: &'static Person,
}

impl Customer {
    pub(crate) fn settings(&self) -> Settings {
        self.bank.settings_for(Some(&self.session))
    }
}

impl FromRequestParts<Arc<Bank>> for Customer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, bank: &Arc<Bank>) -> Result<Self, Response> {
        let Ok(visit) = Visit::from_request_parts(parts, bank).await;
        let Some(person) = visit.with(|session| session.customer()).flatten() else {
            return Err(visit.onwards());
        };
        if visit.state() == SiteState::ServerError {
            return Err(server_error());
        }
        let session = visit.session.unwrap_or_default();
        Ok(Self { bank: visit.bank, session, person })
    }
}

fn server_error() -> Response {
    let body = html! { p.erreur-technique { "Une erreur technique est survenue. Code : TEC-5001." } };
    (StatusCode::INTERNAL_SERVER_ERROR, page("Erreur technique", true, None, body)).into_response()
}

/// The header that gives a browser its session.
pub(crate) fn set_cookie(id: &str) -> [(header::HeaderName, String); 1] {
    [(header::SET_COOKIE, format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Lax"))]
}

/// The header that takes it away.
pub(crate) fn clear_cookie() -> [(header::HeaderName, String); 1] {
    [(header::SET_COOKIE, format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"))]
}

/// The session that a browser says it has.
pub(super) fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned())
}
