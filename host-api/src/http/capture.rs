//! Capture rules for bodies: what the manifest calls a secret is cut out of an answer before the connector can ask for it. Content decides,
//! not the label: a rule reads JSON or markup whatever the answer calls itself, and an answer that should hold a secret and can't be read is
//! withheld.

use consentry_contract::document::{Document, Format};
use consentry_contract::failure::Code;
use consentry_contract::manifest::{Capture, CaptureAt};
use consentry_contract::recipe::{Leaf, LeafKind};
use http::{Method, StatusCode};
use url::Url;
use zeroize::Zeroizing;

use crate::ctx::HostCtx;
use crate::fault::Fail;

/// What stands where a captured secret stood.
const PLACEHOLDER: &str = "captured";

/// An answer on its way to the connector.
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) charset: Option<String>,
    pub(crate) document: Option<Document>,
    /// Something was cut out, or it was read as another kind than it calls itself: parsing the bytes may give another document.
    pub(crate) changed: bool,
}

impl HostCtx {
    /// Takes a captured value into the vault.
    pub(super) fn take_captured(&mut self, name: &str, value: Zeroizing<Vec<u8>>) -> Result<(), Fail> {
        let put = self.vault.put(Leaf::new(LeafKind::Captured, name), value);
        put.map_err(|error| Fail::Stop(error.into()))
    }

    /// Applies the rules for this request.
    pub(crate) fn capture(
        &mut self,
        method: &Method,
        request_url: &Url,
        status: StatusCode,
        body: &mut Body,
    ) -> Result<(), Fail> {
        let plan = self.plan.clone();
        let rules = plan.captures().iter().filter(|rule| rule.from.matches(method.as_str(), request_url));
        for rule in rules {
            match &rule.at {
                CaptureAt::Pointer(pointer) => self.capture_from_json(rule, pointer, request_url, status, body)?,
                CaptureAt::Element { selector, attribute } => {
                    let take = attribute.as_ref().map_or_else(|| "text".to_owned(), |name| format!("attr:{name}"));
                    self.capture_from_markup(rule, selector, &take, request_url, body)?;
                }
                CaptureAt::Header(_) | CaptureAt::Query(_) => {}
            }
        }
        Ok(())
    }

    fn capture_from_json(
        &mut self,
        rule: &Capture,
        pointer: &str,
        url: &Url,
        status: StatusCode,
        body: &mut Body,
    ) -> Result<(), Fail> {
        let named = body.document.as_ref().map(Document::format);
        let json = match body.document.take_if(|document| document.format() == Format::Json) {
            Some(json) => Some(json),
            None => self.read_as(Format::Json, url, body)?,
        };
        match json {
            Some(json) => self.cut(rule, pointer, "text", json, body),
            // A page that is plainly none (an error page) may be seen; what looks like broken JSON may hold the secret.
            None if !status.is_success() || (named.is_some() && !looks_like_json(&body.bytes)) => Ok(()),
            None => Err(self.refuse(
                Code::PageUnrecognised,
                format!("the answer that should hold {} is not JSON; it is withheld", rule.name.as_str()),
            )),
        }
    }

    fn capture_from_markup(
        &mut self,
        rule: &Capture,
        selector: &str,
        take: &str,
        url: &Url,
        body: &mut Body,
    ) -> Result<(), Fail> {
        let markup = match body.document.take_if(|document| document.format() != Format::Json) {
            Some(markup) => Some(markup),
            None => self.read_as(Format::Html, url, body)?,
        };
        markup.map_or(Ok(()), |markup| self.cut(rule, selector, take, markup, body))
    }

    /// Reads the body as the rule expects it; none if it is of another kind.
    fn read_as(&mut self, format: Format, url: &Url, body: &Body) -> Result<Option<Document>, Fail> {
        if body.bytes.is_empty() {
            return Ok(None);
        }
        self.try_parse(format, &body.bytes, body.charset.as_deref(), url)
    }

    fn cut(
        &mut self,
        rule: &Capture,
        at: &str,
        take: &str,
        mut document: Document,
        body: &mut Body,
    ) -> Result<(), Fail> {
        body.changed = true;
        let found = self.metered(|meter| document.cut(at, take, PLACEHOLDER, meter))?;
        if !found.is_empty() {
            body.bytes = self.metered(|meter| document.source(meter))?.into_bytes();
            body.charset = Some("utf-8".to_owned());
        }
        if let Some(value) = found.into_iter().next() {
            self.take_captured(rule.name.as_str(), Zeroizing::new(value.as_bytes().to_vec()))?;
            body.document = Some(document);
        } else if body.document.is_none() {
            body.document = Some(document);
        }
        Ok(())
    }
}

fn looks_like_json(bytes: &[u8]) -> bool {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    matches!(start.first(), Some(b'{' | b'[' | b'"'))
}
