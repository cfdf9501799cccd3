//! What an engine reads from files, and the folders it makes, while it is wired.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use url::Url;
use zeroize::Zeroizing;

use super::{BuildError, Secrets};
use crate::consent::notice::Operator;
use crate::engine::forget::asked::{ASKED, TAKEN};
use crate::entropy::Entropy;
use crate::processing::Processing;

/// The key that authenticates compiled code. It stands beside the folder of compiled code, not in it, for its owner only.
pub(super) fn cache_key(compiled: Option<&Path>, entropy: &Entropy) -> Result<Zeroizing<[u8; 32]>, BuildError> {
    let mut key = Zeroizing::new([0; 32]);
    let Some(path) = compiled.map(|folder| folder.with_extension("key")) else {
        entropy.with(|rng| rng.fill_bytes(key.as_mut_slice()));
        return Ok(key);
    };
    match std::fs::read(&path) {
        Ok(bytes) if bytes.len() == key.len() => key.copy_from_slice(&bytes),
        // Missing or broken: with a new key everything is compiled again, and nothing old is trusted.
        _ => {
            entropy.with(|rng| rng.fill_bytes(key.as_mut_slice()));
            let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            written
                .and_then(|()| crate::forward::file::receive(&path, key.as_slice(), entropy))
                .map_err(|source| BuildError::Secret { path, source })?;
        }
    }
    Ok(key)
}

/// The log's name: where it is served, without the scheme.
pub(super) fn log_origin(public: &Url) -> String {
    let host = public.host_str().unwrap_or("localhost");
    let port = public.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{host}{port}{}/v1/log", public.path().trim_end_matches('/'))
}

/// The folder in which the node's owner asks for erasures. What was taken in the last life, and not done, is asked for again.
pub(super) fn folder_of_requests(data: Option<&Path>) -> Result<Option<PathBuf>, BuildError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let Some(data) = data else { return Ok(None) };
    let [erasures, retests] = ["erase", "retest"].map(|name| data.join(name));
    for path in [&erasures, &retests] {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| BuildError::Secret { path: path.clone(), source })?;
    }
    let unreadable = |source| BuildError::Secret { path: erasures.clone(), source };
    for entry in std::fs::read_dir(&erasures).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|end| end == TAKEN) {
            std::fs::rename(&path, path.with_extension(ASKED)).map_err(unreadable)?;
        }
    }
    Ok(Some(erasures))
}

pub(super) fn desk() -> Operator {
    let [name, contact] = ["This computer", "the person at this computer"].map(str::to_owned);
    Operator { name, contact, in_memory: true, processing: Processing::default() }
}

/// One line of a file that is kept from others.
pub(super) fn read_text(path: &Path) -> Result<Zeroizing<String>, BuildError> {
    let unreadable = |source| BuildError::Secret { path: path.to_owned(), source };
    let bytes = crate::secret_file::read_line(path).map_err(unreadable)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable(std::io::ErrorKind::InvalidData.into()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

pub(super) fn read_secrets(files: &BTreeMap<String, PathBuf>) -> Result<Secrets, BuildError> {
    let mut secrets = Secrets::new();
    for (name, path) in files {
        let unreadable = |source| BuildError::Secret { path: path.clone(), source };
        secrets.insert(name.clone(), crate::secret_file::read_line(path).map_err(unreadable)?);
    }
    Ok(secrets)
}
