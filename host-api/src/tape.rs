//! The tape: every capability call of a run passes here, granted or refused, with what came from outside. In memory only and never
//! written by this crate; answers are taped after what they repeat of secrets was scrubbed and captured secrets were cut out of them.

mod pages;
mod recorder;
mod replay;

use consentry_contract::failure::Code;
use consentry_tape::{Event, Inputs};

pub use pages::Pages;
pub use recorder::Recorder;
pub use replay::{Divergence, Matching, Replay};

/// One call of a capability.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// What a page in a browser shows, or was answered; captured parts cut out, secrets masked.
#[derive(Clone)]
pub struct PageSeen {
    /// URL of the document or of the answer.
    pub url: String,
    /// Status that it came with.
    pub status: u16,
    /// Page rule that recognised it.
    pub page: Option<String>,
    /// The document as markup, or the body of the answer.
    pub body: consentry_contract::item::Bytes,
}

impl std::fmt::Debug for PageSeen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageSeen").field("page", &self.page).finish_non_exhaustive()
    }
}

/// Takes what passes.
pub trait TapeSink: Send + Sync {
    /// A run begins, with this.
    fn begins(&self, inputs: Inputs) {
        drop(inputs);
    }
    /// A call was made.
    fn call(&self, call: Call);
    /// The call of this ordinal was refused: no grant, no sink, no such origin, a wrong argument.
    fn refused(&self, ordinal: u64, code: Code);
    /// A connector was given what a page in a browser shows.
    fn page(&self, seen: PageSeen) {
        drop(seen);
    }
    /// A page in a browser did not do what it was asked; the reason holds no value.
    fn page_failed(&self, reason: &str) {
        let _ = reason;
    }
    /// Something came from outside in answer to the last call.
    fn outside(&self, what: Event);
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoTape;

impl TapeSink for NoTape {
    fn call(&self, _: Call) {}
    fn refused(&self, _: u64, _: Code) {}
    fn outside(&self, _: Event) {}
}
