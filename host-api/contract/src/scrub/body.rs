//! The body of an answer. What is left of it is bytes from which every document that may be asked for is parsed: a secret is taken out of
//! the tree and the tree written back, so that no parse of these bytes, now or later, brings one back.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use url::Url;
use zeroize::Zeroizing;

use super::search::Ground;
use super::{MASK, Scrub};
use crate::document::{Document, DocumentError, Format, Limits, Meter, charset};

/// So often are markup and its tree searched in turn. Twice is enough for any page; what needs more is made to.
const ROUNDS_MAX: usize = 4;

/// An answer's body without the secrets.
#[derive(Debug)]
pub struct Scrubbed {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their charset, where they are text.
    pub charset: Option<&'static str>,
    /// The body in its own format, if it can be read as that.
    pub document: Option<Document>,
}

/// What comes in.
struct Text<'t> {
    text: Cow<'t, str>,
    encoding: &'static Encoding,
    url: &'t Url,
    limits: &'t Limits,
}

impl Scrub {
    /// Takes the secrets out of a body and parses what is left. `text` says that it is text though of no format.
    ///
    /// # Errors
    /// [`DocumentError::Limit`] and [`DocumentError::Exhausted`]: the answer is withheld then.
    pub fn body(
        &self,
        format: Option<Format>,
        bytes: Vec<u8>,
        charset: Option<&str>,
        url: &Url,
        limits: &Limits,
        meter: &mut dyn Meter,
    ) -> Result<Scrubbed, DocumentError> {
        let bytes = Zeroizing::new(bytes);
        if bytes.is_empty() {
            return Ok(Scrubbed { bytes: Vec::new(), charset: None, document: None });
        }
        let (text, encoding) = charset::decode(format.unwrap_or(Format::Xml), &bytes, charset);
        if format.is_none() && !is_text(&bytes, encoding) {
            let masked = self.bytes(&bytes, meter)?;
            return Ok(Scrubbed { bytes: masked.unwrap_or_else(|| bytes.to_vec()), charset: None, document: None });
        }
        // A secret in another charset than the page says it has: nobody reads it there, but the bytes can be asked for too.
        let undecoded = if encoding.is_ascii_compatible() {
            self.masked(&bytes, Ground::Undecoded(encoding), meter)?
        } else {
            None
        };
        let text = match &undecoded {
            Some(bytes) => encoding.decode_with_bom_removal(bytes).0,
            None => text,
        };
        let text = Text { text, encoding, url, limits };
        match self.json(&text, meter)? {
            Some(json) if format == Some(Format::Json) => text.kept(json.source(meter)?, Some(json)),
            Some(json) => {
                let source = json.source(meter)?;
                let document = format.map(|format| text.read(format, &source, meter)).transpose()?;
                text.kept(source, document)
            }
            None => match format {
                Some(format @ (Format::Html | Format::Xml)) => self.markup(format, &text, meter),
                _ => {
                    let masked = self.text(&text.text, meter)?;
                    let masked = masked.unwrap_or_else(|| text.text.clone().into_owned());
                    text.kept(masked, None)
                }
            },
        }
    }

    /// JSON whatever it calls itself: its syntax is kept.
    fn json(&self, text: &Text<'_>, meter: &mut dyn Meter) -> Result<Option<Document>, DocumentError> {
        if !text.text.trim_start().starts_with(['{', '[', '"']) {
            return Ok(None);
        }
        match text.read(Format::Json, &text.text, meter) {
            Ok(mut json) => {
                self.tree(&mut json, meter)?;
                Ok(Some(json))
            }
            Err(DocumentError::Malformed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn markup(&self, format: Format, text: &Text<'_>, meter: &mut dyn Meter) -> Result<Scrubbed, DocumentError> {
        let mut source = Zeroizing::new(text.text.clone().into_owned());
        for round in 0..ROUNDS_MAX {
            // What a site writes into markup unescaped may be a tag or end one: it is found before anybody reads it as such.
            if let Some(masked) = self.text_on(&source, Ground::Source, meter)? {
                source = Zeroizing::new(masked);
            }
            let mut document = text.read(format, &source, meter)?;
            // No tree has all of what a site wrote: of two attributes of one name it has the first, and of a tag without an end nothing.
            if !self.tree(&mut document, meter)? && round > 0 {
                return text.kept(std::mem::take(&mut source), Some(document));
            }
            source = Zeroizing::new(document.source(meter)?);
        }
        Err(DocumentError::Limit { which: super::search::SECRET_BYTES, max: ROUNDS_MAX as u64 })
    }

    fn tree(&self, document: &mut Document, meter: &mut dyn Meter) -> Result<bool, DocumentError> {
        let mut find = |shown: crate::document::Shown<'_>, meter: &mut dyn Meter| {
            let ground = if shown.vocabulary { Ground::Vocabulary } else { Ground::Free };
            self.find(shown.text, ground, meter)
        };
        document.rewrite(&mut find, MASK, meter)
    }
}

impl Text<'_> {
    fn read(&self, format: Format, source: &str, meter: &mut dyn Meter) -> Result<Document, DocumentError> {
        Document::decoded(format, source.into(), self.encoding, Some(self.url), self.limits, meter)
    }

    /// Back into the charset that the answer came in, since a form in it is sent in that too.
    fn kept(&self, source: String, document: Option<Document>) -> Result<Scrubbed, DocumentError> {
        let encoding = self.encoding.output_encoding();
        let bytes = if encoding == UTF_8 { source.into_bytes() } else { encoding.encode(&source).0.into_owned() };
        Ok(Scrubbed { bytes, charset: Some(encoding.name()), document })
    }
}

fn is_text(bytes: &[u8], encoding: &'static Encoding) -> bool {
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    text.is_some_and(|text| !text.contains('\0'))
}
