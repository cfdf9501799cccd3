//! A receiver on this machine: a file. It has received something once the bytes are on the disk under their name, and only
//! then may the caller acknowledge them.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Writes a file whole, readable by its owner only, and returns once it is durable. An earlier file of that name is replaced
/// in one step; after a crash there is the old one or the new one.
///
/// # Errors
/// The disk's. Nothing is left under the name that was not there before.
pub fn receive(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let partial = partial(path);
    let written = write_whole(&partial, bytes).and_then(|()| std::fs::rename(&partial, path));
    if let Err(error) = written {
        // The half-written file may be there; if it can't be removed either, the first error tells more.
        let _ = std::fs::remove_file(&partial);
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_there_whole_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parcel.json");
        receive(&path, b"first").unwrap();
        receive(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_can_not_be_written_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        assert!(receive(&path, b"bytes").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(receive(&folder.path().join("no/such/folder"), b"bytes").is_err());
    }
}
