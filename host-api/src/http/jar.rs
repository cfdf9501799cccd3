//! The cookie jar of one run (RFC 6265), by the library that reqwest itself uses. Cookies are handles to the connector.

use cookie_store::CookieStore;
use http::HeaderValue;
use url::Url;
use zeroize::Zeroizing;

/// Cookies of one run.
#[derive(Clone, Default)]
pub struct Jar(CookieStore);

impl std::fmt::Debug for Jar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Jar")
    }
}

impl Jar {
    /// Takes what a source set. A cookie that breaks the rules is ignored, as browsers do.
    pub(super) fn store(&mut self, url: &Url, cookie: &str) {
        let _ = self.0.parse(cookie, url);
    }

    /// The `cookie` header for a URL.
    pub(super) fn header(&self, url: &Url) -> Option<HeaderValue> {
        let pairs: Vec<String> =
            self.0.get_request_values(url).map(|(name, value)| format!("{name}={value}")).collect();
        let mut header = HeaderValue::from_str(&pairs.join("; ")).ok().filter(|_| !pairs.is_empty())?;
        header.set_sensitive(true);
        Some(header)
    }

    /// One cookie's value, for the vault.
    pub(super) fn value(&self, url: &Url, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        let found = self.0.get_request_values(url).find(|(cookie, _)| *cookie == name);
        found.map(|(_, value)| Zeroizing::new(value.as_bytes().to_vec()))
    }
}
