//! Consentry: a person's data moves only on their consent, only to the Online Service they chose, and is forgotten.
//!
//! The modules stand in reading order: the words, the flow, the duties, the ports, the doors.

/// Typed, prefixed, sortable ids.
pub mod id;
/// Where time comes from.
pub mod clock;
/// One collection: connector, sandbox, verdict.
pub mod collect;
/// Erasure with proof, and the retention table.
pub mod erase;
/// Envelopes of the outside world: JWE, JWS, JWK.
pub mod jose;
/// Keys by duty.
pub mod keys;
/// Storage: shelves typed by their retention row.
pub mod store;
/// Transparency log: salted leaves.
pub mod ledger;
/// Addresses of peers, cut.
pub mod peer;
