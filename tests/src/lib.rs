//! tests
pub mod sources;
