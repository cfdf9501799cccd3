//! The scenario language of the tests: a Data Source, a connector, a person who answers, and what must come of it.

pub mod breaking;
pub mod child;
pub mod collecting;
pub mod disk;
pub mod echoing;
pub mod journey;
pub mod logins;
pub mod node;
pub mod service;
pub mod sources;
pub mod token;
pub mod versions;

pub use consentry::canary;

use std::io::Write as _;

/// Says on the terminal what nobody reads in the output of a test that passes: what could not be tried here.
pub fn aloud(text: &str) {
    // Nobody may listen.
    let _ = writeln!(std::io::stderr(), "{text}");
}
