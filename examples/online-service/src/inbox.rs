//! What was received, one file for each parcel, named by the parcel's id. The id is the idempotency key: however often a
//! parcel is told or fetched, it is kept once. A file is there whole or not at all, and readable by its owner alone.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::parcel::Opened;

/// A folder of received parcels.
#[derive(Debug, Clone)]
pub struct Inbox(PathBuf);

/// Whether a parcel was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It was not here before.
    New,
    /// It was here, and is left as it was.
    Again,
}

impl Inbox {
    /// Uses this folder, and makes it if it is not there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self(folder.to_owned()))
    }

    /// Whether a parcel is here.
    pub fn has(&self, parcel: &str) -> bool {
        self.file(parcel).is_some_and(|file| file.exists())
    }

    /// What a parcel holds.
    ///
    /// # Errors
    /// It is not here, or can't be read.
    pub fn read(&self, parcel: &str) -> std::io::Result<Value> {
        let file = self.file(parcel).ok_or(std::io::ErrorKind::NotFound)?;
        Ok(serde_json::from_slice(&std::fs::read(file)?)?)
    }

    /// The ids of all parcels, oldest first.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn list(&self) -> std::io::Result<Vec<String>> {
        let mut ids = vec![];
        for entry in std::fs::read_dir(&self.0)? {
            ids.extend(entry?.file_name().to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
        }
        ids.sort();
        Ok(ids)
    }

    /// Keeps a parcel, once. When this returns, it is on the disk: only then may it be acknowledged.
    ///
    /// # Errors
    /// What the file system says; nothing half-written stays.
    pub fn keep(&self, parcel: &Opened) -> std::io::Result<Kept> {
        let file = self.file(&parcel.id).ok_or(std::io::ErrorKind::InvalidInput)?;
        if file.exists() {
            return Ok(Kept::Again);
        }
        let half = file.with_extension("half");
        let written = write(&half, &parcel.content).and_then(|()| std::fs::rename(&half, &file));
        if written.is_err() {
            let _ = std::fs::remove_file(&half);
        }
        written?;
        File::open(&self.0)?.sync_all()?;
        Ok(Kept::New)
    }

    /// Ids name files here: nothing but `pcl_` and letters and digits does.
    fn file(&self, parcel: &str) -> Option<PathBuf> {
        let rest = parcel.strip_prefix("pcl_")?;
        let plain = rest.len() == 26 && rest.bytes().all(|b| b.is_ascii_alphanumeric());
        plain.then(|| self.0.join(format!("{parcel}.json")))
    }
}

fn write(path: &Path, content: &Value) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content.to_string().as_bytes())?;
    file.sync_all()
}
