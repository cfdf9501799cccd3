//! JSON strings: from their source text to their content and back.

use std::borrow::Cow;

/// The content of a string whose grammar has been checked; `source` includes the quotes.
pub(in super::super) fn content(source: &str) -> Cow<'_, str> {
    let inner = &source[1..source.len() - 1];
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut content = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        content.push_str(&rest[..at]);
        let escape = rest.as_bytes()[at + 1];
        rest = &rest[at + 2..];
        content.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => character(&mut rest),
            // A quote, a backslash, a slash: themselves.
            same => char::from(same),
        });
    }
    content.push_str(rest);
    Cow::Owned(content)
}

/// The character of a `\u` escape whose digits are next; takes the second half of a pair as well.
fn character(rest: &mut &str) -> char {
    let first = unit(rest);
    *rest = &rest[4..];
    if (0xd800..0xdc00).contains(&first)
        && let Some(second) = rest.strip_prefix("\\u").map(unit).filter(|second| (0xdc00..0xe000).contains(second))
    {
        *rest = &rest[6..];
        return char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
            .unwrap_or(char::REPLACEMENT_CHARACTER);
    }
    char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn unit(digits: &str) -> u32 {
    u32::from_str_radix(&digits[..4], 16).unwrap_or(0xfffd)
}

/// A string literal with that content.
pub(in super::super) fn literal(content: &str) -> String {
    let mut literal = String::with_capacity(content.len() + 2);
    literal.push('"');
    for c in content.chars() {
        match c {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            ..' ' => literal.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}
