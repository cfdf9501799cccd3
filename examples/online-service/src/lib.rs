//! An Online Service that receives with Consentry: ask, be told, fetch, open, check, keep, acknowledge.
//!
//! Written to be copied. The modules stand in the order of the flow, and [`Receiver::take`] is the whole of it in one
//! function. It never logs a parcel's content, never keeps one that does not check, and acknowledges only what is on disk.

/// The key that parcels are sealed to.
pub mod key;
/// The engine, as an Online Service calls it.
pub mod engine;
/// The thin event that says a parcel is ready.
pub mod event;
/// From sealed bytes to content that was checked.
pub mod parcel;
/// What was received, on disk, once.
pub mod inbox;
/// The flow.
pub mod receiver;
/// The address that events are sent to.
pub mod endpoint;
/// What was received, on a terminal.
pub mod table;

pub use engine::Engine;
pub use inbox::Inbox;
pub use receiver::Receiver;
