//! What a manifest says about a transform: its algorithm, and bounds on what is left to the connector.

use std::fmt;

use crate::recipe::step::Step;
use crate::recipe::{Cipher, Digest, Encoding, Mac, POSITION_MAX, STRETCH_BYTES_MAX, Scheme, Stretch, WORK_MAX};

/// A transform as a pattern has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::recipe) enum Shape {
    Digest(Digest),
    Decode(Encoding),
    /// So many, none beyond `last`.
    Characters {
        count: u32,
        last: u32,
    },
    Keypad,
    Mac(Mac),
    /// At least so many rounds.
    Stretch {
        stretch: Stretch,
        rounds: u32,
        bytes: u32,
    },
    Encrypt(Cipher),
    Sign(Scheme),
    Token(Scheme),
}

impl Shape {
    /// What a transform needs.
    pub(in crate::recipe) fn of(step: &Step) -> Self {
        match step {
            Step::Digest(digest) => Self::Digest(*digest),
            Step::Decode(encoding) => Self::Decode(*encoding),
            Step::Characters(positions) => {
                Self::Characters { count: u32::try_from(positions.count()).unwrap_or(u32::MAX), last: POSITION_MAX }
            }
            Step::Keypad(_) => Self::Keypad,
            Step::Mac(mac) => Self::Mac(*mac),
            Step::Stretch { stretch, rounds, bytes } => {
                Self::Stretch { stretch: *stretch, rounds: rounds.get(), bytes: *bytes }
            }
            Step::Encrypt(encryption) => Self::Encrypt(encryption.cipher()),
            Step::Sign(signing) if signing.is_token() => Self::Token(signing.scheme()),
            Step::Sign(signing) => Self::Sign(signing.scheme()),
        }
    }

    /// Whether the transform keeps within this.
    pub(in crate::recipe) fn admits(self, step: &Step) -> bool {
        match (self, Self::of(step)) {
            (Self::Stretch { stretch, rounds, bytes }, Self::Stretch { stretch: is, rounds: does, bytes: gives }) => {
                stretch == is && bytes == gives && rounds <= does
            }
            (Self::Characters { count, last }, Self::Characters { count: asked, .. }) => {
                let Step::Characters(positions) = step else { return false };
                count == asked && positions.last() <= last
            }
            (declared, found) => declared == found,
        }
    }

    /// How many lists of pieces it takes.
    pub(super) fn lists(self) -> usize {
        match self {
            Self::Digest(_) | Self::Decode(_) | Self::Characters { .. } | Self::Keypad => 1,
            Self::Mac(_) | Self::Stretch { .. } | Self::Encrypt(_) | Self::Sign(_) | Self::Token(_) => 2,
        }
    }

    /// Whether the first list is a key that is not the connector's to choose.
    pub(in crate::recipe) fn has_pinned_key(self) -> bool {
        matches!(self, Self::Encrypt(_))
    }

    pub(super) fn is_one_way(self) -> bool {
        matches!(self, Self::Digest(_) | Self::Mac(_) | Self::Stretch { .. })
    }

    /// Whether the connector's arguments decide what of the secret goes in.
    pub(super) fn is_steered(self) -> bool {
        matches!(self, Self::Characters { .. } | Self::Keypad)
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        if word == "keypad" {
            return Some(Self::Keypad);
        }
        if let Some((head, rest)) = word.split_once(':') {
            return Self::with_parameters(head, rest);
        }
        let token = || word.strip_prefix("jwt-").and_then(Scheme::parse).map(Self::Token);
        Digest::parse(word)
            .map(Self::Digest)
            .or_else(|| Mac::parse(word).map(Self::Mac))
            .or_else(|| Cipher::parse(word).map(Self::Encrypt))
            .or_else(|| Scheme::parse(word).map(Self::Sign))
            .or_else(token)
    }

    fn with_parameters(head: &str, rest: &str) -> Option<Self> {
        match head {
            "decode" => Encoding::parse(rest).filter(|encoding| *encoding != Encoding::Raw).map(Self::Decode),
            "characters" => {
                let (count, last) = match rest.split_once('/') {
                    Some((count, last)) => (number(count)?, number(last)?),
                    None => (number(rest)?, POSITION_MAX),
                };
                let sound = (1..=POSITION_MAX).contains(&last) && (1..=last).contains(&count);
                sound.then_some(Self::Characters { count, last })
            }
            stretch => {
                let (rounds, bytes) = rest.split_once(':')?;
                let (rounds, bytes) = (number(rounds)?, number(bytes)?);
                let sound = (1..=WORK_MAX).contains(&rounds.into()) && (1..=STRETCH_BYTES_MAX).contains(&bytes);
                let stretch = Stretch::parse(stretch).filter(|_| sound)?;
                Some(Self::Stretch { stretch, rounds, bytes })
            }
        }
    }

    /// The words, for messages.
    pub(super) fn allowed() -> String {
        let plain = [Digest::ALLOWED, Mac::ALLOWED, Cipher::ALLOWED, Scheme::ALLOWED].concat().join(", ");
        let stretch: Vec<String> = Stretch::ALLOWED.iter().map(|word| format!("{word}:ROUNDS:BYTES")).collect();
        format!("{plain}, jwt-SIGNATURE, {}, decode:ENCODING, characters:COUNT/LAST, keypad", stretch.join(", "))
    }
}

/// As it prints again: no sign, no leading zero.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => f.write_str(digest.as_str()),
            Self::Decode(encoding) => write!(f, "decode:{encoding}"),
            Self::Characters { count, last: POSITION_MAX } => write!(f, "characters:{count}"),
            Self::Characters { count, last } => write!(f, "characters:{count}/{last}"),
            Self::Keypad => f.write_str("keypad"),
            Self::Mac(mac) => f.write_str(mac.as_str()),
            Self::Stretch { stretch, rounds, bytes } => write!(f, "{}:{rounds}:{bytes}", stretch.as_str()),
            Self::Encrypt(cipher) => f.write_str(cipher.as_str()),
            Self::Sign(scheme) => f.write_str(scheme.as_str()),
            Self::Token(scheme) => write!(f, "jwt-{}", scheme.as_str()),
        }
    }
}
