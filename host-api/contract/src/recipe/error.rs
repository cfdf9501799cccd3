//! Why a recipe is refused before there is one.

use super::{
    DEPTH_MAX, GUEST_BYTES_MAX, KEY_BYTES_MAX, KEYS_MAX, NODES_MAX, POSITION_MAX, STRETCH_BYTES_MAX, WORK_MAX,
};

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
    /// More than [`WORK_MAX`].
    #[error("a recipe stretches passwords by at most {WORK_MAX} rounds in all")]
    TooMuchWork,
    /// None, too many, too far, or one twice.
    #[error("positions are from 1 to {POSITION_MAX}, at least one and none twice")]
    Positions,
    /// Not one character each, or two alike.
    #[error(
        "a keypad has 1 to {KEYS_MAX} keys: one character each, and beside it 1 to {KEY_BYTES_MAX} bytes; none twice on either side"
    )]
    Keypad,
    /// No round, or no byte, or too many of them.
    #[error("a stretched password has 1 to {STRETCH_BYTES_MAX} bytes and at least one round")]
    Stretch,
    /// The initialisation vector does not fit the cipher.
    #[error("an IV has 16 bytes for aes-cbc, 12 for aes-gcm and none for RSA")]
    Iv,
    /// The connector's own key does not fit the cipher.
    #[error(
        "this is no key of that cipher: 16, 24 or 32 bytes for AES; a public key of 1024 to 4096 bits as PEM, DER, base64, JWK or MODULUS,EXPONENT for RSA"
    )]
    Key,
    /// The key of a signature is none of the operator's.
    #[error("the key of a signature is one of the operator's own secrets, as it is")]
    SigningKey,
    /// The claims of a token.
    #[error(
        "the claims of a token are one JSON object without iat, nbf, exp and jti, which are the host's; secrets stand inside its strings"
    )]
    Claims,
    /// The name of a key.
    #[error("the name of a key is 1 to 64 of the characters A-Z a-z 0-9 - . _ ~")]
    KeyId,
}
