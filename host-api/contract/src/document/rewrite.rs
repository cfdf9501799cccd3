//! Shows the whole content of a document as text and takes out of it what is found there. The tree keeps its shape: names of elements
//! and attributes are not looked at. It fails closed, as [`Document::cut`] does.

use std::ops::Range;
use std::sync::Arc;

use html5ever::{LocalName, QualName, local_name, ns};
use zeroize::Zeroizing;

use super::cut::{Edits, Place, replace, splice};
use super::json::{Json, Kind as JsonKind, string};
use super::limits::{Meter, Work};
use super::take::{is_block, is_hidden};
use super::tree::{Kind, NodeId, ROOT, Tree};
use super::{Body, Document, DocumentError};

/// Stands between two pieces of content that no reader sees as one. No text holds it.
pub(crate) const SEPARATOR: u8 = 0xff;

/// One thing that was found, by the parts of it: what stands between them stays.
pub(crate) type Hit = Vec<Range<usize>>;

/// Content as it is shown to a search.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'s> {
    /// Pieces with a [`SEPARATOR`] between them.
    pub(crate) text: &'s [u8],
    /// The page's own vocabulary: names, classes and types of its elements.
    pub(crate) vocabulary: bool,
}

/// What searches shown content.
pub(crate) type Find<'f> = dyn FnMut(Shown<'_>, &mut dyn Meter) -> Result<Vec<Hit>, DocumentError> + 'f;

impl Document {
    /// Shows everything to `find` and puts `mask` in place of each thing that it finds. Text is shown as `text` reads it: what stands in
    /// inline elements runs on. A JSON number becomes a string. Says whether anything was found.
    ///
    /// # Errors
    /// [`DocumentError::Limit`], [`DocumentError::Exhausted`], and what `find` answers; the document is empty then.
    pub(crate) fn rewrite(
        &mut self,
        find: &mut Find<'_>,
        mask: &str,
        meter: &mut dyn Meter,
    ) -> Result<bool, DocumentError> {
        self.try_rewrite(find, mask, meter).inspect_err(|_| self.empty())
    }

    fn try_rewrite(&mut self, find: &mut Find<'_>, mask: &str, meter: &mut dyn Meter) -> Result<bool, DocumentError> {
        let (limits, root) = (*self.limits(), self.root);
        match &mut Arc::make_mut(&mut self.whole).body {
            Body::Markup(tree) => {
                let work = Work::new(&mut *meter, limits);
                let contents = [markup(tree, &work), attributes(tree, false, &work), attributes(tree, true, &work)];
                work.done()?;
                let mut edits = Vec::new();
                for (content, vocabulary) in contents.iter().zip([false, false, true]) {
                    let removed = Removed::of(find(Shown { text: &content.text, vocabulary }, meter)?);
                    edits.extend(content.edits(&removed, |place| place.text(tree), mask));
                }
                replace(tree, &edits);
                Ok(!edits.is_empty())
            }
            Body::Json(json) => {
                let work = Work::new(&mut *meter, limits);
                let content = values(json, &work);
                work.done()?;
                let removed = Removed::of(find(Shown { text: &content.text, vocabulary: false }, meter)?);
                let text = |span: &Range<usize>| says(json, span);
                let edits: Edits = content.edits(&removed, text, mask);
                let found = !edits.is_empty();
                self.root = splice(json, edits, root, &limits, meter)?;
                Ok(found)
            }
        }
    }
}

/// Content with the way back to where each piece stands.
struct Content<P> {
    text: Zeroizing<Vec<u8>>,
    places: Vec<(usize, P)>,
}

impl<P: Clone> Content<P> {
    fn new(bytes: usize) -> Self {
        Self { text: Zeroizing::new(Vec::with_capacity(bytes)), places: Vec::new() }
    }

    fn push(&mut self, place: P, text: &str) {
        self.places.push((self.text.len(), place));
        self.text.extend_from_slice(text.as_bytes());
    }

    fn separate(&mut self) {
        if self.text.last().is_some_and(|last| *last != SEPARATOR) {
            self.text.push(SEPARATOR);
        }
    }

    /// The new text of every place that something was found in.
    fn edits<T: AsRef<str>>(&self, removed: &Removed, text: impl Fn(&P) -> T, mask: &str) -> Vec<(P, String)> {
        let mut edits = Vec::new();
        for (at, (start, place)) in self.places.iter().enumerate() {
            let end = self.places.get(at + 1).map_or(self.text.len(), |next| next.0);
            if !removed.touches(&(*start..end)) {
                continue;
            }
            let text = text(place);
            let whole = *start..*start + text.as_ref().len();
            edits.extend(removed.apply(&whole, text.as_ref(), mask).map(|text| (place.clone(), text)));
        }
        edits
    }
}

/// What is taken out of a text, in order and without overlaps.
pub(crate) struct Removed(Vec<(Range<usize>, bool)>);

impl Removed {
    /// The parts of every hit; the flag says where a mask stands. Where hits overlap or touch there is one mask for all, so that masks
    /// count no characters.
    pub(crate) fn of(hits: Vec<Hit>) -> Self {
        let flagged = |hit: Hit| hit.into_iter().enumerate().map(|(at, range)| (range, at == 0));
        let mut parts: Vec<(Range<usize>, bool)> = hits.into_iter().flat_map(flagged).collect();
        parts.sort_unstable_by_key(|(range, _)| (range.start, range.end));
        let mut merged: Vec<(Range<usize>, bool)> = Vec::with_capacity(parts.len());
        for (range, mask) in parts {
            match merged.last_mut() {
                Some((last, masked)) if last.end >= range.start => {
                    last.end = last.end.max(range.end);
                    *masked |= mask;
                }
                _ => merged.push((range, mask)),
            }
        }
        Self(merged)
    }

    fn within(&self, whole: &Range<usize>) -> &[(Range<usize>, bool)] {
        let from = self.0.partition_point(|(range, _)| range.end <= whole.start);
        let to = self.0.partition_point(|(range, _)| range.start < whole.end);
        self.0.get(from..to).unwrap_or_default()
    }

    fn touches(&self, whole: &Range<usize>) -> bool {
        !self.within(whole).is_empty()
    }

    /// The bytes without what is removed; none if nothing of it is.
    pub(crate) fn apply_bytes(&self, whole: &Range<usize>, text: &[u8], mask: &[u8]) -> Option<Vec<u8>> {
        let parts = self.within(whole);
        if parts.is_empty() {
            return None;
        }
        let (mut out, mut done) = (Vec::with_capacity(text.len() + mask.len() * parts.len()), 0);
        for (range, masked) in parts {
            // A part that begins in an earlier piece has its mask there.
            let masked = *masked && range.start >= whole.start;
            let (start, end) = (range.start.max(whole.start) - whole.start, range.end.min(whole.end) - whole.start);
            out.extend_from_slice(text.get(done..start).unwrap_or_default());
            out.extend_from_slice(if masked { mask } else { b"" });
            done = end;
        }
        out.extend_from_slice(text.get(done..).unwrap_or_default());
        Some(out)
    }

    /// As [`Self::apply_bytes`]. A character that is cut in two goes altogether.
    pub(crate) fn apply(&self, whole: &Range<usize>, text: &str, mask: &str) -> Option<String> {
        let bytes = self.apply_bytes(whole, text.as_bytes(), mask.as_bytes())?;
        Some(String::from_utf8(bytes).unwrap_or_else(|broken| {
            String::from_utf8_lossy(broken.as_bytes()).replace(char::REPLACEMENT_CHARACTER, "")
        }))
    }
}

/// Texts as `text` reads them, then what it leaves out: scripts, styles, comments, instructions.
fn markup(tree: &Tree, work: &Work<'_>) -> Content<Place> {
    let mut content = Content::new(tree.text.len() + tree.nodes.len());
    let mut hidden = Vec::new();
    run(tree, ROOT, Some(&mut hidden), &mut content, work);
    for id in hidden {
        content.separate();
        run(tree, id, None, &mut content, work);
    }
    for id in (0..tree.nodes.len() as NodeId).take_while(|_| work.step()) {
        if matches!(tree.node(id).kind, Kind::Comment(_) | Kind::Instruction(_) | Kind::Doctype(_)) {
            content.separate();
            content.push(Place::Node(id), Place::Node(id).text(tree));
        }
    }
    content
}

/// The texts below a node. Those of hidden elements are left for later where there is a list for them.
fn run(tree: &Tree, root: NodeId, mut hidden: Option<&mut Vec<NodeId>>, content: &mut Content<Place>, work: &Work<'_>) {
    let mut next = tree.following(root, root);
    let mut ends: Vec<NodeId> = Vec::new();
    while let Some(here) = next
        && work.step()
    {
        while ends.last() == Some(&here) {
            ends.pop();
            content.separate();
        }
        next = tree.following(here, root);
        match (&tree.node(here).kind, &mut hidden) {
            (Kind::Text(span), _) => content.push(Place::Node(here), tree.str(*span)),
            (Kind::Element { name, .. }, Some(hidden)) if name.ns == ns!(html) && is_hidden(&name.local) => {
                hidden.push(here);
                next = tree.after(here, root);
            }
            // Elements of XML are fields: what stands in two of them is not one text. A drawing in a page is text like the rest of it.
            (Kind::Element { name, .. }, _) if is_edge(tree, name) => {
                content.separate();
                ends.extend(tree.after(here, root));
            }
            _ => {}
        }
    }
}

fn is_edge(tree: &Tree, name: &QualName) -> bool {
    let Some(local) = (name.ns == ns!(html)).then_some(&name.local) else { return !tree.html };
    *local == local_name!("br") || is_block(local)
}

/// The values of attributes, each for itself.
fn attributes(tree: &Tree, vocabulary: bool, work: &Work<'_>) -> Content<Place> {
    let mut content = Content::new(0);
    for (at, attribute) in tree.attributes.iter().enumerate().take_while(|_| work.step()) {
        if (tree.html && is_vocabulary(&attribute.name.local)) == vocabulary {
            content.push(Place::Attribute(at), tree.str(attribute.value));
            content.separate();
        }
    }
    content
}

#[rustfmt::skip] // a table
fn is_vocabulary(local: &LocalName) -> bool {
    matches!(*local,
        local_name!("type") | local_name!("name") | local_name!("id") | local_name!("class") | local_name!("for")
        | local_name!("autocomplete") | local_name!("method") | local_name!("rel") | local_name!("lang") | local_name!("role"))
}

/// Names, strings and numbers.
fn values(json: &Json, work: &Work<'_>) -> Content<Range<usize>> {
    let mut content = Content::new(json.source.len());
    for id in (0..json.values.len() as u32).take_while(|_| work.step()) {
        let value = matches!(json.value(id).kind, JsonKind::String | JsonKind::Number).then(|| json.span(id));
        for span in json.name_span(id).into_iter().chain(value) {
            let text = says(json, &span);
            content.push(span, &text);
            content.separate();
        }
    }
    content
}

/// What a string or a number at this place says.
fn says<'j>(json: &'j Json, span: &Range<usize>) -> std::borrow::Cow<'j, str> {
    let source = &json.source[span.clone()];
    if source.starts_with('"') { string::content(source) } else { source.into() }
}
