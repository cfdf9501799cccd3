//! What must hold for whatever bytes come from outside, one function for each reader of such bytes. A function returns where its
//! property holds, and panics where it doesn't.
//!
//! Three ask them: the fuzzer (`tests/fuzz`), the replay of the kept corpora, and generated inputs near those (`tests/corpus.rs`). An
//! input that broke a property once is kept in the corpus. Nothing here looks into the code that it asks: public functions only, and
//! where it can be had a second reader that somebody else wrote.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a property that does not hold stops the run")]

pub mod document;
#[cfg(feature = "engine")]
pub mod egress;
pub mod item;
#[cfg(feature = "engine")]
pub mod jwe;
pub mod manifest;
#[cfg(feature = "engine")]
pub mod package;
pub mod page;
pub mod recipe;
pub mod redact;
pub mod scrub;
#[cfg(feature = "engine")]
pub mod signature;

mod bound;
mod text;

/// A reader of bytes from outside, and what must hold for it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: the fuzz target, the folder of its corpus.
    pub name: &'static str,
    /// Panics where the property does not hold.
    pub check: fn(&[u8]),
}

/// Every one of them.
pub const TARGETS: &[Target] = &[
    Target { name: "document", check: document::check },
    #[cfg(feature = "engine")]
    Target { name: "egress", check: egress::check },
    Target { name: "item", check: item::check },
    #[cfg(feature = "engine")]
    Target { name: "jwe", check: jwe::check },
    Target { name: "manifest", check: manifest::check },
    #[cfg(feature = "engine")]
    Target { name: "package", check: package::check },
    Target { name: "page", check: page::check },
    Target { name: "recipe", check: recipe::check },
    Target { name: "redact", check: redact::check },
    Target { name: "scrub", check: scrub::check },
    #[cfg(feature = "engine")]
    Target { name: "signature", check: signature::check },
];
