//! The tape: every capability call of a run passes here, granted or refused, with what came from outside. In memory only and never
//! written by this crate; answers are taped after captured secrets were cut out of them.

use std::sync::Arc;

use consentry_contract::failure::Code;
use consentry_contract::item::Bytes;

/// One call of a capability.
#[derive(Debug, Clone)]
pub struct Call {
    /// Position in the run, from 1.
    pub ordinal: u64,
    /// Interface of the contract.
    pub capability: &'static str,
    /// Function or method of it.
    pub function: &'static str,
    /// Whether the connector has this capability at all; see [`TapeSink::refused`] for what was refused later.
    pub granted: bool,
}

/// What came from outside.
#[derive(Clone)]
pub enum Outside {
    /// An answer over HTTP.
    Http {
        /// Method of the request.
        method: String,
        /// URL that answered, captured parts cut out.
        url: String,
        /// Status.
        status: u16,
        /// Page rule that recognised it.
        page: Option<String>,
        /// Body, captured parts cut out.
        body: Bytes,
    },
    /// No answer came.
    HttpFailed {
        /// Method of the request.
        method: String,
        /// Why, without values.
        reason: String,
    },
    /// A prompt was answered, refused or expired; never its value.
    Prompt {
        /// `given`, `denied`, `expired`.
        how: &'static str,
    },
    /// The clock was read, in milliseconds.
    Clock(u64),
    /// Random bytes were drawn.
    Random(Arc<[u8]>),
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Http { .. } => "Http(..)",
            Self::HttpFailed { .. } => "HttpFailed(..)",
            Self::Prompt { .. } => "Prompt(..)",
            Self::Clock(_) => "Clock(..)",
            Self::Random(_) => "Random(..)",
        })
    }
}

/// Takes what passes.
pub trait TapeSink: Send + Sync {
    /// A call was made.
    fn call(&self, call: Call);
    /// The call of this ordinal was refused: no grant, no sink, no such origin, a wrong argument.
    fn refused(&self, ordinal: u64, code: Code);
    /// Something came from outside in answer to the last call.
    fn outside(&self, what: Outside);
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoTape;

impl TapeSink for NoTape {
    fn call(&self, _: Call) {}
    fn refused(&self, _: u64, _: Code) {}
    fn outside(&self, _: Outside) {}
}
