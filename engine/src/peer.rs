//! Addresses of peers, cut before anything keeps them: what is left names a network, not a person.
//!
//! [`CutAddress`] is the only form of an address that is logged, stored or counted.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Serialize, Serializer};

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

#[cfg(test)]
mod tests {
    use super::*;

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
