//! Numbers as pages write them, read exactly: through no floating point, and with nothing guessed.

use crate::fault::{Code, Fault, Result};

include!(concat!(env!("OUT_DIR"), "/currencies.rs"));

/// Signs that stand for a currency, besides its code.
const SIGNS: [(&str, &str); 5] = [("EUR", "€"), ("GBP", "£"), ("USD", "$"), ("CHF", "Fr."), ("JPY", "¥")];

/// How a language writes numbers.
pub(crate) struct Style {
    pub(crate) point: char,
    pub(crate) groups: &'static [char],
    pub(crate) example: &'static str,
}

impl Style {
    /// An amount in minor units of its currency.
    pub(crate) fn amount(&self, text: &str, currency: &str) -> Result<i64> {
        let known = CURRENCIES.binary_search_by(|(code, _)| (*code).cmp(currency));
        let Ok(digits) = known.map(|at| usize::from(CURRENCIES[at].1)) else {
            return Err(Code::ValueUnparsable.fault("the currency is no code of ISO 4217"));
        };
        // The sign stands before the currency or between it and the number.
        let (outer, rest) = sign(text);
        let (inner, rest) = sign(bare(rest, currency));
        let number =
            self.parts(rest).filter(|(_, fraction)| fraction.len() <= digits && (outer.is_empty() || inner.is_empty()));
        let minor =
            number.and_then(|(whole, fraction)| format!("{outer}{inner}{whole}{fraction:0<digits$}").parse().ok());
        minor.ok_or_else(|| self.fault(&format!("an amount in {currency} with at most {digits} decimals")))
    }

    /// A number as the contract writes it.
    pub(crate) fn decimal(&self, text: &str) -> Result<String> {
        let (sign, rest) = sign(text);
        let (whole, fraction) = self.parts(rest).ok_or_else(|| self.fault("a number"))?;
        let point = if fraction.is_empty() { "" } else { "." };
        Ok(format!("{sign}{whole}{point}{fraction}"))
    }

    fn fault(&self, what: &str) -> Fault {
        Code::ValueUnparsable.fault(format!("this is not {what}, written as {}", self.example))
    }

    /// The digits before and after the point.
    fn parts(&self, text: &str) -> Option<(String, String)> {
        let (whole, fraction) = match text.split_once(self.point) {
            Some((_, "")) => return None,
            Some((whole, fraction)) => (whole, fraction),
            None => (text, ""),
        };
        let groups: Vec<&str> = whole.split(self.groups).collect();
        let grouped = match groups.as_slice() {
            [first, rest @ ..] if !rest.is_empty() => first.len() <= 3 && rest.iter().all(|group| group.len() == 3),
            _ => true,
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let right = grouped && !groups.iter().any(|group| group.is_empty()) && digits(fraction);
        let whole = groups.concat();
        (right && digits(&whole)).then(|| (whole, fraction.to_owned()))
    }
}

/// `-` or nothing, and what follows. Typography has many signs for minus.
fn sign(text: &str) -> (&'static str, &str) {
    let text = text.trim();
    match text.strip_prefix(['-', '\u{2212}', '\u{2010}', '\u{2011}', '\u{2013}']) {
        Some(rest) => ("-", rest.trim()),
        None => ("", text.strip_prefix('+').unwrap_or(text).trim()),
    }
}

/// The number without its currency, which may stand at either end as a code or as a sign; another currency's stays, and is no number.
fn bare<'t>(text: &'t str, currency: &str) -> &'t str {
    let text = text.trim();
    let sign = SIGNS.iter().find(|(code, _)| *code == currency).map(|(_, sign)| *sign);
    let mut names = [currency].into_iter().chain(sign);
    names.find_map(|name| text.strip_suffix(name).or_else(|| text.strip_prefix(name))).unwrap_or(text)
}
