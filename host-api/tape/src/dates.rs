//! Days in place of days. What stays is their order, and on which side of today and of the first day of the consent each lies: pages are
//! sorted by days, and connectors stop at a day. How many days lie between two of them does not stay.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

/// Months by language, whole; an abbreviation is the beginning of one.
const MONTHS: [[&str; 12]; 3] = [
    [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ],
    [
        "januar",
        "februar",
        "märz",
        "april",
        "mai",
        "juni",
        "juli",
        "august",
        "september",
        "oktober",
        "november",
        "dezember",
    ],
];
/// Days that are believed to be days.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2199;

/// How a day is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Year, month, day with a sign between them.
    YearFirst(char),
    /// Day, month, year.
    DayFirst(char, bool),
    /// Month, day, year.
    MonthFirst(char, bool),
    /// Day, name of the month, year: the language, and whether the name is whole.
    Named(usize, bool, bool),
}

/// A day that stands in a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) day: Date,
    /// Bytes that it takes.
    pub(crate) bytes: usize,
    style: Style,
}

/// The days of one tape.
pub(crate) struct Dates {
    today: Date,
    since: Option<Date>,
    seen: BTreeSet<Date>,
    given: BTreeMap<Date, Date>,
}

/// The day of every synthetic run.
pub(crate) const TODAY: Date = date(2025, 6, 16);

impl Dates {
    pub(crate) fn new(today: Date, since: Option<Date>) -> Self {
        Self { today, since, seen: BTreeSet::new(), given: BTreeMap::new() }
    }

    /// Remembers a day.
    pub(crate) fn see(&mut self, day: Date) {
        self.seen.insert(day);
    }

    /// Every day was seen: from now on there is another for each.
    pub(crate) fn settle(&mut self) {
        let first = self.since();
        let of = |range: &dyn Fn(&Date) -> bool| self.seen.iter().copied().filter(range).collect::<Vec<_>>();
        let since = self.since;
        let old = of(&|day| since.is_some_and(|since| *day < since));
        let recent = of(&|day| since.is_none_or(|since| *day >= since) && *day <= self.today);
        let coming = of(&|day| *day > self.today);
        let before = |last: Date, days: &[Date]| {
            let back = days.len() as i64;
            days.iter()
                .enumerate()
                .map(move |(at, day)| (*day, last.saturating_sub((back - at as i64).days())))
                .collect::<Vec<_>>()
        };
        let mut given: BTreeMap<Date, Date> = before(first.unwrap_or(TODAY), &old).into_iter().collect();
        let on_today = recent.last() == Some(&self.today);
        let last = if on_today { TODAY.saturating_add(1.day()) } else { TODAY };
        given.extend(before(last, &recent));
        given.extend(coming.iter().zip(1..).map(|(day, ahead)| (*day, TODAY.saturating_add(ahead.days()))));
        // The first day of the consent is told to the connector, so a day that is it stays it.
        if let (Some(since), Some(first)) = (self.since, first) {
            given.entry(since).and_modify(|day| *day = first);
        }
        self.given = given;
    }

    /// The first day of the synthetic consent: as far back as the real one.
    pub(crate) fn since(&self) -> Option<Date> {
        let back = (self.today - self.since?).get_days();
        Some(TODAY.saturating_sub(i64::from(back).days()))
    }

    /// What stands in place of it, written alike.
    pub(crate) fn other(&self, found: &Found, text: &str) -> String {
        let day = self.given.get(&found.day).copied().unwrap_or(TODAY);
        found.written(day, text)
    }
}

impl Found {
    /// The day at the beginning of a text, if one is written there.
    pub(crate) fn at(text: &str) -> Option<Self> {
        numbers(text).or_else(|| named(text))
    }

    fn written(&self, day: Date, text: &str) -> String {
        let (year, month, number) = (day.year(), day.month(), day.day());
        match self.style {
            Style::YearFirst(sign) => format!("{year:04}{sign}{month:02}{sign}{number:02}"),
            Style::DayFirst(sign, long) => format!("{number:02}{sign}{month:02}{sign}{}", shown(year, long)),
            // Who reads the day first must still find no month there.
            Style::MonthFirst(sign, long) => {
                let number = if number < 13 { number + 12 } else { number };
                format!("{month:02}{sign}{number:02}{sign}{}", shown(year, long))
            }
            Style::Named(language, whole, capital) => {
                let name = MONTHS[language][usize::from(month.unsigned_abs()) - 1];
                let mut name: String = if whole { name.to_owned() } else { name.chars().take(3).collect() };
                if capital && let Some(first) = name.chars().next() {
                    name = first.to_uppercase().chain(name.chars().skip(1)).collect();
                }
                let dot = if !whole && text[..self.bytes].contains('.') { "." } else { "" };
                format!("{number} {name}{dot} {year}")
            }
        }
    }
}

fn shown(year: i16, long: bool) -> String {
    if long { format!("{year:04}") } else { format!("{:02}", year % 100) }
}

/// Digits at the beginning, and how many there are.
fn digits(text: &str) -> Option<(i16, usize)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    text.get(..length)?.parse().ok().map(|number| (number, length))
}

fn day(year: i16, month: i16, day: i16) -> Option<Date> {
    let fits = YEARS.contains(&year);
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok().filter(|_| fits)
}

fn numbers(text: &str) -> Option<Found> {
    let (first, a) = digits(text)?;
    let sign = text[a..].chars().next().filter(|sign| matches!(sign, '-' | '/' | '.'))?;
    let (second, b) = digits(&text[a + 1..])?;
    let rest = text[a + 1 + b..].strip_prefix(sign)?;
    let (third, c) = digits(rest)?;
    let bytes = a + b + c + 2;
    if a == 4 && (1..=2).contains(&b) && (1..=2).contains(&c) {
        return Some(Found { day: day(first, second, third)?, bytes, style: Style::YearFirst(sign) });
    }
    if !(1..=2).contains(&a) || !(1..=2).contains(&b) || !matches!(c, 2 | 4) {
        return None;
    }
    let (long, year) = (c == 4, if c == 4 { third } else { 2000 + third });
    let first_day = day(year, second, first).map(|day| Found { day, bytes, style: Style::DayFirst(sign, long) });
    first_day.or_else(|| Some(Found { day: day(year, first, second)?, bytes, style: Style::MonthFirst(sign, long) }))
}

/// `3 août 2026`, `1er janv. 2026`.
fn named(text: &str) -> Option<Found> {
    let (number, a) = digits(text).filter(|(_, length)| *length <= 2)?;
    let after = &text[a..];
    let after = after.strip_prefix("er").unwrap_or(after).strip_prefix([' ', '\u{a0}'])?;
    let length = after.find(|c: char| !c.is_alphabetic())?;
    let name = after[..length].to_lowercase();
    let rest = &after[length..];
    let rest = rest.strip_prefix('.').unwrap_or(rest).strip_prefix([' ', '\u{a0}'])?;
    let (year, c) = digits(rest).filter(|(_, length)| *length == 4)?;
    let bytes = text.len() - rest.len() + c;
    let month = |language: &[&str; 12]| {
        let fits = |month: &&str| **month == name || name.chars().count() >= 3 && month.starts_with(&name);
        language.iter().position(fits)
    };
    let (language, month) = MONTHS.iter().enumerate().find_map(|(at, language)| Some((at, month(language)?)))?;
    let whole = MONTHS[language][month] == name;
    let capital = after.starts_with(char::is_uppercase);
    let day = day(year, month as i16 + 1, number)?;
    Some(Found { day, bytes, style: Style::Named(language, whole, capital) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_found_as_they_are_written() {
        for (text, wanted, bytes) in [
            ("2026-11-22T10:00", Some(date(2026, 11, 22)), 10),
            ("22/11/2026 x", Some(date(2026, 11, 22)), 10),
            ("11/22/2026", Some(date(2026, 11, 22)), 10),
            ("1.2.26", Some(date(2026, 2, 1)), 6),
            ("1er janv. 2026", Some(date(2026, 1, 1)), 14),
            ("3 août 2026", Some(date(2026, 8, 3)), 12),
            ("31/02/2026", None, 0),
            ("192.168.1.1", None, 0),
            ("12", None, 0),
        ] {
            let found = Found::at(text);
            assert_eq!(found.map(|found| found.day), wanted, "{text}");
            assert_eq!(found.map_or(0, |found| found.bytes), bytes, "{text}");
        }
    }

    #[test]
    fn order_and_sides_stay_and_distances_do_not() {
        let (today, since) = (date(2026, 11, 22), date(2026, 1, 1));
        let mut dates = Dates::new(today, Some(since));
        let days = [date(1980, 5, 6), date(2025, 12, 31), since, date(2026, 7, 7), today, date(2027, 1, 1)];
        days.into_iter().for_each(|day| dates.see(day));
        dates.settle();
        let others: Vec<Date> = days.iter().map(|day| dates.given[day]).collect();
        assert!(others.is_sorted(), "{others:?}");
        let first = dates.since().unwrap();
        assert!(others[1] < first && others[2] == first && others[4] == TODAY && others[5] > TODAY, "{others:?}");
        for (text, wanted) in [("06/05/1980", "/"), ("22 novembre 2026", "16 juin 2025"), ("07/13/2026", "/")] {
            let found = Found::at(text);
            let Some(found) = found else { panic!("{text}") };
            dates.see(found.day);
            assert!(dates.other(&found, text).contains(wanted), "{text}");
        }
    }
}
