//! Structure of recipes: what a pattern is compared with, and what a refused recipe prints as. Only shapes, names of secrets and, for
//! exact texts, the connector's own bytes are looked at; a value never is.

use std::fmt;

use super::pattern::{GUEST_TEXT_BYTES_MAX, Guest, Part, Pattern};
use super::{Encoding, Leaf, Node, Piece, Recipe};
use crate::glob;

impl Recipe {
    /// The structure, each secret by its name.
    #[must_use]
    pub fn structure(&self) -> Pattern {
        Pattern { parts: shape(self, None) }
    }

    /// The structure as a sink of `owner` declares it: that secret is `raw`.
    #[must_use]
    pub fn structure_for(&self, owner: &Leaf) -> Pattern {
        Pattern { parts: shape(self, Some(owner)) }
    }
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.structure(), f)
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Piece::Text(_) | Piece::Bytes(_) => f.write_str("text"),
            Piece::Secret(recipe, encoding) => write!(f, "{encoding}({recipe:?})"),
        }
    }
}

fn shape(recipe: &Recipe, owner: Option<&Leaf>) -> Vec<Part> {
    match recipe.node() {
        Node::Secret(leaf) if Some(leaf) == owner => vec![Part::Own],
        Node::Secret(leaf) => vec![Part::Named(leaf.clone())],
        Node::Join(pieces) => shapes(pieces, owner),
        Node::Digest(algorithm, pieces) => vec![Part::Digest(*algorithm, shapes(pieces, owner))],
    }
}

fn shapes(pieces: &[Piece], owner: Option<&Leaf>) -> Vec<Part> {
    let mut parts = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match piece {
            Piece::Text(_) | Piece::Bytes(_) => parts.push(Part::Guest(vec![Guest::Any])),
            Piece::Secret(recipe, Encoding::Raw) => parts.extend(shape(recipe, owner)),
            Piece::Secret(recipe, encoding) => parts.push(Part::Encode(*encoding, shape(recipe, owner))),
        }
    }
    parts
}

/// Whether the parts are the structure of the recipe, for a sink of `owner`.
pub(super) fn matches(parts: &[Part], recipe: &Recipe, owner: &Leaf) -> bool {
    match (recipe.node(), parts) {
        (Node::Secret(leaf), [Part::Own]) => leaf == owner,
        (Node::Secret(leaf), [Part::Named(named)]) => leaf == named,
        (Node::Digest(algorithm, pieces), [Part::Digest(declared, parts)]) => {
            algorithm == declared && all_match(parts, pieces, owner)
        }
        (Node::Join(pieces), parts) => all_match(parts, pieces, owner),
        _ => false,
    }
}

fn all_match(parts: &[Part], pieces: &[Piece], owner: &Leaf) -> bool {
    parts.len() == pieces.len()
        && parts.iter().zip(pieces).all(|(part, piece)| match (part, piece) {
            (Part::Guest(guests), piece) => piece.guest_bytes().is_some_and(|bytes| guest_matches(guests, bytes)),
            (part, Piece::Secret(recipe, Encoding::Raw)) => matches(std::slice::from_ref(part), recipe, owner),
            (Part::Encode(declared, parts), Piece::Secret(recipe, encoding)) => {
                declared == encoding && matches(parts, recipe, owner)
            }
            _ => false,
        })
}

fn guest_matches(guests: &[Guest], bytes: &[u8]) -> bool {
    let parts: Vec<glob::Part<'_>> = guests
        .iter()
        .map(|guest| match guest {
            Guest::Any => glob::Part::Any { min: 1, max: GUEST_TEXT_BYTES_MAX, not: None },
            Guest::Exactly(text) => glob::Part::Exact(text.as_bytes()),
        })
        .collect();
    glob::matches(&parts, bytes)
}
