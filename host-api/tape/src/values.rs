//! What a text says, remade: days, account numbers, telephone numbers, tokens and words each become another of their kind. Signs and
//! blanks stay, since they are what a text is made of; letters and digits stay only for a reason that has a [`Rule`].

use consentry_contract::item::{is_country, minor_digits};
use iban::Iban;

use crate::allowed;
use crate::dates::Found;
use crate::redact::{Redactor, Rule};
use crate::vocabulary::{self, pieces};

/// Shortest token of a machine's.
const OPAQUE_CHARS_MIN: usize = 20;
/// Longest text with a day or number in it; nothing but days is longer.
const FORM_CHARS_MAX: usize = 42;
/// Signs of one run that stay as they are; in a longer run the others are one sign.
const SIGNS_MAX: usize = 3;
/// Signs beyond ASCII that texts are made of.
const SIGNS: &str = "€£¥§°«»‹›“”„‘’‚–—…·•©®×÷±\u{a0}\u{202f}\u{2009}\u{2011}\u{2212}\u{fffd}";
/// What says yes or no.
const FLAGS: [&str; 8] = ["true", "false", "yes", "no", "oui", "non", "ja", "nein"];
/// Members whose strings are one word of a few.
const CHOICES: [&str; 22] = [
    "type",
    "status",
    "state",
    "kind",
    "code",
    "category",
    "error",
    "mode",
    "currency",
    "country",
    "gender",
    "sex",
    "result",
    "reason",
    "method",
    "format",
    "unit",
    "level",
    "role",
    "language",
    "locale",
    "direction",
];

impl Redactor<'_> {
    /// A text.
    pub(crate) fn value(&mut self, text: &str) -> String {
        let words = allowed::words(text);
        let trimmed = text.trim();
        if words.is_empty() {
            return self.signs(text);
        }
        if self.allowed.is_literal(&words) {
            return self.kept(Rule::Literal, text);
        }
        if FLAGS.contains(&trimmed.to_lowercase().as_str()) {
            return self.kept(Rule::Choice, text);
        }
        if trimmed.starts_with("http://") || trimmed.starts_with("https://") {
            return self.url(text);
        }
        self.running(text, &words)
    }

    /// The value of a member, a parameter or a field, which may be one word of a few.
    pub(crate) fn choice(&mut self, member: Option<&str>, text: &str) -> String {
        let chooses = member.is_none_or(|member| {
            let last = pieces(member).pop().map(|piece| member[piece].to_lowercase());
            last.is_some_and(|last| CHOICES.contains(&last.as_str()))
        });
        if chooses && text.len() == 2 && is_country(text) {
            return self.kept(Rule::Code, text);
        }
        if chooses && self.is_choice(text, member.is_some()) {
            return self.kept(Rule::Choice, text);
        }
        self.value(text)
    }

    fn is_choice(&self, text: &str, capitals: bool) -> bool {
        let lower = !text.contains(|c: char| c.is_uppercase());
        let upper = capitals && !text.contains(|c: char| c.is_lowercase());
        let word = |piece: &str| piece.chars().all(char::is_alphabetic) && vocabulary::knows(piece);
        let joined = |piece: &str| matches!(piece, "-" | "_" | "." | ":");
        (lower || upper)
            && !text.is_empty()
            && pieces(text).into_iter().map(|piece| &text[piece]).all(|piece| word(piece) || joined(piece))
    }

    /// The name of a thing of the site's.
    pub(crate) fn name(&mut self, name: &str) -> String {
        if self.allowed.has_name(name) {
            return self.kept(Rule::Name, name);
        }
        let mut out = String::with_capacity(name.len());
        let mut unknown = 0..0;
        for piece in pieces(name) {
            let text = &name[piece.clone()];
            let known = vocabulary::knows(text);
            if !known && text.contains(char::is_alphanumeric) {
                // What is no word goes on until there is one.
                unknown = if unknown.end == piece.start { unknown.start..piece.end } else { piece };
                continue;
            }
            out += &self.unknown(&name[std::mem::take(&mut unknown)]);
            out += &if known { self.kept(Rule::Name, text) } else { self.signs(text) };
        }
        out + &self.unknown(&name[unknown])
    }

    fn unknown(&mut self, word: &str) -> String {
        if word.is_empty() { String::new() } else { self.word(word) }
    }

    /// A text that is more than one word of a few.
    fn running(&mut self, text: &str, words: &[String]) -> String {
        let mut out = String::with_capacity(text.len());
        let (mut at, mut word) = (0, 0);
        while at < text.len() {
            let rest = &text[at..];
            let signs = rest.find(char::is_alphanumeric).unwrap_or(rest.len());
            out += &self.signs(&rest[..signs]);
            at += signs;
            let rest = &text[at..];
            if rest.is_empty() {
                break;
            }
            let taken = self.form(rest, text[..at].chars().next_back(), &words[word.min(words.len())..], &mut out);
            word += allowed::words(&rest[..taken]).len();
            at += taken;
        }
        out
    }

    /// What begins here; answers how many bytes it takes.
    fn form(&mut self, rest: &str, before: Option<char>, words: &[String], out: &mut String) -> usize {
        let literal = self.allowed.literal_at(words);
        if literal > 0 {
            let end = end_of_words(rest, literal);
            *out += &self.kept(Rule::Literal, &rest[..end]);
            return end;
        }
        if let Some(found) = Found::at(rest).filter(|found| !continues(&rest[found.bytes..])) {
            *out += &self.day(&found, rest);
            let time = time(&rest[found.bytes..]);
            out.extend(rest[found.bytes..found.bytes + time].chars().map(|c| if c.is_ascii_digit() { '0' } else { c }));
            return found.bytes + time;
        }
        let token = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let form = self.iban(rest, out).or_else(|| self.phone(rest, before, out)).or_else(|| self.amount(rest, out));
        if let Some(taken) = form {
            return taken;
        }
        if let Some(opaque) = opaque(rest) {
            *out += &self.opaque(&rest[..opaque]);
            return opaque;
        }
        let word = &rest[..token];
        if word.len() == 3 && minor_digits(word).is_some() {
            *out += &self.kept(Rule::Code, word);
        } else if is_bic(word) {
            *out += &self.bic(word);
        } else {
            *out += &self.word(word);
        }
        token
    }

    /// The longest account number that begins here.
    fn iban(&mut self, rest: &str, out: &mut String) -> Option<usize> {
        let head = rest.as_bytes();
        let begins = head.len() > 14
            && head[..2].iter().all(u8::is_ascii_uppercase)
            && head[2..4].iter().all(u8::is_ascii_digit);
        if !begins {
            return None;
        }
        let (mut compact, mut best) = (String::new(), None);
        for (at, c) in rest.char_indices().take(FORM_CHARS_MAX * 2) {
            if c.is_ascii_alphanumeric() {
                compact.push(c);
                let end = at + 1;
                let whole = !rest[end..].starts_with(char::is_alphanumeric);
                if whole && compact.parse::<Iban>().is_ok() {
                    best = Some((end, compact.clone()));
                }
            } else if !matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '-') || compact.len() > 34 {
                break;
            }
        }
        let (end, compact) = best?;
        let other = self.shaped(&compact[4..], &compact[4..]);
        let other = checked(&compact[..2], &other);
        let mut digits = other.chars();
        out.extend(rest[..end].chars().map(|c| if c.is_alphanumeric() { digits.next().unwrap_or('0') } else { c }));
        Some(end)
    }

    /// A telephone number: with a plus sign before it, or with a zero in front and in groups.
    fn phone(&mut self, rest: &str, before: Option<char>, out: &mut String) -> Option<usize> {
        let (mut digits, mut end, mut group, mut groups) = (String::new(), 0, 0, 1);
        for (at, c) in rest.char_indices().take(FORM_CHARS_MAX) {
            if c.is_ascii_digit() {
                digits.push(c);
                (end, group) = (at + 1, group + 1);
            } else if matches!(c, ' ' | '.' | '-' | '/' | '(' | ')' | '\u{a0}' | '\u{2011}') && group > 0 {
                (group, groups) = (0, groups + 1);
            } else if c.is_alphanumeric() && group > 0 {
                return None;
            } else {
                break;
            }
        }
        let national =
            digits.starts_with('0') && (9..=11).contains(&digits.len()) && (groups > 1 || digits.len() == 10);
        let international = before == Some('+') && !digits.starts_with('0') && (7..=15).contains(&digits.len());
        if !national && !international {
            return None;
        }
        let other = self.word(&digits);
        let mut other = other.chars();
        out.extend(rest[..end].chars().map(|c| if c.is_ascii_digit() { other.next().unwrap_or('0') } else { c }));
        Some(end)
    }

    /// A number with groups or decimals.
    fn amount(&mut self, rest: &str, out: &mut String) -> Option<usize> {
        let end = amount(rest)?;
        let digits: String = rest[..end].chars().filter(char::is_ascii_digit).collect();
        let other = self.digits(&digits);
        let mut other = other.chars();
        out.extend(rest[..end].chars().map(|c| if c.is_ascii_digit() { other.next().unwrap_or('0') } else { c }));
        Some(end)
    }

    /// What is neither letter nor digit.
    pub(crate) fn signs(&mut self, text: &str) -> String {
        let (mut run, mut last) = (0, None);
        let one = |c: char| {
            let known = c.is_ascii() || SIGNS.contains(c);
            let sign = if known { c } else { '·' };
            run = if sign.is_whitespace() { 0 } else { run + 1 };
            let sign = if run > SIGNS_MAX { last.unwrap_or(sign) } else { sign };
            last = Some(sign);
            sign
        };
        text.chars().map(one).collect()
    }
}

/// Whether a day is only the beginning of something else.
fn continues(rest: &str) -> bool {
    rest.starts_with(|c: char| c.is_alphanumeric()) && time(rest) == 0
}

/// Bytes of the time of day that follows a day, its zone with it.
fn time(rest: &str) -> usize {
    let Some(clock) = rest.strip_prefix('T') else { return 0 };
    let length = clock.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.'))).unwrap_or(clock.len());
    if !(4..=18).contains(&length) {
        return 0;
    }
    let zone = &clock[length..];
    let offset = match zone.as_bytes() {
        [b'Z', ..] => 1,
        [b'+' | b'-', rest @ ..] => 1 + rest.iter().take(5).take_while(|b| b.is_ascii_digit() || **b == b':').count(),
        _ => 0,
    };
    1 + length + offset
}

/// Bytes of a number that begins here and is written in groups of three digits, or with decimals, or both.
fn amount(rest: &str) -> Option<usize> {
    let digits = |at: usize| rest[at..].bytes().take_while(u8::is_ascii_digit).count();
    let sign = |at: usize| {
        rest[at..].chars().next().filter(|c| matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '.' | ',' | '\''))
    };
    let first = digits(0);
    if first == 0 {
        return None;
    }
    let (mut at, mut groups) = (first, 0);
    while first <= 3
        && let Some(next) = sign(at)
        && digits(at + next.len_utf8()) == 3
    {
        at += next.len_utf8() + 3;
        groups += 1;
    }
    let decimals = sign(at).filter(|c| matches!(c, '.' | ',')).map_or(0, |_| digits(at + 1));
    let end = if decimals > 0 { at + 1 + decimals } else { at };
    let goes_on = rest[end..].starts_with(char::is_alphanumeric)
        || sign(end).is_some_and(|c| c != ' ' && digits(end + c.len_utf8()) > 0);
    (groups + decimals > 0 && !goes_on).then_some(end)
}

/// A country, two digits that make the number right, and the rest.
fn checked(country: &str, rest: &str) -> String {
    let number = format!("{rest}{country}00");
    let digit = |sum: u32, c: char| {
        let value = c.to_digit(36).unwrap_or_default();
        (sum * if value > 9 { 100 } else { 10 } + value) % 97
    };
    let check = 98 - number.chars().fold(0, digit);
    format!("{country}{check:02}{rest}")
}

fn is_bic(word: &str) -> bool {
    matches!(word.len(), 8 | 11)
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        && word.bytes().take(4).all(|b| b.is_ascii_uppercase())
        && is_country(&word[4..6])
}

/// Bytes of a machine's token: long, without blanks, letters and digits mixed.
pub(crate) fn opaque(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "_-+=~.".contains(c))).unwrap_or(text.len());
    let end = text[..end].trim_end_matches('.').len();
    let count = |is: fn(&u8) -> bool| text.as_bytes()[..end].iter().filter(|byte| is(byte)).count();
    let mixed = count(u8::is_ascii_digit) > 1 && count(u8::is_ascii_alphabetic) > 1;
    let ends = !text[end..].starts_with(char::is_alphanumeric);
    (end >= OPAQUE_CHARS_MIN && mixed && ends).then_some(end)
}

/// Where the last of so many words ends.
fn end_of_words(text: &str, count: usize) -> usize {
    let (mut seen, mut inside, mut end) = (0, false, 0);
    for (at, c) in text.char_indices() {
        if c.is_alphanumeric() {
            if !inside && seen == count {
                break;
            }
            seen += usize::from(!inside);
            end = at + c.len_utf8();
        }
        inside = c.is_alphanumeric();
    }
    end
}
