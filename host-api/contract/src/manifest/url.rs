//! Origins, and patterns of URLs in manifests.

use std::fmt;

use url::{Host, Url};

use crate::glob::{self, Part};

/// Scheme, host and port: where the sandbox may send requests. `https`, or `http` on this machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(Url);

/// Why a text is no origin or no pattern of URLs; the words stand in manifest errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlProblem(pub(super) String);

impl UrlProblem {
    fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

impl Origin {
    /// The origin of a URL.
    ///
    /// # Errors
    /// If it is not https (or http to a loopback host), or its host has a wildcard.
    pub fn of(url: &Url) -> Result<Self, UrlProblem> {
        let host = url.host().ok_or_else(|| UrlProblem::new("the URL has no host"))?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            "http" => {
                return Err(UrlProblem::new(
                    "http is allowed for this machine (127.0.0.1, localhost, [::1]) only; use https",
                ));
            }
            other => {
                return Err(UrlProblem::new(format!("the scheme `{other}` is not allowed; use https")));
            }
        }
        if matches!(host, Host::Domain(name) if name.contains('*')) {
            return Err(UrlProblem::new("the host must be written out; `*` is allowed in the path only"));
        }
        let mut origin = url.clone();
        origin.set_path("/");
        origin.set_query(None);
        origin.set_fragment(None);
        // Neither can fail: the URL has a host and a scheme that may have them.
        let _ = origin.set_username("").and_then(|()| origin.set_password(None));
        Ok(Self(origin))
    }

    /// Reads an origin that stands alone: no path, query or login.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, UrlProblem> {
        let url = absolute(text)?;
        if url.path() != "/" || url.query().is_some() {
            return Err(UrlProblem::new(
                "an origin is scheme, host and port, such as `https://www.example.org`; nothing else",
            ));
        }
        Self::of(&url)
    }

    /// Whether the URL belongs to this origin.
    #[must_use]
    pub fn contains(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The port, also where it is the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// Whether it is on this machine, which is for development and tests.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.0.host().is_some_and(|host| is_loopback(&host))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Reads an absolute URL without login and fragment.
pub(super) fn absolute(text: &str) -> Result<Url, UrlProblem> {
    let url = Url::parse(text).map_err(|error| UrlProblem::new(format!("not an absolute URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlProblem::new("a URL in a manifest has no login"));
    }
    if url.fragment().is_some() {
        return Err(UrlProblem::new("a URL in a manifest has no fragment (`#`)"));
    }
    // A URL is read by people, who must see what a parser sees: it drops blanks and newlines, and knows letters that look like others.
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(UrlProblem::new("a URL in a manifest is ASCII without blanks: names as `xn--`, the rest as `%XX`"));
    }
    Ok(url)
}

/// A set of URLs: an origin and a path in which `*` stands for one or more characters of a segment, and at the end for any rest. The
/// query does not count, unless the pattern has one: then each of its parameters must be there, `*` standing for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPattern {
    origin: Origin,
    path: String,
    query: Vec<(String, String)>,
    text: String,
}

impl UrlPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// If it is no absolute URL on an origin that may be reached.
    pub fn parse(text: &str) -> Result<Self, UrlProblem> {
        let url = absolute(text)?;
        let query = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        Ok(Self { origin: Origin::of(&url)?, path: url.path().to_owned(), query, text: text.to_owned() })
    }

    /// Where its URLs are.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether the URL is one of them. A URL with a login in it never is.
    #[must_use]
    pub fn matches(&self, url: &Url) -> bool {
        self.origin.contains(url)
            && url.username().is_empty()
            && url.password().is_none()
            && glob::matches(&path_parts(&self.path), url.path().as_bytes())
            && self.query.iter().all(|(name, wanted)| {
                url.query_pairs()
                    .any(|(key, value)| key == *name && glob::matches(&query_parts(wanted), value.as_bytes()))
            })
    }

    /// The one URL, where there is no wildcard.
    #[must_use]
    pub fn exact(&self) -> Option<Url> {
        Url::parse(&self.text).ok().filter(|_| !self.text.contains('*'))
    }
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn path_parts(path: &str) -> Vec<Part<'_>> {
    let (path, rest) = path.strip_suffix('*').map_or((path, None), |path| (path, Some(())));
    let segment = Part::Any { min: 1, max: usize::MAX, not: Some(b'/') };
    let mut parts = wild(path, segment);
    parts.extend(rest.map(|()| Part::Any { min: 0, max: usize::MAX, not: None }));
    parts
}

fn query_parts(value: &str) -> Vec<Part<'_>> {
    wild(value, Part::Any { min: 0, max: usize::MAX, not: None })
}

fn wild<'a>(text: &'a str, star: Part<'a>) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    for (index, piece) in text.split('*').enumerate() {
        if index > 0 {
            parts.push(star);
        }
        parts.push(Part::Exact(piece.as_bytes()));
    }
    parts
}
