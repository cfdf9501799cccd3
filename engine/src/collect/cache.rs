//! Compiled connectors by digest, in memory and in a folder. Compiled code runs with the host's own rights, so a file counts only
//! with a tag under a key which the folder does not hold; anything else is compiled again. A file fits one build of wasmtime and
//! one set of settings: both are in its name. The tag is GMAC: checking it takes a tenth of the time that loading the code takes. What
//! can be made again takes nothing of the disk's reserve.
#![expect(
    unsafe_code,
    reason = "wasmtime loads native code; the bytes were made by this host's compiler and are authenticated first"
)]

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use wasmtime::component::Component;

use super::compile::{CompileError, Compiler};
use super::package::Package;
use super::sandbox::{Prepared, Sandbox, SandboxError};
use crate::store::{RESERVE_BYTES, has_room_for};

const TAG_BYTES: usize = 16;
/// What the name of a file ends with while it is written, before the number of the process.
const PART: &str = "part-";

/// A connector, once it was asked for: ready, or refused for good.
type Slot = Arc<Mutex<Option<Result<Prepared, String>>>>;

/// Compiled connectors, each compiled once.
pub struct CompiledCache {
    folder: Option<PathBuf>,
    key: LessSafeKey,
    compiler: Compiler,
    slots: Mutex<HashMap<String, Slot>>,
}

impl std::fmt::Debug for CompiledCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompiledCache").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl CompiledCache {
    /// `folder` none keeps compiled code in memory only; `key` authenticates the files. One process at a time has the folder: what an
    /// earlier one left half-written there goes.
    pub fn new(folder: Option<PathBuf>, key: &[u8; 32], compiler: Compiler) -> Self {
        // Unwrap safety: the key has the cipher's length.
        let key = UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).expect("32 bytes are a key");
        folder.as_deref().into_iter().for_each(clear_half_written);
        Self { folder, key, compiler, slots: Mutex::default() }
    }

    /// The compiled connector, if it is in memory and nobody is making it: what [`Self::prepare`] would answer at once.
    pub fn ready(&self, package: &Package) -> Option<Prepared> {
        let slot = lock(&self.slots).get(package.digest())?.clone();
        let slot = slot.try_lock().ok()?;
        slot.as_ref()?.as_ref().ok().cloned()
    }

    /// The compiled connector: from memory, else from the folder, else compiled now. Blocks for as long as that takes, and makes
    /// others wait who ask for the same connector: call it off the I/O threads.
    ///
    /// # Errors
    /// [`SandboxError::Connector`] when it does not compile or does not fit the contract; [`SandboxError::Compiler`] when the
    /// compiler gave no answer.
    pub fn prepare(&self, sandbox: &Sandbox, package: &Package) -> Result<Prepared, SandboxError> {
        let slot = lock(&self.slots).entry(package.digest().to_owned()).or_default().clone();
        let mut slot = lock(&slot);
        if let Some(known) = &*slot {
            return known.clone().map_err(|reason| SandboxError::Connector { reason });
        }
        let prepared = self.make(sandbox, package);
        match &prepared {
            Ok(prepared) => *slot = Some(Ok(prepared.clone())),
            // The same bytes would be refused again, after as much work.
            Err(SandboxError::Connector { reason }) => *slot = Some(Err(reason.clone())),
            Err(_) => {}
        }
        prepared
    }

    /// Drops a connector that is not to run again, with its file.
    pub fn forget(&self, sandbox: &Sandbox, digest: &str) {
        lock(&self.slots).remove(digest);
        // One that is not there is forgotten already.
        let _ = self.path(sandbox, digest).map(std::fs::remove_file);
    }

    fn make(&self, sandbox: &Sandbox, package: &Package) -> Result<Prepared, SandboxError> {
        let component = match self.load(sandbox, package) {
            Some(component) => component,
            None => self.compile(sandbox, package)?,
        };
        sandbox.link(&component)
    }

    fn path(&self, sandbox: &Sandbox, digest: &str) -> Option<PathBuf> {
        let settings =
            BuildHasherDefault::<DefaultHasher>::default().hash_one(sandbox.engine().precompile_compatibility_hash());
        let name = format!("{}-{settings:016x}.cwasm", digest.trim_start_matches("sha256:"));
        self.folder.as_ref().map(|folder| folder.join(name))
    }

    fn load(&self, sandbox: &Sandbox, package: &Package) -> Option<Component> {
        let path = self.path(sandbox, package.digest())?;
        let bytes = std::fs::read(&path).ok()?;
        let Some(code) = self.open(&path, &bytes) else {
            tracing::warn!(
                connector = package.digest(),
                "a compiled connector failed its authentication; compiling it again"
            );
            return None;
        };
        // SAFETY: the bytes carry our tag, so this host's compiler made them, for this digest and these settings.
        unsafe { Component::deserialize(sandbox.engine(), code) }.ok()
    }

    fn compile(&self, sandbox: &Sandbox, package: &Package) -> Result<Component, SandboxError> {
        let code = self.compiler.compile(sandbox.engine(), package.bytes()).map_err(|error| match error {
            CompileError::Refused(reason) => SandboxError::refused(&reason),
            error => SandboxError::Compiler(error),
        })?;
        if let Some(path) = self.path(sandbox, package.digest()) {
            // A cache that can't be written costs time, not correctness.
            if let Err(error) = self.store(&path, &code) {
                tracing::warn!(%error, "a compiled connector could not be cached");
            }
        }
        // SAFETY: the bytes have just come from this host's compiler, over a pipe that nobody else has.
        let loaded = unsafe { Component::deserialize(sandbox.engine(), &code) };
        loaded.map_err(|error| SandboxError::refused(&format!("{error:#}")))
    }

    /// The code in a file, if it is as this host wrote it under this name.
    fn open<'a>(&self, path: &Path, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (nonce, rest) = bytes.split_at_checked(NONCE_LEN)?;
        let (tag, named) = rest.split_at_checked(TAG_BYTES)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        self.key.open_separate_gather(nonce, Aad::from(named), &[], tag, &mut []).ok()?;
        named.strip_prefix(path.file_name()?.as_encoded_bytes())
    }

    fn store(&self, path: &Path, code: &[u8]) -> std::io::Result<()> {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| std::io::Error::other("no randomness"))?;
        // The file's own name (digest and settings) first, so that no file can stand in for another. All names are equally long.
        let named = [path.file_name().unwrap_or_default().as_encoded_bytes(), code].concat();
        let sealed =
            self.key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&named), &mut []);
        let tag = sealed.map_err(|_| std::io::Error::other("the code can't be authenticated"))?;
        let (part, folder) = (path.with_extension(format!("{PART}{}", std::process::id())), folder_of(path));
        std::fs::create_dir_all(folder)?;
        has_room_for(folder, RESERVE_BYTES, named.len()).map_err(std::io::Error::other)?;
        let written = std::fs::write(&part, [&nonce, tag.as_ref(), &named].concat());
        written.and_then(|()| std::fs::rename(&part, path)).inspect_err(|_| {
            // What can't be removed now is at the next start.
            let _ = std::fs::remove_file(&part);
        })
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn clear_half_written(folder: &Path) {
    // A folder that is not there has nothing.
    for path in std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())) {
        if path.extension().is_some_and(|end| end.to_string_lossy().starts_with(PART)) {
            // It is tried again at the next start, and costs room until then.
            let _ = std::fs::remove_file(&path);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in there is put in by one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
