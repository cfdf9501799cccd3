//! The smallest page that a rule of the manifest recognises: the elements that its selectors name, one error text of it, or a JSON text with
//! its members. It serves to try a connector on pages that no Data Source shows on demand. Whether the host recognises it is the host's to say.

use std::fmt::Write as _;

use consentry_contract::page::{ErrorText, Page};
use serde_json::{Map, Value};

/// Elements that have no content.
const VOID: [&str; 6] = ["input", "img", "br", "link", "meta", "hr"];
/// Parts of a table, which a reader of HTML drops elsewhere.
const OF_TABLE: [&str; 6] = ["tr", "td", "th", "tbody", "thead", "tfoot"];

/// A page: content type and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch {
    /// `text/html` or `application/json`, with its charset.
    pub content_type: &'static str,
    /// The text.
    pub body: String,
}

/// The page of this rule, saying this error if one is given.
#[must_use]
pub fn page(rule: &Page, error: Option<&ErrorText>) -> Sketch {
    let empty = rule.empty.as_ref().filter(|_| error.is_none());
    let places: Vec<&str> = rule.requires.iter().chain(empty).map(String::as_str).collect();
    let said = error.map(|error| (error.at.as_str(), error.folded.as_str()));
    if places.iter().copied().chain(said.map(|(at, _)| at)).any(|at| at.starts_with('/')) {
        return json(&places, said);
    }
    let mut body = "<!DOCTYPE html><html><head><title>-</title></head><body>".to_owned();
    for at in places {
        body += &markup(at, "-");
    }
    if let Some((at, text)) = said {
        body += &markup(at, text);
    }
    Sketch { content_type: "text/html; charset=utf-8", body: body + "</body></html>" }
}

fn json(places: &[&str], said: Option<(&str, &str)>) -> Sketch {
    let mut root = Value::Object(Map::new());
    // What is said first: a place that is only required takes nothing away.
    let texts = said.into_iter().chain(places.iter().map(|at| (*at, "-")));
    for (at, text) in texts.filter(|(at, _)| at.starts_with('/')) {
        put(&mut root, &at[1..], text);
    }
    Sketch { content_type: "application/json; charset=utf-8", body: root.to_string() }
}

/// Puts a text at a pointer; a number in it makes a list.
fn put(into: &mut Value, pointer: &str, text: &str) {
    let (name, rest) = pointer.split_once('/').map_or((pointer, None), |(name, rest)| (name, Some(rest)));
    let name = name.replace("~1", "/").replace("~0", "~");
    let inner = if name.parse::<usize>().is_ok() {
        if !into.is_array() {
            *into = Value::Array(vec![Value::Null]);
        }
        into.get_mut(0)
    } else {
        if !into.is_object() {
            *into = Value::Object(Map::new());
        }
        into.as_object_mut().map(|members| members.entry(name).or_insert(Value::Null))
    };
    match (inner, rest) {
        (Some(inner), Some(rest)) => put(inner, rest, text),
        (Some(inner), None) if inner.is_null() => *inner = Value::String(text.to_owned()),
        _ => {}
    }
}

/// Elements that a selector matches, with this text innermost. Of a list of selectors the first; what selects by place is left out.
fn markup(selector: &str, text: &str) -> String {
    let compounds = compounds(selector);
    let tags: Vec<String> = compounds.iter().map(|(_, compound)| tag(compound)).collect();
    let mut out = String::new();
    let in_table = tags.first().is_some_and(|tag| OF_TABLE.contains(&tag.as_str()));
    if in_table {
        out += "<table>";
    }
    let mut open: Vec<&str> = Vec::new();
    let last = compounds.len().saturating_sub(1);
    for (at, ((combinator, compound), tag)) in compounds.iter().zip(&tags).enumerate() {
        if matches!(combinator, '+' | '~')
            && let Some(before) = open.pop()
        {
            // A String takes all.
            let _ = write!(out, "</{before}>");
        }
        let _ = write!(out, "<{tag}{}>", attributes(compound));
        if at == last {
            out += text;
        }
        if !VOID.contains(&tag.as_str()) {
            open.push(tag);
        }
    }
    for tag in open.into_iter().rev() {
        let _ = write!(out, "</{tag}>");
    }
    if in_table {
        out += "</table>";
    }
    out
}

/// The compound selectors of the first selector, each with what stands before it.
fn compounds(selector: &str) -> Vec<(char, String)> {
    let (mut found, mut current, mut combinator) = (Vec::new(), String::new(), ' ');
    let (mut brackets, mut quote) = (0_usize, None);
    for c in selector.trim().chars() {
        match (c, quote) {
            (_, Some(open)) => quote = (c != open).then_some(open),
            ('"' | '\'', None) => quote = Some(c),
            ('[' | '(', None) => brackets += 1,
            (']' | ')', None) => brackets = brackets.saturating_sub(1),
            (',', None) if brackets == 0 => break,
            (' ' | '>' | '+' | '~', None) if brackets == 0 => {
                if !current.is_empty() {
                    found.push((combinator, std::mem::take(&mut current)));
                    combinator = ' ';
                }
                if c != ' ' {
                    combinator = c;
                }
                continue;
            }
            _ => {}
        }
        current.push(c);
    }
    if !current.is_empty() {
        found.push((combinator, current));
    }
    found
}

fn tag(compound: &str) -> String {
    let end = compound.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(compound.len());
    if end == 0 { "div".to_owned() } else { compound[..end].to_owned() }
}

fn attributes(compound: &str) -> String {
    let (mut out, mut classes, mut rest) = (String::new(), Vec::new(), compound);
    while let Some(at) = rest.find(['#', '.', '[', ':']) {
        let kind = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        let end = match kind {
            b'[' => rest.find(']').unwrap_or(rest.len()),
            b':' => rest.find(['#', '.', '[']).unwrap_or(rest.len()),
            _ => rest.find(['#', '.', '[', ':']).unwrap_or(rest.len()),
        };
        let word = &rest[..end];
        rest = rest[end..].strip_prefix(']').unwrap_or(&rest[end..]);
        match kind {
            // A String takes all.
            b'#' => drop(write!(out, " id=\"{word}\"")),
            b'.' => classes.push(word),
            b'[' => {
                let (name, value) = word.split_once('=').unwrap_or((word, ""));
                let name = name.trim_end_matches(['^', '$', '*', '~', '|']);
                let value = value.trim_end_matches(" i").trim_matches(['"', '\'']);
                let _ = write!(out, " {name}=\"{}\"", value.replace('"', "&quot;"));
            }
            _ => {}
        }
    }
    if !classes.is_empty() {
        let _ = write!(out, " class=\"{}\"", classes.join(" "));
    }
    out
}

#[cfg(test)]
mod tests {
    use consentry_contract::document::{Document, Format, Limits, Unmetered};

    use super::*;

    #[test]
    fn what_is_drawn_is_found_by_its_selector() {
        for selector in [
            "form#connexion",
            "p.maintenance",
            "td.iban",
            "table#comptes tbody tr",
            "ul.releves li",
            "dl.profil > div",
            "body[id='profile'] input[name=iban]",
            "form#login input[name=password]",
            "h1 + p.a.b",
            "select#year_select option",
            "a[href^='/x']",
            ".one, .other",
        ] {
            let html = markup(selector, "-");
            let page = Document::parse(Format::Html, html.as_bytes(), None, None, &Limits::default(), &mut Unmetered);
            assert!(page.unwrap().exists(selector, &mut Unmetered).unwrap(), "{selector}: {html}");
        }
    }

    #[test]
    fn json_is_drawn_by_pointers() {
        let drawn = json(&["/accounts/0/id", "/name/given", "/name/family", "/error"], Some(("/error", "gone")));
        let wanted = r#"{"error":"gone","accounts":[{"id":"-"}],"name":{"given":"-","family":"-"}}"#;
        assert_eq!(drawn.body, wanted);
    }
}
