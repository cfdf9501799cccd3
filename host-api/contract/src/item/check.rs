//! The door: raw fields in, an [`Item`] or a list of what is wrong out. Errors name the field and the wanted form, so that a
//! connector's author can act on them, and never the value.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::table::{CATEGORIES, Category, Check, Field, Kind, category};
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
    /// They stand as the table has them.
    in_order: bool,
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
        let given: Vec<(String, Option<usize>)> = fields
            .into_iter()
            .map(|name| {
                let place = place(&name);
                (name, place)
            })
            .collect();
        let places = || given.iter().filter_map(|(_, place)| *place);
        let in_order = places().is_sorted();
        Ok(Self { category, given, in_order })
    }

    /// Whose fields they are.
    #[must_use]
    pub fn category(&self) -> &'static Category {
        self.category
    }

    /// The day by which a consent's history window counts an item; none where it has none, or one that is no day. `written` gives the text of
    /// a value by its place.
    #[must_use]
    pub fn day<'t>(&self, written: impl FnOnce(usize) -> Option<&'t str>) -> Option<Date> {
        let name = self.category.day()?.name;
        strictly_a_day(written(self.given.iter().position(|(given, _)| given == name)?)?)
    }

    /// Checks one item, value by value, against the table. `observed` is the host's clock.
    ///
    /// # Errors
    /// What is wrong, field by field, but no endless list.
    pub fn check(&self, values: Vec<Option<RawValue>>, observed: Timestamp) -> Result<Item, Vec<FieldError>> {
        self.take(values.into_iter(), observed, |field, raw| value(field, &raw, observed))
    }

    /// The same for values that are written as the table's kinds are: digits for an integer, `true` or `false` for a flag. A document
    /// can't be written.
    ///
    /// # Errors
    /// As [`Columns::check`].
    pub fn read<'t>(
        &self,
        values: impl Iterator<Item = Option<&'t str>>,
        observed: Timestamp,
    ) -> Result<Item, Vec<FieldError>> {
        self.take(values, observed, |field, text| written(field, text, observed))
    }

    fn take<V>(
        &self,
        mut values: impl Iterator<Item = Option<V>>,
        observed: Timestamp,
        value: impl Fn(&'static Field, V) -> Result<Value, Wanted>,
    ) -> Result<Item, Vec<FieldError>> {
        let category = self.category;
        let mut errors = Vec::new();
        let mut fields = Vec::with_capacity(self.given.len());
        let mut given = Given::default();
        for ((name, place), raw) in self.given.iter().zip(values.by_ref()) {
            let Some(raw) = raw else { continue };
            if errors.len() == WRONG_MAX {
                break;
            }
            let taken = match place {
                None => Err(Wanted::Known),
                Some(at) if given.has(*at) => Err(Wanted::Once),
                Some(at) => {
                    // A field that is wrong is not missing too.
                    given.add(*at);
                    let field = &category.fields[*at];
                    value(field, raw).map(|value| fields.push((field, value)))
                }
            };
            if let Err(wanted) = taken {
                errors.push(error(category, name, wanted));
            }
        }
        if values.next().is_some() && errors.len() < WRONG_MAX {
            errors.push(FieldError { category: Some(category.name), field: None, wanted: Wanted::Known });
        }
        missing(category, given, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        // As the table has them.
        if !self.in_order {
            fields.sort_unstable_by_key(|(field, _)| std::ptr::from_ref::<Field>(field).addr());
        }
        Ok(Item { category, observed, fields })
    }
}

/// The fields of a category that were given, by their places.
#[derive(Clone, Copy, Default)]
struct Given(u64);

// A place is a bit.
const _: () = {
    let mut at = 0;
    while at < CATEGORIES.len() {
        assert!(CATEGORIES[at].fields.len() <= u64::BITS as usize);
        at += 1;
    }
};

impl Given {
    fn has(self, place: usize) -> bool {
        self.0 & (1 << place) != 0
    }

    fn add(&mut self, place: usize) {
        self.0 |= 1 << place;
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
fn missing(category: &'static Category, given: Given, errors: &mut Vec<FieldError>) {
    let has = |name: &str| category.fields.iter().position(|field| field.name == name).is_some_and(|at| given.has(at));
    for (at, field) in category.fields.iter().enumerate() {
        if field.required && !given.has(at) {
            errors.push(error(category, field.name, Wanted::Present));
        } else if !field.required
            && given.has(at)
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

fn value(field: &'static Field, raw: &RawValue, observed: Timestamp) -> Result<Value, Wanted> {
    match (field.kind, raw) {
        (Kind::Text, RawValue::Text(text))
        | (Kind::Decimal, RawValue::Decimal(text))
        | (Kind::Date, RawValue::Date(text))
        | (Kind::Instant, RawValue::Instant(text)) => written(field, text, observed),
        (Kind::Integer, RawValue::Integer(number)) => integer(field, *number),
        (Kind::Flag, RawValue::Flag(flag)) => Ok(Value::Flag(*flag)),
        (Kind::Blob, RawValue::Blob(bytes)) => match Media::sniff(bytes) {
            Some(Media::Pdf) if field.check == Check::Image => Err(Wanted::Form(field.check)),
            Some(media) if bytes.len() <= Check::MAX_DOCUMENT => Ok(Value::Blob { media, bytes: bytes.clone() }),
            _ => Err(Wanted::Form(field.check)),
        },
        (kind, _) => Err(Wanted::Kind(kind)),
    }
}

/// A value as its kind is written.
fn written(field: &'static Field, text: &str, observed: Timestamp) -> Result<Value, Wanted> {
    let (form, kind) = (Wanted::Form(field.check), Wanted::Kind(field.kind));
    match field.kind {
        Kind::Text => text::normal(field.check, text).map(Value::Text).ok_or(form),
        Kind::Integer => integer(field, text::integer(text).ok_or(kind)?),
        Kind::Decimal if text::is_decimal(text) => Ok(Value::Decimal(text.to_owned())),
        Kind::Date => {
            let day = strictly_a_day(text).ok_or(kind)?;
            if in_calendar(field.check, day, observed) { Ok(Value::Date(day)) } else { Err(form) }
        }
        Kind::Instant => text.parse().map(Value::Instant).map_err(|_| kind),
        Kind::Flag => match text {
            "true" => Ok(Value::Flag(true)),
            "false" => Ok(Value::Flag(false)),
            _ => Err(kind),
        },
        Kind::Decimal | Kind::Blob => Err(kind),
    }
}

fn integer(field: &'static Field, number: i64) -> Result<Value, Wanted> {
    match field.check {
        Check::Range(low, high) if !(low..=high).contains(&number) => Err(Wanted::Form(field.check)),
        _ => Ok(Value::Integer(number)),
    }
}

/// `2026-11-21` and nothing else: no time, no week dates, no compact form.
fn strictly_a_day(text: &str) -> Option<Date> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text.as_bytes() else { return None };
    let number = |digits: &[u8]| {
        let digit = |number: i16, digit: &u8| digit.is_ascii_digit().then(|| number * 10 + i16::from(digit - b'0'));
        digits.iter().try_fold(0, digit)
    };
    let small = |digits: &[u8]| number(digits).and_then(|number| i8::try_from(number).ok());
    Date::new(number(&[y1, y2, y3, y4])?, small(&[m1, m2])?, small(&[d1, d2])?).ok()
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
