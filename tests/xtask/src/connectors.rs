//! Builds connectors: cargo makes core modules, this makes each a component that imports nothing but the contract and carries its
//! manifest and a signature. The names of functions stay in, so that a trap can be read. The key that signs is a developer's: it is
//! made in the target folder, without a passphrase, and nobody else trusts it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use consentry_contract::manifest::Manifest;
use minisign::{KeyPair, SecretKey, SecretKeyBox};
use sha2::{Digest as _, Sha256};
use wasm_encoder::{ComponentSection as _, CustomSection};
use wit_component::{ComponentEncoder, DecodedWasm};
use wit_parser::WorldItem;

const TARGET: &str = "wasm32-unknown-unknown";
/// The one package whose interfaces a connector may import.
const CONTRACT: &str = "consentry:connector/";
/// Custom section in which the host looks for the manifest.
const MANIFEST_SECTION: &str = "consentry:manifest";
/// Custom section in which the host looks for the signature over all that stands before it.
const SIGNATURE_SECTION: &str = "consentry:signature";

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
    add_target()?;
    let modules = build(&root, connectors.values().map(|found| &found.package))?;
    for (name, found) in &connectors {
        let package = &found.package;
        let module =
            modules.get(package).with_context(|| format!("cargo built no module for {package}; is it a cdylib?"))?;
        let component = component(module, &found.manifest).with_context(|| found.manifest.display().to_string())?;
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

fn add_target() -> Result<()> {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output()?;
    if Path::new(String::from_utf8(output.stdout)?.trim()).is_dir() {
        return Ok(());
    }
    eprintln!("adding the target {TARGET}");
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    ensure!(added.is_ok_and(|status| status.success()), "install the Rust target {TARGET} for this toolchain");
    Ok(())
}

/// For guests only: what runs while building keeps its settings, so that it is shared with every other build.
const PROFILE: [&str; 6] = [
    "opt-level=3",
    "codegen-units=1",
    "lto=\"fat\"",
    "debug=false",
    "debug-assertions=false",
    "build-override.debug-assertions=true",
];

/// Builds the modules in one call of cargo; they are found by package.
fn build<'n>(root: &Path, packages: impl Iterator<Item = &'n String>) -> Result<BTreeMap<String, PathBuf>> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["build", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    for setting in PROFILE {
        cargo.args(["--config", &format!("profile.dev.{setting}")]);
    }
    cargo.args(["--config", &same_everywhere(root)]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    let output = cargo.stderr(Stdio::inherit()).output().context("cargo")?;
    ensure!(output.status.success(), "cargo build failed");
    let mut modules = BTreeMap::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        let name = message["target"]["name"].as_str();
        let files = message["filenames"].as_array().into_iter().flatten().filter_map(|file| file.as_str());
        if let (Some(name), Some(wasm)) = (name, files.into_iter().find(|file| file.ends_with(".wasm"))) {
            modules.insert(name.replace('_', "-"), PathBuf::from(wasm));
        }
    }
    Ok(modules)
}

/// No path of the machine gets into a connector, so the same source has the same digest everywhere.
fn same_everywhere(root: &Path) -> String {
    let cargo_home = std::env::home_dir().unwrap_or_default().join(".cargo");
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let flags = [remap(root, "consentry"), remap(&cargo_home, "cargo")];
    format!("target.{TARGET}.rustflags = {flags:?}")
}

fn component(module: &Path, manifest: &Path) -> Result<Vec<u8>> {
    let text = std::fs::read_to_string(manifest)?;
    Manifest::parse(&text).map_err(|errors| anyhow::anyhow!("manifest.toml\n{errors}"))?;
    let module = std::fs::read(module)?;
    let mut component = ComponentEncoder::default().validate(true).module(&module)?.encode()?;
    check_imports(&component)?;
    CustomSection { name: MANIFEST_SECTION.into(), data: text.as_bytes().into() }.append_to_component(&mut component);
    Ok(component)
}

fn check_imports(component: &[u8]) -> Result<()> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("this is no component")
    };
    for (key, item) in &resolve.worlds[world].imports {
        let name = resolve.name_world_key(key);
        // The name of a type (`use types.{fault}` in the world) is no capability.
        let type_only = matches!(item, WorldItem::Type { .. });
        ensure!(type_only || name.starts_with(CONTRACT), "it imports `{name}`; a connector imports {CONTRACT}* only");
    }
    Ok(())
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
    CustomSection { name: SIGNATURE_SECTION.into(), data: signature.into_string().as_bytes().into() }
        .append_to_component(&mut signed);
    Ok(signed)
}

/// A file that is being loaded elsewhere is never half written.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = path.with_extension(format!("part-{}", std::process::id()));
    std::fs::write(&part, bytes)?;
    Ok(std::fs::rename(part, path)?)
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        // A String takes all.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
