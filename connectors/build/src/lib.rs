//! Makes connectors of their sources: cargo makes core modules, this makes each a component that imports nothing but the contract and
//! carries its manifest. The names of functions stay in, so that a trap can be read. It signs nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use consentry_contract::manifest::{Manifest, ManifestErrors};
use sha2::{Digest as _, Sha256};
use wasm_encoder::{ComponentSection as _, CustomSection};
use wit_component::{ComponentEncoder, DecodedWasm};
use wit_parser::WorldItem;

/// What connectors are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";
/// The one package whose interfaces a connector may import.
const CONTRACT: &str = "consentry:connector/";
/// Custom section in which the host looks for the manifest.
const MANIFEST_SECTION: &str = "consentry:manifest";
/// Custom section in which the host looks for the signature over all that stands before it.
const SIGNATURE_SECTION: &str = "consentry:signature";

/// Why there is no connector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A program that is needed can't be started.
    #[error("{program} can't be started; install Rust from https://rustup.rs")]
    Start {
        /// Which.
        program: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The compiler's target is missing and can't be added.
    #[error("install the Rust target {TARGET} for this toolchain: rustup target add {TARGET}")]
    Target,
    /// The source does not compile; cargo has said why.
    #[error("the connector does not compile")]
    Compile,
    /// Cargo says something else than it used to.
    #[error("cargo's messages can't be read")]
    Messages,
    /// The package makes no module.
    #[error("cargo built no module for {0}; its Cargo.toml needs `crate-type = [\"cdylib\"]`")]
    NoModule(String),
    /// The module is none, or does not fit the contract.
    #[error("the module can't be made a component: {0}")]
    Component(String),
    /// It asks for something outside the contract.
    #[error("it imports `{0}`; a connector imports {CONTRACT}* only")]
    Import(String),
    /// The manifest is wrong.
    #[error("manifest.toml\n{0}")]
    Manifest(ManifestErrors),
    /// A file can't be read.
    #[error("{} can't be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// How a module is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As it is published: small and fast, slowly built.
    Shipped,
    /// As it is tried: built in a second after a change.
    Quick,
}

/// For guests only: what runs while building keeps its settings, so that it is shared with every other build.
const SHIPPED: [&str; 6] = [
    "opt-level=3",
    "codegen-units=1",
    "lto=\"fat\"",
    "debug=false",
    "debug-assertions=false",
    "build-override.debug-assertions=true",
];
const QUICK: [&str; 4] =
    ["opt-level=1", "debug=false", "debug-assertions=false", "build-override.debug-assertions=true"];

impl Profile {
    fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Shipped => &SHIPPED,
            Self::Quick => &QUICK,
        }
    }
}

/// Adds the compiler's target where it is missing.
///
/// # Errors
/// [`BuildError::Start`], [`BuildError::Target`].
pub fn add_target() -> Result<(), BuildError> {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    let output = output.map_err(|source| BuildError::Start { program: "rustc", source })?;
    if Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir() {
        return Ok(());
    }
    eprintln!("adding the target {TARGET}");
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    if added.is_ok_and(|status| status.success()) { Ok(()) } else { Err(BuildError::Target) }
}

/// Builds the modules of these packages of the workspace at `root` in one call of cargo: the path of each, by package.
///
/// # Errors
/// [`BuildError`].
pub fn modules(root: &Path, packages: &[&str], profile: Profile) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["build", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    for setting in profile.settings() {
        cargo.args(["--config", &format!("profile.dev.{setting}")]);
    }
    cargo.args(["--config", &same_everywhere(root)]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    let output = cargo.stderr(Stdio::inherit()).output();
    let output = output.map_err(|source| BuildError::Start { program: "cargo", source })?;
    if !output.status.success() {
        return Err(BuildError::Compile);
    }
    let mut modules = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line).map_err(|_| BuildError::Messages)?;
        let name = message["target"]["name"].as_str();
        let files = message["filenames"].as_array().into_iter().flatten().filter_map(|file| file.as_str());
        if let (Some(name), Some(wasm)) = (name, files.into_iter().find(|file| file.ends_with(".wasm"))) {
            modules.insert(name.replace('_', "-"), PathBuf::from(wasm));
        }
    }
    match packages.iter().find(|package| !modules.contains_key(**package)) {
        Some(missing) => Err(BuildError::NoModule((*missing).to_owned())),
        None => Ok(modules),
    }
}

/// No path of the machine gets into a connector, so the same source has the same digest everywhere.
fn same_everywhere(root: &Path) -> String {
    let usual = || std::env::home_dir().unwrap_or_default().join(".cargo");
    let cargo_home = std::env::var_os("CARGO_HOME").map_or_else(usual, PathBuf::from);
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let flags = [remap(root, "consentry"), remap(&cargo_home, "cargo")];
    format!("target.{TARGET}.rustflags = {flags:?}")
}

/// Wraps a module as a component with this manifest inside.
///
/// # Errors
/// [`BuildError`].
pub fn component(module: &Path, manifest: &Path) -> Result<Vec<u8>, BuildError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| BuildError::File { path, source }
    };
    let text = std::fs::read_to_string(manifest).map_err(unreadable(manifest))?;
    Manifest::parse(&text).map_err(BuildError::Manifest)?;
    let module = std::fs::read(module).map_err(unreadable(module))?;
    let mut component = wrapped(&module)?;
    check_imports(&component)?;
    append(&mut component, MANIFEST_SECTION, &text);
    Ok(component)
}

fn wrapped(module: &[u8]) -> Result<Vec<u8>, BuildError> {
    let broken = |error: &dyn std::fmt::Display| BuildError::Component(format!("{error:#}"));
    let mut encoder = ComponentEncoder::default();
    let encoder = encoder.validate(true).module(module).map_err(|error| broken(&error))?;
    encoder.encode().map_err(|error| broken(&error))
}

/// Puts a signature behind a component.
pub fn append_signature(component: &mut Vec<u8>, signature: &str) {
    append(component, SIGNATURE_SECTION, signature);
}

fn append(component: &mut Vec<u8>, name: &str, text: &str) {
    CustomSection { name: name.into(), data: text.as_bytes().into() }.append_to_component(component);
}

fn check_imports(component: &[u8]) -> Result<(), BuildError> {
    let decoded = wit_component::decode(component).map_err(|error| BuildError::Component(error.to_string()))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(BuildError::Component("it is a package of interfaces".to_owned()));
    };
    for (key, item) in &resolve.worlds[world].imports {
        let name = resolve.name_world_key(key);
        // The name of a type (`use types.{fault}` in the world) is no capability.
        if !matches!(item, WorldItem::Type { .. }) && !name.starts_with(CONTRACT) {
            return Err(BuildError::Import(name));
        }
    }
    Ok(())
}

/// `sha256:` and 64 hexadecimal digits.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        // A String takes all.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
