//! The key file: one envelope, AES-256-GCM under a key that scrypt derives from the passphrase, rewritten whole.
//!
//! A file is never changed in place: the new one is written beside it, synced and renamed over it, and the folder is synced.
//! A crash leaves the old file or the new one. Two programs that change it take turns by a lock on it, so that neither loses what
//! the other did.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::secret_file::open_to_others;

/// Marks the file, and names the version of its form.
const MAGIC: &[u8; 16] = b"consentry-keys1\n";
const SALT_BYTES: usize = 32;
/// Magic, cost, salt, nonce: all of it is authenticated.
const HEADER_BYTES: usize = MAGIC.len() + 1 + SALT_BYTES + NONCE_LEN;
/// Largest file that is read: thousands of keys.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How long somebody else may hold it.
const HELD_MAX: Duration = Duration::from_secs(3);
/// How often it is tried meanwhile.
const HELD_AGAIN: Duration = Duration::from_millis(10);

/// What is wrong with the key file. It never says anything about a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// There is a file already.
    #[error("there is a file already: keys are never overwritten, move it away first")]
    Exists,
    /// There is no file.
    #[error("there is no key file: generate one first")]
    Missing,
    /// Others can read it.
    #[error("the key file can be read by others (mode {0:o}): set its mode to 600")]
    Open(u32),
    /// No guess without a passphrase.
    #[error("the passphrase is empty")]
    NoPassphrase,
    /// Too short, too long, or without the marks of a key file.
    #[error("this is no key file, or it is damaged: put a copy of the real one in its place")]
    Form,
    /// Wrong passphrase, or changed by somebody: the two can't be told apart.
    #[error("the passphrase is wrong, or the key file is damaged")]
    Damaged,
    /// Somebody does not let go of it.
    #[error(
        "another program holds a lock on the key file, and did not let go of it for {} s: `lslocks` names it; nothing was changed",
        HELD_MAX.as_secs()
    )]
    Held,
    /// The disk.
    #[error("the key file can't be read or written")]
    Io(#[from] io::Error),
}

/// How much a guess at the passphrase costs: the binary logarithm of scrypt's N; r is 8 and p is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost(u8);

impl Cost {
    /// 128 MiB, and about half a second.
    pub(super) const FULL: Self = Self(17);
    /// The cheapest that is opened: 16 MiB.
    pub(super) const LEAST: Self = Self(14);
    /// The dearest that is opened, so that a file can't ask for all memory: 1 GiB.
    const MOST: Self = Self(20);
}

/// Where the keys are, and what opens them.
#[derive(Clone)]
pub(super) struct KeyFile {
    path: PathBuf,
    passphrase: SecretString,
    cost: Cost,
    derived: Arc<Mutex<Option<Derived>>>,
}

/// A salt, and the key that it and the passphrase give. It is kept for as long as the passphrase is, since a file is written with
/// every erasure.
struct Derived {
    salt: [u8; SALT_BYTES],
    key: Zeroizing<[u8; 32]>,
}

/// Tells one version of the file from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    device: u64,
    inode: u64,
    bytes: u64,
    written: (i64, i64),
}

impl Version {
    fn of(file: &Metadata) -> Self {
        let written = (file.mtime(), file.mtime_nsec());
        Self { device: file.dev(), inode: file.ino(), bytes: file.len(), written }
    }
}

impl KeyFile {
    /// Names a file that does not exist yet.
    pub(super) fn create(path: &Path, passphrase: SecretString, cost: Cost) -> Result<Self, KeyFileError> {
        if passphrase.expose_secret().is_empty() {
            return Err(KeyFileError::NoPassphrase);
        }
        if path.symlink_metadata().is_ok() {
            return Err(KeyFileError::Exists);
        }
        Ok(Self { path: path.to_owned(), passphrase, cost, derived: Arc::default() })
    }

    /// Opens a file.
    pub(super) fn open(path: &Path, passphrase: SecretString) -> Result<(Self, Opened), KeyFileError> {
        // Where the name is a link, the file that it leads to is rewritten, and none is left behind there.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut file = Self { path, passphrase, cost: Cost::FULL, derived: Arc::default() };
        let (opened, cost) = file.opened()?;
        file.cost = cost;
        Ok((file, opened))
    }

    /// What is in it now, and what a guess at its passphrase costs.
    fn opened(&self) -> Result<(Opened, Cost), KeyFileError> {
        let file = there(&self.path)?;
        let metadata = file.metadata()?;
        if let Some(mode) = open_to_others(&metadata) {
            return Err(KeyFileError::Open(mode));
        }
        let mut envelope = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut envelope)?;
        if envelope.len() < HEADER_BYTES || envelope.len() as u64 > FILE_BYTES_MAX {
            return Err(KeyFileError::Form);
        }
        let (header, sealed) = envelope.split_at(HEADER_BYTES);
        let (magic, rest) = header.split_at(MAGIC.len());
        let cost = Cost(rest[0]);
        if magic != MAGIC || !(Cost::LEAST.0..=Cost::MOST.0).contains(&cost.0) {
            return Err(KeyFileError::Form);
        }
        let (salt, nonce) = rest[1..].split_at(SALT_BYTES);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyFileError::Damaged)?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let length = self
            .cipher(salt, cost)?
            .open_in_place(nonce, Aad::from(header), &mut bytes)
            .map_err(|_| KeyFileError::Damaged)?
            .len();
        bytes.truncate(length);
        let version = Version::of(&metadata);
        Ok((Opened { bytes, version }, cost))
    }

    /// What is in it now.
    pub(super) fn read(&self) -> Result<Opened, KeyFileError> {
        self.opened().map(|(opened, _)| opened)
    }

    /// Which version is there.
    pub(super) fn version(&self) -> Result<Version, KeyFileError> {
        Ok(Version::of(&fs::metadata(&self.path)?))
    }

    /// Keeps everybody else from changing it, as long as what is returned lives. Blocks until it is free, for some seconds
    /// at the most: whoever may open the file may also hold it, and erasing must not wait for them.
    pub(super) fn hold(&self) -> Result<File, KeyFileError> {
        let until = Instant::now() + HELD_MAX;
        loop {
            let file = there(&self.path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(HELD_AGAIN);
                    continue;
                }
                Err(TryLockError::WouldBlock) => return Err(KeyFileError::Held),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            // Whoever held it may have put another file in its place.
            if Version::of(&file.metadata()?) == self.version()? {
                return Ok(file);
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the first version. Of two who do it at once, one fails.
    pub(super) fn write_new(&self, bytes: &[u8]) -> Result<Version, KeyFileError> {
        let (written, version) = self.write_beside(bytes)?;
        let linked = fs::hard_link(&written, &self.path);
        fs::remove_file(&written)?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(KeyFileError::Exists),
            linked => Ok(linked.and_then(|()| sync_folder(&self.path)).map(|()| version)?),
        }
    }

    /// Puts a new version in the place of the old one.
    pub(super) fn replace(&self, bytes: &[u8]) -> Result<Version, KeyFileError> {
        let (written, version) = self.write_beside(bytes)?;
        fs::rename(written, &self.path)?;
        sync_folder(&self.path)?;
        Ok(version)
    }

    /// The cipher of an envelope. Costs what a guess costs, unless the salt is the one before.
    fn cipher(&self, salt: &[u8], cost: Cost) -> Result<LessSafeKey, KeyFileError> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let key = match derived.take().filter(|derived| derived.salt == salt) {
            Some(known) => known.key,
            None => derive(&self.passphrase, salt, cost)?,
        };
        let cipher = UnboundKey::new(&AES_256_GCM, key.as_slice()).map(LessSafeKey::new);
        *derived = salt.try_into().ok().map(|salt| Derived { salt, key });
        cipher.map_err(|_| KeyFileError::Damaged)
    }

    /// Writes an envelope under a fresh nonce, and the salt that is known, into a new file beside the real one, and syncs it.
    fn write_beside(&self, bytes: &[u8]) -> Result<(PathBuf, Version), KeyFileError> {
        let mut header = [0; HEADER_BYTES];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        header[MAGIC.len()] = self.cost.0;
        aws_lc_rs::rand::fill(&mut header[MAGIC.len() + 1..]).map_err(|_| io::Error::other("no randomness"))?;
        if let Some(known) = self.derived.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            header[MAGIC.len() + 1..][..SALT_BYTES].copy_from_slice(&known.salt);
        }
        let (salt, nonce) = header[MAGIC.len() + 1..].split_at(SALT_BYTES);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyFileError::Damaged)?;
        let mut sealed = Zeroizing::new(bytes.to_vec());
        let tag = self
            .cipher(salt, self.cost)?
            .seal_in_place_separate_tag(nonce, Aad::from(&header), &mut sealed)
            .map_err(|_| KeyFileError::Damaged)?;

        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        // One left over by a crash is ours: there is one writer at a time.
        match fs::remove_file(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let written = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name)?;
            for part in [&header[..], &sealed, tag.as_ref()] {
                file.write_all(part)?;
            }
            file.sync_all()?;
            Ok(Version::of(&file.metadata()?))
        };
        let version: io::Result<Version> = written();
        let version = version.inspect_err(|_| {
            // It holds the room that is missing. What can't be removed now is in the next write's way, and goes then.
            let _ = fs::remove_file(&name);
        })?;
        Ok((name.into(), version))
    }
}

/// What a file held.
pub(super) struct Opened {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) version: Version,
}

fn there(path: &Path) -> Result<File, KeyFileError> {
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => KeyFileError::Missing,
        _ => error.into(),
    })
}

fn derive(passphrase: &SecretString, salt: &[u8], cost: Cost) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let mut key = Zeroizing::new([0; 32]);
    let params = scrypt::Params::new(cost.0, 8, 1, key.len()).map_err(|_| KeyFileError::Damaged)?;
    scrypt::scrypt(passphrase.expose_secret().as_bytes(), salt, &params, key.as_mut_slice())
        .map_err(|_| KeyFileError::Damaged)?;
    Ok(key)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
