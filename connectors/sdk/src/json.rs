//! What JSON writes: `-1234.5`, `2026-01-08T12:30:04.582Z`. Take numbers as `json` or `text`, so that they stay as they were written.

use crate::date;
use crate::fault::{Code, Result};
use crate::number::Style;

const STYLE: Style = Style { point: '.', groups: &[], example: "1234.56" };

/// An amount in minor units of its currency (ISO 4217), exactly: `-1234.5` in `EUR` is -123450.
///
/// # Errors
/// `value-unparsable`; more decimals than the currency has are no amount, nor is a number with an exponent.
pub fn amount(text: &str, currency: &str) -> Result<i64> {
    STYLE.amount(text, currency)
}

/// A day, alone or at the beginning of a point in time: `2026-01-08T12:30:04Z` is `2026-01-08`.
///
/// # Errors
/// `value-unparsable`.
pub fn date(text: &str) -> Result<String> {
    let day = text.split(['T', ' ']).next().unwrap_or_default();
    let mut parts = day.split('-');
    let found = match [parts.next(), parts.next(), parts.next(), parts.next()] {
        [Some(year), Some(month), Some(day), None] if month.len() == 2 && day.len() == 2 => {
            date::digits(month, 2).and_then(|month| date::iso(day, month, year, None))
        }
        _ => None,
    };
    found.ok_or_else(|| Code::ValueUnparsable.fault("this is no day, written as 2026-01-08"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        let cases = [
            ("-286.27", "EUR", Some(-28_627)),
            ("-3.5", "EUR", Some(-350)),
            ("0", "USD", Some(0)),
            ("1234", "JPY", Some(1234)),
            ("1,234.00", "EUR", None),
            ("0.30000000000000004", "EUR", None),
            ("1e3", "EUR", None),
            ("", "EUR", None),
        ];
        for (text, currency, wanted) in cases {
            assert_eq!(amount(text, currency).ok(), wanted, "{text:?} in {currency}");
        }
    }

    #[test]
    fn days_stand_alone_or_before_a_time() {
        let cases = [
            ("2026-01-08", Some("2026-01-08")),
            ("2026-01-08T12:30:04.582Z", Some("2026-01-08")),
            ("2026-1-8", None),
            ("2026-02-30", None),
            ("08-01-2026", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(date(text).ok().as_deref(), wanted, "{text:?}");
        }
    }
}
