//! The scenario language of the tests: a Data Source, a connector, a person who answers, and what must come of it.

pub mod collecting;
pub mod sources;
