//! The forms of texts. Each function gives the normal form, or nothing.

use iban::{Iban, IbanLike};

use super::Check;
use crate::item::codes;

/// Longest `ref`.
const REF: usize = 128;

/// The text in the normal form of its check.
pub(super) fn normal(check: Check, text: &str) -> Option<String> {
    let fits = match check {
        Check::Line(max) => return words(text, max, false),
        Check::Lines(max) => return words(text, max, true),
        Check::Ref | Check::RefOf(_) => return words(text, REF, false),
        Check::Iban => return text.parse::<Iban>().ok().map(|iban| iban.electronic_str().to_owned()),
        Check::Email => return email(text),
        Check::Bic => is_bic(text),
        Check::Country => codes::is_country(text),
        Check::Currency => codes::minor_digits(text).is_some(),
        Check::Phone => is_phone(text),
        Check::OneOf(allowed) => allowed.contains(&text),
        Check::Any => true,
        Check::Range(..) | Check::Past | Check::Calendar | Check::Document | Check::Image => false,
    };
    fits.then(|| text.to_owned())
}

/// Trimmed, not blank, not too long, without control characters and without the invisible ones that break lines or turn text around.
fn words(given: &str, max: usize, lines: bool) -> Option<String> {
    let text = given.trim();
    let line_end = |c: char| lines && c == '\n';
    let fits = if text.is_ascii() {
        text.len() <= max && !text.bytes().any(|byte| byte.is_ascii_control() && !line_end(char::from(byte)))
    } else {
        let turns = |c: char| matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        text.chars().count() <= max && !text.contains(|c: char| c.is_control() && !line_end(c) || turns(c))
    };
    (fits && !text.is_empty()).then(|| text.to_owned())
}

/// Digits, with a minus where it is one: nothing that would be another number's text.
pub(super) fn integer(text: &str) -> Option<i64> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// Four letters or digits of the party, two of the country, two of the place, three of the branch or none.
fn is_bic(text: &str) -> bool {
    matches!(text.len(), 8 | 11)
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        && (codes::is_country(&text[4..6]) || &text[4..6] == "XK")
}

/// E.164: no country code begins with 0.
fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0')
    })
}

/// What a mail server would take, roughly: whether it exists only a mail can tell.
fn email(text: &str) -> Option<String> {
    let (local, domain) = text.trim().rsplit_once('@')?;
    let local_fits = (1..=64).contains(&local.len())
        && !local.contains(|c: char| c.is_control() || c.is_whitespace() || "\"(),:;<>@[\\]".contains(c))
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let domain_fits = domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label);
    (local_fits && domain_fits).then(|| format!("{local}@{}", domain.to_lowercase()))
}

/// An optional sign, digits, at most one point with digits on both sides, 40 characters at most.
pub(super) fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let number = text.strip_prefix(['-', '+']).unwrap_or(text);
    text.len() <= 40
        && match number.split_once('.') {
            Some((whole, part)) => digits(whole) && digits(part),
            None => digits(number),
        }
}
