//! What is read from a match: its text, its markup, one of its attributes.

use html5ever::{LocalName, local_name, ns};
use url::Url;

use super::limits::Work;
use super::serialize::markup;
use super::tree::{AttributeName, Kind, NodeId, Tree};
use super::{DocumentError, Format};

/// A compiled `take`.
pub(super) enum Take {
    /// The text a reader would see, folded.
    Text,
    /// The same without what stands in child elements.
    OwnText,
    /// All text as it is.
    Raw,
    /// The element with its markup.
    Html,
    Attribute(AttributeName),
    /// An attribute that holds an address, resolved.
    Address(AttributeName),
    /// The source text of a JSON value.
    Json,
}

impl Take {
    pub(super) fn compile(take: &str, format: Format) -> Result<Self, DocumentError> {
        let html = format == Format::Html;
        let markup = format != Format::Json;
        match (take, take.split_once(':')) {
            ("text", _) => Ok(Self::Text),
            ("own-text", _) => Ok(Self::OwnText),
            ("raw", _) => Ok(Self::Raw),
            ("html", _) if markup => Ok(Self::Html),
            ("json", _) if !markup => Ok(Self::Json),
            (_, Some(("attr", name))) if markup && !name.is_empty() => {
                Ok(Self::Attribute(AttributeName::parse(name, html)))
            }
            (_, Some(("url", name))) if markup && !name.is_empty() => {
                Ok(Self::Address(AttributeName::parse(name, html)))
            }
            _ if markup => Err(DocumentError::BadTake {
                allowed: "\"text\", \"own-text\", \"raw\", \"html\", \"attr:NAME\", \"url:NAME\"",
            }),
            _ => Err(DocumentError::BadTake { allowed: "\"text\", \"own-text\", \"raw\", \"json\"" }),
        }
    }

    /// Reads from a node of HTML or XML.
    pub(super) fn read(
        &self,
        tree: &Tree,
        id: NodeId,
        base: Option<&Url>,
        work: &Work<'_>,
    ) -> Result<Option<String>, DocumentError> {
        let taken = match self {
            Self::Text => Some(text(tree, id, work)),
            Self::OwnText => Some(own_text(tree, id, work)),
            Self::Raw => Some(raw(tree, id, work)),
            Self::Html => Some(markup(tree, id, work)),
            Self::Attribute(name) => attribute(tree, id, name).map(str::to_owned),
            Self::Address(name) => {
                attribute(tree, id, name).and_then(|address| resolve(base, address)).map(String::from)
            }
            Self::Json => None,
        };
        work.answer(taken.as_ref().map_or(0, String::len))?;
        work.done()?;
        Ok(taken)
    }

    /// As [`Self::read`], behind what is written already; answers how many bytes.
    pub(super) fn read_onto(
        &self,
        text: &mut String,
        tree: &Tree,
        id: NodeId,
        base: Option<&Url>,
        work: &Work<'_>,
    ) -> Result<Option<usize>, DocumentError> {
        let before = text.len();
        let Self::Text = self else {
            let taken = self.read(tree, id, base, work)?;
            return Ok(taken.map(|taken| {
                text.push_str(&taken);
                taken.len()
            }));
        };
        text_onto(text, tree, id, work);
        work.answer(text.len() - before)?;
        work.done()?;
        Ok(Some(text.len() - before))
    }
}

pub(super) fn attribute<'t>(tree: &'t Tree, id: NodeId, name: &AttributeName) -> Option<&'t str> {
    tree.attributes(id).iter().find(|attribute| name.is(&attribute.name)).map(|attribute| tree.str(attribute.value))
}

/// An address in a page, as a browser would follow it.
pub(super) fn resolve(base: Option<&Url>, address: &str) -> Option<Url> {
    Url::options().base_url(base).parse(address.trim()).ok()
}

/// Text on its way to a reader, behind what is written already: runs of white space become one space, line breaks one newline, both ends
/// are bare.
pub(super) struct Folded<'t> {
    text: &'t mut String,
    start: usize,
    gap: Gap,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
}

impl<'t> Folded<'t> {
    pub(super) fn onto(text: &'t mut String) -> Self {
        Self { start: text.len(), text, gap: Gap::None }
    }

    pub(super) fn push(&mut self, text: &str) {
        if text.starts_with(char::is_whitespace) {
            self.gap(Gap::Space);
        }
        for word in text.split_whitespace() {
            if self.text.len() > self.start {
                match self.gap {
                    Gap::None => {}
                    Gap::Space => self.text.push(' '),
                    Gap::Line => self.text.push('\n'),
                }
            }
            self.text.push_str(word);
            self.gap = Gap::Space;
        }
        // The gap after the last word is there only if the source has it.
        if self.gap == Gap::Space && !text.is_empty() && !text.ends_with(char::is_whitespace) {
            self.gap = Gap::None;
        }
    }

    fn gap(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }
}

pub(super) fn fold(text: &str) -> String {
    let mut folded = String::new();
    Folded::onto(&mut folded).push(text);
    folded
}

/// The folded text below `id`, without scripts and styles (unless asked for one of them). In HTML the edges of a block are white space.
pub(super) fn text(tree: &Tree, id: NodeId, work: &Work<'_>) -> String {
    let mut text = String::new();
    text_onto(&mut text, tree, id, work);
    text
}

fn text_onto(text: &mut String, tree: &Tree, id: NodeId, work: &Work<'_>) {
    let mut folded = Folded::onto(text);
    let mut next = tree.following(id, id);
    // Blocks whose end is still to come, with the node at which it has passed.
    let mut ends: Vec<NodeId> = Vec::new();
    while let Some(here) = next
        && work.step()
    {
        while ends.last() == Some(&here) {
            ends.pop();
            folded.gap(Gap::Space);
        }
        next = tree.following(here, id);
        match &tree.node(here).kind {
            Kind::Text(span) => folded.push(tree.str(*span)),
            Kind::Element { name, .. } if name.ns == ns!(html) => {
                if name.local == local_name!("br") {
                    folded.gap(Gap::Line);
                } else if is_hidden(&name.local) {
                    next = tree.after(here, id);
                } else if is_block(&name.local) {
                    folded.gap(Gap::Space);
                    ends.extend(tree.after(here, id));
                }
            }
            _ => {}
        }
    }
}

/// The text of every text node below `id` as it is: the DOM's `textContent`.
pub(super) fn raw(tree: &Tree, id: NodeId, work: &Work<'_>) -> String {
    let mut text = String::new();
    for below in tree.descendants(id).take_while(|_| work.step()) {
        if let Kind::Text(span) = tree.node(below).kind {
            text.push_str(tree.str(span));
        }
    }
    text
}

fn own_text(tree: &Tree, id: NodeId, work: &Work<'_>) -> String {
    let mut text = String::new();
    let mut folded = Folded::onto(&mut text);
    for child in tree.children(id).take_while(|_| work.step()) {
        match &tree.node(child).kind {
            Kind::Text(span) => folded.push(tree.str(*span)),
            Kind::Element { name, .. } if name.ns == ns!(html) && name.local == local_name!("br") => {
                folded.gap(Gap::Line)
            }
            Kind::Element { .. } => folded.gap(Gap::Space),
            _ => {}
        }
    }
    text
}

pub(super) fn is_hidden(local: &LocalName) -> bool {
    matches!(*local, local_name!("script") | local_name!("style") | local_name!("template"))
}

#[rustfmt::skip] // a table
pub(super) fn is_block(local: &LocalName) -> bool {
    matches!(*local,
        local_name!("address") | local_name!("article") | local_name!("aside") | local_name!("blockquote") | local_name!("body")
        | local_name!("button") | local_name!("caption") | local_name!("center") | local_name!("dd") | local_name!("details")
        | local_name!("dialog") | local_name!("dir") | local_name!("div") | local_name!("dl") | local_name!("dt")
        | local_name!("fieldset") | local_name!("figcaption") | local_name!("figure") | local_name!("footer") | local_name!("form")
        | local_name!("h1") | local_name!("h2") | local_name!("h3") | local_name!("h4") | local_name!("h5") | local_name!("h6")
        | local_name!("head") | local_name!("header") | local_name!("hgroup") | local_name!("hr") | local_name!("li")
        | local_name!("legend") | local_name!("main") | local_name!("menu") | local_name!("nav") | local_name!("ol")
        | local_name!("optgroup") | local_name!("option") | local_name!("p") | local_name!("pre") | local_name!("section")
        | local_name!("select") | local_name!("summary") | local_name!("table") | local_name!("tbody") | local_name!("td")
        | local_name!("textarea") | local_name!("tfoot") | local_name!("th") | local_name!("thead") | local_name!("title")
        | local_name!("tr") | local_name!("ul"))
}
