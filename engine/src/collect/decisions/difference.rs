//! What a new version asks for and an older one does not, bound to both by their digests: what an operator reads and approves.

use consentry_contract::manifest::Permission;
use serde::{Deserialize, Serialize};

use super::{allows, asked};
use crate::collect::package::Package;
use crate::data::Digest;

/// One version of one connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The connector's id.
    pub connector: String,
    /// What its manifest calls this version.
    pub version: String,
    /// Which bytes that is.
    pub digest: Digest,
    /// The public key that signed it.
    pub signer: Option<String>,
}

/// What one version asks for and another does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The version before; none when this is the first.
    pub before: Option<Version>,
    /// The version after.
    pub after: Version,
    /// What it asks for beyond the one before.
    pub added: Vec<Permission>,
    /// What it asks for no more.
    pub removed: Vec<Permission>,
}

impl Version {
    /// The version that this is.
    pub fn of(package: &Package) -> Self {
        let manifest = package.manifest();
        Self {
            connector: manifest.id().as_str().to_owned(),
            version: manifest.version().to_string(),
            digest: Digest::of(package.bytes()),
            signer: package.signer().map(|signer| signer.key.clone()),
        }
    }

    /// Its place among the versions; none if a later release of this engine wrote another kind of number.
    pub(super) fn number(&self) -> Option<semver::Version> {
        self.version.parse().ok()
    }
}

impl Difference {
    /// Compares two connectors.
    pub fn of(before: &Package, after: &Package) -> Self {
        Self::between(Some((Version::of(before), &asked(before))), (Version::of(after), &asked(after)))
    }

    pub(super) fn between(before: Option<(Version, &[Permission])>, after: (Version, &[Permission])) -> Self {
        let (before, old) = before.map_or((None, &[][..]), |(version, permissions)| (Some(version), permissions));
        let (after, new) = after;
        let beyond = |these: &[Permission], those: &[Permission]| {
            these.iter().filter(|each| !allows(those, each)).cloned().collect::<Vec<_>>()
        };
        Self { before, after, added: beyond(new, old), removed: beyond(old, new) }
    }

    /// Whether the version after asks for more.
    pub fn widens(&self) -> bool {
        !self.added.is_empty()
    }

    /// Names exactly this difference between exactly these versions.
    pub fn digest(&self) -> Digest {
        // Unwrap safety: strings and numbers are always JSON.
        Digest::of(&serde_json::to_vec(self).expect("strings and numbers"))
    }
}
