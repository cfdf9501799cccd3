//! The host side of the contract: what a sandboxed connector may ask for, and the one place where each answer is given or refused. It
//! knows wasmtime and HTTP; it knows nothing of sessions, consent or delivery: the engine computes [`Grants`] and [`RunSpec`] from those.
//!
//! Modules stand in the order of the contract's world, after what they share.

pub mod bindings;
mod ctx;
mod budget;
// How long secrets stand in memory in clear.
pub mod clear;
// Memory that forgets.
pub mod memory;
mod fault;
pub mod guests;
mod held;
mod hop;
mod meter;
pub mod ports;
pub mod stop;
pub mod tape;
pub mod vault;
pub mod egress;
pub mod network;
mod blob;
mod job;
mod document;
mod credentials;
mod http;
pub mod browser;
mod prompt;
mod output;
pub mod session_state;
mod clock;
mod random;
mod progress;
mod log;

pub use ctx::{Grants, HostCtx, Ports, Remains, RunSpec, TICK_MILLISECONDS};
pub use fault::Stopped;
pub use meter::CpuAccount;

use wasmtime::component::{HasSelf, Linker};

/// Interfaces of the contract that this host serves. A component that imports anything else is refused.
pub const INTERFACES: [&str; 13] = [
    "types",
    "job",
    "document",
    "credentials",
    "http",
    "browser",
    "prompt",
    "output",
    "session-state",
    "clock",
    "random",
    "progress",
    "log",
];

/// Capabilities that a manifest must ask for; every connector has the others.
pub(crate) const OPTIONAL: [&str; 4] = ["http", "browser", "prompt", "session-state"];

/// Offers the contract, and nothing else, to guests.
///
/// # Errors
/// When an interface is offered twice, which would be a fault of this crate.
pub fn link(linker: &mut Linker<HostCtx>) -> wasmtime::Result<()> {
    bindings::Connector::add_to_linker::<_, HasSelf<HostCtx>>(linker, |ctx| ctx)
}
