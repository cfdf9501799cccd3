//! The key pairs. The public halves are registered with the engine, the private halves stay in a file each: one opens every parcel, the
//! other one signs what we say. In production they belong into an HSM.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use consentry::jose::{Algorithm, PrivateKey};
use zeroize::Zeroizing;

/// A PKCS#8 of an RSA-4096 key has 2.4 kB.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file can't be read or written.
    #[error("the key file {} can't be read or written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("{} holds no RSA-4096 private key in PKCS#8 DER", path.display())]
    Content {
        /// Which.
        path: PathBuf,
    },
    /// The library made none.
    #[error("no key could be made")]
    Generate,
}

/// Reads the key, or makes one and keeps it in a new file that only its owner can read.
///
/// # Errors
/// [`KeyError`]. An existing file is never overwritten.
pub fn read_or_make(path: &Path, algorithm: Algorithm) -> Result<PrivateKey, KeyError> {
    let file_error = |source| KeyError::File { path: path.to_owned(), source };
    match File::open(path) {
        Ok(file) => {
            let mut pkcs8 = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize));
            file.take(FILE_BYTES_MAX).read_to_end(&mut pkcs8).map_err(file_error)?;
            PrivateKey::from_pkcs8(algorithm, &pkcs8).map_err(|_| KeyError::Content { path: path.to_owned() })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = PrivateKey::generate(algorithm).map_err(|_| KeyError::Generate)?;
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(file_error)?;
            file.write_all(&key.danger_to_pkcs8()).and_then(|()| file.sync_all()).map_err(file_error)?;
            Ok(key)
        }
        Err(error) => Err(file_error(error)),
    }
}
