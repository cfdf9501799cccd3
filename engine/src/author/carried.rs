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
const CONTRACT_HEAD: &str = "# Written by `consentry connector new` and `build`, which replace what is changed here.
[package]
name = \"consentry-contract\"
description = \"How the host reads pages and checks items, for a connector's own tests: no connector holds it.\"
edition = \"2024\"
publish = false
";
/// The part of it by which pages are read and items checked.
const CONTRACT_MODULES: [&str; 5] = ["document", "failure", "item", "limits", "plain"];
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
        (PathBuf::from("contract/Cargo.toml"), head(CONTRACT_HEAD, tables::CONTRACT_DEPENDENCIES)),
        (PathBuf::from("contract/src/lib.rs"), contract_head().into_bytes()),
        (PathBuf::from("build.rs"), SDK_BUILD.as_bytes().to_vec()),
        (PathBuf::from("generated/items.rs"), item::rust_constructors().into_bytes()),
        (PathBuf::from("generated/codes.rs"), failure::rust_codes().into_bytes()),
        (PathBuf::from("generated/currencies.rs"), item::rust_currencies().into_bytes()),
    ];
    for (path, bytes) in tables::SDK {
        let text = String::from_utf8_lossy(bytes).replace("\"../../wit\"", "\"wit\"");
        files.push((Path::new("src").join(path), text.into_bytes()));
    }
    let is_test = |path: &str| path.ends_with("tests.rs") || path.contains("tests/");
    let pdf = tables::PDF.iter().filter(|(path, _)| !is_test(path));
    files.extend(pdf.map(|(path, bytes)| (Path::new("pdf/src").join(path), bytes.to_vec())));
    let pages = tables::CONTRACT.iter().filter(|(path, _)| {
        let module = path.split(['/', '.']).next().unwrap_or_default();
        CONTRACT_MODULES.contains(&module) && !is_test(path)
    });
    files.extend(pages.map(|(path, bytes)| (Path::new("contract/src").join(path), bytes.to_vec())));
    files.extend(wit().map(|(path, bytes)| (Path::new("wit").join(path), bytes.to_vec())));
    files
}

/// What of the contract is carried, in a library of its own. What only the host asks for is not missed there.
fn contract_head() -> String {
    let modules = CONTRACT_MODULES.map(|module| format!("pub mod {module};\n"));
    format!(
        "//! How the host reads pages and checks items.\n\n#![allow(dead_code, unused_imports)]\n\n{}",
        modules.concat()
    )
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
