//! CSS selectors on a [`Tree`]. Selectors come from connectors and are kept small: no `:has` (it is quadratic), few combinators, little
//! nesting. What they cost on a page is counted step by step, siblings and ancestors included, so a slow pair of page and selector ends
//! by the meter.

mod names;

use std::fmt;
use std::ops::ControlFlow;

use html5ever::{LocalName, Namespace, local_name, ns};
use selectors::attr::{AttrSelectorOperation, CaseSensitivity, NamespaceConstraint};
use selectors::bloom::BloomFilter;
use selectors::matching::{self, ElementSelectorFlags, MatchingContext, SelectorCaches};
use selectors::parser::{Component, ParseRelative, SelectorList};
use selectors::{Element, OpaqueElement};

use self::names::{Literal, Name, Never, OurParser, Simple};
use super::DocumentError;
use super::limits::{ALTERNATIVES, AT_BYTES, COMBINATORS, NESTING, Work};
use super::tree::{Kind, NONE, Node, NodeId, Tree};

/// A compiled selector, or none for the root of the view itself.
pub(super) struct Css {
    list: Option<SelectorList<Simple>>,
}

const ALLOWED: &str = "allowed are type, #id, .class, [attribute], :nth-*, :first-*, :last-*, :only-*, :empty, :root, :scope, :is, :where, \
                       :not and the combinators ' ', '>', '+', '~'";

impl Css {
    pub(super) fn compile(at: &str) -> Result<Self, DocumentError> {
        if at.trim().is_empty() {
            return Ok(Self { list: None });
        }
        if at.len() > AT_BYTES {
            return Err(DocumentError::BadSelector { position: AT_BYTES, reason: "a selector has at most 512 bytes" });
        }
        let mut input = cssparser::Parser::new(at);
        // `> td` is a child of the view's root; in such a list every alternative starts there.
        let relative =
            if at.trim_start().starts_with(['>', '+', '~']) { ParseRelative::ForScope } else { ParseRelative::No };
        let parsed = SelectorList::parse(&OurParser, &mut input, relative);
        let list = parsed
            .map_err(|_| DocumentError::BadSelector { position: input.position().byte_index(), reason: ALLOWED })?;
        let mut size = Size::default();
        size.add(&list, 0)?;
        Ok(Self { list: Some(list) })
    }
}

#[derive(Default)]
struct Size {
    combinators: usize,
    alternatives: usize,
}

impl Size {
    fn add(&mut self, list: &SelectorList<Simple>, nesting: usize) -> Result<(), DocumentError> {
        let refuse = |reason| Err(DocumentError::BadSelector { position: 0, reason });
        if nesting > NESTING {
            return refuse(":is, :where and :not stand inside each other at most 2 deep");
        }
        for selector in list.slice() {
            self.alternatives += 1;
            for component in selector.iter_raw_match_order() {
                match component {
                    Component::Combinator(_) => self.combinators += 1,
                    Component::Is(inner) | Component::Where(inner) | Component::Negation(inner) => {
                        self.add(inner, nesting + 1)?
                    }
                    _ => {}
                }
            }
        }
        if self.alternatives > ALTERNATIVES {
            return refuse("a selector has at most 16 alternatives");
        }
        if self.combinators > COMBINATORS {
            return refuse("a selector has at most 16 combinators");
        }
        Ok(())
    }
}

/// A selector with what it remembers while it walks one tree (positions among siblings).
pub(super) struct Matcher<'c> {
    list: Option<&'c SelectorList<Simple>>,
    caches: SelectorCaches,
}

impl<'c> Matcher<'c> {
    pub(super) fn new(css: &'c Css) -> Self {
        Self { list: css.list.as_ref(), caches: SelectorCaches::default() }
    }

    /// Calls `found` for every match below `root`, in document order, until it breaks off.
    pub(super) fn each<B>(
        &mut self,
        tree: &Tree,
        root: NodeId,
        work: &Work<'_>,
        mut found: impl FnMut(NodeId) -> ControlFlow<B>,
    ) -> Result<Option<B>, DocumentError> {
        let Some(list) = self.list else {
            return Ok(found(root).break_value());
        };
        let mut context = MatchingContext::new(
            matching::MatchingMode::Normal,
            None,
            &mut self.caches,
            matching::QuirksMode::NoQuirks,
            matching::NeedsSelectorFlags::No,
            matching::MatchingForInvalidation::No,
        );
        context.scope_element = tree.is_element(root).then(|| At { tree, id: root, work }.opaque());
        for id in tree.descendants(root) {
            if !work.step() {
                break;
            }
            if !tree.is_element(id) {
                continue;
            }
            let element = At { tree, id, work };
            let matches = list
                .slice()
                .iter()
                .any(|selector| matching::matches_selector(selector, 0, None, &element, &mut context));
            // A match may be an artefact of breaking off (`:not(...)`), so it counts only while there is budget.
            if matches
                && work.step()
                && let ControlFlow::Break(value) = found(id)
            {
                return Ok(Some(value));
            }
        }
        work.done()?;
        Ok(None)
    }

    pub(super) fn all(&mut self, tree: &Tree, root: NodeId, work: &Work<'_>) -> Result<Vec<NodeId>, DocumentError> {
        let mut all = Vec::new();
        self.each(tree, root, work, |id| {
            all.push(id);
            ControlFlow::<()>::Continue(())
        })?;
        Ok(all)
    }
}

/// An element being matched. Moving to a neighbour is a step of work.
#[derive(Clone, Copy)]
struct At<'a, 'm> {
    tree: &'a Tree,
    id: NodeId,
    work: &'a Work<'m>,
}

impl fmt::Debug for At<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "At({})", self.id)
    }
}

impl At<'_, '_> {
    /// The nearest element along `next`, from `id` on.
    fn nearest(&self, from: NodeId, next: impl Fn(&Node) -> NodeId) -> Option<Self> {
        let mut id = from;
        while id != NONE && self.work.step() {
            if self.tree.is_element(id) {
                return Some(Self { id, ..*self });
            }
            id = next(self.tree.node(id));
        }
        None
    }

    fn node(&self) -> &Node {
        self.tree.node(self.id)
    }
}

impl Element for At<'_, '_> {
    type Impl = Simple;

    fn opaque(&self) -> OpaqueElement {
        OpaqueElement::new(self.node())
    }

    fn parent_element(&self) -> Option<Self> {
        let parent = self.node().parent;
        (parent != NONE && self.work.step() && self.tree.is_element(parent)).then_some(Self { id: parent, ..*self })
    }

    fn prev_sibling_element(&self) -> Option<Self> {
        self.nearest(self.node().previous, |node| node.previous)
    }

    fn next_sibling_element(&self) -> Option<Self> {
        self.nearest(self.node().next, |node| node.next)
    }

    fn first_element_child(&self) -> Option<Self> {
        self.nearest(self.node().first, |node| node.next)
    }

    fn is_html_element_in_html_document(&self) -> bool {
        self.tree.html && self.tree.name(self.id).is_some_and(|name| name.ns == ns!(html))
    }

    fn has_local_name(&self, name: &LocalName) -> bool {
        self.tree.name(self.id).is_some_and(|own| own.local == *name)
    }

    fn has_namespace(&self, namespace: &Namespace) -> bool {
        self.tree.name(self.id).is_some_and(|own| own.ns == *namespace)
    }

    fn is_same_type(&self, other: &Self) -> bool {
        match (self.tree.name(self.id), self.tree.name(other.id)) {
            (Some(one), Some(other)) => one.local == other.local && one.ns == other.ns,
            _ => false,
        }
    }

    fn attr_matches(
        &self,
        namespace: &NamespaceConstraint<&Namespace>,
        local_name: &Name,
        operation: &AttrSelectorOperation<&Literal>,
    ) -> bool {
        self.tree.attributes(self.id).iter().any(|attribute| {
            attribute.name.local == local_name.0
                && !matches!(namespace, NamespaceConstraint::Specific(wanted) if **wanted != attribute.name.ns)
                && operation.eval_str(self.tree.str(attribute.value))
        })
    }

    fn has_id(&self, id: &Name, case: CaseSensitivity) -> bool {
        self.tree.attribute(self.id, &local_name!("id")).is_some_and(|own| case.eq(own.as_bytes(), id.0.as_bytes()))
    }

    fn has_class(&self, class: &Name, case: CaseSensitivity) -> bool {
        self.tree
            .attribute(self.id, &local_name!("class"))
            .is_some_and(|own| own.split_ascii_whitespace().any(|own| case.eq(own.as_bytes(), class.0.as_bytes())))
    }

    fn is_empty(&self) -> bool {
        self.tree
            .children(self.id)
            .all(|child| matches!(self.tree.node(child).kind, Kind::Comment(_) | Kind::Instruction(_)))
    }

    fn is_root(&self) -> bool {
        self.tree.ancestors(self.id).next().is_some_and(|parent| matches!(self.tree.node(parent).kind, Kind::Document))
    }

    fn is_link(&self) -> bool {
        false
    }

    // What a page that is only read has none of: shadow trees, pseudo-elements, states.

    fn parent_node_is_shadow_root(&self) -> bool {
        false
    }

    fn containing_shadow_host(&self) -> Option<Self> {
        None
    }

    fn is_pseudo_element(&self) -> bool {
        false
    }

    fn match_non_ts_pseudo_class(&self, class: &Never, _: &mut MatchingContext<'_, Simple>) -> bool {
        match *class {}
    }

    fn match_pseudo_element(&self, element: &Never, _: &mut MatchingContext<'_, Simple>) -> bool {
        match *element {}
    }

    fn is_html_slot_element(&self) -> bool {
        false
    }

    fn has_custom_state(&self, _: &Name) -> bool {
        false
    }

    fn imported_part(&self, _: &Name) -> Option<Name> {
        None
    }

    fn is_part(&self, _: &Name) -> bool {
        false
    }

    fn apply_selector_flags(&self, _: ElementSelectorFlags) {}

    fn add_element_unique_hashes(&self, _: &mut BloomFilter) -> bool {
        false
    }
}
