//! How shelves are opened: store, key tables and root keys must be those that belong together, and nothing is changed anywhere before
//! that is known. What a crash cut off is finished then, and what the tables say was erased goes from the store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Shelves;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::keys::KeyProvider;
use crate::store::files::{Files, FolderFiles};
use crate::store::head::Head;
use crate::store::mark::{Fit, MARK};
use crate::store::roots::{FileRoots, ROOTS};
use crate::store::sled::SledStore;
use crate::store::tables::{TableName, Tables};
use crate::store::{Store, StoreError};

impl Shelves {
    /// Shelves in a folder of this machine: the records in `store`, the key tables in `tables`, the root keys in the file
    /// `roots`. Finishes what a crash cut off, and what the tables say was erased goes from the store.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another engine has the folder; [`StoreError::Table`], [`StoreError::NoTable`], [`StoreError::NoTables`] and
    /// [`StoreError::NoStore`] if store, tables and roots are not those that belong together: then nothing was changed.
    pub async fn sled(
        folder: &Path,
        keys: Arc<dyn KeyProvider>,
        entropy: Arc<Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        Self::in_folder(folder, keys, entropy, clock, Fit::Must).await
    }

    /// As [`Self::sled`], and takes the store that is there for the one of the key tables, also where it is an older one, another or
    /// none: the keys of what it does not have are destroyed, and what it has without keys goes, both for good. So does what stood in a
    /// key table whose file is not there. For an operator who
    /// put a copy back, or knows that there is none.
    ///
    /// # Errors
    /// As [`Self::sled`].
    pub async fn adopt(
        folder: &Path,
        keys: Arc<dyn KeyProvider>,
        entropy: Arc<Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        Self::in_folder(folder, keys, entropy, clock, Fit::Accepted).await
    }

    async fn in_folder(
        folder: &Path,
        keys: Arc<dyn KeyProvider>,
        entropy: Arc<Entropy>,
        clock: Arc<dyn Clock>,
        fit: Fit,
    ) -> Result<Self, StoreError> {
        // The store first: whoever has it, has the folder.
        let store = Box::new(SledStore::open(&folder.join("store"), fit).await?);
        let roots = Arc::new(FolderFiles::open(folder, |name| name == ROOTS).await?);
        let tables = Arc::new(FolderFiles::open(&folder.join("tables"), |name| TableName::read(name).is_some()).await?);
        let opened = Self::fitting(store, tables, roots, keys, entropy, clock, fit).await;
        opened.map_err(|error| match error {
            StoreError::NoStore { how, .. } => StoreError::NoStore { folder: folder.to_owned(), how },
            error => error,
        })
    }

    #[cfg(test)]
    pub(crate) async fn open(
        store: Box<dyn Store>,
        tables: Arc<dyn Files>,
        roots: Arc<dyn Files>,
        keys: Arc<dyn KeyProvider>,
        entropy: Arc<Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        Self::fitting(store, tables, roots, keys, entropy, clock, Fit::Must).await
    }

    async fn fitting(
        store: Box<dyn Store>,
        tables: Arc<dyn Files>,
        roots: Arc<dyn Files>,
        keys: Arc<dyn KeyProvider>,
        entropy: Arc<Entropy>,
        clock: Arc<dyn Clock>,
        fit: Fit,
    ) -> Result<Self, StoreError> {
        let roots = FileRoots::open(roots, keys, entropy.clone()).await?;
        // Before anything is changed anywhere.
        let held = store.get(MARK).await?.map(|entry| entry.body);
        match roots.mark().fits(held.as_deref()) {
            Err(how) if roots.is_marked() && fit == Fit::Must => {
                return Err(StoreError::NoStore { folder: PathBuf::new(), how });
            }
            _ => {}
        }
        let mark = roots.mark().beside(held.as_deref().filter(|_| !roots.is_marked()));
        let tables = Tables::open(tables, Arc::new(roots), entropy.clone(), clock.clone(), fit).await?;
        let shelves = Self::with(store, tables, entropy, clock);
        shelves.0.agree(fit).await?;
        shelves.0.settle(Some(mark), shelves.0.clock.now()).await?;
        Ok(shelves)
    }

    /// How many records there are, of all rows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count(&self) -> Result<usize, StoreError> {
        let listed = self.0.store.scan("").await?;
        Ok(listed.iter().filter(|(_, head, _)| Head::read(head).is_some()).count())
    }
}
