//! What English pages write: `-£1,234.56`, `25 December 1985`. Days in figures are left alone: `01/02/2025` is two days, one on each
//! side of an ocean.

use crate::date;
use crate::fault::{Code, Result};
use crate::number::Style;

const STYLE: Style = Style { point: '.', groups: &[','], example: "1,234.56" };
const MONTHS: &str = "january february march april may june july august september october november december";
const WEEKDAYS: &str = "monday tuesday wednesday thursday friday saturday sunday";

/// An amount in minor units of its currency (ISO 4217), exactly: `-1,234.56 EUR` and `(1,234.56)` are -123456. The currency may stand behind or before it.
///
/// # Errors
/// `value-unparsable`; more decimals than the currency has are no amount, nor is one in another currency.
pub fn amount(text: &str, currency: &str) -> Result<i64> {
    STYLE.amount(text, currency)
}

/// An exact number, as the contract writes it: `1,234.5` is `1234.5`.
///
/// # Errors
/// `value-unparsable`.
pub fn decimal(text: &str) -> Result<String> {
    STYLE.decimal(text)
}

/// A day: `25 December 1985`, `Dec. 25, 1985`, `Friday, 3rd of Jan 2025` to `1985-12-25`.
///
/// # Errors
/// `value-unparsable`; a year has four digits, since two would have to be guessed: see [`date_from`].
pub fn date(text: &str) -> Result<String> {
    day(text, None)
}

/// As [`date`], and a year may have two digits: `25 Dec 85` is the one of the hundred years that begin with `first_year`.
///
/// # Errors
/// `value-unparsable`.
pub fn date_from(text: &str, first_year: u16) -> Result<String> {
    day(text, Some(first_year))
}

fn day(text: &str, first_year: Option<u16>) -> Result<String> {
    let skipped =
        |word: &&str| !word.is_empty() && date::month(word, WEEKDAYS).is_none() && !["of", "the"].contains(word);
    let split = |c: char| c.is_whitespace() || matches!(c, ',' | '-');
    let mut words = text.split(split).filter(skipped);
    let found = match (words.next(), words.next(), words.next(), words.next()) {
        (Some(first), Some(second), Some(year), None) => {
            let (day, name) =
                if first.starts_with(|c: char| c.is_ascii_digit()) { (first, second) } else { (second, first) };
            date::month(name, MONTHS).and_then(|month| date::iso(cardinal(day), month, year, first_year))
        }
        _ => None,
    };
    found.ok_or_else(|| Code::ValueUnparsable.fault("this is no day, written as 25 December 1985"))
}

/// `21st` as `21`; an ending that belongs to another number stays, and is no day.
fn cardinal(day: &str) -> &str {
    let number = day.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let teen = number.len() == 2 && number.starts_with('1');
    let ending = match number.bytes().last() {
        Some(b'1') if !teen => "st",
        Some(b'2') if !teen => "nd",
        Some(b'3') if !teen => "rd",
        _ => "th",
    };
    day.strip_suffix(ending).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        let cases = [
            ("1,234.56", "EUR", Some(123_456)),
            ("£1,234.5", "GBP", Some(123_450)),
            ("-£1,234.50", "GBP", Some(-123_450)),
            ("£-1.00", "GBP", Some(-100)),
            ("USD 0.01", "USD", Some(1)),
            ("1,234", "EUR", Some(123_400)),
            ("(1,234.56)", "EUR", Some(-123_456)),
            ("(£0.07)", "GBP", Some(-7)),
            ("(-1.00)", "GBP", None),
            ("(1.00", "GBP", None),
            ("1,23", "EUR", None),
            ("1.234,56", "EUR", None),
            ("1 234.56", "EUR", None),
        ];
        for (text, currency, wanted) in cases {
            assert_eq!(amount(text, currency).ok(), wanted, "{text:?} in {currency}");
        }
        assert_eq!(decimal("1,234.50").unwrap(), "1234.50");
        assert_eq!(decimal("(1,234.5)").unwrap(), "-1234.5");
    }

    #[test]
    fn a_year_of_two_digits_is_told_by_where_a_hundred_years_begin() {
        assert_eq!(date_from("3 Jan 25", 2000).unwrap(), "2025-01-03");
        assert_eq!(date_from("Dec. 25, 85", 1950).unwrap(), "1985-12-25");
    }

    #[test]
    fn days_have_their_month_in_words() {
        let cases = [
            ("25 December 1985", Some("1985-12-25")),
            ("Dec. 25, 1985", Some("1985-12-25")),
            ("May 1, 2025", Some("2025-05-01")),
            ("31 June 2025", None),
            ("1st June 2025", Some("2025-06-01")),
            ("June 22nd, 2025", Some("2025-06-22")),
            ("3rd of June 2025", Some("2025-06-03")),
            ("11th Sept. 2025", Some("2025-09-11")),
            ("11st June 2025", None),
            ("21th June 2025", None),
            ("Friday, 3 Jan 2025", Some("2025-01-03")),
            ("3\u{a0}Jan\u{202f}2025", Some("2025-01-03")),
            ("3-Jan-2025", Some("2025-01-03")),
            ("3 Jan 25", None),
            ("01/02/2025", None),
            ("December 1985", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(date(text).ok().as_deref(), wanted, "{text:?}");
        }
    }
}
