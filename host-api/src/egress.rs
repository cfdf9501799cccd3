//! Which origins a run may reach, at which addresses. The one choke point of everything that leaves the host for a Data Source:
//! a URL is checked before the request, every address after resolution, and the connection goes to the address that was checked.

mod address;
mod resolver;

use std::net::IpAddr;
use std::sync::Arc;

use consentry_contract::manifest::Origin;
use url::{Host, Url};

pub use resolver::{Resolver, SystemResolver};

/// Why a URL or an address is refused. Holds no path and no query: those may carry values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// The origin is not in the manifest's list; the text is the line that would allow it.
    #[error("{origin} is not a declared origin; the manifest line that would allow it: origins = [\"{origin}\"]")]
    Origin {
        /// Scheme, host and port.
        origin: String,
    },
    /// The origin is declared, and not as a place for the secret that stands on the page.
    #[error(
        "{origin} is not reached while a secret stands on the page: it is none of the origins that the sinks of this secret name"
    )]
    Narrow {
        /// Scheme, host and port.
        origin: String,
    },
    /// Another scheme than https (http only towards loopback in development).
    #[error("scheme {0} is not allowed: only https is (http towards loopback, in development mode)")]
    Scheme(String),
    /// The URL carries a login or a password.
    #[error("a URL with a login or password in it is refused: use a header with a secret")]
    UserInfo,
    /// The URL has no host.
    #[error("a URL without a host is refused")]
    NoHost,
    /// Every address of the name is private, loopback, link-local or otherwise not public.
    #[error("{host} resolves to no public address")]
    Address {
        /// The host name that was asked.
        host: String,
    },
}

/// The origins of one run, and whether development mode lets it reach loopback.
#[derive(Debug, Clone)]
pub struct Egress {
    origins: Arc<[Origin]>,
    development: bool,
}

impl Egress {
    /// `development` allows loopback addresses, and http towards them; nothing else that is private.
    pub fn new(origins: &[Origin], development: bool) -> Self {
        Self { origins: origins.into(), development }
    }

    /// Checks a URL before anything is sent to it.
    ///
    /// # Errors
    /// [`EgressError`]; the text names what would allow it.
    pub fn check(&self, url: &Url) -> Result<(), EgressError> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressError::UserInfo);
        }
        let host = url.host().ok_or(EgressError::NoHost)?;
        match url.scheme() {
            "https" => {}
            "http" if self.development && is_loopback(&host) => {}
            other => return Err(EgressError::Scheme(other.to_owned())),
        }
        if !self.origins.iter().any(|origin| origin.contains(url)) {
            return Err(EgressError::Origin { origin: url.origin().ascii_serialization() });
        }
        let refused = match literal(&host) {
            Some(address) => !self.admits(url.scheme() == "https", address),
            // A name that means this machine wherever it is looked up (RFC 6761).
            None => !self.development && is_loopback(&host),
        };
        if refused { Err(EgressError::Address { host: host.to_string() }) } else { Ok(()) }
    }

    /// Whether a connection may go to this address; one without TLS stays on this machine.
    pub fn admits(&self, tls: bool, address: IpAddr) -> bool {
        (tls && address::is_public(address)) || (self.development && address.is_loopback())
    }
}

fn literal(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Ipv4(v4) => Some(IpAddr::V4(*v4)),
        Host::Ipv6(v6) => Some(IpAddr::V6(*v6)),
        Host::Domain(_) => None,
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(v4) => v4.is_loopback(),
        Host::Ipv6(v6) => v6.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(development: bool, url: &str, expected: Result<(), &str>) {
        let origins = ["https://bank.example", "http://127.0.0.1:18090", "https://10.0.0.1", "https://[::ffff:a00:1]"];
        let egress = Egress::new(&origins.map(|origin| Origin::parse(origin).unwrap()), development);
        let found = egress.check(&Url::parse(url).unwrap()).map_err(|error| error.to_string());
        match (found, expected) {
            (Ok(()), Ok(())) => {}
            (Err(found), Err(expected)) if found.contains(expected) => {}
            (found, expected) => panic!("{url}: found {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn only_declared_origins_over_https() {
        check(false, "https://bank.example/a?b", Ok(()));
        check(false, "https://bank.example:443/", Ok(()));
        check(false, "https://bank.example:8443/", Err("origins = [\"https://bank.example:8443\"]"));
        check(false, "https://bank.example.evil.test/", Err("not a declared origin"));
        check(false, "http://bank.example/", Err("scheme http"));
        check(false, "https://me:secret@bank.example/", Err("login or password"));
        check(false, "ftp://bank.example/", Err("scheme ftp"));
    }

    #[test]
    fn a_public_address_is_as_good_as_a_name() {
        for (origin, allowed) in
            [("https://8.8.8.8", true), ("https://[2606:4700::1111]", true), ("https://10.0.0.1", false)]
        {
            let egress = Egress::new(&[Origin::parse(origin).unwrap()], false);
            assert_eq!(egress.check(&Url::parse(origin).unwrap()).is_ok(), allowed, "{origin}");
        }
    }

    #[test]
    fn loopback_only_in_development_and_private_never() {
        check(true, "http://127.0.0.1:18090/", Ok(()));
        check(false, "http://127.0.0.1:18090/", Err("scheme http"));
        check(true, "https://10.0.0.1/", Err("no public address"));
        check(true, "https://[::ffff:10.0.0.1]/", Err("no public address"));
    }

    /// Every way of writing an address that a URL may hold is the address.
    #[test]
    fn spellings_of_an_address_are_the_address() {
        for host in [
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "0xA9.0xFE.0xA9.0xFE",
            "0251.0376.0251.0376",
            "169.254.43518",
            "169.16689662",
            "169.254.169.254.",
            "169%2e254%2e169%2e254",
            "１６９.254.169.254",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[0:0:0:0:0:ffff:a9fe:a9fe]",
            "[64:ff9b::169.254.169.254]",
        ] {
            let url = Url::parse(&format!("https://{host}/latest/meta-data")).unwrap();
            // Declared exactly so: what refuses it is the address.
            let egress = Egress::new(&[Origin::of(&url).unwrap()], true);
            assert!(matches!(egress.check(&url), Err(EgressError::Address { .. })), "{host}");
        }
    }

    #[test]
    fn a_host_that_only_looks_like_a_declared_one_is_another() {
        for url in [
            "https://bank.example./",
            "https://bank.example%2e/",
            "https://www.bank.example/",
            "https://bank.example.evil.test/",
            "https://evil.test/bank.example",
            "https://evil.test\\@bank.example/",
            "https://evil.test#@bank.example/",
            "https://evil.test?@bank.example/",
            "https://bаnk.example/", // a Cyrillic letter
            "https://bank-example/",
            "https://bank.example:444/",
        ] {
            check(true, url, Err("not a declared origin"));
        }
        for url in ["https://bank.example@evil.test/", "https://bank.example:443@evil.test/", "https://@bank.example/"]
        {
            let found =
                Egress::new(&[Origin::parse("https://bank.example").unwrap()], true).check(&Url::parse(url).unwrap());
            // Without a login before the `@` it is the declared host; with one, no host at all is looked at.
            assert_eq!(found.is_ok(), url == "https://@bank.example/", "{url}");
        }
        check(false, "https://bank.example\t/\na", Ok(()));
    }

    #[test]
    fn this_machine_by_name_is_for_development() {
        for host in ["localhost", "a.localhost"] {
            let url = Url::parse(&format!("https://{host}/")).unwrap();
            let origins = [Origin::of(&url).unwrap()];
            assert!(matches!(Egress::new(&origins, false).check(&url), Err(EgressError::Address { .. })), "{host}");
            assert!(Egress::new(&origins, true).check(&url).is_ok(), "{host}");
        }
    }

    #[test]
    fn without_tls_a_connection_stays_on_this_machine() {
        let egress = Egress::new(&[], true);
        let [loopback, public, private] = ["127.0.0.1", "8.8.8.8", "10.0.0.1"].map(|text| text.parse().unwrap());
        assert!(egress.admits(false, loopback) && egress.admits(true, loopback) && egress.admits(true, public));
        assert!(!egress.admits(false, public) && !egress.admits(true, private) && !egress.admits(false, private));
        assert!(!Egress::new(&[], false).admits(true, loopback));
    }

    proptest::proptest! {
        /// Whatever text is taken for a URL: what is let through has a declared origin, TLS or this machine, and no login.
        #[test]
        fn what_is_let_through_is_what_was_declared(
            scheme in "(https?|ftp|HTTPS)",
            before in "(|[a-z]{1,3}@|a:b@|bank.example@|/|\\\\|[\t\n])",
            host in "(bank\\.example|bank\\.example\\.|evil\\.test|BANK.example|bank。example|127\\.0\\.0\\.1|0x7f000001|10\\.0\\.0\\.1|\\[::ffff:a00:1\\])",
            after in "(|:443|:8443|:18090|\\\\@bank\\.example|@bank\\.example|#@bank\\.example|%00|%0d%0aHost:x)",
            path in "(|/|/a\\?b|//evil\\.test)",
        ) {
            let Ok(url) = Url::parse(&format!("{scheme}://{before}{host}{after}{path}")) else { return Ok(()) };
            let declared = ["https://bank.example", "http://127.0.0.1:18090", "https://10.0.0.1"];
            let egress = Egress::new(&declared.map(|origin| Origin::parse(origin).unwrap()), true);
            if egress.check(&url).is_ok() {
                let origin = url.origin().ascii_serialization();
                proptest::prop_assert!(declared[..2].contains(&origin.as_str()), "{url}");
                proptest::prop_assert!(url.username().is_empty() && url.password().is_none(), "{url}");
            }
        }
    }
}
