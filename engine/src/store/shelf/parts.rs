//! What all shelves share: how a record is found, written and dropped with its key.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{ATTEMPTS_MAX, Expired, Kept};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::erase::retention::{Retained, Row};
use crate::keys::{Destroyed, RecordKey};
use crate::seal::{Place, SealError, Sealed};
use crate::store::head::Head;
use crate::store::mark::{Fit, MARK, Mark};
use crate::store::tables::{TableName, Tables};
use crate::store::watched::Watched;
use crate::store::{Entry, Expect, NAME_BYTES_MAX, Revision, Store, StoreError, VALUE_BYTES_MAX, is_due};

/// How often it is noted how late it is.
const MARK_SECONDS: i128 = 60;

pub(super) struct Parts {
    pub(super) store: Watched,
    pub(super) tables: Tables,
    pub(super) entropy: Arc<Entropy>,
    pub(super) clock: Arc<dyn Clock>,
}

/// A record that is there and can be opened.
pub(super) struct Live {
    pub(super) entry: Entry,
    pub(super) head: Head,
    pub(super) table: TableName,
    pub(super) key: RecordKey,
}

/// What became of records that were to be erased.
#[derive(Debug, Default)]
pub struct Erasure {
    /// The keys in the store of those that are gone.
    pub erased: Vec<String>,
    /// The root keys that were destroyed with them.
    pub destroyed: Vec<Destroyed>,
    /// What went wrong. Ask again.
    pub failures: Vec<StoreError>,
}

/// What a key of the store holds.
pub(super) enum Found {
    Nothing,
    /// Past its deadline, or without its key: gone for everybody, and not yet cleared away.
    Remains(Revision),
    Live(Box<Live>),
}

impl Parts {
    pub(super) async fn find<T: Kept>(&self, key: &str) -> Result<Found, StoreError> {
        let damaged = || StoreError::Damaged { namespace: T::NAMESPACE };
        let mut before = None;
        loop {
            let Some(entry) = self.store.get(key).await? else { return Ok(Found::Nothing) };
            let head = Head::read(&entry.head).ok_or_else(damaged)?;
            let table = head.table(name_of(key)).ok_or_else(damaged)?;
            let now = self.clock.now();
            if is_due(head.deadline(), now) {
                // What was over once stays over, whatever the clock says later.
                self.tables.close(&table, head.key);
                return Ok(Found::Remains(entry.revision));
            }
            if let Some(key) = self.tables.key(&table, head.key, now) {
                return Ok(Found::Live(Box::new(Live { entry, head, table, key })));
            }
            // Between the two looks the record may have moved to another table.
            if before.replace(entry.revision) == Some(entry.revision) {
                return Ok(Found::Remains(entry.revision));
            }
        }
    }

    pub(super) async fn write<T: Kept>(
        &self,
        key: &str,
        name: &str,
        value: &T,
        head: &Head,
        record_key: &RecordKey,
        expect: Expect,
    ) -> Result<Revision, StoreError> {
        let head = serde_json::to_vec(head).map_err(|_| SealError::Unwritable(T::NAMESPACE))?;
        let place = Place { head: &head, name };
        let sealed = self.entropy.with(|rng| Sealed::at_rest(value, place, record_key, rng))?;
        if sealed.as_bytes().len() > VALUE_BYTES_MAX {
            return Err(StoreError::TooLarge);
        }
        let body = sealed.as_bytes().to_vec();
        self.store.put(key, head, body, expect).await
    }

    /// Drops the key of a record that `condition` accepts, then the record. Between the two it opens for nobody any more; a
    /// crash there leaves bytes without a key, which go at their deadline.
    pub(super) async fn delete(&self, key: &str, condition: impl Fn(&Head) -> bool + Sync) -> Result<bool, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some(entry) = self.store.get(key).await? else { return Ok(false) };
            let head = Head::read(&entry.head);
            if !head.as_ref().is_none_or(&condition) {
                return Ok(false);
            }
            if let Some((table, key)) = head.and_then(|head| Some((head.table(name_of(key))?, head.key))) {
                self.tables.drop_keys(&[(table, key)], self.clock.now()).await?;
            }
            match self.store.delete(key, Expect::At(entry.revision)).await {
                // Somebody wrote in between: the condition is asked again.
                Err(StoreError::Conflict) => {}
                result => return result.map(|()| true),
            }
        }
        Err(StoreError::Conflict)
    }

    /// Erases these records, as far as `condition` accepts them: all their keys in one rewrite of each table, then the records.
    pub(super) async fn erase(&self, keys: Vec<String>, condition: impl Fn(&Head) -> bool, now: Timestamp) -> Erasure {
        let (mut due, mut dropped) = (vec![], vec![]);
        let Erasure { mut erased, mut destroyed, mut failures } = Erasure::default();
        for key in keys {
            let entry = match self.store.get(&key).await {
                Ok(Some(entry)) => entry,
                Ok(None) => continue,
                Err(error) => {
                    failures.push(error);
                    continue;
                }
            };
            let Some(head) = Head::read(&entry.head).filter(&condition) else { continue };
            dropped.extend(head.table(name_of(&key)).map(|table| (table, head.key)));
            due.push((key, entry.revision));
        }
        match self.tables.drop_keys(&dropped, now).await {
            Ok(gone) => destroyed.extend(gone),
            Err(error) => {
                failures.push(error);
                due.clear();
            }
        }
        for (key, revision) in due {
            match self.store.delete(&key, Expect::At(revision)).await {
                Ok(()) => erased.push(key),
                // Somebody wrote in between.
                Err(StoreError::Conflict) => {}
                Err(error) => failures.push(error),
            }
        }
        Erasure { erased, destroyed, failures }
    }

    /// Makes the tables and the store agree, at a start: a key that no record names is dropped; a record whose key is gone was
    /// erased, by whoever wrote the tables last, and goes too, unless its deadline is near. Where there is no table at all, and that is
    /// accepted, everything goes.
    pub(super) async fn agree(&self, fit: Fit) -> Result<(), StoreError> {
        let listed = self.store.scan("").await?;
        if fit == Fit::Must && self.tables.is_empty() && listed.iter().any(|(_, head, _)| Head::read(head).is_some()) {
            return Err(StoreError::NoTables);
        }
        let now = self.clock.now();
        let (mut used, mut lost) = (BTreeMap::new(), vec![]);
        for (key, head, revision) in listed {
            let Some(head) = Head::read(&head) else { continue };
            let Some(table) = head.table(name_of(&key)) else { continue };
            if self.tables.key(&table, head.key, now).is_some() {
                let until = head.until().filter(|_| table.is_exact());
                used.insert((table, head.key), until);
            } else if !table.is_exact() || self.tables.is_empty() {
                lost.push((key, revision));
            }
        }
        self.tables.keep_only(&used, now).await?;
        for (key, revision) in lost {
            self.store.delete(&key, Expect::At(revision)).await?;
        }
        Ok(())
    }

    /// Puts the root keys under a new root of the key provider, if they let anything go; and notes how late it is, in the store first,
    /// at least every minute.
    pub(super) async fn settle(&self, first: Option<Mark>, now: Timestamp) -> Result<Vec<Destroyed>, StoreError> {
        let (roots, time) = (self.tables.roots(), self.tables.time());
        let known = first.unwrap_or_else(|| roots.mark());
        let is_new = first.is_some()
            || roots.is_marked()
                && (known.time.back != time.back || time.seen.seconds_since(known.time.seen) >= MARK_SECONDS);
        if !is_new {
            return self.tables.settle(None, now).await;
        }
        let next = known.next(time);
        let mark = match self.store.put(MARK, vec![], next.in_store(), Expect::Any).await {
            // How late it is can be noted without more room.
            Err(StoreError::Full) => known.at(time),
            put => put.map(|_| next)?,
        };
        self.tables.settle(Some(mark), now).await
    }

    pub(super) async fn expired(&self, row: &'static Row, now: Timestamp) -> Result<Vec<Expired>, StoreError> {
        let mut expired = Vec::new();
        let prefix = format!("{}/", row.id);
        for (key, head, _) in self.store.scan(&prefix).await? {
            // A head that can't be read has no deadline we could trust; the record is served to nobody either.
            let Some(deadline) = Head::read(&head).and_then(|head| head.deadline()) else { continue };
            if let (true, Some((namespace, name))) = (is_due(Some(deadline), now), key[prefix.len()..].split_once('/'))
            {
                expired.push(Expired { row, namespace: namespace.to_owned(), name: name.to_owned(), deadline });
            }
        }
        Ok(expired)
    }
}

impl Found {
    pub(super) fn expected(&self) -> Expect {
        match self {
            Self::Nothing => Expect::Absent,
            Self::Remains(revision) => Expect::At(*revision),
            Self::Live(live) => Expect::At(live.entry.revision),
        }
    }
}

pub(crate) fn key<T: Kept>(name: &str) -> Result<String, StoreError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) {
        return Err(StoreError::BadName);
    }
    Ok(format!("{}/{}/{name}", <T::Row as Retained>::ROW.id, T::NAMESPACE))
}

/// The name of a record, out of its key.
fn name_of(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or_default()
}
