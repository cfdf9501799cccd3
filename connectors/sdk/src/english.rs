//! What English pages write: `-£1,234.56`, `25 December 1985`. Days in figures are left alone: `01/02/2025` is two days, one on each
//! side of an ocean.

use crate::date;
use crate::fault::{Code, Result};
use crate::number::Style;

const STYLE: Style = Style { point: '.', groups: &[','], example: "1,234.56" };
const MONTHS: &str = "january february march april may june july august september october november december";

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

/// A day: `25 December 1985`, `Dec. 25, 1985` to `1985-12-25`.
///
/// # Errors
/// `value-unparsable`.
pub fn date(text: &str) -> Result<String> {
    let words: Vec<&str> = text.split([' ', ',', '\u{a0}']).filter(|word| !word.is_empty()).collect();
    let found = match words.as_slice() {
        [first, second, year] => {
            let (day, name) =
                if first.starts_with(|c: char| c.is_ascii_digit()) { (first, second) } else { (second, first) };
            date::month(name, MONTHS).and_then(|month| date::iso(day, month, year))
        }
        _ => None,
    };
    found.ok_or_else(|| Code::ValueUnparsable.fault("this is no day, written as 25 December 1985"))
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
    fn days_have_their_month_in_words() {
        let cases = [
            ("25 December 1985", Some("1985-12-25")),
            ("Dec. 25, 1985", Some("1985-12-25")),
            ("May 1, 2025", Some("2025-05-01")),
            ("31 June 2025", None),
            ("01/02/2025", None),
            ("December 1985", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(date(text).ok().as_deref(), wanted, "{text:?}");
        }
    }
}
