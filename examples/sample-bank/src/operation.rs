//! The operations of an account, newest first, made from their number: the same number gives the same operation, whatever
//! the count is set to.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::person::Person;

/// One line of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Booking date.
    pub date: Date,
    /// What the bank says it was.
    pub label: String,
    /// In cents; money that leaves the account is negative.
    pub cents: i64,
    /// The bank's reference, unique over all accounts of the person.
    pub reference: String,
}

/// How a kind of operation is written, and its amount in cents: least, span, step.
struct Kind {
    prefix: &'static str,
    dated: bool,
    sign: i64,
    least: u32,
    span: u32,
}

const fn kind(prefix: &'static str, dated: bool, sign: i64, least: u32, span: u32) -> Kind {
    Kind { prefix, dated, sign, least, span }
}

const KINDS: [Kind; 10] = [
    kind("CARTE", true, -1, 180, 700),
    kind("CARTE", true, -1, 1_200, 4_800),
    kind("PRLV SEPA", false, -1, 4_500, 2_300),
    kind("VIR SEPA RECU", false, 1, 2_000, 6_000),
    kind("CARTE", true, -1, 1_050, 2_900),
    kind("RETRAIT DAB", true, -1, 2_000, 7_900),
    kind("PRLV SEPA", false, -1, 1_999, 2_001),
    kind("CARTE", true, -1, 1_100, 1_700),
    kind("VIR SEPA RECU SALAIRE", false, 1, 212_000, 9_000),
    kind("VIR SEPA EMIS LOYER", false, -1, 71_500, 900),
];

/// Places in `KINDS`; what stands before them takes turns.
const WAGES: usize = 8;
const RENT: usize = 9;

/// Operations booked on one day, and about how many make a month.
const A_DAY: u32 = 3;
const A_MONTH: u32 = 90;
/// Where in a month wages come in and the rent goes out; the other kinds take turns.
const WAGES_AT: u32 = 7;
const RENT_AT: u32 = 72;
/// Spreads amounts over their span: prime, larger than every span.
const SPREAD: u64 = 7_919;

/// The operation with this number (0 is the newest) on an account (0, 1 or 2) of a person.
pub fn operation(person: &Person, account: usize, number: u32) -> Operation {
    let place = match number % A_MONTH {
        WAGES_AT => WAGES,
        RENT_AT => RENT,
        _ => number as usize % WAGES,
    };
    let kind = &KINDS[place];
    let counterpart = person.counterparts[place];
    let date = person.last_day.saturating_sub(i64::from(number / A_DAY).days());
    let label = if kind.dated {
        format!("{} {} {counterpart}", kind.prefix, date.strftime("%d/%m"))
    } else {
        format!("{} {counterpart}", kind.prefix)
    };
    let spread = (u64::from(number) + 1) * SPREAD % u64::from(kind.span);
    let magnitude = i64::try_from(mapped(person, u64::from(kind.least) + spread)).unwrap_or(i64::MAX);
    let reference = mapped(person, 2_041_700_000_000 + account as u64 * 10_000_000 + 9_999_999 - u64::from(number));
    Operation { date, label, cents: kind.sign * magnitude, reference: format!("VB{reference}") }
}

/// The number with each digit replaced by the person's: a bijection that keeps lengths, since 0 stays 0.
fn mapped(person: &Person, number: u64) -> u64 {
    let digit = |digit: u8| u64::from(person.digits[usize::from(digit - b'0')]);
    number.to_string().bytes().fold(0, |whole, next| whole * 10 + digit(next))
}

/// A date as the site writes it: 31/12/2025.
pub(crate) fn french_date(date: Date) -> String {
    date.strftime("%d/%m/%Y").to_string()
}

/// An amount as the site writes it: 1 234,56 €, with no-break spaces.
pub(crate) fn french_amount(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let whole = (cents.unsigned_abs() / 100).to_string();
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped},{:02}\u{a0}€", cents.unsigned_abs() % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::{JULIE, MARIE};

    #[test]
    fn amounts_are_written_the_french_way() {
        for (cents, text) in [
            (123_456, "1 234,56 €"),
            (-1_250, "-12,50 €"),
            (5, "0,05 €"),
            (-99, "-0,99 €"),
            (100_000_000, "1 000 000,00 €"),
            (99_999, "999,99 €"),
        ] {
            assert_eq!(french_amount(cents).replace('\u{a0}', " "), text);
        }
    }

    #[test]
    fn references_are_unique_over_all_accounts() {
        let all: Vec<String> =
            (0..3).flat_map(|account| (0..1_000).map(move |n| operation(&JULIE, account, n).reference)).collect();
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn the_second_person_has_other_operations_of_the_same_lengths_and_signs() {
        for number in 0..300 {
            let (marie, julie) = (operation(&MARIE, 0, number), operation(&JULIE, 0, number));
            assert_eq!(french_amount(marie.cents).len(), french_amount(julie.cents).len());
            assert_eq!(marie.cents.signum(), julie.cents.signum());
            assert_eq!(marie.label.len(), julie.label.len());
            assert_eq!(marie.reference.len(), julie.reference.len());
            assert_ne!(marie.label, julie.label);
            assert_ne!(marie.reference, julie.reference);
        }
    }
}
