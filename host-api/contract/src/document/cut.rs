//! Takes values out of a document before anybody sees it: what a manifest captures (tokens, authorisation codes). Afterwards neither the
//! tree nor its source text holds them.
//!
//! It fails closed: after an error the document is empty, so what should have been cut can't be read from it.

use std::ops::Range;
use std::sync::Arc;

use zeroize::{Zeroize, Zeroizing};

use super::json::pointer::{Duplicates, Pointer};
use super::json::{Json, Kind as JsonKind, string};
use super::limits::{Limits, Meter, Work};
use super::select::{Css, Matcher};
use super::take::{Take, attribute};
use super::tree::{Kind, NodeId, Span, Tree};
use super::{Body, Document, DocumentError};

/// The rewritten spans of a JSON source and the content of the strings that go there.
pub(super) type Edits = Vec<(Range<usize>, String)>;

impl Document {
    /// Replaces what [`Document::find`] would answer for `at` and `take`, at every match, by `placeholder`, and answers what stood there.
    /// Documents made from this one earlier (`clone`, `parts`) keep what they had: cut first.
    ///
    /// For HTML and XML `take` is `text`, `own-text` or `raw` (all three answer the text unfolded), or `attr:NAME`; for JSON it is
    /// `text`, `raw` or `json`, and what is put in is a string. Of members with the same name all are cut.
    ///
    /// # Errors
    /// As [`Document::find`]; the document is empty then.
    pub fn cut(
        &mut self,
        at: &str,
        take: &str,
        placeholder: &str,
        meter: &mut dyn Meter,
    ) -> Result<Vec<Zeroizing<String>>, DocumentError> {
        let cut = self.try_cut(at, take, placeholder, meter);
        cut.inspect_err(|_| self.empty())
    }

    pub(super) fn empty(&mut self) {
        let whole = Arc::make_mut(&mut self.whole);
        whole.body = match &whole.body {
            Body::Markup(tree) => Body::Markup(Tree::new(tree.html, 0)),
            Body::Json(_) => Body::Json(Json::null()),
        };
        self.root = 0;
    }

    fn try_cut(
        &mut self,
        at: &str,
        take: &str,
        placeholder: &str,
        meter: &mut dyn Meter,
    ) -> Result<Vec<Zeroizing<String>>, DocumentError> {
        let take = Take::compile(take, self.format())?;
        let limits = *self.limits();
        let root = self.root;
        match &mut Arc::make_mut(&mut self.whole).body {
            Body::Markup(tree) => {
                let work = Work::new(meter, limits);
                let css = Css::compile(at)?;
                let ids = Matcher::new(&css).all(tree, root, &work)?;
                let mut values = Vec::new();
                let mut edits = Vec::new();
                for places in places(tree, &ids, &take, &work)? {
                    values.push(Zeroizing::new(places.iter().map(|place| place.text(tree)).collect()));
                    edits.extend(
                        places.iter().enumerate().map(|(n, place)| (*place, if n == 0 { placeholder } else { "" })),
                    );
                }
                replace(tree, &edits);
                Ok(values)
            }
            Body::Json(json) => {
                let mut ids =
                    Pointer::compile(at)?.all(json, root, Duplicates::All, &Work::new(&mut *meter, limits))?;
                ids.retain(|id| match (&take, json.value(*id).kind) {
                    (_, JsonKind::Null) => false,
                    (Take::Json, _) => true,
                    (_, kind) => !matches!(kind, JsonKind::Array | JsonKind::Object),
                });
                let read = |id: &u32| match &take {
                    Take::Json => json.text(*id).to_owned(),
                    _ => json.scalar(*id).map(String::from).unwrap_or_default(),
                };
                let values = ids.iter().map(read).map(Zeroizing::new).collect();
                let edits = ids.iter().map(|id| (json.span(*id), placeholder.to_owned())).collect();
                self.root = splice(json, edits, root, &limits, meter)?;
                Ok(values)
            }
        }
    }
}

/// Where a text stands in a tree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A text, a comment, an instruction, a document type.
    Node(NodeId),
    /// An attribute, by its position in the arena.
    Attribute(usize),
}

impl Place {
    fn span(self, tree: &Tree) -> Span {
        match self {
            Self::Node(id) => match tree.node(id).kind {
                Kind::Text(span) | Kind::Comment(span) | Kind::Doctype(span) | Kind::Instruction(span) => span,
                Kind::Document | Kind::Element { .. } => Span::default(),
            },
            Self::Attribute(at) => tree.attributes[at].value,
        }
    }

    pub(super) fn text(self, tree: &Tree) -> &str {
        tree.str(self.span(tree))
    }

    fn point(self, tree: &mut Tree, span: Span) {
        match self {
            Self::Attribute(at) => tree.attributes[at].value = span,
            Self::Node(id) => match &mut tree.node_mut(id).kind {
                Kind::Text(old) | Kind::Comment(old) | Kind::Doctype(old) | Kind::Instruction(old) => {
                    *old = span;
                }
                Kind::Document | Kind::Element { .. } => {}
            },
        }
    }
}

/// The places of each match: one attribute, or the texts whose first is to hold the placeholder.
fn places(tree: &Tree, matches: &[NodeId], take: &Take, work: &Work<'_>) -> Result<Vec<Vec<Place>>, DocumentError> {
    let is_text = |id: &NodeId| matches!(tree.node(*id).kind, Kind::Text(_));
    let mut places = Vec::new();
    for id in matches.iter().copied().take_while(|_| work.step()) {
        let found: Vec<Place> = match take {
            Take::Text | Take::Raw => {
                tree.descendants(id).take_while(|_| work.step()).filter(is_text).map(Place::Node).collect()
            }
            Take::OwnText => tree.children(id).take_while(|_| work.step()).filter(is_text).map(Place::Node).collect(),
            Take::Attribute(name) if attribute(tree, id, name).is_some() => {
                let Kind::Element { attributes, .. } = tree.node(id).kind else {
                    continue;
                };
                attributes.range().filter(|at| name.is(&tree.attributes[*at].name)).map(Place::Attribute).collect()
            }
            Take::Attribute(_) => continue,
            Take::Html | Take::Address(_) | Take::Json => {
                return Err(DocumentError::BadTake {
                    allowed: "to cut: \"text\", \"own-text\", \"raw\", \"attr:NAME\"",
                });
            }
        };
        places.push(found);
    }
    work.done()?;
    Ok(places)
}

/// Puts new texts in place and overwrites the old ones with spaces.
pub(super) fn replace(tree: &mut Tree, edits: &[(Place, impl AsRef<str>)]) {
    let old: Vec<Span> = edits.iter().map(|(place, _)| place.span(tree)).collect();
    let mut bytes = std::mem::take(&mut tree.text).into_bytes();
    for span in &old {
        bytes[span.range()].fill(b' ');
    }
    // Unwrap safety: a span is whole characters, so what is around it stays whole.
    tree.text = String::from_utf8(bytes).unwrap_or_default();
    for (place, text) in edits {
        let new = tree.store(text.as_ref());
        place.point(tree, new);
    }
}

/// Puts strings into the source text and reads it again; answers where the view's root is now.
pub(super) fn splice(
    json: &mut Json,
    mut edits: Edits,
    root: u32,
    limits: &Limits,
    meter: &mut dyn Meter,
) -> Result<u32, DocumentError> {
    if edits.is_empty() {
        return Ok(root);
    }
    edits.sort_by_key(|(span, _)| span.start);
    let root_start = json.span(root).start;
    let (mut source, mut done, mut shift) = (String::with_capacity(json.source.len()), 0, 0_isize);
    for (span, text) in edits {
        source.push_str(&json.source[done..span.start]);
        let literal = string::literal(&text);
        source.push_str(&literal);
        if span.end <= root_start {
            shift += literal.len() as isize - span.len() as isize;
        }
        done = span.end;
    }
    source.push_str(&json.source[done..]);
    json.source.zeroize();
    *json = Json::null();
    *json = Json::parse(source.into(), limits, meter)?;
    let start = root_start.saturating_add_signed(shift);
    Ok((0..json.values.len() as u32).find(|id| json.span(*id).start == start).unwrap_or(0))
}
