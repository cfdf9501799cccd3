//! A receiver on this machine: a file. It has received something once the bytes are on the disk under their name, and only
//! then may the caller acknowledge them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::entropy::Entropy;

/// Enough that a full disk is seen.
const BLOCK_BYTES: usize = 4096;
/// Who may read a file: its owner, or whoever the process's mask lets.
const OWNER: u32 = 0o600;
const EVERYBODY: u32 = 0o666;

/// Tells which file is written for a name: a symbolic link leads to its file, which must exist. What is no regular file (a
/// device, a pipe, a folder) is refused: to replace it would take it from whoever uses it.
///
/// # Errors
/// The refusal, or the disk's.
pub fn target(path: &Path) -> io::Result<PathBuf> {
    let kind = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path.to_owned()),
        found => found?.file_type(),
    };
    let target = if kind.is_symlink() { path.canonicalize()? } else { path.to_owned() };
    if target.metadata()?.is_file() {
        return Ok(target);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file: only such a file is replaced"))
}

/// Whether a file of this name could be written: one of a block is made beside it, and removed. For whoever wants to know before all the work.
///
/// # Errors
/// As [`receive`].
pub fn can_receive(path: &Path, entropy: &Entropy) -> io::Result<()> {
    Half::beside(&target(path)?, &[0; BLOCK_BYTES], OWNER, entropy).map(drop)
}

/// Writes a file whole, readable by its owner only, and returns once it is durable. An earlier file of that name is replaced
/// in one step; after a crash there is the old one or the new one. Until then it is written beside it, under a name that
/// nobody can guess, to a file that was not there before: what others may have put into the folder is never followed.
///
/// # Errors
/// As [`target`], or the disk's. Nothing half-written is left.
pub fn receive(path: &Path, bytes: &[u8], entropy: &Entropy) -> io::Result<()> {
    replace(&target(path)?, bytes, OWNER, entropy)
}

/// As [`receive`], for what is no secret: whoever the process's mask lets may read it.
///
/// # Errors
/// As [`receive`].
pub fn publish(path: &Path, bytes: &[u8], entropy: &Entropy) -> io::Result<()> {
    replace(&target(path)?, bytes, EVERYBODY, entropy)
}

/// Writes the two halves of a key to new files, the secret one for its owner alone: both, or none.
///
/// # Errors
/// There is such a file, which is left as it is, or the disk's.
pub fn create_pair(secret: (&Path, &[u8]), public: (&Path, &[u8]), entropy: &Entropy) -> io::Result<()> {
    create(secret.0, secret.1, OWNER, entropy)?;
    create(public.0, public.1, EVERYBODY, entropy).inspect_err(|_| drop(Half(secret.0.to_owned())))
}

fn replace(path: &Path, bytes: &[u8], mode: u32, entropy: &Entropy) -> io::Result<()> {
    let mut half = Half::beside(path, bytes, mode, entropy)?;
    std::fs::rename(&half.0, path)?;
    half.0.clear();
    File::open(folder_of(path))?.sync_all()
}

fn create(path: &Path, bytes: &[u8], mode: u32, entropy: &Entropy) -> io::Result<()> {
    let half = Half::beside(path, bytes, mode, entropy)?;
    std::fs::hard_link(&half.0, path)?;
    drop(half);
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A file under a name of its own, in the folder of the one that it is to be. It goes unless it got that name.
struct Half(PathBuf);

impl Half {
    /// Writes all of it, durably, to a new file.
    fn beside(path: &Path, bytes: &[u8], mode: u32, entropy: &Entropy) -> io::Result<Self> {
        let mut secret = [0; 16];
        entropy.with(|rng| rng.fill_bytes(&mut secret));
        let name = folder_of(path).join(format!(".{}.partial", hex::encode(secret)));
        // Made by us or not at all: also a link or a pipe under this name is an error.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&name)?;
        let half = Self(name);
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(half)
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        if self.0.as_os_str().is_empty() {
            return;
        }
        // If it can't be removed either, the first error tells more.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::fixtures::disk::{Disk, Recorded, lose_power, record};
    use crate::fixtures::entropy;

    fn version(number: usize) -> Vec<u8> {
        vec![u8::try_from(number).unwrap(); 10_000 * number]
    }

    #[test]
    #[ignore = "runs only as the child of the next test"]
    fn receiver_that_is_recorded() {
        let Some(mut recorded) = Recorded::child() else { return };
        for number in 1..6 {
            recorded.begin();
            receive(&recorded.folder.join("parcel.json"), &version(number), &Entropy::system()).unwrap();
            recorded.acknowledged();
        }
    }

    #[test]
    fn what_was_received_survives_a_loss_of_power() {
        let calls = record("forward::file::tests::receiver_that_is_recorded", &[]);
        let wrong = |folder: &Path, begun, acknowledged| {
            let found = std::fs::read(folder.join("parcel.json")).unwrap_or_default();
            let right = found == version(acknowledged) || found == version(begun);
            (!right).then(|| format!("{} bytes after {acknowledged} of {begun}", found.len()))
        };
        assert_eq!(lose_power(Disk::default(), &calls, 200, wrong), [""; 0]);
        assert!(!lose_power(Disk::that_ignores_syncs(), &calls, 200, wrong).is_empty());
    }

    #[test]
    fn whether_a_file_can_be_written_is_known_before_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        can_receive(&folder.path().join("parcel.json"), &Entropy::system()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        for nowhere in ["missing/parcel.json", "."] {
            can_receive(&folder.path().join(nowhere), &Entropy::system()).unwrap_err();
        }
    }

    #[test]
    fn what_others_planted_in_the_folder_is_never_followed() {
        let folder = tempfile::tempdir().unwrap();
        let [path, elsewhere] = ["parcel.json", "elsewhere"].map(|name| folder.path().join(name));
        std::fs::write(&elsewhere, b"theirs").unwrap();
        // Under the name that is easy to guess, and, with a generator that is known, under the very name.
        let mut secret = [0; 16];
        entropy().with(|rng| rng.fill_bytes(&mut secret));
        let names = ["parcel.json.partial".to_owned(), format!(".{}.partial", hex::encode(secret))];
        for name in &names {
            std::os::unix::fs::symlink(&elsewhere, folder.path().join(name)).unwrap();
        }
        assert!(receive(&path, b"ours", &entropy()).is_err(), "the very name is taken");
        assert!(!path.exists());
        receive(&path, b"ours", &Entropy::system()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"ours");
        assert_eq!(std::fs::read(&elsewhere).unwrap(), b"theirs");
        assert!(names.iter().all(|name| folder.path().join(name).is_symlink()), "what is theirs stays");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn a_file_is_there_whole_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parcel.json");
        receive(&path, b"first", &entropy()).unwrap();
        receive(&path, b"second", &entropy()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_leads_to_its_file_and_what_is_no_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let [real, link, socket] = ["real", "link", "socket"].map(|name| folder.path().join(name));
        std::fs::write(&real, b"before").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        receive(&link, b"after", &entropy()).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&real).unwrap(), b"after");

        let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let refused = receive(&socket, b"bytes", &entropy()).unwrap_err();
        assert!(refused.to_string().contains("no regular file"), "{refused}");
        std::fs::remove_file(&real).unwrap();
        assert!(receive(&link, b"bytes", &entropy()).is_err(), "a link to nothing");
        assert!(link.is_symlink() && socket.exists() && !real.exists());
    }

    #[test]
    fn what_can_not_be_written_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        assert!(receive(&path, b"bytes", &entropy()).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(receive(&folder.path().join("no/such/folder"), b"bytes", &entropy()).is_err());
    }

    #[test]
    fn of_a_pair_there_are_both_or_none_and_nobody_elses_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let [secret, public] = ["key", "pub"].map(|name| folder.path().join(name));
        let pair = || create_pair((&secret, b"secret"), (&public, b"public"), &entropy());
        std::fs::write(&public, b"theirs").unwrap();
        assert_eq!(pair().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&public).unwrap(), b"theirs");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no half");
        std::fs::remove_file(&public).unwrap();
        pair().unwrap();
        assert_eq!(secret.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(pair().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
