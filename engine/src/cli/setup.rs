//! What several commands need: an engine from a configuration, connectors from a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use secrecy::SecretString;

use crate::clock::{Clock, SystemClock};
use crate::collect::compile::Compiler;
use crate::config::Config;
use crate::engine::catalogue::{Catalogue, Folder};
use crate::engine::{Builder, Engine};
use crate::keys::software::KeyFileError;
use crate::keys::{KeyError, KeyProvider, SoftwareKeys};
use crate::secret_file;

/// Where a node keeps its keys.
pub(super) fn key_file(config: &Config) -> PathBuf {
    config.engine.data_folder.join("keys")
}

/// The passphrase, from its file.
pub(super) fn passphrase(config: &Config) -> anyhow::Result<SecretString> {
    passphrase_in(&config.keys.passphrase_file)
}

/// A passphrase, from a file that is its owner's alone.
pub(super) fn passphrase_in(path: &Path) -> anyhow::Result<SecretString> {
    let told = || format!("the passphrase file {} can't be used", path.display());
    let bytes = secret_file::read_private(path).with_context(told)?;
    let text = std::str::from_utf8(&bytes).with_context(told)?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
}

/// An engine as the configuration says, its keys opened, its connectors loaded.
pub(super) async fn engine(config: &Config) -> anyhow::Result<Arc<Engine>> {
    let folder = config.connectors()?;
    let builder = with_keys(config)?.catalogue(catalogue(&folder).0).watch(folder);
    Ok(builder.build().await?)
}

/// An engine as the configuration says, its keys opened, without connectors.
pub(super) fn with_keys(config: &Config) -> anyhow::Result<Builder> {
    Ok(builder().configure(config)?.keys(keys(config)?))
}

/// The keys of a node, opened.
pub(super) fn keys(config: &Config) -> anyhow::Result<Arc<dyn KeyProvider>> {
    let path = key_file(config);
    let opened = SoftwareKeys::open(&path, passphrase(config)?, SystemClock.now());
    let missing = matches!(opened, Err(KeyError::File(KeyFileError::Missing)));
    let advice = if missing { ": make keys with `consentry keys generate`" } else { "" };
    Ok(Arc::new(opened.with_context(|| format!("{}{advice}", path.display()))?))
}

/// Begins to wire an engine of this program, which is its own compiler.
pub(super) fn builder() -> Builder {
    Engine::builder().compiler(Compiler::this_program())
}

/// The connectors of a folder. A file that is not served is told, and spoils nothing; why is given back, too.
pub(super) fn catalogue(folder: &Folder) -> (Catalogue, Vec<String>) {
    let (catalogue, refused) = folder.load();
    let refused: Vec<String> = refused.into_iter().map(|error| format!("{:#}", anyhow::Error::from(error))).collect();
    for why in &refused {
        eprintln!("consentry: {why}");
    }
    (catalogue, refused)
}
