//! Where html5ever and xml5ever put what they read. The limits are counted here, while the tree grows: a parser can't be stopped in the
//! middle of a piece, so once a limit is broken the sink stops keeping what it is given, and the caller stops feeding.

use std::borrow::Cow;
use std::cell::{Cell, Ref, RefCell};

use html5ever::tendril::StrTendril;
use html5ever::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::{Attribute as Parsed, QualName};

use super::DocumentError;
use super::limits::Limits;
use super::tree::{Attribute, Kind, NONE, NodeId, ROOT, Span, Tree};

pub(super) struct Sink {
    tree: RefCell<Tree>,
    limits: Limits,
    broken: Cell<Option<(&'static str, usize)>>,
}

impl Sink {
    pub(super) fn new(tree: Tree, limits: Limits) -> Self {
        Self { tree: RefCell::new(tree), limits, broken: Cell::new(None) }
    }

    /// Whether everything so far is within the limits.
    pub(super) fn check(&self) -> Result<(), DocumentError> {
        match self.broken.get() {
            None => Ok(()),
            Some((which, max)) => Err(DocumentError::limit(which, max)),
        }
    }

    fn create(&self, kind: impl FnOnce(&mut Tree) -> Kind) -> NodeId {
        let mut tree = self.tree.borrow_mut();
        let kind = kind(&mut tree);
        let id = tree.create(kind);
        self.count(&tree);
        id
    }

    fn count(&self, tree: &Tree) {
        if tree.count() > self.limits.nodes {
            self.broken.set(Some(("nodes", self.limits.nodes)));
        } else if tree.text.len() > self.limits.text_bytes {
            self.broken.set(Some(("text_bytes", self.limits.text_bytes)));
        }
    }

    fn insert(&self, parent: NodeId, child: NodeOrText<NodeId>, next: NodeId) {
        let mut tree = self.tree.borrow_mut();
        let child = match child {
            NodeOrText::AppendNode(id) => id,
            // The text is what grows without a node; nothing more of it is kept once a limit is broken.
            NodeOrText::AppendText(_) if self.broken.get().is_some() => return,
            NodeOrText::AppendText(text) => {
                let before = if next == NONE { tree.node(parent).last } else { tree.node(next).previous };
                if before != NONE
                    && let Kind::Text(span) = tree.node(before).kind
                {
                    let span = tree.extend(span, &text);
                    tree.node_mut(before).kind = Kind::Text(span);
                    self.count(&tree);
                    return;
                }
                let span = tree.store(&text);
                tree.create(Kind::Text(span))
            }
        };
        if tree.insert(parent, child, next) as usize > self.limits.depth {
            self.broken.set(Some(("depth", self.limits.depth)));
        }
        self.count(&tree);
    }

    fn keep(&self, tree: &mut Tree, attributes: Vec<Parsed>) -> Span {
        if attributes.len() > self.limits.attributes {
            self.broken.set(Some(("attributes", self.limits.attributes)));
        }
        let start = tree.attributes.len() as u32;
        if self.broken.get().is_none() {
            for Parsed { name, value } in attributes {
                // No XML has such a name. Its parser makes one of what is broken, and reads another when that is written out.
                if !tree.html && name.local.starts_with(':') {
                    continue;
                }
                let value = tree.store(&value);
                tree.attributes.push(Attribute { name, value });
            }
        }
        Span { start, end: tree.attributes.len() as u32 }
    }
}

impl TreeSink for Sink {
    type Handle = NodeId;
    type Output = Result<Tree, DocumentError>;
    type ElemName<'a> = Ref<'a, QualName>;

    fn finish(self) -> Self::Output {
        self.check()?;
        Ok(self.tree.into_inner())
    }

    // A page with errors is a page; browsers show it, and so do we.
    fn parse_error(&self, _: Cow<'static, str>) {}

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn get_document(&self) -> NodeId {
        ROOT
    }

    fn same_node(&self, one: &NodeId, other: &NodeId) -> bool {
        one == other
    }

    fn elem_name<'a>(&'a self, target: &'a NodeId) -> Ref<'a, QualName> {
        Ref::map(self.tree.borrow(), |tree| match &tree.node(*target).kind {
            Kind::Element { name, .. } => name,
            _ => unreachable!("the parsers ask for names of elements only"),
        })
    }

    fn create_element(&self, name: QualName, attributes: Vec<Parsed>, _: ElementFlags) -> NodeId {
        self.create(|tree| Kind::Element { name, attributes: self.keep(tree, attributes) })
    }

    fn create_comment(&self, text: StrTendril) -> NodeId {
        self.create(|tree| Kind::Comment(tree.store(&text)))
    }

    fn create_pi(&self, target: StrTendril, data: StrTendril) -> NodeId {
        self.create(|tree| Kind::Instruction(tree.store(&format!("{target} {data}"))))
    }

    fn append(&self, parent: &NodeId, child: NodeOrText<NodeId>) {
        self.insert(*parent, child, NONE);
    }

    fn append_before_sibling(&self, sibling: &NodeId, child: NodeOrText<NodeId>) {
        if let NodeOrText::AppendNode(id) = child {
            self.tree.borrow_mut().detach(id);
        }
        let parent = self.tree.borrow().node(*sibling).parent;
        if parent != NONE {
            self.insert(parent, child, *sibling);
        }
    }

    fn append_based_on_parent_node(&self, element: &NodeId, previous: &NodeId, child: NodeOrText<NodeId>) {
        if self.tree.borrow().node(*element).parent == NONE {
            self.append(previous, child);
        } else {
            self.append_before_sibling(element, child);
        }
    }

    fn append_doctype_to_document(&self, name: StrTendril, _: StrTendril, _: StrTendril) {
        let id = self.create(|tree| Kind::Doctype(tree.store(&name)));
        self.insert(ROOT, NodeOrText::AppendNode(id), NONE);
    }

    fn add_attrs_if_missing(&self, target: &NodeId, mut attributes: Vec<Parsed>) {
        let mut tree = self.tree.borrow_mut();
        let had = tree.attributes(*target).to_vec();
        attributes.retain(|new| had.iter().all(|old| old.name.expanded() != new.name.expanded()));
        if attributes.is_empty() || self.broken.get().is_some() {
            return;
        }
        // Only `<html>` and `<body>` get here: the old ones are copied to the end, where the new ones join them.
        let start = tree.attributes.len() as u32;
        tree.attributes.extend(had);
        let end = self.keep(&mut tree, attributes).end;
        if let Kind::Element { attributes, .. } = &mut tree.node_mut(*target).kind {
            *attributes = Span { start, end };
        }
        if (end - start) as usize > self.limits.attributes {
            self.broken.set(Some(("attributes", self.limits.attributes)));
        }
        self.count(&tree);
    }

    fn associate_with_form(&self, target: &NodeId, form: &NodeId, _: (&NodeId, Option<&NodeId>)) {
        self.tree.borrow_mut().owners.push((*target, *form));
    }

    fn remove_from_parent(&self, target: &NodeId) {
        self.tree.borrow_mut().detach(*target);
    }

    fn reparent_children(&self, node: &NodeId, new_parent: &NodeId) {
        let mut tree = self.tree.borrow_mut();
        while tree.node(*node).first != NONE {
            let first = tree.node(*node).first;
            tree.insert(*new_parent, first, NONE);
        }
    }

    // The contents of a template stand in it like other children: selectors find them.
    fn get_template_contents(&self, target: &NodeId) -> NodeId {
        *target
    }
}
