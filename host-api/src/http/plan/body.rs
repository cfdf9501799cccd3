//! The body of a request: the whole of it, or fields in one of the forms of the web. In a JSON or XML text the host writes the fields
//! into their places itself, so that no value and no connector can break out of a string.

use std::ops::Range;

use consentry_contract::failure::Code;
use consentry_contract::recipe::{self, Charset, Encoding, Recipe};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value as Json;
use zeroize::Zeroizing;

use super::{Form, Part, Parts, Value};
use crate::ctx::HostCtx;
use crate::fault::Fail;

impl HostCtx {
    pub(super) fn encode_body(&mut self, parts: &Parts, headers: &mut HeaderMap) -> Result<Option<Value>, Fail> {
        let (content_type, body) = match (&parts.body, parts.form) {
            (Some((content_type, _)), Form::Json) => (content_type.clone(), self.json(parts)?),
            (Some((content_type, _)), Form::Xml) => (content_type.clone(), self.xml(parts)?),
            (Some((content_type, part)), _) => (content_type.clone(), self.value(part)?),
            (None, _) if parts.fields.is_empty() => return Ok(None),
            (None, Form::Multipart) => self.multipart(parts)?,
            (None, Form::Json) => ("application/json".to_owned(), self.json(parts)?),
            (None, Form::Xml) => ("application/xml".to_owned(), self.xml(parts)?),
            (None, Form::Urlencoded) => ("application/x-www-form-urlencoded".to_owned(), self.urlencoded(parts)?),
        };
        let content_type = HeaderValue::from_str(&content_type)
            .map_err(|_| self.refuse(Code::InvalidArgument, "the content type is no valid header value"))?;
        headers.insert(CONTENT_TYPE, content_type);
        Ok(Some(body))
    }

    fn urlencoded(&mut self, parts: &Parts) -> Result<Value, Fail> {
        let encoding = Encoding::Form(parts.charset.unwrap_or(Charset::UTF_8));
        let mut pieces = Vec::with_capacity(parts.fields.len() * 4);
        for (name, part) in &parts.fields {
            let separator: &[u8] = if pieces.is_empty() { b"" } else { b"&" };
            pieces.push(plain(separator));
            pieces.push(self.encoded(recipe::Piece::Text(name.clone()), encoding)?);
            pieces.push(plain(b"="));
            pieces.push(self.field(part, encoding)?);
        }
        Ok(concatenated(&pieces))
    }

    /// The value of a field, encoded.
    fn field(&mut self, part: &Part, encoding: Encoding) -> Result<Value, Fail> {
        match part {
            Some(recipe) => self.encoded(recipe::Piece::Secret(recipe.clone(), Encoding::Raw), encoding),
            None => Ok(Value::default()),
        }
    }

    /// One part, encoded.
    fn encoded(&mut self, piece: recipe::Piece, encoding: Encoding) -> Result<Value, Fail> {
        let Ok(inner) = Recipe::join(vec![piece]) else { return Ok(Value::default()) };
        let whole = Recipe::join(vec![recipe::Piece::Secret(inner, encoding)]).map_err(|_| self.unusable())?;
        self.evaluated(&whole)
    }

    /// RFC 7578, with a boundary that no connector can foresee.
    fn multipart(&mut self, parts: &Parts) -> Result<(String, Value), Fail> {
        let boundary = self.mark();
        let quoted = |text: &str| text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        let mut pieces = Vec::with_capacity(parts.fields.len() * 3 + 1);
        for (name, part) in &parts.fields {
            let mut head = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{}\"", quoted(name));
            let file = parts.options.get(&format!("filename:{name}"));
            if let Some(file) = file {
                head += &format!("; filename=\"{}\"", quoted(file));
            }
            let kind = parts.options.get(&format!("type:{name}")).map(String::as_str);
            if let Some(kind) = kind.or(file.map(|_| "application/octet-stream")) {
                head += &format!("\r\ncontent-type: {kind}");
            }
            pieces.push(plain((head + "\r\n\r\n").as_bytes()));
            pieces.push(self.value(part)?);
            pieces.push(plain(b"\r\n"));
        }
        pieces.push(plain(format!("--{boundary}--\r\n").as_bytes()));
        Ok((format!("multipart/form-data; boundary={boundary}"), concatenated(&pieces)))
    }

    fn mark(&mut self) -> String {
        let mut mark = [0; 16];
        self.ports.random.fill(&mut mark);
        mark.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What the connector wrote for the fields to go into.
    fn template(&mut self, parts: &Parts, otherwise: &str) -> Result<String, Fail> {
        let Some((_, part)) = &parts.body else { return Ok(otherwise.to_owned()) };
        if part.as_ref().is_some_and(|recipe| !recipe.leaves().is_empty()) {
            let text = "with form = json or xml a secret is a field, not a part of the body";
            return Err(self.refuse(Code::InvalidArgument, text));
        }
        let text = self.value(part)?;
        String::from_utf8(text.to_vec()).map_err(|_| self.refuse(Code::InvalidArgument, "the body is no UTF-8"))
    }

    fn json(&mut self, parts: &Parts) -> Result<Value, Fail> {
        let template = self.template(parts, "{}")?;
        let mut json: Json = serde_json::from_str(&template)
            .map_err(|_| self.refuse(Code::InvalidArgument, "the body that the fields go into is no JSON"))?;
        let mark = self.mark();
        let marked = |index: usize| format!("\"{mark}{index:08}\"");
        for (index, (pointer, _)) in parts.fields.iter().enumerate() {
            if put(&mut json, pointer, marked(index).trim_matches('"')).is_none() {
                let text = format!("the body has no place for the field {pointer}; its parent must be there");
                return Err(self.refuse(Code::InvalidArgument, text));
            }
        }
        let text = json.to_string();
        let mut edits = Vec::with_capacity(parts.fields.len());
        for (index, (pointer, part)) in parts.fields.iter().enumerate() {
            let marked = marked(index);
            let Some(start) = text.find(&marked) else {
                return Err(
                    self.refuse(Code::InvalidArgument, format!("the field {pointer} stands inside another, or twice"))
                );
            };
            edits.push((start + 1..start + marked.len() - 1, self.field(part, Encoding::Json)?));
        }
        Ok(spliced(&text, edits).unwrap_or_default())
    }

    fn xml(&mut self, parts: &Parts) -> Result<Value, Fail> {
        let template = self.template(parts, "")?;
        let mut edits = Vec::with_capacity(parts.fields.len());
        for (path, range) in places(&template, parts.fields.iter().map(|(path, _)| path.as_str())) {
            let Some(range) = range else {
                let text = format!(
                    "the body is no XML with one place {path}: an element without others in it, as in <a></a>, or an attribute"
                );
                return Err(self.refuse(Code::InvalidArgument, text));
            };
            edits.push(range);
        }
        let mut filled = Vec::with_capacity(edits.len());
        for (range, (_, part)) in edits.into_iter().zip(&parts.fields) {
            filled.push((range, self.field(part, Encoding::Xml)?));
        }
        let text = "a place of the XML body is named twice";
        spliced(&template, filled).ok_or_else(|| self.refuse(Code::InvalidArgument, text))
    }
}

fn plain(bytes: &[u8]) -> Value {
    Zeroizing::new(bytes.to_vec())
}

/// Allocated once, so that growing leaves no copy behind.
fn concatenated(pieces: &[Value]) -> Value {
    let mut all = Zeroizing::new(Vec::with_capacity(pieces.iter().map(|piece| piece.len()).sum()));
    pieces.iter().for_each(|piece| all.extend_from_slice(piece));
    all
}

/// The text with new bytes in these ranges; none if two of them overlap.
fn spliced(text: &str, mut edits: Vec<(Range<usize>, Value)>) -> Option<Value> {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let mut pieces = Vec::with_capacity(edits.len() * 2 + 1);
    let mut end = 0;
    let mut last = None;
    for (range, value) in edits {
        if last.as_ref() == Some(&range) {
            return None;
        }
        pieces.push(plain(text.get(end..range.start)?.as_bytes()));
        pieces.push(value);
        end = range.end;
        last = Some(range);
    }
    pieces.push(plain(text.get(end..)?.as_bytes()));
    Some(concatenated(&pieces))
}

/// Puts a string at a JSON Pointer (RFC 6901) whose parent is there.
fn put(json: &mut Json, pointer: &str, text: &str) -> Option<()> {
    let (parent, last) = pointer.rsplit_once('/')?;
    let value = Json::from(text);
    match json.pointer_mut(parent)? {
        Json::Object(members) => drop(members.insert(last.replace("~1", "/").replace("~0", "~"), value)),
        Json::Array(_) => *json.pointer_mut(pointer)? = value,
        _ => return None,
    }
    Some(())
}

/// Where in the XML text each path stands, by the local names of elements: `/login/password`, `/login/password@type`.
fn places<'p>(xml: &str, paths: impl Iterator<Item = &'p str>) -> Vec<(&'p str, Option<Range<usize>>)> {
    let document = roxmltree::Document::parse(xml).ok();
    paths.map(|path| (path, document.as_ref().and_then(|document| place(document, path)))).collect()
}

fn place(document: &roxmltree::Document<'_>, path: &str) -> Option<Range<usize>> {
    let (elements, attribute) = match path.split_once('@') {
        Some((elements, attribute)) => (elements, Some(attribute)),
        None => (path, None),
    };
    let mut node = document.root();
    for name in elements.strip_prefix('/')?.split('/') {
        let mut named = node.children().filter(|child| child.is_element() && child.tag_name().name() == name);
        node = named.next()?;
        if named.next().is_some() {
            return None;
        }
    }
    if let Some(name) = attribute {
        let mut named = node.attributes().filter(|attribute| attribute.name() == name);
        return named.next().filter(|_| named.next().is_none()).map(|attribute| attribute.range_value());
    }
    match (node.first_child(), node.last_child()) {
        (Some(first), Some(last)) => {
            node.children().all(|child| child.is_text()).then(|| first.range().start..last.range().end)
        }
        _ => {
            let whole = node.range();
            let end = whole.start + document.input_text().get(whole)?.rfind("</")?;
            Some(end..end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_xml_are_found_by_path_and_only_if_they_are_one() {
        let xml = "<?xml version='1.0'?><s:e xmlns:s='urn:s'><s:b><p type=''></p><q/><r>old &amp; old</r><t/><t/></s:b></s:e>";
        for (path, found) in [
            ("/e/b/p", Some("")),
            ("/e/b/p@type", Some("")),
            ("/e/b/r", Some("old &amp; old")),
            ("/e/b/q", None),
            ("/e/b/t", None),
            ("/e/b", None),
            ("/e/b/x", None),
            ("e/b/p", None),
            ("/e/b/p@x", None),
        ] {
            let places = places(xml, [path].into_iter());
            assert_eq!(places[0].1.clone().map(|range| &xml[range]), found, "{path}");
        }
        let doctype = "<!DOCTYPE a [<!ENTITY b 'c'>]><a></a>";
        assert_eq!(places(doctype, ["/a"].into_iter()), [("/a", None)], "no entities of a connector's own");
        let place = places(xml, ["/e/b/p"].into_iter())[0].1.clone().unwrap();
        assert!(xml[place.start..].starts_with("</p>"));
    }

    #[test]
    fn a_string_goes_where_its_parent_is() {
        let mut json: Json = serde_json::from_str(r#"{"a":{"b":1},"l":["x"],"n":1}"#).unwrap();
        for (pointer, fits) in [
            ("/a/b", true),
            ("/a/new~1er", true),
            ("/l/0", true),
            ("/l/1", false),
            ("/n/x", false),
            ("/z/x", false),
            ("a", false),
        ] {
            assert_eq!(put(&mut json, pointer, "S").is_some(), fits, "{pointer}");
        }
        assert_eq!(json.to_string(), r#"{"a":{"b":"S","new/er":"S"},"l":["S"],"n":1}"#);
    }

    #[test]
    fn what_overlaps_is_not_spliced() {
        let value = |text: &str| plain(text.as_bytes());
        let spliced = |edits| spliced("abcdef", edits).map(|text| String::from_utf8(text.to_vec()).unwrap());
        assert_eq!(spliced(vec![(4..5, value("E")), (1..1, value("-"))]), Some("a-bcdEf".to_owned()));
        assert_eq!(spliced(vec![(1..3, value("x")), (2..4, value("y"))]), None);
        assert_eq!(spliced(vec![(1..1, value("x")), (1..1, value("y"))]), None);
    }
}
