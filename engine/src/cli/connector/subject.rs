//! The connector that an author's command is about: a folder with its source, which is built first, or a file.

use std::path::{Path, PathBuf};

use consentry_build::Profile;

use super::look;
use crate::author::project::Project;
use crate::collect::package::Package;

/// A connector, and where its source is.
pub(super) struct Subject {
    pub(super) package: Package,
    /// None for a file.
    pub(super) project: Option<Project>,
    folder: PathBuf,
}

/// Builds what is a folder, opens what is a file.
pub(super) fn open(path: &Path, profile: Profile) -> anyhow::Result<Subject> {
    if path.is_file() {
        let folder = path.parent().unwrap_or(path).to_owned();
        return Ok(Subject { package: look(path)?, project: None, folder });
    }
    let project = Project::open(path)?;
    let (package, folder) = (project.build(profile)?.package, project.folder().to_owned());
    Ok(Subject { package, project: Some(project), folder })
}

/// As it is published: this folder's, built already or built now.
pub(super) fn of(folder: &Path, built: Option<&Path>) -> anyhow::Result<Subject> {
    match built {
        Some(file) => Ok(Subject { package: look(file)?, project: None, folder: folder.to_owned() }),
        None => open(folder, Profile::Shipped),
    }
}

impl Subject {
    /// Where its recordings are.
    pub(super) fn folder(&self) -> PathBuf {
        self.folder.clone()
    }
}
