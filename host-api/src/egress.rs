//! Which origins a run may reach, at which addresses. The one choke point of everything that leaves the host for a Data Source:
//! a URL is checked before the request, every address after resolution, and the connection goes to the address that was checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use consentry_contract::manifest::Origin;
use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

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
        if let Some(address) = literal(&host)
            && !self.admits(address)
        {
            return Err(EgressError::Address { host: host.to_string() });
        }
        Ok(())
    }

    /// Whether a connection may go to this address.
    pub fn admits(&self, address: IpAddr) -> bool {
        is_public(address) || (self.development && address.is_loopback())
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

/// Addresses of the IANA special-purpose registries (RFC 6890 and its updates) are not public; forms that embed an IPv4
/// address (mapped, compatible, NAT64, 6to4, Teredo) are not either, so that no private address hides in them.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !special_v4().iter().any(|net| net.contains(&v4)),
        IpAddr::V6(v6) => !special_v6().iter().any(|net| net.contains(&v6)),
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: [u16; 4], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first[0], first[1], first[2], first[3], 0, 0, 0, 0), prefix)
}

fn special_v4() -> &'static [Ipv4Net] {
    const NETS: [Ipv4Net; 16] = [
        v4(0, 0, 0, 0, 8),        // this network
        v4(10, 0, 0, 0, 8),       // private
        v4(100, 64, 0, 0, 10),    // carrier NAT
        v4(127, 0, 0, 0, 8),      // loopback
        v4(169, 254, 0, 0, 16),   // link-local, cloud metadata
        v4(172, 16, 0, 0, 12),    // private
        v4(192, 0, 0, 0, 24),     // protocol assignments
        v4(192, 0, 2, 0, 24),     // documentation
        v4(192, 88, 99, 0, 24),   // 6to4 relay
        v4(192, 168, 0, 0, 16),   // private
        v4(198, 18, 0, 0, 15),    // benchmarking
        v4(198, 51, 100, 0, 24),  // documentation
        v4(203, 0, 113, 0, 24),   // documentation
        v4(168, 63, 129, 16, 32), // a cloud's own metadata and DNS address, publicly numbered
        v4(224, 0, 0, 0, 4),      // multicast
        v4(240, 0, 0, 0, 4),      // reserved, broadcast
    ];
    &NETS
}

fn special_v6() -> &'static [Ipv6Net] {
    const NETS: [Ipv6Net; 13] = [
        v6([0, 0, 0, 0], 64),          // unspecified, loopback, IPv4-compatible and IPv4-mapped
        v6([0x64, 0xff9b, 0, 0], 96),  // NAT64
        v6([0x64, 0xff9b, 1, 0], 48),  // local NAT64
        v6([0x100, 0, 0, 0], 64),      // discard
        v6([0x2001, 0, 0, 0], 23),     // protocol assignments, Teredo
        v6([0x2001, 0xdb8, 0, 0], 32), // documentation
        v6([0x2002, 0, 0, 0], 16),     // 6to4
        v6([0x3fff, 0, 0, 0], 20),     // documentation
        v6([0x5f00, 0, 0, 0], 16),     // segment routing
        v6([0xfc00, 0, 0, 0], 7),      // unique local
        v6([0xfe80, 0, 0, 0], 10),     // link-local
        v6([0xfec0, 0, 0, 0], 10),     // old site-local
        v6([0xff00, 0, 0, 0], 8),      // multicast
    ];
    &NETS
}

/// The resolver handed to the HTTP client: it answers with admitted addresses only, so that no later look-up of the same
/// name can lead elsewhere (DNS rebinding).
#[derive(Debug, Clone)]
pub(crate) struct CheckedResolver(pub(crate) Egress);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let egress = self.0.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let admitted: Vec<SocketAddr> =
                tokio::net::lookup_host((host.as_str(), 0)).await?.filter(|found| egress.admits(found.ip())).collect();
            if admitted.is_empty() {
                return Err(Box::new(EgressError::Address { host }) as Box<dyn std::error::Error + Send + Sync>);
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
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
    fn loopback_only_in_development_and_private_never() {
        check(true, "http://127.0.0.1:18090/", Ok(()));
        check(false, "http://127.0.0.1:18090/", Err("scheme http"));
        check(true, "https://10.0.0.1/", Err("no public address"));
        check(true, "https://[::ffff:10.0.0.1]/", Err("no public address"));
    }

    #[test]
    fn special_addresses_are_not_public() {
        for address in [
            "169.254.169.254",
            "::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "fe80::1",
            "fd00::1",
            "100.64.0.1",
            "0.0.0.0",
            "168.63.129.16",
            "2002:7f00:1::",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "2a00:1450:4007::200e"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
