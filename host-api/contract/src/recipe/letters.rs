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
pub(crate) struct Keypad(BTreeMap<char, String>);

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
        Ok(Self(pad))
    }

    pub(super) fn guest_bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len_utf8() + value.len()).sum()
    }

    pub(super) fn of(&self, value: &[u8]) -> Result<Zeroizing<Vec<u8>>, EvaluationError> {
        let text = text(value)?;
        let mut out = Buffer::with_capacity(text.len() * 4);
        for character in text.chars() {
            out.push(self.0.get(&character).ok_or(EvaluationError::Unfit("keypad"))?.as_bytes());
        }
        Ok(out.into_bytes())
    }
}

fn text(value: &[u8]) -> Result<&str, EvaluationError> {
    std::str::from_utf8(value).map_err(|_| EvaluationError::Unfit("text"))
}
