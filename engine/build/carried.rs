//! The files of the SDK, the contract and the templates, as tables of paths and bytes.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Tables, and the folders that they hold.
const FOLDERS: [(&str, &str); 4] = [
    ("SDK", "connectors/sdk/src"),
    ("PDF", "connectors/pdf/src"),
    ("WIT", "wit"),
    ("TEMPLATES", "connectors/templates"),
];
/// What the SDK stands on that is ours, too: it is carried with it, in a folder of its own.
const BESIDE: (&str, &str) = ("consentry-pdf", "pdf");

/// The connector that is the template for a browser, and what of its room that takes: a second copy would go another way.
const BROWSER: &str = "connectors/sample-branch";
const ROOM: [&str; 4] = ["manifest.toml", "acceptance.toml", "src/lib.rs", "tape"];
/// What is its own, and what stands for it in a template.
const OWN: [(&str, &str); 2] = [
    ("\"sample-branch\"", "\"NAME\""),
    (
        r#"{ name = "Consentry authors", contact = "connectors@consentry.example" }"#,
        r#"{ name = "Your name", contact = "you@example.org" }"#,
    ),
];

/// Rust source of these tables, read from the repository at `root`.
pub fn generate(root: &Path) -> Result<String, Box<dyn Error>> {
    let root = root.canonicalize()?;
    let mut out = String::new();
    for (name, folder) in FOLDERS {
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
        if name == "TEMPLATES" {
            browser(&root, &mut out)?;
        }
        writeln!(out, "];")?;
    }
    for (name, package) in [("SDK_DEPENDENCIES", "sdk"), ("PDF_DEPENDENCIES", "pdf")] {
        writeln!(out, "pub(super) static {name}: &str = {:?};", dependencies(&root, package)?)?;
    }
    Ok(out)
}

/// The template for a browser, of the connector that it is.
fn browser(root: &Path, out: &mut String) -> Result<(), Box<dyn Error>> {
    let room = root.join(BROWSER);
    for part in ROOM.map(|part| room.join(part)) {
        println!("cargo::rerun-if-changed={}", part.display());
        for path in if part.is_dir() { files(&part)? } else { vec![part] } {
            let inside = format!("browser/{}", path.strip_prefix(&room)?.to_str().ok_or("a name that is no text")?);
            match std::fs::read_to_string(&path) {
                Ok(text) if !inside.starts_with("browser/tape/") => {
                    let text = OWN.iter().fold(text, |text, (own, other)| text.replace(own, other));
                    writeln!(out, "    ({inside:?}, {text:?}.as_bytes()),")?;
                }
                _ => writeln!(out, "    ({inside:?}, include_bytes!({:?})),", path.to_str().ok_or("no text")?)?,
            }
        }
    }
    Ok(())
}

/// What a package stands on, with the versions that the workspace names, and its features.
fn dependencies(root: &Path, package: &str) -> Result<String, Box<dyn Error>> {
    let read = |path: &str| -> Result<Table, Box<dyn Error>> {
        let path = root.join(path);
        println!("cargo::rerun-if-changed={}", path.display());
        Ok(std::fs::read_to_string(path)?.parse::<Table>()?)
    };
    let (own, workspace) = (read(&format!("connectors/{package}/Cargo.toml"))?, read("Cargo.toml")?);
    let versions = workspace["workspace"]["dependencies"].as_table().ok_or("no versions")?;
    let mut out = Table::new();
    for (name, asked) in own["dependencies"].as_table().ok_or("no dependencies")? {
        let shared = asked.get("workspace").and_then(Value::as_bool) == Some(true);
        let version = if shared { versions.get(name).ok_or("an unknown version")? } else { asked };
        let mut version = match version {
            Value::Table(version) => version.clone(),
            number => Table::from_iter([("version".to_owned(), number.clone())]),
        };
        if version.contains_key("path") {
            if name != BESIDE.0 {
                return Err(format!("the SDK is given to authors alone, so it can't stand on {name}").into());
            }
            version.insert("path".to_owned(), Value::from(BESIDE.1));
        }
        version.extend(asked.get("optional").map(|optional| ("optional".to_owned(), optional.clone())));
        out.insert(name.clone(), Value::Table(version));
    }
    let features = own.get("features").map(|features| ("features".to_owned(), features.clone()));
    let dependencies = Some(("dependencies".to_owned(), Value::Table(out)));
    Ok(toml::to_string(&Table::from_iter(features.into_iter().chain(dependencies)))?)
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
