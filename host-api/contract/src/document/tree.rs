//! The tree of an HTML or XML document: an arena of nodes, one of attributes, one buffer for every text. Compact (a node is 64 bytes, a
//! page's tree two to four times its source), freed in four deallocations, and shared between threads without a lock.

use std::ops::Range;

use html5ever::{LocalName, QualName, local_name, ns};

pub(super) type NodeId = u32;
/// No node: the end of a chain of siblings, the parent of a root.
pub(super) const NONE: NodeId = u32::MAX;
/// The document node.
pub(super) const ROOT: NodeId = 0;

/// A piece of the tree's text buffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Document,
    Doctype(Span),
    Text(Span),
    Comment(Span),
    /// Target and data: a parser takes all for a target that stands before a blank, whatever it is.
    Instruction(Span),
    Element {
        name: QualName,
        attributes: Span,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) parent: NodeId,
    pub(super) previous: NodeId,
    pub(super) next: NodeId,
    pub(super) first: NodeId,
    pub(super) last: NodeId,
    /// Distance from the root when the node was put where it is; a later move of an ancestor is not carried down.
    pub(super) depth: u32,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) name: QualName,
    pub(super) value: Span,
}

/// The name of an attribute as a connector writes it: `href`, `xlink:href`.
pub(super) struct AttributeName {
    prefix: Option<String>,
    local: LocalName,
}

impl AttributeName {
    /// HTML attribute names are lower case whatever the source says, so these are too.
    pub(super) fn parse(name: &str, html: bool) -> Self {
        let name = if html { name.to_ascii_lowercase() } else { name.to_owned() };
        match name.split_once(':') {
            Some((prefix, local)) => Self { prefix: Some(prefix.to_owned()), local: local.into() },
            None => Self { prefix: None, local: name.into() },
        }
    }

    pub(super) fn is(&self, name: &QualName) -> bool {
        name.local == self.local && name.prefix.as_deref() == self.prefix.as_deref()
            // An HTML source may write a colon into a name that has no prefix.
            || self.prefix.as_ref().is_some_and(|prefix| {
                name.prefix.is_none() && name.local.strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_prefix(':')) == Some(&*self.local)
            })
    }
}

#[derive(Clone)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) attributes: Vec<Attribute>,
    /// Every text and attribute value. Texts that are merged or replaced leave a gap.
    pub(super) text: String,
    /// Controls the parser tied to a form they do not stand in (`<table><form><tr>`), by control.
    pub(super) owners: Vec<(NodeId, NodeId)>,
    pub(super) html: bool,
}

impl Tree {
    /// An empty document with room for what usually comes of so many bytes of source.
    pub(super) fn new(html: bool, source_bytes: usize) -> Self {
        let mut tree = Self {
            nodes: Vec::with_capacity(source_bytes / 16 + 1),
            attributes: Vec::with_capacity(source_bytes / 64),
            text: String::with_capacity(source_bytes / 2),
            owners: Vec::new(),
            html,
        };
        tree.create(Kind::Document);
        tree
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    pub(super) fn str(&self, span: Span) -> &str {
        &self.text[span.range()]
    }

    pub(super) fn name(&self, id: NodeId) -> Option<&QualName> {
        match &self.node(id).kind {
            Kind::Element { name, .. } => Some(name),
            _ => None,
        }
    }

    pub(super) fn is_element(&self, id: NodeId) -> bool {
        matches!(self.node(id).kind, Kind::Element { .. })
    }

    /// Whether the node is the HTML element of that name.
    pub(super) fn is_html(&self, id: NodeId, local: &LocalName) -> bool {
        self.name(id).is_some_and(|name| name.ns == ns!(html) && name.local == *local)
    }

    pub(super) fn attributes(&self, id: NodeId) -> &[Attribute] {
        match self.node(id).kind {
            Kind::Element { attributes, .. } => &self.attributes[attributes.range()],
            _ => &[],
        }
    }

    /// The value of an attribute without a namespace.
    pub(super) fn attribute(&self, id: NodeId, local: &LocalName) -> Option<&str> {
        let attribute = self
            .attributes(id)
            .iter()
            .find(|attribute| attribute.name.local == *local && attribute.name.ns == ns!())?;
        Some(self.str(attribute.value))
    }

    pub(super) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        self.chain(self.node(id).first, |node| node.next)
    }

    pub(super) fn chain(&self, from: NodeId, next: impl Fn(&Node) -> NodeId) -> impl Iterator<Item = NodeId> {
        let exists = |id: &NodeId| *id != NONE;
        std::iter::successors(Some(from).filter(exists), move |id| Some(next(self.node(*id))).filter(exists))
    }

    pub(super) fn ancestors(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        self.chain(self.node(id).parent, |node| node.parent)
    }

    /// The next node in document order that does not stand below `id`, nor outside `root`.
    pub(super) fn after(&self, id: NodeId, root: NodeId) -> Option<NodeId> {
        let mut here = id;
        while here != root && here != NONE {
            let node = self.node(here);
            if node.next != NONE {
                return Some(node.next);
            }
            here = node.parent;
        }
        None
    }

    /// The next node in document order below `root`.
    pub(super) fn following(&self, id: NodeId, root: NodeId) -> Option<NodeId> {
        match self.node(id).first {
            NONE => self.after(id, root),
            first => Some(first),
        }
    }

    /// Everything below `root` in document order, without `root`.
    pub(super) fn descendants(&self, root: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(self.following(root, root), move |id| self.following(*id, root))
    }

    /// Bytes of memory the tree holds.
    pub(super) fn approximate_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.attributes.capacity() * size_of::<Attribute>()
            + self.text.capacity()
            + self.owners.capacity() * size_of::<(NodeId, NodeId)>()
    }

    // What only the parser and `cut` do.

    /// The counted parts of the tree.
    pub(super) fn count(&self) -> usize {
        self.nodes.len() + self.attributes.len()
    }

    pub(super) fn create(&mut self, kind: Kind) -> NodeId {
        // Unwrap safety: not needed, the node limit is far below `u32::MAX`, and beyond it the parser stops within one piece.
        let id = self.nodes.len() as NodeId;
        self.nodes.push(Node { parent: NONE, previous: NONE, next: NONE, first: NONE, last: NONE, depth: 0, kind });
        id
    }

    pub(super) fn store(&mut self, text: &str) -> Span {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Span { start, end: self.text.len() as u32 }
    }

    /// Makes a text longer; free of copying when it is the last one stored, which it nearly always is.
    pub(super) fn extend(&mut self, span: Span, text: &str) -> Span {
        if span.end as usize == self.text.len() {
            return Span { start: span.start, end: self.store(text).end };
        }
        let start = self.text.len() as u32;
        self.text.extend_from_within(span.range());
        Span { start, end: self.store(text).end }
    }

    pub(super) fn detach(&mut self, id: NodeId) {
        let Node { parent, previous, next, .. } = *self.node(id);
        if parent == NONE {
            return;
        }
        match previous {
            NONE => self.node_mut(parent).first = next,
            previous => self.node_mut(previous).next = next,
        }
        match next {
            NONE => self.node_mut(parent).last = previous,
            next => self.node_mut(next).previous = previous,
        }
        let node = self.node_mut(id);
        (node.parent, node.previous, node.next) = (NONE, NONE, NONE);
    }

    /// Puts `id` under `parent`, before `next` or last. Answers its depth.
    pub(super) fn insert(&mut self, parent: NodeId, id: NodeId, next: NodeId) -> u32 {
        self.detach(id);
        let depth = self.node(parent).depth + 1;
        let previous = if next == NONE { self.node(parent).last } else { self.node(next).previous };
        let node = self.node_mut(id);
        (node.parent, node.previous, node.next, node.depth) = (parent, previous, next, depth);
        match previous {
            NONE => self.node_mut(parent).first = id,
            previous => self.node_mut(previous).next = id,
        }
        match next {
            NONE => self.node_mut(parent).last = id,
            next => self.node_mut(next).previous = id,
        }
        depth
    }

    /// The first `<base href>` of the document, which relative addresses go by.
    pub(super) fn base_href(&self) -> Option<&str> {
        self.descendants(ROOT)
            .filter(|id| self.is_html(*id, &local_name!("base")))
            .find_map(|id| self.attribute(id, &local_name!("href")))
    }
}
