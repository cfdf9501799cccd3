//! Faults: what a capability answers with, and what a run ends with. The code is a name of the host's closed list; blame and retry are
//! the host's to decide. A fault's text is for the author and never holds what stood on a page.

pub use crate::contract::types::Fault;

use crate::host::{log, output};

include!(concat!(env!("OUT_DIR"), "/codes.rs"));

/// What nearly every function of a connector answers with.
pub type Result<T = (), E = Fault> = std::result::Result<T, E>;

impl Code {
    /// A fault with this code.
    pub fn fault(self, text: impl Into<String>) -> Fault {
        Fault { code: self.name().to_owned(), text: text.into(), retry_after_ms: None }
    }
}

impl Fault {
    /// Whether it has this code.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.code == code.name()
    }
}

/// Going on with the other datasets.
pub trait OrPartial {
    /// What can't be read (`value-unparsable`, `page-unrecognised`) costs its dataset, not the run: the dataset becomes partial. Any
    /// other fault is handed on, since the next page would meet it too.
    ///
    /// # Errors
    /// What went wrong, unless it can be gone on from.
    fn or_partial(self, category: &str) -> Result;
}

impl OrPartial for Result {
    fn or_partial(self, category: &str) -> Result {
        match self {
            Err(fault) if fault.is(Code::ValueUnparsable) || fault.is(Code::PageUnrecognised) => {
                log::write("warn", &format!("{category}: {}", fault.text));
                output::partial(category, &fault)
            }
            other => other,
        }
    }
}
