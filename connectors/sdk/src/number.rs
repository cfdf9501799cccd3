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
        let known = known.ok().and_then(|at| CURRENCIES.get(at));
        let Some(digits) = known.map(|(_, digits)| usize::from(*digits)) else {
            return Err(Code::ValueUnparsable.fault("the currency is no code of ISO 4217"));
        };
        // The sign stands before the currency or between it and the number; bookkeepers put parentheses around what is owed.
        let (text, owed) = parentheses(text);
        let (outer, rest) = sign(text);
        let (inner, rest) = sign(bare(rest, currency));
        // Counted down from nothing: there is one more number below it than above.
        let (mut minor, figure) = (Some(0_i64), |sum: Option<i64>, figure| sum?.checked_mul(10)?.checked_sub(figure));
        let fraction = self.figures(rest, |next| minor = figure(minor, next));
        let signs = [outer, inner].into_iter().filter(|sign| !sign.is_empty()).count() + usize::from(owed);
        let right = fraction.filter(|fraction| *fraction <= digits && signs <= 1);
        let minor = right.and_then(|fraction| {
            let minor = (fraction..digits).fold(minor, |minor, _| figure(minor, 0))?;
            if signs == 0 { minor.checked_neg() } else { Some(minor) }
        });
        minor.ok_or_else(|| self.fault(&format!("an amount in {currency} with at most {digits} decimals")))
    }

    /// A number as the contract writes it.
    pub(crate) fn decimal(&self, text: &str) -> Result<String> {
        let (text, owed) = parentheses(text);
        let (sign, rest) = sign(text);
        if owed && !sign.is_empty() {
            return Err(self.fault("a number"));
        }
        let mut number = if owed { "-" } else { sign }.to_owned();
        let fraction = self.figures(rest, |figure| number.extend(char::from_digit(figure as u32, 10)));
        let fraction = fraction.ok_or_else(|| self.fault("a number"))?;
        if fraction > 0 {
            number.insert(number.len() - fraction, '.');
        }
        Ok(number)
    }

    fn fault(&self, what: &str) -> Fault {
        Code::ValueUnparsable.fault(format!("this is not {what}, written as {}", self.example))
    }

    /// Each figure in turn; answers how many of them stand behind the point.
    fn figures(&self, text: &str, mut each: impl FnMut(i64)) -> Option<usize> {
        let (whole, fraction) = match text.split_once(self.point) {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (text, ""),
        };
        let mut all = |text: &str| {
            let figures = text.bytes().take_while(u8::is_ascii_digit);
            figures.inspect(|figure| each(i64::from(figure - b'0'))).count() == text.len()
        };
        let grouped = whole.contains(self.groups);
        for (at, group) in whole.split(self.groups).enumerate() {
            let fits = match at {
                _ if !grouped => !group.is_empty(),
                0 => (1..=3).contains(&group.len()),
                _ => group.len() == 3,
            };
            if !fits || !all(group) {
                return None;
            }
        }
        all(fraction).then_some(fraction.len())
    }
}

/// What stands in parentheses, and whether they are there.
fn parentheses(text: &str) -> (&str, bool) {
    let text = text.trim();
    let inner = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    (inner.unwrap_or(text), inner.is_some())
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
