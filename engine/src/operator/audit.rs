//! The audit log: every deed of an operator, whichever door it came through (row R18, twelve months).
//!
//! An entry is written before the deed is done, so that nothing is done that is not in the log; a deed that is refused after that
//! stands there as asked for. It has opaque names by type: an operator's id or the number of an account of the machine, a [`Deed`], and
//! [`About`], which is a name of the machine's or a hash, never a sentence.
//!
//! The store belongs to the engine that runs. So the command line leaves its entries in a folder of the data folder that only its owner
//! can write ([`leave`]), and the next engine that looks takes them into the store.

use std::fmt;
use std::fs::Metadata;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, fchown};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::Deed;
use crate::entropy::Entropy;
use crate::erase::retention::{R18SecurityAuditLog, Term};
use crate::id::{EventId, OperatorId};
use crate::rights::declared::{Declared, Erase, Export, Rectify, Restrict};
use crate::store::{Expect, Record, Shelf, Shelves, StoreError};

/// Longest name of what a deed was about, in bytes.
const ABOUT_BYTES_MAX: usize = 128;
/// How the files of entries end that wait for an engine.
const LEFT: &str = "entry";

/// One deed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Names it.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// What.
    pub deed: Deed,
    /// About what, where it is about one thing.
    pub about: Option<About>,
}

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// An operator who showed a key.
    Operator(OperatorId),
    /// Whoever used the command line, as this account of the machine.
    Account(u32),
    /// The engine itself, by a rule that the operator set.
    Node,
}

/// What a deed was about: a name of the machine's (an id, a digest, a connector's source), or the hash of anything else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct About(String);

impl About {
    /// Names a thing. What is no plain name is hashed, so that no sentence ever stands in the log.
    #[must_use]
    pub fn of(name: impl fmt::Display) -> Self {
        let name = name.to_string();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b);
        if !name.is_empty() && name.len() <= ABOUT_BYTES_MAX && name.bytes().all(plain) {
            return Self(name);
        }
        Self(format!("sha256:{}", hex::encode(Sha256::digest(name.as_bytes()))))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<About> for String {
    fn from(about: About) -> Self {
        about.0
    }
}

impl From<String> for About {
    fn from(name: String) -> Self {
        Self::of(name)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(id) => write!(f, "{id}"),
            Self::Account(number) => write!(f, "account:{number}"),
            Self::Node => f.write_str("node"),
        }
    }
}

/// A text that names nobody who could do a deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("whoever did it is `opr_…`, `account:NUMBER` or `node`")]
pub struct NotAnActor;

impl FromStr for Actor {
    type Err = NotAnActor;

    fn from_str(text: &str) -> Result<Self, NotAnActor> {
        if text == "node" {
            return Ok(Self::Node);
        }
        match text.strip_prefix("account:") {
            Some(number) => number.parse().map(Self::Account).map_err(|_| NotAnActor),
            None => text.parse().map(Self::Operator).map_err(|_| NotAnActor),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Record for Entry {
    const NAMESPACE: &'static str = "deed";
    const RIGHTS: Declared = Declared {
        export: Export::NotPersonal,
        rectify: Rectify::ByStatement,
        erase: Erase::AtTheEndOfItsPeriod,
        restrict: Restrict::NothingIsDoneWithIt,
    };
    type Row = R18SecurityAuditLog;
}

/// The audit log of a node.
pub struct Audit {
    shelf: Shelf<R18SecurityAuditLog>,
    entropy: Arc<Entropy>,
}

impl Audit {
    /// On these shelves.
    #[must_use]
    pub fn new(shelves: &Shelves, entropy: Arc<Entropy>) -> Self {
        Self { shelf: shelves.shelf(), entropy }
    }

    /// Notes a deed that is about to be done.
    ///
    /// # Errors
    /// [`StoreError`]: it is not in the log, and must not be done.
    pub async fn note(&self, by: Actor, deed: Deed, about: Option<About>, now: Timestamp) -> Result<(), StoreError> {
        self.keep(&entry(by, deed, about, &self.entropy, now)).await
    }

    /// Every entry that is kept, the first one first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        let mut all = Vec::new();
        // Names are ids, which sort by time.
        for name in self.shelf.names::<Entry>().await? {
            all.extend(self.shelf.get::<Entry>(&name).await?.map(|stored| stored.value));
        }
        Ok(all)
    }

    /// Takes in what the command line left. To take an entry in again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`]: what is left is taken in the next time.
    pub async fn take_in(&self, folder: &Path) -> Result<(), StoreError> {
        // None there is next to always the case.
        let Ok(files) = std::fs::read_dir(folder) else { return Ok(()) };
        for path in files.filter_map(|file| Some(file.ok()?.path())) {
            if path.extension().is_none_or(|end| end != LEFT) {
                continue;
            }
            match crate::secret_file::read_private(&path).map(|bytes| serde_json::from_slice::<Entry>(&bytes)) {
                Ok(Ok(entry)) => self.keep(&entry).await?,
                Ok(Err(error)) => tracing::error!(file = %path.display(), %error, "this is no entry of the audit log"),
                // Somebody else takes it in at the same time.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    tracing::error!(file = %path.display(), %error, "an entry of the audit log can't be read");
                    continue;
                }
            }
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    async fn keep(&self, entry: &Entry) -> Result<(), StoreError> {
        self.shelf.put(&entry.id.to_string(), entry, Expect::Any, Term::from(entry.at)).await.map(drop)
    }
}

/// Leaves an entry for the engine of this node, durably, before the deed is done.
///
/// # Errors
/// The disk's: it is not in the log, and must not be done.
pub fn leave(
    folder: &Path,
    (by, deed, about): (Actor, Deed, Option<About>),
    entropy: &Entropy,
    now: Timestamp,
) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let owner = folder.parent().map(std::fs::metadata).transpose()?;
    let owner = owner.filter(|owner| matches!(by, Actor::Account(0)) && owner.uid() != 0);
    // A link in its place leads where the node's account has no business.
    let directory = rustix::fs::open(folder, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let entry = entry(by, deed, about, entropy, now);
    let name = format!("{}.{LEFT}", entry.id);
    crate::forward::file::receive(&folder.join(&name), &serde_json::to_vec(&entry)?, entropy)?;
    match owner {
        Some(owner) => hand_over(&directory, &name, &owner),
        None => Ok(()),
    }
}

/// Where root uses the command line of a node that runs under an account of its own, that account has to read what was left. By
/// descriptors: the account can put something else in the place of a name at any moment.
fn hand_over(directory: &OwnedFd, name: &str, to: &Metadata) -> io::Result<()> {
    let entry = rustix::fs::openat(directory, name, OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let (folder, file) = (rustix::fs::fstat(directory)?, rustix::fs::fstat(&entry)?);
    if ![0, to.uid()].contains(&folder.st_uid) || file.st_uid != 0 || file.st_nlink != 1 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "somebody put something else in the place of the audit log",
        ));
    }
    fchown(directory, Some(to.uid()), Some(to.gid()))?;
    fchown(&entry, Some(to.uid()), Some(to.gid()))
}

fn entry(by: Actor, deed: Deed, about: Option<About>, entropy: &Entropy, now: Timestamp) -> Entry {
    Entry { id: entropy.with(|rng| EventId::new(now, rng)), at: now, by, deed, about }
}
