//! The credential recipe algebra. What a connector holds in place of a secret is a handle on a [`Recipe`]: a tree that says which
//! secrets go in and what is done to them, and that nobody has evaluated yet. Building one never looks at a value. The manifest
//! declares [sinks](Sink) by a recipe's structure, [`Sinks::admit`] compares structures, and only what was admitted is
//! [evaluated](evaluate), inside the host's send.
//!
//! A recipe is kept in one canonical form: a join inside other pieces is spliced into them, neighbouring guest pieces are one piece,
//! empty ones are gone. So two recipes with the same result by the same steps have the same structure, and one line in a manifest
//! stands for all of them.

mod buffer;
mod encode;
mod evaluate;
mod outputs;
mod pattern;
mod sink;
mod structure;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub use encode::{Charset, Encoding};
pub use evaluate::{EvaluationError, OUTPUT_BYTES_MAX, Reveal, evaluate};
pub use outputs::{Output, outputs};
pub use pattern::{GUEST_TEXT_BYTES_MAX, Pattern, PatternError};
pub use sink::{MissingSink, Refusal, Sink, SinkId, SinkUse, Sinks, Slot};

/// Nodes and pieces of one recipe, counted as often as they are evaluated.
pub const NODES_MAX: u32 = 128;
/// Levels of one recipe.
pub const DEPTH_MAX: u32 = 16;
/// Bytes of the connector's own text in one recipe.
pub const GUEST_BYTES_MAX: usize = 64 * 1024;

/// Where a secret comes from; the part of its name before the dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeafKind {
    /// A login field, entered by the person.
    Field,
    /// The answer to a prompt.
    Answer,
    /// Cut out of an answer of the Data Source by a capture rule.
    Captured,
    /// The operator's own.
    Operator,
    /// A cookie of this run.
    Cookie,
}

impl LeafKind {
    /// Every kind.
    pub const ALL: &'static [LeafKind] =
        &[LeafKind::Field, LeafKind::Answer, LeafKind::Captured, LeafKind::Operator, LeafKind::Cookie];

    /// The word in patterns and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            LeafKind::Field => "field",
            LeafKind::Answer => "answer",
            LeafKind::Captured => "captured",
            LeafKind::Operator => "operator",
            LeafKind::Cookie => "cookie",
        }
    }

    /// The manifest's table for secrets of this kind.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            LeafKind::Captured => "capture",
            other => other.as_str(),
        }
    }
}

/// The name of one secret, such as `field.password`. Never its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leaf {
    /// Where it comes from.
    pub kind: LeafKind,
    /// Its name in the manifest.
    pub name: Arc<str>,
}

impl Leaf {
    /// Names a secret.
    #[must_use]
    pub fn new(kind: LeafKind, name: &str) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.as_str(), self.name)
    }
}

/// A digest algorithm of [`Recipe::digest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA-1, which some Data Sources still ask for.
    Sha1,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: &'static [Algorithm] = &[Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512, Algorithm::Sha1];

    /// Reads a connector's argument.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.as_str() == name)
    }

    /// The word in arguments and patterns.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha-256",
            Algorithm::Sha384 => "sha-384",
            Algorithm::Sha512 => "sha-512",
            Algorithm::Sha1 => "sha-1",
        }
    }
}

/// One part of a value that is being put together. The first two are the connector's own and therefore known to it.
#[derive(Clone, PartialEq, Eq)]
pub enum Piece {
    /// The connector's text.
    Text(String),
    /// The connector's bytes.
    Bytes(Vec<u8>),
    /// What a recipe gives, encoded.
    Secret(Arc<Recipe>, Encoding),
}

impl Piece {
    /// The connector's own bytes; none for a secret.
    pub(crate) fn guest_bytes(&self) -> Option<&[u8]> {
        match self {
            Piece::Text(text) => Some(text.as_bytes()),
            Piece::Bytes(bytes) => Some(bytes),
            Piece::Secret(..) => None,
        }
    }
}

/// What a node of the tree does.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Secret(Leaf),
    Join(Vec<Piece>),
    Digest(Algorithm, Vec<Piece>),
}

/// How large a recipe is when it is evaluated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Size {
    nodes: u32,
    depth: u32,
    guest_bytes: usize,
}

/// An unevaluated secret. `Debug` and [`Recipe::structure`] show what is done to which secret; neither shows a value or the
/// connector's text.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipe {
    node: Node,
    size: Size,
}

/// Why a connector's arguments make no recipe. Never depends on a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// No piece, or only empty ones.
    #[error("a recipe needs at least one piece that is not empty")]
    Empty,
    /// More than [`NODES_MAX`].
    #[error("a recipe has at most {NODES_MAX} pieces")]
    TooManyNodes,
    /// More than [`DEPTH_MAX`].
    #[error("a recipe has at most {DEPTH_MAX} levels")]
    TooDeep,
    /// More than [`GUEST_BYTES_MAX`].
    #[error("a recipe holds at most {GUEST_BYTES_MAX} bytes of text")]
    TooMuchText,
}

impl Recipe {
    /// A secret as it is.
    #[must_use]
    pub fn secret(leaf: Leaf) -> Arc<Self> {
        Arc::new(Self { node: Node::Secret(leaf), size: Size { nodes: 1, depth: 1, guest_bytes: 0 } })
    }

    /// The pieces, one behind the other. A single raw secret is that secret's recipe itself.
    ///
    /// # Errors
    /// If there is nothing in it, or it grows beyond the limits.
    pub fn join(pieces: Vec<Piece>) -> Result<Arc<Self>, RecipeError> {
        let pieces = canonical(pieces)?;
        if let [Piece::Secret(only, Encoding::Raw)] = pieces.as_slice() {
            return Ok(Arc::clone(only));
        }
        Self::sized(&pieces).map(|size| Arc::new(Self { node: Node::Join(pieces), size }))
    }

    /// The digest over the pieces, as raw bytes.
    ///
    /// # Errors
    /// If there is nothing in it, or it grows beyond the limits.
    pub fn digest(algorithm: Algorithm, pieces: Vec<Piece>) -> Result<Arc<Self>, RecipeError> {
        let pieces = canonical(pieces)?;
        Self::sized(&pieces).map(|size| Arc::new(Self { node: Node::Digest(algorithm, pieces), size }))
    }

    /// Every secret that goes in. A recipe without any holds nothing but the connector's own text.
    #[must_use]
    pub fn leaves(&self) -> BTreeSet<&Leaf> {
        let mut leaves = BTreeSet::new();
        self.gather(&mut leaves);
        leaves
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    fn gather<'a>(&'a self, leaves: &mut BTreeSet<&'a Leaf>) {
        let pieces = match &self.node {
            Node::Secret(leaf) => {
                leaves.insert(leaf);
                return;
            }
            Node::Join(pieces) | Node::Digest(_, pieces) => pieces,
        };
        for piece in pieces {
            if let Piece::Secret(recipe, _) = piece {
                recipe.gather(leaves);
            }
        }
    }

    fn sized(pieces: &[Piece]) -> Result<Size, RecipeError> {
        let mut size = Size { nodes: 1, depth: 1, guest_bytes: 0 };
        for piece in pieces {
            let (nodes, depth, guest_bytes) = match piece {
                Piece::Secret(recipe, _) => (recipe.size.nodes, recipe.size.depth, recipe.size.guest_bytes),
                guest => (1, 0, guest.guest_bytes().map_or(0, <[u8]>::len)),
            };
            size.nodes = size.nodes.saturating_add(nodes);
            size.depth = size.depth.max(depth.saturating_add(1));
            size.guest_bytes = size.guest_bytes.saturating_add(guest_bytes);
        }
        match size {
            Size { nodes, .. } if nodes > NODES_MAX => Err(RecipeError::TooManyNodes),
            Size { depth, .. } if depth > DEPTH_MAX => Err(RecipeError::TooDeep),
            Size { guest_bytes, .. } if guest_bytes > GUEST_BYTES_MAX => Err(RecipeError::TooMuchText),
            size => Ok(size),
        }
    }
}

/// Splices raw joins in, merges neighbouring guest pieces, drops empty ones.
fn canonical(pieces: Vec<Piece>) -> Result<Vec<Piece>, RecipeError> {
    // Checked before splicing too: a list may be long and each of its joins wide.
    if pieces.len() > NODES_MAX as usize {
        return Err(RecipeError::TooManyNodes);
    }
    let mut flat: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match piece {
            Piece::Secret(recipe, Encoding::Raw) if matches!(recipe.node, Node::Join(_)) => {
                let Node::Join(inner) = &recipe.node else { continue };
                inner.iter().cloned().for_each(|piece| append(&mut flat, piece));
            }
            piece => append(&mut flat, piece),
        }
    }
    if flat.is_empty() { Err(RecipeError::Empty) } else { Ok(flat) }
}

fn append(flat: &mut Vec<Piece>, piece: Piece) {
    match (flat.last_mut(), piece) {
        (_, Piece::Text(text)) if text.is_empty() => {}
        (_, Piece::Bytes(bytes)) if bytes.is_empty() => {}
        (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
        (Some(last @ (Piece::Text(_) | Piece::Bytes(_))), piece @ (Piece::Text(_) | Piece::Bytes(_))) => {
            *last = Piece::Bytes(
                [last.guest_bytes().unwrap_or_default(), piece.guest_bytes().unwrap_or_default()].concat(),
            );
        }
        (_, piece) => flat.push(piece),
    }
}
