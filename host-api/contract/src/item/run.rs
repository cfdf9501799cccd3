//! The items of one run: what is unique stays unique, what is referred to is there, and everything is counted.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use hashbrown::HashTable;

use super::check::{FieldError, Wanted};
use super::table::{Category, Check};
use super::value::{Item, Value};

/// What a run has collected so far. It refuses, it never drops silently.
#[derive(Debug, Default)]
pub struct RunItems {
    items: Vec<Item>,
    wanted: Vec<&'static str>,
    counts: BTreeMap<&'static str, u64>,
    /// Where the items stand that have a `ref`, by its hash; its words stay in the items alone.
    refs: HashTable<usize>,
}

impl RunItems {
    /// An empty collection of these categories. A reference to an item is checked only if that item's category is among them:
    /// who may share transactions but not accounts still has transactions that tell accounts apart.
    #[must_use]
    pub fn new(wanted: &[&'static Category]) -> Self {
        Self { wanted: wanted.iter().map(|category| category.name).collect(), ..Self::default() }
    }

    /// Takes an item in.
    ///
    /// # Errors
    /// A `ref` that is taken, a reference to nothing, or a second item where a person has one. The item is dropped, and wiped.
    pub fn add(&mut self, item: Item) -> Result<(), FieldError> {
        let category = item.category();
        if !category.many && self.count(category.name) > 0 {
            return Err(FieldError { category: Some(category.name), field: None, wanted: Wanted::Once });
        }
        let mut own = None;
        for (field, value) in item.fields() {
            let fits = match field.check {
                Check::Ref => {
                    let text = value.as_text().unwrap_or_default();
                    let hash = hash(category.name, text);
                    own = Some(hash);
                    !self.has(category.name, text, hash)
                }
                Check::RefOf(target) => {
                    let text = value.as_text().unwrap_or_default();
                    !self.wanted.contains(&target) || self.has(target, text, hash(target, text))
                }
                _ => true,
            };
            if !fits {
                let wanted = Wanted::Form(field.check);
                return Err(FieldError { category: Some(category.name), field: field.name.parse().ok(), wanted });
            }
        }
        if let Some(own) = own {
            let items = &self.items;
            self.refs.insert_unique(own, items.len(), |at| {
                reference(&items[*at]).map_or(own, |(category, text)| hash(category, text))
            });
        }
        *self.counts.entry(category.name).or_default() += 1;
        self.items.push(item);
        Ok(())
    }

    fn has(&self, category: &str, text: &str, hash: u64) -> bool {
        self.refs.find(hash, |at| reference(&self.items[*at]) == Some((category, text))).is_some()
    }

    /// Items of this category.
    #[must_use]
    pub fn count(&self, category: &str) -> u64 {
        self.counts.get(category).copied().unwrap_or(0)
    }

    /// All items, in the order in which they came.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Hands the items on.
    #[must_use]
    pub fn into_items(self) -> Vec<Item> {
        self.items
    }
}

/// What an item can be referred to by.
fn reference(item: &Item) -> Option<(&'static str, &str)> {
    Some((item.category().name, item.get("ref").and_then(Value::as_text)?))
}

fn hash(category: &str, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (category, text).hash(&mut hasher);
    hasher.finish()
}
