//! Shelves: the public door of storage. A [`Shelf`] takes only things whose type names its row, seals them under a key of
//! their own, and knows when they must be gone. After that moment it serves them no more, erased or not.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::head::Head;
use super::memory::MemoryStore;
use super::roots::FileRoots;
use super::tables::{TableName, Tables};
use super::watched::Watched;
use super::{Expect, Revision, Store, StoreError, is_due};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::erase::retention::{Row, Storable, TABLE, Term};
use crate::keys::{Destroyed, KeyProvider};
use crate::rights::declared::Declared;
use crate::seal::{AtRest, Place, SealError, Sealable, Sealed};

/// How often a write that expects nothing is tried against others.
const ATTEMPTS_MAX: u32 = 64;

mod open;
mod parts;

pub use parts::Erasure;
pub(crate) use parts::key as record_key;
use parts::{Found, Parts, key};

/// Can be stored: names its row of the retention table, and reads back from bytes.
#[diagnostic::on_unimplemented(message = "`{Self}` has no row of the retention table and can't be stored")]
pub trait Kept: Sealable + Sized {
    /// Its row.
    type Row: Storable;

    /// How it answers to a person's rights.
    const RIGHTS: Declared;

    /// Reads the thing back; none if the bytes are not one.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// The short way to be [`Kept`]: as JSON. Not for anything that holds a secret: `serde_json` leaves copies behind.
pub trait Record: Serialize + DeserializeOwned {
    /// As [`Sealable::NAMESPACE`].
    const NAMESPACE: &'static str;
    /// As [`Kept::Row`].
    type Row: Storable;
    /// As [`Kept::RIGHTS`].
    const RIGHTS: Declared;
}

impl<T: Record> Sealable for T {
    const NAMESPACE: &'static str = T::NAMESPACE;

    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        serde_json::to_vec(self).map(Zeroizing::new).map_err(|_| SealError::Unwritable(T::NAMESPACE))
    }
}

impl<T: Record> Kept for T {
    type Row = T::Row;
    const RIGHTS: Declared = T::RIGHTS;

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
///     const RIGHTS: consentry::rights::declared::Declared = consentry::rights::declared::Declared::NOT_PERSONAL;
///     type Row = R16RightsRequest;
/// }
/// # async fn keep(shelf: Shelf<R16RightsRequest>, note: Note) -> Result<(), StoreError> {
/// shelf.put("n1", &note, Expect::Absent, Term::open()).await?;
/// # Ok(()) }
/// ```
/// What does not say how it answers to a person's rights is not stored:
/// ```compile_fail,E0046
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
/// ```compile_fail,E0046
/// # use consentry::erase::retention::{R16RightsRequest, Term};
/// # use consentry::store::{Expect, Record, Shelf, StoreError};
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Note(String);
/// impl Record for Note {
///     const NAMESPACE: &'static str = "note";
///     const RIGHTS: consentry::rights::declared::Declared = consentry::rights::declared::Declared::NOT_PERSONAL;
/// }
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

/// What a record that is there has its key for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyOf {
    /// The place in its table: it stays as long as the deadline does.
    Place,
    /// One write.
    Write,
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
        let files = Arc::new(MemoryStore::default());
        let roots = FileRoots::fresh(files.clone(), keys, entropy.clone());
        let tables = Tables::fresh(files, Arc::new(roots), entropy.clone(), clock.clone());
        Self::with(Box::new(MemoryStore::default()), tables, entropy, clock)
    }

    fn with(store: Box<dyn Store>, tables: Tables, entropy: Arc<Entropy>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Parts { store: Watched::new(store), tables, entropy, clock }))
    }

    /// Destroys the keys that are due: each of a period up to 72 hours at its deadline, those of longer ones with the table of
    /// their day. What was let go before now opens from here on in no copy of any file, where the key provider is a token; in
    /// software, in none but one of the key file. Costs next to nothing when nothing is due.
    ///
    /// # Errors
    /// [`StoreError`]: ask again.
    pub async fn destroy_due(&self, now: Timestamp) -> Result<Vec<Destroyed>, StoreError> {
        let mut gone = self.drop_due(now).await?;
        gone.extend(self.0.settle(None, now).await?);
        Ok(gone)
    }

    /// The first half of [`Self::destroy_due`], which waits for the disk alone: the keys that are due are in none of the files any more. A
    /// copy of `roots` from before opens what they opened until the second half is done.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_due(&self, now: Timestamp) -> Result<Vec<Destroyed>, StoreError> {
        self.0.tables.due(now).await
    }

    pub(super) fn store(&self) -> &Watched {
        &self.0.store
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.0.tables
    }

    /// How many keys records have.
    #[cfg(test)]
    pub(crate) fn keys_used(&self) -> usize {
        self.0.tables.used()
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

    /// Erases records that are past their deadline; one that is not any more, stays.
    pub async fn erase(&self, expired: &[Expired], now: Timestamp) -> Erasure {
        let key = |each: &Expired| format!("{}/{}/{}", each.row.id, each.namespace, each.name);
        self.0.erase(expired.iter().map(key).collect(), |head| is_due(head.deadline(), now), now).await
    }

    /// Erases records, due or not.
    pub(crate) async fn erase_records(&self, keys: Vec<String>, now: Timestamp) -> Erasure {
        self.0.erase(keys, |_| true, now).await
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
        self.put_under(KeyOf::Place, name, value, expect, term).await
    }

    /// As [`Self::put`], and under another key than before in any case: for a write that lets something go which was in the
    /// record. What was in it opens in no older copy of the store, once [`Shelves::destroy_due`] was asked; whoever puts such a
    /// copy back misses the record as a whole.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub async fn put_anew<T: Kept<Row = R>>(
        &self,
        name: &str,
        value: &T,
        expect: Expect,
        term: Term,
    ) -> Result<Revision, StoreError> {
        self.put_under(KeyOf::Write, name, value, expect, term).await
    }

    async fn put_under<T: Kept<Row = R>>(
        &self,
        key_of: KeyOf,
        name: &str,
        value: &T,
        expect: Expect,
        term: Term,
    ) -> Result<Revision, StoreError> {
        let key = key::<T>(name)?;
        for _ in 0..ATTEMPTS_MAX {
            match self.try_put(key_of, &key, name, value, expect, term).await {
                Err(StoreError::Conflict) if expect == Expect::Any => {}
                result => return result,
            }
        }
        Err(StoreError::Conflict)
    }

    async fn try_put<T: Kept<Row = R>>(
        &self,
        key_of: KeyOf,
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
                let term = live.head.term().then(term);
                let at = Expect::At(live.entry.revision);
                if key_of == KeyOf::Place && TableName::of(R::ROW, &term, name) == live.table {
                    let head = Head::new(R::ROW, live.head.key, live.head.back, term);
                    return self.parts.write(key, name, value, &head, &live.key, at).await;
                }
                // A key moves neither with a deadline nor with what is let go: the record gets another one.
                let written = self.write_new(key, name, value, at, term).await?;
                self.parts.tables.close(&live.table, live.head.key);
                Ok(written)
            }
            _ if !expect.met_by(None) => Err(StoreError::Conflict),
            remains => self.write_new(key, name, value, remains.expected(), term).await,
        }
    }

    /// Writes a record under a new key. The key first: a record without its key is lost, a key without its record is dropped at
    /// the next start.
    async fn write_new<T: Kept<Row = R>>(
        &self,
        key: &str,
        name: &str,
        value: &T,
        expect: Expect,
        term: Term,
    ) -> Result<Revision, StoreError> {
        let (table, until) = (TableName::of(R::ROW, &term, name), R::ROW.deadline(&term));
        let taken = self.parts.tables.take(&table, until, self.parts.clock.now()).await;
        let (key_name, record_key, back) = taken.map_err(|error| self.parts.store.note_failure(error))?;
        let head = Head::new(R::ROW, key_name, back, term);
        let written = self.parts.write(key, name, value, &head, &record_key, expect).await;
        if matches!(written, Err(StoreError::Conflict | StoreError::Full)) {
            self.parts.tables.give_back(&table, key_name);
        }
        written
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
        let damaged = || StoreError::Damaged { namespace: T::NAMESPACE };
        let head = Head::read(&entry.head).ok_or_else(damaged)?;
        let table = head.table(name).ok_or_else(damaged)?;
        self.parts.tables.drop_keys(&[(table, head.key)], self.parts.clock.now()).await.map(drop)
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
