//! What a program asks for when it wants a person to authorise it.

use serde::Deserialize;

/// A pushed request, as far as this bank reads it.
#[derive(Clone, Deserialize)]
pub(crate) struct Asked {
    /// Where the person goes back to.
    pub(crate) redirect_uri: String,
    #[serde(default)]
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) code_challenge: String,
    #[serde(default)]
    pub(crate) code_challenge_method: String,
}
