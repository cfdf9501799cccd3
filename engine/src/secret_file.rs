//! Secrets that stand in files: read within a bound, and, where the file is the engine's own, only if nobody else can read
//! it. It never says what a file holds.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Largest secret that is read from a file, in bytes.
pub(crate) const SECRET_BYTES_MAX: usize = 64 * 1024;

/// What the path of a credential of systemd begins with: `$CREDENTIALS_DIRECTORY/NAME`.
const CREDENTIALS: &str = "$CREDENTIALS_DIRECTORY";

/// A path as a configuration in `folder` means it.
pub(crate) fn beside(folder: &Path, path: &Path) -> PathBuf {
    if path.starts_with(CREDENTIALS) { path.to_owned() } else { folder.join(path) }
}

/// The file of a credential that systemd hands this service.
fn credential(path: &Path) -> io::Result<Option<PathBuf>> {
    let Ok(name) = path.strip_prefix(CREDENTIALS) else { return Ok(None) };
    let told = "this service has no credentials: see LoadCredential= of systemd";
    // The variable names a folder and holds no secret; systemd says it in no other way.
    let folder =
        std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, told))?;
    Ok(Some(Path::new(&folder).join(name)))
}

/// Reads a secret whole. A pipe will do, a device without an end is refused.
///
/// # Errors
/// The disk's, or the file is too large.
pub(crate) fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    bounded(File::open(credential(path)?.as_deref().unwrap_or(path))?)
}

/// Reads a secret that was written as one line: an editor's line end is no part of it. A blank, also the last one, is.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_line(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    read(path).map(without_line_end)
}

/// As [`read_line`], for a file that is the engine's alone.
///
/// # Errors
/// As [`read_private`].
pub(crate) fn read_private_line(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    read_private(path).map(without_line_end)
}

fn without_line_end(mut line: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    line
}

/// As [`read`], for a file that is the engine's alone.
///
/// # Errors
/// As [`read`], or others can read the file.
pub(crate) fn read_private(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // Its folder is the service's alone; its own mode may show the mask of an access list.
    if let Some(credential) = credential(path)? {
        return bounded(File::open(credential)?);
    }
    let file = File::open(path)?;
    if let Some(mode) = open_to_others(&file.metadata()?) {
        let told = format!("it can be read by others (mode {mode:o}): set its mode to 600");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, told));
    }
    bounded(file)
}

/// The mode, if it lets anybody but the owner at the file.
pub(crate) fn open_to_others(file: &Metadata) -> Option<u32> {
    let mode = file.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

fn bounded(file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it at once: growing would leave copies behind.
    let mut secret = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 1));
    file.take(SECRET_BYTES_MAX as u64 + 1).read_to_end(&mut secret)?;
    if secret.len() > SECRET_BYTES_MAX {
        let told = format!("it is larger than {SECRET_BYTES_MAX} bytes, which no secret is");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, told));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_file_without_an_end_is_no_secret() {
        let error = read(Path::new("/dev/zero")).unwrap_err();
        assert!(error.to_string().contains("larger than 65536 bytes"), "{error}");
    }

    #[test]
    fn of_a_line_its_end_is_cut_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        for (written, meant) in [
            ("horse", "horse"),
            ("horse\n", "horse"),
            ("horse\r\n", "horse"),
            ("horse \n", "horse "),
            (" horse\t\r\n", " horse\t"),
            ("horse\n\n", "horse\n"),
            ("horse\r", "horse\r"),
            ("\n", ""),
            ("", ""),
        ] {
            fs::write(&path, written).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            for read in [read_line, read_private_line] {
                assert_eq!(read(&path).unwrap().as_slice(), meant.as_bytes(), "{written:?}");
            }
        }
    }

    #[test]
    fn a_private_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        fs::write(&path, "horse").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let error = read_private(&path).unwrap_err();
        assert!(error.to_string().contains("mode 640"), "{error}");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_private(&path).unwrap().as_slice(), b"horse");
    }
}
