//! Escapes, one at a time: what stands at the beginning of a text, and how much of the text it takes. Lenient, as readers are: what
//! any of them would read as a character is one here.

use html5ever::data::{C1_REPLACEMENTS, NAMED_ENTITIES};
use memchr::{memchr3, memmem};

use super::layer::CUT;
use crate::document::SEPARATOR;

/// Longest tag that is passed over.
const TAG_BYTES_MAX: usize = 4096;
/// Longest name of a character reference, `&` included.
const ENTITY_BYTES_MAX: usize = 34;

/// One escape.
pub(super) struct Decoded {
    /// Bytes that it takes.
    pub(super) length: usize,
    out: [u8; 8],
    size: usize,
}

impl Decoded {
    /// What it stands for.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.out[..self.size]
    }

    fn byte(length: usize, byte: u8) -> Self {
        let mut out = [0; 8];
        out[0] = byte;
        Self { length, out, size: 1 }
    }

    fn nothing(length: usize) -> Self {
        Self { length, out: [0; 8], size: 0 }
    }

    fn chars(length: usize, chars: impl IntoIterator<Item = char>) -> Self {
        let mut decoded = Self::nothing(length);
        for c in chars {
            // At most two characters come here.
            decoded.size += c.encode_utf8(&mut decoded.out[decoded.size..]).len();
        }
        decoded
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

/// Exactly so many hexadecimal digits.
fn digits(text: &[u8], count: usize) -> Option<u32> {
    let digits = text.get(..count).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    number(digits, 16)
}

/// A UTF-16 unit behind this prefix, with its second half if it has one.
fn unit(text: &[u8], prefix: &[u8]) -> Option<Decoded> {
    let length = prefix.len() + 4;
    let first = digits(text.strip_prefix(prefix)?, 4)?;
    if let Some(c) = char::from_u32(first) {
        return Some(Decoded::chars(length, [c]));
    }
    let second = digits(text.get(length..)?.strip_prefix(prefix)?, 4)?;
    let pair = char::decode_utf16([first as u16, second as u16]).next()?.ok()?;
    Some(Decoded::chars(2 * length, [pair]))
}

/// `%XX`, and `%uXXXX` as old scripts write it.
pub(super) fn percent(text: &[u8]) -> Option<Decoded> {
    match digits(text.strip_prefix(b"%")?, 2) {
        Some(byte) => Some(Decoded::byte(3, byte as u8)),
        None => unit(text, b"%u"),
    }
}

/// As [`percent`], and `+`.
pub(super) fn form(text: &[u8]) -> Option<Decoded> {
    if text.first() == Some(&b'+') { Some(Decoded::byte(1, b' ')) } else { percent(text) }
}

/// A character reference of HTML; the semicolon may be missing.
pub(super) fn entity(text: &[u8]) -> Option<Decoded> {
    let rest = text.strip_prefix(b"&")?;
    let Some(numeric) = rest.strip_prefix(b"#") else { return named(rest) };
    let (digits, radix, before) = match numeric.strip_prefix(b"x").or_else(|| numeric.strip_prefix(b"X")) {
        Some(digits) => (digits, 16, 3),
        None => (numeric, 10, 2),
    };
    let count = digits.iter().take(12).take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let code = number(&digits[..count], radix)?;
    let replaced = code.checked_sub(0x80).and_then(|at| C1_REPLACEMENTS.get(at as usize)).copied().flatten();
    let c = replaced.or_else(|| char::from_u32(code))?;
    Some(Decoded::chars(before + count + usize::from(digits.get(count) == Some(&b';')), [c]))
}

fn named(rest: &[u8]) -> Option<Decoded> {
    let count = rest.iter().take(ENTITY_BYTES_MAX).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let whole = count + usize::from(rest.get(count) == Some(&b';'));
    (2..=whole).rev().find_map(|length| {
        let &(first, second) = NAMED_ENTITIES.get(std::str::from_utf8(&rest[..length]).ok()?)?;
        let chars = [first, second].into_iter().filter(|code| *code != 0).filter_map(char::from_u32);
        (first != 0).then(|| Decoded::chars(1 + length, chars))
    })
}

/// The escapes of JSON and JavaScript strings.
pub(super) fn backslash(text: &[u8]) -> Option<Decoded> {
    let byte = |byte| Some(Decoded::byte(2, byte));
    match text.get(1)? {
        b'n' => byte(b'\n'),
        b'r' => byte(b'\r'),
        b't' => byte(b'\t'),
        b'b' => byte(8),
        b'f' => byte(12),
        b'v' => byte(11),
        b'0' => byte(0),
        b'x' => Some(Decoded::chars(4, [char::from(digits(&text[2..], 2)? as u8)])),
        b'u' if text.get(2) == Some(&b'{') => {
            let count = text[3..].iter().take(8).take_while(|byte| byte.is_ascii_hexdigit()).count();
            let c = char::from_u32(number(&text[3..3 + count], 16)?)?;
            (text.get(3 + count) == Some(&b'}')).then(|| Decoded::chars(4 + count, [c]))
        }
        b'u' => unit(text, b"\\u"),
        same if same.is_ascii_punctuation() => byte(*same),
        _ => None,
    }
}

/// A tag or a comment: nothing.
pub(super) fn tag(text: &[u8]) -> Option<Decoded> {
    if !matches!(text.get(1)?, b'a'..=b'z' | b'A'..=b'Z' | b'/' | b'!' | b'?') {
        return None;
    }
    let near = &text[..text.len().min(TAG_BYTES_MAX)];
    if text.starts_with(b"<!--") {
        return Some(Decoded::nothing(memmem::find(near, b"-->")? + 3));
    }
    let end = memchr3(b'>', SEPARATOR, CUT, near)?;
    (near[end] == b'>').then(|| Decoded::nothing(end + 1))
}
