//! The embedded store: sled, with what it lacks.
//!
//! sled acknowledges after `sync_file_range`, which reaches neither the file's metadata nor the drive's cache; so every write
//! here syncs the file itself before it returns. A start of sled that is cut off can leave a file half-written that the next one
//! calls damaged; so such files are taken away first, and what a start wrote is synced. Values beyond a segment go to files that sled never syncs; so bodies are
//! cut into chunks, and those files never come to be. After an error of the disk sled refuses everything; so it is opened
//! again at the next call. The disk sets the pace, so those who write while it is busy share one sync; meanwhile nobody reads:
//! what is not durable is seen by nobody.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use sled::{Batch, Db};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

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
/// How the name of a summary of the data ends while sled writes it.
const UNFINISHED: &str = ".generating";
/// A summary ends with its length and its checksum.
const LENGTH_BYTES: usize = 8;

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
    sync: SyncFile,
}

impl SledStore {
    /// Opens the store in a folder, which is made if it is not there.
    pub(crate) async fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, RESERVE_BYTES, File::sync_all).await
    }

    async fn open_with(folder: &Path, reserve_bytes: u64, sync: SyncFile) -> Result<Self, StoreError> {
        let folder = folder.to_owned();
        blocking(move || {
            if is_new(&folder)? {
                // Not one byte of a store that could not be used at once.
                let above = folder.ancestors().find(|above| above.exists()).unwrap_or(Path::new("."));
                has_room_for(above, reserve_bytes, 0)?;
            }
            let open = RwLock::new(Some(Open::new(&folder, sync)?));
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
            None => Open::new(&self.folder, self.sync)?,
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
    fn new(folder: &Path, sync: SyncFile) -> Result<Self, StoreError> {
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
        Ok(Self { db, file, sync })
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
        remove_chunks(&mut batch, key, current.as_ref());
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
        remove_chunks(&mut batch, key, current.as_ref());
        self.db.apply_batch(batch).map_err(failed)
    }

    /// Returns when everything that was written is on the disk.
    fn settle(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(failed)?;
        (self.sync)(&self.file).map_err(StoreError::Io)
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

/// Takes away what a start that was cut off left half-written, which sled would take for damage: settings of a store that has
/// no data yet, and an unfinished summary of the data. The data itself, and the summary before, are whole: sled touches them
/// only once the new one is synced.
fn clear_half_written(folder: &Path) -> Result<(), StoreError> {
    let data = data(folder)?;
    // Whoever holds the folder may be writing them just now.
    if let Some(Err(TryLockError::WouldBlock)) = data.as_ref().map(File::try_lock) {
        return Err(StoreError::InUse);
    }
    let is_empty = is_empty(data.as_ref())?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is = |end: &str| path.to_string_lossy().ends_with(end);
        if is_empty && path.file_name() == Some(SETTINGS.as_ref()) || is(UNFINISHED) && !is_whole(&fs::read(&path)?) {
            tracing::warn!(file = %path.display(), "a start was cut off while it wrote this file: it is taken away");
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Whether no start has come so far as to keep anything here.
fn is_new(folder: &Path) -> io::Result<bool> {
    is_empty(data(folder)?.as_ref())
}

fn data(folder: &Path) -> io::Result<Option<File>> {
    match File::open(folder.join(DATA)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

fn is_empty(data: Option<&File>) -> io::Result<bool> {
    data.map_or(Ok(true), |data| data.metadata().map(|data| data.len() == 0))
}

fn is_whole(summary: &[u8]) -> bool {
    let parts = summary
        .split_last_chunk()
        .and_then(|(rest, crc)| Some((rest.get(..rest.len().checked_sub(LENGTH_BYTES)?)?, crc)));
    parts.is_some_and(|(content, crc)| crc32fast::hash(content) == u32::from_le_bytes(*crc))
}

fn open(config: &sled::Config, folder: &Path) -> Result<Db, StoreError> {
    clear_half_written(folder)?;
    let opened = config.open().map_err(|error| match error {
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

fn remove_chunks(batch: &mut Batch, key: &str, current: Option<&(Revision, u32, Vec<u8>)>) {
    if let Some((revision, chunks, _)) = current {
        (0..*chunks).for_each(|at| batch.remove(chunk_key(key, *revision, at)));
    }
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
