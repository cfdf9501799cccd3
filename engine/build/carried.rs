//! The files of the SDK, the contract and the templates, as tables of paths and bytes.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Tables, and the folders that they hold.
const FOLDERS: [(&str, &str); 5] = [
    ("SDK", "connectors/sdk/src"),
    ("PDF", "connectors/pdf/src"),
    ("CONTRACT", "host-api/contract/src"),
    ("WIT", "wit"),
    ("TEMPLATES", "connectors/templates"),
];
/// What the SDK stands on that is ours, too: each is carried with it, in a folder of its own.
const BESIDE: [(&str, &str); 2] = [("consentry-pdf", "pdf"), ("consentry-contract", "contract")];
/// What the part of the contract stands on by which pages are read and items checked, in an author's own tests.
const PAGES: [&str; 15] = [
    "cssparser",
    "encoding_rs",
    "hashbrown",
    "html5ever",
    "html5gum",
    "iban_validate",
    "jiff",
    "precomputed-hash",
    "selectors",
    "serde",
    "serde_json",
    "thiserror",
    "url",
    "xml5ever",
    "zeroize",
];

/// The connector that is the template for a browser, and what of its room that takes: a second copy would go another way.
const BROWSER: &str = "connectors/sample-branch";
const ROOM: [&str; 5] = ["manifest.toml", "acceptance.toml", "src/lib.rs", "src/tests.rs", "tape"];
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
    for (name, package) in [
        ("SDK_DEPENDENCIES", "connectors/sdk"),
        ("PDF_DEPENDENCIES", "connectors/pdf"),
        ("CONTRACT_DEPENDENCIES", "host-api/contract"),
    ] {
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

/// What a package stands on, with the versions that the workspace names, and its features; beside what is there in tests outside of
/// WebAssembly only.
fn dependencies(root: &Path, package: &str) -> Result<String, Box<dyn Error>> {
    let read = |path: &str| -> Result<Table, Box<dyn Error>> {
        let path = root.join(path);
        println!("cargo::rerun-if-changed={}", path.display());
        Ok(std::fs::read_to_string(path)?.parse::<Table>()?)
    };
    let (own, workspace) = (read(&format!("{package}/Cargo.toml"))?, read("Cargo.toml")?);
    let versions = workspace["workspace"]["dependencies"].as_table().ok_or("no versions")?;
    let mut asked = own["dependencies"].as_table().ok_or("no dependencies")?.clone();
    if package.ends_with("contract") {
        asked.retain(|name, _| PAGES.contains(&name));
    }
    let mut out = Table::new();
    out.extend(own.get("features").map(|features| ("features".to_owned(), features.clone())));
    out.insert("dependencies".to_owned(), resolved(&asked, versions)?);
    if let Some(targets) = own.get("target").and_then(Value::as_table) {
        let mut natively = Table::new();
        for (target, asked) in targets {
            let asked = asked["dependencies"].as_table().ok_or("no dependencies")?;
            let table = Table::from_iter([("dependencies".to_owned(), resolved(asked, versions)?)]);
            natively.insert(target.clone(), Value::Table(table));
        }
        out.insert("target".to_owned(), Value::Table(natively));
    }
    Ok(toml::to_string(&out)?)
}

/// Dependencies as they stand outside of the workspace.
fn resolved(asked: &Table, versions: &Table) -> Result<Value, Box<dyn Error>> {
    let mut out = Table::new();
    for (name, asked) in asked {
        let shared = asked.get("workspace").and_then(Value::as_bool) == Some(true);
        let version = if shared { versions.get(name).ok_or("an unknown version")? } else { asked };
        let mut version = match version {
            Value::Table(version) => version.clone(),
            number => Table::from_iter([("version".to_owned(), number.clone())]),
        };
        if version.contains_key("path") {
            let beside = BESIDE.iter().find(|(beside, _)| name == beside);
            let (_, path) =
                beside.ok_or_else(|| format!("the SDK is given to authors alone, so it can't stand on {name}"))?;
            version.insert("path".to_owned(), Value::from(*path));
        }
        version.extend(asked.get("optional").map(|optional| ("optional".to_owned(), optional.clone())));
        out.insert(name.clone(), Value::Table(version));
    }
    Ok(Value::Table(out))
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
