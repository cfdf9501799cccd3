//! Where the keys of records are: in key tables, one for each period or each day, and never in the store.
//!
//! A table is one small file that is rewritten whole. Its content is sealed under a root key of this generation of it, which
//! somebody else holds ([`FileRoots`]). Each rewrite is the next generation, under the next root, and destroys the root before: what
//! was dropped is gone also for whoever kept the older file, and an older file is never taken for the newest. A day's table goes as a
//! whole: its roots first. So a table that has both its roots and no file was not erased, but lost.
//!
//! Keys are made some at a time, before any record has them, so that a new record seldom waits for its table. What nobody
//! waits for is dropped with the next rewrite, [`Tables::due`] at the latest; those who wait at once share one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::files::Files;
use super::mark::{Fit, Mark};
use super::roots::FileRoots;
use super::time::{Late, Time};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::keys::{Destroyed, RecordKey, Root};

mod name;
mod rewrite;

pub(crate) use name::TableName;

/// How many keys are made at once for records to come: at least, and at most.
const SPARE: usize = 32;
const SPARE_MAX: usize = 1024;
const NAME_BYTES: usize = 16;
/// By how much a clock may be behind what it said before, so that nobody is told.
const BEHIND_SECONDS: i128 = 60;

/// Names the key of one record. Random: no two records ever share a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct KeyName(#[serde(with = "hex::serde")] [u8; NAME_BYTES]);

/// All key tables. Cloning it clones a reference.
#[derive(Clone)]
pub(crate) struct Tables(Arc<Inner>);

struct Inner {
    files: Arc<dyn Files>,
    roots: Arc<FileRoots>,
    entropy: Arc<Entropy>,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
    /// One rewrite at a time. Those who wait meanwhile share the next one.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    tables: BTreeMap<TableName, Table>,
    time: Time,
}

#[derive(Default)]
struct Table {
    /// The root that its file stands under; once there is a file, the next one is there, too.
    generation: u64,
    rows: BTreeMap<KeyName, Row>,
    /// Those of the rows that no record has.
    free: Vec<KeyName>,
    /// Keys that open nothing here any more, and whose drop is not durable yet.
    closing: BTreeSet<KeyName>,
}

struct Row {
    key: RecordKey,
    /// When it goes; none where the table goes as a whole.
    until: Option<Late>,
}

impl Tables {
    /// Without any. No file is looked at.
    pub(super) fn fresh(
        files: Arc<dyn Files>,
        roots: Arc<FileRoots>,
        entropy: Arc<Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let writing = tokio::sync::Mutex::default();
        Self(Arc::new(Inner { files, roots, entropy, clock, held: Mutex::default(), writing }))
    }

    /// With those of the folder. Finishes what a crash cut off.
    ///
    /// # Errors
    /// [`StoreError::Table`] for a table without its root: it was put back from an older copy. [`StoreError::NoTable`] for roots without
    /// their table, unless that is accepted: then they go.
    pub(super) async fn open(
        files: Arc<dyn Files>,
        roots: Arc<FileRoots>,
        entropy: Arc<Entropy>,
        clock: Arc<dyn Clock>,
        fit: Fit,
    ) -> Result<Self, StoreError> {
        let now = clock.now();
        let this = Self::fresh(files, roots, entropy, clock);
        this.0.held().time = this.0.roots.mark().time;
        this.0.load(now, fit).await?;
        Ok(this)
    }

    /// Whether there is no table at all.
    pub(super) fn is_empty(&self) -> bool {
        self.0.held().tables.is_empty()
    }

    /// A key that no record has, in this table, and by how much the clock was set back so far. The key is durable.
    pub(super) async fn take(
        &self,
        table: &TableName,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(KeyName, RecordKey, i128), StoreError> {
        loop {
            if let Some(taken) = self.0.held().take(table, until, &*self.0.clock) {
                return Ok(taken);
            }
            let (inner, table) = (self.0.clone(), table.clone());
            to_its_end(async move {
                let _one_at_a_time = inner.writing.lock().await;
                let has_free = inner.held().tables.get(&table).is_some_and(|table| !table.free.is_empty());
                let rows = inner.held().tables.get(&table).map_or(0, |table| table.rows.len());
                // The larger the file, the seldomer it is written for nothing but room.
                let spare = (rows / 8).clamp(SPARE, SPARE_MAX);
                if has_free { Ok(()) } else { inner.rewrite(&[(table, spare)], now).await.map(drop) }
            })
            .await?;
        }
    }

    /// Takes back a key under which nothing was written.
    pub(super) fn give_back(&self, table: &TableName, name: KeyName) {
        if let Some(table) = self.0.held().tables.get_mut(table)
            && let Some(row) = table.rows.get_mut(&name)
        {
            row.until = None;
            table.free.push(name);
        }
    }

    /// The key of a record; none when it was dropped, or its time is over: then the record is gone.
    pub(super) fn key(&self, table: &TableName, name: KeyName, now: Timestamp) -> Option<RecordKey> {
        let held = self.0.held();
        let row = held.tables.get(table)?.rows.get(&name)?;
        row.until.is_none_or(|until| held.time.at(now) < until).then(|| row.key.again())
    }

    /// Lets a key open nothing from now on. Its drop becomes durable with the next rewrite.
    pub(super) fn close(&self, table: &TableName, name: KeyName) {
        if let Some(table) = self.0.held().tables.get_mut(table) {
            table.close(name);
        }
    }

    /// Drops keys. They are gone when this returns, and with them the roots under which they stood, which are named.
    pub(super) async fn drop_keys(
        &self,
        keys: &[(TableName, KeyName)],
        now: Timestamp,
    ) -> Result<Vec<Destroyed>, StoreError> {
        keys.iter().for_each(|(table, name)| self.close(table, *name));
        let is_open = |(table, name): &(TableName, KeyName)| {
            self.0.held().tables.get(table).is_some_and(|table| table.closing.contains(name))
        };
        if !keys.iter().any(is_open) {
            return Ok(vec![]);
        }
        let inner = self.0.clone();
        to_its_end(async move {
            let _one_at_a_time = inner.writing.lock().await;
            inner.drop_closing(now).await
        })
        .await
    }

    /// Does what is due by the clock: keys past their deadline, tables whose day is over, and what waits to be dropped.
    pub(super) async fn due(&self, now: Timestamp) -> Result<Vec<Destroyed>, StoreError> {
        if !self.0.held().look(now, &*self.0.clock) {
            return Ok(vec![]);
        }
        let inner = self.0.clone();
        to_its_end(async move {
            let _one_at_a_time = inner.writing.lock().await;
            let mut gone = inner.drop_closing(now).await?;
            gone.extend(inner.drop_over(now).await?);
            Ok(gone)
        })
        .await
    }

    /// As [`FileRoots::settle`], to its end: two never write the same file.
    pub(super) async fn settle(&self, mark: Option<Mark>, now: Timestamp) -> Result<Vec<Destroyed>, StoreError> {
        let roots = self.0.roots.clone();
        to_its_end(async move { roots.settle(mark, now).await }).await
    }

    /// Drops the keys that no record names, after a start, and tells the others when they go.
    pub(super) async fn keep_only(
        &self,
        used: &BTreeMap<(TableName, KeyName), Option<Late>>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for (table_name, table) in &mut self.0.held().tables {
            let names: Vec<KeyName> = table.rows.keys().copied().collect();
            for name in names {
                match used.get(&(table_name.clone(), name)) {
                    Some(until) => {
                        table.rows.entry(name).and_modify(|row| row.until = *until);
                    }
                    None => table.close(name),
                }
            }
        }
        self.due(now).await.map(drop)
    }

    /// Whoever holds the root keys.
    pub(super) fn roots(&self) -> &FileRoots {
        &self.0.roots
    }

    /// How late it was when somebody last looked.
    pub(super) fn time(&self) -> Time {
        self.0.held().time
    }

    /// All keys that are here.
    pub(super) fn keys(&self) -> BTreeMap<KeyName, RecordKey> {
        let held = self.0.held();
        let rows = held.tables.values().flat_map(|table| &table.rows);
        rows.map(|(name, row)| (*name, row.key.again())).collect()
    }

    /// How many tables a copy has, and the keys of those that a root of now opens, or one of the copy that the key provider opens now.
    pub(super) async fn read_copy(
        &self,
        copy: &dyn Files,
        roots: &BTreeMap<Root, RecordKey>,
    ) -> Result<(usize, Vec<BTreeMap<KeyName, RecordKey>>), StoreError> {
        let (mut count, mut opened) = (0, vec![]);
        for name in copy.list().await?.iter().filter_map(|name| TableName::read(name)) {
            count += 1;
            let Some(bytes) = copy.read(name.as_str()).await? else { continue };
            match rewrite::read(&name, &bytes, |root| self.0.roots.key(root).or_else(|| Some(roots.get(root)?.again())))
            {
                Ok(table) => opened.push(table.rows.into_iter().map(|(name, row)| (name, row.key)).collect()),
                Err(StoreError::Table { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((count, opened))
    }

    /// How many keys records have.
    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.0.held().tables.values().map(|table| table.rows.len() - table.free.len()).sum()
    }
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, Held> {
        // Each change below leaves every table whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn take(
        &mut self,
        table: &TableName,
        until: Option<Timestamp>,
        clock: &dyn Clock,
    ) -> Option<(KeyName, RecordKey, i128)> {
        let back = if table.is_exact() { self.time.looked(clock.now()).back } else { 0 };
        let until = until.filter(|_| table.is_exact()).map(|until| Late::of(until, back));
        let table = self.tables.get_mut(table)?;
        let name = table.free.pop()?;
        let row = table.rows.get_mut(&name)?;
        row.until = until;
        Some((name, row.key.again(), back))
    }

    /// Looks at the clock: closes what is over, and tells whether anything is to be written. Whoever asks may have looked before they had to
    /// wait, and others since: that is no clock which was set back, so it is read once more while nobody else can.
    fn look(&mut self, asked_at: Timestamp, clock: &dyn Clock) -> bool {
        let now = asked_at.max(clock.now());
        let behind = self.time.behind(now);
        if behind >= BEHIND_SECONDS {
            tracing::error!(
                seconds = %behind,
                "the clock is behind what it said before: what is to be gone within 72 hours goes by the later time. If it is wrong now and \
                 is set right again, such records end early by as much"
            );
        }
        self.time = self.time.looked(now);
        let late = self.time.seen;
        let mut is_due = false;
        for (name, table) in &mut self.tables {
            if name.is_exact() {
                let is_over = |row: &Row| row.until.is_some_and(|until| until <= late);
                let over: Vec<_> = table.rows.iter().filter(|(_, row)| is_over(row)).map(|(key, _)| *key).collect();
                over.into_iter().for_each(|key| table.close(key));
            }
            is_due |= !table.closing.is_empty() || name.is_over(now);
        }
        is_due
    }
}

impl Table {
    fn close(&mut self, name: KeyName) {
        if self.rows.remove(&name).is_some() {
            self.free.retain(|free| *free != name);
            self.closing.insert(name);
        }
    }
}

impl KeyName {
    fn new(rng: &mut dyn CryptoRng) -> Self {
        let mut name = [0; NAME_BYTES];
        rng.fill_bytes(&mut name);
        Self(name)
    }
}

/// Does this to its end, also when nobody waits for it any more: the next rewrite must not begin before it.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(work).await.map_err(|_| StoreError::Interrupted)?
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests;
