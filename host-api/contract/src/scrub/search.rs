//! Finds values in a text, however they are written there. The text is decoded rather than the values encoded: encoders differ in what
//! they escape, and every one of them is undone by the same few rules.

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use encoding_rs::{EncoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use zeroize::Zeroizing;

use super::layer::{CUT, Kind, Layer};
use crate::document::{DocumentError, Exhausted, Hit, Meter};

/// Values with fewer characters are not searched for: a page is full of four-digit numbers, and each that vanished would tell one.
pub const VALUE_CHARS_MIN: usize = 5;
/// So many encodings are taken off, one below the other.
const DEPTH: u32 = 2;
/// What one character may grow to in two encodings.
const GROWTH: usize = 36;
/// Bounds of what is kept around an escape.
const REACH: (usize, usize) = (256, 64 * 1024);
/// A text is searched in pieces of this size, which bounds the memory for its layers.
const PIECE_BYTES: usize = 256 * 1024;

/// What a value is made of. One of a single kind stands in a text as a whole word, or it is not meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letters,
    Digits,
    Mixed,
}

#[derive(Clone, Copy)]
struct Traits {
    class: Class,
    /// It holds characters that end a token of markup.
    markup: bool,
    /// The charset that it is in, unless it is ASCII.
    charset: Option<&'static Encoding>,
}

/// Where a text that is searched comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// Anything may stand there.
    Free,
    /// The page's own vocabulary: names, classes, types. A word is no trace of a secret there.
    Vocabulary,
    /// The source of markup, where only values count that can't be one token of it.
    Source,
    /// Bytes of this charset before they were decoded, where only what is in another counts. No encoding is taken off.
    Undecoded(&'static Encoding),
}

/// Values to be found.
pub(super) struct Search {
    automaton: AhoCorasick,
    traits: Vec<Traits>,
    reach: usize,
    spaces: bool,
    markup: bool,
    charset: bool,
}

impl Search {
    /// For these values; none if there are none. Values that are too short to be looked for are never found, and treated as others are:
    /// what is done with an answer must not tell how long they are. More than `bytes_max` of them are refused.
    pub(super) fn new<'v>(
        values: impl IntoIterator<Item = &'v [u8]>,
        bytes_max: usize,
    ) -> Result<Option<Self>, DocumentError> {
        let mut patterns: Vec<(Zeroizing<Vec<u8>>, Traits)> = Vec::new();
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return Ok(None);
        }
        for value in values {
            spellings(value, &mut patterns);
            if patterns.iter().map(|(pattern, _)| pattern.len()).sum::<usize>() > bytes_max {
                return Err(DocumentError::Limit { which: SECRET_BYTES, max: bytes_max as u64 });
            }
        }
        patterns.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        patterns.dedup_by(|one, other| one.0 == other.0);
        let longest = patterns.iter().map(|(pattern, _)| pattern.len()).max().unwrap_or_default();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            // For one answer: a faster kind takes longer to be made than it saves.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            // A prefilter would hold the values as they are.
            .prefilter(false)
            .build(patterns.iter().map(|(pattern, _)| pattern.as_slice()))
            .map_err(|_| DocumentError::Limit { which: SECRET_BYTES, max: bytes_max as u64 })?;
        let traits: Vec<Traits> = patterns.iter().map(|(_, traits)| *traits).collect();
        Ok(Some(Self {
            automaton,
            reach: (longest * GROWTH).clamp(REACH.0, REACH.1),
            spaces: patterns.iter().any(|(pattern, _)| pattern.contains(&b' ')),
            markup: traits.iter().any(|traits| traits.markup),
            charset: traits.iter().any(|traits| traits.charset.is_some()),
            traits,
        }))
    }

    /// Every place where one of the values stands.
    pub(super) fn hits(&self, text: &[u8], ground: Ground, meter: &mut dyn Meter) -> Result<Vec<Hit>, DocumentError> {
        match ground {
            _ if self.traits.is_empty() => return Ok(Vec::new()),
            Ground::Source if !self.markup => return Ok(Vec::new()),
            Ground::Undecoded(_) if !self.charset => return Ok(Vec::new()),
            _ => {}
        }
        let depth = match ground {
            Ground::Undecoded(_) => 0,
            // One more for the markup's own: `a&` is in `a&amp;`, but that is where it ends.
            Ground::Source => DEPTH + 1,
            Ground::Free | Ground::Vocabulary => DEPTH,
        };
        if text.len() <= PIECE_BYTES + 2 * self.reach {
            return Ok(self.layers(text, depth, ground, meter)?);
        }
        let mut hits = Vec::new();
        for start in (0..text.len()).step_by(PIECE_BYTES) {
            let from = start.saturating_sub(self.reach);
            let piece = &text[from..(start + PIECE_BYTES + self.reach).min(text.len())];
            let moved = |hit: Hit| hit.into_iter().map(|range| range.start + from..range.end + from).collect();
            hits.extend(self.layers(piece, depth, ground, meter)?.into_iter().map(moved));
        }
        Ok(hits)
    }

    fn layers(&self, text: &[u8], depth: u32, ground: Ground, meter: &mut dyn Meter) -> Result<Vec<Hit>, Exhausted> {
        meter.check()?;
        let mut hits = self.plain(text, ground);
        if depth == 0 || text.len() < VALUE_CHARS_MIN {
            return Ok(hits);
        }
        for kind in Kind::ALL {
            // Without a space in any value, the plus of a form changes nothing.
            if kind == Kind::Form && !self.spaces {
                continue;
            }
            if let Some(layer) = Layer::of(kind, text, self.reach) {
                let found = self.layers(&layer.bytes, depth - 1, ground, meter)?;
                hits.extend(found.iter().map(|hit| layer.back(hit)).filter(|hit| !hit.is_empty()));
            }
        }
        Ok(hits)
    }

    /// Where the values stand as they are. Places that overlap are one: otherwise `aaaaaa` would be as many as it has letters.
    fn plain(&self, text: &[u8], ground: Ground) -> Vec<Hit> {
        let mut hits: Vec<Hit> = Vec::new();
        for found in self.automaton.find_overlapping_iter(text) {
            let traits = self.traits[found.pattern().as_usize()];
            let counts = match ground {
                Ground::Free => true,
                Ground::Vocabulary => traits.class == Class::Mixed,
                Ground::Source => traits.markup,
                Ground::Undecoded(page) => traits.charset.is_some_and(|charset| charset != page),
            };
            if !counts || !stands_alone(traits.class, text, found.start(), found.end()) {
                continue;
            }
            let mut range = found.start()..found.end();
            // Ends come in order, starts do not: a longer value takes up those inside it.
            while let Some(last) = hits.last().map(|hit| hit[0].clone()).filter(|last| last.end > range.start) {
                range.start = range.start.min(last.start);
                hits.pop();
            }
            hits.push(Vec::from([range]));
        }
        hits
    }
}

/// What the limit on the size of values is called in errors.
pub(super) const SECRET_BYTES: &str = "secret_bytes";

/// A value as it may be written without being encoded.
fn spellings(value: &[u8], patterns: &mut Vec<(Zeroizing<Vec<u8>>, Traits)>) {
    let mut add = |bytes: Vec<u8>, traits| patterns.push((Zeroizing::new(bytes), traits));
    let Ok(text) = std::str::from_utf8(value) else {
        if value.len() >= VALUE_CHARS_MIN {
            add(value.to_vec(), Traits { class: Class::Mixed, markup: false, charset: None });
        }
        return;
    };
    if text.chars().count() < VALUE_CHARS_MIN {
        return;
    }
    let class = if text.chars().all(char::is_alphabetic) {
        Class::Letters
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
        Class::Digits
    } else {
        Class::Mixed
    };
    let markup = text.contains(|c: char| c.is_whitespace() || "<>&\"'=`/".contains(c));
    let traits = Traits { class, markup, charset: (!text.is_ascii()).then_some(UTF_8) };
    let others = [str::to_lowercase, str::to_uppercase].map(|case| Zeroizing::new(case(text)));
    // The automaton folds ASCII letters.
    let others = if text.is_ascii() { [].iter() } else { others.iter() };
    for text in std::iter::once(text).chain(others.map(|other| other.as_str())) {
        add(text.as_bytes().to_vec(), traits);
        if let Some(western) = latin(text).filter(|_| !text.is_ascii()) {
            add(western, Traits { charset: Some(WINDOWS_1252), ..traits });
        }
        for (charset, bytes_of) in [(UTF_16LE, u16::to_le_bytes as fn(u16) -> [u8; 2]), (UTF_16BE, u16::to_be_bytes)] {
            // With room for all from the start, so that growing leaves no copy behind.
            let mut units = Vec::with_capacity(2 * text.len());
            text.encode_utf16().for_each(|unit| units.extend(bytes_of(unit)));
            add(units, Traits { class: Class::Mixed, markup: false, charset: Some(charset) });
        }
    }
    let trimmed = text.trim();
    if trimmed.len() < text.len() && trimmed.chars().count() >= VALUE_CHARS_MIN {
        add(trimmed.as_bytes().to_vec(), traits);
    }
}

/// In the charset of western Europe, if it can be written there.
fn latin(text: &str) -> Option<Vec<u8>> {
    let mut out = vec![0; text.len()];
    let (result, _, written) = WINDOWS_1252.new_encoder().encode_from_utf8_without_replacement(text, &mut out, true);
    out.truncate(written);
    matches!(result, EncoderResult::InputEmpty).then_some(out)
}

/// Whether a value of one kind of character has none of that kind beside it: `Paris` is not in `comparison`, nor a PIN in an IBAN.
fn stands_alone(class: Class, text: &[u8], start: usize, end: usize) -> bool {
    let (before, behind) = (&text[..start], &text[end..]);
    match class {
        Class::Mixed => true,
        Class::Digits => {
            let joins = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_digit() || *byte == CUT);
            !joins(before.last()) && !joins(behind.first())
        }
        Class::Letters => {
            let first = behind.iter().skip(1).take_while(|byte| is_continuation(**byte)).take(3).count();
            let last = before.iter().rev().take_while(|byte| is_continuation(**byte)).take(3).count();
            let behind = &behind[..behind.len().min(first + 1)];
            let before = &before[before.len().saturating_sub(last + 1)..];
            !is_letter(before) && !is_letter(behind)
        }
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Signs that are written without spaces end no word; read as UTF-16, any two letters are such a sign.
fn is_letter(bytes: &[u8]) -> bool {
    let joins = |c: char| c.is_alphabetic() && c < '\u{2000}';
    bytes == [CUT] || std::str::from_utf8(bytes).is_ok_and(|text| text.chars().next().is_some_and(joins))
}
