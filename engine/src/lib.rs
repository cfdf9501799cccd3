//! Consentry: a person's data moves only on their consent, only to the Online Service they chose, and is forgotten.
//!
//! The modules stand in reading order: the words, the flow, the duties, the ports, the doors.

// Typed, prefixed, sortable ids.
pub mod id;
// Where time comes from.
pub mod clock;
// Where randomness comes from.
pub mod entropy;
// An error and its causes, in one line.
mod causes;
// Addresses of peers, cut.
pub mod peer;
// Shareable Data, by the stage it has reached.
pub mod data;
// Every run ends in exactly one outcome.
pub mod outcome;
// Who may ask for data, and for what.
pub mod online_service;

// Where data is processed, and by whom.
pub mod processing;
// The record of processing activities.
pub mod register;
// JSON Schemas of what has no derive.
mod schema;
// Questions that are answered here.
pub mod predicate;
// What an Online Service asks for.
pub mod request;
// What a person agreed to.
pub mod consent;
// The owner of one flow.
pub mod session;
// What the person typed, opened at the last moment.
pub mod credentials;

mod named_file;
mod secret_file;
// One collection: connector, sandbox, verdict.
pub mod collect;
// Minimise, review, release.
pub mod release;
// What is sealed, and for whom.
pub mod seal;
// Parcels that wait for their receiver.
pub mod outbox;
// What an Online Service pays a commission for.
pub mod metering;
// Erasure with proof, and the retention table.
pub mod erase;
// What happened, signed.
pub mod receipt;
// A person's rights over what is kept.
pub mod rights;
// Who somebody is, sealed to an authority.
pub mod escrow;

// For those who want to find their consents again.
pub mod account;
/// What lets a run find the session again that a person opened.
pub mod connection;
// Reports of failures with nobody in them.
pub mod maintenance;
// Writing a connector: templates, builds, recordings, the suite that each has to pass.
pub mod author;
// The transparency log.
pub mod ledger;
// The trace of a transaction: five fields.
pub mod trace;

// Envelopes of the outside world: JWE, JWS, JWK.
pub mod jose;
// Keys by duty.
pub mod keys;
// Storage: shelves typed by their retention row.
pub mod store;

// How connectors do.
pub mod health;
// Operators, their roles, and the audit log of what they did.
pub mod operator;

// Looking for values where none may be.
pub mod canary;
// Telling an Online Service that a parcel waits.
pub mod forward;

// The parts, wired together.
pub mod engine;
// The operator's configuration.
pub mod config;
// The person's pages.
pub mod journey;
// The HTTP API.
pub mod api;
// The console for operators.
pub mod console;
// The command line.
pub mod cli;

#[cfg(test)]
mod fixtures;
