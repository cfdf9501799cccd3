//! What French pages write: `-1 234,56 €`, `25/12/1985`, `1er janvier 2026`.

use crate::date;
use crate::fault::{Code, Result};
use crate::number::Style;

/// Blanks of every width that French typography puts between groups.
const STYLE: Style = Style { point: ',', groups: &[' ', '\u{a0}', '\u{202f}', '\u{2009}'], example: "1 234,56" };
const MONTHS: &str = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre";
const WEEKDAYS: &str = "lundi mardi mercredi jeudi vendredi samedi dimanche";

/// An amount in minor units of its currency (ISO 4217), exactly: `-1 234,56 €` is -123456. The currency may stand behind or before it.
///
/// # Errors
/// `value-unparsable`; more decimals than the currency has are no amount, nor is one in another currency.
pub fn amount(text: &str, currency: &str) -> Result<i64> {
    STYLE.amount(text, currency)
}

/// An exact number, as the contract writes it: `1 234,5` is `1234.5`.
///
/// # Errors
/// `value-unparsable`.
pub fn decimal(text: &str) -> Result<String> {
    STYLE.decimal(text)
}

/// A day: `25/12/1985`, `25.12.1985`, `25-12-1985`, `25 décembre 1985`, `1er janv. 2026`, `ven. 3 fevr 2025` to `1985-12-25`. Blanks may be
/// of any kind, and accents left out.
///
/// # Errors
/// `value-unparsable`; a year has four digits, since two would have to be guessed: see [`date_from`].
pub fn date(text: &str) -> Result<String> {
    day(text, None)
}

/// As [`date`], and a year may have two digits: `25/12/85` is the one of the hundred years that begin with `first_year`.
///
/// # Errors
/// `value-unparsable`.
pub fn date_from(text: &str, first_year: u16) -> Result<String> {
    day(text, Some(first_year))
}

fn day(text: &str, first_year: Option<u16>) -> Result<String> {
    let text = text.trim();
    let found = if !text.contains(char::is_alphabetic)
        && let Some([day, month, year]) = three(text.split(['/', '.', '-']).map(str::trim))
    {
        date::digits(month, 2).and_then(|month| date::iso(day, month, year, first_year))
    } else {
        // `vendredi 3`, `le 3`, and what a page raises behind the first day of a month.
        let skipped = |word: &&str| !word.is_empty() && !["le", "er"].contains(word);
        let mut words = text.split(|c: char| c.is_whitespace() || c == ',').filter(skipped).peekable();
        // Behind the day, `mar.` is a month.
        let _ = words.next_if(|word| date::month(word, WEEKDAYS).is_some());
        three(words).and_then(|[day, month, year]| {
            let first = ["1er", "1ᵉʳ", "1ER"].contains(&day);
            date::month(month, MONTHS)
                .and_then(|month| date::iso(if first { "1" } else { day }, month, year, first_year))
        })
    };
    found.ok_or_else(|| Code::ValueUnparsable.fault("this is no day, written as 25/12/1985 or 25 décembre 1985"))
}

fn three<'t>(mut words: impl Iterator<Item = &'t str>) -> Option<[&'t str; 3]> {
    let three = [words.next()?, words.next()?, words.next()?];
    words.next().is_none().then_some(three)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        let cases = [
            ("-1\u{a0}234,56\u{a0}€", "EUR", Some(-123_456)),
            ("1\u{202f}234\u{202f}567,89 EUR", "EUR", Some(123_456_789)),
            ("\u{2212}0,07 €", "EUR", Some(-7)),
            ("€ 12,5", "EUR", Some(1250)),
            ("+ 8 250 €", "EUR", Some(825_000)),
            ("1234,56", "EUR", Some(123_456)),
            ("1 234,567 TND", "TND", Some(1_234_567)),
            ("1 234 ¥", "JPY", Some(1234)),
            ("12,50 Fr.", "CHF", Some(1250)),
            ("92 233 720 368 547 758,07 €", "EUR", Some(i64::MAX)),
            ("92 233 720 368 547 758,08 €", "EUR", None),
            ("12,345 €", "EUR", None),
            ("12,5 ¥", "JPY", None),
            ("12,50 $", "EUR", None),
            ("12.50 €", "EUR", None),
            ("1 23,00 €", "EUR", None),
            ("12 34,00 €", "EUR", None),
            (" 234,00,1 €", "EUR", None),
            ("12, €", "EUR", None),
            (",50 €", "EUR", None),
            ("--1 €", "EUR", None),
            ("€", "EUR", None),
            ("", "EUR", None),
            ("N/C", "EUR", None),
            ("١٢ €", "EUR", None),
            ("12,50", "euro", None),
        ];
        for (text, currency, wanted) in cases {
            assert_eq!(amount(text, currency).ok(), wanted, "{text:?} in {currency}");
        }
    }

    #[test]
    fn a_fault_says_the_form_and_not_the_value() {
        let fault = amount("9 876,543 €", "EUR").unwrap_err();
        assert!(fault.is(Code::ValueUnparsable));
        assert_eq!(fault.text, "this is not an amount in EUR with at most 2 decimals, written as 1 234,56");
        assert!(!date("41/12/1985").unwrap_err().text.contains("41"));
    }

    #[test]
    fn numbers_keep_their_digits() {
        for (text, wanted) in [("1 234,50", Some("1234.50")), ("-2,5", Some("-2.5")), ("3", Some("3")), ("3.5", None)] {
            assert_eq!(decimal(text).ok().as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn a_year_of_two_digits_is_told_by_where_a_hundred_years_begin() {
        for (text, first, wanted) in [
            ("25/12/85", 1950, Some("1985-12-25")),
            ("25/12/49", 1950, Some("2049-12-25")),
            ("25/12/50", 1950, Some("1950-12-25")),
            ("3 janv. 25", 2000, Some("2025-01-03")),
            ("25/12/1985", 2000, Some("1985-12-25")),
            ("25/12/985", 2000, None),
            ("25/12/85", u16::MAX, None),
        ] {
            assert_eq!(date_from(text, first).ok().as_deref(), wanted, "{text} from {first}");
        }
    }

    #[test]
    fn days_are_days_of_the_calendar() {
        let cases = [
            ("25/12/1985", Some("1985-12-25")),
            ("1/2/2025", Some("2025-02-01")),
            ("25.12.1985", Some("1985-12-25")),
            ("29/02/2024", Some("2024-02-29")),
            ("29/02/2023", None),
            ("29/02/1900", None),
            ("31/04/2025", None),
            ("00/01/2025", None),
            ("01/13/2025", None),
            ("25/12/85", None),
            ("25/12/+985", None),
            ("1er janvier 2026", Some("2026-01-01")),
            ("25 décembre 1985", Some("1985-12-25")),
            ("25 DÉC. 1985", Some("1985-12-25")),
            ("3 juil. 2025", Some("2025-07-03")),
            ("3 jui 2025", None),
            ("3 ma 2025", None),
            ("2er mars 2025", None),
            ("vendredi 3 janvier 2025", Some("2025-01-03")),
            ("Ven. 3 janv. 2025", Some("2025-01-03")),
            ("le 1er aout 2025", Some("2025-08-01")),
            ("1ᵉʳ août 2025", Some("2025-08-01")),
            ("1 er août 2025", Some("2025-08-01")),
            ("12 mars 2025", Some("2025-03-12")),
            ("mar. 12 mar. 2024", Some("2024-03-12")),
            ("3 fevr. 2025", Some("2025-02-03")),
            ("3 fe\u{301}vrier 2025", Some("2025-02-03")),
            ("3\u{a0}août\u{202f}2025", Some("2025-08-03")),
            ("\u{a0}03/08/2025\u{a0}", Some("2025-08-03")),
            ("3 août 25", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(date(text).ok().as_deref(), wanted, "{text:?}");
        }
    }
}
