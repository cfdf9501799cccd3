//! What a pattern may not leave to the connector. A manifest that does is refused when it is read, with the reason.

use super::{Guest, Part, Pattern, Shape};
use crate::recipe::{Leaf, LeafKind};

/// How often in one run a sink may be used whose recipe the connector steers by positions or by a keypad: each use can tell it one bit
/// of its choice.
pub const STEERED_USES_MAX: u32 = 5;

/// How often in one run any sink may be used.
pub const SINK_USES_MAX: u32 = 1000;

impl Pattern {
    /// Why this may not be a sink of `owner` that is used `max` times; none if it may.
    #[must_use]
    pub(crate) fn flaw(&self, owner: &Leaf, max: u32) -> Option<String> {
        if open_key(&self.parts, false) {
            return Some(
                "the key of an encryption is not the connector's to choose: a captured secret, an exact text or pinned:SHA256, \
                 and `text` only in a digest, MAC or stretch with a secret"
                    .to_owned(),
            );
        }
        if self.foreign_signature(owner) {
            return Some("the key of a signature is one of the operator's secrets, as it is".to_owned());
        }
        if max > STEERED_USES_MAX && self.is_steered() {
            return Some(format!(
                "characters and keypad: each use can tell the connector something, so max is at most {STEERED_USES_MAX}"
            ));
        }
        None
    }

    fn is_steered(&self) -> bool {
        !self
            .every(&|part| if matches!(part, Part::Apply(shape, _) if shape.is_steered()) { vec![()] } else { vec![] })
            .is_empty()
    }

    fn foreign_signature(&self, owner: &Leaf) -> bool {
        let foreign = |part: &Part| {
            let Part::Apply(Shape::Sign(_) | Shape::Token(_), lists) = part else { return Vec::new() };
            let key = match lists.first().map(Vec::as_slice) {
                Some([Part::Own]) => Some(owner),
                Some([Part::Named(leaf)]) => Some(leaf),
                _ => None,
            };
            if key.is_some_and(|leaf| leaf.kind == LeafKind::Operator) { Vec::new() } else { vec![()] }
        };
        !self.every(&foreign).is_empty()
    }
}

/// Whether some text in the key of an encryption is open. `key`: these parts are in one.
fn open_key(parts: &[Part], key: bool) -> bool {
    parts.iter().any(|part| match part {
        Part::Own | Part::Named(_) | Part::Pinned(_) => false,
        Part::Guest(guests) => key && guests.iter().any(|guest| matches!(guest, Guest::Any(_))),
        Part::Encode(_, inner) => open_key(inner, key),
        Part::Apply(shape, lists) => {
            let key = key && !(shape.is_one_way() && lists.iter().any(|parts| secret(parts)));
            // A keypad inside a key is a choice too.
            (key && shape.is_steered())
                || lists
                    .iter()
                    .enumerate()
                    .any(|(index, parts)| open_key(parts, key || (index == 0 && shape.has_pinned_key())))
        }
    })
}

fn secret(parts: &[Part]) -> bool {
    parts.iter().any(|part| match part {
        Part::Own | Part::Named(_) => true,
        part => part.lists().iter().any(|parts| secret(parts)),
    })
}
