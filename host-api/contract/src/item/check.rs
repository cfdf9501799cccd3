//! The door: raw fields in, an [`Item`] or a list of what is wrong out. Errors name the field and the wanted form, so that a
//! connector's author can act on them, and never the value.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::table::{Category, Check, Field, Kind, category};
use super::value::{Item, Media, RawValue, Value};
use crate::failure::Name;

mod text;

/// One thing wrong with an emitted item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct FieldError {
    /// The category, if the table has it.
    pub category: Option<&'static str>,
    /// The field; none if the whole item is meant, or if its name is none that may be shown.
    pub field: Option<Name>,
    /// What the table wants.
    pub wanted: Wanted,
}

/// What the table wants and did not get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A category of the table.
    Category,
    /// A field of the category.
    Known,
    /// The field once, not twice.
    Once,
    /// The field, which is required.
    Present,
    /// At least one of these fields.
    AnyOf(&'static [&'static str]),
    /// The currency beside the amount.
    Currency,
    /// A value of this kind.
    Kind(Kind),
    /// A value that is more than its kind.
    Form(Check),
}

/// The fields of a category in the order in which a connector gives them, looked up once for many items.
#[derive(Debug)]
pub struct Columns {
    category: &'static Category,
    /// Names as they were given, with their places in the category.
    given: Vec<(String, Option<usize>)>,
}

/// Most wrong fields of one item that are told one by one: more than any category has.
const WRONG_MAX: usize = 32;

impl Columns {
    /// Looks the names up. A name that the category does not have is wrong in each item that has a value for it.
    ///
    /// # Errors
    /// If the table has no such category.
    pub fn of(name: &str, fields: Vec<String>) -> Result<Self, FieldError> {
        let Some(category) = category(name) else {
            return Err(FieldError { category: None, field: None, wanted: Wanted::Category });
        };
        let place = |name: &String| category.fields.iter().position(|field| field.name == name);
        let given = fields
            .into_iter()
            .map(|name| {
                let place = place(&name);
                (name, place)
            })
            .collect();
        Ok(Self { category, given })
    }

    /// Checks one item, value by value, against the table. `observed` is the host's clock.
    ///
    /// # Errors
    /// What is wrong, field by field, but no endless list.
    pub fn check(&self, values: Vec<Option<RawValue>>, observed: Timestamp) -> Result<Item, Vec<FieldError>> {
        let category = self.category;
        let mut errors = Vec::new();
        let mut checked: Vec<Option<Value>> = category.fields.iter().map(|_| None).collect();
        let mut given = vec![false; category.fields.len()];
        if values.len() > self.given.len() {
            errors.push(FieldError { category: Some(category.name), field: None, wanted: Wanted::Known });
        }
        for ((name, place), raw) in self.given.iter().zip(values) {
            let Some(raw) = raw else { continue };
            if errors.len() == WRONG_MAX {
                break;
            }
            let taken = match place {
                None => Err(Wanted::Known),
                Some(at) if given[*at] => Err(Wanted::Once),
                Some(at) => {
                    // A field that is wrong is not missing too.
                    given[*at] = true;
                    value(&category.fields[*at], raw, observed).map(|value| checked[*at] = Some(value))
                }
            };
            if let Err(wanted) = taken {
                errors.push(error(category, name, wanted));
            }
        }
        missing(category, &given, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let fields = category.fields.iter().zip(checked).filter_map(|(field, value)| Some((field, value?))).collect();
        Ok(Item { category, observed, fields })
    }
}

impl Item {
    /// Checks one item, given as names and values. As [`Columns::check`].
    ///
    /// # Errors
    /// Everything that is wrong, field by field.
    pub fn check(name: &str, fields: Vec<(String, RawValue)>, observed: Timestamp) -> Result<Item, Vec<FieldError>> {
        let (names, values) = fields.into_iter().map(|(name, value)| (name, Some(value))).unzip();
        Columns::of(name, names).map_err(|error| vec![error])?.check(values, observed)
    }
}

/// What is absent though the category wants it.
fn missing(category: &'static Category, given: &[bool], errors: &mut Vec<FieldError>) {
    let has = |name: &str| category.fields.iter().zip(given).any(|(field, given)| *given && field.name == name);
    for (field, given) in category.fields.iter().zip(given) {
        if field.required && !given {
            errors.push(error(category, field.name, Wanted::Present));
        } else if !field.required
            && *given
            && let Some(currency) = field.currency().filter(|currency| !has(currency))
        {
            errors.push(error(category, &currency, Wanted::Currency));
        }
    }
    if !category.any_of.is_empty() && !category.any_of.iter().any(|name| has(name)) {
        let wanted = Wanted::AnyOf(category.any_of);
        errors.push(FieldError { category: Some(category.name), field: None, wanted });
    }
}

fn error(category: &'static Category, field: &str, wanted: Wanted) -> FieldError {
    FieldError { category: Some(category.name), field: field.parse().ok(), wanted }
}

fn value(field: &'static Field, mut raw: RawValue, observed: Timestamp) -> Result<Value, Wanted> {
    let form = Wanted::Form(field.check);
    let kind = Wanted::Kind(field.kind);
    match (field.kind, &mut raw) {
        (Kind::Text, RawValue::Text(given)) => text::normal(field.check, given).map(Value::Text).ok_or(form),
        (Kind::Integer, RawValue::Integer(number)) => match field.check {
            Check::Range(low, high) if !(low..=high).contains(number) => Err(form),
            _ => Ok(Value::Integer(*number)),
        },
        (Kind::Decimal, RawValue::Decimal(number)) if text::is_decimal(number) => {
            Ok(Value::Decimal(std::mem::take(number)))
        }
        (Kind::Date, RawValue::Date(day)) => {
            let day: Date = strictly_a_day(day).ok_or(kind)?;
            if in_calendar(field.check, day, observed) { Ok(Value::Date(day)) } else { Err(form) }
        }
        (Kind::Instant, RawValue::Instant(instant)) => instant.parse().map(Value::Instant).map_err(|_| kind),
        (Kind::Flag, RawValue::Flag(flag)) => Ok(Value::Flag(*flag)),
        (Kind::Blob, RawValue::Blob(bytes)) => match Media::sniff(bytes) {
            Some(Media::Pdf) if field.check == Check::Image => Err(form),
            Some(media) if bytes.len() <= Check::MAX_DOCUMENT => Ok(Value::Blob { media, bytes: bytes.clone() }),
            _ => Err(form),
        },
        _ => Err(kind),
    }
}

/// `2026-11-21` and nothing else: no time, no week dates, no compact form.
fn strictly_a_day(text: &str) -> Option<Date> {
    let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    text.parse().ok().filter(|_| plain)
}

fn in_calendar(check: Check, day: Date, observed: Timestamp) -> bool {
    let last = match check {
        Check::Past => observed.to_zoned(TimeZone::UTC).date().saturating_add(1.day()),
        _ => jiff::civil::date(2199, 12, 31),
    };
    (jiff::civil::date(1900, 1, 1)..=last).contains(&day)
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let category = self.category.unwrap_or("item");
        match &self.field {
            Some(field) => write!(f, "{category}: `{field}` wants {}", self.wanted),
            None => write!(f, "{category}: wants {}", self.wanted),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Category => f.write_str("a category of the item table"),
            Wanted::Known => f.write_str("a field that the category has"),
            Wanted::Once => f.write_str("to be given once"),
            Wanted::Present => f.write_str("a value: it is required"),
            Wanted::AnyOf(names) => write!(f, "at least one of {}", names.join(", ")),
            Wanted::Currency => f.write_str("a value, since its amount has one"),
            Wanted::Kind(kind) => kind.fmt(f),
            Wanted::Form(check) => check.fmt(f),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Text => "a text",
            Kind::Integer => "an integer",
            Kind::Decimal => "a decimal: digits, with an optional sign and an optional point",
            Kind::Date => "a date: YYYY-MM-DD",
            Kind::Instant => "an instant: RFC 3339",
            Kind::Flag => "a flag",
            Kind::Blob => "a blob",
        })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = Self::MAX_DOCUMENT / (1024 * 1024);
        match self {
            Check::Any => f.write_str("any value"),
            Check::Line(max) => write!(f, "one line, not blank, at most {max} characters"),
            Check::Lines(max) => write!(f, "lines, not blank, at most {max} characters"),
            Check::Iban => f.write_str("an IBAN (ISO 13616) with right check digits and its country's form"),
            Check::Bic => f.write_str("a BIC (ISO 9362) of 8 or 11 characters"),
            Check::Country => f.write_str("a country (ISO 3166-1 alpha-2, capitals)"),
            Check::Phone => f.write_str("a telephone number (E.164: a plus sign and 7 to 15 digits)"),
            Check::Email => f.write_str("an e-mail address"),
            Check::Currency => f.write_str("a currency (ISO 4217, capitals)"),
            Check::OneOf(words) => write!(f, "one of {}", words.join(", ")),
            Check::Ref => f.write_str("a reference that is unique in its category, at most 128 characters"),
            Check::RefOf(target) => write!(f, "the `ref` of an item of {target}"),
            Check::Range(low, high) => write!(f, "a number from {low} to {high}"),
            Check::Past => f.write_str("a day from 1900-01-01 to today"),
            Check::Calendar => f.write_str("a day from 1900-01-01 to 2199-12-31"),
            Check::Document => write!(f, "a PDF, PNG or JPEG of at most {mib} MiB"),
            Check::Image => write!(f, "a PNG or JPEG of at most {mib} MiB"),
        }
    }
}

#[cfg(test)]
mod tests;
