//! Erasure with proof, and the periods after which it is due.

/// The retention table, compiled in.
pub mod retention;
