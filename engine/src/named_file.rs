//! Files that somebody names, on a command line or in a configuration: read whole, within a bound. What is larger, or has no end, is refused
//! unread.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Largest configuration, public key or page of policy, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 1 << 20;

/// The file's bytes.
///
/// # Errors
/// The disk's, or it has more than `most`.
pub(crate) fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

/// The file's text.
///
/// # Errors
/// As [`read`], or it is no UTF-8.
pub(crate) fn read_text(path: &Path, most: usize) -> io::Result<String> {
    let text = String::from_utf8(read(path, most)?);
    text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text (UTF-8)"))
}
