//! The embedded store: sled, with what it lacks.
//!
//! sled acknowledges after `sync_file_range`, which reaches neither the file's metadata nor the drive's cache; so every write
//! here syncs the file itself before it returns. A start of sled that is cut off can leave a file half-written that the next one
//! calls damaged; so such files are taken away first, and it starts in two steps, with what the first wrote synced before the second.
//! Values beyond a segment go to files that sled never syncs; so bodies are cut into chunks, and those files never come to be.
//! After an error of the disk sled refuses everything; so it is opened again at the next call. The disk sets the pace, so those
//! who write while it is busy share one sync; meanwhile nobody reads: what is not durable is seen by nobody.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use sled::{Batch, Db};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

mod tally;
mod unfinished;

use self::tally::{TALLY, Tally, Written};
use self::unfinished::{clear_half_written, is_new, open_in_two};
use super::mark::Fit;
use super::{Entry, Expect, Listed, RESERVE_BYTES, Revision, Store, StoreError, VALUE_BYTES_MAX, has_room_for};

/// Longest value that sled gets. It writes a whole leaf of its tree at once, some 20 values, and puts what is larger than a
/// quarter of a segment into a file of its own; so these two belong together: 32 chunks fit.
const CHUNK_BYTES: usize = 16 * 1024;
/// The unit in which sled's file grows.
const SEGMENT_BYTES: usize = 4 * 32 * CHUNK_BYTES;
/// Memory that sled may use for what it has read.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// sled's own files.
const DATA: &str = "db";
const SETTINGS: &str = "conf";

/// How long the lock of the folder is waited for, and how often.
const LOCK_WAIT: Duration = Duration::from_millis(20);
const LOCK_WAITS: usize = 50;

/// Makes a file durable. A seam, so that a test sees whether it is done before a write is acknowledged.
type SyncFile = fn(&File) -> io::Result<()>;

#[derive(Clone)]
pub(crate) struct SledStore(Arc<Shared>);

struct Shared {
    folder: PathBuf,
    reserve_bytes: u64,
    sync: SyncFile,
    /// None after an error of the disk.
    open: RwLock<Option<Open>>,
    /// What is to be written next, in this order. If there is anything, somebody is on the way to do it.
    waiting: Mutex<Vec<Write>>,
}

/// A write that waits for its turn.
struct Write {
    key: String,
    /// Head and body; none deletes.
    record: Option<(Vec<u8>, Vec<u8>)>,
    expect: Expect,
    /// Is told when it is durable: the new revision, none after a deletion.
    told: oneshot::Sender<Result<Option<Revision>, StoreError>>,
}

struct Open {
    db: Db,
    /// sled's own file, to sync it.
    file: File,
    written: Written,
    sync: SyncFile,
}

impl SledStore {
    /// Opens the store in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`StoreError::Lost`] where records are missing that nobody deleted, unless that is accepted.
    pub(crate) async fn open(folder: &Path, fit: Fit) -> Result<Self, StoreError> {
        Self::open_with(folder, fit, RESERVE_BYTES, File::sync_all).await
    }

    async fn open_with(folder: &Path, fit: Fit, reserve_bytes: u64, sync: SyncFile) -> Result<Self, StoreError> {
        let folder = folder.to_owned();
        blocking(move || {
            if is_new(&folder)? {
                // Not one byte of a store that could not be used at once.
                let above = folder.ancestors().find(|above| above.exists()).unwrap_or(Path::new("."));
                has_room_for(above, reserve_bytes, 0)?;
            }
            let open = RwLock::new(Some(Open::new(&folder, fit, sync)?));
            Ok(Self(Arc::new(Shared { folder, reserve_bytes, sync, open, waiting: Mutex::default() })))
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Open) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = self.0.clone();
        blocking(move || {
            {
                let open = shared.open.read().unwrap_or_else(PoisonError::into_inner);
                if let Some(open) = open.as_ref() {
                    return work(open);
                }
            }
            shared.exclusive(work)
        })
        .await
    }

    /// Waits for a turn, and until what was written is durable. Whoever is the first to wait sees to the turn of all.
    async fn write(
        &self,
        key: &str,
        record: Option<(Vec<u8>, Vec<u8>)>,
        expect: Expect,
    ) -> Result<Option<Revision>, StoreError> {
        let (told, done) = oneshot::channel();
        let is_first = {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push(Write { key: key.to_owned(), record, expect, told });
            waiting.len() == 1
        };
        if is_first {
            let shared = self.0.clone();
            // It goes on when its first writer goes away: others may wait, too.
            drop(spawn_blocking(move || shared.turn()));
        }
        done.await.map_err(|_| StoreError::Interrupted)?
    }
}

impl Shared {
    fn exclusive<T>(&self, work: impl FnOnce(&Open) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut guard = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let open = match guard.take() {
            Some(open) => open,
            None => Open::new(&self.folder, Fit::Must, self.sync)?,
        };
        let result = work(&open);
        // A panic or an error of the disk leaves the place empty, and the next call opens the store again.
        if !matches!(result, Err(StoreError::Io(_))) {
            *guard = Some(open);
        }
        result
    }

    /// Does everything that waits, syncs once, and tells each how it went.
    fn turn(&self) {
        let mut writes = vec![];
        let all = self.exclusive(|open| {
            // Only now: what came while the disk was busy comes along.
            writes = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            let mut results = vec![];
            for write in &mut writes {
                match self.apply(open, write) {
                    // What was done before it in this turn is not durable, either.
                    Err(StoreError::Io(error)) => return Err(StoreError::Io(error)),
                    result => results.push(result),
                }
            }
            if results.iter().any(Result::is_ok) {
                open.settle()?;
            }
            Ok(results)
        });
        if writes.is_empty() {
            // The store did not even open.
            writes = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        }
        let mut results = all.map(Vec::into_iter);
        for Write { told, .. } in writes {
            let result = match &mut results {
                Ok(results) => results.next().unwrap_or(Err(StoreError::Interrupted)),
                Err(error) => Err(same(error)),
            };
            // Whoever does not wait any more does not need to know.
            let _ = told.send(result);
        }
    }

    fn apply(&self, open: &Open, write: &mut Write) -> Result<Option<Revision>, StoreError> {
        let Write { key, record, expect, .. } = write;
        match record.take() {
            Some((head, body)) => {
                has_room_for(&self.folder, self.reserve_bytes, body.len())?;
                open.put(key, &head, &body, *expect).map(Some)
            }
            // Deleting needs a little room too, and gets it: from the reserve.
            None => open.delete(key, *expect).map(|()| None),
        }
    }
}

impl Open {
    fn new(folder: &Path, fit: Fit, sync: SyncFile) -> Result<Self, StoreError> {
        // What is in it is sealed; its size and its changes are nobody's business either.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let config = sled::Config::new().path(folder).segment_size(SEGMENT_BYTES).cache_capacity(CACHE_BYTES);
        let config = config.flush_every_ms(None);
        // A store that was just closed keeps its lock until sled's threads have ended.
        let mut waits = 0;
        let db = loop {
            match open(&config, folder) {
                Err(StoreError::InUse) if waits < LOCK_WAITS => waits += 1,
                opened => break opened?,
            }
            std::thread::sleep(LOCK_WAIT);
        };
        let file = File::open(folder.join(DATA))?;
        sync(&file)?;
        // sled writes its settings once and never syncs them; without them, or with half of them, it opens nothing.
        sync(&File::open(folder.join(SETTINGS))?)?;
        // The names of the files are in the folder, and the folder's in the one above.
        File::open(folder)?.sync_all()?;
        if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
            File::open(above)?.sync_all()?;
        }
        let open = Self { db, file, written: Written::open(folder)?, sync };
        let known = open.tally()?;
        let heads = open.scan("")?;
        let there = known.unwrap_or_default().of(heads.iter().map(|(key, _, revision)| (key.as_str(), *revision)));
        let is_lost = known.is_some_and(|known| known != there) || open.written.is_beyond(known)?;
        if is_lost && fit == Fit::Must {
            return Err(StoreError::Lost { folder: folder.to_owned() });
        }
        // Where there is none, a program from before there was one wrote this.
        if is_lost || known.is_none() {
            open.db.insert(TALLY, &there.bytes()).map_err(failed)?;
            open.settle()?;
        }
        Ok(open)
    }

    /// The sum over the records that were written.
    fn tally(&self) -> Result<Option<Tally>, StoreError> {
        Ok(self.db.get(TALLY).map_err(failed)?.as_deref().and_then(Tally::read))
    }

    /// The revision and the number of chunks of a record, and its head.
    fn head(&self, key: &str) -> Result<Option<(Revision, u32, Vec<u8>)>, StoreError> {
        let value = self.db.get(head_key(key)).map_err(failed)?;
        value.map(|value| read_head(&value)).transpose()
    }

    fn body(&self, key: &str, revision: Revision, chunks: u32) -> Result<Vec<u8>, StoreError> {
        let mut body = Vec::new();
        for at in 0..chunks {
            let chunk = self.db.get(chunk_key(key, revision, at)).map_err(failed)?;
            body.extend_from_slice(&chunk.ok_or_else(torn)?);
        }
        Ok(body)
    }

    fn put(&self, key: &str, head: &[u8], body: &[u8], expect: Expect) -> Result<Revision, StoreError> {
        let current = self.head(key)?;
        if !expect.met_by(current.as_ref().map(|(revision, ..)| *revision)) {
            return Err(StoreError::Conflict);
        }
        let fresh = self.db.generate_id().map_err(failed)?.saturating_add(1);
        let revision = Revision(current.as_ref().map_or(fresh, |(revision, ..)| fresh.max(revision.0 + 1)));
        let mut batch = Batch::default();
        let mut chunks = 0_u32;
        for chunk in body.chunks(CHUNK_BYTES) {
            batch.insert(chunk_key(key, revision, chunks), chunk);
            chunks += 1;
        }
        batch.insert(head_key(key), [&revision.0.to_be_bytes()[..], &chunks.to_be_bytes(), head].concat());
        self.remove(&mut batch, key, current.as_ref(), Some(revision))?;
        self.db.apply_batch(batch).map_err(failed)?;
        Ok(revision)
    }

    fn delete(&self, key: &str, expect: Expect) -> Result<(), StoreError> {
        let current = self.head(key)?;
        if !expect.met_by(current.as_ref().map(|(revision, ..)| *revision)) {
            return Err(StoreError::Conflict);
        }
        if current.is_none() {
            return Ok(());
        }
        let mut batch = Batch::default();
        batch.remove(head_key(key));
        self.remove(&mut batch, key, current.as_ref(), None)?;
        self.db.apply_batch(batch).map_err(failed)
    }

    /// Removes the chunks of the record that was there, and has the sum say what is there next.
    fn remove(
        &self,
        batch: &mut Batch,
        key: &str,
        current: Option<&(Revision, u32, Vec<u8>)>,
        next: Option<Revision>,
    ) -> Result<(), StoreError> {
        let mut tally = self.tally()?.unwrap_or_default().next();
        if let Some((revision, chunks, _)) = current {
            (0..*chunks).for_each(|at| batch.remove(chunk_key(key, *revision, at)));
            tally = tally.turned(key, *revision);
        }
        if let Some(revision) = next {
            tally = tally.turned(key, revision);
        }
        batch.insert(TALLY, &tally.bytes());
        Ok(())
    }

    /// Returns when everything that was written is on the disk.
    fn settle(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(failed)?;
        (self.sync)(&self.file).map_err(StoreError::Io)?;
        Ok(self.written.note(self.tally()?.unwrap_or_default())?)
    }

    fn scan(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let mut heads = Vec::new();
        for pair in self.db.scan_prefix(head_key(prefix)) {
            let (key, value) = pair.map_err(failed)?;
            let key = std::str::from_utf8(&key[1..]).map_err(|_| torn())?.to_owned();
            let (revision, _, head) = read_head(&value)?;
            heads.push((key, head, revision));
        }
        Ok(heads)
    }
}

#[async_trait]
impl Store for SledStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let key = key.to_owned();
        self.read(move |open| {
            let Some((revision, chunks, head)) = open.head(&key)? else { return Ok(None) };
            Ok(Some(Entry { head, body: open.body(&key, revision, chunks)?, revision }))
        })
        .await
    }

    async fn put(&self, key: &str, head: Vec<u8>, body: Vec<u8>, expect: Expect) -> Result<Revision, StoreError> {
        if body.len() > VALUE_BYTES_MAX {
            return Err(StoreError::TooLarge);
        }
        let written = self.write(key, Some((head, body)), expect).await?;
        written.ok_or(StoreError::Interrupted)
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<(), StoreError> {
        self.write(key, None, expect).await.map(drop)
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let prefix = prefix.to_owned();
        self.read(move |open| open.scan(&prefix)).await
    }
}

fn open(config: &sled::Config, folder: &Path) -> Result<Db, StoreError> {
    clear_half_written(folder)?;
    let opened = open_in_two(config, folder).map_err(|error| match error {
        // sled reports a lock that somebody else holds as an error of kind `Other`, or as `WouldBlock`.
        sled::Error::Io(error) if is_lock(&error) => StoreError::InUse,
        error => opening_failed(error, folder),
    });
    opened.inspect_err(|error| {
        if matches!(error, StoreError::Full) {
            // What can't be taken away now is at the next start.
            let _ = clear_half_written(folder);
        }
    })
}

/// A full disk is told as such here only: where a write met it, sled can't go on, and is opened again.
fn opening_failed(error: sled::Error, folder: &Path) -> StoreError {
    match failed(error) {
        StoreError::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            StoreError::Broken { folder: folder.to_owned() }
        }
        StoreError::Io(error) => error.into(),
        error => error,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    spawn_blocking(work).await.map_err(|_| StoreError::Interrupted)?
}

fn head_key(key: &str) -> Vec<u8> {
    [b"h", key.as_bytes()].concat()
}

fn chunk_key(key: &str, revision: Revision, at: u32) -> Vec<u8> {
    // No key holds a zero byte, so no chunk of one record is taken for one of another.
    [b"b", key.as_bytes(), &[0], &revision.0.to_be_bytes()[..], &at.to_be_bytes()].concat()
}

fn read_head(value: &[u8]) -> Result<(Revision, u32, Vec<u8>), StoreError> {
    let (revision, rest) = value.split_first_chunk().ok_or_else(torn)?;
    let (chunks, head) = rest.split_first_chunk().ok_or_else(torn)?;
    Ok((Revision(u64::from_be_bytes(*revision)), u32::from_be_bytes(*chunks), head.to_vec()))
}

fn failed(error: sled::Error) -> StoreError {
    StoreError::Io(match error {
        sled::Error::Io(error) => error,
        // sled's own text tells of its insides.
        sled::Error::Corruption { .. } => io::Error::new(io::ErrorKind::InvalidData, "what was read is damaged"),
        error => io::Error::other(error),
    })
}

/// The same failure for another one who waited for it.
fn same(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full => StoreError::Full,
        StoreError::InUse => StoreError::InUse,
        StoreError::Broken { folder } => StoreError::Broken { folder: folder.clone() },
        StoreError::Lost { folder } => StoreError::Lost { folder: folder.clone() },
        StoreError::Io(error) => StoreError::Io(io::Error::new(error.kind(), error.to_string())),
        _ => StoreError::Interrupted,
    }
}

/// A record that is not as it was written. Its namespace is not known here.
fn torn() -> StoreError {
    StoreError::Damaged { namespace: "the store's file" }
}

fn is_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("lock")
}

#[cfg(test)]
mod tests;
