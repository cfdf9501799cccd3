//! Writes a document anew with other words in it: every text, value and name passes once, in the order of the document, and what comes
//! back stands in its place. The structure stays. What a report of a failure shows is made this way.

use std::collections::HashMap;

use html5ever::{LocalName, QualName, ns};

use super::cut::{Place, replace};
use super::json::{Kind as JsonKind, string};
use super::limits::{Meter, Work};
use super::tree::{Kind, ROOT, Tree};
use super::{Body, Document, DocumentError, serialize};

/// Says what is put in place of each part. It is asked in the order of the document.
pub trait Remake {
    /// The name of an element, an attribute or a member of a JSON object.
    fn name(&mut self, name: &str) -> String;
    /// A text, in the element of this name, as it was remade.
    fn text(&mut self, element: &str, text: &str) -> String;
    /// The value of an attribute.
    fn attribute(&mut self, element: &str, name: &str, value: &str) -> String;
    /// What no reader sees: a comment, an instruction, a document type.
    fn aside(&mut self, text: &str) -> String;
    /// What a JSON string says; `member` is the name that it stands under.
    fn string(&mut self, member: Option<&str>, text: &str) -> String;
    /// A JSON number. What comes back must be one.
    fn number(&mut self, number: &str) -> String;
}

impl Document {
    /// The source of the whole document, remade.
    ///
    /// # Errors
    /// [`DocumentError::Limit`], [`DocumentError::Exhausted`].
    pub fn remade(&self, remake: &mut dyn Remake, meter: &mut dyn Meter) -> Result<String, DocumentError> {
        let work = self.work(meter);
        let source = match &self.whole.body {
            Body::Markup(tree) => markup(tree.clone(), remake, &work),
            Body::Json(json) => {
                let mut edits = Vec::new();
                for id in (0..json.values.len() as u32).take_while(|_| work.step()) {
                    let name = json.name_span(id).map(|span| (string::content(&json.source[span.clone()]), span));
                    let member = name.as_ref().map(|(name, _)| &**name);
                    let said = match json.value(id).kind {
                        JsonKind::String => json.scalar(id).map(|text| string::literal(&remake.string(member, &text))),
                        JsonKind::Number => Some(remake.number(json.text(id))),
                        _ => None,
                    };
                    if let Some((name, span)) = name {
                        edits.push((span, string::literal(&remake.name(&name))));
                    }
                    edits.extend(said.map(|said| (json.span(id), said)));
                }
                let (mut source, mut done) = (String::with_capacity(json.source.len()), 0);
                for (span, text) in edits {
                    source.push_str(&json.source[done..span.start]);
                    source.push_str(&text);
                    done = span.end;
                }
                source.push_str(&json.source[done..]);
                source
            }
        };
        work.done()?;
        Ok(source)
    }
}

fn markup(mut tree: Tree, remake: &mut dyn Remake, work: &Work<'_>) -> String {
    let (mut edits, mut names) = (Vec::new(), HashMap::<LocalName, LocalName>::new());
    let mut order = vec![ROOT];
    order.extend(tree.descendants(ROOT).take_while(|_| work.step()));
    for id in order {
        let node = tree.node(id).clone();
        match node.kind {
            Kind::Document => {}
            Kind::Text(span) => {
                let element = tree.name(node.parent).map_or("", |name| &name.local);
                edits.push((Place::Node(id), remake.text(element, tree.str(span))));
            }
            Kind::Comment(span) | Kind::Doctype(span) => {
                edits.push((Place::Node(id), remake.aside(tree.str(span))));
            }
            Kind::Instruction(span) => {
                let (target, data) = tree.str(span).split_once(' ').unwrap_or((tree.str(span), ""));
                let target = remake.name(target);
                edits.push((Place::Node(id), target + " " + &remake.aside(data)));
            }
            Kind::Element { name, attributes } => {
                let element = renamed(&name, &mut names, remake);
                for at in attributes.range() {
                    let attribute = tree.attributes[at].clone();
                    let value = remake.attribute(&name.local, &attribute.name.local, tree.str(attribute.value));
                    edits.push((Place::Attribute(at), value));
                    tree.attributes[at].name = renamed(&attribute.name, &mut names, remake);
                }
                tree.node_mut(id).kind = Kind::Element { name: element, attributes };
            }
        }
    }
    replace(&mut tree, &edits);
    serialize::markup(&tree, ROOT, work)
}

fn renamed(name: &QualName, names: &mut HashMap<LocalName, LocalName>, remake: &mut dyn Remake) -> QualName {
    let local = names.entry(name.local.clone()).or_insert_with(|| remake.name(&name.local).into()).clone();
    let prefix = name.prefix.as_ref().map(|prefix| remake.name(prefix).into());
    // An XML document writes its own; a page's are the standard's.
    let standard = [ns!(), ns!(html), ns!(svg), ns!(mathml), ns!(xlink), ns!(xml), ns!(xmlns)].contains(&name.ns);
    let ns = if standard { name.ns.clone() } else { remake.attribute("", "xmlns", &name.ns).into() };
    QualName { prefix, ns, local }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Format, Limits, Unmetered};

    struct Upper;

    impl Remake for Upper {
        fn name(&mut self, name: &str) -> String {
            if name == "x-secret" { "q".to_owned() } else { name.to_owned() }
        }
        fn text(&mut self, element: &str, text: &str) -> String {
            format!("{element}:{}", text.to_uppercase())
        }
        fn attribute(&mut self, _: &str, name: &str, value: &str) -> String {
            format!("{name}={value}")
        }
        fn aside(&mut self, _: &str) -> String {
            "aside".to_owned()
        }
        fn string(&mut self, member: Option<&str>, text: &str) -> String {
            format!("{}:{}", member.unwrap_or("-"), text.to_uppercase())
        }
        fn number(&mut self, _: &str) -> String {
            "7".to_owned()
        }
    }

    #[track_caller]
    fn check(format: Format, source: &str, wanted: &str) {
        let read = Document::parse(format, source.as_bytes(), None, None, &Limits::default(), &mut Unmetered);
        assert_eq!(read.unwrap().remade(&mut Upper, &mut Unmetered).unwrap(), wanted);
    }

    #[test]
    fn every_part_passes_once_and_the_structure_stays() {
        check(
            Format::Html,
            "<p id=a>x<!--c--><x-secret q>&lt;y",
            "<html><head></head><body><p id=\"id=a\">p:X<!--aside--><q q=\"q=\">q:&lt;Y</q></p></body></html>",
        );
        check(Format::Xml, "<r a='1'>t</r>", "<r a=\"a=1\">r:T</r>");
        check(
            Format::Json,
            r#"{ "a": ["x", 1.50, true, null], "x-secret": {"b": "\n"} }"#,
            r#"{ "a": ["-:X", 7, true, null], "q": {"b": "b:\u000a"} }"#,
        );
    }
}
