//! What a font says of its codes: the text that each stands for, and how wide it is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hayro_syntax::object::{Array, Dict, Name, Object, Stream};

use crate::{cmap, glyphs};

/// Most widths that a font is asked for.
const WIDTHS_MAX: usize = 70_000;
/// What a code stands for that nothing explains.
const UNKNOWN: &str = "\u{fffd}";

/// A font, as far as text needs it.
#[derive(Default)]
pub(crate) struct Font {
    /// Codes are of two bytes.
    wide: bool,
    texts: BTreeMap<u32, String>,
    /// In thousandths of the size.
    widths: BTreeMap<u32, f64>,
    usual: f64,
}

impl Font {
    pub(crate) fn of(font: &Dict<'_>) -> Self {
        let wide = font.get::<Name<'_>>(b"Subtype").is_some_and(|name| name.as_str() == "Type0");
        let mut texts = if wide { BTreeMap::new() } else { encoding(font) };
        if let Some(map) = font.get::<Stream<'_>>(b"ToUnicode").and_then(|stream| stream.decoded_data().ok()) {
            texts.extend(cmap::texts(&map));
        }
        let (widths, usual) = if wide { composite_widths(font) } else { simple_widths(font) };
        Self { wide, texts, widths, usual }
    }

    pub(crate) fn codes<'b>(&self, bytes: &'b [u8]) -> impl Iterator<Item = u32> + use<'b> {
        let step = if self.wide { 2 } else { 1 };
        bytes.chunks(step).map(|code| code.iter().fold(0, |code, byte| code << 8 | u32::from(*byte)))
    }

    pub(crate) fn text(&self, code: u32) -> Cow<'_, str> {
        match self.texts.get(&code) {
            Some(text) => Cow::Borrowed(text),
            None if self.wide => Cow::Borrowed(UNKNOWN),
            None => {
                Cow::Owned(glyphs::latin(u8::try_from(code).unwrap_or_default()).map(String::from).unwrap_or_default())
            }
        }
    }

    /// In sizes of the font.
    pub(crate) fn width(&self, code: u32) -> f64 {
        self.widths.get(&code).copied().unwrap_or(self.usual) / 1000.0
    }

    /// The blank that words are parted by, as the format counts it: one byte of value 32.
    pub(crate) fn is_blank(&self, code: u32) -> bool {
        !self.wide && code == 32
    }
}

/// What the codes of a simple font stand for, where that is another than in the usual one.
fn encoding(font: &Dict<'_>) -> BTreeMap<u32, String> {
    let mut texts = BTreeMap::new();
    let Some(encoding) = font.get::<Dict<'_>>(b"Encoding") else {
        if font.get::<Name<'_>>(b"Encoding").is_some_and(|name| name.as_str() == "MacRomanEncoding") {
            texts.extend(glyphs::mac().map(|(code, letter)| (u32::from(code), letter.to_string())));
        }
        return texts;
    };
    let mut code = 0_u32;
    for each in
        encoding.get::<Array<'_>>(b"Differences").iter().flat_map(|array| array.iter::<Object<'_>>()).take(WIDTHS_MAX)
    {
        match each {
            Object::Number(number) => code = u32::try_from(number.as_i64()).unwrap_or_default(),
            Object::Name(name) => {
                if let Some(text) = glyphs::named(name.as_str()) {
                    texts.insert(code, text);
                }
                code = code.saturating_add(1);
            }
            _ => {}
        }
    }
    texts
}

/// A font that every reader has says no widths: then those of Helvetica, or of a typewriter.
fn simple_widths(font: &Dict<'_>) -> (BTreeMap<u32, f64>, f64) {
    let first = font.get::<u32>(b"FirstChar").unwrap_or_default();
    match font.get::<Array<'_>>(b"Widths") {
        Some(widths) => ((first..).zip(widths.iter::<f64>().take(WIDTHS_MAX)).collect(), 500.0),
        None if font.get::<Name<'_>>(b"BaseFont").is_some_and(|name| name.as_str().contains("Courier")) => {
            (BTreeMap::new(), 600.0)
        }
        None => (glyphs::helvetica().collect(), 556.0),
    }
}

/// `/W [first [w w …] first last w …]` of the font inside.
fn composite_widths(font: &Dict<'_>) -> (BTreeMap<u32, f64>, f64) {
    let inside = font.get::<Array<'_>>(b"DescendantFonts").and_then(|fonts| fonts.iter::<Dict<'_>>().next());
    let Some(inside) = inside else { return (BTreeMap::new(), 1000.0) };
    let (mut widths, mut numbers) = (BTreeMap::new(), Vec::new());
    for each in inside.get::<Array<'_>>(b"W").iter().flat_map(|array| array.iter::<Object<'_>>()).take(WIDTHS_MAX) {
        match (each, numbers.as_slice()) {
            (Object::Array(list), [first]) => {
                widths.extend((*first as u32..).zip(list.iter::<f64>().take(WIDTHS_MAX)));
                numbers.clear();
            }
            (Object::Number(width), [first, last]) => {
                let (first, last) = (*first as u32, *last as u32);
                widths.extend((first..=last).take(WIDTHS_MAX).map(|code| (code, width.as_f64())));
                numbers.clear();
            }
            (Object::Number(number), _) => numbers.push(number.as_f64()),
            _ => numbers.clear(),
        }
        if widths.len() > WIDTHS_MAX {
            break;
        }
    }
    (widths, inside.get::<f64>(b"DW").unwrap_or(1000.0))
}
