//! The connectors of a folder, which version of each serves which Data Source, and why. A catalogue is one look at the folder and
//! never changes; an engine that sees the folder change makes another one, and what runs goes on with what it has.
//!
//! One bad file spoils nothing else: it is named with its reason, and the others are served. Two different files that call
//! themselves the same version are both refused, since nobody can say which one was meant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use consentry_contract::manifest::{Capability, PlanError, Source, SourcePlan};
use jiff::Timestamp;
use url::Url;

use crate::collect::decisions::{Decisions, DecisionsError, Difference, Held, Revocation, Verdict, Version};
use crate::collect::package::{Package, PackageError};
use crate::consent::notice;
use crate::data::Digest;
use crate::request::DataRequest;
use crate::session::question::localised;

mod folder;
mod offer;

pub use folder::{Folder, NotAPin, Pin};
pub use offer::{LoginField, Offer, login_fields};

/// What a catalogue holds of one version of a connector.
#[derive(Debug, Clone)]
pub struct Connector {
    /// The connector.
    pub package: Package,
    /// The digest of what it is.
    pub digest: Digest,
    /// Whether it may run, and why.
    pub standing: Standing,
    /// No file of it is there any more: it goes on for the sessions that have chosen it.
    pub gone: bool,
}

/// Whether a version may run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Whoever wired the engine, or sits at the terminal, answers for it.
    Given,
    /// Nobody known has signed it: in development only.
    Unsigned,
    /// The operator approved this very version.
    Approved,
    /// It asks for nothing that this approved version may not do.
    Covered(Version),
    /// It asks for more than was approved: not run until the operator approves it.
    Waiting(Box<Difference>),
    /// It was revoked: not run any more.
    Revoked(Revocation),
}

impl Standing {
    /// Its one name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Unsigned => "unsigned",
            Self::Approved => "approved",
            Self::Covered(_) => "covered",
            Self::Waiting(_) => "waiting",
            Self::Revoked(_) => "revoked",
        }
    }
}

/// The connectors of a node.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// Every version of each, the highest first.
    connectors: BTreeMap<String, Vec<Connector>>,
    pins: BTreeMap<(String, String), Pin>,
    /// Of the pins, those that the configuration has.
    configured: BTreeSet<(String, String)>,
    /// The Data Sources that nobody can choose.
    held: BTreeMap<(String, String), Held>,
    /// What the folder looked like.
    stamp: folder::Stamp,
}

/// A file that is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// The folder can't be read.
    #[error("the folder {} can't be read", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What the operator decided can't be read, so nothing is served.
    #[error("no connector is served")]
    Decisions(#[from] DecisionsError),
    /// A file is no connector.
    #[error("{}: not served", path.display())]
    Package {
        /// Which.
        path: PathBuf,
        /// Why.
        source: PackageError,
    },
    /// Two files call themselves the same version of the same connector.
    #[error("{}: another file is also version {version} of {id}; neither is served", path.display())]
    Twice {
        /// The later file.
        path: PathBuf,
        /// The connector's id.
        id: String,
        /// Its version.
        version: String,
    },
    /// Nothing of the connector was approved yet.
    #[error("{}: version {version} of {id} is not served: nothing of this connector is approved yet; `consentry connector approve` shows what it asks for", path.display())]
    New {
        /// The file.
        path: PathBuf,
        /// The connector's id.
        id: String,
        /// Its version.
        version: String,
    },
    /// It asks for more than the operator has approved.
    #[error("{}: version {version} of {id} is not served: it asks for more than was approved; see `consentry connector diff`, then `consentry connector approve`", path.display())]
    Waiting {
        /// The file.
        path: PathBuf,
        /// The connector's id.
        id: String,
        /// Its version.
        version: String,
    },
    /// It was revoked.
    #[error("{}: version {version} of {id} is revoked: {why}", path.display())]
    Revoked {
        /// The file.
        path: PathBuf,
        /// The connector's id.
        id: String,
        /// Its version.
        version: String,
        /// Why.
        why: String,
    },
    /// A pin names a version that is not there or may not run.
    #[error("the source {id} of {connector} is not served: it is pinned to {pin}, which is not there or may not run")]
    Pin {
        /// The connector's id.
        connector: String,
        /// The Data Source.
        id: String,
        /// The version.
        pin: Pin,
    },
}

impl Catalogue {
    /// Adds a connector for which the one who adds it answers; gives its id back if this version of it is there already.
    pub fn add(&mut self, package: Package) -> Option<String> {
        self.put(Connector::new(package, Standing::Given)).err()
    }

    fn put(&mut self, connector: Connector) -> Result<(), String> {
        let manifest = connector.package.manifest();
        let versions = self.connectors.entry(manifest.id().as_str().to_owned()).or_default();
        match versions.iter().find(|each| each.package.manifest().version() == manifest.version()) {
            // The same connector in two files, or signed by two keys.
            Some(known) if known.digest == connector.digest => return Ok(()),
            Some(_) => return Err(manifest.id().as_str().to_owned()),
            None => {}
        }
        let at = versions.partition_point(|each| each.package.manifest().version() > manifest.version());
        versions.insert(at, connector);
        Ok(())
    }

    /// Adds one whose file is gone, behind another file's that has the same number by now: while it runs it can be revoked.
    fn put_beside(&mut self, gone: Connector) {
        let versions = self.connectors.entry(gone.id().to_owned()).or_default();
        let number = gone.package.manifest().version();
        let at = versions.partition_point(|each| each.package.manifest().version() >= number);
        versions.insert(at, gone);
    }

    /// The version that serves a Data Source to whoever begins now: the pinned one, else the highest that may run.
    pub fn serving(&self, connector: &str, source: &str) -> Option<&Connector> {
        let pin = self.pin(connector, source);
        let mut able = self.versions(connector).filter(|each| each.may_run() && each.has(source));
        let first = able.clone().find(|each| pin.map_or(!each.gone, |pin| pin.names(each)));
        match pin {
            Some(_) => first,
            // What stands in for an update that waits for its approval.
            None => first.or_else(|| able.next()),
        }
    }

    /// A version that may run, also one that no longer serves who begins now.
    pub fn version(&self, connector: &str, digest: &Digest) -> Option<&Connector> {
        self.versions(connector).find(|each| each.digest == *digest && each.may_run())
    }

    /// The version that the operator wants for a Data Source.
    pub fn pin(&self, connector: &str, source: &str) -> Option<&Pin> {
        self.pins.get(&(connector.to_owned(), source.to_owned()))
    }

    /// Whether the configuration says which version serves a Data Source: then nobody else does.
    pub fn is_set_by_configuration(&self, connector: &str, source: &str) -> bool {
        self.configured.contains(&(connector.to_owned(), source.to_owned()))
    }

    /// Since when a Data Source is held, by an operator or because its runs fail; none if it can be chosen.
    pub fn held(&self, connector: &str, source: &str) -> Option<Timestamp> {
        self.hold(connector, source).map(|held| held.since)
    }

    /// Whether a Data Source is held because the runs of the version that serves it fail.
    pub fn is_suspended(&self, connector: &str, source: &str) -> bool {
        self.hold(connector, source).is_some_and(|held| held.failing.is_some())
    }

    fn hold(&self, connector: &str, source: &str) -> Option<&Held> {
        let held = self.held.get(&(connector.to_owned(), source.to_owned()))?;
        let serves_another =
            |failing: Digest| self.serving(connector, source).is_some_and(|serving| serving.digest != failing);
        (!held.failing.is_some_and(serves_another)).then_some(held)
    }

    /// Every Data Source that there is, served or not, by the highest version of its connector that has it.
    pub fn all_sources(&self) -> impl Iterator<Item = (&Connector, &Source)> {
        self.connectors.values().flat_map(|versions| {
            let mut seen = BTreeSet::new();
            let all =
                versions.iter().flat_map(|each| each.package.manifest().sources().iter().map(move |of| (each, of)));
            all.filter(move |(_, source)| seen.insert(source.id.as_str())).collect::<Vec<_>>()
        })
    }

    /// Every version of a connector, the highest first.
    pub fn versions(&self, connector: &str) -> impl Iterator<Item = &Connector> + Clone {
        self.connectors.get(connector).into_iter().flatten()
    }

    /// Every version of every connector.
    pub fn connectors(&self) -> impl Iterator<Item = &Connector> {
        self.connectors.values().flatten()
    }

    /// Every Data Source that is served, by its connector.
    pub fn served(&self) -> impl Iterator<Item = (&Connector, &Source)> {
        self.connectors.iter().flat_map(|(id, versions)| {
            let ids: BTreeSet<&str> = versions
                .iter()
                .flat_map(|each| each.package.manifest().sources())
                .map(|source| source.id.as_str())
                .collect();
            ids.into_iter().filter_map(|source| {
                let connector = self.serving(id, source)?;
                Some((connector, connector.source(source)?))
            })
        })
    }

    /// Whether a connector that serves anybody opens pages in a browser.
    pub fn needs_browser(&self) -> bool {
        self.served().any(|(connector, _)| connector.package.manifest().capabilities().contains(&Capability::Browser))
    }

    /// The Data Sources that can give something of what is asked for, those that give most first.
    pub fn offers(&self, request: &DataRequest) -> Vec<Offer> {
        let wanted = request.looked_at();
        let takes = |(_, source): &(&Connector, &Source)| request.takes(source.kind);
        let mut offers: Vec<Offer> = self
            .served()
            .filter(takes)
            .map(|(connector, source)| {
                let held = self.held(connector.id(), source.id.as_str());
                Offer::of(connector.package.manifest(), source, &wanted, held)
            })
            .filter(|offer| !offer.categories.is_empty())
            .collect();
        // One that can't be chosen now stands last.
        let place = |offer: &Offer| {
            (offer.maintenance_since.is_some(), std::cmp::Reverse(offer.categories.len()), offer.name.clone())
        };
        offers.sort_by_key(place);
        offers
    }

    /// Keeps of an earlier look at the folder what is still needed: versions that sessions have chosen, and those that stand in for
    /// an update that may not run yet.
    pub(super) fn keep(&mut self, earlier: &Self, in_use: &BTreeSet<Digest>, decide: impl Fn(&Package) -> Standing) {
        for old in earlier.connectors().filter(|old| old.may_run()) {
            let id = old.id();
            let there = self.versions(id).any(|each| each.digest == old.digest);
            let stands_in = || self.only_waits(id) && !self.versions(id).any(Connector::may_run);
            if !there && (in_use.contains(&old.digest) || stands_in()) {
                let standing = if old.standing == Standing::Given { Standing::Given } else { decide(&old.package) };
                self.put_beside(Connector { standing, gone: true, ..old.clone() });
            }
        }
    }
}

impl Catalogue {
    /// Another look that saw nothing: what was known before, until something changes again.
    pub(super) fn instead(self, known: &Self) -> Self {
        Self { stamp: self.stamp, ..known.clone() }
    }
}

impl Connector {
    /// Its id.
    pub fn id(&self) -> &str {
        self.package.manifest().id().as_str()
    }

    fn new(package: Package, standing: Standing) -> Self {
        Self { digest: Digest::of(package.bytes()), package, standing, gone: false }
    }

    /// Whether it may run.
    pub fn may_run(&self) -> bool {
        !matches!(self.standing, Standing::Waiting(_) | Standing::Revoked(_))
    }

    fn source(&self, id: &str) -> Option<&Source> {
        self.package.manifest().sources().iter().find(|source| source.id.as_str() == id)
    }

    /// Whether it has a Data Source of this id.
    pub fn has(&self, source: &str) -> bool {
        self.source(source).is_some()
    }

    /// What a notice says about one of its Data Sources.
    pub fn notice_source(&self, id: &str) -> Option<notice::Source> {
        let manifest = self.package.manifest();
        let source = self.source(id)?;
        Some(notice::Source {
            id: source.id.as_str().to_owned(),
            name: source.name.clone(),
            country: source.country.clone(),
            connector: manifest.id().as_str().to_owned(),
            version: manifest.version().to_string(),
            digest: self.digest,
            categories: offer::categories(source),
            login: manifest.fields().iter().map(|field| localised(&field.label)).collect(),
        })
    }

    /// What a run at one of its Data Sources is held to.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn plan(&self, source: &str, base: Option<&Url>) -> Result<Arc<SourcePlan>, PlanError> {
        self.package.plan(source, base)
    }
}

/// What the operator's decisions make of a connector.
fn standing(package: &Package, decisions: Option<&Decisions>) -> Standing {
    let Some(decisions) = decisions else { return Standing::Given };
    match decisions.verdict(package) {
        Verdict::Revoked(revocation) => Standing::Revoked(revocation),
        _ if package.signer().is_none() => Standing::Unsigned,
        Verdict::Approved => Standing::Approved,
        Verdict::Covered(by) => Standing::Covered(by),
        Verdict::Waiting(difference) => Standing::Waiting(difference),
    }
}

impl CatalogueError {
    /// Whether it says that nothing is known, not that one file is bad.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::Folder { .. } | Self::Decisions(_))
    }

    /// Why a connector that was read is not served; none if it is.
    fn of(path: &Path, connector: &Connector) -> Option<Self> {
        let manifest = connector.package.manifest();
        let (path, id, version) = (path.to_owned(), manifest.id().as_str().to_owned(), manifest.version().to_string());
        match &connector.standing {
            Standing::Waiting(difference) if difference.before.is_none() => Some(Self::New { path, id, version }),
            Standing::Waiting(_) => Some(Self::Waiting { path, id, version }),
            Standing::Revoked(revocation) => Some(Self::Revoked { path, id, version, why: revocation.why.clone() }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
