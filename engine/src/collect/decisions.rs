//! What the operator decided about connectors: which versions were approved, for which permissions, and what was revoked. It stands
//! in one file of the data folder, which the command line writes and the engine reads: an engine that runs holds its store alone, and
//! a decision must not wait for a restart. Approvals are the retention table's `connector_approval`; a revocation is kept for good.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use consentry_contract::manifest::{Permission, PermissionKind};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::package::Package;
use crate::data::Digest;
use crate::entropy::Entropy;
use crate::erase::retention::{R27ConnectorApproval, Retained as _, Term};

mod difference;

pub use difference::{Difference, Version};

/// The version of the file's form.
const FORMAT: u8 = 1;
/// Largest file that is read: tens of thousands of decisions.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecisionsError {
    /// The disk.
    #[error("{} can't be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else, or of another version.
    #[error("{} is no file of decisions of this version, or it is damaged: put a copy of the real one in its place", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Where.
        source: serde_json::Error,
    },
}

/// One version that the operator approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Which.
    pub version: Version,
    /// Everything it may do.
    pub permissions: Vec<Permission>,
    /// What it was compared with: the version approved before it.
    pub against: Option<Digest>,
    /// The difference that was approved, by its digest.
    pub difference: Digest,
    /// When.
    pub at: Timestamp,
    /// Since when no file of it is there any more, as far as was looked.
    pub retired: Option<Timestamp>,
}

/// What is not run any more, and never again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// What.
    pub what: Revoked,
    /// Why, in the operator's words.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// One version, or all that a key has signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revoked {
    /// The connector with this digest, whoever signed it.
    Digest(Digest),
    /// Everything signed with this key: the line of its public half.
    Key(String),
}

/// The operator's decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decisions {
    format: u8,
    approved: Vec<Approval>,
    revoked: Vec<Revocation>,
    /// Absent in files of before there were any, and of nodes that hold none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    held: Vec<Held>,
    /// The same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    chosen: Vec<Chosen>,
}

/// A Data Source that nobody can choose for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The connector's id.
    pub connector: String,
    /// The Data Source's id.
    pub source: String,
    /// Since when.
    pub since: Timestamp,
    /// The version whose failures had it held: whatever else serves is not held by that. None where an operator holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Digest>,
}

/// The version that serves a Data Source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// The connector's id.
    pub connector: String,
    /// The Data Source's id.
    pub source: String,
    /// The version.
    pub digest: Digest,
    /// Since when.
    pub at: Timestamp,
}

/// What the decisions say about a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This very version was approved.
    Approved,
    /// It asks for nothing that this approved version may not do.
    Covered(Version),
    /// It asks for more than was ever approved.
    Waiting(Box<Difference>),
    /// It is not run any more.
    Revoked(Revocation),
}

impl Default for Decisions {
    fn default() -> Self {
        Self { format: FORMAT, approved: Vec::new(), revoked: Vec::new(), held: Vec::new(), chosen: Vec::new() }
    }
}

impl Decisions {
    /// Reads the file; none means that nothing was decided.
    ///
    /// # Errors
    /// [`DecisionsError`].
    pub fn read(path: &Path) -> Result<Self, DecisionsError> {
        let io = |source| DecisionsError::Io { path: path.to_owned(), source };
        let form = |source| DecisionsError::Form { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            opened => opened.map_err(io)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(io)?,
        };
        let decisions: Self = serde_json::from_slice(&bytes).map_err(form)?;
        if decisions.format == FORMAT {
            return Ok(decisions);
        }
        Err(form(serde::de::Error::custom(format_args!("format {}", decisions.format))))
    }

    /// Changes the file in one step, durably. Of two who do it at once, one waits.
    ///
    /// # Errors
    /// [`DecisionsError`].
    pub fn change<T>(path: &Path, entropy: &Entropy, change: impl FnOnce(&mut Self) -> T) -> Result<T, DecisionsError> {
        let io = |source| DecisionsError::Io { path: path.to_owned(), source };
        let lock = path.with_extension("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock).map_err(io)?;
        lock.lock().map_err(io)?;
        let mut decisions = Self::read(path)?;
        let done = change(&mut decisions);
        let text = serde_json::to_vec_pretty(&decisions).map_err(|error| io(error.into()))?;
        crate::forward::file::receive(path, &text, entropy).map_err(io)?;
        Ok(done)
    }

    /// What is to be said about a connector before it is run.
    pub fn verdict(&self, package: &Package) -> Verdict {
        let version = Version::of(package);
        if let Some(revocation) = self.revocation(&version) {
            return Verdict::Revoked(revocation.clone());
        }
        let asked = asked(package);
        let standing: Vec<&Approval> = self.standing(&version.connector).collect();
        if standing.iter().any(|approval| approval.version.digest == version.digest && approval.permissions == asked) {
            return Verdict::Approved;
        }
        let covers = |approval: &&&Approval| asked.iter().all(|each| allows(&approval.permissions, each));
        match standing.iter().find(covers) {
            Some(approval) => Verdict::Covered(approval.version.clone()),
            None => Verdict::Waiting(Box::new(self.difference(package))),
        }
    }

    /// What a connector asks for beyond the newest version of it that was approved.
    pub fn difference(&self, package: &Package) -> Difference {
        let connector = package.manifest().id().as_str();
        let newest = self.standing(connector).max_by(|one, other| one.version.number().cmp(&other.version.number()));
        let before = newest.map(|approval| (approval.version.clone(), approval.permissions.as_slice()));
        Difference::between(before, (Version::of(package), &asked(package)))
    }

    /// Approves a version for exactly this difference.
    pub fn approve(&mut self, package: &Package, difference: &Difference, at: Timestamp) {
        let version = Version::of(package);
        self.approved.retain(|approval| approval.version.digest != version.digest);
        self.approved.push(Approval {
            version,
            permissions: asked(package),
            against: difference.before.as_ref().map(|before| before.digest),
            difference: difference.digest(),
            at,
            retired: None,
        });
    }

    /// Revokes a version or a key. What was revoked stays revoked.
    pub fn revoke(&mut self, what: Revoked, why: &str, at: Timestamp) {
        if !self.revoked.iter().any(|revocation| revocation.what == what) {
            self.revoked.push(Revocation { what, why: why.to_owned(), at });
        }
    }

    /// Holds a Data Source. One that an operator holds already stays so, since then.
    pub fn hold(&mut self, connector: &str, source: &str, since: Timestamp) {
        self.hold_for(None, connector, source, since);
    }

    /// Holds a Data Source because the runs of this version fail there, unless an operator holds it already.
    pub fn suspend(&mut self, connector: &str, source: &str, version: Digest, since: Timestamp) {
        self.hold_for(Some(version), connector, source, since);
    }

    fn hold_for(&mut self, failing: Option<Digest>, connector: &str, source: &str, since: Timestamp) {
        let is_this = |held: &Held| held.connector == connector && held.source == source;
        if !self.held.iter().any(|held| is_this(held) && (held.failing.is_none() || held.failing == failing)) {
            self.held.retain(|held| !is_this(held));
            self.held.push(Held { connector: connector.to_owned(), source: source.to_owned(), since, failing });
        }
    }

    /// Releases a Data Source.
    pub fn release(&mut self, connector: &str, source: &str) {
        self.held.retain(|held| held.connector != connector || held.source != source);
    }

    /// Releases a Data Source that was held because its runs failed; one that an operator holds stays so.
    pub fn lift(&mut self, connector: &str, source: &str) {
        self.held.retain(|held| held.connector != connector || held.source != source || held.failing.is_none());
    }

    /// Says which version serves a Data Source; the highest that may run, where none is named.
    pub fn choose(&mut self, connector: &str, source: &str, version: Option<Digest>, at: Timestamp) {
        self.chosen.retain(|chosen| chosen.connector != connector || chosen.source != source);
        let [connector, source] = [connector, source].map(str::to_owned);
        self.chosen.extend(version.map(|digest| Chosen { connector, source, digest, at }));
    }

    /// The Data Sources that are held.
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// The versions that were chosen.
    pub fn chosen(&self) -> &[Chosen] {
        &self.chosen
    }

    /// Notes which approved versions are still there, and forgets approvals whose time is over.
    pub fn keep_time(&mut self, present: impl Fn(&Digest) -> bool, now: Timestamp) {
        for approval in &mut self.approved {
            let there = present(&approval.version.digest);
            approval.retired = if there { None } else { approval.retired.or(Some(now)) };
        }
        let due = |approval: &Approval| {
            let deadline = approval.retired.and_then(|at| R27ConnectorApproval::ROW.deadline(&Term::from(at)));
            deadline.is_some_and(|deadline| deadline <= now)
        };
        self.approved.retain(|approval| !due(approval));
    }

    /// Every approval, the oldest first.
    pub fn approvals(&self) -> &[Approval] {
        &self.approved
    }

    /// What was revoked of a version: itself or its key.
    pub fn revocation(&self, version: &Version) -> Option<&Revocation> {
        self.revoked.iter().find(|revocation| match &revocation.what {
            Revoked::Digest(digest) => *digest == version.digest,
            Revoked::Key(key) => version.signer.as_ref() == Some(key),
        })
    }

    /// The approvals of a connector that still hold.
    fn standing(&self, connector: &str) -> impl Iterator<Item = &Approval> {
        let holds = move |approval: &&Approval| {
            approval.version.connector == connector && self.revocation(&approval.version).is_none()
        };
        self.approved.iter().filter(holds)
    }
}

/// Everything that a connector asks for: what its manifest says, and whose word stands for the rest.
pub fn asked(package: &Package) -> Vec<Permission> {
    let mut asked = package.manifest().permissions();
    if let Some(signer) = package.signer() {
        let sentence = format!("is signed with the key {}", signer.key);
        asked.push(Permission { kind: PermissionKind::Signer, sentence, most: None });
    }
    asked
}

fn allows(permissions: &[Permission], asked: &Permission) -> bool {
    permissions.iter().any(|permission| permission.allows(asked))
}

#[cfg(test)]
mod tests;
