//! Consentry: a person's data moves only on their consent, only to the Online Service they chose, and is forgotten.
//!
//! The modules stand in reading order: the words, the flow, the duties, the ports, the doors.

/// Typed, prefixed, sortable ids.
pub mod id;
/// Where time comes from.
pub mod clock;
