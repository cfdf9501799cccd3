//! Root keys: each holds one generation of one key table, and is destroyed as soon as the next generation stands. So what a table
//! no longer has is gone for whoever kept an older file of it.
//!
//! This is what a table needs of whoever holds its root keys: make, wrap, unwrap, destroy. They stand in a file of their own
//! ([`crate::store`]), with a token, too; `ARCHITECTURE.md` says why. A root key never comes out.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Destroyed, KeyError, RecordKey};

/// Names a root key: the table, and which generation of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Root {
    /// The table.
    pub table: String,
    /// Its generation. None is ever given twice.
    pub generation: u64,
}

/// Holds root keys.
#[async_trait]
pub trait RootKeys: Send + Sync {
    /// Who holds them, for the evidence of their destruction.
    fn provider(&self) -> &'static str;

    /// All that are there.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`].
    async fn list(&self) -> Result<Vec<Root>, KeyError>;

    /// Makes these, then destroys those. Both are durable when this returns. To make what is there, or to destroy what is
    /// not, changes nothing, so that a change that was cut off can be asked for again.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`]: ask again.
    async fn change(&self, make: &[Root], destroy: &[Root], now: Timestamp) -> Result<Vec<Destroyed>, KeyError>;

    /// Wraps the key of a table's file.
    ///
    /// # Errors
    /// [`KeyError::Refused`] if there is no such root.
    async fn wrap(&self, root: &Root, key: &RecordKey, aad: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Unwraps it.
    ///
    /// # Errors
    /// [`KeyError::Refused`].
    async fn unwrap(&self, root: &Root, wrapped: &[u8], aad: &[u8]) -> Result<RecordKey, KeyError>;
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.generation)
    }
}
