//! What the builders of [`crate::items`] stand on: values that own their blobs, `emit`, and [`Batch`] for what comes in hundreds.

use std::marker::PhantomData;

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

/// A builder of [`crate::items`].
pub trait Item {
    /// Its category.
    const CATEGORY: &'static str;
    /// Names and values, as far as they are set.
    fn fields(self) -> Vec<(&'static str, Value)>;
}

/// Emits one item.
///
/// # Errors
/// `value-unparsable` with the field and the form that is wanted; the item is left out and its dataset is partial.
pub fn emit(item: impl Item) -> Result<(), Fault> {
    let mut batch = Batch::default();
    batch.push(item);
    batch.emit()
}

/// Items of one category that are handed over together, which costs a fraction of one by one: for the rows of a table.
pub struct Batch<I> {
    names: Vec<String>,
    rows: Vec<Vec<Option<output::Value<'static>>>>,
    /// The contract lends blobs; each with its row and column.
    blobs: Vec<(usize, usize, Blob)>,
    of: PhantomData<I>,
}

impl<I> Default for Batch<I> {
    fn default() -> Self {
        Self { names: Vec::new(), rows: Vec::new(), blobs: Vec::new(), of: PhantomData }
    }
}

impl<I: Item> Batch<I> {
    /// Puts one more in.
    pub fn push(&mut self, item: I) {
        let fields = item.fields();
        let mut row = Vec::with_capacity(fields.len());
        for (place, (name, value)) in fields.into_iter().enumerate() {
            let column = self.column(place, name);
            let value = match value {
                Value::Blob(blob) => {
                    self.blobs.push((self.rows.len(), column, blob));
                    None
                }
                Value::Text(text) => Some(output::Value::Text(text)),
                Value::Integer(number) => Some(output::Value::Integer(number)),
                Value::Decimal(text) => Some(output::Value::Decimal(text)),
                Value::Date(text) => Some(output::Value::Date(text)),
                Value::Instant(text) => Some(output::Value::Instant(text)),
                Value::Flag(flag) => Some(output::Value::Flag(flag)),
            };
            if row.len() <= column {
                row.resize_with(column + 1, || None);
            }
            row[column] = value;
        }
        self.rows.push(row);
    }

    /// Where a field stands: mostly where it stood in the item before.
    fn column(&mut self, place: usize, name: &str) -> usize {
        if self.names.get(place).is_some_and(|known| known == name) {
            return place;
        }
        let known = self.names.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }

    /// Emits them.
    ///
    /// # Errors
    /// As [`emit`], of the first that was refused; the others are in.
    pub fn emit(self) -> Result<(), Fault> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let (mut rows, blobs) = (self.rows as Vec<Vec<Option<output::Value<'_>>>>, self.blobs);
        for (row, column, blob) in &blobs {
            rows[*row][*column] = Some(output::Value::Blob(blob));
        }
        let refused = output::emit_all(I::CATEGORY, &self.names, &rows)?;
        refused.into_iter().next().map_or(Ok(()), |(_, fault)| Err(fault))
    }
}
