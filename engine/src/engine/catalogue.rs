//! The connectors of a folder, and the Data Sources that they serve.
//!
//! One bad file spoils nothing else: it is named with its reason, and the others are served. Two files with the same id
//! are both refused, since nobody can say which one was meant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use consentry_contract::manifest::{Manifest, PlanError, Source, SourcePlan};
use serde::Serialize;
use url::Url;

use crate::collect::package::{Package, PackageError};
use crate::consent::notice;
use crate::data::{Category, Digest};
use crate::online_service::Localised;
use crate::request::DataRequest;
use crate::session::question::localised;

/// What a catalogue holds of one connector.
#[derive(Debug, Clone)]
pub struct Connector {
    /// The connector.
    pub package: Package,
    /// The digest of its one file.
    pub digest: Digest,
}

/// The connectors of a node.
#[derive(Debug, Default)]
pub struct Catalogue {
    connectors: BTreeMap<String, Connector>,
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
    /// A file is no connector.
    #[error("{}: not served", path.display())]
    Package {
        /// Which.
        path: PathBuf,
        /// Why.
        source: PackageError,
    },
    /// Two files have the same id.
    #[error("{}: the id {id} is also that of another file; neither is served", path.display())]
    Twice {
        /// The later file.
        path: PathBuf,
        /// The id.
        id: String,
    },
}

/// A Data Source that can be chosen.
#[derive(Debug, Clone, Serialize)]
pub struct Offer {
    /// The connector's id.
    pub connector: String,
    /// The Data Source's id.
    pub source: String,
    /// Its name.
    pub name: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// What it is.
    pub kind: &'static str,
    /// What of the request it can give.
    pub categories: BTreeSet<Category>,
    /// The login fields, for a form.
    pub fields: Vec<LoginField>,
}

/// A login field, for a form.
#[derive(Debug, Clone, Serialize)]
pub struct LoginField {
    /// Its name.
    pub name: String,
    /// What the person reads.
    pub label: Localised,
    /// Whether it is hidden while it is typed.
    pub hidden: bool,
    /// Whether it may be left empty.
    pub optional: bool,
    /// What the whole value looks like, as an HTML pattern.
    pub pattern: Option<String>,
}

impl Catalogue {
    /// Reads every `*.wasm` of a folder, and says which files are not served.
    pub fn load(folder: &Path) -> (Self, Vec<CatalogueError>) {
        let mut catalogue = Self::default();
        let mut refused = vec![];
        let paths = match wasm_files(folder) {
            Ok(paths) => paths,
            Err(source) => return (catalogue, vec![CatalogueError::Folder { path: folder.to_owned(), source }]),
        };
        let mut twice = BTreeSet::new();
        for path in paths {
            match Package::open(&path) {
                Ok(package) => {
                    if let Some(id) = catalogue.add(package) {
                        refused.push(CatalogueError::Twice { path, id: id.clone() });
                        twice.insert(id);
                    }
                }
                Err(source) => refused.push(CatalogueError::Package { path, source }),
            }
        }
        catalogue.connectors.retain(|id, _| !twice.contains(id));
        (catalogue, refused)
    }

    /// Adds a connector; gives its id back if there is one of this id already.
    pub fn add(&mut self, package: Package) -> Option<String> {
        let id = package.manifest().id().as_str().to_owned();
        let digest = Digest::of(package.bytes());
        match self.connectors.entry(id) {
            std::collections::btree_map::Entry::Occupied(entry) => Some(entry.key().clone()),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Connector { package, digest });
                None
            }
        }
    }

    /// A connector by id.
    pub fn connector(&self, id: &str) -> Option<&Connector> {
        self.connectors.get(id)
    }

    /// Every connector.
    pub fn connectors(&self) -> impl Iterator<Item = &Connector> {
        self.connectors.values()
    }

    /// The Data Sources that can give something of what is asked for, those that give most first.
    pub fn offers(&self, request: &DataRequest) -> Vec<Offer> {
        let wanted: BTreeSet<Category> = request.wanted().iter().map(|asked| asked.category).collect();
        let mut offers: Vec<Offer> = vec![];
        for connector in self.connectors.values() {
            let manifest = connector.package.manifest();
            for source in manifest.sources().iter().filter(|source| request.takes(source.kind)) {
                let categories: BTreeSet<Category> = categories(source).intersection(&wanted).copied().collect();
                if !categories.is_empty() {
                    offers.push(offer(manifest, source, categories));
                }
            }
        }
        offers.sort_by_key(|offer| (std::cmp::Reverse(offer.categories.len()), offer.name.clone()));
        offers
    }
}

impl Connector {
    /// What a notice says about one of its Data Sources.
    pub fn notice_source(&self, id: &str) -> Option<notice::Source> {
        let manifest = self.package.manifest();
        let source = manifest.sources().iter().find(|source| source.id.as_str() == id)?;
        Some(notice::Source {
            id: source.id.as_str().to_owned(),
            name: source.name.clone(),
            country: source.country.clone(),
            connector: manifest.id().as_str().to_owned(),
            version: manifest.version().to_string(),
            digest: self.digest,
            categories: categories(source),
            login: manifest.fields().iter().map(|field| localised(&field.label)).collect(),
        })
    }

    /// What a run at one of its Data Sources is held to.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn plan(&self, source: &str, base: Option<&Url>) -> Result<Arc<SourcePlan>, PlanError> {
        self.package.manifest().for_source(source, base).map(Arc::new)
    }
}

fn offer(manifest: &Manifest, source: &Source, categories: BTreeSet<Category>) -> Offer {
    Offer {
        connector: manifest.id().as_str().to_owned(),
        source: source.id.as_str().to_owned(),
        name: source.name.clone(),
        country: source.country.clone(),
        kind: source.kind.as_str(),
        categories,
        fields: login_fields(manifest),
    }
}

/// The login fields of a connector.
pub fn login_fields(manifest: &Manifest) -> Vec<LoginField> {
    let field = |field: &consentry_contract::manifest::Field| LoginField {
        name: field.name.as_str().to_owned(),
        label: localised(&field.label),
        hidden: field.kind == consentry_contract::manifest::FieldKind::Secret,
        optional: field.optional,
        pattern: field.pattern.as_ref().map(|pattern| pattern.as_str().to_owned()),
    };
    manifest.fields().iter().map(field).collect()
}

/// What a Data Source can give. Names that are not in the item table can't be in a manifest.
fn categories(source: &Source) -> BTreeSet<Category> {
    source.categories.iter().filter_map(|name| name.parse().ok()).collect()
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
