//! Bodies of answers, by what they are: documents keep their structure, files become small ones of the same kind, everything else its
//! signs.

use consentry_contract::document::{Document, Format, Limits, Remake, Unmetered, charset};
use consentry_contract::item::Media;

use crate::redact::{Redactor, Rule};

/// A page without anything on it.
pub const PDF: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj\nxref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000054 00000 n \n0000000105 00000 n \ntrailer<</Size 4/Root 1 0 R>>\nstartxref\n170\n%%EOF\n";
/// One grey dot.
pub const PNG: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0, 0, 1, 8, 0,
    0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 10, b'I', b'D', b'A', b'T', 0x78, 0x9c, 0x63, 0x68, 0, 0, 0, 0x82, 0,
    0x81, 0x77, 0xcd, 0x72, 0xb6, 0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];
/// What a JPEG begins and ends with: enough to be known as one.
const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0xff, 0xd9];
/// What stands in place of bytes that are neither text nor a known file.
const BYTES: &[u8] = &[0, 1, 2, 3];

/// So much of a body is looked through for what a parser leaves out.
const LEFT_OUT_MAX: usize = 1 << 20;

/// Attributes that hold names of the site's, several in a row perhaps.
const NAMES: [&str; 22] = [
    "id",
    "class",
    "name",
    "for",
    "type",
    "rel",
    "role",
    "method",
    "enctype",
    "autocomplete",
    "lang",
    "dir",
    "scope",
    "headers",
    "target",
    "media",
    "as",
    "charset",
    "http-equiv",
    "form",
    "list",
    "property",
];
/// Attributes that hold an address.
const ADDRESSES: [&str; 9] =
    ["href", "src", "action", "formaction", "cite", "poster", "data-url", "data-href", "longdesc"];
/// Attributes that nothing is read from.
const DROPPED: [&str; 8] = ["style", "srcset", "integrity", "nonce", "d", "points", "transform", "ping"];
/// Small numbers that say how a page is laid out.
const LAYOUT: [&str; 9] = ["colspan", "rowspan", "tabindex", "maxlength", "minlength", "size", "cols", "rows", "span"];

impl Redactor<'_> {
    /// A body by its content type.
    pub(crate) fn body(&mut self, content_type: &str, bytes: &[u8]) -> Vec<u8> {
        if bytes.is_empty() {
            return Vec::new();
        }
        // What a parser leaves out must not come back either.
        self.dropped(&String::from_utf8_lossy(&bytes[..bytes.len().min(LEFT_OUT_MAX)]));
        if let Some(media) = Media::sniff(bytes) {
            return match media {
                Media::Pdf => self.file(bytes),
                Media::Png => PNG.to_vec(),
                Media::Jpeg => JPEG.to_vec(),
            };
        }
        if let Some(remade) = Format::of_content_type(content_type).and_then(|format| {
            let label = charset::label_of(content_type);
            Document::parse(format, bytes, label, None, &Limits::default(), &mut Unmetered).ok()
        }) {
            return self.document(&remade).into_bytes();
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains(|c: char| c.is_control() && !c.is_whitespace()) => {
                self.text_of(text).into_bytes()
            }
            _ => BYTES.to_vec(),
        }
    }

    /// The lines of a PDF, in another one; an empty page, if it can't be read.
    fn file(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Some(lines) = (self.read_pdf)(bytes) else { return PDF.to_vec() };
        let lines: Vec<Vec<String>> =
            lines.iter().map(|line| line.iter().map(|cell| self.value(cell)).collect()).collect();
        crate::pdf::pdf(&lines)
    }

    fn document(&mut self, document: &Document) -> String {
        document.remade(self, &mut Unmetered).unwrap_or_default()
    }

    /// A document inside of a text, or the text.
    fn text_of(&mut self, text: &str) -> String {
        let trimmed = text.trim_start();
        let nested = if trimmed.starts_with(['{', '[']) {
            Some(Format::Json)
        } else {
            (trimmed.starts_with('<') && trimmed.contains("</")).then_some(Format::Html)
        };
        let parsed = nested.and_then(|format| {
            Document::parse(format, text.as_bytes(), Some("utf-8"), None, &Limits::default(), &mut Unmetered).ok()
        });
        match parsed {
            Some(document) => self.document(&document),
            None => self.value(text),
        }
    }
}

impl Remake for Redactor<'_> {
    fn name(&mut self, name: &str) -> String {
        Redactor::name(self, name)
    }

    fn text(&mut self, element: &str, text: &str) -> String {
        match element {
            "style" => self.dropped(text),
            "script" => self.text_of(text),
            _ => self.value(text),
        }
    }

    fn attribute(&mut self, element: &str, name: &str, value: &str) -> String {
        if DROPPED.contains(&name) || name.starts_with("on") {
            return self.dropped(value);
        }
        if NAMES.contains(&name) {
            let names: Vec<String> = value.split_whitespace().map(|value| Redactor::name(self, value)).collect();
            return names.join(" ");
        }
        if ADDRESSES.contains(&name) || value.starts_with("/") || value.starts_with("./") {
            return self.url(value);
        }
        if LAYOUT.contains(&name) && value.len() <= 3 && value.bytes().all(|byte| byte.is_ascii_digit()) {
            return self.kept(Rule::Layout, value);
        }
        if value.eq_ignore_ascii_case(name) {
            return self.kept(Rule::Name, value);
        }
        match (element, name) {
            ("input" | "option" | "button", "value") => self.choice(None, value),
            _ => self.value(value),
        }
    }

    /// Nothing is read from there, and nobody knows what stands there.
    fn aside(&mut self, text: &str) -> String {
        if text.eq_ignore_ascii_case("html") { self.kept(Rule::Name, text) } else { self.dropped(text) }
    }

    fn string(&mut self, member: Option<&str>, text: &str) -> String {
        if text.starts_with(['{', '[', '<']) {
            return self.text_of(text);
        }
        if text.starts_with('/') && text.len() > 1 {
            return self.url(text);
        }
        self.choice(member, text)
    }

    fn number(&mut self, number: &str) -> String {
        if number.len() == 1 {
            return self.kept(Rule::Digit, number);
        }
        let mut out = String::with_capacity(number.len());
        let (digits, exponent) = match number.find(['e', 'E']) {
            Some(at) => number.split_at(at),
            None => (number, ""),
        };
        let plain: String = digits.chars().filter(char::is_ascii_digit).collect();
        // Without a point it may be what stands elsewhere as a word: a number of an account.
        let other = if digits.contains('.') { self.digits(&plain) } else { self.word(&plain) };
        let mut other = other.chars();
        out.extend(digits.chars().map(|c| if c.is_ascii_digit() { other.next().unwrap_or('0') } else { c }));
        out + &self.kept(Rule::Digit, exponent)
    }
}
