//! Every test scrubs through these few functions.

mod bodies;
mod forms;
mod guesses;

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use url::Url;
use zeroize::Zeroizing;

use super::{MASK, Scrub, Scrubbed};
use crate::document::{Document, DocumentError, Exhausted, Format, Limits, Meter, Unmetered};

const BYTES_MAX: usize = 1 << 20;

fn scrub_beside(secrets: &[&[u8]], own: &[&[u8]]) -> Option<Scrub> {
    let secrets: Vec<_> = secrets.iter().map(|secret| Zeroizing::new(secret.to_vec())).collect();
    let own: Vec<_> = own.iter().map(|own| own.to_vec()).collect();
    Scrub::new(&secrets, &own, BYTES_MAX, &mut Unmetered).unwrap()
}

fn scrub(secret: &str) -> Scrub {
    scrub_beside(&[secret.as_bytes()], &[]).unwrap()
}

/// What is left of a text.
fn left(scrub: &Scrub, text: &str) -> String {
    scrub.text(text, &mut Unmetered).unwrap().unwrap_or_else(|| text.to_owned())
}

fn body(scrub: &Scrub, format: Option<Format>, source: &[u8]) -> Scrubbed {
    let url = Url::parse("https://bank.example/login").unwrap();
    scrub.body(format, source.to_vec(), Some("utf-8"), &url, &Limits::default(), &mut Unmetered).unwrap()
}

fn find(document: &Document, at: &str, take: &str) -> Option<String> {
    document.find(at, take, &mut Unmetered).unwrap()
}

/// A text and which part of it comes from the secret.
type Marked = (Vec<u8>, Range<usize>);

/// An encoder of the tests' own, so that nothing is tested with itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoder {
    Raw,
    PercentAll,
    PercentLower,
    Form,
    EntityDecimal,
    EntityHex,
    EntityNamed,
    Json,
    Unicode,
    UnicodeUpper,
    Braces,
    Base64,
    Base64Url,
    Hex,
    HexUpper,
    Utf16Le,
    Utf16Be,
}

impl Encoder {
    const ALL: [Encoder; 17] = [
        Encoder::Raw,
        Encoder::PercentAll,
        Encoder::PercentLower,
        Encoder::Form,
        Encoder::EntityDecimal,
        Encoder::EntityHex,
        Encoder::EntityNamed,
        Encoder::Json,
        Encoder::Unicode,
        Encoder::UnicodeUpper,
        Encoder::Braces,
        Encoder::Base64,
        Encoder::Base64Url,
        Encoder::Hex,
        Encoder::HexUpper,
        Encoder::Utf16Le,
        Encoder::Utf16Be,
    ];

    /// Encodes; none where the encoder is for text and this is none.
    fn encode(self, (bytes, range): &Marked) -> Option<Marked> {
        let whole = self.code(bytes)?;
        let range = match self {
            Encoder::Base64 | Encoder::Base64Url => range.start * 4 / 3..(range.end * 4).div_ceil(3),
            _ => {
                let start = self.code(&bytes[..range.start])?.len();
                start..start + self.code(&bytes[range.clone()])?.len()
            }
        };
        Some((whole, range))
    }

    fn code(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let text = || std::str::from_utf8(bytes).ok();
        let each =
            |write: fn(u8) -> String| Some(bytes.iter().map(|byte| write(*byte)).collect::<String>().into_bytes());
        let chars = |write: fn(char) -> String| Some(text()?.chars().map(write).collect::<String>().into_bytes());
        match self {
            Encoder::Raw => Some(bytes.to_vec()),
            Encoder::PercentAll => each(|byte| format!("%{byte:02X}")),
            Encoder::PercentLower => each(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                byte => format!("%{byte:02x}"),
            }),
            Encoder::Form => Some(url::form_urlencoded::byte_serialize(bytes).collect::<String>().into_bytes()),
            Encoder::EntityDecimal => chars(|c| format!("&#{};", u32::from(c))),
            Encoder::EntityHex => chars(|c| format!("&#x{:X};", u32::from(c))),
            Encoder::EntityNamed => chars(|c| match c {
                '&' => "&amp;".to_owned(),
                '<' => "&lt;".to_owned(),
                '>' => "&gt;".to_owned(),
                '"' => "&quot;".to_owned(),
                '\'' => "&apos;".to_owned(),
                '!' => "&excl;".to_owned(),
                '.' => "&period;".to_owned(),
                'é' => "&eacute;".to_owned(),
                c => c.to_string(),
            }),
            Encoder::Json => {
                let quoted = serde_json::to_string(text()?).ok()?;
                Some(quoted.as_bytes()[1..quoted.len() - 1].to_vec())
            }
            Encoder::Unicode | Encoder::UnicodeUpper => {
                let units = text()?.encode_utf16();
                let upper = self == Encoder::UnicodeUpper;
                let unit = |unit| if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
                Some(units.map(unit).collect::<String>().into_bytes())
            }
            Encoder::Braces => chars(|c| format!("\\u{{{:x}}}", u32::from(c))),
            Encoder::Base64 => Some(STANDARD.encode(bytes).into_bytes()),
            Encoder::Base64Url => Some(URL_SAFE_NO_PAD.encode(bytes).into_bytes()),
            Encoder::Hex => each(|byte| format!("{byte:02x}")),
            Encoder::HexUpper => each(|byte| format!("{byte:02X}")),
            Encoder::Utf16Le => Some(text()?.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            Encoder::Utf16Be => Some(text()?.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        }
    }
}

/// The text with a mask in place of what comes from the secret.
fn masked((bytes, range): &Marked) -> Vec<u8> {
    [&bytes[..range.start], MASK.as_bytes(), &bytes[range.end..]].concat()
}

/// Allows so many checks.
struct Allowance(u32);

impl Meter for Allowance {
    fn check(&mut self) -> Result<(), Exhausted> {
        self.0 = self.0.checked_sub(1).ok_or(Exhausted)?;
        Ok(())
    }
}
