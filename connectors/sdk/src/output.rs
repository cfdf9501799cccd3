//! What the builders of [`crate::items`] stand on: values that own their blobs, and `emit`.

pub use crate::contract::types::{Blob, Fault};

use crate::contract::output;

/// A value of a field. Money is an integer in minor units, beside its currency.
#[derive(Debug)]
pub enum Value {
    /// Words.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// An exact number: `-12.50`.
    Decimal(String),
    /// A day: `2026-11-21`.
    Date(String),
    /// A point in time, RFC 3339.
    Instant(String),
    /// Yes or no.
    Flag(bool),
    /// The bytes of a document or an image.
    Blob(Blob),
}

/// Emits one item.
///
/// # Errors
/// `value-unparsable` with the field and the form that is wanted; the item is left out and its dataset is partial.
pub fn emit(category: &str, fields: Vec<(String, Value)>) -> Result<(), Fault> {
    // The contract lends blobs; they have to live until it has answered.
    let (mut blobs, mut flat) = (Vec::new(), Vec::with_capacity(fields.len()));
    for (name, value) in fields {
        let value = match value {
            Value::Blob(blob) => {
                blobs.push((name, blob));
                continue;
            }
            Value::Text(text) => output::Value::Text(text),
            Value::Integer(number) => output::Value::Integer(number),
            Value::Decimal(text) => output::Value::Decimal(text),
            Value::Date(text) => output::Value::Date(text),
            Value::Instant(text) => output::Value::Instant(text),
            Value::Flag(flag) => output::Value::Flag(flag),
        };
        flat.push((name, value));
    }
    flat.extend(blobs.iter().map(|(name, blob)| (name.clone(), output::Value::Blob(blob))));
    output::emit(category, &flat)
}
