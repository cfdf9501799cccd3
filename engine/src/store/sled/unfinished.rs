//! What a start that was cut off leaves half-written, and sled would take for damage; and a start that leaves nothing that does not fit.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::{DATA, SETTINGS};
use crate::store::StoreError;

/// How the name of a summary of the data begins, and how it ends while sled writes it.
const SUMMARY: &str = "snap.";
pub(super) const UNFINISHED: &str = ".generating";
/// A place where sled stops on demand.
const SUMMARY_HAS_ITS_NAME: &str = "snap write mv post";
/// On demand of the process: one start at a time.
static STOP: Mutex<()> = Mutex::new(());
/// A summary ends with its length and its checksum.
const LENGTH_BYTES: usize = 8;

/// Takes away what a start that was cut off left half-written, which sled would take for damage: settings of a store that has
/// no data yet, and an unfinished summary of the data. The data itself, and the summary before, are whole: sled touches them
/// only once the new one is synced.
pub(super) fn clear_half_written(folder: &Path) -> Result<(), StoreError> {
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

/// Opens sled so that a loss of power meanwhile leaves a summary of the data that fits the data. sled takes the summary before away and
/// blanks what only that one needed as soon as it has written the next, and syncs no name; what it blanked may be on the disk before the
/// names are. So it stops where the next has its name and nothing was blanked, the names are synced, and it starts again.
pub(super) fn open_in_two(config: &sled::Config, folder: &Path) -> sled::Result<sled::Db> {
    // The summary will tell of what a program wrote that was killed before it synced it.
    if let Some(data) = data(folder)? {
        data.sync_all()?;
    }
    let opened = {
        let _stop = STOP.lock().unwrap_or_else(PoisonError::into_inner);
        sled::fail::set(SUMMARY_HAS_ITS_NAME, 1);
        let opened = config.open();
        sled::fail::reset();
        opened
    };
    let Err(sled::Error::FailPoint) = opened else { return opened };
    File::open(folder)?.sync_all()?;
    let mut summaries = summaries(folder)?;
    summaries.sort();
    summaries.pop();
    summaries.iter().try_for_each(|old| fs::remove_file(folder.join(old)))?;
    config.open()
}

fn summaries(folder: &Path) -> io::Result<Vec<String>> {
    let names =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name().into_string().unwrap_or_default()));
    names.filter(|name| name.as_ref().map_or(true, |name| name.starts_with(SUMMARY))).collect()
}

/// Whether no start has come so far as to keep anything here.
pub(super) fn is_new(folder: &Path) -> io::Result<bool> {
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

pub(super) fn is_whole(summary: &[u8]) -> bool {
    let parts = summary
        .split_last_chunk()
        .and_then(|(rest, crc)| Some((rest.get(..rest.len().checked_sub(LENGTH_BYTES)?)?, crc)));
    parts.is_some_and(|(content, crc)| crc32fast::hash(content) == u32::from_le_bytes(*crc))
}
