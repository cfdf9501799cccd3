//! One file is the whole connector: a component with its manifest in a custom section and a signature behind it. This module reads
//! it and refuses what no trusted key has signed, and what imports anything but the contract, before a compiler or the cache of
//! compiled code sees a byte of it. It compiles nothing.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::signature::{SignatureError, Signer, Trust};
use consentry_contract::manifest::{Manifest, PlanError, SourcePlan};
use consentry_contract::plain::plain;
use sha2::{Digest as _, Sha256};
use url::Url;
use wasmparser::{ComponentTypeRef, Encoding, Parser, Payload, TypeBounds};

/// Name of the custom section that holds `manifest.toml`.
pub const MANIFEST_SECTION: &str = "consentry:manifest";
/// Package whose interfaces a connector may import.
const CONTRACT: &str = "consentry:connector/";
/// The one version of the contract that this host serves: imports of `0.1.*` are compatible (additive is patch in 0.x).
const SERVED: (u64, u64) = (0, 1);
/// A connector larger than this is refused unread, in bytes.
pub const CONNECTOR_BYTES_MAX: u64 = 32 << 20;

/// Why a file is no connector that this host runs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// The file can't be read.
    #[error("{} can't be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Larger than [`CONNECTOR_BYTES_MAX`].
    #[error(
        "the file has {bytes} bytes; a connector has at most {CONNECTOR_BYTES_MAX}: build it optimised and without debug information"
    )]
    TooLarge {
        /// Its length.
        bytes: u64,
    },
    /// No trusted key stands for it.
    #[error("the connector is refused")]
    Signature(#[from] SignatureError),
    /// Not a WebAssembly component at all.
    #[error("this is no WebAssembly component ({0}); build it with `consentry connector build`")]
    NotAComponent(String),
    /// It asks for something outside the contract.
    #[error(
        "the connector imports `{import}`, which is no capability of the contract; a connector may import {CONTRACT}* only (build it for wasm32-unknown-unknown, without WASI)"
    )]
    ForeignImport {
        /// The import's name.
        import: String,
    },
    /// It was built for another version of the contract.
    #[error("the connector was built for `{import}`; this host serves version {}.{}: rebuild it with a matching SDK", SERVED.0, SERVED.1)]
    WrongContract {
        /// The import's name, version included.
        import: String,
    },
    /// It exports no `collect`.
    #[error("the connector exports no function `collect`: declare it with `consentry_sdk::connector!(collect)`")]
    NoCollect,
    /// The manifest is not inside.
    #[error(
        "the component holds no manifest (custom section `{MANIFEST_SECTION}`); build it with `consentry connector build`"
    )]
    NoManifest,
    /// The manifest is there twice: which one was reviewed?
    #[error("the component holds more than one manifest: build it from one connector alone")]
    TwoManifests,
    /// The manifest is wrong.
    #[error("the manifest inside the component is refused")]
    Manifest(#[source] consentry_contract::manifest::ManifestErrors),
}

/// A connector that may be compiled: signature and contract checked, manifest read. There is no other way to one.
#[derive(Clone)]
pub struct Package {
    /// With its signature.
    signed: Arc<[u8]>,
    /// Without it.
    length: usize,
    manifest: Arc<Manifest>,
    digest: String,
    signer: Option<Signer>,
    /// The manifest as it was resolved last for each Data Source; the base is the operator's, so there is one of each mostly.
    plans: Arc<Mutex<HashMap<String, Resolved>>>,
}

/// A plan, and the base it was resolved with.
type Resolved = (Option<Url>, Arc<SourcePlan>);

impl std::fmt::Debug for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Package").field("digest", &self.digest).field("bytes", &self.length).finish_non_exhaustive()
    }
}

impl Package {
    /// Reads a connector from a file.
    ///
    /// # Errors
    /// [`PackageError`], which says what to do.
    pub fn open(path: &Path, trust: &Trust) -> Result<Self, PackageError> {
        Self::read(read_file(path)?, trust)
    }

    /// Reads a connector from bytes.
    ///
    /// # Errors
    /// [`PackageError`], which says what to do.
    pub fn read(bytes: Vec<u8>, trust: &Trust) -> Result<Self, PackageError> {
        let (length, signer) = trust.check(&bytes)?;
        let component = &bytes[..length];
        let manifest = Manifest::parse(&inspect(component)?).map_err(PackageError::Manifest)?;
        let mut digest = String::with_capacity(71);
        digest.push_str("sha256:");
        for byte in Sha256::digest(component) {
            // Unwrap safety: writing to a String can't fail.
            write!(digest, "{byte:02x}").expect("a String takes all");
        }
        Ok(Self { signed: bytes.into(), length, manifest: Arc::new(manifest), digest, signer, plans: Arc::default() })
    }

    /// The component, without its signature.
    pub fn bytes(&self) -> &[u8] {
        &self.signed[..self.length]
    }

    /// The file as it was read, to be read again.
    pub fn signed(&self) -> &[u8] {
        &self.signed
    }

    /// What it declares.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// What a run from this Data Source is held to, at this base if the operator has set one. Resolved once.
    ///
    /// # Errors
    /// As [`Manifest::for_source`].
    pub fn plan(&self, source: &str, base: Option<&Url>) -> Result<Arc<SourcePlan>, PlanError> {
        // What is in there is put in by one assignment.
        let plans = || self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, plan)) = plans().get(source)
            && of.as_ref() == base
        {
            return Ok(plan.clone());
        }
        let plan = Arc::new(self.manifest.for_source(source, base)?);
        plans().insert(source.to_owned(), (base.cloned(), plan.clone()));
        Ok(plan)
    }

    /// `sha256:` and 64 hexadecimal digits over the component, manifest included. Not over its signature: what runs has one name,
    /// whoever signs it and however often, so that a revoked connector does not come back under another.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Who signed it; nobody known, in development.
    pub fn signer(&self) -> Option<&Signer> {
        self.signer.as_ref()
    }
}

/// Reads a regular file within the bound. Others may write the folder of connectors: a pipe there would be waited for without end, and
/// a device has no length.
fn read_file(path: &Path) -> Result<Vec<u8>, PackageError> {
    let unreadable = |source| PackageError::Unreadable { path: path.to_owned(), source };
    // Opening a pipe would wait for a writer.
    let opened = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = opened.map_err(unreadable)?;
    let data = file.metadata().map_err(unreadable)?;
    if data.is_dir() {
        let told = "it is a folder: give the connector's file, which `consentry connector build` makes";
        return Err(unreadable(std::io::Error::other(told)));
    }
    if !data.is_file() {
        return Err(unreadable(std::io::Error::other("it is no regular file")));
    }
    let mut bytes = Vec::new();
    if data.len() <= CONNECTOR_BYTES_MAX {
        file.take(CONNECTOR_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    // It may have grown since it was looked at.
    match data.len().max(bytes.len() as u64) {
        length if length > CONNECTOR_BYTES_MAX => Err(PackageError::TooLarge { bytes: length }),
        _ => Ok(bytes),
    }
}

/// Walks the component's outer layer: imports, exports, manifest. Nested modules can only import what the outer layer has.
fn inspect(bytes: &[u8]) -> Result<String, PackageError> {
    let broken =
        |error: wasmparser::BinaryReaderError| PackageError::NotAComponent(plain(&error.to_string()).into_owned());
    let (mut depth, mut exports_collect, mut manifest) = (0_u32, false, None);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(broken)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(PackageError::NotAComponent("it is a core module".to_owned()));
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(broken)?;
                    // The name of a type (`use types.{fault}` in the world) is no capability.
                    if !matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_))) {
                        check_import(import.name.name)?;
                    }
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports_collect |= export.map_err(broken)?.name.name == "collect";
                }
            }
            Payload::CustomSection(section) if depth == 0 && section.name() == MANIFEST_SECTION => {
                let text = std::str::from_utf8(section.data())
                    .map_err(|_| PackageError::NotAComponent("its manifest is not UTF-8".to_owned()))?;
                if manifest.replace(text.to_owned()).is_some() {
                    return Err(PackageError::TwoManifests);
                }
            }
            _ => {}
        }
    }
    if !exports_collect {
        return Err(PackageError::NoCollect);
    }
    manifest.ok_or(PackageError::NoManifest)
}

fn check_import(name: &str) -> Result<(), PackageError> {
    let foreign = || PackageError::ForeignImport { import: plain(name).into_owned() };
    let (interface, version) = name.strip_prefix(CONTRACT).and_then(|rest| rest.split_once('@')).ok_or_else(foreign)?;
    if !consentry_host_api::INTERFACES.contains(&interface) {
        return Err(foreign());
    }
    let mut numbers = version.split('.').map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) == SERVED => Ok(()),
        _ => Err(PackageError::WrongContract { import: plain(name).into_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let [pipe, endless, inner, long] =
            ["pipe.wasm", "endless.wasm", "folder.wasm", "long.wasm"].map(|name| folder.path().join(name));
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &endless).unwrap();
        std::fs::create_dir(&inner).unwrap();
        std::fs::File::create(&long).unwrap().set_len(CONNECTOR_BYTES_MAX + 1).unwrap();
        for (path, told) in [
            (pipe, "no regular file"),
            (endless, "no regular file"),
            (inner, "give the connector's file"),
            (long, "at most"),
        ] {
            let (send, opened) = channel();
            std::thread::spawn({
                let path = path.clone();
                move || send.send(Package::open(&path, &Trust::default()).map(drop))
            });
            let error = opened.recv_timeout(Duration::from_secs(30)).expect("it is waited for").unwrap_err();
            let error = crate::causes::chain(&error);
            assert!(error.contains(told), "{}: {error}", path.display());
        }
    }
}
