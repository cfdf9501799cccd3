//! The folder of a sandbox while it is made: beside where it is to be, for one start at a time, and gone however that ends.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

/// Locked by the start that makes the sandbox.
const LOCK: &str = "lock";
/// How shells call the end by an interrupt.
const EXIT: i32 = 130;

/// The folder that is being made, for whoever has to take it away.
type Made = Arc<Mutex<Option<PathBuf>>>;

/// While this lives, a signal to end ends this process at once, and what it has half made goes with it.
pub(in crate::cli) struct EndsAtOnce {
    made: Made,
    listens: JoinHandle<()>,
}

impl EndsAtOnce {
    pub(super) fn listen() -> io::Result<Self> {
        let made = Made::default();
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let takes = made.clone();
        let listens = tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            let mut made = takes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(path) = made.take() {
                // What can't be removed, or was just being written, goes at the next start.
                let _ = fs::remove_dir_all(path);
                eprintln!("consentry: interrupted: no sandbox was made");
            }
            std::process::exit(EXIT);
        });
        Ok(Self { made, listens })
    }
}

impl Drop for EndsAtOnce {
    fn drop(&mut self) {
        self.listens.abort();
    }
}

/// A sandbox's folder that is not whole yet. It goes unless it is finished.
pub(super) struct Half {
    path: PathBuf,
    made: Made,
    /// Others wait for it.
    _lock: File,
}

impl Half {
    /// Begins with an empty folder: what a start that was killed left there is cleared away. Where another start is making the sandbox,
    /// waits for it; none when that one has made it.
    pub(super) fn begin(folder: &Path, ends: &EndsAtOnce, out: &mut dyn Write) -> anyhow::Result<Option<Self>> {
        let mut path = folder.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        loop {
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => is_ours(&path)?,
                made => made?,
            }
            let file = path.join(LOCK);
            let lock = match OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&file) {
                // It was finished, or given up, just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => continue,
                opened => opened?,
            };
            match lock.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    writeln!(out, "consentry: another start is making this sandbox; waiting for it")?;
                    out.flush()?;
                    lock.lock()?;
                }
                locked => locked?,
            }
            let there = file.metadata().ok();
            let held = lock.metadata()?;
            // Whoever held it may have finished, or given up, and taken the file along.
            if there.is_none_or(|there| (there.dev(), there.ino()) != (held.dev(), held.ino())) {
                if folder.exists() {
                    return Ok(None);
                }
                continue;
            }
            let half = Self { path, made: ends.made.clone(), _lock: lock };
            *half.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(half.path.clone());
            if folder.exists() {
                return Ok(None);
            }
            half.clear()?;
            return Ok(Some(half));
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false if entry.file_name() == LOCK => {}
                false => fs::remove_file(entry.path())?,
            }
        }
        Ok(())
    }

    /// Puts it where it is to be: from now on it stays.
    pub(super) fn finish(self, folder: &Path) -> io::Result<()> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        fs::rename(&self.path, folder)?;
        *made = None;
        drop(made);
        // Only now: until then it kept others away.
        fs::remove_file(folder.join(LOCK))
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        if self.made.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            // What can't be removed is seen: it stands beside where the sandbox was to be.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Refuses what somebody else has put there: the sandbox's keys would be theirs.
fn is_ours(path: &Path) -> anyhow::Result<()> {
    let there = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        there => there.with_context(|| format!("{} can't be looked at", path.display()))?,
    };
    if there.is_dir() && there.uid() == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    bail!("{} is in the way: it is no folder of this account's; take it away, or say another --folder", path.display());
}
