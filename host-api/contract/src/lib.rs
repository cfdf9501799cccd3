//! The words of the contract in Rust: what can be collected, how it fails, what bounds it, what a manifest says, how pages and documents are
//! read, what is done to secrets. Pure: no sockets, no sandbox, no clock.

pub mod failure;
pub mod item;
pub mod document;
pub mod limits;
pub mod plain;
pub mod manifest;
pub mod page;
pub mod recipe;
pub mod scrub;
mod glob;
mod words;
