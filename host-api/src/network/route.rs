//! The way out that an operator sets for a Data Source: through a proxy, from one of this machine's addresses. It changes where a connection
//! starts, never where it may end.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;
use zeroize::Zeroizing;

/// The way out.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// Through this proxy; directly without one.
    pub proxy: Option<Proxy>,
    /// From this address of the machine; the system chooses without one.
    pub source: Option<IpAddr>,
}

/// A proxy of the operator's.
#[derive(Debug, Clone)]
pub struct Proxy {
    pub(super) kind: ProxyKind,
    /// `host:port`.
    pub(super) host: String,
    pub(super) login: Option<ProxyLogin>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum ProxyKind {
    /// HTTP `CONNECT` (RFC 9110, section 9.3.6).
    Http,
    /// SOCKS 5 (RFC 1928).
    Socks5,
}

/// What a proxy is told about who asks.
#[derive(Clone)]
pub struct ProxyLogin {
    /// Name.
    pub name: String,
    /// Password.
    pub password: Zeroizing<String>,
}

/// Why a text is no proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a proxy is http://HOST:PORT or socks5://HOST:PORT, without login, path or query")]
pub struct ProxyError;

impl Proxy {
    /// Reads the address of a proxy.
    ///
    /// # Errors
    /// When it is none; a login has no place in it.
    pub fn new(url: &Url, login: Option<ProxyLogin>) -> Result<Self, ProxyError> {
        let kind = match url.scheme() {
            "http" => ProxyKind::Http,
            "socks5" => ProxyKind::Socks5,
            _ => return Err(ProxyError),
        };
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let port = url.port_or_known_default().or(match kind {
            ProxyKind::Http => Some(80),
            ProxyKind::Socks5 => Some(1080),
        });
        match (url.host_str(), port) {
            (Some(host), Some(port)) if bare && url.username().is_empty() && url.password().is_none() => {
                Ok(Self { kind, host: format!("{host}:{port}"), login })
            }
            _ => Err(ProxyError),
        }
    }
}

impl ProxyLogin {
    /// Reads `NAME:PASSWORD`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, password) = text.split_once(':')?;
        Some(Self { name: name.to_owned(), password: Zeroizing::new(password.to_owned()) })
    }

    /// RFC 7617.
    pub(super) fn basic(&self) -> Zeroizing<String> {
        let both = Zeroizing::new(format!("{}:{}", self.name, *self.password));
        Zeroizing::new(format!("Basic {}", STANDARD.encode(both.as_bytes())))
    }
}

impl fmt::Debug for ProxyLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyLogin")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_and_nothing_else() {
        for (text, expected) in [
            ("http://proxy.operator.example:3128", Some("proxy.operator.example:3128")),
            ("http://10.0.0.1", Some("10.0.0.1:80")),
            ("socks5://[fd00::1]:1080", Some("[fd00::1]:1080")),
            ("socks5://proxy.operator.example", Some("proxy.operator.example:1080")),
            ("socks5h://proxy.operator.example:1080", None),
            ("https://proxy.operator.example:3128", None),
            ("http://me:secret@proxy.operator.example:3128", None),
            ("http://proxy.operator.example:3128/path", None),
        ] {
            let found = Proxy::new(&text.parse().unwrap(), None).ok().map(|proxy| proxy.host);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_login_is_never_shown() {
        let login = ProxyLogin::parse("node-1:s3cret:with:colons").unwrap();
        assert_eq!(login.basic().as_str(), "Basic bm9kZS0xOnMzY3JldDp3aXRoOmNvbG9ucw==");
        let proxy = Proxy::new(&"http://proxy.example:1".parse().unwrap(), Some(login)).unwrap();
        assert!(!format!("{proxy:?}").contains("s3cret"));
        assert!(ProxyLogin::parse("nobody").is_none());
    }
}
