//! Origins, and patterns of URLs in manifests.

use std::fmt;

use unicode_security::confusable_detection::skeleton;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection as _};
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
        if let Host::Domain(name) = host {
            check_name(name)?;
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
        self.0.scheme() == url.scheme()
            && self.0.host() == url.host()
            && self.0.port_or_known_default() == url.port_or_known_default()
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

/// A name that means the same host to everybody, and looks like no other.
fn check_name(name: &str) -> Result<(), UrlProblem> {
    if name.contains('*') {
        return Err(UrlProblem::new("the host must be written out; `*` is allowed in the path only"));
    }
    if name.ends_with('.') || (!name.contains('.') && name != "localhost") {
        return Err(UrlProblem::new("the host must be a whole domain name, without a dot at its end"));
    }
    let disguised = name.split('.').filter(|label| label.starts_with("xn--")).find(|label| is_disguise(label));
    disguised.map_or(Ok(()), |label| {
        Err(UrlProblem::new(format!("the name `{label}` mixes scripts or looks like another name (UTS 39)")))
    })
}

/// Whether a label in punycode reads as something else than it is: letters of several scripts, or such that look like ASCII.
fn is_disguise(label: &str) -> bool {
    let (readable, decoded) = idna::domain_to_unicode(label);
    decoded.is_err()
        || readable.detect_restriction_level() > RestrictionLevel::HighlyRestrictive
        || skeleton(&readable).all(|letter| letter.is_ascii())
}

/// Reads an absolute URL without login and fragment, whose origin is written the one way in which origins are compared.
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
    // What an operator reads is what is meant: no other alphabet, no number for an address, no port that says nothing.
    let origin = url.origin().ascii_serialization();
    let rest = text.strip_prefix(origin.as_str());
    if url.has_host() && !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?'])) {
        return Err(UrlProblem::new(format!("write its origin as `{origin}`, which is what it means")));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let found = Origin::parse(text).map(|origin| origin.to_string()).map_err(|problem| problem.to_string());
        match (&found, expected) {
            (Ok(found), Ok(expected)) if found == expected => {}
            (Err(found), Err(expected)) if found.contains(expected) => {}
            _ => panic!("{text}: found {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn an_origin_is_written_as_it_is_compared() {
        for text in ["https://bank.example", "https://bank.example:8443", "https://[2a00::1]", "http://127.0.0.1:18090"]
        {
            check(text, Ok(text));
        }
        check("https://bank.example/", Ok("https://bank.example"));
        for (text, meant) in [
            ("https://Bank.example", "https://bank.example"),
            ("HTTPS://bank.example", "https://bank.example"),
            ("https://bank.example:443", "https://bank.example"),
            ("https://bank%2eexample", "https://bank.example"),
            ("https:\\\\bank.example", "https://bank.example"),
            ("https:bank.example", "https://bank.example"),
            ("https://0x7f.1", "https://127.0.0.1"),
            ("https://2130706433", "https://127.0.0.1"),
            ("https://0177.0.0.1", "https://127.0.0.1"),
            ("https://127.1", "https://127.0.0.1"),
            ("https://[::ffff:127.0.0.1]", "https://[::ffff:7f00:1]"),
        ] {
            check(text, Err(&format!("write its origin as `{meant}`")));
        }
        for text in [
            "https://bank。example",
            " https://bank.example",
            "https://ba\tnk.example",
            "https://bücher.example",
            "https://b\u{430}nk.example",
        ] {
            check(text, Err("ASCII"));
        }
    }

    #[test]
    fn a_name_is_whole_and_looks_like_no_other() {
        for text in ["https://xn--bcher-kva.example", "https://xn--e1afmkfd.example", "https://xn--wgv71a.example"] {
            check(text, Ok(text));
        }
        for (text, problem) in [
            ("https://xn--bnk-6cd.example", "mixes scripts or looks like"), // a Cyrillic letter among Latin ones
            ("https://xn--80ak6aa92e.example", "mixes scripts or looks like"), // Cyrillic letters that read `apple`
            ("https://www.xn--pple-43d.example", "mixes scripts or looks like"),
            ("https://bank.example.", "whole domain name"),
            ("https://intranet", "whole domain name"),
            ("https://*.bank.example", "written out"),
            ("https://xn--a.example", "not an absolute URL"),
        ] {
            check(text, Err(problem));
        }
    }
}
