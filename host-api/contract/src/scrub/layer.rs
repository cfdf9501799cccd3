//! One encoding taken off a text, with the way back: where each byte of it came from. What stands between the encoded places is left
//! out, so that a layer costs what is encoded and not what is written.

use std::ops::Range;

use memchr::{memchr_iter, memchr2_iter};
use zeroize::Zeroizing;

use super::escape::{self, Decoded};
use crate::document::{Hit, SEPARATOR};

/// Stands in a layer where something was left out. No text holds it, and it is no end of a word.
pub(super) const CUT: u8 = 0xfe;

/// So many characters of base64 hold the shortest value that is searched for, wherever it begins.
const BASE64_CHARS_MIN: usize = 7;
/// The same in hexadecimal.
const HEX_DIGITS_MIN: usize = 10;

/// An encoding that can be taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Percent,
    /// Percent, and `+` for a space.
    Form,
    Entity,
    Backslash,
    /// Markup between the characters.
    Tags,
    /// Either alphabet, from this character of each run on.
    Base64(usize),
    /// From this digit of each run on.
    Hex(usize),
    /// Big or little endian, from an even or odd place on.
    Utf16 {
        big: bool,
        odd: usize,
    },
}

impl Kind {
    pub(super) const ALL: [Kind; 15] = [
        Kind::Percent,
        Kind::Form,
        Kind::Entity,
        Kind::Backslash,
        Kind::Tags,
        Kind::Base64(0),
        Kind::Base64(1),
        Kind::Base64(2),
        Kind::Base64(3),
        Kind::Hex(0),
        Kind::Hex(1),
        Kind::Utf16 { big: false, odd: 0 },
        Kind::Utf16 { big: false, odd: 1 },
        Kind::Utf16 { big: true, odd: 0 },
        Kind::Utf16 { big: true, odd: 1 },
    ];
}

/// A text with one encoding taken off.
pub(super) struct Layer {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// For each byte, where it stands in the text below.
    spans: Vec<(u32, u32)>,
}

impl Layer {
    /// Takes one encoding off; none if there is nothing to take off. `reach` bytes on both sides of an escape are kept with it.
    pub(super) fn of(kind: Kind, text: &[u8], reach: usize) -> Option<Self> {
        match kind {
            Kind::Percent => unescaped(text, reach, memchr_iter(b'%', text), |byte| byte == b'%', escape::percent),
            Kind::Form => {
                let introduces = |byte| matches!(byte, b'%' | b'+');
                unescaped(text, reach, memchr2_iter(b'%', b'+', text), introduces, escape::form)
            }
            Kind::Entity => unescaped(text, reach, memchr_iter(b'&', text), |byte| byte == b'&', escape::entity),
            Kind::Backslash => {
                unescaped(text, reach, memchr_iter(b'\\', text), |byte| byte == b'\\', escape::backslash)
            }
            Kind::Tags => unescaped(text, reach, memchr_iter(b'<', text), |byte| byte == b'<', escape::tag),
            Kind::Base64(offset) => base64(text, offset),
            Kind::Hex(offset) => hex(text, offset),
            Kind::Utf16 { big, odd } => utf16(text, reach, big, odd),
        }
    }

    fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(bytes)), spans: Vec::with_capacity(bytes) }
    }

    fn push(&mut self, byte: u8, from: usize, to: usize) {
        self.bytes.push(byte);
        // A text is searched in pieces far below 4 GiB.
        self.spans.push((from as u32, to as u32));
    }

    fn cut(&mut self) {
        self.push(CUT, 0, 0);
    }

    /// Behind a run comes another, from somewhere else.
    fn end(&mut self) {
        self.push(SEPARATOR, 0, 0);
    }

    fn found(self) -> Option<Self> {
        (!self.bytes.is_empty()).then_some(self)
    }

    /// Where something that was found here stands in the text below.
    pub(super) fn back(&self, hit: &Hit) -> Hit {
        let mut below: Hit = Vec::with_capacity(hit.len());
        for &(from, to) in hit.iter().flat_map(|range| &self.spans[range.clone()]) {
            let (from, to) = (from as usize, to as usize);
            match below.last_mut() {
                _ if from == to => {}
                Some(last) if last.end >= from => last.end = last.end.max(to),
                _ => below.push(from..to),
            }
        }
        below
    }
}

/// The surroundings of some places, which come in order.
fn windows(places: impl Iterator<Item = Range<usize>>, reach: usize, length: usize) -> Vec<Range<usize>> {
    let mut windows: Vec<Range<usize>> = Vec::new();
    for place in places {
        let window = place.start.saturating_sub(reach)..(place.end + reach).min(length);
        match windows.last_mut() {
            Some(last) if last.end >= window.start => last.end = window.end.max(last.end),
            _ => windows.push(window),
        }
    }
    windows
}

/// Undoes escapes, keeping what stands around them.
fn unescaped(
    text: &[u8],
    reach: usize,
    candidates: impl Iterator<Item = usize>,
    introduces: impl Fn(u8) -> bool,
    decode: impl Fn(&[u8]) -> Option<Decoded>,
) -> Option<Layer> {
    let escapes = candidates.filter_map(|at| Some(at..at + decode(&text[at..])?.length));
    let windows = windows(escapes, reach, text.len());
    let mut layer = Layer::with_capacity(windows.iter().map(|window| window.len() + 2).sum());
    for window in windows {
        let mut at = window.start;
        if at > 0 {
            layer.cut();
        }
        while at < window.end {
            match introduces(text[at]).then(|| decode(&text[at..])).flatten() {
                Some(decoded) => {
                    decoded.bytes().iter().for_each(|byte| layer.push(*byte, at, at + decoded.length));
                    at += decoded.length;
                }
                None => {
                    layer.push(text[at], at, at + 1);
                    at += 1;
                }
            }
        }
        if window.end < text.len() {
            layer.cut();
        }
    }
    layer.found()
}

/// Runs of at least `min` bytes of an alphabet, by position; line breaks inside a run don't end it where `folded`.
fn runs(text: &[u8], min: usize, folded: bool, wanted: impl Fn(u8) -> bool, mut found: impl FnMut(&[u32])) {
    let mut run: Vec<u32> = Vec::new();
    for (at, &byte) in text.iter().enumerate() {
        if wanted(byte) {
            run.push(at as u32);
        } else if !folded || run.is_empty() || !matches!(byte, b'\r' | b'\n') {
            if run.len() >= min {
                found(&run);
            }
            run.clear();
        }
    }
    if run.len() >= min {
        found(&run);
    }
}

fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

fn base64(text: &[u8], offset: usize) -> Option<Layer> {
    let mut layer = Layer::with_capacity(0);
    runs(
        text,
        BASE64_CHARS_MIN,
        true,
        |byte| sextet(byte).is_some(),
        |run| {
            // Up to the next character, so that no line break tells how many there were.
            let end = |at: usize| run.get(at + 1).map_or(run[at] as usize + 1, |next| *next as usize);
            for (group, four) in run.get(offset..).unwrap_or_default().chunks(4).enumerate() {
                let mut bits = 0_u32;
                for at in 0..4 {
                    let value = four.get(at).and_then(|at| sextet(text[*at as usize])).unwrap_or_default();
                    bits = bits << 6 | u32::from(value);
                }
                // Of a group that is not whole, the bytes of which all bits are there.
                for (byte, from) in four.iter().enumerate().take(four.len() * 6 / 8) {
                    let to = end(offset + 4 * group + byte + 1);
                    layer.push((bits >> (16 - 8 * byte)) as u8, *from as usize, to);
                }
            }
            layer.end();
        },
    );
    layer.found()
}

fn nibble(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

fn hex(text: &[u8], offset: usize) -> Option<Layer> {
    let mut layer = Layer::with_capacity(0);
    runs(
        text,
        HEX_DIGITS_MIN,
        true,
        |byte| byte.is_ascii_hexdigit(),
        |run| {
            for two in run[offset..].chunks_exact(2) {
                let digit = |at: usize| nibble(text[two[at] as usize]).unwrap_or_default();
                layer.push(digit(0) << 4 | digit(1), two[0] as usize, two[1] as usize + 1);
            }
            layer.end();
        },
    );
    layer.found()
}

/// In windows around zeros that stand where a text in ASCII has them.
fn utf16(text: &[u8], reach: usize, big: bool, odd: usize) -> Option<Layer> {
    let zeros = memchr_iter(0, text).filter(|at| text.get(at + 2) == Some(&0));
    let windows = windows(zeros.map(|at| at..at + 1), reach, text.len());
    let mut layer = Layer::with_capacity(windows.iter().map(Range::len).sum());
    let unit =
        |two: &[u8]| if big { u16::from_be_bytes([two[0], two[1]]) } else { u16::from_le_bytes([two[0], two[1]]) };
    for window in windows {
        layer.cut();
        let mut at = window.start / 2 * 2 + odd;
        while let Some(two) = text.get(at..at + 2).filter(|_| at < window.end) {
            let pair = text.get(at + 2..at + 4).map(unit);
            let c = char::decode_utf16(std::iter::once(unit(two)).chain(pair)).next();
            let c = c.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER);
            let end = at + 2 * c.len_utf16();
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| layer.push(byte, at, end));
            at = end;
        }
        layer.cut();
    }
    layer.found()
}
