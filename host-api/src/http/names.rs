//! Which headers a connector may put into a request. Everything that frames, routes or packs a request is the host's; so is whatever would
//! let the server take it for another request than the one that was checked, or cut an answer so that a secret in it can't be found.

/// Headers of the host's, besides those that begin with a prefix of [`PREFIXES`].
const HOST: [&str; 29] = [
    // Framing and routing (RFC 9110, RFC 9112), and what goes from hop to hop only.
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "http2-settings",
    "alt-used",
    "max-forwards",
    "via",
    "forwarded",
    "x-real-ip",
    // The jar's, and the body's.
    "cookie",
    "cookie2",
    "content-type",
    "content-encoding",
    // How the answer is packed and cut: a piece of an answer, or its digest, can't be scrubbed.
    "accept-encoding",
    "range",
    "a-im",
    "want-digest",
    "want-content-digest",
    "want-repr-digest",
    // Another request in the clothes of this one.
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// The same, by how they begin.
const PREFIXES: [&str; 6] = ["if-", "proxy-", "sec-", "x-forwarded-", "x-http-method-", "x-original-"];

/// Whether a header, by its name in lower case, is the host's alone.
pub(super) fn is_host_header(name: &str) -> bool {
    HOST.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The rule in words, for a connector's author.
pub(super) const RULE: &str = "a header is no valid name, or one of the host's: what frames, routes or packs a request \
    (host, content-*, connection, accept-encoding, range, ...), cookies, proxy-*, sec-*, x-forwarded-*, and what names another method or URL";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_frames_routes_packs_or_disguises_a_request_is_the_hosts() {
        for name in [
            "host",
            "cookie",
            "content-length",
            "transfer-encoding",
            "connection",
            "proxy-authorization",
            "proxy-connection",
            "sec-fetch-site",
            "sec-websocket-key",
            "x-forwarded-host",
            "x-forwarded-for",
            "x-http-method-override",
            "x-original-url",
            "range",
            "if-none-match",
            "accept-encoding",
        ] {
            assert!(is_host_header(name), "{name}");
        }
        for name in [
            "authorization",
            "accept",
            "accept-language",
            "origin",
            "referer",
            "x-csrf-token",
            "user-agent",
            "security-token",
        ] {
            assert!(!is_host_header(name), "{name}");
        }
    }
}
