//! Which charset a source is written in, by the rules browsers follow (WHATWG): byte order mark, then the transport's word, then what
//! the first 1,024 bytes say, then windows-1252 for HTML and UTF-8 for XML. JSON is UTF-8 and nothing else.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::Format;

/// So much of an HTML source is searched for a `meta` element.
const PRESCAN_BYTES: usize = 1024;

/// The value of `charset=` in a `Content-Type`, if there is one.
#[must_use]
pub fn label_of(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

/// Decodes a source. Bytes that are not of the charset become U+FFFD, as in every browser.
pub(crate) fn decode<'b>(
    format: Format,
    bytes: &'b [u8],
    transport: Option<&str>,
) -> (Cow<'b, str>, &'static Encoding) {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes)
        && (format != Format::Json || encoding == UTF_8)
    {
        return (encoding.decode_without_bom_handling(&bytes[mark..]).0, encoding);
    }
    let encoding = match format {
        Format::Json => UTF_8,
        Format::Html => label(transport).or_else(|| prescan(bytes)).unwrap_or(WINDOWS_1252),
        Format::Xml => label(transport).or_else(|| xml_declaration(bytes)).unwrap_or(UTF_8),
    };
    (encoding.decode_without_bom_handling(bytes).0, encoding)
}

fn label(transport: Option<&str>) -> Option<&'static Encoding> {
    Encoding::for_label(transport?.as_bytes())
}

/// What a source may claim about itself: one that could be read this far is not UTF-16.
fn claimed(label: &[u8]) -> Option<&'static Encoding> {
    let encoding = Encoding::for_label(label)?;
    Some(if encoding == UTF_16LE || encoding == UTF_16BE { UTF_8 } else { encoding })
}

fn xml_declaration(bytes: &[u8]) -> Option<&'static Encoding> {
    // UTF-16 without a mark: the declaration's first characters show it.
    match bytes.get(..4)? {
        [b'<', 0, b'?', 0] => return Some(UTF_16LE),
        [0, b'<', 0, b'?'] => return Some(UTF_16BE),
        _ => {}
    }
    let head = bytes.get(..bytes.len().min(PRESCAN_BYTES))?.strip_prefix(b"<?xml")?;
    let head = &head[..find(head, b"?>")?];
    let after = head[find(head, b"encoding")? + b"encoding".len()..].trim_ascii_start();
    let value = after.strip_prefix(b"=")?.trim_ascii_start();
    let (quote, value) = value.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
    claimed(&value[..value.iter().position(|byte| byte == quote)?])
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Looks for `<meta charset>` or `<meta http-equiv=content-type content=...>`, past comments and other tags.
fn prescan(bytes: &[u8]) -> Option<&'static Encoding> {
    let mut rest = Scan { bytes: &bytes[..bytes.len().min(PRESCAN_BYTES)] };
    while !rest.bytes.is_empty() {
        let here = rest.bytes;
        if here.starts_with(b"<!--") {
            // `<!-->` is a whole comment: the dashes may be shared.
            rest.skip(find(&here[2..], b"-->")? + 5);
        } else if starts_with_word(here, b"<meta") {
            rest.skip(5);
            if let Some(encoding) = rest.meta() {
                return Some(encoding);
            }
        } else if here.starts_with(b"<")
            && (here.get(1).is_some_and(u8::is_ascii_alphabetic)
                || here.get(1) == Some(&b'/') && here.get(2).is_some_and(u8::is_ascii_alphabetic))
        {
            rest.skip(here.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'>')?);
            while rest.attribute().is_some() {}
        } else if here.starts_with(b"<!") || here.starts_with(b"</") || here.starts_with(b"<?") {
            rest.skip(here.iter().position(|byte| *byte == b'>')? + 1);
        } else {
            rest.skip(1);
        }
    }
    None
}

fn starts_with_word(bytes: &[u8], word: &[u8]) -> bool {
    bytes.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
        && bytes.get(word.len()).is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b'/')
}

struct Scan<'b> {
    bytes: &'b [u8],
}

impl Scan<'_> {
    fn skip(&mut self, count: usize) {
        self.bytes = self.bytes.get(count..).unwrap_or_default();
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> Vec<u8> {
        let end = self.bytes.iter().position(|byte| !wanted(*byte)).unwrap_or(self.bytes.len());
        let taken = self.bytes[..end].to_ascii_lowercase();
        self.skip(end);
        taken
    }

    fn spaces(&mut self) {
        self.take_while(|byte| byte.is_ascii_whitespace());
    }

    /// The next attribute of the tag being read, in lower case; `None` at the tag's end.
    fn attribute(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        self.take_while(|byte| byte.is_ascii_whitespace() || byte == b'/');
        if self.bytes.first().is_none_or(|byte| *byte == b'>') {
            self.skip(1);
            return None;
        }
        let first = self.bytes[0].to_ascii_lowercase();
        self.skip(1);
        let mut name = vec![first];
        name.extend(self.take_while(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'>' | b'=')));
        self.spaces();
        if self.bytes.first() != Some(&b'=') {
            return Some((name, Vec::new()));
        }
        self.skip(1);
        self.spaces();
        let value = match self.bytes.first() {
            Some(quote @ (b'"' | b'\'')) => {
                let quote = *quote;
                self.skip(1);
                let value = self.take_while(|byte| byte != quote);
                self.skip(1);
                value
            }
            _ => self.take_while(|byte| !byte.is_ascii_whitespace() && byte != b'>'),
        };
        Some((name, value))
    }

    fn meta(&mut self) -> Option<&'static Encoding> {
        let (mut is_content_type, mut charset, mut content) = (false, None, None);
        while let Some((name, value)) = self.attribute() {
            match name.as_slice() {
                b"http-equiv" => is_content_type |= value == b"content-type",
                b"charset" if charset.is_none() => charset = Some(value),
                b"content" if content.is_none() => content = Some(value),
                _ => {}
            }
        }
        match (charset, content) {
            (Some(charset), _) => claimed(&charset),
            (None, Some(content)) if is_content_type => claimed(label_in_content(&content)?),
            _ => None,
        }
    }
}

/// The charset in the `content` of a `meta`: `text/html; charset=iso-8859-15`, with the sloppiness the standard asks for.
fn label_in_content(content: &[u8]) -> Option<&[u8]> {
    let mut rest = content;
    loop {
        rest = rest[find(rest, b"charset")? + b"charset".len()..].trim_ascii_start();
        if let Some(value) = rest.strip_prefix(b"=") {
            rest = value.trim_ascii_start();
            break;
        }
    }
    match rest.split_first()? {
        (quote @ (b'"' | b'\''), value) => Some(&value[..value.iter().position(|byte| byte == quote)?]),
        _ => Some(
            &rest[..rest.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b';').unwrap_or(rest.len())],
        ),
    }
}
