//! The credential recipe algebra. What a connector holds in place of a secret is a handle on a [`Recipe`]: a tree that says which
//! secrets go in and what is done to them, and that nobody has evaluated yet. Building one never looks at a value. The manifest
//! declares [sinks](Sink) by a recipe's structure, [`Sinks::admit`] compares structures, and only what was admitted is
//! [evaluated](evaluate), inside the host's send.
//!
//! A recipe is kept in one canonical form: a join inside other pieces is spliced into them, neighbouring guest pieces are one piece,
//! empty ones are gone. So two recipes with the same result by the same steps have the same structure, and one line in a manifest
//! stands for all of them.
//!
//! # What a connector may choose
//!
//! A structure leaves some things to the connector, because the Data Source asks for them anew each time. Whatever it chooses, the
//! result goes to the declared place only, and what a site repeats of it on the answer is cut out, because an evaluation can be done
//! again: [`outputs`] gives each value on the way, padding and signatures included. What remains is the one bit of each submission
//! (the site takes it or not), and these rules keep a choice from making more of it:
//!
//! | transform | the connector chooses | the rule |
//! |---|---|---|
//! | join, digest, MAC, stretch | `text`, such as a nonce | at most [`GUEST_TEXT_BYTES_MAX`] bytes in one piece, or what the pattern says |
//! | stretch | the rounds | the pattern holds the least; [`WORK_MAX`] bounds the most |
//! | decode | nothing | what can't be decoded ends the run |
//! | characters | which positions | the pattern holds how many and how far; no position twice; a sink is used at most [`STEERED_USES_MAX`] times; the answer to fewer than [`NARROW`] of them is withheld ([`Recipe::is_narrow`]): one character can be neither cut out of a page nor left in it without telling which it is |
//! | keypad | the keys | one character each, no two alike on either side, [`KEYS_MAX`] of at most [`KEY_BYTES_MAX`] bytes; a sink is used at most [`STEERED_USES_MAX`] times; the answer is withheld ([`Recipe::is_withheld`]): a site may repeat key by key what is searched for as one value, and keys of one letter make a short value |
//! | encrypt | the IV | the key is none of its choices: a captured secret, an exact text, or [pinned](Pattern) by its SHA-256. So a connector can't have a secret encrypted to itself |
//! | sign | the message | the key is the operator's, as it is. Of a token (`jwt-…`) the host owns `iat`, `nbf`, `exp` and `jti`: it is good for [`TOKEN_SECONDS`] seconds and once |
//!
//! What depends on a value (too short, no such key, not text, not decodable) is one [`EvaluationError`] to whoever is outside, and ends
//! the run.

mod buffer;
mod cipher;
mod decode;
mod encode;
mod error;
mod evaluate;
mod leaf;
mod letters;
mod live;
mod outputs;
mod pattern;
mod signing;
mod sink;
mod step;
mod structure;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

pub use encode::{Charset, Encoding};
pub use error::RecipeError;
pub use evaluate::{EvaluationError, OUTPUT_BYTES_MAX, Reveal, evaluate};
pub use leaf::{Leaf, LeafKind};
pub use letters::{KEY_BYTES_MAX, KEYS_MAX, NARROW, POSITION_MAX};
pub use live::{LIVE_SELECTORS, is_live_selector};
pub use outputs::{Output, outputs};
pub use pattern::{GUEST_TEXT_BYTES_MAX, Pattern, PatternError, SINK_USES_MAX, STEERED_USES_MAX};
pub use signing::TOKEN_SECONDS;
pub use sink::{MissingSink, Refusal, Sink, SinkAt, SinkId, SinkUse, Sinks, Slot};
pub use step::STRETCH_BYTES_MAX;
pub use words::{Cipher, Digest, Mac, Scheme, Stretch};

use cipher::Encryption;
use letters::{Keypad, Positions};
use signing::{Signing, Token};
use step::Step;

/// Nodes and pieces of one recipe, counted as often as they are evaluated.
pub const NODES_MAX: u32 = 128;
/// Levels of one recipe.
pub const DEPTH_MAX: u32 = 16;
/// Bytes of the connector's own text in one recipe.
pub const GUEST_BYTES_MAX: usize = 64 * 1024;
/// Rounds of stretching in one recipe, of each block of its results; an RSA operation counts as some thousand.
pub const WORK_MAX: u64 = 2_000_000;

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
    /// A transform over one list of pieces, or over two: key and data, password and salt.
    Apply(Step, Vec<Vec<Piece>>),
}

/// How large a recipe is when it is evaluated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Size {
    nodes: u32,
    depth: u32,
    guest_bytes: usize,
    work: u64,
}

/// An unevaluated secret. `Debug` and [`Recipe::structure`] show what is done to which secret; neither shows a value or the
/// connector's text.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipe {
    node: Node,
    size: Size,
}

impl Recipe {
    /// A secret as it is.
    #[must_use]
    pub fn secret(leaf: Leaf) -> Arc<Self> {
        Arc::new(Self { node: Node::Secret(leaf), size: Size { nodes: 1, depth: 1, ..Size::default() } })
    }

    /// The secret, if it is one as it is: nothing was made of it.
    #[must_use]
    pub fn as_secret(&self) -> Option<&Leaf> {
        match &self.node {
            Node::Secret(leaf) => Some(leaf),
            Node::Join(_) | Node::Apply(..) => None,
        }
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
        let size = sized(&pieces, 0)?;
        Ok(Arc::new(Self { node: Node::Join(pieces), size }))
    }

    /// The digest over the pieces, as raw bytes.
    ///
    /// # Errors
    /// If there is nothing in it, or it grows beyond the limits.
    pub fn digest(digest: Digest, pieces: Vec<Piece>) -> Result<Arc<Self>, RecipeError> {
        Self::apply(Step::Digest(digest), vec![pieces])
    }

    /// The value without this encoding.
    ///
    /// # Errors
    /// If it grows beyond the limits.
    pub fn decode(encoding: Encoding, of: &Arc<Self>) -> Result<Arc<Self>, RecipeError> {
        match encoding {
            Encoding::Raw => Ok(of.clone()),
            encoding => Self::apply(Step::Decode(encoding), vec![alone(of)]),
        }
    }

    /// The characters at these positions, counted from 1, in this order.
    ///
    /// # Errors
    /// If a position is 0, beyond [`POSITION_MAX`] or there twice, or there is none.
    pub fn characters(of: &Arc<Self>, positions: Vec<u32>) -> Result<Arc<Self>, RecipeError> {
        Self::apply(Step::Characters(Positions::new(positions)?), vec![alone(of)])
    }

    /// Each character replaced by what stands beside it.
    ///
    /// # Errors
    /// If the keys are none of a keypad: see [`RecipeError::Keypad`].
    pub fn keypad(of: &Arc<Self>, keys: Vec<(String, String)>) -> Result<Arc<Self>, RecipeError> {
        Self::apply(Step::Keypad(Keypad::new(keys)?), vec![alone(of)])
    }

    /// The message authentication code over the data, as raw bytes.
    ///
    /// # Errors
    /// If there is nothing in key or data, or it grows beyond the limits.
    pub fn mac(mac: Mac, key: Vec<Piece>, data: Vec<Piece>) -> Result<Arc<Self>, RecipeError> {
        Self::apply(Step::Mac(mac), vec![key, data])
    }

    /// The password made into a key of `bytes` bytes.
    ///
    /// # Errors
    /// If there is nothing in password or salt, or it is too much work.
    pub fn stretch(
        stretch: Stretch,
        password: Vec<Piece>,
        salt: Vec<Piece>,
        rounds: u32,
        bytes: u32,
    ) -> Result<Arc<Self>, RecipeError> {
        Self::apply(Step::stretch(stretch, rounds, bytes)?, vec![password, salt])
    }

    /// The data encrypted. What is random in it comes from `seed`, fresh for each call of this, so that the recipe gives the same result
    /// whenever it is evaluated.
    ///
    /// # Errors
    /// If the IV, or a key that is all the connector's own, does not fit the cipher.
    pub fn encrypt(
        cipher: Cipher,
        key: Vec<Piece>,
        iv: Vec<u8>,
        data: Vec<Piece>,
        seed: [u8; 32],
    ) -> Result<Arc<Self>, RecipeError> {
        let encryption = Encryption::new(cipher, iv, seed)?;
        let key = canonical(key)?;
        if let [own] = key.as_slice()
            && own.guest_bytes().is_some_and(|bytes| !encryption.fits(bytes))
        {
            return Err(RecipeError::Key);
        }
        Self::apply(Step::Encrypt(encryption), vec![key, data])
    }

    /// The signature over the data, as raw bytes.
    ///
    /// # Errors
    /// If the key is not one of the operator's secrets as it is, or there is nothing to sign.
    pub fn sign(scheme: Scheme, key: &Arc<Self>, data: Vec<Piece>) -> Result<Arc<Self>, RecipeError> {
        Self::signed(Signing::new(scheme, None), key, data)
    }

    /// A JSON Web Token in compact form, signed: these claims, and those which are the host's. It is good for [`TOKEN_SECONDS`] from
    /// `issued` on; `id` is what makes it one of its kind.
    ///
    /// # Errors
    /// If the key is not one of the operator's secrets as it is, or the claims are no object, or hold one of the host's.
    pub fn token(
        scheme: Scheme,
        key_id: Option<String>,
        key: &Arc<Self>,
        claims: Vec<Piece>,
        issued: Timestamp,
        id: [u8; 16],
    ) -> Result<Arc<Self>, RecipeError> {
        let token = Token::new(key_id, issued, id)?;
        let claims = canonical(claims)?;
        token.check(&claims)?;
        Self::signed(Signing::new(scheme, Some(token)), key, claims)
    }

    fn signed(signing: Signing, key: &Arc<Self>, data: Vec<Piece>) -> Result<Arc<Self>, RecipeError> {
        match &key.node {
            Node::Secret(leaf) if leaf.kind == LeafKind::Operator => {
                Self::apply(Step::Sign(signing), vec![alone(key), data])
            }
            _ => Err(RecipeError::SigningKey),
        }
    }

    fn apply(step: Step, lists: Vec<Vec<Piece>>) -> Result<Arc<Self>, RecipeError> {
        let lists = lists.into_iter().map(canonical).collect::<Result<Vec<_>, _>>()?;
        let size = sized(lists.iter().flatten(), step.work())?;
        let size = Size { guest_bytes: size.guest_bytes.saturating_add(step.guest_bytes()), ..size };
        if size.guest_bytes > GUEST_BYTES_MAX {
            return Err(RecipeError::TooMuchText);
        }
        Ok(Arc::new(Self { node: Node::Apply(step, lists), size }))
    }

    /// Every secret that goes in. A recipe without any holds nothing but the connector's own text.
    #[must_use]
    pub fn leaves(&self) -> BTreeSet<&Leaf> {
        let mut leaves = BTreeSet::new();
        self.gather(&mut leaves);
        leaves
    }

    /// Whether single characters of a secret, fewer than [`NARROW`], can be read off the result. Cutting one out of a page would tell
    /// which it is, as leaving it in would: the answer to a request that carries such a recipe can't be shown at all.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        self.has(Step::is_narrow)
    }

    /// Whether the answer to a request that carries it is shown to no connector: it [is narrow](Self::is_narrow), or it was typed on a
    /// keypad, whose keys are the connector's choice and may come back one by one.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        self.has(|step| step.is_narrow() || step.is_typed())
    }

    /// Whether such a step can be read off the result: there is no one-way function around it.
    fn has(&self, wanted: impl Fn(&Step) -> bool + Copy) -> bool {
        let inside = |pieces: &[Piece]| {
            pieces.iter().any(|piece| matches!(piece, Piece::Secret(recipe, _) if recipe.has(wanted)))
        };
        match &self.node {
            Node::Secret(_) => false,
            Node::Join(pieces) => inside(pieces),
            Node::Apply(step, lists) => !step.is_one_way() && (wanted(step) || lists.iter().any(|list| inside(list))),
        }
    }

    /// How long an evaluation takes, in rounds of a stretch: as a rule of thumb, a million in half a second.
    #[must_use]
    pub fn work(&self) -> u64 {
        self.size.work
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    fn gather<'a>(&'a self, leaves: &mut BTreeSet<&'a Leaf>) {
        let lists = match &self.node {
            Node::Secret(leaf) => {
                leaves.insert(leaf);
                return;
            }
            Node::Join(pieces) => std::slice::from_ref(pieces),
            Node::Apply(_, lists) => lists,
        };
        for piece in lists.iter().flatten() {
            if let Piece::Secret(recipe, _) = piece {
                recipe.gather(leaves);
            }
        }
    }

    /// Roughly what it takes in memory, with everything that it is made of.
    #[must_use]
    pub fn approximate_bytes(&self) -> usize {
        self.size.guest_bytes + self.size.nodes as usize * size_of::<Piece>()
    }
}

fn alone(recipe: &Arc<Recipe>) -> Vec<Piece> {
    vec![Piece::Secret(recipe.clone(), Encoding::Raw)]
}

fn sized<'p>(pieces: impl IntoIterator<Item = &'p Piece>, work: u64) -> Result<Size, RecipeError> {
    let mut size = Size { nodes: 1, depth: 1, guest_bytes: 0, work };
    for piece in pieces {
        let part = match piece {
            Piece::Secret(recipe, _) => recipe.size,
            guest => Size { nodes: 1, guest_bytes: guest.guest_bytes().map_or(0, <[u8]>::len), ..Size::default() },
        };
        size.nodes = size.nodes.saturating_add(part.nodes);
        size.depth = size.depth.max(part.depth.saturating_add(1));
        size.guest_bytes = size.guest_bytes.saturating_add(part.guest_bytes);
        size.work = size.work.saturating_add(part.work);
    }
    match size {
        Size { nodes, .. } if nodes > NODES_MAX => Err(RecipeError::TooManyNodes),
        Size { depth, .. } if depth > DEPTH_MAX => Err(RecipeError::TooDeep),
        Size { guest_bytes, .. } if guest_bytes > GUEST_BYTES_MAX => Err(RecipeError::TooMuchText),
        Size { work, .. } if work > WORK_MAX => Err(RecipeError::TooMuchWork),
        size => Ok(size),
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
