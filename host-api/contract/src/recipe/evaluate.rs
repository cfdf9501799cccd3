//! From a recipe to its value. This is the only place that asks for a secret, and every byte it touches on the way is wiped.

use zeroize::Zeroizing;

use super::buffer::Buffer;
use super::encode::encode;
use super::{Encoding, Leaf, Node, Piece, Recipe};

/// Largest value that a recipe may give, in bytes; nested encodings grow by a factor each.
pub const OUTPUT_BYTES_MAX: usize = 256 * 1024;

/// The one who can open a secret: the host's run, inside a send.
pub trait Reveal {
    /// The value, or none if it was never there or is already destroyed.
    fn reveal(&self, leaf: &Leaf) -> Option<Zeroizing<Vec<u8>>>;
}

/// Why a recipe has no value. It may depend on the value, so it ends the run and is not told to the connector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// A login field after the login, an answer that was not given.
    #[error("the secret {0} is not there (any more)")]
    Gone(Leaf),
    /// The encoding is for text, and this is none.
    #[error("the encoding {0} needs text, and the recipe gives bytes which are none")]
    NotText(&'static str),
    /// A position beyond the end, a character without a key, bytes that are not in the encoding, a key that is none, claims that are no
    /// object: by the transform.
    #[error("a value does not fit the transform {0}")]
    Unfit(&'static str),
    /// Beyond [`OUTPUT_BYTES_MAX`].
    #[error("the recipe gives more than {OUTPUT_BYTES_MAX} bytes")]
    TooLarge,
}

/// Evaluates a recipe.
///
/// # Errors
/// If a secret is not there, or a value does not fit its encoding.
pub fn evaluate(recipe: &Recipe, secrets: &dyn Reveal) -> Result<Zeroizing<Vec<u8>>, EvaluationError> {
    Walk { secrets, seen: &mut |_, _, _| {} }.value(recipe)
}

/// An evaluation, with somebody who sees each value that it passes through.
pub(super) struct Walk<'a> {
    pub(super) secrets: &'a dyn Reveal,
    /// Called with each node's value under [`Encoding::Raw`], and with what each other encoding made of it.
    pub(super) seen: &'a mut dyn FnMut(&Recipe, Encoding, &[u8]),
}

impl Walk<'_> {
    pub(super) fn value(&mut self, recipe: &Recipe) -> Result<Zeroizing<Vec<u8>>, EvaluationError> {
        let value = match recipe.node() {
            Node::Secret(leaf) => {
                let value = self.secrets.reveal(leaf).ok_or_else(|| EvaluationError::Gone(leaf.clone()))?;
                if value.len() > OUTPUT_BYTES_MAX {
                    return Err(EvaluationError::TooLarge);
                }
                value
            }
            Node::Join(pieces) => self.concatenated(pieces)?,
            Node::Apply(step, lists) => {
                let values = lists.iter().map(|pieces| self.concatenated(pieces)).collect::<Result<Vec<_>, _>>()?;
                step.of(&values)?
            }
        };
        (self.seen)(recipe, Encoding::Raw, &value);
        Ok(value)
    }

    fn concatenated(&mut self, pieces: &[Piece]) -> Result<Zeroizing<Vec<u8>>, EvaluationError> {
        let mut out = Buffer::with_capacity(256);
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push(text.as_bytes()),
                Piece::Bytes(bytes) => out.push(bytes),
                Piece::Secret(recipe, encoding) => out.push(&self.encoded(recipe, *encoding)?),
            }
            if out.len() > OUTPUT_BYTES_MAX {
                return Err(EvaluationError::TooLarge);
            }
        }
        Ok(out.into_bytes())
    }

    fn encoded(&mut self, recipe: &Recipe, encoding: Encoding) -> Result<Zeroizing<Vec<u8>>, EvaluationError> {
        let value = self.value(recipe)?;
        if encoding == Encoding::Raw {
            return Ok(value);
        }
        let encoded = encode(value, encoding)?;
        (self.seen)(recipe, encoding, &encoded);
        Ok(encoded)
    }
}
