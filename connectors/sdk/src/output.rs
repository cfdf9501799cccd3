//! What the builders of [`crate::items`] stand on: the fields of an item, `emit`, and [`Batch`] for what comes in hundreds.

use std::marker::PhantomData;

pub use crate::contract::types::{Blob, Fault};

use crate::contract::output::Value;
use crate::host::output;

/// The form of a value, where it is a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Words.
    Text,
    /// A whole number.
    Integer,
    /// An exact number: `-12.50`.
    Decimal,
    /// A day: `2026-11-21`.
    Date,
    /// A point in time, RFC 3339.
    Instant,
    /// Yes or no: `true`, `false`.
    Flag,
}

/// The fields of one item, as far as they are set. All values stand in one text: an item of five fields is no five allocations.
#[derive(Debug, Default)]
pub struct Fields {
    text: String,
    /// Name, kind and length of each.
    values: Vec<(&'static str, Kind, u32)>,
    blobs: Vec<(&'static str, Blob)>,
}

impl Fields {
    /// Sets a field to what is written as its kind is.
    pub fn put(&mut self, name: &'static str, kind: Kind, text: &str) {
        self.text.push_str(text);
        // Longer than a length can say, the guest's memory would be full.
        self.values.push((name, kind, u32::try_from(text.len()).unwrap_or(u32::MAX)));
    }

    /// Sets a field to a number. Money is an integer in minor units, beside its currency.
    pub fn integer(&mut self, name: &'static str, number: i64) {
        let (mut digits, mut from, mut left) = ([0; 20], 0, number.unsigned_abs());
        for (at, digit) in digits.iter_mut().enumerate().rev() {
            (*digit, from) = (b'0' + (left % 10) as u8, at);
            left /= 10;
            if left == 0 {
                break;
            }
        }
        let start = self.text.len();
        self.text.push_str(if number < 0 { "-" } else { "" });
        self.text.push_str(digits.get(from..).and_then(|digits| str::from_utf8(digits).ok()).unwrap_or_default());
        self.values.push((name, Kind::Integer, u32::try_from(self.text.len() - start).unwrap_or(u32::MAX)));
    }

    /// Sets a field to yes or no.
    pub fn flag(&mut self, name: &'static str, flag: bool) {
        self.put(name, Kind::Flag, if flag { "true" } else { "false" });
    }

    /// Sets a field to the bytes of a document or an image.
    pub fn blob(&mut self, name: &'static str, blob: Blob) {
        self.blobs.push((name, blob));
    }

    /// Each value that is a text, in the order in which they were set.
    fn texts(&self) -> impl Iterator<Item = (&'static str, Kind, &str)> {
        let mut end = 0;
        self.values.iter().map(move |(name, kind, length)| {
            let begin = end;
            end += *length as usize;
            (*name, *kind, self.text.get(begin..end).unwrap_or_default())
        })
    }

    fn emit(&self, category: &str) -> Result<(), Fault> {
        let texts = self.texts().map(|(name, kind, text)| (name.to_owned(), value(kind, text)));
        let blobs = self.blobs.iter().map(|(name, blob)| ((*name).to_owned(), Value::Blob(blob)));
        output::emit(category, &texts.chain(blobs).collect::<Vec<_>>())
    }
}

fn value(kind: Kind, text: &str) -> Value<'static> {
    let owned = text.to_owned();
    match kind {
        Kind::Text => Value::Text(owned),
        Kind::Integer => Value::Integer(text.parse().unwrap_or_default()),
        Kind::Decimal => Value::Decimal(owned),
        Kind::Date => Value::Date(owned),
        Kind::Instant => Value::Instant(owned),
        Kind::Flag => Value::Flag(text == "true"),
    }
}

/// A builder of [`crate::items`].
pub trait Item {
    /// Its category.
    const CATEGORY: &'static str;
    /// Its fields, as far as they are set.
    fn fields(self) -> Fields;
}

/// Emits one item.
///
/// # Errors
/// `value-unparsable` with the field and the form that is wanted; the item is left out and its dataset is partial.
pub fn emit<I: Item>(item: I) -> Result<(), Fault> {
    item.fields().emit(I::CATEGORY)
}

/// Says that an item of this category, of that day, was left out because it is older than [`crate::job::since`].
///
/// # Errors
/// For a day that is not older.
pub fn older(category: &str, field: &str, day: &str) -> Result<(), Fault> {
    output::emit(category, &[(field.to_owned(), Value::Date(day.to_owned()))])
}

/// Items of one category that are handed over together, which costs a fraction of one by one: for the rows of a table.
pub struct Batch<I> {
    table: Table,
    /// A blob is handed over with its item alone.
    single: Vec<Fields>,
    of: PhantomData<I>,
}

impl<I> Default for Batch<I> {
    fn default() -> Self {
        Self { table: Table::default(), single: Vec::new(), of: PhantomData }
    }
}

impl<I: Item> Batch<I> {
    /// Puts one more in.
    pub fn push(&mut self, item: I) {
        let fields = item.fields();
        if fields.blobs.is_empty() {
            self.table.push(&fields);
        } else {
            self.single.push(fields);
        }
    }

    /// Emits them.
    ///
    /// # Errors
    /// As [`emit`], of the first that was refused; the others are in.
    pub fn emit(self) -> Result<(), Fault> {
        let Table { names, text, lengths } = self.table;
        let mut refused = Vec::new();
        if !lengths.is_empty() {
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            let faults = output::emit_all(I::CATEGORY, &names, &text, &lengths)?;
            refused.extend(faults.into_iter().map(|(_, fault)| fault));
        }
        refused.extend(self.single.iter().filter_map(|fields| fields.emit(I::CATEGORY).err()));
        refused.into_iter().next().map_or(Ok(()), Err)
    }
}

/// Items as `emit-all` takes them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    names: Vec<&'static str>,
    text: String,
    lengths: Vec<Option<u32>>,
}

impl Table {
    fn push(&mut self, fields: &Fields) {
        let names = || fields.values.iter().map(|(name, ..)| *name);
        if names().eq(self.names.iter().copied()) {
            self.text.push_str(&fields.text);
            self.lengths.extend(fields.values.iter().map(|(.., length)| Some(*length)));
            return;
        }
        let before = self.names.len();
        for name in names() {
            if !self.names.contains(&name) {
                self.names.push(name);
            }
        }
        if self.names.len() > before && before > 0 {
            // Absent in all items so far.
            let more = self.names.len() - before;
            let wider =
                |row: &[Option<u32>]| row.iter().copied().chain(std::iter::repeat_n(None, more)).collect::<Vec<_>>();
            self.lengths = self.lengths.chunks(before).flat_map(wider).collect();
        }
        for name in &self.names {
            let text = fields.texts().find_map(|(own, _, text)| (own == *name).then_some(text));
            self.text.push_str(text.unwrap_or_default());
            self.lengths.push(text.map(|text| u32::try_from(text.len()).unwrap_or(u32::MAX)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(values: &[(&'static str, &str)]) -> Fields {
        let mut fields = Fields::default();
        values.iter().for_each(|(name, text)| fields.put(name, Kind::Text, text));
        fields
    }

    /// Each item as `name=text` of what is there.
    fn told(table: &Table) -> Vec<String> {
        let mut end = 0;
        let mut told = Vec::new();
        for lengths in table.lengths.chunks(table.names.len()) {
            let values = table.names.iter().zip(lengths).filter_map(|(name, length)| {
                let begin = end;
                end += (*length)? as usize;
                Some(format!("{name}={}", &table.text[begin..end]))
            });
            told.push(values.collect::<Vec<_>>().join(" "));
        }
        assert_eq!(end, table.text.len());
        told
    }

    #[test]
    fn a_table_keeps_each_items_fields_whatever_their_order_and_number() {
        let items: &[&[(&str, &str)]] = &[
            &[("a", "1"), ("b", "deux")],
            &[("a", "3"), ("b", "")],
            &[("b", "4"), ("a", "5")],
            &[("a", "é6"), ("c", "7")],
            &[("c", "8")],
            &[("d", "9"), ("a", "10")],
        ];
        let mut table = Table::default();
        items.iter().for_each(|item| table.push(&fields(item)));
        assert_eq!(told(&table), ["a=1 b=deux", "a=3 b=", "a=5 b=4", "a=é6 c=7", "c=8", "a=10 d=9"]);
    }

    #[test]
    fn numbers_are_written_whole() {
        let mut fields = Fields::default();
        let numbers = [0, 7, -85_000, i64::MAX, i64::MIN];
        numbers.iter().for_each(|number| fields.integer("n", *number));
        fields.flag("f", true);
        let written: Vec<&str> = fields.texts().map(|(.., text)| text).collect();
        assert_eq!(written, ["0", "7", "-85000", "9223372036854775807", "-9223372036854775808", "true"]);
    }
}
