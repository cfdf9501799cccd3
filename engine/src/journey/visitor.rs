//! Who visits: in which language, and in which session, by the cookie of that session alone. And whether a form comes from a page of
//! ours: a browser says where a request comes from, and one that does not is not served.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::header::{ACCEPT_LANGUAGE, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::frame::Frame;
use super::place::Place;
use super::trouble;
use crate::api::Shared;
use crate::consent::notice::Language;
use crate::id::SessionId;
use crate::session::Session;

/// The cookie that remembers the language.
pub(super) const LANGUAGE: &str = "language";
/// A year.
pub(super) const LANGUAGE_SECONDS: i64 = 365 * 24 * 3600;

/// Somebody who reads a page.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) place: Place,
    pub(super) language: Language,
    /// The path of this page, for the switch of languages.
    path: String,
    /// The language that the switch asks for, to be remembered.
    pub(super) switched: Option<Language>,
}

#[derive(Deserialize)]
struct Asked {
    lang: Option<Language>,
}

impl FromRequestParts<Shared> for Reader {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, engine: &Shared) -> Result<Self, Response> {
        let place = Place::of(engine);
        let switched = Query::<Asked>::try_from_uri(&parts.uri).ok().and_then(|asked| asked.0.lang);
        let kept = place.cookie(&parts.headers, LANGUAGE).and_then(word);
        let language = switched.or(kept).unwrap_or_else(|| accepted(&parts.headers));
        let path = format!("{}{}", place.base, parts.uri.path());
        let reader = Self { place, language, path, switched };
        if parts.method == Method::POST && !same_origin(&parts.headers, &reader.place) {
            return Err(trouble::foreign(&reader));
        }
        Ok(reader)
    }
}

impl Reader {
    /// The text of the two that is in the reader's language.
    pub(super) fn say<'t>(&self, en: &'t str, fr: &'t str) -> &'t str {
        self.language.pick(en, fr)
    }

    /// A text of a table.
    pub(super) fn text(&self, text: &consentry_contract::failure::Text) -> &'static str {
        self.language.pick(text.en, text.fr)
    }

    /// A text of a registration or a manifest.
    pub(super) fn localised<'t>(&self, text: &'t crate::online_service::Localised) -> &'t str {
        text.in_language(self.language)
    }

    /// A page.
    pub(super) fn frame<'r>(&'r self, title: &'r str) -> Frame<'r> {
        Frame::new(self, title)
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    #[cfg(test)]
    pub(super) fn for_tests(language: Language) -> Self {
        let place = Place { base: String::new(), origin: "http://localhost".to_owned(), secure: false };
        Self { place, language, path: "/".to_owned(), switched: None }
    }
}

/// The person of a session.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) reader: Reader,
    pub(super) session: Arc<Session>,
    pub(super) engine: Shared,
}

impl FromRequestParts<Shared> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, engine: &Shared) -> Result<Self, Response> {
        let reader = Reader::from_request_parts(parts, engine).await?;
        let session = in_path(parts, engine).await;
        // What is another's looks like what does not exist.
        let known = session.filter(|session| reader.may_see(session, &parts.headers));
        known
            .map(|session| Self { session, engine: engine.clone(), reader: reader.clone() })
            .ok_or_else(|| trouble::nobody(&reader))
    }
}

impl Reader {
    /// Whether this browser came into the session.
    pub(super) fn may_see(&self, session: &Session, headers: &HeaderMap) -> bool {
        let secret = self.place.cookie(headers, &session.id().to_string());
        secret.is_some_and(|secret| session.knows_browser(secret))
    }
}

impl Visitor {
    /// The path of the session's pages, with what follows.
    pub(super) fn at(&self, rest: &str) -> String {
        format!("{}{rest}", self.reader.place.session(self.session.id()))
    }

    /// The Online Service's name.
    pub(super) fn service(&self) -> String {
        let service = self.engine.online_service(self.session.request().online_service());
        service.map_or_else(String::new, |service| service.name().to_owned())
    }
}

/// The session that the path names.
pub(super) async fn in_path(parts: &mut Parts, engine: &Shared) -> Option<Arc<Session>> {
    let path = RawPathParams::from_request_parts(parts, engine).await.ok()?;
    let id: SessionId = path.iter().find(|(name, _)| *name == "session")?.1.parse().ok()?;
    engine.session(id)
}

/// Browsers of today say from where a request comes (Fetch metadata); older ones name the origin of a form.
fn same_origin(headers: &HeaderMap, place: &Place) -> bool {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, origin) => origin == Some(place.origin.as_str()),
    }
}

fn word(text: &str) -> Option<Language> {
    match text {
        "en" => Some(Language::En),
        "fr" => Some(Language::Fr),
        _ => None,
    }
}

/// The language that the browser wants most of those we speak; English if it wants neither.
fn accepted(headers: &HeaderMap) -> Language {
    let text = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut best = (Language::default(), 0.0);
    for range in text.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().and_then(|tag| tag.split('-').next()).unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
        if let Some(language) = word(&tag).filter(|_| quality > best.1) {
            best = (language, quality);
        }
    }
    best.0
}

/// Nothing that was asked for is here.
pub(super) const MISSING: StatusCode = StatusCode::NOT_FOUND;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (axum::http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_form_is_taken_from_our_own_pages_only() {
        let place = Reader::for_tests(Language::En).place;
        for (pairs, ours) in [
            (&[("sec-fetch-site", "same-origin"), ("origin", "null")][..], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://localhost")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "http://localhost")], true),
            (&[("origin", "http://localhost.example")], false),
            (&[("origin", "null")], false),
            (&[], false),
        ] {
            assert_eq!(same_origin(&headers(pairs), &place), ours, "{pairs:?}");
        }
    }

    #[test]
    fn the_language_is_the_one_that_the_browser_wants_most() {
        for (wanted, language) in [
            ("fr-CH, fr;q=0.9, en;q=0.8", Language::Fr),
            ("de, en;q=0.5, fr;q=0.7", Language::Fr),
            ("en-GB,fr;q=0.9", Language::En),
            ("de", Language::En),
            ("", Language::En),
        ] {
            assert_eq!(accepted(&headers(&[("accept-language", wanted)])), language, "{wanted}");
        }
    }
}
