//! The cookie jar of one run (RFC 6265), by the library that reqwest itself uses. Cookies are handles to the connector.

use cookie_store::CookieStore;
use http::HeaderValue;
use url::Url;
use zeroize::Zeroizing;

/// Most bytes of one cookie, its attributes included (RFC 6265, section 6.1).
const COOKIE_BYTES_MAX: usize = 4096;
/// Most cookies of one run. Every one that fits goes into a request, so that many small ones would cost as much as large ones.
const COOKIES_MAX: usize = 180;

/// Cookies of one run.
#[derive(Clone, Default)]
pub struct Jar(CookieStore);

impl std::fmt::Debug for Jar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Jar")
    }
}

impl Jar {
    /// Takes what a source set. A cookie that breaks the rules is ignored, as browsers do; so is what is too large, or one too many.
    pub(crate) fn store(&mut self, url: &Url, cookie: &str) {
        let name = cookie.split('=').next().unwrap_or_default().trim();
        let is_full = || self.0.iter_any().count() >= COOKIES_MAX && !self.0.iter_any().any(|held| held.name() == name);
        if cookie.len() > COOKIE_BYTES_MAX || is_full() {
            return;
        }
        let _ = self.0.parse(cookie, url);
    }

    /// A cookie as a tape shows it: its name and where it goes. One that is not there after it was set was taken away.
    pub(super) fn shown(&self, url: &Url, cookie: &str) -> String {
        let name = cookie.split('=').next().unwrap_or_default().trim();
        let mut shown = format!("{name}=cookie");
        for part in cookie.split(';').skip(1) {
            let attribute = part.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
            if matches!(attribute.as_str(), "path" | "domain") {
                shown += &format!("; {}", part.trim());
            }
        }
        let held = self.0.iter_unexpired().any(|held| held.name() == name && held.domain.matches(url));
        shown + if held { "" } else { "; Max-Age=0" }
    }

    /// The `cookie` header for a URL.
    pub(super) fn header(&self, url: &Url) -> Option<HeaderValue> {
        let pairs: Vec<String> =
            self.0.get_request_values(url).map(|(name, value)| format!("{name}={value}")).collect();
        let mut header = HeaderValue::from_str(&pairs.join("; ")).ok().filter(|_| !pairs.is_empty())?;
        header.set_sensitive(true);
        Some(header)
    }

    /// The cookies of an origin, each as it was set and with the address that set it. What was to live for a time from then on lives as long
    /// from when it is set again: the source knows when its session is over.
    pub(crate) fn set_by(&self, origin: &Url) -> Vec<(Url, String)> {
        let of_it = self.0.iter_unexpired().filter(|cookie| cookie.domain.matches(origin));
        let set = of_it.map(|cookie| {
            let path = cookie.path().is_none().then(|| format!("; Path={}", &*cookie.path));
            (origin.clone(), format!("{}{}", **cookie, path.unwrap_or_default()))
        });
        set.collect()
    }

    /// One cookie's value, for the vault.
    pub(super) fn value(&self, url: &Url, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        let found = self.0.get_request_values(url).find(|(cookie, _)| *cookie == name);
        found.map(|(_, value)| Zeroizing::new(value.as_bytes().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jar_is_bounded_and_what_is_in_it_can_still_change() {
        let (url, mut jar) = (Url::parse("https://bank.example/").unwrap(), Jar::default());
        for number in 0..400 {
            jar.store(&url, &format!("c{number}=v; Path=/"));
        }
        jar.store(&url, "c7=new; Path=/");
        jar.store(&url, &format!("c8={}; Path=/", "v".repeat(COOKIE_BYTES_MAX)));
        let header = jar.header(&url).unwrap();
        let text = header.to_str().unwrap();
        assert_eq!(text.split("; ").count(), COOKIES_MAX);
        assert!(text.contains("c7=new") && text.contains("c8=v") && text.len() < 4 * 1024, "{text}");
    }
}
