//! A disk that can be filled, as only root can make one.

use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::aloud;

/// What fills it.
const FILL: &str = "fill";

/// A file system in memory of its own, mounted at a folder; gone with its value.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of so many kibibytes at a folder, which is made where it is missing, for everybody's use. None, and it is said aloud,
    /// for whoever may not mount.
    pub fn at(folder: &Path, kibibytes: u32) -> Option<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).ok()?;
        let disk = Self(folder.to_owned());
        let mode = std::fs::metadata(folder).ok()?.permissions().mode() & 0o7777;
        if disk.mount(&format!("size={kibibytes}k,mode={mode:o}")) {
            return Some(disk);
        }
        aloud("NOT RUN: a full disk: only root may mount one");
        None
    }

    /// Gives it so many kibibytes.
    ///
    /// # Panics
    /// It is not mounted any more.
    pub fn resize(&self, kibibytes: u32) {
        assert!(self.mount(&format!("remount,size={kibibytes}k")), "{self:?} keeps its size");
    }

    fn mount(&self, options: &str) -> bool {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(&self.0).output();
        mounted.is_ok_and(|output| output.status.success())
    }

    /// Leaves no byte of it free.
    ///
    /// # Panics
    /// Its file can't be made.
    pub fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.0.join(FILL)).expect("a file on the disk");
        while file.write(&[0; 4096]).map_err(|error| assert_eq!(error.kind(), io::ErrorKind::StorageFull)).is_ok() {}
    }

    /// Takes away what filled it.
    ///
    /// # Panics
    /// Nothing did.
    pub fn clear(&self) {
        std::fs::remove_file(self.0.join(FILL)).expect("it was filled");
    }

    /// The files that stand on it besides, also in folders, each with its size in bytes.
    ///
    /// # Panics
    /// It can't be read.
    pub fn list(&self) -> Vec<(String, u64)> {
        let mut found = vec![];
        list(&self.0, "", &mut found);
        found.retain(|(name, _)| name != FILL);
        found.sort();
        found
    }
}

fn list(folder: &Path, before: &str, found: &mut Vec<(String, u64)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry of it");
        let (name, facts) = (format!("{before}{}", entry.file_name().display()), entry.metadata().expect("its facts"));
        if facts.is_dir() {
            list(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push((name, facts.len()));
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}
