//! A folder of connectors, and everything that decides which of them are served: trusted keys, the operator's decisions, pins.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Catalogue, CatalogueError, Connector, Standing, standing};
use crate::collect::decisions::Decisions;
use crate::collect::package::Package;
use crate::collect::signature::Trust;
use crate::data::Digest;
use crate::store::StoreError;
use crate::store::files::{Files as _, FolderFiles, Room};

/// A folder of `*.wasm` files, and who decides about them.
#[derive(Debug, Clone)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// Whose signatures are accepted.
    pub trust: Trust,
    /// The file of the operator's decisions; without one, whoever uses the folder answers for all of it.
    pub decisions: Option<PathBuf>,
    /// A folder of the engine's own, for copies of the versions that stand in for an update which waits: a restart finds them there.
    pub copies: Option<PathBuf>,
    /// Which version serves which Data Source: by connector and source. The highest that may run, where nothing is said.
    pub pins: BTreeMap<(String, String), Pin>,
}

/// One version of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// By its number in the manifest.
    Version(String),
    /// By what it is.
    Digest(Digest),
}

/// Neither a version nor a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a version as 1.2.3, or a digest as sha256:…")]
pub struct NotAPin;

impl std::str::FromStr for Pin {
    type Err = NotAPin;

    fn from_str(text: &str) -> Result<Self, NotAPin> {
        if let Ok(digest) = Digest::try_from(text.to_owned()) {
            return Ok(Self::Digest(digest));
        }
        text.parse::<semver::Version>().map(|version| Self::Version(version.to_string())).map_err(|_| NotAPin)
    }
}

impl std::fmt::Display for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Version(version) => f.write_str(version),
            Self::Digest(digest) => write!(f, "{digest}"),
        }
    }
}

impl Pin {
    /// Whether it names this one.
    pub fn names(&self, connector: &Connector) -> bool {
        match self {
            Self::Version(version) => connector.package.manifest().version().to_string() == *version,
            Self::Digest(digest) => connector.digest == *digest,
        }
    }
}

/// What tells one state of the files from another: name, inode, length and time of each. Files are replaced, not written over.
pub(super) type Stamp = BTreeSet<(PathBuf, u64, u64, i64, i64)>;

impl Folder {
    /// The folder alone: everything in it that these keys have signed is served.
    pub fn of(path: &Path, trust: Trust) -> Self {
        Self { path: path.to_owned(), trust, decisions: None, copies: None, pins: BTreeMap::new() }
    }

    /// Reads every `*.wasm` of the folder, and says what is not served.
    pub fn load(&self) -> (Catalogue, Vec<CatalogueError>) {
        // Before the files are read: what changes meanwhile is seen the next time.
        let stamp = self.stamp();
        let mut catalogue = Catalogue {
            stamp,
            configured: self.pins.keys().cloned().collect(),
            pins: self.pins.clone(),
            ..Catalogue::default()
        };
        let paths = match wasm_files(&self.path) {
            Ok(paths) => paths,
            Err(source) => return (catalogue, vec![CatalogueError::Folder { path: self.path.clone(), source }]),
        };
        let decisions = match self.decisions.as_deref().map(Decisions::read).transpose() {
            Ok(decisions) => decisions,
            Err(error) => return (catalogue, vec![error.into()]),
        };
        if let Some(decisions) = &decisions {
            catalogue.take(decisions);
        }
        let mut refused = vec![];
        let mut twice = BTreeSet::new();
        for path in paths {
            let package = match Package::open(&path, &self.trust) {
                Ok(package) => package,
                Err(source) => {
                    refused.push(CatalogueError::Package { path, source });
                    continue;
                }
            };
            let number = package.manifest().version().clone();
            let connector = Connector::new(package.clone(), standing(&package, decisions.as_ref()));
            refused.extend(CatalogueError::of(&path, &connector));
            if let Err(id) = catalogue.put(connector) {
                refused.push(CatalogueError::Twice { path, id: id.clone(), version: number.to_string() });
                twice.insert((id, number));
            }
        }
        for (id, versions) in &mut catalogue.connectors {
            versions.retain(|each| !twice.contains(&(id.clone(), each.package.manifest().version().clone())));
        }
        catalogue.take_copies(self, decisions.as_ref());
        refused.extend(catalogue.pins.iter().filter(|((id, source), _)| catalogue.serving(id, source).is_none()).map(
            |((connector, id), pin)| CatalogueError::Pin {
                connector: connector.clone(),
                id: id.clone(),
                pin: pin.clone(),
            },
        ));
        (catalogue, refused)
    }

    /// Looks at the folder again, if it or the decisions have changed since a catalogue was made of it.
    pub fn load_if_changed(&self, known: &Catalogue) -> Option<(Catalogue, Vec<CatalogueError>)> {
        (self.stamp() != known.stamp).then(|| self.load())
    }

    /// What the decisions, as they are now, say about a connector. Those that can't be read say no.
    pub fn decide(&self, package: &Package) -> Standing {
        match self.decisions.as_deref().map(Decisions::read).transpose() {
            Ok(decisions) => standing(package, decisions.as_ref()),
            Err(_) => standing(package, Some(&Decisions::default())),
        }
    }

    /// Keeps copies of the versions that stand in, and of no others.
    ///
    /// # Errors
    /// [`StoreError`]; what is there then may be too much or too little.
    pub(in crate::engine) async fn keep_copies(&self, catalogue: &Catalogue) -> Result<(), StoreError> {
        let Some(folder) = &self.copies else { return Ok(()) };
        let name = |connector: &Connector| format!("{}.wasm", connector.digest.to_string().replace(':', "-"));
        let wanted: BTreeMap<String, &Connector> = catalogue.standing_in().map(|each| (name(each), each)).collect();
        if wanted.is_empty() && !folder.exists() {
            return Ok(());
        }
        let files = FolderFiles::open(folder, |_| true).await?;
        let there = files.list().await?;
        for name in there.iter().filter(|name| !wanted.contains_key(*name)) {
            files.remove(name).await?;
        }
        for (name, connector) in wanted.iter().filter(|(name, _)| !there.contains(name)) {
            files.replace(name, connector.package.signed().to_vec(), Room::Free).await?;
        }
        Ok(())
    }

    fn stamp(&self) -> Stamp {
        let files = wasm_files(&self.path).unwrap_or_default().into_iter().chain(self.decisions.clone());
        let stamp = |path: PathBuf| {
            let data = path.metadata().ok()?;
            Some((path, data.ino(), data.len(), data.mtime(), data.mtime_nsec()))
        };
        files.filter_map(stamp).collect()
    }
}

impl Catalogue {
    /// Takes what operators decided about Data Sources. What the configuration says of one goes before.
    fn take(&mut self, decisions: &Decisions) {
        let held = decisions.held().iter();
        self.held = held.map(|held| ((held.connector.clone(), held.source.clone()), held.clone())).collect();
        for chosen in decisions.chosen() {
            let source = (chosen.connector.clone(), chosen.source.clone());
            self.pins.entry(source).or_insert(Pin::Digest(chosen.digest));
        }
    }

    /// Takes the copies of what updates took the place of that wait. They are checked as files of the folder are.
    fn take_copies(&mut self, folder: &Folder, decisions: Option<&Decisions>) {
        for path in folder.copies.as_deref().and_then(|copies| wasm_files(copies).ok()).unwrap_or_default() {
            let Ok(package) = Package::open(&path, &folder.trust) else { continue };
            let standing = standing(&package, decisions);
            let copy = Connector { gone: true, ..Connector::new(package, standing) };
            let is_there = self.versions(copy.id()).any(|each| each.digest == copy.digest);
            if copy.may_run() && self.only_waits(copy.id()) && !is_there {
                self.put_beside(copy);
            }
        }
    }

    /// Whether of this connector's files one waits, and none may run.
    pub(super) fn only_waits(&self, id: &str) -> bool {
        let files = || self.versions(id).filter(|each| !each.gone);
        files().any(|each| matches!(each.standing, Standing::Waiting(_))) && !files().any(Connector::may_run)
    }

    /// The versions that serve though their files are gone.
    fn standing_in(&self) -> impl Iterator<Item = &Connector> {
        let waiting = self.connectors.iter().filter(|(id, _)| self.only_waits(id));
        waiting.filter_map(|(_, versions)| versions.iter().find(|each| each.may_run()))
    }
}

fn wasm_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = vec![];
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "wasm") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
