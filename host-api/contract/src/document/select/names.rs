//! The words the `selectors` crate wants named: what a tag name, an identifier and an attribute's value are in our selectors, and that
//! there are no pseudo-elements and no states (`:hover`).

use std::borrow::Borrow;
use std::fmt;

use cssparser::ToCss;
use html5ever::{LocalName, Namespace};
use precomputed_hash::PrecomputedHash;
use selectors::parser::{self, SelectorParseErrorKind};

/// A tag name, class, id or attribute name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Name(pub(super) LocalName);

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl Borrow<LocalName> for Name {
    fn borrow(&self) -> &LocalName {
        &self.0
    }
}

impl ToCss for Name {
    fn to_css<W: fmt::Write>(&self, out: &mut W) -> fmt::Result {
        cssparser::serialize_identifier(&self.0, out)
    }
}

impl PrecomputedHash for Name {
    fn precomputed_hash(&self) -> u32 {
        self.0.precomputed_hash()
    }
}

/// The value in `[name=value]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal(String);

impl From<&str> for Literal {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl AsRef<str> for Literal {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl ToCss for Literal {
    fn to_css<W: fmt::Write>(&self, out: &mut W) -> fmt::Result {
        cssparser::serialize_string(&self.0, out)
    }
}

/// Neither pseudo-elements nor states exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Never {}

impl ToCss for Never {
    fn to_css<W: fmt::Write>(&self, _: &mut W) -> fmt::Result {
        match *self {}
    }
}

impl parser::NonTSPseudoClass for Never {
    fn is_active_or_hover(&self) -> bool {
        match *self {}
    }

    fn is_user_action_state(&self) -> bool {
        match *self {}
    }
}

impl parser::PseudoElement for Never {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Simple;

impl parser::SelectorImpl for Simple {
    type ExtraMatchingData<'a> = ();
    type AttrValue = Literal;
    type Identifier = Name;
    type LocalName = Name;
    type NamespaceUrl = Namespace;
    type NamespacePrefix = Name;
    type BorrowedNamespaceUrl = Namespace;
    type BorrowedLocalName = LocalName;
    type NonTSPseudoClass = Never;
    type PseudoElement = Never;
}

pub(super) struct OurParser;

impl parser::Parser<'_> for OurParser {
    type Impl = Simple;
    type Error = SelectorParseErrorKind;

    fn parse_is_and_where(&self) -> bool {
        true
    }

    /// A typing error inside `:is()` is an error, not an alternative that never matches.
    fn allow_forgiving_selectors(&self) -> bool {
        false
    }
}
