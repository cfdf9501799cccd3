//! A new connector: a template with its name put in, the SDK beside it, and recordings that it passes its tests with at once.

use std::io;
use std::path::{Path, PathBuf};

use consentry_tape::{RecordingError, Tape};

use super::carried;
use super::shelf::{ENDING, FOLDER};

/// What stands for the connector's name in a template.
const NAME: &str = "NAME";
/// The longest name: as any id of a manifest.
const NAME_CHARS_MAX: usize = 64;

/// The kinds of Data Sources that there is a template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// A login form and pages rendered by the server.
    FormLogin,
    /// A site that works in a browser only.
    Browser,
    /// Authorisation by redirect (OAuth 2.0, as in PSD2), then an interface for programs.
    Oauth,
    /// A login for a token, then JSON.
    JsonApi,
}

impl Template {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::FormLogin, Self::Browser, Self::Oauth, Self::JsonApi];

    /// Its one name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FormLogin => "form-login",
            Self::Browser => "browser",
            Self::Oauth => "oauth",
            Self::JsonApi => "json-api",
        }
    }
}

/// Why there is no new connector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The name can't be an id.
    #[error(
        "{0:?} can't be a connector's name: small letters, digits and dashes, beginning with a letter, with at most 4 digits"
    )]
    Name(String),
    /// There is something already.
    #[error("{} is there already; nothing is overwritten", .0.display())]
    Exists(PathBuf),
    /// It can't be written.
    #[error("{} can't be written", path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A recording of the template is damaged: a fault of this program.
    #[error("a recording of the template can't be read")]
    Recording(#[from] RecordingError),
}

/// Writes a new connector into this folder, which is made, and whose last part is its name. `manifest` stands for the template's own.
///
/// # Errors
/// [`TemplateError`]; nothing of it is left.
pub fn write(folder: &Path, template: Template, manifest: Option<&str>) -> Result<String, TemplateError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !is_name(&name) {
        return Err(TemplateError::Name(name));
    }
    if folder.exists() {
        return Err(TemplateError::Exists(folder.to_owned()));
    }
    fill(folder, &name, template, manifest).inspect_err(|_| {
        // It was not there before. If it can't be removed either, the first error tells more.
        let _ = std::fs::remove_dir_all(folder);
    })?;
    Ok(name)
}

fn fill(folder: &Path, name: &str, template: Template, manifest: Option<&str>) -> Result<(), TemplateError> {
    let write = |path: &str, bytes: &[u8]| {
        let failed = |source| TemplateError::Write { path: folder.to_owned(), source };
        carried::write(&folder.join(path), bytes).map_err(failed)
    };
    let cargo = carried::shared("Cargo.toml.in").unwrap_or_default();
    write("Cargo.toml", named(cargo, name).as_bytes())?;
    // Cargo takes out of it what is not needed.
    write("Cargo.lock", carried::lock())?;
    write(".gitignore", b"/target\n")?;
    for (path, bytes) in carried::template(template.name()) {
        match path.strip_prefix(FOLDER).map(|_| path.ends_with(ENDING)) {
            Some(true) => write(path, &recording(bytes, name)?)?,
            _ => write(path, named(bytes, name).as_bytes())?,
        }
    }
    if let Some(manifest) = manifest {
        write("manifest.proposed.toml", named(manifest.as_bytes(), name).as_bytes())?;
    }
    carried::write_sdk(folder).map_err(|source| TemplateError::Write { path: folder.to_owned(), source })
}

fn named(text: &[u8], name: &str) -> String {
    String::from_utf8_lossy(text).replace(NAME, name)
}

/// A recording of the template, as one of the new connector.
fn recording(bytes: &[u8], name: &str) -> Result<Vec<u8>, TemplateError> {
    let mut tape = Tape::from_recording(bytes)?;
    (tape.inputs.connector, tape.inputs.source) = (name.to_owned(), name.to_owned());
    Ok(tape.to_recording()?)
}

fn is_name(name: &str) -> bool {
    let parts = || name.split('-');
    name.len() <= NAME_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().filter(u8::is_ascii_digit).count() <= 4
        && parts().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_id() {
        for name in ["my-bank", "a", "bank2"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "My-Bank", "-a", "a-", "a--b", "2bank", "a_b", "bank12345", &"a".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_new_connector_has_a_manifest_that_holds_and_nothing_is_overwritten() {
        for template in Template::ALL {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("my-bank");
            assert_eq!(write(&path, template, None).unwrap(), "my-bank");
            let text = std::fs::read_to_string(path.join("manifest.toml")).unwrap();
            let manifest =
                consentry_contract::manifest::Manifest::parse(&text).unwrap_or_else(|errors| panic!("{errors}"));
            assert_eq!(manifest.id().as_str(), "my-bank");
            assert!(matches!(write(&path, template, None), Err(TemplateError::Exists(_))));
        }
    }
}
