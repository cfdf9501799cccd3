//! Names root keys: each holds one generation of one key table, and is destroyed as soon as the next generation stands. So what a
//! table no longer has is gone for whoever kept an older file of it. They stand in a file of their own (see the module `store`).

use std::fmt;

/// Names a root key: the table, and which generation of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Root {
    /// The table.
    pub table: String,
    /// Its generation. None is ever given twice.
    pub generation: u64,
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.generation)
    }
}
