//! Where the pages stand, as browsers see it, and the cookies that go with that.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use url::Url;

use crate::engine::Engine;
use crate::id::SessionId;

/// The public address: what links, cookies and the check of origins come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// What stands before each path: empty, or the path of the public address.
    pub(super) base: String,
    /// `https://consentry.operator.example`.
    pub(super) origin: String,
    /// Cookies go over TLS only.
    pub(super) secure: bool,
}

impl Place {
    pub(super) fn of(engine: &Engine) -> Self {
        engine.public_url().map_or_else(
            || Self { base: String::new(), origin: "http://localhost".to_owned(), secure: false },
            Self::at,
        )
    }

    fn at(public: &Url) -> Self {
        Self {
            base: public.path().trim_end_matches('/').to_owned(),
            origin: public.origin().ascii_serialization(),
            secure: public.scheme() == "https",
        }
    }

    /// The path of a session's pages.
    pub(super) fn session(&self, id: SessionId) -> String {
        format!("{}/journey/{id}", self.base)
    }

    /// A cookie's name. With the prefix a browser takes it from this very host only, and over TLS only (RFC 6265bis); over
    /// plain HTTP, which is for development, it would not take it at all.
    fn name(&self, of: &str) -> String {
        format!("{}consentry-{of}", if self.secure { "__Host-" } else { "" })
    }

    /// The value of the cookie of this name.
    pub(super) fn cookie<'h>(&self, headers: &'h HeaderMap, of: &str) -> Option<&'h str> {
        let name = self.name(of);
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(given, _)| *given == name).map(|(_, value)| value)
    }

    /// The header that sets a cookie: no script reads it, no other site's request carries it but a link to here.
    pub(super) fn set_cookie(&self, of: &str, value: &str, seconds: i64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", self.name(of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Place {
        Place::at(&url.parse().unwrap())
    }

    #[test]
    fn over_tls_a_cookie_belongs_to_this_host_alone() {
        let cookie = place("https://consentry.operator.example/").set_cookie("ses_1", "secret", 60);
        assert_eq!(cookie, "__Host-consentry-ses_1=secret; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
        let plain = place("http://127.0.0.1:8700").set_cookie("ses_1", "secret", 60);
        assert_eq!(plain, "consentry-ses_1=secret; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let place = place("https://consentry.operator.example/eu/");
        assert_eq!((place.base.as_str(), place.origin.as_str()), ("/eu", "https://consentry.operator.example"));
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; consentry-ses_1=bare; __Host-consentry-ses_11=other".parse().unwrap());
        assert_eq!(place.cookie(&headers, "ses_1"), None);
        headers.append(COOKIE, "__Host-consentry-ses_1=right".parse().unwrap());
        assert_eq!(place.cookie(&headers, "ses_1"), Some("right"));
    }
}
