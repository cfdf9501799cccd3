//! A JSON document, exactly: every value knows where in the source it stands, so numbers keep the digits the source wrote and a value
//! can be cut out of the text. The grammar is RFC 8259's, with two decisions. Of members with the same name the last one counts when a
//! value is read, and all of them when values are cut out. An unpaired surrogate in a string is read as U+FFFD: banks cut texts in the
//! middle of an emoji, and the rest of such an answer is sound.

pub(super) mod pointer;
pub(super) mod string;

use std::borrow::Cow;
use std::ops::Range;

use super::DocumentError;
use super::limits::{Limits, Meter};

/// The meter is asked once in so many values.
const VALUES_BETWEEN_CHECKS: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

/// A value; what stands in it follows it in [`Json::values`].
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) kind: Kind,
    /// Where it stands in the source, quotes and brackets included.
    start: u32,
    end: u32,
    /// Where its name stands, if it is a member, quotes included.
    name_start: u32,
    name_end: u32,
    /// The first value after it that does not stand in it.
    after: u32,
}

#[derive(Clone)]
pub(super) struct Json {
    pub(super) source: String,
    pub(super) values: Vec<Value>,
}

impl Json {
    pub(super) fn parse(source: Cow<'_, str>, limits: &Limits, meter: &mut dyn Meter) -> Result<Self, DocumentError> {
        let mut reader = Reader { bytes: source.as_bytes(), at: 0, values: Vec::new(), limits, meter };
        let read = reader.document();
        let (at, mut values) = (reader.at, reader.values);
        match read {
            Ok(()) => {
                values.shrink_to_fit();
                Ok(Self { source: source.into_owned(), values })
            }
            Err(Broken::Grammar) => {
                let before = &source.as_bytes()[..at];
                let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
                let column = at - before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1) + 1;
                Err(DocumentError::Malformed { line, column })
            }
            Err(Broken::Other(error)) => Err(error),
        }
    }

    /// The document `null`.
    pub(super) fn null() -> Self {
        Self {
            source: "null".to_owned(),
            values: vec![Value { kind: Kind::Null, start: 0, end: 4, name_start: 0, name_end: 0, after: 1 }],
        }
    }

    pub(super) fn value(&self, id: u32) -> &Value {
        &self.values[id as usize]
    }

    pub(super) fn span(&self, id: u32) -> Range<usize> {
        let value = self.value(id);
        value.start as usize..value.end as usize
    }

    /// The source text of a value.
    pub(super) fn text(&self, id: u32) -> &str {
        &self.source[self.span(id)]
    }

    pub(super) fn name_span(&self, id: u32) -> Option<Range<usize>> {
        let value = self.value(id);
        (value.name_end > 0).then_some(value.name_start as usize..value.name_end as usize)
    }

    /// What a value says: the content of a string, the digits of a number; nothing for null, arrays and objects.
    pub(super) fn scalar(&self, id: u32) -> Option<Cow<'_, str>> {
        match self.value(id).kind {
            Kind::String => Some(string::content(self.text(id))),
            Kind::Number | Kind::Bool => Some(Cow::Borrowed(self.text(id))),
            Kind::Null | Kind::Array | Kind::Object => None,
        }
    }

    /// The values that stand directly in an array or object.
    pub(super) fn children(&self, id: u32) -> impl Iterator<Item = u32> {
        let end = self.value(id).after;
        let inside = move |child: &u32| *child < end;
        std::iter::successors(Some(id + 1).filter(inside), move |child| Some(self.value(*child).after).filter(inside))
    }

    pub(super) fn approximate_bytes(&self) -> usize {
        self.source.capacity() + self.values.capacity() * size_of::<Value>()
    }
}

enum Broken {
    /// The reader stands where the grammar is broken.
    Grammar,
    Other(DocumentError),
}

struct Reader<'s, 'm> {
    bytes: &'s [u8],
    at: usize,
    values: Vec<Value>,
    limits: &'s Limits,
    meter: &'m mut dyn Meter,
}

impl Reader<'_, '_> {
    fn document(&mut self) -> Result<(), Broken> {
        self.space();
        self.value(0..0, 1)?;
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(Broken::Grammar) }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, wanted: &[u8]) -> Result<(), Broken> {
        for byte in wanted {
            if self.peek() != Some(*byte) {
                return Err(Broken::Grammar);
            }
            self.at += 1;
        }
        Ok(())
    }

    fn value(&mut self, name: Range<usize>, depth: usize) -> Result<(), Broken> {
        if depth > self.limits.json_depth {
            return Err(Broken::Other(DocumentError::limit("json_depth", self.limits.json_depth)));
        }
        let id = self.values.len();
        if id >= self.limits.nodes {
            return Err(Broken::Other(DocumentError::limit("nodes", self.limits.nodes)));
        }
        if id.is_multiple_of(VALUES_BETWEEN_CHECKS) {
            self.meter.check().map_err(|exhausted| Broken::Other(exhausted.into()))?;
        }
        let start = self.at;
        let kind = match self.peek() {
            Some(b'n') => Kind::Null,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'"') => Kind::String,
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            _ => return Err(Broken::Grammar),
        };
        // The limits keep every position far below `u32::MAX`.
        let (name_start, name_end) = (name.start as u32, name.end as u32);
        self.values.push(Value { kind, start: start as u32, end: 0, name_start, name_end, after: 0 });
        match kind {
            Kind::Null => self.expect(b"null")?,
            Kind::Bool if self.peek() == Some(b't') => self.expect(b"true")?,
            Kind::Bool => self.expect(b"false")?,
            Kind::String => self.string()?,
            Kind::Number => self.number()?,
            Kind::Array => self.list(b']', |reader| reader.value(0..0, depth + 1))?,
            Kind::Object => self.list(b'}', |reader| reader.member(depth + 1))?,
        }
        let after = self.values.len() as u32;
        let value = &mut self.values[id];
        (value.end, value.after) = (self.at as u32, after);
        Ok(())
    }

    fn list(&mut self, close: u8, mut entry: impl FnMut(&mut Self) -> Result<(), Broken>) -> Result<(), Broken> {
        self.at += 1;
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(());
        }
        loop {
            entry(self)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(byte) if byte == close => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Broken::Grammar),
            }
            self.space();
        }
    }

    fn member(&mut self, depth: usize) -> Result<(), Broken> {
        let start = self.at;
        self.string()?;
        let name = start..self.at;
        self.space();
        self.expect(b":")?;
        self.space();
        self.value(name, depth)
    }

    fn string(&mut self) -> Result<(), Broken> {
        self.expect(b"\"")?;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                        Some(b'u') => {
                            self.at += 1;
                            for _ in 0..4 {
                                if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                                    return Err(Broken::Grammar);
                                }
                                self.at += 1;
                            }
                        }
                        _ => return Err(Broken::Grammar),
                    }
                }
                None | Some(..0x20) => return Err(Broken::Grammar),
                Some(_) => self.at += 1,
            }
        }
    }

    fn digits(&mut self) -> Result<(), Broken> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(Broken::Grammar) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), Broken> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }
}
