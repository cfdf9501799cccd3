//! What several commands need: an engine from a configuration, connectors from a folder.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use secrecy::SecretString;

use crate::clock::{Clock, SystemClock};
use crate::collect::compile::Compiler;
use crate::config::{Config, KeysPlace};
use crate::engine::catalogue::{Catalogue, Folder};
use crate::engine::{Builder, Engine};
use crate::entropy::Entropy;
use crate::forward;
use crate::keys::pkcs11::Settings;
use crate::keys::software::KeyFileError;
use crate::keys::{KeyError, KeyProvider, SoftwareKeys, TokenKeys};
use crate::secret_file;

/// A passphrase or a PIN, from a file that is its owner's alone.
pub(super) fn passphrase_in(path: &Path) -> anyhow::Result<SecretString> {
    let told = || format!("{} can't be used as the file of a passphrase or a PIN", path.display());
    let bytes = secret_file::read_private_line(path).with_context(told)?;
    let text = std::str::from_utf8(&bytes).with_context(told)?;
    Ok(SecretString::from(text))
}

/// Writes the two halves of a new key: both, or none.
pub(super) fn write_pair(secret: (&Path, &[u8]), public: (&Path, &[u8])) -> anyhow::Result<()> {
    if let Some(path) = [secret.0, public.0].into_iter().find(|path| path.exists()) {
        bail!("{} exists; keys are never overwritten", path.display());
    }
    forward::file::create_pair(secret, public, &Entropy::system())
        .with_context(|| format!("{} and {} can't be written", secret.0.display(), public.0.display()))
}

/// Refuses an account that the data folder does not belong to. What root leaves there, the engine of another account can't read: its keys
/// first of all.
pub(super) fn as_owner(config: &Config) -> anyhow::Result<()> {
    let folder = &config.engine.data_folder;
    let Ok(there) = folder.metadata() else { return Ok(()) };
    let (owner, account) = (there.uid(), rustix::process::geteuid().as_raw());
    if owner != account {
        bail!(
            "{} belongs to the account {owner}, and this runs as {account}: run it as the account that the engine runs as, as in \
             `runuser -u NAME -- consentry …`; what another one writes there, the engine can't read. Nothing was done",
            folder.display()
        );
    }
    Ok(())
}

/// An engine as the configuration says, its keys opened, its connectors loaded.
pub(super) async fn engine(config: &Config) -> anyhow::Result<Arc<Engine>> {
    let folder = config.connectors()?;
    let builder = with_keys(config)?.catalogue(catalogue(&folder).0).watch(folder);
    Ok(builder.build().await?)
}

/// An engine as the configuration says, its keys opened, without connectors.
pub(super) fn with_keys(config: &Config) -> anyhow::Result<Builder> {
    with(config, keys(config)?)
}

/// The same, with keys that are open: a passphrase may come from a pipe, which gives it once.
pub(super) fn with(config: &Config, keys: Arc<dyn KeyProvider>) -> anyhow::Result<Builder> {
    Ok(builder().configure(config)?.keys(keys))
}

/// The keys of a node, opened.
pub(super) fn keys(config: &Config) -> anyhow::Result<Arc<dyn KeyProvider>> {
    as_owner(config)?;
    let passphrase = match config.keys.place()? {
        KeysPlace::File { passphrase } => passphrase_in(passphrase)?,
        KeysPlace::Token { module, token, pin } => {
            return Ok(Arc::new(
                TokenKeys::open(token_settings(module, token, pin)?).context("the token of the keys")?,
            ));
        }
    };
    let path = key_file(config);
    let opened = SoftwareKeys::open(&path, passphrase, SystemClock.now());
    let missing = matches!(opened, Err(KeyError::File(KeyFileError::Missing)));
    let advice = if missing { ": make keys with `consentry keys generate`" } else { "" };
    Ok(Arc::new(opened.with_context(|| format!("{}{advice}", path.display()))?))
}

/// Makes the keys of a node, and says where they are.
pub(super) fn make_keys(config: &Config) -> anyhow::Result<String> {
    let now = SystemClock.now();
    match config.keys.place()? {
        KeysPlace::File { passphrase } => {
            let (path, passphrase) = (key_file(config), passphrase_in(passphrase)?);
            let roots = config.engine.data_folder.join("roots");
            if roots.exists() && !path.exists() {
                bail!(
                    "{} is there, and opens with the keys that were in {} alone: put the copy of these back. Without one, nothing that is \
                     kept opens any more: move roots, tables and store away, and make keys then",
                    roots.display(),
                    path.display()
                );
            }
            std::fs::create_dir_all(&config.engine.data_folder)
                .with_context(|| format!("{} can't be made", config.engine.data_folder.display()))?;
            SoftwareKeys::generate(&path, passphrase, now)
                .with_context(|| format!("{}: no keys were made", path.display()))?;
            Ok(format!("keys written to {}", path.display()))
        }
        KeysPlace::Token { module, token, pin } => {
            TokenKeys::generate(token_settings(module, token, pin)?, now).context("the token of the keys")?;
            Ok(format!("keys made in the token {token}"))
        }
    }
}

fn token_settings(module: &Path, token: &str, pin: &Path) -> anyhow::Result<Settings> {
    Ok(Settings { module: module.to_owned(), token: token.to_owned(), pin: passphrase_in(pin)? })
}

fn key_file(config: &Config) -> PathBuf {
    config.engine.data_folder.join("keys")
}

/// Begins to wire an engine of this program, which is its own compiler.
pub(super) fn builder() -> Builder {
    Engine::builder().compiler(Compiler::this_program())
}

/// Refuses a folder of connectors that can't be read: an empty table would hide a slip of the pen.
pub(super) fn readable(folder: &Path) -> anyhow::Result<()> {
    let read = std::fs::read_dir(folder);
    read.map(drop).with_context(|| format!("the folder of connectors {} can't be read", folder.display()))
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
