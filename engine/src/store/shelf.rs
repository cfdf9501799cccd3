//! Shelves: the public door of storage. A [`Shelf`] takes only things whose type names its row, seals them under a key of
//! their own, and knows when they must be gone. After that moment it serves them no more, erased or not.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::head::Head;
use super::memory::MemoryStore;
use super::sled::SledStore;
use super::watched::Watched;
use super::wraps::KeyName;
use super::{Expect, Revision, Store, StoreError, is_due};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::erase::retention::{Row, Storable, TABLE, Term};
use crate::keys::{KeyProvider, RecordKey};
use crate::seal::{AtRest, Place, SealError, Sealable, Sealed};

/// How often a write that expects nothing is tried against others.
const ATTEMPTS_MAX: u32 = 64;

mod parts;

use parts::{Found, Parts, key};

/// Can be stored: names its row of the retention table, and reads back from bytes.
#[diagnostic::on_unimplemented(message = "`{Self}` has no row of the retention table and can't be stored")]
pub trait Kept: Sealable + Sized {
    /// Its row.
    type Row: Storable;

    /// Reads the thing back; none if the bytes are not one.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// The short way to be [`Kept`]: as JSON. Not for anything that holds a secret: `serde_json` leaves copies behind.
pub trait Record: Serialize + DeserializeOwned {
    /// As [`Sealable::NAMESPACE`].
    const NAMESPACE: &'static str;
    /// As [`Kept::Row`].
    type Row: Storable;
}

impl<T: Record> Sealable for T {
    const NAMESPACE: &'static str = T::NAMESPACE;

    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        serde_json::to_vec(self).map(Zeroizing::new).map_err(|_| SealError::Unwritable(T::NAMESPACE))
    }
}

impl<T: Record> Kept for T {
    type Row = T::Row;

    fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// All shelves over one store.
#[derive(Clone)]
pub struct Shelves(Arc<Parts>);

/// What is kept under the row `R`.
///
/// A thing is stored on the shelf of its row:
/// ```
/// # use consentry::erase::retention::{R16RightsRequest, Term};
/// # use consentry::store::{Expect, Record, Shelf, StoreError};
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Note(String);
/// impl Record for Note {
///     const NAMESPACE: &'static str = "note";
///     type Row = R16RightsRequest;
/// }
/// # async fn keep(shelf: Shelf<R16RightsRequest>, note: Note) -> Result<(), StoreError> {
/// shelf.put("n1", &note, Expect::Absent, Term::open()).await?;
/// # Ok(()) }
/// ```
/// What names no row is not stored:
/// ```compile_fail,E0277
/// # use consentry::erase::retention::{R16RightsRequest, Term};
/// # use consentry::store::{Expect, Record, Shelf, StoreError};
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Note(String);
/// # async fn keep(shelf: Shelf<R16RightsRequest>, note: Note) -> Result<(), StoreError> {
/// shelf.put("n1", &note, Expect::Absent, Term::open()).await?;
/// # Ok(()) }
/// ```
/// And what is kept in memory only has no shelf at all:
/// ```
/// # use consentry::store::{Shelf, Shelves};
/// fn shelf(shelves: &Shelves) -> Shelf<consentry::erase::retention::R23SealedParcel> { shelves.shelf() }
/// ```
/// ```compile_fail,E0277
/// # use consentry::store::{Shelf, Shelves};
/// fn shelf(shelves: &Shelves) -> Shelf<consentry::erase::retention::R03ShareableData> { shelves.shelf() }
/// ```
pub struct Shelf<R: Storable> {
    parts: Arc<Parts>,
    row: PhantomData<fn() -> R>,
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// The thing.
    pub value: T,
    /// Its version: what the next write expects.
    pub revision: Revision,
    /// What its deadline counts from.
    pub term: Term,
}

/// A record that is past its deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// Its row.
    pub row: &'static Row,
    /// Its kind.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Since when it should be gone.
    pub deadline: Timestamp,
}

impl Shelves {
    /// Shelves in memory.
    pub fn memory(keys: Arc<dyn KeyProvider>, entropy: Arc<Entropy>, clock: Arc<dyn Clock>) -> Self {
        Self::over(Box::new(MemoryStore::default()), keys, entropy, clock)
    }

    /// Shelves in a folder of this machine. Clears away what a crash left half-made.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another engine has the folder.
    pub async fn sled(
        folder: &Path,
        keys: Arc<dyn KeyProvider>,
        entropy: Arc<Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let shelves = Self::over(Box::new(SledStore::open(folder).await?), keys, entropy, clock);
        shelves.clear_orphans().await?;
        Ok(shelves)
    }

    /// Drops the keys that no record names. Not while others write.
    pub(crate) async fn clear_orphans(&self) -> Result<(), StoreError> {
        self.0.wraps().drop_orphans().await.map(drop)
    }

    pub(crate) fn over(
        store: Box<dyn Store>,
        keys: Arc<dyn KeyProvider>,
        entropy: Arc<Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Parts { store: Watched::new(store), keys, entropy, clock }))
    }

    /// The shelf of a row.
    pub fn shelf<R: Storable>(&self) -> Shelf<R> {
        Shelf { parts: self.0.clone(), row: PhantomData }
    }

    /// Whether the last write was taken.
    ///
    /// # Errors
    /// [`StoreError::Full`] or [`StoreError::Io`]: why it was not.
    pub fn check(&self) -> Result<(), StoreError> {
        self.0.store.check()
    }

    /// Tries whether a write is taken, and leaves nothing behind.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.0.store.probe().await
    }

    /// All records of all rows that are past their deadline.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn expired(&self, now: Timestamp) -> Result<Vec<Expired>, StoreError> {
        let mut expired = Vec::new();
        for row in TABLE {
            expired.extend(self.0.expired(row, now).await?);
        }
        Ok(expired)
    }

    /// Erases a record that is past its deadline; one that is not any more, stays.
    ///
    /// # Errors
    /// [`StoreError`]: ask again.
    pub async fn erase(&self, expired: &Expired, now: Timestamp) -> Result<bool, StoreError> {
        let key = format!("{}/{}/{}", expired.row.id, expired.namespace, expired.name);
        self.0.delete(&key, |head| is_due(head.deadline(), now)).await
    }
}

impl<R: Storable> Shelf<R> {
    /// Reads a record. One past its deadline is not there.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it does not open.
    pub async fn get<T: Kept<Row = R>>(&self, name: &str) -> Result<Option<Stored<T>>, StoreError> {
        let key = key::<T>(name)?;
        let Found::Live(live) = self.parts.find::<T>(&key).await? else { return Ok(None) };
        let damaged = || StoreError::Damaged { namespace: T::NAMESPACE };
        let place = Place { head: &live.entry.head, name };
        let bytes = Sealed::<T, AtRest>::from_bytes(live.entry.body).open(place, &live.key).map_err(|_| damaged())?;
        let value = T::decode(&bytes).ok_or_else(damaged)?;
        Ok(Some(Stored { value, revision: live.entry.revision, term: live.head.term() }))
    }

    /// Writes a record if it is as expected, and tells its new version. It is durable when this returns.
    ///
    /// The term of a record that is there goes on: its first trigger stays, and an end is never put off.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else was first.
    pub async fn put<T: Kept<Row = R>>(
        &self,
        name: &str,
        value: &T,
        expect: Expect,
        term: Term,
    ) -> Result<Revision, StoreError> {
        let key = key::<T>(name)?;
        for _ in 0..ATTEMPTS_MAX {
            match self.try_put(&key, name, value, expect, term).await {
                Err(StoreError::Conflict) if expect == Expect::Any => {}
                result => return result,
            }
        }
        Err(StoreError::Conflict)
    }

    async fn try_put<T: Kept<Row = R>>(
        &self,
        key: &str,
        name: &str,
        value: &T,
        expect: Expect,
        term: Term,
    ) -> Result<Revision, StoreError> {
        match self.parts.find::<T>(key).await? {
            Found::Live(live) => {
                if !expect.met_by(Some(live.entry.revision)) {
                    return Err(StoreError::Conflict);
                }
                let head = Head::new(R::ROW, live.head.key, live.head.term().then(term));
                let at = Expect::At(live.entry.revision);
                self.parts.write(key, name, value, &head, &live.key, at).await
            }
            _ if !expect.met_by(None) => Err(StoreError::Conflict),
            remains => {
                let (key_name, record_key) =
                    self.parts.entropy.with(|rng| (KeyName::new(rng), RecordKey::generate(rng)));
                // The key first: a record without its key is lost, a key without its record is dropped at the next start.
                self.parts.wraps().keep(key_name, &record_key, key).await?;
                let head = Head::new(R::ROW, key_name, term);
                let written = self.parts.write(key, name, value, &head, &record_key, remains.expected()).await;
                let unused = match (&written, remains) {
                    (Err(StoreError::Conflict), _) => Some(key_name),
                    (Ok(_), Found::Remains(_, replaced)) => Some(replaced),
                    _ => None,
                };
                if let Some(unused) = unused {
                    self.parts.wraps().drop_key(unused).await?;
                }
                written
            }
        }
    }

    /// Erases a record, its key with it. To erase it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`]: ask again.
    pub async fn delete<T: Kept<Row = R>>(&self, name: &str) -> Result<(), StoreError> {
        self.parts.delete(&key::<T>(name)?, |_| true).await.map(drop)
    }

    /// Drops the key of a record and leaves its shell, which opens for nobody: whoever lists names still meets it. Needs no
    /// room on the disk.
    ///
    /// # Errors
    /// [`StoreError`]: ask again.
    pub async fn shred<T: Kept<Row = R>>(&self, name: &str) -> Result<(), StoreError> {
        let Some(entry) = self.parts.store.get(&key::<T>(name)?).await? else { return Ok(()) };
        let head = Head::read(&entry.head).ok_or(StoreError::Damaged { namespace: T::NAMESPACE })?;
        self.parts.wraps().drop_key(head.key).await
    }

    /// Whether there is a record that opens, without opening it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn holds<T: Kept<Row = R>>(&self, name: &str) -> Result<bool, StoreError> {
        Ok(matches!(self.parts.find::<T>(&key::<T>(name)?).await?, Found::Live(_)))
    }

    /// The names of all records of one kind, sorted, also of those past their deadline.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn names<T: Kept<Row = R>>(&self) -> Result<Vec<String>, StoreError> {
        let prefix = format!("{}/{}/", R::ROW.id, T::NAMESPACE);
        let heads = self.parts.store.scan(&prefix).await?;
        Ok(heads.into_iter().map(|(key, _, _)| key[prefix.len()..].to_owned()).collect())
    }

    /// The records of this row that are past their deadline.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn expired(&self, now: Timestamp) -> Result<Vec<Expired>, StoreError> {
        self.parts.expired(R::ROW, now).await
    }
}

impl<R: Storable> Clone for Shelf<R> {
    fn clone(&self) -> Self {
        Self { parts: self.parts.clone(), row: PhantomData }
    }
}

impl<R: Storable> fmt::Debug for Shelf<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shelf({})", R::ROW.id)
    }
}

impl fmt::Debug for Shelves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shelves")
    }
}

#[cfg(test)]
mod tests;
