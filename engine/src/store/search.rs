//! Looks for what should be gone, and for what one name stands for.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::head::Head;
use super::roots::destroyed;
use super::{Shelves, Store as _, StoreError};
use crate::erase::receipt::{ErasedRecord, Searched};
use crate::erase::retention::{Row, Term};
use crate::keys::{Destroyed, Root};

impl Shelves {
    /// The records of all rows that have this name, or one that begins with it and a dot: their keys, rows and terms.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn named(&self, name: &str) -> Result<Vec<(String, &'static Row, Term)>, StoreError> {
        let mut named = vec![];
        for (key, head, _) in self.store().scan("").await? {
            let row = key.split('/').next().and_then(Row::by_id);
            let rest = key.rsplit('/').next().and_then(|last| last.strip_prefix(name));
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                && let (Some(row), Some(head)) = (row, Head::read(&head))
            {
                named.push((key, row, head.term()));
            }
        }
        Ok(named)
    }

    /// What these records, as far as they are there, stand under now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn standing(&self, records: &[String]) -> Result<Standing, StoreError> {
        let mut standing = Standing::default();
        let held = self.tables().keys();
        for record in records {
            let Some(entry) = self.store().get(record).await? else { continue };
            let Some(head) = Head::read(&entry.head) else { continue };
            let Some(table) = head.table(record.rsplit('/').next().unwrap_or_default()) else { continue };
            standing.records.push(ErasedRecord { record: record.clone(), key: format!("{:?}", head.key) });
            // What is left of a record without its key stands under nothing.
            if held.contains_key(&head.key) {
                standing.tables.insert(table.to_string());
            }
        }
        let mut roots = self.tables().roots().list();
        roots.retain(|root| standing.tables.contains(&root.table));
        // Of each table the first: nothing stands under the next one yet.
        roots.dedup_by(|next, first| next.table == first.table);
        standing.roots = roots;
        Ok(standing)
    }

    /// Looks for what was erased (records, keys of records, root keys), and names the root keys that were destroyed since.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn search(
        &self,
        before: &Standing,
        now: Timestamp,
    ) -> Result<(Vec<Searched>, Vec<Destroyed>), StoreError> {
        let listed = self.store().scan("").await?.into_iter();
        let records: BTreeSet<String> =
            listed.filter(|(_, head, _)| Head::read(head).is_some()).map(|(key, ..)| key).collect();
        let keys: BTreeSet<String> = self.tables().keys().keys().map(|name| format!("{name:?}")).collect();
        let roots: BTreeSet<Root> = self.tables().roots().list().into_iter().collect();
        let gone = before.roots.iter().filter(|root| !roots.contains(root));
        let gone: Vec<_> = gone.map(|root| destroyed(root, now)).collect();
        let count = |place: &str, looked_at: usize, of: &dyn Fn(&ErasedRecord) -> bool| Searched {
            place: place.to_owned(),
            looked_at,
            found: before.records.iter().filter(|each| of(each)).count(),
        };
        let searched = vec![
            count("records of the store", records.len(), &|each| records.contains(&each.record)),
            count("key tables", keys.len(), &|each| keys.contains(&each.key)),
            Searched {
                place: "root keys that the key tables stood under".to_owned(),
                looked_at: roots.len(),
                found: before.roots.len() - gone.len(),
            },
        ];
        Ok((searched, gone))
    }
}

/// What records stood under before they were erased.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    pub(crate) records: Vec<ErasedRecord>,
    tables: BTreeSet<String>,
    roots: Vec<Root>,
}

impl Standing {
    /// The records of both.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.records.extend(other.records);
        self.roots.extend(other.roots);
        self.roots.sort();
        self.roots.dedup();
        self.records.sort_by(|one, other| one.key.cmp(&other.key));
        self.records.dedup();
        self
    }
}
