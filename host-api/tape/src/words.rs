//! Words in place of words. A word becomes another of the same kind: letters stay letters, digits digits, capitals capitals, and of a
//! number the length stays. Which one depends on the kind and on how many of that kind came before, never on the word itself: no hash, no
//! key, and the same page of two people reads the same. Equal words become equal ones, and no piece of [`PIECE_BYTES`] of any word is repeated. A
//! shorter word may become itself by chance: avoiding that would tell what it was not.

use std::collections::{HashMap, HashSet};

/// A piece of an input that must not be seen again, in bytes.
pub(crate) const PIECE_BYTES: usize = 6;
/// How often another word is tried where one would repeat a piece of the input.
const TRIES_MAX: u32 = 4096;
/// How often only what counts is changed, before what fills is.
const TRIES_ALIKE: u32 = 16;
/// Places that always count: of each kind, so many words differ in nothing else.
const COUNTING_PLACES: usize = 3;
/// Unlikely in any language, so that nobody takes them for words.
const LETTERS: &[u8; 20] = b"bcdfghjklmnpqrstvwxz";

/// What of a word stays.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Kind {
    /// Letters: how capitals are used, a length class, whether any is not ASCII.
    Letters { case: Case, length: usize, accent: bool },
    /// A number: zeros in front, digits behind them.
    Digits { zeros: usize, length: usize },
    /// A year of this century or the last.
    Year,
    /// Letters and digits: the kind of each character.
    Mixed(String),
    /// A token of a machine's: nothing but its length.
    Opaque(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Case {
    Lower,
    Upper,
    Capital,
}

/// The words of one tape.
#[derive(Default)]
pub(crate) struct Words {
    given: HashMap<String, String>,
    counts: HashMap<Kind, u32>,
    /// Every piece of the input's words.
    pieces: HashSet<[u8; PIECE_BYTES]>,
    reserved: HashSet<String>,
}

impl Words {
    /// Remembers what must not be seen again.
    pub(crate) fn avoid(&mut self, word: &str) {
        for piece in word.as_bytes().windows(PIECE_BYTES) {
            if let Ok(piece) = piece.try_into() {
                self.pieces.insert(piece);
            }
        }
    }

    /// Remembers a word that has a meaning, which no other word may become.
    pub(crate) fn reserve(&mut self, word: &str) {
        self.reserved.insert(word.to_lowercase());
    }

    /// Another word for a run of letters and digits.
    pub(crate) fn word(&mut self, word: &str) -> String {
        if word.chars().all(|c| c == '0') {
            return word.to_owned();
        }
        self.another(word, kind(word))
    }

    /// Another number of as many digits, for a number that is written with signs between them.
    pub(crate) fn number(&mut self, digits: &str) -> String {
        if digits.bytes().all(|byte| byte == b'0') {
            return digits.to_owned();
        }
        // Apart from words: what is equal to an amount by chance is not the amount.
        self.another(&format!("#{digits}"), kind_of_digits(digits))
    }

    /// Another token of a machine's.
    pub(crate) fn opaque(&mut self, token: &str) -> String {
        self.another(token, Kind::Opaque(token.len().next_multiple_of(4)))
    }

    /// Another word of this kind, the same each time.
    pub(crate) fn shaped(&mut self, word: &str, sorts: impl Iterator<Item = char>) -> String {
        self.another(word, Kind::Mixed(sorts.map(sort).collect()))
    }

    /// Another bank's code (ISO 9362), of the same country.
    pub(crate) fn bic(&mut self, bic: &str) -> String {
        let country = |other: &mut String| other.replace_range(4..6, &bic[4..6]);
        self.another_with(bic, Kind::Mixed(bic.chars().map(sort).collect()), country)
    }

    fn another(&mut self, word: &str, kind: Kind) -> String {
        self.another_with(word, kind, |_| ())
    }

    /// As [`Self::another`]; what stays of the word is put in before it is looked whether the other repeats anything.
    fn another_with(&mut self, word: &str, kind: Kind, put: impl Fn(&mut String)) -> String {
        if let Some(other) = self.given.get(word) {
            return other.clone();
        }
        let mut other = String::new();
        for tried in 0..TRIES_MAX {
            let count = self.counts.entry(kind.clone()).or_default();
            other = made(&kind, *count, tried / TRIES_ALIKE);
            put(&mut other);
            *count += 1;
            if !self.repeats(&other) && !self.reserved.contains(&other.to_lowercase()) {
                break;
            }
        }
        self.given.insert(word.to_owned(), other.clone());
        other
    }

    /// Whether a text made of other parts repeats a piece of the input.
    pub(crate) fn repeats(&self, text: &str) -> bool {
        text.as_bytes().windows(PIECE_BYTES).any(|piece| self.pieces.contains(piece))
    }
}

fn kind(word: &str) -> Kind {
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        let year = word.len() == 4 && (word.starts_with("19") || word.starts_with("20"));
        return if year { Kind::Year } else { kind_of_digits(word) };
    }
    if word.chars().all(char::is_alphabetic) {
        let upper = word.chars().filter(|c| c.is_uppercase()).count();
        let length = word.chars().count();
        let first = word.starts_with(char::is_uppercase);
        let case = match upper {
            0 => Some(Case::Lower),
            1 if first => Some(Case::Capital),
            many if many == length => Some(Case::Upper),
            _ => None,
        };
        if let Some(case) = case {
            return Kind::Letters { case, length: class(length), accent: !word.is_ascii() };
        }
    }
    Kind::Mixed(word.chars().map(sort).collect())
}

/// Of a number as long as a piece or longer so few zeros stay, and so many digits change, that there is one that repeats nothing.
fn kind_of_digits(digits: &str) -> Kind {
    let mut zeros = digits.len() - digits.trim_start_matches('0').len();
    if digits.len() >= PIECE_BYTES {
        zeros = zeros.min(PIECE_BYTES - COUNTING_PLACES);
    }
    Kind::Digits { zeros, length: digits.len() - zeros }
}

fn sort(c: char) -> char {
    match c {
        '0'..='9' => '0',
        'A'..='Z' => 'A',
        c if c.is_ascii() => 'a',
        c if c.is_uppercase() => 'É',
        _ => 'é',
    }
}

/// Lengths of words that count as one.
fn class(length: usize) -> usize {
    match length {
        0..=3 => length,
        4..=6 => 5,
        7..=9 => 8,
        10..=14 => 12,
        _ => length.next_multiple_of(8),
    }
}

/// The word of this number; `filling` says what stands in front of what counts.
fn made(kind: &Kind, number: u32, filling: u32) -> String {
    match kind {
        Kind::Letters { case, length, accent } => {
            let plain = length - usize::from(*accent);
            let word = counted(&vec!['a'; plain], number, filling) + if *accent { "é" } else { "" };
            let upper = |(at, c): (usize, char)| match case {
                Case::Lower => c,
                Case::Capital if at > 0 => c,
                Case::Upper | Case::Capital => c.to_uppercase().next().unwrap_or(c),
            };
            word.chars().enumerate().map(upper).collect()
        }
        Kind::Digits { zeros, length } => "0".repeat(*zeros) + &digits(*length, number, filling),
        Kind::Year => (2001 + number % 99).to_string(),
        Kind::Mixed(sorts) => counted(&sorts.chars().collect::<Vec<_>>(), number, filling),
        Kind::Opaque(length) => {
            let sorts: Vec<char> = "a0".chars().cycle().take(*length).collect();
            counted(&sorts, number, filling)
        }
    }
}

/// Counts in the last places; the first ones are filled.
fn counted(sorts: &[char], number: u32, filling: u32) -> String {
    let (mut rest, mut places) = (number as usize, 0);
    let mut count = |base: usize| {
        places += 1;
        let counts = rest > 0 || places <= COUNTING_PLACES;
        let digit = rest % base;
        rest /= base;
        counts.then_some(digit)
    };
    let place = |(at, sort): (usize, &char)| match sort {
        '0' => char::from(b'0' + count(10).unwrap_or_else(|| fill(at, filling, 10)) as u8),
        'a' | 'A' => {
            let letter = char::from(LETTERS[count(LETTERS.len()).unwrap_or_else(|| fill(at, filling, LETTERS.len()))]);
            if *sort == 'A' { letter.to_ascii_uppercase() } else { letter }
        }
        other => *other,
    };
    let mut backwards: Vec<char> = sorts.iter().enumerate().rev().map(place).collect();
    backwards.reverse();
    backwards.into_iter().collect()
}

/// What fills a place: no run of zeros, and nothing that looks like a word, so that it hardly ever is a piece of a page.
fn fill(at: usize, filling: u32, base: usize) -> usize {
    const FIRST: [usize; 10] = [7, 1, 9, 3, 8, 2, 9, 4, 6, 3];
    let seed = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from(filling)).rotate_left(29);
    let mixed = seed.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
    if filling == 0 { FIRST[at % FIRST.len()] + base - 10 } else { mixed as usize % base }
}

/// A number of so many digits, the first of them not 0.
fn digits(length: usize, number: u32, filling: u32) -> String {
    match length {
        0 => String::new(),
        1 => (1 + number % 9).to_string(),
        2 => (10 + number % 90).to_string(),
        3 => (100 + number % 900).to_string(),
        _ => "9".to_owned() + &counted(&vec!['0'; length - 1], number, filling),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_code_of_a_bank_repeats_nothing_with_its_country_in_it() {
        let first = Words::default().bic("VALLFRPPXXX");
        let mut words = Words::default();
        words.avoid(&first);
        let other = words.bic("VALLFRPPXXX");
        assert_eq!((other.len(), &other[4..6]), (11, "FR"));
        assert!(!words.repeats(&other), "{other}");
        assert_eq!(words.bic("VALLFRPPXXX"), other, "the same each time");
    }

    #[test]
    fn a_word_becomes_another_of_its_kind() {
        let mut words = Words::default();
        for (word, wanted) in [
            ("Dupont", "Wpbbb"),
            ("Durand", "Wpbbc"),
            ("DUPONT", "WPBBB"),
            ("Dupont", "Wpbbb"),
            ("Éléonore", "Wpzrbbbé"),
            ("75011", "97000"),
            ("00012345", "00097000"),
            ("7", "1"),
            ("1987", "2001"),
            ("A12", "B00"),
            ("0", "0"),
        ] {
            assert_eq!(words.word(word), wanted, "{word}");
        }
        assert_eq!(words.opaque("f3a9c2e7b1d04c5e9f3a").len(), 20);
    }

    #[test]
    fn numbers_of_zeros_with_little_behind_them_become_others() {
        let numbers: Vec<String> =
            (1..100).flat_map(|number| [format!("{number:06}"), format!("{number:010}")]).collect();
        let mut words = Words::default();
        numbers.iter().for_each(|number| words.avoid(number));
        for number in &numbers {
            let [other, amount] = [words.word(number), words.number(number)];
            assert!(!words.repeats(&other) && !words.repeats(&amount), "{number}: {other} {amount}");
        }
        assert_eq!(words.word("0000000"), "0000000");
    }

    #[test]
    fn no_piece_of_a_word_is_repeated() {
        let mut words = Words::default();
        let first = Words::default().word("12345678");
        words.avoid(&first);
        let other = words.word("12345678");
        assert!(other.len() == 8 && other[2..] != first[2..] && !words.repeats(&other), "{other}");
    }
}
