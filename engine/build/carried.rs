//! The files of the SDK, the contract and the templates, as tables of paths and bytes.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Rust source of four tables, read from the repository at `root`.
pub fn generate(root: &Path) -> Result<String, Box<dyn Error>> {
    let root = root.canonicalize()?;
    let mut out = String::new();
    for (name, folder) in [("SDK", "connectors/sdk/src"), ("WIT", "wit"), ("TEMPLATES", "connectors/templates")] {
        let folder = root.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        writeln!(out, "pub(super) static {name}: &[(&str, &[u8])] = &[")?;
        for path in files(&folder)? {
            let inside = path.strip_prefix(&folder)?.to_str().ok_or("a name that is no text")?.to_owned();
            // Older versions of the contract are no part of it.
            if !inside.starts_with("released/") {
                writeln!(out, "    ({inside:?}, include_bytes!({:?})),", path.to_str().ok_or("no text")?)?;
            }
        }
        writeln!(out, "];")?;
    }
    writeln!(out, "pub(super) static SDK_DEPENDENCIES: &str = {:?};", dependencies(&root)?)?;
    Ok(out)
}

/// What the SDK stands on, with the versions that the workspace names.
fn dependencies(root: &Path) -> Result<String, Box<dyn Error>> {
    let read = |path: &str| -> Result<Table, Box<dyn Error>> {
        let path = root.join(path);
        println!("cargo::rerun-if-changed={}", path.display());
        Ok(std::fs::read_to_string(path)?.parse::<Table>()?)
    };
    let (sdk, workspace) = (read("connectors/sdk/Cargo.toml")?, read("Cargo.toml")?);
    let versions = workspace["workspace"]["dependencies"].as_table().ok_or("no versions")?;
    let mut out = Table::new();
    for (name, asked) in sdk["dependencies"].as_table().ok_or("no dependencies")? {
        let shared = asked.get("workspace").and_then(Value::as_bool) == Some(true);
        let version = if shared { versions.get(name).ok_or("an unknown version")? } else { asked };
        if version.get("path").is_some() {
            return Err(format!("the SDK is given to authors alone, so it can't stand on {name}").into());
        }
        out.insert(name.clone(), version.clone());
    }
    Ok(toml::to_string(&Table::from_iter([("dependencies".to_owned(), Value::Table(out))]))?)
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
