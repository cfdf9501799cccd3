//! A folder with a connector's source: its manifest, its package, and the build that makes a connector of it.

use std::path::{Path, PathBuf};

use consentry_build::{BuildError, Profile};

use super::carried;
use crate::collect::package::{Package, PackageError};
use crate::collect::signature::Trust;

/// What is wrong with a connector's folder, or its build.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// There is no source of a connector.
    #[error("{} holds no connector: it needs manifest.toml and Cargo.toml (`consentry connector new NAME` makes one)", .0.display())]
    None(PathBuf),
    /// The package has no name.
    #[error("{} names no package", .0.display())]
    Unnamed(PathBuf),
    /// The SDK in its folder can't be written.
    #[error("the SDK can't be written into {}", path.display())]
    Sdk {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It can't be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// What was built is refused.
    #[error("what was built is refused")]
    Package(#[from] PackageError),
}

/// A connector's source.
#[derive(Debug, Clone)]
pub struct Project {
    folder: PathBuf,
    package: String,
}

/// What a build brought.
#[derive(Debug, Clone)]
pub struct Built {
    /// The connector, unsigned.
    pub package: Package,
    /// Where cargo keeps what it builds.
    pub target: PathBuf,
}

impl Project {
    /// The connector in this folder.
    ///
    /// # Errors
    /// [`ProjectError::None`], [`ProjectError::Unnamed`].
    pub fn open(folder: &Path) -> Result<Self, ProjectError> {
        let none = |_| ProjectError::None(folder.to_owned());
        let folder = folder.canonicalize().map_err(none)?;
        let cargo = folder.join("Cargo.toml");
        let text = std::fs::read_to_string(&cargo).map_err(none)?;
        if !folder.join("manifest.toml").is_file() {
            return Err(ProjectError::None(folder));
        }
        let table = text.parse::<toml::Table>().unwrap_or_default();
        let name = table.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
        let package = name.ok_or(ProjectError::Unnamed(cargo))?.to_owned();
        Ok(Self { folder, package })
    }

    /// Where it stands.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Builds it. A connector with an SDK of its own gets this program's first.
    ///
    /// # Errors
    /// [`ProjectError`]; cargo's own words have gone to standard error.
    pub fn build(&self, profile: Profile) -> Result<Built, ProjectError> {
        if self.folder.join(carried::SDK_FOLDER).is_dir() {
            let failed = |source| ProjectError::Sdk { path: self.folder.clone(), source };
            carried::write_sdk(&self.folder).map_err(failed)?;
        }
        consentry_build::add_target()?;
        let modules = consentry_build::modules(&self.folder, &[&self.package], profile)?;
        let module = modules.get(&self.package).ok_or_else(|| BuildError::NoModule(self.package.clone()))?;
        let component = consentry_build::component(module, &self.folder.join("manifest.toml"))?;
        // …/target/wasm32-unknown-unknown/debug/NAME.wasm
        let target = module.ancestors().nth(3).unwrap_or(&self.folder).to_owned();
        Ok(Built { package: Package::read(component, &Trust::default().or_unsigned())?, target })
    }

    /// The source files and when each was changed last: what `--watch` looks at.
    #[must_use]
    pub fn stamp(&self) -> Vec<(PathBuf, Option<std::time::SystemTime>)> {
        fn walk(folder: &Path, found: &mut Vec<(PathBuf, Option<std::time::SystemTime>)>) {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                match entry.metadata() {
                    Ok(data) if data.is_dir() => walk(&path, found),
                    Ok(data) => found.push((path, data.modified().ok())),
                    Err(_) => {}
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.folder.join("src"), &mut found);
        for name in ["manifest.toml", "Cargo.toml"] {
            let path = self.folder.join(name);
            found.push((path.clone(), path.metadata().and_then(|data| data.modified()).ok()));
        }
        found.sort();
        found
    }
}
