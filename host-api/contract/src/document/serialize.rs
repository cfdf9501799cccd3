//! Writes a tree back as a source that parses to the same tree.

use std::fmt::Write;

use html5ever::{LocalName, QualName, local_name, ns};

use super::limits::Work;
use super::tree::{Kind, NONE, NodeId, Tree};

/// The markup of a node with everything below it.
pub(super) fn markup(tree: &Tree, root: NodeId, work: &Work<'_>) -> String {
    let mut out = String::new();
    let mut here = root;
    loop {
        if !work.step() {
            return out;
        }
        open(tree, here, &mut out);
        let first = tree.node(here).first;
        if first != NONE {
            here = first;
            continue;
        }
        // Up, closing what ends here, until something follows.
        loop {
            close(tree, here, &mut out);
            if here == root {
                return out;
            }
            let node = tree.node(here);
            if node.next != NONE {
                here = node.next;
                break;
            }
            here = node.parent;
        }
    }
}

fn open(tree: &Tree, id: NodeId, out: &mut String) {
    match &tree.node(id).kind {
        Kind::Document => {}
        Kind::Doctype(name) => push(out, &["<!DOCTYPE ", tree.str(*name), ">"]),
        Kind::Comment(text) => push(out, &["<!--", tree.str(*text), "-->"]),
        Kind::Instruction(text) => push(out, &["<?", tree.str(*text), "?>"]),
        Kind::Text(span) if is_raw_text(tree, tree.node(id).parent) => out.push_str(tree.str(*span)),
        Kind::Text(span) => escape(tree.str(*span), false, out),
        Kind::Element { name, .. } => {
            out.push('<');
            qualified(tree, name, out);
            for attribute in tree.attributes(id) {
                out.push(' ');
                qualified(tree, &attribute.name, out);
                out.push_str("=\"");
                escape(tree.str(attribute.value), true, out);
                out.push('"');
            }
            if !tree.html {
                declare(tree, id, name, out);
            }
            out.push('>');
            // A parser drops one newline there, so a text that starts with one needs another.
            if is_one_of(tree, id, &[local_name!("pre"), local_name!("textarea"), local_name!("listing")])
                && tree.node(id).first != NONE
                && matches!(tree.node(tree.node(id).first).kind, Kind::Text(span) if tree.str(span).starts_with('\n'))
            {
                out.push('\n');
            }
        }
    }
}

fn close(tree: &Tree, id: NodeId, out: &mut String) {
    if let Kind::Element { name, .. } = &tree.node(id).kind
        && !is_void(tree, id)
    {
        out.push_str("</");
        qualified(tree, name, out);
        out.push('>');
    }
}

fn push(out: &mut String, parts: &[&str]) {
    out.extend(parts.iter().copied());
}

fn qualified(tree: &Tree, name: &QualName, out: &mut String) {
    // In HTML only foreign attributes have prefixes, and they are written; foreign elements have none.
    if let Some(prefix) = name.prefix.as_ref().filter(|prefix| !prefix.is_empty()) {
        push(out, &[prefix, ":"]);
    } else if tree.html && name.ns == ns!(xlink) {
        out.push_str("xlink:");
    }
    out.push_str(&name.local);
}

/// Declares the namespaces an element needs and no element above has: the parser keeps namespaces, not their declarations.
fn declare(tree: &Tree, id: NodeId, name: &QualName, out: &mut String) {
    let prefixed = tree.attributes(id).iter().map(|attribute| &attribute.name).filter(|name| name.prefix.is_some());
    let mut declared: Vec<&QualName> = Vec::new();
    for name in std::iter::once(name).chain(prefixed) {
        let above = tree.ancestors(id).filter_map(|above| tree.name(above)).find(|above| above.prefix == name.prefix);
        let known = above.map_or(ns!(), |above| above.ns.clone());
        if name.ns == known || name.ns == ns!(xml) || declared.iter().any(|earlier| earlier.prefix == name.prefix) {
            continue;
        }
        match &name.prefix {
            Some(prefix) => push(out, &[" xmlns:", prefix, "=\""]),
            None => out.push_str(" xmlns=\""),
        }
        escape(&name.ns, true, out);
        out.push('"');
        declared.push(name);
    }
}

fn escape(text: &str, attribute: bool, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\u{a0}', '\r']) {
        let c = rest[at..].chars().next().unwrap_or_default();
        out.push_str(&rest[..at]);
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            '"' => out.push('"'),
            // Numbers, since XML knows no `nbsp`, and a bare carriage return would be read as a line feed.
            c => {
                // Writing into a `String` does not fail.
                let _ = write!(out, "&#{};", u32::from(c));
            }
        }
        rest = &rest[at + c.len_utf8()..];
    }
    out.push_str(rest);
}

fn is_one_of(tree: &Tree, id: NodeId, locals: &[LocalName]) -> bool {
    tree.html && tree.name(id).is_some_and(|name| name.ns == ns!(html) && locals.contains(&name.local))
}

#[rustfmt::skip] // a table
fn is_void(tree: &Tree, id: NodeId) -> bool {
    is_one_of(tree, id, &[
        local_name!("area"), local_name!("base"), local_name!("basefont"), local_name!("bgsound"), local_name!("br"), local_name!("col"),
        local_name!("embed"), local_name!("frame"), local_name!("hr"), local_name!("img"), local_name!("input"), local_name!("keygen"),
        local_name!("link"), local_name!("meta"), local_name!("param"), local_name!("source"), local_name!("track"), local_name!("wbr"),
    ])
}

#[rustfmt::skip] // a table
fn is_raw_text(tree: &Tree, parent: NodeId) -> bool {
    parent != NONE && is_one_of(tree, parent, &[
        local_name!("style"), local_name!("script"), local_name!("xmp"), local_name!("iframe"), local_name!("noembed"),
        local_name!("noframes"), local_name!("plaintext"),
    ])
}
