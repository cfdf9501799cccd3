//! How tables come from their files and go into them: each rewrite is a new file in the place of the old one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Inner, KeyName, NAME_BYTES, Row, StoreError, Table, TableName};
use crate::keys::{Destroyed, RecordKey, Root};
use crate::seal::{joined, open_bytes};
use crate::store::files::Room;
use crate::store::mark::Fit;
use crate::store::roots::{ROOTS, envelope, split, unwrapped};

const FORMAT: u8 = 1;
const ROW_BYTES: usize = NAME_BYTES + 32;

/// The first line of a table's file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    v: u8,
    table: String,
    generation: u64,
    /// The key of the rest, under the root of this generation.
    #[serde(with = "hex::serde")]
    wrap: Vec<u8>,
}

/// A table's next file.
struct Next {
    table: TableName,
    /// The generation before; none for a table's first file.
    before: Option<u64>,
    generation: u64,
    fresh: Vec<(KeyName, RecordKey)>,
    dropped: BTreeSet<KeyName>,
}

impl Inner {
    pub(super) async fn load(&self, now: Timestamp, fit: Fit) -> Result<(), StoreError> {
        let mut there: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for root in self.roots.list() {
            there.entry(root.table).or_default().insert(root.generation);
        }
        let (mut make, mut tables) = (vec![], BTreeMap::new());
        let seen = self.held().time.seen.as_timestamp();
        for name in
            self.files.list().await?.iter().filter(|name| *name != ROOTS).filter_map(|name| TableName::read(name))
        {
            let Some(bytes) = self.files.read(name.as_str()).await? else { continue };
            let known = there.entry(name.to_string()).or_default();
            if name.is_over(now.max(seen)) && known.is_empty() {
                // Its root was destroyed, and the file was next; by a clock, perhaps, that is right again.
                self.files.remove(name.as_str()).await?;
                continue;
            }
            let table = read(&name, &bytes, |root| self.roots.key(root))?;
            // What is left in here is to be destroyed.
            known.remove(&table.generation);
            if !known.remove(&(table.generation + 1)) {
                make.push(root(&name, table.generation + 1));
            }
            tables.insert(name, table);
        }
        // A table begins with one root, then comes its file, then the next root: whoever has two had a file. Without any file at all, nobody
        // knows here whether there was something to be had.
        let is_lost = |(name, left): &(&String, &BTreeSet<u64>)| {
            left.len() > 1
                && TableName::read(name).is_some_and(|name| !tables.contains_key(&name) && !name.is_over(now))
        };
        if let Some((name, _)) = there.iter().find(is_lost).filter(|_| fit == Fit::Must && !tables.is_empty()) {
            return Err(StoreError::NoTable { table: name.clone() });
        }
        let of = |(table, left): (String, BTreeSet<u64>)| {
            left.into_iter().map(move |generation| Root { table: table.clone(), generation })
        };
        let left: Vec<Root> = there.into_iter().flat_map(of).collect();
        if !make.is_empty() || !left.is_empty() && !tables.is_empty() {
            self.roots.change(&make, &left, now).await?;
        }
        self.held().tables = tables;
        Ok(())
    }

    /// Writes the next generation of every table that has something to let go.
    pub(super) async fn drop_closing(&self, now: Timestamp) -> Result<Vec<Destroyed>, StoreError> {
        let held = self
            .held()
            .tables
            .iter()
            .filter(|(_, table)| !table.closing.is_empty())
            .map(|(name, _)| (name.clone(), 0))
            .collect::<Vec<_>>();
        if held.is_empty() { Ok(vec![]) } else { self.rewrite(&held, now).await }
    }

    /// Writes these tables anew, each with so many keys more. Afterwards the roots that they stood under are destroyed, all in
    /// one change. What fails leaves the files as they were, or ahead of what is known here; it is done again then.
    pub(super) async fn rewrite(
        &self,
        tables: &[(TableName, usize)],
        now: Timestamp,
    ) -> Result<Vec<Destroyed>, StoreError> {
        let (mut done, mut make, mut destroy) = (vec![], vec![], vec![]);
        for (name, spare) in tables {
            let (next, body) = match self.plan(name, *spare) {
                Some(planned) => planned,
                None => {
                    self.begin(name, now).await?;
                    self.plan(name, *spare).ok_or(StoreError::Interrupted)?
                }
            };
            self.write(&next, body).await?;
            make.push(root(name, next.generation + 1));
            destroy.extend(next.before.map(|before| root(name, before)));
            done.push(next);
        }
        let gone = match done.iter().any(|next| !next.dropped.is_empty()) {
            true => self.roots.change(&make, &destroy, now).await?,
            false => self.roots.advance(&make, &destroy).await.map(|()| vec![])?,
        };
        let mut held = self.held();
        for Next { table, generation, fresh, dropped, .. } in done {
            let table = held.tables.entry(table).or_default();
            table.generation = generation;
            table.closing.retain(|name| !dropped.contains(name));
            table.free.extend(fresh.iter().map(|(name, _)| *name));
            table.rows.extend(fresh.into_iter().map(|(name, key)| (name, Row { key, until: None })));
        }
        Ok(gone)
    }

    /// Makes the first root of a table that is not there. A table that was there once begins beyond where it ended.
    async fn begin(&self, name: &TableName, now: Timestamp) -> Result<(), StoreError> {
        let left = self.roots.list().into_iter().filter(|root| root.table == name.as_str());
        let first = left.map(|root| root.generation).min();
        let generation = first.unwrap_or_else(|| u64::try_from(now.as_millisecond()).unwrap_or_default());
        self.roots.advance(&[root(name, generation)], &[]).await?;
        self.held().tables.insert(name.clone(), Table { generation, ..Table::default() });
        Ok(())
    }

    /// The next file of a table, and what it seals.
    fn plan(&self, name: &TableName, spare: usize) -> Option<(Next, Zeroizing<Vec<u8>>)> {
        let fresh: Vec<(KeyName, RecordKey)> =
            self.entropy.with(|rng| (0..spare).map(|_| (KeyName::new(rng), RecordKey::generate(rng))).collect());
        let held = self.held();
        let table = held.tables.get(name)?;
        let mut body = Zeroizing::new(Vec::with_capacity((table.rows.len() + spare) * ROW_BYTES));
        let rows = table.rows.iter().map(|(name, row)| (name, &row.key));
        for (name, key) in rows.chain(fresh.iter().map(|(name, key)| (name, key))) {
            body.extend_from_slice(&name.0);
            body.extend_from_slice(key.danger_bytes());
        }
        // Its first file was not written, or not to the end, if there is no next root.
        let before = self.roots.key(&root(name, table.generation + 1)).map(|_| table.generation);
        let generation = table.generation + u64::from(before.is_some());
        Some((Next { table: name.clone(), before, generation, fresh, dropped: table.closing.clone() }, body))
    }

    async fn write(&self, next: &Next, body: Zeroizing<Vec<u8>>) -> Result<(), StoreError> {
        let key = self.entropy.with(|rng| RecordKey::generate(rng));
        let (table, generation) = (next.table.to_string(), next.generation);
        let wrap = self.roots.wrap(&root(&next.table, generation), &key, table.as_bytes())?;
        let header = Header { v: FORMAT, table, generation, wrap };
        let bytes = self.entropy.with(|rng| envelope(&header, b"table", body, &key, rng))?;
        let room = if next.fresh.is_empty() { Room::Reserve } else { Room::Free };
        self.files.replace(next.table.as_str(), bytes, room).await
    }

    /// Destroys the tables whose day is over: the roots first.
    pub(super) async fn drop_over(&self, now: Timestamp) -> Result<Vec<Destroyed>, StoreError> {
        let over: Vec<TableName> = self.held().tables.keys().filter(|name| name.is_over(now)).cloned().collect();
        if over.is_empty() {
            return Ok(vec![]);
        }
        for name in &over {
            if let Some(table) = self.held().tables.get_mut(name) {
                table.rows.clear();
                table.free.clear();
            }
        }
        let is_of = |root: &Root| over.iter().any(|name| name.as_str() == root.table);
        let roots: Vec<Root> = self.roots.list().into_iter().filter(is_of).collect();
        // Beside the roots it is noted how late it was: what they are gone for is over, also by a clock that is set back.
        self.roots.note(self.held().time);
        let gone = self.roots.change(&[], &roots, now).await?;
        for name in over {
            self.files.remove(name.as_str()).await?;
            self.held().tables.remove(&name);
        }
        Ok(gone)
    }
}

/// Reads a table's file with the root that it stands under.
pub(super) fn read(
    name: &TableName,
    bytes: &[u8],
    key: impl FnOnce(&Root) -> Option<RecordKey>,
) -> Result<Table, StoreError> {
    let damaged = || StoreError::Table { table: name.to_string() };
    let (line, sealed) = split(bytes).ok_or_else(damaged)?;
    let header: Header = serde_json::from_slice(line).map_err(|_| damaged())?;
    if header.v != FORMAT || header.table != name.as_str() {
        return Err(damaged());
    }
    let root = key(&root(name, header.generation)).ok_or_else(damaged)?;
    let key = unwrapped(&root, &header.wrap, name.as_str().as_bytes()).map_err(|_| damaged())?;
    let body = open_bytes(sealed, &joined(&[b"table", line]), &key).map_err(|_| damaged())?;
    let mut table = Table { generation: header.generation, ..Table::default() };
    for row in body.chunks(ROW_BYTES) {
        let (name, key) = row.split_first_chunk().ok_or_else(damaged)?;
        let key: [u8; 32] = key.try_into().map_err(|_| damaged())?;
        table.rows.insert(KeyName(*name), Row { key: RecordKey::from_bytes(Zeroizing::new(key)), until: None });
    }
    Ok(table)
}

pub(super) fn root(table: &TableName, generation: u64) -> Root {
    Root { table: table.to_string(), generation }
}
