//! Where requests may go, against a reading that is plain and slow: nothing gets through but a declared origin over TLS at a public
//! address, however the address is spelt, and each hop of a chain of redirects is held to it again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use consentry_contract::manifest::Origin;
use consentry_host_api::egress::Egress;
use url::Url;

/// Takes lines: the declared origins, with blanks between them; `dev` or nothing; the first URL; then what each redirect says.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.lines();
    let origins: Vec<Origin> =
        lines.next().unwrap_or_default().split(' ').take(8).filter_map(|text| Origin::parse(text).ok()).collect();
    for origin in &origins {
        assert!(origin.scheme() == "https" || (origin.scheme() == "http" && origin.is_loopback()), "{origin}");
    }
    let development = lines.next() == Some("dev");
    let egress = Egress::new(&origins, development);
    let mut here: Option<Url> = None;
    for line in lines.take(16) {
        let next = match &here {
            None => Url::parse(line),
            Some(here) => here.join(line),
        };
        let Ok(url) = next else { return };
        let allowed = egress.check(&url);
        let expected = reading(&url, &origins, development);
        assert_eq!(allowed.is_ok(), expected, "{url} is {allowed:?}");
        if let Err(error) = &allowed {
            quiet(&egress, &error.to_string(), &url);
        } else if Url::parse(line).is_ok() {
            spelt(line, development);
        }
        if allowed.is_err() {
            return;
        }
        here = Some(url);
    }
}

/// The same question, asked of the parts of the written URL.
fn reading(url: &Url, origins: &[Origin], development: bool) -> bool {
    let text = url.as_str();
    let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| !scheme.contains(':')) else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') || authority.is_empty() {
        return false;
    }
    let (host, port) = match authority.rfind(':').filter(|at| !authority[*at..].contains(']')) {
        Some(at) => (&authority[..at], authority[at + 1..].parse().unwrap()),
        None => (authority, if scheme == "https" { 443 } else { 80 }),
    };
    let address: Option<IpAddr> = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .map_or_else(|| host.parse::<Ipv4Addr>().map(IpAddr::from), |host| host.parse::<Ipv6Addr>().map(IpAddr::from))
        .ok();
    let name_of_this_machine = host == "localhost" || host.ends_with(".localhost");
    let this_machine = address.map_or(name_of_this_machine, |address| address.is_loopback());
    let by_scheme = scheme == "https" || (scheme == "http" && development && this_machine);
    let declared = origins.iter().any(|origin| (origin.scheme(), origin.host(), origin.port()) == (scheme, host, port));
    let reachable = match address {
        Some(address) => is_public(address) || (development && this_machine),
        None => development || !name_of_this_machine,
    };
    by_scheme && declared && reachable
}

/// The blocks of the IANA registries, by their first and last addresses.
fn is_public(address: IpAddr) -> bool {
    let v4 = |text: &str| u32::from(text.parse::<Ipv4Addr>().unwrap());
    match address {
        IpAddr::V4(address) => {
            let special = [
                ("0.0.0.0", "0.255.255.255"),
                ("10.0.0.0", "10.255.255.255"),
                ("100.64.0.0", "100.127.255.255"),
                ("127.0.0.0", "127.255.255.255"),
                ("168.63.129.16", "168.63.129.16"),
                ("169.254.0.0", "169.254.255.255"),
                ("172.16.0.0", "172.31.255.255"),
                ("192.0.0.0", "192.0.0.255"),
                ("192.0.2.0", "192.0.2.255"),
                ("192.88.99.0", "192.88.99.255"),
                ("192.168.0.0", "192.168.255.255"),
                ("198.18.0.0", "198.19.255.255"),
                ("198.51.100.0", "198.51.100.255"),
                ("203.0.113.0", "203.0.113.255"),
                ("224.0.0.0", "255.255.255.255"),
            ];
            !special.iter().any(|(first, last)| (v4(first)..=v4(last)).contains(&u32::from(address)))
        }
        IpAddr::V6(address) => {
            let [a, b, .., e, f, _, _] = address.segments();
            let given_out = (0x2000..=0x3fff).contains(&a);
            let special = (a == 0x2001 && (b < 0x0200 || b == 0x0db8))
                || a == 0x2002
                || a == 0x3ffe
                || (a == 0x3fff && b < 0x1000)
                || (f == 0x5efe && (e == 0 || e == 0x0200));
            given_out && !special
        }
    }
}

/// What C libraries take for an address (`0x7f.1`, `017700000001`, `2130706433`) is none that is not public.
fn spelt(text: &str, development: bool) {
    let lower = text.to_ascii_lowercase();
    // `http:http://1` is the host `http` with a path.
    let Some((_, rest)) = lower.split_once("://").filter(|(scheme, _)| !scheme.contains(':')) else { return };
    let host = rest.split(['/', '?', '#', ':', '\\']).next().unwrap_or_default().trim_end_matches('.');
    let parts: Option<Vec<u64>> = host
        .split('.')
        .map(|part| match (part.strip_prefix("0x"), part.strip_prefix('0')) {
            (Some(digits), _) => u64::from_str_radix(digits, 16).ok(),
            (None, Some(digits)) if !digits.is_empty() => u64::from_str_radix(digits, 8).ok(),
            _ => part.parse().ok(),
        })
        .collect();
    let Some(parts) = parts.filter(|parts| parts.len() <= 4) else { return };
    let Some((last, first)) = parts.split_last() else { return };
    let mut address = *last;
    for (at, part) in first.iter().enumerate() {
        address |= part << (24 - 8 * at);
    }
    let Ok(address) = u32::try_from(address) else { return };
    let address = IpAddr::V4(address.into());
    assert!(is_public(address) || (development && address.is_loopback()), "{text} is {address}");
}

/// A refusal tells the origin at most: paths and queries may carry values, and it is the same whatever they are.
#[track_caller]
fn quiet(egress: &Egress, told: &str, url: &Url) {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    if url.cannot_be_a_base() {
        bare = Url::parse(&format!("{}:x", url.scheme())).unwrap();
    } else {
        bare.set_path("/x");
    }
    assert_eq!(egress.check(&bare).unwrap_err().to_string(), told, "{url}");
    crate::text::plain("a refusal", told);
}
