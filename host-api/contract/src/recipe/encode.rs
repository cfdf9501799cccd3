//! Encodings of a secret inside a larger text. Every output is built in buffers that are wiped.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use encoding_rs::{EncoderResult, UTF_8};
use zeroize::Zeroizing;

use super::buffer::Buffer;
use super::evaluate::EvaluationError;

/// How the value of a recipe is written where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Raw,
    /// As a form field (`application/x-www-form-urlencoded`) in this charset.
    Form(Charset),
    /// Percent-encoded: all but `A-Z a-z 0-9 - . _ ~`.
    Percent,
    /// Inside a JSON string; the quotes are not part of it.
    Json,
    /// Inside an XML text or attribute.
    Xml,
    /// Base64, padded.
    Base64,
    /// URL-safe base64, unpadded.
    Base64Url,
    /// Hexadecimal, lower case.
    Hex,
}

/// A charset a form can be submitted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset(&'static encoding_rs::Encoding);

impl Charset {
    /// The charset that everything has unless it says otherwise.
    pub const UTF_8: Charset = Charset(UTF_8);

    /// Reads a label of the Encoding Standard. UTF-16 is none that a form can be submitted in.
    #[must_use]
    pub fn parse(label: &str) -> Option<Self> {
        encoding_rs::Encoding::for_label_no_replacement(label.as_bytes())
            .filter(|charset| charset.output_encoding() == *charset)
            .map(Self)
    }

    pub(super) fn decoder(self) -> encoding_rs::Decoder {
        self.0.new_decoder_without_bom_handling()
    }
}

impl Encoding {
    /// The words, for messages.
    pub const ALLOWED: &'static str = "raw, form, form:CHARSET, percent, json, xml, base64, base64url, hex";

    /// Reads a connector's argument.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "raw" => Self::Raw,
            "form" => Self::Form(Charset::UTF_8),
            "percent" => Self::Percent,
            "json" => Self::Json,
            "xml" => Self::Xml,
            "base64" => Self::Base64,
            "base64url" => Self::Base64Url,
            "hex" => Self::Hex,
            other => Self::Form(Charset::parse(other.strip_prefix("form:")?)?),
        })
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Form(_) => "form",
            Self::Percent => "percent",
            Self::Json => "json",
            Self::Xml => "xml",
            Self::Base64 => "base64",
            Self::Base64Url => "base64url",
            Self::Hex => "hex",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(charset) if *charset != Charset::UTF_8 => {
                write!(f, "form:{}", charset.0.name().to_ascii_lowercase())
            }
            other => f.write_str(other.word()),
        }
    }
}

/// Encodes a value.
pub(super) fn encode(value: Zeroizing<Vec<u8>>, encoding: Encoding) -> Result<Zeroizing<Vec<u8>>, EvaluationError> {
    Ok(match encoding {
        Encoding::Raw => value,
        Encoding::Form(charset) if charset == Charset::UTF_8 => escaped(&value, b"*-._", true),
        Encoding::Form(charset) => escaped(&recoded(text(&value, encoding)?, charset), b"*-._", true),
        Encoding::Percent => escaped(&value, b"-._~", false),
        Encoding::Json => mapped(text(&value, encoding)?, json)?,
        Encoding::Xml => mapped(text(&value, encoding)?, xml)?,
        Encoding::Base64 => base64(&value, &STANDARD),
        Encoding::Base64Url => base64(&value, &URL_SAFE_NO_PAD),
        Encoding::Hex => hex(&value),
    })
}

fn text(value: &[u8], encoding: Encoding) -> Result<&str, EvaluationError> {
    std::str::from_utf8(value).map_err(|_| EvaluationError::NotText(encoding.word()))
}

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

fn hex(value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Buffer::with_capacity(value.len() * 2);
    for byte in value {
        out.push(&[LOWER[usize::from(byte >> 4)]]);
        out.push(&[LOWER[usize::from(byte & 15)]]);
    }
    out.into_bytes()
}

fn base64(value: &[u8], engine: &base64::engine::GeneralPurpose) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(vec![0; value.len().div_ceil(3) * 4]);
    // Cannot fail: the output is as long as padded base64 gets.
    let written = engine.encode_slice(value, &mut out).unwrap_or_default();
    out.truncate(written);
    out
}

fn escaped(value: &[u8], kept: &[u8], plus: bool) -> Zeroizing<Vec<u8>> {
    let mut out = Buffer::with_capacity(value.len() * 3);
    for &byte in value {
        match byte {
            b' ' if plus => out.push(b"+"),
            b if b.is_ascii_alphanumeric() || kept.contains(&b) => out.push(&[b]),
            b => out.push(&[b'%', UPPER[usize::from(b >> 4)], UPPER[usize::from(b & 15)]]),
        }
    }
    out.into_bytes()
}

/// In another charset; what it lacks becomes a numeric reference, as browsers do it.
fn recoded(text: &str, charset: Charset) -> Zeroizing<Vec<u8>> {
    let mut encoder = charset.0.new_encoder();
    let mut out = Buffer::with_capacity(text.len() * 2);
    let mut rest = text;
    let mut chunk = Zeroizing::new([0_u8; 64]);
    loop {
        let (result, read, written) = encoder.encode_from_utf8_without_replacement(rest, &mut *chunk, true);
        out.push(&chunk[..written]);
        rest = &rest[read..];
        match result {
            EncoderResult::InputEmpty => return out.into_bytes(),
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(character) => numeric_reference(&mut out, character),
        }
    }
}

fn numeric_reference(out: &mut Buffer, character: char) {
    let mut digits = Zeroizing::new([0_u8; 7]); // a scalar value has at most seven decimal digits
    let mut start = digits.len();
    let mut rest = u32::from(character);
    while start > 0 && (rest > 0 || start == digits.len()) {
        start -= 1;
        digits[start] = LOWER[(rest % 10) as usize];
        rest /= 10;
    }
    out.push(b"&#");
    out.push(&digits[start..]);
    out.push(b";");
}

fn mapped(
    text: &str,
    escape: fn(char, &mut Buffer) -> Result<(), EvaluationError>,
) -> Result<Zeroizing<Vec<u8>>, EvaluationError> {
    let mut out = Buffer::with_capacity(text.len() * 2);
    for character in text.chars() {
        escape(character, &mut out)?;
    }
    Ok(out.into_bytes())
}

fn plain(character: char, out: &mut Buffer) {
    let mut bytes = Zeroizing::new([0_u8; 4]);
    out.push(character.encode_utf8(&mut *bytes).as_bytes());
}

// The same `Result` as `xml`, so that both fit one loop.
#[expect(clippy::unnecessary_wraps, reason = "the same shape as `xml`")]
fn json(character: char, out: &mut Buffer) -> Result<(), EvaluationError> {
    match character {
        '"' => out.push(b"\\\""),
        '\\' => out.push(b"\\\\"),
        '\n' => out.push(b"\\n"),
        '\r' => out.push(b"\\r"),
        '\t' => out.push(b"\\t"),
        c if u32::from(c) < 0x20 => {
            out.push(b"\\u00");
            out.push(&hex(&[c as u8]));
        }
        c => plain(c, out),
    }
    Ok(())
}

fn xml(character: char, out: &mut Buffer) -> Result<(), EvaluationError> {
    match character {
        '&' => out.push(b"&amp;"),
        '<' => out.push(b"&lt;"),
        '>' => out.push(b"&gt;"),
        '"' => out.push(b"&quot;"),
        '\'' => out.push(b"&#39;"),
        // As they are, a parser would fold these in an attribute.
        '\t' => out.push(b"&#9;"),
        '\n' => out.push(b"&#10;"),
        '\r' => out.push(b"&#13;"),
        // XML 1.0 has no way to write the others.
        c if u32::from(c) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => {
            return Err(EvaluationError::NotText("xml"));
        }
        c => plain(c, out),
    }
    Ok(())
}
