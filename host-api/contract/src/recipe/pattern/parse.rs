//! Reads patterns: recursive descent over characters, bounded in length and depth.

use super::{GUEST_TEXT_BYTES_MAX, Guest, Part, Pattern, PatternError, Shape};
use crate::recipe::{DEPTH_MAX, Encoding, GUEST_BYTES_MAX, Leaf, LeafKind, NODES_MAX};

fn any() -> String {
    format!(
        "raw, text, text:MAX, \"TEXT\", pinned:SHA256, field.NAME, answer.NAME, captured.NAME, operator.NAME, cookie.NAME, or one of \
         join, form, form:CHARSET, percent, json, xml, base64, base64url, hex, {} with ( )",
        Shape::allowed()
    )
}

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
            append(list, part);
            return Ok(());
        }
        let wrap = self.at(start, Wrap::of(&word))?;
        let lists = self.arguments(depth, wrap.lists())?;
        match wrap {
            Wrap::Join => lists.into_iter().flatten().for_each(|part| append(list, part)),
            Wrap::Encode(encoding) => list.push(Part::Encode(encoding, lists.into_iter().flatten().collect())),
            Wrap::Apply(shape) => list.push(Part::Apply(shape, lists)),
        }
        Ok(())
    }

    /// So many lists with `;` between.
    fn arguments(&mut self, depth: u32, lists: usize) -> Result<Vec<Vec<Part>>, PatternError> {
        let mut all = Vec::with_capacity(lists);
        let mut parts = Vec::new();
        loop {
            self.next += 1; // the opening bracket, the comma or the semicolon
            self.peek();
            self.item(depth + 1, &mut parts)?;
            let more = all.len() + 1 < lists;
            match self.peek() {
                Some(',') => {}
                Some(';') if more => all.push(std::mem::take(&mut parts)),
                Some(')') if !more => {
                    self.next += 1;
                    all.push(parts);
                    return Ok(all);
                }
                _ => return Err(self.expected(if more { "`,` or `;`" } else { "`,` or `)`" })),
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
            rest.iter().take_while(|c| !matches!(c, '(' | ')' | ',' | ';' | '"') && !c.is_whitespace()).collect();
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
        value.ok_or_else(|| self.expected(&any()))
    }

    fn expected(&self, expected: &str) -> PatternError {
        PatternError { position: self.next + 1, expected: expected.to_owned() }
    }
}

enum Wrap {
    Join,
    Encode(Encoding),
    Apply(Shape),
}

impl Wrap {
    fn of(word: &str) -> Option<Self> {
        if word == "join" {
            return Some(Self::Join);
        }
        let shape = Shape::parse(word).map(Self::Apply);
        shape.or_else(|| Encoding::parse(word).filter(|encoding| *encoding != Encoding::Raw).map(Self::Encode))
    }

    fn lists(&self) -> usize {
        match self {
            Self::Join | Self::Encode(_) => 1,
            Self::Apply(shape) => shape.lists(),
        }
    }
}

fn plain(word: &str) -> Option<Part> {
    let guest = |max| Part::Guest(vec![Guest::Any(max)]);
    match (word, word.split_once(':')) {
        ("raw", _) => Some(Part::Own),
        ("text", _) => Some(guest(GUEST_TEXT_BYTES_MAX)),
        (_, Some(("text", max))) => max.parse().ok().filter(|max| (1..=GUEST_BYTES_MAX).contains(max)).map(guest),
        (_, Some(("pinned", pin))) => {
            let mut bytes = [0; 32];
            hex::decode_to_slice(pin, &mut bytes).ok().map(|()| Part::Pinned(bytes))
        }
        _ => {
            let (kind, name) = word.split_once('.')?;
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
        (Some(Guest::Any(before)), Guest::Any(max)) => *before = max.max(*before),
        (Some(Guest::Exactly(before)), Guest::Exactly(text)) => before.push_str(&text),
        (_, guest) => guests.push(guest),
    }
}
