//! What this program carries for authors: the SDK as it was when the program was built, the contract, the templates. A connector outside of
//! this repository stands on the copy in its own folder, so that nothing has to be fetched but one library for bindings.

use std::io;
use std::path::{Path, PathBuf};

use consentry_contract::{failure, item};

use crate::entropy::Entropy;

mod tables {
    include!(concat!(env!("OUT_DIR"), "/carried.rs"));
}

/// The folder of the SDK in a connector's folder.
pub const SDK_FOLDER: &str = "sdk";

const SDK_HEAD: &str = "# Written by `consentry connector new` and `build`, which replace what is changed here.
[package]
name = \"consentry-sdk\"
description = \"What a connector is written with: guest bindings, typed items, small comforts.\"
edition = \"2024\"
publish = false
";
const PDF_HEAD: &str = "# Written by `consentry connector new` and `build`, which replace what is changed here.
[package]
name = \"consentry-pdf\"
description = \"The text of a PDF, line by line, for connectors: read in the sandbox.\"
edition = \"2024\"
publish = false
";
const SDK_BUILD: &str = "//! Hands on what follows from the host's tables.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = std::path::PathBuf::from(std::env::var_os(\"OUT_DIR\").ok_or(\"no OUT_DIR\")?);
    println!(\"cargo::rerun-if-changed=generated\");
    for file in std::fs::read_dir(\"generated\")? {
        let file = file?;
        std::fs::copy(file.path(), out.join(file.file_name()))?;
    }
    Ok(())
}
";

/// The files of the SDK, by their paths in its folder.
#[must_use]
pub fn sdk() -> Vec<(PathBuf, Vec<u8>)> {
    let head = |head: &str, dependencies: &str| {
        format!("{head}version = \"{}\"\n\n{dependencies}", env!("CARGO_PKG_VERSION")).into_bytes()
    };
    let mut files = vec![
        (PathBuf::from("Cargo.toml"), head(SDK_HEAD, tables::SDK_DEPENDENCIES)),
        (PathBuf::from("pdf/Cargo.toml"), head(PDF_HEAD, tables::PDF_DEPENDENCIES)),
        (PathBuf::from("build.rs"), SDK_BUILD.as_bytes().to_vec()),
        (PathBuf::from("generated/items.rs"), item::rust_constructors().into_bytes()),
        (PathBuf::from("generated/codes.rs"), failure::rust_codes().into_bytes()),
        (PathBuf::from("generated/currencies.rs"), item::rust_currencies().into_bytes()),
    ];
    // What stands in for the host in native tests needs the host's own crates, which are not carried: there is the contract alone.
    for (path, bytes) in tables::SDK.iter().filter(|(path, _)| *path != "native.rs") {
        let text = String::from_utf8_lossy(bytes).replace("\"../../wit\"", "\"wit\"");
        let text = text.replace("#[cfg(target_arch = \"wasm32\")]", "#[cfg(all())]");
        let text = text.replace("#[cfg(not(target_arch = \"wasm32\"))]", "#[cfg(any())]");
        files.push((Path::new("src").join(path), text.into_bytes()));
    }
    let pdf = tables::PDF.iter().filter(|(path, _)| *path != "tests.rs");
    files.extend(pdf.map(|(path, bytes)| (Path::new("pdf/src").join(path), bytes.to_vec())));
    files.extend(wit().map(|(path, bytes)| (Path::new("wit").join(path), bytes.to_vec())));
    files
}

/// The texts of the contract.
pub fn wit() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    tables::WIT.iter().copied().filter(|(path, _)| path.ends_with(".wit"))
}

/// The files of a template, by their paths in its folder.
pub fn template(name: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    let folder = format!("{name}/");
    tables::TEMPLATES.iter().filter_map(move |(path, bytes)| Some((path.strip_prefix(&*folder)?, *bytes)))
}

/// The versions that this program was built with: a new connector begins with the same.
#[must_use]
pub fn lock() -> &'static [u8] {
    include_bytes!("../../../Cargo.lock")
}

/// A file that all templates share.
#[must_use]
pub fn shared(name: &str) -> Option<&'static [u8]> {
    tables::TEMPLATES.iter().find(|(path, _)| *path == name).map(|(_, bytes)| *bytes)
}

/// Writes the SDK into a connector's folder, as far as it is another one there.
///
/// # Errors
/// The disk's.
pub fn write_sdk(connector: &Path) -> io::Result<()> {
    for (path, bytes) in sdk() {
        write(&connector.join(SDK_FOLDER).join(path), &bytes)?;
    }
    Ok(())
}

/// Writes a file with its folders, unless it is there already: what was not changed is not built again.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    crate::forward::file::publish(path, bytes, &Entropy::system())
}
