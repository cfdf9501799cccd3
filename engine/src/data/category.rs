//! A category of Shareable Data as the engine names it: a row of the contract's item table.

use std::fmt;
use std::str::FromStr;

use consentry_contract::item;
use serde::{Deserialize, Serialize};

/// What a consent names and a connector emits, `bank.account`. Only what stands in the item table exists.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub struct Category(&'static item::Category);

/// A text that names no category. It is not quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no category of Shareable Data has this name")]
pub struct UnknownCategory;

impl Category {
    /// Every category, in the order in which people see them.
    pub fn all() -> impl Iterator<Item = Self> {
        item::CATEGORIES.iter().map(Self)
    }

    /// Its name, flat and dotted.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Its row in the item table: labels, fields, checks.
    pub fn row(self) -> &'static item::Category {
        self.0
    }
}

impl From<&'static item::Category> for Category {
    fn from(row: &'static item::Category) -> Self {
        Self(row)
    }
}

impl FromStr for Category {
    type Err = UnknownCategory;

    fn from_str(name: &str) -> Result<Self, UnknownCategory> {
        item::category(name).map(Self).ok_or(UnknownCategory)
    }
}

impl TryFrom<String> for Category {
    type Error = UnknownCategory;

    fn try_from(name: String) -> Result<Self, UnknownCategory> {
        name.parse()
    }
}

impl From<Category> for &'static str {
    fn from(category: Category) -> Self {
        category.name()
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// By name, which is unique in the table.
impl PartialEq for Category {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}
impl Eq for Category {}
impl PartialOrd for Category {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Category {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name().cmp(other.name())
    }
}
impl std::hash::Hash for Category {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}
