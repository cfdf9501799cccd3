//! What an older copy of the store's files is worth with the keys of now. It looks with the eyes of whoever took the copy: every
//! table that a root of now opens, or one that the key provider of now opens, and the tables of now, are tried on every record. Simulations and tests ask it.

use std::collections::BTreeMap;
use std::path::Path;

use super::files::FolderFiles;
use super::head::Head;
use super::mark::Fit;
use super::sled::SledStore;
use super::tables::KeyName;
use super::{Shelves, Store as _, StoreError};
use crate::keys::RecordKey;
use crate::seal::{joined, open_bytes};

/// What opened in a copy.
#[derive(Debug, Default)]
pub struct Opened {
    /// How many records the copy has.
    pub records: usize,
    /// The keys in the store of those that opened.
    pub opened: Vec<String>,
    /// How many tables the copy has.
    pub tables: usize,
    /// How many of them opened.
    pub tables_opened: usize,
}

impl Shelves {
    /// Tries every key of now on a copy of the folder of these shelves, and what the key provider of now opens of its root keys.
    ///
    /// # Errors
    /// [`StoreError`]: the copy can't be read.
    pub async fn try_copy(&self, folder: &Path) -> Result<Opened, StoreError> {
        let tables = FolderFiles::open(&folder.join("tables"), |_| false).await?;
        let mut keys: BTreeMap<KeyName, RecordKey> = self.tables().keys();
        let roots = self.tables().roots().of_copy(&FolderFiles::open(folder, |_| false).await?).await?;
        let (count, of_copy) = self.tables().read_copy(&tables, &roots).await?;
        let mut opened = Opened { tables: count, tables_opened: of_copy.len(), ..Opened::default() };
        keys.extend(of_copy.into_iter().flatten());
        let store = SledStore::open(&folder.join("store"), Fit::Must).await?;
        for (key, head, _) in store.scan("").await? {
            let Some(read) = Head::read(&head) else { continue };
            opened.records += 1;
            let Some(record_key) = keys.get(&read.key) else { continue };
            let [_, namespace, name] = key.split('/').collect::<Vec<_>>()[..] else { continue };
            let Some(entry) = store.get(&key).await? else { continue };
            let place = joined(&[b"record", namespace.as_bytes(), name.as_bytes(), &head]);
            if open_bytes(&entry.body, &place, record_key).is_ok() {
                opened.opened.push(key.clone());
            }
        }
        Ok(opened)
    }
}
