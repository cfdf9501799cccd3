//! Properties of what reads numbers and days: whatever a page writes in one of the known forms is read exactly, and nothing else panics.

use proptest::prelude::*;

use crate::{english, french, json, phone};

/// The absolute value with so many decimals, its whole part in groups of three.
fn written(minor: i64, digits: usize, point: char, group: &str) -> String {
    let figures = format!("{:0width$}", minor.unsigned_abs(), width = digits + 1);
    let (whole, fraction) = figures.split_at(figures.len() - digits);
    let mut text = String::new();
    for (at, figure) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            text += group;
        }
        text.push(figure);
    }
    if digits > 0 {
        text.push(point);
        text += fraction;
    }
    text
}

/// A sign, before the currency, between it and the number, or as parentheses around all of it.
fn signed(number: &str, currency: &str, negative: bool, form: usize) -> String {
    match (negative, form) {
        (false, 0) => number.to_owned(),
        (false, 1) => format!("{currency} {number}"),
        (false, _) => format!("+{number}\u{a0}{currency}"),
        (true, 0) => format!("-{number} {currency}"),
        (true, 1) => format!("{currency} \u{2212}{number}"),
        (true, _) => format!("({number} {currency})"),
    }
}

const CURRENCIES: [(&str, usize); 4] = [("EUR", 2), ("JPY", 0), ("TND", 3), ("USD", 2)];
const MONTHS: [(&str, &str); 12] = [
    ("janvier", "January"),
    ("févr.", "Feb."),
    ("mars", "March"),
    ("avr", "Apr"),
    ("mai", "May"),
    ("juin", "June"),
    ("juil.", "July"),
    ("août", "Aug"),
    ("sept.", "Sept."),
    ("octobre", "October"),
    ("nov", "Nov"),
    ("déc.", "Dec."),
];

proptest! {
    #[test]
    fn an_amount_is_read_as_it_was_written(
        minor in any::<i64>(),
        (currency, digits) in prop::sample::select(CURRENCIES.to_vec()),
        space in prop::sample::select(vec!["", " ", "\u{a0}", "\u{202f}"]),
        comma in prop::sample::select(vec!["", ","]),
        form in 0_usize..3,
    ) {
        let text = signed(&written(minor, digits, ',', space), currency, minor < 0, form);
        prop_assert_eq!(french::amount(&text, currency).ok(), Some(minor), "{}", text);
        let text = signed(&written(minor, digits, '.', comma), currency, minor < 0, form);
        prop_assert_eq!(english::amount(&text, currency).ok(), Some(minor), "{}", text);
        let text = format!("{}{}", if minor < 0 { "-" } else { "" }, written(minor, digits, '.', ""));
        prop_assert_eq!(json::amount(&text, currency).ok(), Some(minor), "{}", text);
        prop_assert_eq!(english::decimal(&text).ok(), Some(text));
    }

    #[test]
    fn more_decimals_than_a_currency_has_are_no_amount(minor in any::<i64>(), (currency, digits) in prop::sample::select(CURRENCIES.to_vec())) {
        let text = written(minor, digits + 1, ',', "");
        prop_assert!(french::amount(&text, currency).is_err(), "{}", text);
    }

    #[test]
    fn a_day_is_read_as_it_was_written(days in 0_i32..200_000) {
        let day = jiff::civil::date(1700, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
        let (year, number, (french, english)) = (day.year(), day.day(), MONTHS[day.month() as usize - 1]);
        let first = if number == 1 { "1er".to_owned() } else { number.to_string() };
        let iso = Some(day.to_string());
        for text in [format!("{number}/{}/{year}", day.month()), format!("{number:02}.{:02}.{year}", day.month()), format!("{first} {french} {year}")] {
            prop_assert_eq!(&french::date(&text).ok(), &iso, "{}", text);
        }
        for text in [format!("{number} {english} {year}"), format!("{english} {number}, {year}")] {
            prop_assert_eq!(&english::date(&text).ok(), &iso, "{}", text);
        }
        prop_assert_eq!(&json::date(&format!("{day}T23:59:59Z")).ok(), &iso);
    }

    #[test]
    fn whatever_else_there_is_nothing_panics(text in "[-+() 0-9.,/a-zé€\u{a0}\u{2212}]{0,24}", any in ".{0,40}") {
        for text in [text, any] {
            for (currency, _) in CURRENCIES {
                let _ = (french::amount(&text, currency), english::amount(&text, currency), json::amount(&text, currency));
            }
            let _ = (french::decimal(&text), english::decimal(&text), phone::e164(&text, "FR"));
            for day in [french::date(&text), english::date(&text), json::date(&text)].into_iter().flatten() {
                prop_assert!(day.parse::<jiff::civil::Date>().is_ok(), "{}", day);
            }
        }
    }
}
