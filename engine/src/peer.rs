//! Addresses of peers, cut before anything keeps them: what is left names a network, not a person.
//!
//! [`CutAddress`] is the only form of an address that is logged, stored or counted. A [`PersonAddress`] is whole, for Data Sources that have to be
//! told it (PSD2): it goes into the vault of one run, and has no form that could be written anywhere.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

/// What is left of an address: an IPv4 /16 or an IPv6 /48.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CutAddress(IpAddr);

impl CutAddress {
    /// Cuts an address. An IPv4 address written as IPv6 is cut as what it is.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, ..] = v4.octets();
                Ipv4Addr::new(a, b, 0, 0).into()
            }
            IpAddr::V6(v6) => {
                let [a, b, c, ..] = v6.segments();
                Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into()
            }
        })
    }
}

impl fmt::Display for CutAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.0.is_ipv4() { 16 } else { 48 };
        write!(f, "{}/{bits}", self.0)
    }
}

impl Serialize for CutAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The whole address that a person comes from. Its `Debug` shows the network.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PersonAddress(IpAddr);

impl PersonAddress {
    /// Where a request comes from: the peer of the connection; behind a trusted proxy, the last of those which its `x-forwarded-for` names that is
    /// no such proxy itself. What stands before it anybody may have written. None if that is no address of the public internet.
    pub fn of(peer: IpAddr, forwarded: &str, trusted: &[IpAddr]) -> Option<Self> {
        let trusts = |address: IpAddr| trusted.iter().any(|proxy| proxy.to_canonical() == address);
        let mut address = peer.to_canonical();
        let mut named = forwarded.rsplit(',').map(str::trim);
        while trusts(address) {
            address = parse(named.next()?)?.to_canonical();
        }
        is_public(address).then_some(Self(address))
    }

    /// As a Data Source is told it. Wiped when dropped.
    pub fn value(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.to_string().into_bytes())
    }
}

impl fmt::Debug for PersonAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonAddress({}, ..)", CutAddress::of(self.0))
    }
}

/// An address, with a port or without.
fn parse(text: &str) -> Option<IpAddr> {
    let plain = text.trim_start_matches('[').trim_end_matches(']');
    plain.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

/// Whether it may be that of a person out there: not this machine's, and not one of a network of its own.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.is_loopback() || v4.is_unspecified() || v4.is_private() || v4.is_link_local()),
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_believed_only_as_far_as_it_is_trusted() {
        let trusted = ["127.0.0.1", "2001:db8::1", "203.0.113.9"].map(|text| text.parse().unwrap());
        for (peer, forwarded, wanted) in [
            ("203.0.113.77", "", Some("203.0.113.77")),
            // Whoever is no proxy of ours says what they like.
            ("203.0.113.77", "198.51.100.1", Some("203.0.113.77")),
            ("127.0.0.1", "203.0.113.77", Some("203.0.113.77")),
            ("::ffff:127.0.0.1", "203.0.113.77", Some("203.0.113.77")),
            ("127.0.0.1", "198.51.100.1, 203.0.113.77, 203.0.113.9", Some("203.0.113.77")),
            ("127.0.0.1", "203.0.113.77:4711", Some("203.0.113.77")),
            ("2001:db8::1", "[2001:db8:5::7]:4711", Some("2001:db8:5::7")),
            ("127.0.0.1", "2001:db8:5::7", Some("2001:db8:5::7")),
            ("127.0.0.1", "", None),
            ("127.0.0.1", "203.0.113.77, unknown", None),
            ("127.0.0.1", "10.0.0.7", None),
            ("192.168.1.9", "203.0.113.77", None),
        ] {
            let found = PersonAddress::of(peer.parse().unwrap(), forwarded, &trusted);
            let found = found.map(|address| String::from_utf8(address.value().to_vec()).unwrap());
            assert_eq!(found.as_deref(), wanted, "{peer} {forwarded}");
        }
        let address = PersonAddress::of("203.0.113.77".parse().unwrap(), "", &[]).unwrap();
        assert_eq!(format!("{address:?}"), "PersonAddress(203.0.0.0/16, ..)");
    }

    #[test]
    fn only_the_network_is_left_of_an_address() {
        for (full, left) in [
            ("203.0.113.77", "203.0.0.0/16"),
            ("255.255.255.255", "255.255.0.0/16"),
            ("2001:db8:1234:5678::9", "2001:db8:1234::/48"),
            ("::ffff:203.0.113.77", "203.0.0.0/16"),
            ("::1", "::/48"),
        ] {
            let cut = CutAddress::of(full.parse().unwrap());
            assert_eq!(cut.to_string(), left);
            assert!(!format!("{cut:?}").contains("113"));
        }
    }
}
