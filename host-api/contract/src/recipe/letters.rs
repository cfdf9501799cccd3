//! Transforms of single characters: those at given positions, and those of a virtual keypad.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::buffer::Buffer;
use super::{EvaluationError, RecipeError};

/// Most keys of a keypad.
pub const KEYS_MAX: usize = 128;
/// Longest text beside a key, in bytes.
pub const KEY_BYTES_MAX: usize = 16;
/// The last position that can be asked for.
pub const POSITION_MAX: u32 = 256;
/// From so many characters on, what a site repeats of them is cut out of a page as a password is: fewer are not searched for.
pub const NARROW: usize = crate::scrub::VALUE_CHARS_MIN;

/// Positions of characters, counted from 1.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Positions(Vec<u32>);

impl Positions {
    /// None twice: the same character at two places would tell whether two characters are alike.
    pub(super) fn new(positions: Vec<u32>) -> Result<Self, RecipeError> {
        let distinct: BTreeSet<u32> = positions.iter().copied().filter(|at| (1..=POSITION_MAX).contains(at)).collect();
        if positions.is_empty() || distinct.len() != positions.len() {
            return Err(RecipeError::Positions);
        }
        Ok(Self(positions))
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn last(&self) -> u32 {
        self.0.iter().copied().max().unwrap_or_default()
    }

    pub(super) fn of(&self, value: &[u8]) -> Result<Zeroizing<Vec<u8>>, EvaluationError> {
        let text = text(value)?;
        let mut out = Buffer::with_capacity(self.0.len() * 4);
        for &position in &self.0 {
            let at = text.char_indices().nth(position as usize - 1);
            let (start, character) = at.ok_or(EvaluationError::Unfit("characters"))?;
            out.push(&value[start..start + character.len_utf8()]);
        }
        Ok(out.into_bytes())
    }
}

/// The keys of a virtual keypad. Two characters never become the same.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Keypad(Vec<(char, String)>);

impl Keypad {
    pub(super) fn new(keys: Vec<(String, String)>) -> Result<Self, RecipeError> {
        let count = keys.len();
        let mut pad = BTreeMap::new();
        let mut beside = BTreeSet::new();
        for (key, value) in keys {
            let mut characters = key.chars();
            let (Some(character), None) = (characters.next(), characters.next()) else {
                return Err(RecipeError::Keypad);
            };
            if !(1..=KEY_BYTES_MAX).contains(&value.len()) || !beside.insert(value.clone()) {
                return Err(RecipeError::Keypad);
            }
            pad.insert(character, value);
        }
        if pad.len() != count || !(1..=KEYS_MAX).contains(&count) {
            return Err(RecipeError::Keypad);
        }
        Ok(Self(pad.into_iter().collect()))
    }

    pub(super) fn guest_bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len_utf8() + value.len()).sum()
    }

    /// Each character is compared with every key, and one that has none ends nothing before the last character: the work depends on how
    /// many there are, not on which.
    pub(super) fn of(&self, value: &[u8]) -> Result<Zeroizing<Vec<u8>>, EvaluationError> {
        let text = text(value)?;
        let mut out = Buffer::with_capacity(text.len() * 4);
        let mut missing = 0;
        for character in text.chars() {
            let (mut found, mut at) = (0, 0);
            for (place, (key, _)) in self.0.iter().enumerate() {
                let fits = fits(*key, character);
                (found, at) = (found | fits, at | (place & fits.wrapping_neg()));
            }
            missing |= found ^ 1;
            // A character without a key takes what the first one has: nobody gets it.
            out.push(self.0[at].1.as_bytes());
        }
        if missing == 0 { Ok(out.into_bytes()) } else { Err(EvaluationError::Unfit("keypad")) }
    }
}

/// 1 if they are the same, else 0, without a branch.
fn fits(key: char, character: char) -> usize {
    #[cfg(test)]
    tests::COMPARED.set(tests::COMPARED.get() + 1);
    let differs = u32::from(key) ^ u32::from(character);
    std::hint::black_box(usize::from(differs == 0))
}

fn text(value: &[u8]) -> Result<&str, EvaluationError> {
    std::str::from_utf8(value).map_err(|_| EvaluationError::Unfit("text"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// How often a key was compared with a character.
        pub(super) static COMPARED: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn a_keypad_does_the_same_work_for_all_characters_those_without_a_key_too() {
        let keys = ('0'..='9').map(|key| (key.to_string(), format!("k{key}"))).collect();
        let pad = Keypad::new(keys).unwrap();
        for (typed, expected) in [
            ("000000", Some("k0k0k0k0k0k0")),
            ("999999", Some("k9k9k9k9k9k9")),
            ("123450", Some("k1k2k3k4k5k0")),
            ("x12345", None),
            ("12345x", None),
            ("xxxxxx", None),
        ] {
            COMPARED.set(0);
            let of = pad.of(typed.as_bytes());
            assert_eq!(of.as_ref().ok().map(|value| value.as_slice()), expected.map(str::as_bytes), "{typed}");
            assert_eq!(of.err(), expected.is_none().then_some(EvaluationError::Unfit("keypad")), "{typed}");
            assert_eq!(COMPARED.get(), 6 * 10, "{typed}");
        }
    }
}
