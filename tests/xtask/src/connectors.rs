//! Builds and signs the connectors of this repository. The key that signs is a developer's: it is made in the target folder, without a
//! passphrase, and nobody else trusts it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use consentry_build::{Profile, digest};
use minisign::{KeyPair, SecretKey, SecretKeyBox};

/// Where connectors are, what their packages' names begin with, and where they go below `target/connectors`. Those of tests stand
/// apart, so that nobody who looks for a Data Source meets them.
const FOLDERS: [(&str, &str, &str); 3] =
    [("connectors", "connector", ""), ("tests/hostile", "guest", "tests"), ("tests/guests", "guest", "tests")];

/// Which connectors.
#[derive(clap::Args)]
pub struct Args {
    /// Folders below `connectors/`, `tests/hostile/` and `tests/guests/`; all that have a manifest, if none is named
    pub names: Vec<String>,
}

/// A folder with a manifest.
struct Found {
    manifest: PathBuf,
    package: String,
    below: &'static str,
}

/// Builds them into `target/connectors/NAME.wasm`, those of tests into `target/connectors/tests/NAME.wasm`.
pub fn run(args: &Args) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let connectors = find(&root, &args.names)?;
    consentry_build::add_target()?;
    let packages: Vec<&str> = connectors.values().map(|found| found.package.as_str()).collect();
    let modules = consentry_build::modules(&root, &packages, Profile::Shipped)?;
    for (name, found) in &connectors {
        let package = &found.package;
        let module =
            modules.get(package).with_context(|| format!("cargo built no module for {package}; is it a cdylib?"))?;
        let component = consentry_build::component(module, &found.manifest)
            .with_context(|| found.manifest.display().to_string())?;
        // …/target/wasm32-unknown-unknown/debug/NAME.wasm
        let target = module.ancestors().nth(3).context("cargo writes into a target folder")?;
        let folder = target.join("connectors");
        let path = folder.join(found.below).join(format!("{name}.wasm"));
        std::fs::create_dir_all(path.parent().unwrap_or(&folder))?;
        write(&path, &signed(&component, &developer_key(&folder)?)?)?;
        println!("{name:<20} {:>9} bytes  {}", component.len(), digest(&component));
    }
    Ok(())
}

/// The connectors asked for, or all, with their manifests.
fn find(root: &Path, names: &[String]) -> Result<BTreeMap<String, Found>> {
    let mut all = BTreeMap::new();
    for (folder, prefix, below) in FOLDERS {
        for entry in std::fs::read_dir(root.join(folder))? {
            let manifest = entry?.path().join("manifest.toml");
            if let Some(name) = manifest.parent().and_then(Path::file_name).filter(|_| manifest.is_file()) {
                let name = name.to_string_lossy().into_owned();
                let package = format!("{prefix}-{name}");
                if let Some(other) = all.insert(name.clone(), Found { manifest, package, below }) {
                    bail!("{name} is also the name of {}", other.manifest.display());
                }
            }
        }
    }
    let known = all.keys().cloned().collect::<Vec<_>>().join(", ");
    if let Some(name) = names.iter().find(|name| !all.contains_key(*name)) {
        bail!("no connector {name} with a manifest.toml; connectors: {known}");
    }
    all.retain(|name, _| names.is_empty() || names.contains(name));
    ensure!(!all.is_empty(), "no folder below connectors/ has a manifest.toml");
    Ok(all)
}

/// The key of this target folder; its public half stands beside it.
fn developer_key(folder: &Path) -> Result<SecretKey> {
    let [secret, public] = ["developer.key", "developer.pub"].map(|name| folder.join(name));
    if !secret.exists() || !public.exists() {
        let pair = KeyPair::generate_unencrypted_keypair()?;
        // Gone first: a file that others could read stays that way when it is written over.
        let _ = std::fs::remove_file(&secret);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&secret)?;
        file.write_all(pair.sk.to_box(Some("a developer's key, for tests"))?.into_string().as_bytes())?;
        write(&public, pair.pk.to_box()?.into_string().as_bytes())?;
    }
    Ok(SecretKeyBox::from_string(&std::fs::read_to_string(secret)?)?.into_unencrypted_secret_key()?)
}

fn signed(component: &[u8], key: &SecretKey) -> Result<Vec<u8>> {
    let signature = minisign::sign(None, key, component, Some(&digest(component)), Some("a connector of Consentry"))?;
    let mut signed = component.to_vec();
    consentry_build::append_signature(&mut signed, &signature.into_string());
    Ok(signed)
}

/// A file that is being loaded elsewhere is never half written.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = path.with_extension(format!("part-{}", std::process::id()));
    std::fs::write(&part, bytes)?;
    Ok(std::fs::rename(part, path)?)
}
