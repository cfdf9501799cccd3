//! Values and items. Their `Debug` shows forms and field names, never what a field holds; dropping one overwrites it.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use zeroize::{Zeroize, Zeroizing};

use super::table::{Category, Field, Kind};

/// The bytes of a document, shared with the handle that a connector holds; overwritten when the last holder lets go.
pub type Bytes = Arc<Zeroizing<Vec<u8>>>;

/// What a connector hands over, before the table has looked at it.
#[derive(Clone)]
pub enum RawValue {
    /// Words.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `-12.50`
    Decimal(String),
    /// `2026-11-21`
    Date(String),
    /// RFC 3339.
    Instant(String),
    /// Yes or no.
    Flag(bool),
    /// Bytes.
    Blob(Bytes),
}

impl RawValue {
    /// Its form.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            RawValue::Text(_) => Kind::Text,
            RawValue::Integer(_) => Kind::Integer,
            RawValue::Decimal(_) => Kind::Decimal,
            RawValue::Date(_) => Kind::Date,
            RawValue::Instant(_) => Kind::Instant,
            RawValue::Flag(_) => Kind::Flag,
            RawValue::Blob(_) => Kind::Blob,
        }
    }
}

impl fmt::Debug for RawValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(..)", self.kind())
    }
}

impl Drop for RawValue {
    fn drop(&mut self) {
        match self {
            RawValue::Text(text) | RawValue::Decimal(text) | RawValue::Date(text) | RawValue::Instant(text) => {
                text.zeroize()
            }
            RawValue::Integer(number) => number.zeroize(),
            RawValue::Flag(flag) => flag.zeroize(),
            RawValue::Blob(_) => {}
        }
    }
}

/// What a document is by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// `application/pdf`
    Pdf,
    /// `image/png`
    Png,
    /// `image/jpeg`
    Jpeg,
}

impl Media {
    /// Recognises a document by its first bytes. The name or type that a Data Source gives is not asked.
    #[must_use]
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [b'%', b'P', b'D', b'F', b'-', ..] => Some(Media::Pdf),
            [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Some(Media::Png),
            [0xFF, 0xD8, 0xFF, ..] => Some(Media::Jpeg),
            _ => None,
        }
    }

    /// The media type, RFC 6838.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Media::Pdf => "application/pdf",
            Media::Png => "image/png",
            Media::Jpeg => "image/jpeg",
        }
    }
}

/// One checked value, in normal form: an IBAN without blanks, an e-mail domain in lower case.
pub enum Value {
    /// Words.
    Text(String),
    /// A whole number; minor units for money.
    Integer(i64),
    /// Exact, with an optional sign and at most one point.
    Decimal(String),
    /// A day.
    Date(Date),
    /// A point in time.
    Instant(Timestamp),
    /// Yes or no.
    Flag(bool),
    /// A document.
    Blob {
        /// What it is by its first bytes.
        media: Media,
        /// Its bytes.
        bytes: Bytes,
    },
}

impl Value {
    /// Its form.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Value::Text(_) => Kind::Text,
            Value::Integer(_) => Kind::Integer,
            Value::Decimal(_) => Kind::Decimal,
            Value::Date(_) => Kind::Date,
            Value::Instant(_) => Kind::Instant,
            Value::Flag(_) => Kind::Flag,
            Value::Blob { .. } => Kind::Blob,
        }
    }

    /// The words, of a text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Bytes that it takes in a parcel (JSON), or some more.
    fn size(&self) -> usize {
        match self {
            Value::Text(text) | Value::Decimal(text) => 2 + text.bytes().map(json_bytes).sum::<usize>(),
            Value::Blob { bytes, media } => 24 + media.name().len() + bytes.len().div_ceil(3) * 4,
            Value::Integer(_) | Value::Date(_) | Value::Instant(_) | Value::Flag(_) => 40,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(..)", self.kind())
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        match self {
            Value::Text(text) | Value::Decimal(text) => text.zeroize(),
            Value::Integer(number) => number.zeroize(),
            Value::Flag(flag) => flag.zeroize(),
            // jiff's types know nothing of wiping. `black_box` keeps the overwriting from being optimised away.
            Value::Date(date) => {
                *date = Date::ZERO;
                std::hint::black_box(date);
            }
            Value::Instant(instant) => {
                *instant = Timestamp::UNIX_EPOCH;
                std::hint::black_box(instant);
            }
            Value::Blob { .. } => {}
        }
    }
}

/// One piece of Shareable Data that has passed the table. Made by [`Item::check`] and by nothing else; not `Clone`, so that there is
/// one copy to forget, and not `Serialize`, so that nothing is written before it was released.
pub struct Item {
    pub(super) category: &'static Category,
    pub(super) observed: Timestamp,
    pub(super) fields: Vec<(&'static Field, Value)>,
}

impl Item {
    /// What it is.
    #[must_use]
    pub fn category(&self) -> &'static Category {
        self.category
    }

    /// When the host saw it at the Data Source.
    #[must_use]
    pub fn observed(&self) -> Timestamp {
        self.observed
    }

    /// Its fields, in the table's order; absent ones are left out.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&'static Field, &Value)> {
        self.fields.iter().map(|(field, value)| (*field, value))
    }

    /// One field's value.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.iter().find(|(known, _)| known.name == field).map(|(_, value)| value)
    }

    /// Drops fields that the table does not require. What is required stays.
    pub fn drop_fields(&mut self, names: &[&str]) {
        self.fields.retain(|(field, _)| field.required || !names.contains(&field.name));
    }

    /// Puts an ellipsis, a dot for what is shorter than that, in the place of these words in a text field, wherever they stand and however
    /// they are capitalised. The text gets no longer.
    pub fn mask(&mut self, name: &str, words: &str) {
        let Some((_, Value::Text(text))) = self.fields.iter_mut().find(|(field, _)| field.name == name) else { return };
        let wanted: Vec<char> = words.chars().flat_map(char::to_lowercase).collect();
        let held: Vec<char> = text.chars().collect();
        if wanted.is_empty() || held.len() < wanted.len() {
            return;
        }
        let ellipsis = if words.len() < '…'.len_utf8() { '.' } else { '…' };
        let (mut at, mut masked) = (0, String::with_capacity(text.len()));
        while at < held.len() {
            let same = held
                .get(at..at + wanted.len())
                .is_some_and(|part| part.iter().flat_map(|c| c.to_lowercase()).eq(wanted.iter().copied()));
            if same {
                masked.push(ellipsis);
                at += wanted.len();
            } else {
                masked.push(held[at]);
                at += 1;
            }
        }
        std::mem::swap(text, &mut masked);
        masked.zeroize();
    }

    /// Bytes that it takes in a parcel (JSON), or some more: what the run's limit `item-bytes` counts.
    #[must_use]
    pub fn size(&self) -> u64 {
        // Quotes, colons, commas, and the moment of the observation.
        let fields = self.fields.iter().map(|(field, value)| field.name.len() + 4 + value.size()).sum::<usize>();
        (96 + self.category.name.len() + fields) as u64
    }
}

/// Bytes of this byte in a JSON string.
fn json_bytes(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.fields.iter().map(|(field, _)| field.name);
        write!(f, "{} ", self.category.name)?;
        f.debug_list().entries(names).finish()
    }
}
