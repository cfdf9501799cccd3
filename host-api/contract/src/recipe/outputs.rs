//! What has to be cut out of the answer to a request: every value that the evaluation of its recipes passed through. A Data Source may
//! repeat any of them, a digest as well as the password below it.

use zeroize::Zeroizing;

use super::evaluate::Walk;
use super::{Encoding, EvaluationError, Leaf, Node, Recipe, Reveal};

/// One value of an evaluation.
pub struct Output {
    /// The value; wiped on drop.
    pub value: Zeroizing<Vec<u8>>,
    /// Whose raw value it is; none for what a transform or an encoding made.
    pub leaf: Option<Leaf>,
}

/// Every value that the evaluation of a recipe passes through and that a `hidden` secret is in: the secrets themselves, what each
/// transform and encoding made of them, and last the value of the whole. No value twice, none empty, none of a recipe that holds
/// only other secrets (identifiers are often Shareable Data), and no single characters: what carries those has an answer that nobody
/// may see, see [`Recipe::is_narrow`]. The same recipe and the same secrets give the same values as
/// [`evaluate`](super::evaluate) gave.
///
/// # Errors
/// As the evaluation itself.
pub fn outputs(
    recipe: &Recipe,
    secrets: &dyn Reveal,
    hidden: &dyn Fn(&Leaf) -> bool,
) -> Result<Vec<Output>, EvaluationError> {
    let mut outputs: Vec<Output> = Vec::new();
    let mut seen = |recipe: &Recipe, encoding: Encoding, value: &[u8]| {
        let known = |output: &Output| output.value.as_slice() == value;
        if !value.is_empty()
            && !recipe.is_narrow()
            && recipe.leaves().into_iter().any(hidden)
            && !outputs.iter().any(known)
        {
            let leaf = match (recipe.node(), encoding) {
                (Node::Secret(leaf), Encoding::Raw) => Some(leaf.clone()),
                _ => None,
            };
            outputs.push(Output { value: Zeroizing::new(value.to_vec()), leaf });
        }
    };
    Walk { secrets, seen: &mut seen }.value(recipe)?;
    Ok(outputs)
}
