//! Compiled connectors by digest, in memory and in a folder. Compiled code runs with the host's own rights, so a file counts only
//! with a MAC under a key which the folder does not hold; anything else is compiled again. A file fits one build of wasmtime and
//! one set of settings: both are in its name.
#![expect(
    unsafe_code,
    reason = "wasmtime loads native code; the bytes were made by this host and are authenticated first"
)]

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use aws_lc_rs::hmac;
use wasmtime::component::Component;

use super::package::Package;
use super::sandbox::{Prepared, Sandbox, SandboxError};

const TAG_BYTES: usize = 32;

/// Compiled connectors, each compiled once.
pub struct CompiledCache {
    folder: Option<PathBuf>,
    key: hmac::Key,
    ready: Mutex<HashMap<String, Prepared>>,
}

impl std::fmt::Debug for CompiledCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompiledCache").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl CompiledCache {
    /// `folder` none keeps compiled code in memory only; `key` authenticates the files.
    pub fn new(folder: Option<PathBuf>, key: &[u8; 32]) -> Self {
        Self { folder, key: hmac::Key::new(hmac::HMAC_SHA256, key), ready: Mutex::default() }
    }

    /// The compiled connector: from memory, else from the folder, else compiled now. CPU-heavy: call it off the I/O threads.
    ///
    /// # Errors
    /// [`SandboxError::Connector`] when it does not compile or does not fit the contract.
    pub fn prepare(&self, sandbox: &Sandbox, package: &Package) -> Result<Prepared, SandboxError> {
        if let Some(prepared) = self.lock().get(package.digest()) {
            return Ok(prepared.clone());
        }
        let component = match self.load(sandbox, package) {
            Some(component) => component,
            None => self.compile(sandbox, package)?,
        };
        let prepared = sandbox.link(&component)?;
        self.lock().insert(package.digest().to_owned(), prepared.clone());
        Ok(prepared)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Prepared>> {
        self.ready.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn path(&self, sandbox: &Sandbox, package: &Package) -> Option<PathBuf> {
        let settings =
            BuildHasherDefault::<DefaultHasher>::default().hash_one(sandbox.engine().precompile_compatibility_hash());
        let name = format!("{}-{settings:016x}.cwasm", package.digest().trim_start_matches("sha256:"));
        self.folder.as_ref().map(|folder| folder.join(name))
    }

    fn load(&self, sandbox: &Sandbox, package: &Package) -> Option<Component> {
        let path = self.path(sandbox, package)?;
        let bytes = std::fs::read(&path).ok()?;
        let (tag, code) = bytes.split_at_checked(TAG_BYTES)?;
        if hmac::verify(&self.key, &bound(&path, code), tag).is_err() {
            tracing::warn!(
                connector = package.digest(),
                "a compiled connector failed its authentication; compiling it again"
            );
            return None;
        }
        // SAFETY: the bytes carry our MAC, so this host compiled them, for this digest and these settings.
        unsafe { Component::deserialize(sandbox.engine(), code) }.ok()
    }

    fn compile(&self, sandbox: &Sandbox, package: &Package) -> Result<Component, SandboxError> {
        let fit = |error: wasmtime::Error| SandboxError::Connector { reason: format!("{error:#}") };
        let component = Component::new(sandbox.engine(), package.bytes()).map_err(fit)?;
        if let Some(path) = self.path(sandbox, package) {
            let code = component.serialize().map_err(fit)?;
            // A cache that can't be written costs time, not correctness.
            if let Err(error) = self.store(&path, &code) {
                tracing::warn!(%error, "a compiled connector could not be cached");
            }
        }
        Ok(component)
    }

    fn store(&self, path: &Path, code: &[u8]) -> std::io::Result<()> {
        let part = path.with_extension(format!("part-{}", std::process::id()));
        let tag = hmac::sign(&self.key, &bound(path, code));
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        std::fs::write(&part, [tag.as_ref(), code].concat())?;
        std::fs::rename(&part, path)
    }
}

/// What the MAC covers: the file's own name (digest and settings), so that no file can stand in for another, then the code.
fn bound(path: &Path, code: &[u8]) -> Vec<u8> {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    [&(name.len() as u64).to_be_bytes(), name, code].concat()
}
