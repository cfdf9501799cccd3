//! Reads patterns: recursive descent over characters, bounded in length and depth.

use super::{Guest, Part, Pattern, PatternError};
use crate::recipe::{Algorithm, DEPTH_MAX, Encoding, Leaf, LeafKind, NODES_MAX};

const ANY: &str = "raw, text, \"TEXT\", field.NAME, answer.NAME, captured.NAME, operator.NAME, cookie.NAME, or one of join, form, \
                   form:CHARSET, percent, json, xml, base64, base64url, hex, sha-256, sha-384, sha-512, sha-1 with ( )";

pub(super) fn pattern(text: &str) -> Result<Pattern, PatternError> {
    let mut reader = Reader { characters: text.chars().collect(), next: 0, read: 0 };
    let mut parts = Vec::new();
    reader.item(1, &mut parts)?;
    match reader.peek() {
        None => Ok(Pattern { parts }),
        Some(_) => Err(reader.expected("the end")),
    }
}

struct Reader {
    characters: Vec<char>,
    next: usize,
    read: u32,
}

impl Reader {
    /// One recipe, appended to the list in canonical form.
    fn item(&mut self, depth: u32, list: &mut Vec<Part>) -> Result<(), PatternError> {
        self.read += 1;
        if depth > DEPTH_MAX || self.read > NODES_MAX {
            return Err(self.expected(&format!("at most {NODES_MAX} steps on {DEPTH_MAX} levels")));
        }
        if self.peek() == Some('"') {
            let text = self.literal()?;
            append_guest(list, Guest::Exactly(text));
            return Ok(());
        }
        let start = self.next;
        let word = self.word();
        if self.peek() != Some('(') {
            let part = self.at(start, plain(&word))?;
            match part {
                Part::Guest(_) => append_guest(list, Guest::Any),
                part => list.push(part),
            }
            return Ok(());
        }
        let wrap = self.at(start, Wrap::of(&word))?;
        let parts = self.arguments(depth)?;
        match wrap {
            Wrap::Join => parts.into_iter().for_each(|part| append(list, part)),
            Wrap::Encode(encoding) => list.push(Part::Encode(encoding, parts)),
            Wrap::Digest(algorithm) => list.push(Part::Digest(algorithm, parts)),
        }
        Ok(())
    }

    fn arguments(&mut self, depth: u32) -> Result<Vec<Part>, PatternError> {
        let mut parts = Vec::new();
        loop {
            self.next += 1; // the opening bracket, or the comma
            self.peek();
            self.item(depth + 1, &mut parts)?;
            match self.peek() {
                Some(',') => {}
                Some(')') => {
                    self.next += 1;
                    return Ok(parts);
                }
                _ => return Err(self.expected("`,` or `)`")),
            }
        }
    }

    /// The next character that is no blank, which stays unread.
    fn peek(&mut self) -> Option<char> {
        while self.characters.get(self.next).is_some_and(|c| c.is_whitespace()) {
            self.next += 1;
        }
        self.characters.get(self.next).copied()
    }

    fn word(&mut self) -> String {
        let rest = &self.characters[self.next.min(self.characters.len())..];
        let word: String =
            rest.iter().take_while(|c| !matches!(c, '(' | ')' | ',' | '"') && !c.is_whitespace()).collect();
        self.next += word.chars().count();
        word
    }

    fn literal(&mut self) -> Result<String, PatternError> {
        self.next += 1;
        let start = self.next;
        let mut text = String::new();
        loop {
            match self.advance() {
                Some('"') if text.is_empty() => {
                    self.next = start;
                    return Err(self.expected("a text that is not empty"));
                }
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(character) => text.push(character),
                None => return Err(self.expected("`\"`")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, PatternError> {
        let start = self.next;
        let character = match self.advance() {
            Some(c @ ('"' | '\\')) => Some(c),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('u') => self.code_point(),
            _ => None,
        };
        if character.is_none() {
            self.next = start;
        }
        character.ok_or_else(|| self.expected("`\"`, `\\`, `n`, `r`, `t` or `u{HEX}` behind `\\`"))
    }

    fn code_point(&mut self) -> Option<char> {
        let rest = self.characters.get(self.next..)?;
        let end = rest.iter().take(8).position(|&c| c == '}')?;
        let digits: String = rest.get(1..end).filter(|_| rest[0] == '{')?.iter().collect();
        self.next += end + 1;
        u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
    }

    fn advance(&mut self) -> Option<char> {
        let character = self.characters.get(self.next).copied();
        self.next += usize::from(character.is_some());
        character
    }

    fn at<T>(&mut self, start: usize, value: Option<T>) -> Result<T, PatternError> {
        if value.is_none() {
            self.next = start;
        }
        value.ok_or_else(|| self.expected(ANY))
    }

    fn expected(&self, expected: &str) -> PatternError {
        PatternError { position: self.next + 1, expected: expected.to_owned() }
    }
}

enum Wrap {
    Join,
    Encode(Encoding),
    Digest(Algorithm),
}

impl Wrap {
    fn of(word: &str) -> Option<Self> {
        if word == "join" {
            return Some(Self::Join);
        }
        let digest = Algorithm::parse(word).map(Self::Digest);
        digest.or_else(|| Encoding::parse(word).filter(|encoding| *encoding != Encoding::Raw).map(Self::Encode))
    }
}

fn plain(word: &str) -> Option<Part> {
    match word {
        "raw" => Some(Part::Own),
        "text" => Some(Part::Guest(vec![Guest::Any])),
        named => {
            let (kind, name) = named.split_once('.')?;
            let kind = LeafKind::ALL.iter().copied().find(|each| each.as_str() == kind)?;
            (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()))
                .then(|| Part::Named(Leaf::new(kind, name)))
        }
    }
}

fn append(list: &mut Vec<Part>, part: Part) {
    match part {
        Part::Guest(guests) => guests.into_iter().for_each(|guest| append_guest(list, guest)),
        part => list.push(part),
    }
}

/// Neighbouring pieces of the connector's own are one piece: only what they may hold together counts.
fn append_guest(list: &mut Vec<Part>, guest: Guest) {
    let Some(Part::Guest(guests)) = list.last_mut() else {
        list.push(Part::Guest(vec![guest]));
        return;
    };
    match (guests.last_mut(), guest) {
        (Some(Guest::Any), Guest::Any) => {}
        (Some(Guest::Exactly(before)), Guest::Exactly(text)) => before.push_str(&text),
        (_, guest) => guests.push(guest),
    }
}
