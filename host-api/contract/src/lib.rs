//! host-api/contract

pub mod failure;
pub mod item;
pub mod document;
pub mod limits;
pub mod plain;
pub mod manifest;
pub mod page;
pub mod recipe;
mod glob;
