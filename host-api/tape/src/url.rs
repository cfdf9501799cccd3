//! Addresses: where a site keeps its things stays as far as it is names; what is in them does not.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::redact::{Redactor, Rule};
use crate::values::opaque;

/// What a segment or a parameter does not hold as it is.
const SPECIAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

impl Redactor<'_> {
    /// An address, absolute or relative.
    pub(crate) fn url(&mut self, text: &str) -> String {
        let (text, fragment) = split(text, '#');
        let (text, query) = split(text, '?');
        let mut out = String::with_capacity(text.len());
        let path = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
                let end = rest.find('/').unwrap_or(rest.len());
                out += &self.authority(&text[..scheme.len() + 3], &rest[..end]);
                &rest[end..]
            }
            _ => match text.split_once(':').map(|(scheme, _)| scheme.trim().to_ascii_lowercase()).as_deref() {
                Some(scheme @ ("mailto" | "tel")) => {
                    out += &format!("{scheme}:");
                    let rest = text.split_once(':').map_or("", |(_, rest)| rest);
                    out += &self.value(rest);
                    ""
                }
                // A script, or a file in itself: nothing of it is an address.
                Some(scheme) if !scheme.contains(['/', '.']) => {
                    self.dropped(text);
                    return "about:blank".to_owned();
                }
                _ => text,
            },
        };
        for (at, segment) in path.split('/').enumerate() {
            out += if at > 0 { "/" } else { "" };
            let decoded = percent_decode_str(segment).decode_utf8_lossy().into_owned();
            out += &encoded(&self.segment(&decoded));
        }
        if let Some(query) = query {
            out.push('?');
            out += &self.query(query);
        }
        if let Some(fragment) = fragment {
            out.push('#');
            out += &encoded(&self.name(&percent_decode_str(fragment).decode_utf8_lossy()));
        }
        out
    }

    fn segment(&mut self, segment: &str) -> String {
        match opaque(segment).filter(|end| *end == segment.len()) {
            Some(_) if !self.allowed.has_name(segment) => self.opaque(segment),
            _ => self.name(segment),
        }
    }

    fn authority(&mut self, scheme: &str, authority: &str) -> String {
        let origin = format!("{scheme}{authority}");
        if self.allowed.has_origin(&origin) {
            return self.kept(Rule::Origin, &origin);
        }
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        // A port, or an address in numbers, is equal to nothing on a page.
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let host: String = host.chars().map(|c| if c.is_numeric() { '0' } else { c }).collect();
        format!("{scheme}{}", self.name(&host))
    }

    /// `name=value&…`, also as the body of a form.
    pub(crate) fn query(&mut self, query: &str) -> String {
        let mut pairs = Vec::new();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
            let name = encoded(&self.name(&decoded(name)));
            pairs.push(match value {
                Some(value) => {
                    let value = decoded(value);
                    let other = if value.starts_with('/') { self.url(&value) } else { self.choice(None, &value) };
                    format!("{name}={}", encoded(&other))
                }
                None => name,
            });
        }
        pairs.join("&")
    }
}

fn split(text: &str, sign: char) -> (&str, Option<&str>) {
    text.split_once(sign).map_or((text, None), |(text, rest)| (text, Some(rest)))
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, SPECIAL).to_string()
}
