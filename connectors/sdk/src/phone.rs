//! Telephone numbers: what people write, to what the contract carries (E.164).

use crate::fault::{Code, Result};

/// Country, calling code, the prefix that is dialled inside the country only, and the digits of a national number without it.
const COUNTRIES: [(&str, &str, &str, std::ops::RangeInclusive<usize>); 20] = [
    ("AT", "43", "0", 4..=13),
    ("BE", "32", "0", 8..=9),
    ("CA", "1", "1", 10..=10),
    ("CH", "41", "0", 9..=9),
    ("CZ", "420", "", 9..=9),
    ("DE", "49", "0", 5..=12),
    ("DK", "45", "", 8..=8),
    ("ES", "34", "", 9..=9),
    ("FI", "358", "0", 5..=12),
    ("FR", "33", "0", 9..=9),
    ("GB", "44", "0", 9..=10),
    ("IE", "353", "0", 7..=9),
    ("IT", "39", "", 6..=11),
    ("LU", "352", "", 4..=11),
    ("MC", "377", "", 8..=9),
    ("NL", "31", "0", 9..=9),
    ("PL", "48", "", 9..=9),
    ("PT", "351", "", 9..=9),
    ("SE", "46", "0", 7..=9),
    ("US", "1", "1", 10..=10),
];

/// A number as it is written in a country (ISO 3166-1), or with `+` or `00` anywhere: `04 72 00 00 00` in `FR` is `+33472000000`.
///
/// # Errors
/// `value-unparsable`, also for countries that are not known here.
pub fn e164(text: &str, country: &str) -> Result<String> {
    let fault = || Code::ValueUnparsable.fault(format!("this is no telephone number as it is written in {country}"));
    // `+44 (0)20 …` shows both ways of dialling at once.
    let text = if text.trim().starts_with('+') { text.replace("(0)", "") } else { text.to_owned() };
    let marks = |c: char| c.is_whitespace() || matches!(c, '.' | '-' | '/' | '(' | ')' | '\u{2011}');
    let number: String = text.chars().filter(|c| !marks(*c)).collect();
    let international = number.strip_prefix('+').or_else(|| number.strip_prefix("00"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(number) = international {
        let right = digits(number) && !number.starts_with('0') && (7..=15).contains(&number.len());
        return right.then(|| format!("+{number}")).ok_or_else(fault);
    }
    let (_, code, trunk, lengths) = COUNTRIES.iter().find(|(name, ..)| *name == country).ok_or_else(fault)?;
    let national = number.strip_prefix(trunk).filter(|_| !trunk.is_empty());
    // In most countries the prefix is part of the number as people write it; in North America hardly ever.
    let national = national.unwrap_or(&number);
    let prefixed = trunk.is_empty() || *code == "1" || national.len() < number.len();
    let right = prefixed && digits(national) && lengths.contains(&national.len());
    right.then(|| format!("+{code}{national}")).ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn national_numbers_become_international_or_nothing() {
        let cases = [
            ("04 72 00 00 00", "FR", Some("+33472000000")),
            ("04.72.00.00.00", "FR", Some("+33472000000")),
            ("0472000000", "FR", Some("+33472000000")),
            ("+33 4 72 00 00 00", "FR", Some("+33472000000")),
            ("+33 (0)4 72 00 00 00", "CH", Some("+33472000000")),
            ("0041 44 668 18 00", "FR", Some("+41446681800")),
            ("044 668 18 00", "CH", Some("+41446681800")),
            ("06 1234 5678", "IT", Some("+390612345678")),
            ("(212) 555-0123", "US", Some("+12125550123")),
            ("1 212 555 0123", "US", Some("+12125550123")),
            ("4 72 00 00 00", "FR", None),
            ("04 72 00 00", "FR", None),
            ("04 72 00 00 00 poste 3", "FR", None),
            ("04 72 00 00 00", "XX", None),
            ("+0", "FR", None),
            ("", "FR", None),
        ];
        for (text, country, wanted) in cases {
            assert_eq!(e164(text, country).ok().as_deref(), wanted, "{text:?} in {country}");
        }
    }
}
