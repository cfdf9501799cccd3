//! Small files that are replaced whole, and never changed in place: a crash leaves the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::task::spawn_blocking;

use super::{RESERVE_BYTES, StoreError, has_room_for};

/// How the name of a file ends while it is written.
const UNFINISHED: &str = ".new";

/// Whether a write may use the reserve of the disk: what makes something go may, what makes it grow may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// It grows.
    Free,
    /// It lets something go.
    Reserve,
}

/// The port for files. A write that returns is durable; one that fails left the old file or put the new one in its place.
#[async_trait]
pub(crate) trait Files: Send + Sync {
    /// The names of all files.
    async fn list(&self) -> Result<Vec<String>, StoreError>;

    /// Reads a file.
    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Puts a file in the place of the one before.
    async fn replace(&self, name: &str, bytes: Vec<u8>, room: Room) -> Result<(), StoreError>;

    /// Takes a file away. To take away what is not there changes nothing.
    async fn remove(&self, name: &str) -> Result<(), StoreError>;
}

/// The files of one folder.
#[derive(Debug, Clone)]
pub(crate) struct FolderFiles {
    folder: PathBuf,
}

impl FolderFiles {
    /// Opens a folder, which is made if it is not there, and clears away what a crash left half-written of the files that are ours:
    /// others may be writing theirs.
    pub(crate) async fn open(
        folder: &Path,
        is_ours: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Self, StoreError> {
        let folder = folder.to_owned();
        blocking(move || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if name.strip_suffix(UNFINISHED).is_some_and(&is_ours) && path.is_file() {
                    fs::remove_file(&path)?;
                }
            }
            sync(&folder)?;
            if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
                sync(above)?;
            }
            Ok(Self { folder })
        })
        .await
    }
}

#[async_trait]
impl Files for FolderFiles {
    async fn list(&self) -> Result<Vec<String>, StoreError> {
        let folder = self.folder.clone();
        blocking(move || {
            let mut names = vec![];
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    names.extend(entry.file_name().into_string().ok());
                }
            }
            names.sort();
            Ok(names)
        })
        .await
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.folder.join(name);
        blocking(move || match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => Ok(Some(read?)),
        })
        .await
    }

    async fn replace(&self, name: &str, bytes: Vec<u8>, room: Room) -> Result<(), StoreError> {
        let (this, path) = (self.clone(), self.folder.join(name));
        blocking(move || {
            if room == Room::Free {
                has_room_for(&this.folder, RESERVE_BYTES, bytes.len())?;
            }
            let unfinished =
                this.folder.join(format!("{}{UNFINISHED}", path.file_name().unwrap_or_default().display()));
            let written = || {
                // One left over by a crash is ours: there is one writer at a time.
                let mut file =
                    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
                file.write_all(&bytes)?;
                file.sync_all()?;
                fs::rename(&unfinished, &path)
            };
            written().inspect_err(|_| {
                // It holds the room that is missing. What can't be removed now is written over, or goes at the next start.
                let _ = fs::remove_file(&unfinished);
            })?;
            Ok(sync(&this.folder)?)
        })
        .await
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        let (folder, path) = (self.folder.clone(), self.folder.join(name));
        blocking(move || match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => Ok(removed.and_then(|()| sync(&folder))?),
        })
        .await
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    spawn_blocking(work).await.map_err(|_| StoreError::Interrupted)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_that_fails_leaves_nothing_half_written() {
        let folder = tempfile::tempdir().unwrap();
        let files = FolderFiles::open(folder.path(), |_| true).await.unwrap();
        // What no file can replace.
        fs::create_dir(folder.path().join("roots")).unwrap();
        files.replace("roots", vec![1; 100], Room::Reserve).await.unwrap_err();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["roots"]);
    }
}
