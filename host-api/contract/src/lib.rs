//! host-api/contract

pub mod failure;
pub mod item;
