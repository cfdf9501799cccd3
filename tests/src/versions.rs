//! Other versions of a built connector, for tests of updates: the same code under another manifest, signed like the first.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use consentry::collect::signature::{SigningKey, unsigned};
use consentry::data::Digest;

use crate::collecting::connector_path;

const MANIFEST_SECTION: &[u8] = b"consentry:manifest";

/// A version of the sample bank's connector.
#[derive(Debug, Clone)]
pub struct Made {
    /// Where it was written.
    pub path: PathBuf,
    /// What it is.
    pub digest: Digest,
}

/// Writes the sample bank's connector to a file, after each first text of its manifest was replaced by the second.
///
/// # Errors
/// It is not built, or its manifest holds no such text.
pub fn sample_bank(path: &Path, changes: &[(&str, &str)]) -> anyhow::Result<Made> {
    let made = changed("connectors/sample-bank", changes)?;
    let signed = signed(&made)?;
    // Beside the folder first: what is half written is no connector.
    let part = path.with_extension("part");
    std::fs::write(&part, signed)?;
    std::fs::rename(part, path)?;
    Ok(Made { path: path.to_owned(), digest: Digest::of(&made) })
}

/// This component with the signature that engines of tests trust.
///
/// # Errors
/// Nothing is built: there is no key.
pub fn signed(component: &[u8]) -> anyhow::Result<Vec<u8>> {
    let key = SigningKey::open(&connector_path("developer").with_extension("key"), None)?;
    Ok(key.sign(component, "for a test")?)
}

/// A built connector after each first text of its manifest was replaced by the second, unsigned.
///
/// # Errors
/// It is not built, or its manifest holds no such text.
pub fn changed(folder: &str, changes: &[(&str, &str)]) -> anyhow::Result<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (mut text, file) =
        (std::fs::read_to_string(folder.join("manifest.toml"))?, std::fs::read(connector_path(&name))?);
    let old = text.len();
    for (from, to) in changes {
        ensure!(text.contains(from), "the manifest holds no {from:?}");
        text = text.replacen(from, to, 1);
    }
    let component = unsigned(&file);
    // The manifest is the last section: 0, its length, the length of its name, its name, its text.
    let name = component.windows(MANIFEST_SECTION.len()).rposition(|window| window == MANIFEST_SECTION);
    let name = name.context("it has a manifest")?;
    ensure!(component.len() == name + MANIFEST_SECTION.len() + old, "the manifest is the last section");
    let start = component[..name].iter().rposition(|byte| *byte == 0).context("a custom section")?;
    let mut made = component[..start].to_vec();
    made.push(0);
    write_length(&mut made, 1 + MANIFEST_SECTION.len() + text.len());
    made.push(MANIFEST_SECTION.len() as u8);
    made.extend_from_slice(MANIFEST_SECTION);
    made.extend_from_slice(text.as_bytes());
    Ok(made)
}

fn write_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push(length as u8 & 0x7f | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}
