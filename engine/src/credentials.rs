//! What the person typed, from the sealed message to its fields.
//!
//! The page (or the terminal) encrypts one small JSON object as a JWE and encodes each value in base64url, so that no JSON
//! escape can occur in it. The opened bytes are read where they lie: no copy of a value is made but the one that goes into
//! the run's vault, no parser sees them that could quote them in an error, and every failure looks alike.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::id::{QuestionId, SessionId};

/// Most fields of a login or an answer.
pub const FIELDS_MAX: usize = 32;
/// Longest name of a field, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest value, in bytes before it was encoded.
pub const VALUE_BYTES_MAX: usize = 4096;

/// What was typed, by the name of its field. Wiped when dropped; printed as a number of fields.
#[derive(Default, PartialEq, Eq)]
pub struct Values(Vec<Value>);

/// A value with its name.
pub type Value = (String, Zeroizing<Vec<u8>>);

impl Values {
    /// What is left of them after the names for which `keep` says no.
    pub fn retain(&mut self, keep: impl FnMut(&Value) -> bool) {
        self.0.retain(keep);
    }

    /// Adds a value.
    pub fn push(&mut self, name: String, value: Zeroizing<Vec<u8>>) {
        self.0.push((name, value));
    }

    /// Gives them up, to what asked for them.
    pub fn into_inner(self) -> Vec<Value> {
        self.0
    }
}

impl std::ops::Deref for Values {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0
    }
}

impl FromIterator<Value> for Values {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Values").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

/// What a sealed message held.
pub struct Fields {
    session: SessionId,
    question: Option<QuestionId>,
    values: Values,
    unusable: Option<Unusable>,
}

/// A value is longer than [`VALUE_BYTES_MAX`], or is not UTF-8. Its sender sealed a message of the right form, and is told so.
#[derive(PartialEq, Eq, thiserror::Error)]
#[error("is longer than {VALUE_BYTES_MAX} bytes, or is not UTF-8")]
pub struct Unusable {
    /// Its field, as the sender named it: not to be repeated unless such a field was asked for.
    pub name: String,
}

/// The message is not of the expected form. It says no more: it is about secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed message is not of the expected form")]
pub struct FieldsError;

impl std::fmt::Debug for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unusable")
    }
}

impl Fields {
    /// Reads `{"session":"ses_…","question":"qst_…","fields":{"NAME":"BASE64URL",…}}`; `question` only in an answer.
    ///
    /// # Errors
    /// The bytes are of another form, or beyond a limit.
    pub fn read(plaintext: &Zeroizing<Vec<u8>>) -> Result<Self, FieldsError> {
        let mut reader = Reader { rest: plaintext };
        let (mut session, mut question, mut values, mut unusable) = (None, None, None, None);
        reader.object(|name, reader| {
            match name {
                "session" if session.is_none() => session = Some(reader.text()?.parse().map_err(|_| FieldsError)?),
                "question" if question.is_none() => question = Some(reader.text()?.parse().map_err(|_| FieldsError)?),
                "fields" if values.is_none() => values = Some(reader.values(&mut unusable)?),
                _ => return Err(FieldsError),
            }
            Ok(())
        })?;
        reader.end()?;
        let (session, values) = (session.ok_or(FieldsError)?, values.ok_or(FieldsError)?);
        Ok(Self { session, question, values, unusable })
    }

    /// The session it was sealed for. A message that was caught elsewhere fits no other.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The question it answers, if it is an answer.
    pub fn question(&self) -> Option<QuestionId> {
        self.question
    }

    /// The names of its fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(name, _)| name.as_str())
    }

    /// Gives the values up, to the run's vault.
    ///
    /// # Errors
    /// One of them can't be used.
    pub fn into_values(self) -> Result<Values, Unusable> {
        self.unusable.map_or(Ok(self.values), Err)
    }
}

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fields").field("session", &self.session).field("values", &self.values).finish_non_exhaustive()
    }
}

/// Reads the one form there is. It holds a place in the buffer and nothing else.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn object(
        &mut self,
        mut member: impl FnMut(&'a str, &mut Reader<'a>) -> Result<(), FieldsError>,
    ) -> Result<(), FieldsError> {
        self.byte(b'{')?;
        if self.byte(b'}').is_ok() {
            return Ok(());
        }
        for _ in 0..FIELDS_MAX {
            let name = self.text()?;
            self.byte(b':')?;
            member(name, self)?;
            if self.byte(b'}').is_ok() {
                return Ok(());
            }
            self.byte(b',')?;
        }
        Err(FieldsError)
    }

    fn values(&mut self, unusable: &mut Option<Unusable>) -> Result<Values, FieldsError> {
        let mut values = Values::default();
        self.object(|name, reader| {
            let encoded = reader.text()?;
            let known = values.iter().any(|(earlier, _)| earlier == name);
            if known || name.is_empty() || name.len() > NAME_BYTES_MAX {
                return Err(FieldsError);
            }
            let value = decode(encoded)?;
            if value.len() > VALUE_BYTES_MAX || std::str::from_utf8(&value).is_err() {
                unusable.get_or_insert(Unusable { name: name.to_owned() });
            }
            values.push(name.to_owned(), value);
            Ok(())
        })?;
        Ok(values)
    }

    /// A string without escapes.
    fn text(&mut self) -> Result<&'a str, FieldsError> {
        self.byte(b'"')?;
        let end = self.rest.iter().position(|&b| b == b'"' || b == b'\\' || b < b' ').ok_or(FieldsError)?;
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.byte_here(b'"')?;
        std::str::from_utf8(text).map_err(|_| FieldsError)
    }

    fn byte(&mut self, wanted: u8) -> Result<(), FieldsError> {
        self.rest = self.rest.trim_ascii_start();
        self.byte_here(wanted)
    }

    fn byte_here(&mut self, wanted: u8) -> Result<(), FieldsError> {
        let (first, rest) = self.rest.split_first().ok_or(FieldsError)?;
        if *first != wanted {
            return Err(FieldsError);
        }
        self.rest = rest;
        Ok(())
    }

    fn end(&self) -> Result<(), FieldsError> {
        if self.rest.trim_ascii_start().is_empty() { Ok(()) } else { Err(FieldsError) }
    }
}

/// Decodes into a buffer that is as large as it will ever be: a growing one would leave copies behind.
fn decode(encoded: &str) -> Result<Zeroizing<Vec<u8>>, FieldsError> {
    let mut value = Zeroizing::new(vec![0; base64::decoded_len_estimate(encoded.len())]);
    let length = URL_SAFE_NO_PAD.decode_slice(encoded, &mut value).map_err(|_| FieldsError)?;
    value.truncate(length);
    Ok(value)
}

/// Writes the message that [`Fields::read`] reads, as the page's script does. The terminal and tests use it.
pub fn write(session: SessionId, question: Option<QuestionId>, values: &[Value]) -> Zeroizing<Vec<u8>> {
    let room: usize = values.iter().map(|(name, value)| name.len() + value.len() * 4 / 3 + 16).sum();
    let mut text = Zeroizing::new(String::with_capacity(room + 160));
    text.push_str(&format!("{{\"session\":\"{session}\","));
    if let Some(question) = question {
        text.push_str(&format!("\"question\":\"{question}\","));
    }
    text.push_str("\"fields\":{");
    for (at, (name, value)) in values.iter().enumerate() {
        text.push_str(if at == 0 { "\"" } else { ",\"" });
        text.push_str(name);
        text.push_str("\":\"");
        URL_SAFE_NO_PAD.encode_string(value.as_slice(), &mut text);
        text.push('"');
    }
    text.push_str("}}");
    Zeroizing::new(std::mem::take(&mut *text).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SESSION: &str = "ses_01JD8Z3M7K0000000000000000";

    fn read(text: &str) -> Result<Fields, FieldsError> {
        Fields::read(&Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn what_the_page_writes_is_read() {
        let fields =
            read(&format!(r#" {{ "session" : "{SESSION}", "fields": {{"login":"MTIz", "password":"w6k"}} }} "#));
        let fields = fields.unwrap();
        assert_eq!(fields.session().to_string(), SESSION);
        let values = fields.into_values().unwrap();
        assert_eq!(values[0].1.as_slice(), b"123");
        assert_eq!(values[1].1.as_slice(), "é".as_bytes());
    }

    #[test]
    fn everything_else_is_refused_alike() {
        let session = format!(r#""session":"{SESSION}""#);
        let many: Vec<String> = (0..=FIELDS_MAX).map(|n| format!(r#""f{n}":"MTIz""#)).collect();
        for wrong in [
            String::new(),
            "{}".to_owned(),
            format!("{{{session}}}"),
            format!(r#"{{{session},{session},"fields":{{}}}}"#),
            format!(r#"{{{session},"fields":{{"a":"MTIz","a":"MTIz"}}}}"#),
            format!(r#"{{{session},"fields":{{"a":"M\u0054Iz"}}}}"#),
            format!(r#"{{{session},"fields":{{"a":"MTI="}}}}"#),
            format!(r#"{{{session},"fields":{{"a":1}}}}"#),
            format!(r#"{{{session},"fields":"MTIz"}}"#),
            format!(r#"{{{session},"fields":{{{}}}}}"#, many.join(",")),
            format!(r#"{{{session},"fields":{{}},"more":"x"}}"#),
            format!(r#"{{{session},"fields":{{}}}} x"#),
        ] {
            assert_eq!(read(&wrong).err(), Some(FieldsError), "{wrong}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named_and_none_is_given_up() {
        let longest = URL_SAFE_NO_PAD.encode([b'a'; VALUE_BYTES_MAX]);
        let too_long = URL_SAFE_NO_PAD.encode([b'a'; VALUE_BYTES_MAX + 1]);
        for (value, usable) in [(longest.as_str(), true), (&too_long, false), ("_w", false)] {
            let fields = format!(r#"{{"session":"{SESSION}","fields":{{"a":"MTIz","b":"{value}"}}}}"#);
            let values = read(&fields).unwrap().into_values();
            assert_eq!(values.err(), (!usable).then(|| Unusable { name: "b".to_owned() }), "{value}");
        }
    }

    proptest! {
        #[test]
        fn every_value_comes_back_as_it_was_typed(values in prop::collection::vec("\\PC{0,40}", 0..8)) {
            let values: Values = values
                .into_iter()
                .enumerate()
                .map(|(at, value)| (format!("field-{at}"), Zeroizing::new(value.into_bytes())))
                .collect();
            let question = "qst_01JD8Z3M7K0000000000000000".parse().ok();
            let fields = Fields::read(&write(SESSION.parse().unwrap(), question, &values)).unwrap();
            prop_assert_eq!(fields.question(), question);
            prop_assert_eq!(fields.into_values().unwrap(), values);
        }

        #[test]
        fn no_bytes_make_the_reader_stumble(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Fields::read(&Zeroizing::new(bytes));
        }
    }
}
