//! Structure of recipes: what a pattern is compared with, and what a refused recipe prints as. Only shapes, names of secrets and, for
//! exact texts, the connector's own bytes are looked at; a value never is.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

use super::pattern::{Guest, Part, Pattern, Shape};
use super::{Encoding, Leaf, Node, Piece, Recipe};
use crate::glob;

/// Longest exact text that a refused recipe prints; a longer one is printed by its SHA-256.
const PRINTED_MAX: usize = 32;

impl Recipe {
    /// The structure, each secret by its name.
    #[must_use]
    pub fn structure(&self) -> Pattern {
        Pattern { parts: Printer { owner: None, key: false }.shape(self) }
    }

    /// The structure as a sink of `owner` declares it: that secret is `raw`.
    #[must_use]
    pub fn structure_for(&self, owner: &Leaf) -> Pattern {
        Pattern { parts: Printer { owner: Some(owner), key: false }.shape(self) }
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

#[derive(Clone, Copy)]
struct Printer<'a> {
    owner: Option<&'a Leaf>,
    /// Inside the key of an encryption, where nothing is the connector's to choose.
    key: bool,
}

impl Printer<'_> {
    fn shape(self, recipe: &Recipe) -> Vec<Part> {
        match recipe.node() {
            Node::Secret(leaf) if Some(leaf) == self.owner => vec![Part::Own],
            Node::Secret(leaf) => vec![Part::Named(leaf.clone())],
            Node::Join(pieces) => self.shapes(pieces),
            Node::Apply(step, lists) => {
                let shape = Shape::of(step);
                // What a one-way function makes of a secret is not the connector's choice, whatever else goes in.
                let key = self.key && (!step.is_one_way() || recipe.leaves().is_empty());
                let lists = lists.iter().enumerate().map(|(index, pieces)| {
                    let key = key || (index == 0 && shape.has_pinned_key());
                    Self { key, ..self }.shapes(pieces)
                });
                let lists = lists.collect();
                vec![Part::Apply(shape, lists)]
            }
        }
    }

    fn shapes(self, pieces: &[Piece]) -> Vec<Part> {
        let mut parts = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match piece {
                Piece::Secret(recipe, Encoding::Raw) => parts.extend(self.shape(recipe)),
                Piece::Secret(recipe, encoding) => parts.push(Part::Encode(*encoding, self.shape(recipe))),
                guest => parts.push(self.guest(guest.guest_bytes().unwrap_or_default())),
            }
        }
        parts
    }

    fn guest(self, bytes: &[u8]) -> Part {
        if !self.key {
            return Part::Guest(vec![Guest::any(bytes.len())]);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if text.len() <= PRINTED_MAX => Part::Guest(vec![Guest::Exactly(text.to_owned())]),
            _ => Part::Pinned(sha256(bytes)),
        }
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut pin = [0; 32];
    pin.copy_from_slice(digest(&SHA256, bytes).as_ref());
    pin
}

/// Whether the parts are the structure of the recipe, for a sink of `owner`.
pub(super) fn matches(parts: &[Part], recipe: &Recipe, owner: &Leaf) -> bool {
    match (recipe.node(), parts) {
        (Node::Secret(leaf), [Part::Own]) => leaf == owner,
        (Node::Secret(leaf), [Part::Named(named)]) => leaf == named,
        (Node::Apply(step, lists), [Part::Apply(shape, declared)]) => {
            shape.admits(step)
                && declared.len() == lists.len()
                && declared.iter().zip(lists).all(|(parts, pieces)| all_match(parts, pieces, owner))
        }
        (Node::Join(pieces), parts) => all_match(parts, pieces, owner),
        _ => false,
    }
}

fn all_match(parts: &[Part], pieces: &[Piece], owner: &Leaf) -> bool {
    parts.len() == pieces.len()
        && parts.iter().zip(pieces).all(|(part, piece)| match (part, piece) {
            (Part::Guest(guests), piece) => piece.guest_bytes().is_some_and(|bytes| guest_matches(guests, bytes)),
            (Part::Pinned(pin), piece) => piece.guest_bytes().is_some_and(|bytes| sha256(bytes) == *pin),
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
            Guest::Any(max) => glob::Part::Any { min: 1, max: *max, not: None },
            Guest::Exactly(text) => glob::Part::Exact(text.as_bytes()),
        })
        .collect();
    glob::matches(&parts, bytes)
}
