//! Questions that are answered here, so that the value itself never leaves: whether somebody is old enough, lives in a country, has
//! an account, is the one they say, earns enough. Pure.
//!
//! An answer is yes, no, or not known; never a number, a date or a name. What a question needs is collected for it, looked at, and
//! dropped before the review, unless the same category was granted besides.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use consentry_contract::item::{Item, Value, minor_digits};

/// Longest question, in bytes.
pub const PREDICATE_BYTES_MAX: usize = 200;
/// Most questions of one request.
pub const PREDICATES_MAX: usize = 8;
/// Over how many whole months an income is looked at.
const INCOME_MONTHS: i32 = 3;

/// A kind of question: what a registration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// At least so many years old.
    AgeOver,
    /// Lives in a country.
    ResidentIn,
    /// Has the account with this IBAN.
    IbanMatches,
    /// Is the person of this name, by the account.
    HolderMatches,
    /// Earned at least so much in each of the last three months.
    IncomeAtLeast,
}

/// A question. What it compares with may be personal data: it is shown to the person and written nowhere but into the request.
#[derive(Clone, PartialEq, Eq)]
pub enum Predicate {
    /// [`Kind::AgeOver`], in years.
    AgeOver(u8),
    /// [`Kind::ResidentIn`], ISO 3166-1 alpha-2.
    ResidentIn(String),
    /// [`Kind::IbanMatches`], without spaces.
    IbanMatches(String),
    /// [`Kind::HolderMatches`].
    HolderMatches(String),
    /// [`Kind::IncomeAtLeast`], a month, in minor units of a currency.
    IncomeAtLeast(i64, String),
}

/// A text that is no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a predicate is age-over(18), resident-in(FR), iban-matches(IBAN), holder-matches(NAME) or income-at-least(1500 EUR)"
)]
pub struct NotAPredicate;

/// What a question came to. Not known where the Data Source has nothing to answer it with.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Answered {
    /// The question, without what it compares with where that is personal.
    pub predicate: String,
    /// Yes, no, or not known.
    pub holds: Option<bool>,
}

impl fmt::Debug for Answered {
    /// Without the answer, which is about somebody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered").field("predicate", &self.predicate).finish_non_exhaustive()
    }
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::AgeOver, Self::ResidentIn, Self::IbanMatches, Self::HolderMatches, Self::IncomeAtLeast];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::AgeOver => "age-over",
            Self::ResidentIn => "resident-in",
            Self::IbanMatches => "iban-matches",
            Self::HolderMatches => "holder-matches",
            Self::IncomeAtLeast => "income-at-least",
        }
    }

    /// The category that answers it.
    pub fn category(self) -> &'static str {
        match self {
            Self::AgeOver => "person.birth",
            Self::ResidentIn => "person.address",
            Self::IbanMatches | Self::HolderMatches => "bank.account",
            Self::IncomeAtLeast => "bank.transaction",
        }
    }
}

impl FromStr for Predicate {
    type Err = NotAPredicate;

    fn from_str(text: &str) -> Result<Self, NotAPredicate> {
        if text.len() > PREDICATE_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(NotAPredicate);
        }
        let (name, rest) = text.split_once('(').ok_or(NotAPredicate)?;
        let argument = rest.strip_suffix(')').map(str::trim).filter(|text| !text.is_empty()).ok_or(NotAPredicate)?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or(NotAPredicate)?;
        match kind {
            Kind::AgeOver => match argument.parse() {
                Ok(years @ 1..=120) => Ok(Self::AgeOver(years)),
                _ => Err(NotAPredicate),
            },
            Kind::ResidentIn if argument.len() == 2 && argument.bytes().all(|b| b.is_ascii_uppercase()) => {
                Ok(Self::ResidentIn(argument.to_owned()))
            }
            Kind::ResidentIn => Err(NotAPredicate),
            Kind::IbanMatches => {
                let iban = bare(argument);
                let right = (15..=34).contains(&iban.len()) && iban.bytes().all(|b| b.is_ascii_alphanumeric());
                if right { Ok(Self::IbanMatches(iban)) } else { Err(NotAPredicate) }
            }
            Kind::HolderMatches if !words(argument).is_empty() => Ok(Self::HolderMatches(argument.to_owned())),
            Kind::HolderMatches => Err(NotAPredicate),
            Kind::IncomeAtLeast => {
                let (amount, currency) = argument.split_once(' ').ok_or(NotAPredicate)?;
                let digits = u32::from(minor_digits(currency).ok_or(NotAPredicate)?);
                let amount: i64 = amount.parse().ok().filter(|amount| *amount > 0).ok_or(NotAPredicate)?;
                let minor = 10_i64.checked_pow(digits).and_then(|unit| amount.checked_mul(unit));
                Ok(Self::IncomeAtLeast(minor.ok_or(NotAPredicate)?, currency.to_owned()))
            }
        }
    }
}

impl Predicate {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::AgeOver(_) => Kind::AgeOver,
            Self::ResidentIn(_) => Kind::ResidentIn,
            Self::IbanMatches(_) => Kind::IbanMatches,
            Self::HolderMatches(_) => Kind::HolderMatches,
            Self::IncomeAtLeast(..) => Kind::IncomeAtLeast,
        }
    }

    /// The question as it may be written down: without what it compares with where that is personal.
    pub fn told(&self) -> String {
        let name = self.kind().name();
        match self {
            Self::AgeOver(years) => format!("{name}({years})"),
            Self::ResidentIn(country) => format!("{name}({country})"),
            Self::IbanMatches(_) | Self::HolderMatches(_) => name.to_owned(),
            Self::IncomeAtLeast(minor, currency) => {
                let unit = minor_digits(currency).map_or(1, |digits| 10_i64.pow(u32::from(digits)));
                format!("{name}({} {currency})", minor / unit)
            }
        }
    }

    /// Answers it from what was collected.
    pub fn answer(&self, items: &[Item], now: Timestamp) -> Answered {
        let wanted = self.kind().category();
        let of = || items.iter().filter(move |item| item.category().name == wanted);
        let holds = match self {
            Self::AgeOver(years) => any(of().filter_map(|item| Some(is_over(date(item, "date")?, *years, now)))),
            Self::ResidentIn(country) => any(of().filter_map(|item| Some(text(item, "country")? == country))),
            Self::IbanMatches(iban) => any(of().filter_map(|item| Some(bare(text(item, "iban")?) == *iban))),
            Self::HolderMatches(name) => any(of().filter_map(|item| Some(is_named(&holder(item)?, name)))),
            Self::IncomeAtLeast(least, currency) => income(of(), currency, now).map(|lowest| lowest >= *least),
        };
        Answered { predicate: self.told(), holds }
    }

    /// Whether the account is in somebody else's name than the one it expects: the Data Source names holders, and each of them is another.
    pub fn expects_somebody_else(&self, items: &[Item], now: Timestamp) -> bool {
        matches!(self, Self::HolderMatches(_)) && self.answer(items, now).holds == Some(false)
    }
}

/// Hides what it compares with.
impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name())
    }
}

/// Whether one is true; none where there is none.
fn any(mut known: impl Iterator<Item = bool>) -> Option<bool> {
    let first = known.next()?;
    Some(first || known.any(|holds| holds))
}

fn text<'i>(item: &'i Item, field: &str) -> Option<&'i str> {
    item.get(field).and_then(Value::as_text)
}

fn date(item: &Item, field: &str) -> Option<Date> {
    match item.get(field) {
        Some(Value::Date(date)) => Some(*date),
        _ => None,
    }
}

fn is_over(birth: Date, years: u8, now: Timestamp) -> bool {
    let today = now.to_zoned(TimeZone::UTC).date();
    birth.checked_add(Span::new().years(i32::from(years))).is_ok_and(|day| day <= today)
}

fn bare(iban: &str) -> String {
    iban.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect()
}

/// The holder of an account, in one text.
fn holder(item: &Item) -> Option<String> {
    let parts = [text(item, "holder.given"), text(item, "holder.family")];
    match text(item, "holder") {
        Some(whole) => Some(whole.to_owned()),
        None if parts.iter().all(Option::is_some) => Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" ")),
        None => None,
    }
}

/// Whether every word of a name is among the holder's, in any order: titles and second names do not count against it.
fn is_named(holder: &str, name: &str) -> bool {
    let holder = words(holder);
    words(name).iter().all(|word| holder.contains(word))
}

/// The words of a name without accents, case and signs.
fn words(name: &str) -> Vec<String> {
    let plain: String = name.nfd().filter(|c| !is_mark(*c)).flat_map(char::to_lowercase).collect();
    plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// The lowest sum of transfers received in one of the last whole months; none where the transactions do not reach back so far.
fn income<'i>(items: impl Iterator<Item = &'i Item>, currency: &str, now: Timestamp) -> Option<i64> {
    let this_month = now.to_zoned(TimeZone::UTC).date().first_of_month();
    let start = |months: i32| this_month.checked_sub(Span::new().months(months)).ok();
    let mut sums = vec![0_i64; usize::try_from(INCOME_MONTHS).ok()?];
    let mut oldest: Option<Date> = None;
    for item in items {
        let (Some(day), Some(Value::Integer(amount))) = (date(item, "date"), item.get("amount")) else { continue };
        oldest = Some(oldest.map_or(day, |known| known.min(day)));
        if text(item, "currency") != Some(currency)
            || *amount <= 0
            || text(item, "kind").is_some_and(|kind| kind != "transfer")
        {
            continue;
        }
        for (months, sum) in (1..).zip(sums.iter_mut()) {
            if start(months)? <= day && day < start(months - 1)? {
                *sum = sum.saturating_add(*amount);
            }
        }
    }
    // A month of which nothing was seen is not a month without income.
    if oldest? >= start(INCOME_MONTHS - 1)? {
        return None;
    }
    sums.into_iter().min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{item, now};
    use consentry_contract::item::RawValue;

    fn text_of(value: &str) -> RawValue {
        RawValue::Text(value.to_owned())
    }

    fn day(value: &str) -> RawValue {
        RawValue::Date(value.to_owned())
    }

    fn holds(predicate: &str, items: &[Item]) -> Option<bool> {
        predicate.parse::<Predicate>().unwrap().answer(items, now()).holds
    }

    #[test]
    fn the_answer_is_yes_no_or_not_known_and_never_the_value() {
        let born = |date: &str| vec![item("person.birth", vec![("date", day(date))])];
        assert_eq!(holds("age-over(18)", &born("2008-11-21")), Some(true), "on the birthday");
        assert_eq!(holds("age-over(18)", &born("2008-11-22")), Some(false));
        assert_eq!(holds("age-over(18)", &[]), None);
        assert_eq!(holds("age-over(18)", &[item("person.birth", vec![("place", text_of("Lyon"))])]), None);
        let home = vec![item("person.address", vec![("country", text_of("FR")), ("city", text_of("Lyon"))])];
        assert_eq!((holds("resident-in(FR)", &home), holds("resident-in(BE)", &home)), (Some(true), Some(false)));
        let account = |holder: &str| {
            let fields = vec![
                ("ref", text_of("a1")),
                ("holder", text_of(holder)),
                ("iban", text_of("FR7630006000011234567890189")),
            ];
            vec![item("bank.account", fields)]
        };
        let mine = account("MME MARIE-HÉLÈNE DUPONT");
        assert_eq!(holds("iban-matches(FR76 3000 6000 0112 3456 7890 189)", &mine), Some(true));
        assert_eq!(holds("iban-matches(DE89370400440532013000)", &mine), Some(false));
        for (name, same) in
            [("Hélène Dupont", true), ("dupont marie", true), ("Marie Durand", false), ("Marie Dupont-Roy", false)]
        {
            assert_eq!(holds(&format!("holder-matches({name})"), &mine), Some(same), "{name}");
        }
        let answer = "holder-matches(Marie Dupont)".parse::<Predicate>().unwrap().answer(&mine, now());
        assert_eq!(serde_json::to_string(&answer).unwrap(), r#"{"predicate":"holder-matches","holds":true}"#);
    }

    #[test]
    fn an_income_is_that_of_the_lowest_of_three_whole_months() {
        let paid = |date: &str, amount: i64, kind: &str| {
            let fields = vec![
                ("account", text_of("a1")),
                ("date", day(date)),
                ("label", text_of("x")),
                ("amount", RawValue::Integer(amount)),
                ("currency", text_of("EUR")),
                ("kind", text_of(kind)),
            ];
            item("bank.transaction", fields)
        };
        let salary = |last: i64| {
            vec![
                paid("2026-08-05", 200_000, "transfer"),
                paid("2026-09-05", 100_000, "transfer"),
                paid("2026-09-30", 100_000, "transfer"),
                paid("2026-10-31", last, "transfer"),
                paid("2026-11-05", 900_000, "transfer"),
                paid("2026-10-31", 900_000, "cash"),
                paid("2026-10-31", -900_000, "transfer"),
            ]
        };
        assert_eq!(holds("income-at-least(1500 EUR)", &salary(150_000)), Some(true));
        assert_eq!(holds("income-at-least(1500 EUR)", &salary(149_999)), Some(false));
        assert_eq!(holds("income-at-least(1 CHF)", &salary(150_000)), Some(false));
        assert_eq!(holds("income-at-least(1500 EUR)", &salary(150_000)[3..]), None, "the months before were not seen");
        assert_eq!(holds("income-at-least(1500 EUR)", &[]), None);
    }

    #[test]
    fn a_question_is_written_down_without_the_person_in_it() {
        for (text, told) in [
            ("age-over(18)", Some("age-over(18)")),
            ("resident-in(FR)", Some("resident-in(FR)")),
            ("iban-matches(FR7630006000011234567890189)", Some("iban-matches")),
            ("holder-matches(Marie Dupont)", Some("holder-matches")),
            ("income-at-least(1500 EUR)", Some("income-at-least(1500 EUR)")),
            ("age-over(0)", None),
            ("age-over(18", None),
            ("age-over()", None),
            ("resident-in(France)", None),
            ("iban-matches(12)", None),
            ("holder-matches(-)", None),
            ("income-at-least(1500)", None),
            ("income-at-least(-1 EUR)", None),
            ("shoe-size(43)", None),
        ] {
            let read = text.parse::<Predicate>();
            assert_eq!(read.as_ref().ok().map(Predicate::told).as_deref(), told, "{text}");
            assert!(!format!("{read:?}").contains("Marie") && !format!("{read:?}").contains("FR76"));
        }
    }
}
