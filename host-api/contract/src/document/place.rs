//! Where a question looks: a selector or a pointer, and the walk that finds what it means.

use std::ops::ControlFlow;

use super::json::pointer::{Duplicates, Pointer};
use super::limits::Work;
use super::select::{Css, Matcher};
use super::{Body, DocumentError, Format};

/// A compiled `at`.
pub(super) enum Place {
    Css(Css),
    Pointer(Pointer),
}

impl Place {
    pub(super) fn compile(at: &str, format: Format) -> Result<Self, DocumentError> {
        match format {
            Format::Html | Format::Xml => Css::compile(at).map(Self::Css),
            Format::Json => Pointer::compile(at).map(Self::Pointer),
        }
    }

    /// Every match below `root`, in document order.
    pub(super) fn all(&self, body: &Body, root: u32, work: &Work<'_>) -> Result<Vec<u32>, DocumentError> {
        match (self, body) {
            (Self::Css(css), Body::Markup(tree)) => Matcher::new(css).all(tree, root, work),
            (Self::Pointer(pointer), Body::Json(json)) => pointer.all(json, root, Duplicates::Last, work),
            _ => Ok(Vec::new()),
        }
    }
}

/// A place being looked for, row after row.
pub(super) enum Seeker<'p> {
    Css(Box<Matcher<'p>>),
    Pointer(&'p Pointer),
}

impl<'p> Seeker<'p> {
    pub(super) fn new(place: &'p Place) -> Self {
        match place {
            Place::Css(css) => Self::Css(Box::new(Matcher::new(css))),
            Place::Pointer(pointer) => Self::Pointer(pointer),
        }
    }

    pub(super) fn first(&mut self, body: &Body, root: u32, work: &Work<'_>) -> Result<Option<u32>, DocumentError> {
        match (self, body) {
            (Self::Css(matcher), Body::Markup(tree)) => matcher.each(tree, root, work, ControlFlow::Break),
            (Self::Pointer(pointer), Body::Json(json)) => pointer.first(json, root, work),
            _ => Ok(None),
        }
    }
}
