//! Connector files: what is accepted holds one manifest and imports the contract and nothing else, which two other readers confirm: one
//! written here, of sections only, and the validator that every engine trusts.

use consentry::collect::package::{MANIFEST_SECTION, Package, PackageError};
use consentry::collect::signature::{Trust, unsigned};
use sha2::{Digest as _, Sha256};
use wasmparser::component_types::ComponentEntityType;
use wasmparser::{BinaryReader, ComponentImportSectionReader, Validator, WasmFeatures};

use crate::bound::bounded;
use crate::text::plain;

/// The contract's interfaces, written out once more.
const INTERFACES: &[&str] = &[
    "types",
    "job",
    "document",
    "credentials",
    "http",
    "browser",
    "prompt",
    "output",
    "session-state",
    "clock",
    "random",
    "progress",
    "log",
];

/// Takes the bytes of a file.
pub fn check(data: &[u8]) {
    match bounded("reading a connector", data.len(), || Package::read(data.to_vec(), &whoever())) {
        Ok(package) => accepted(&package, unsigned(data)),
        Err(error) => refused(&error),
    }
}

/// Whoever signed it, if anybody: what is looked at here is what stands before the signature.
fn whoever() -> Trust {
    Trust::default().or_unsigned()
}

fn refused(error: &PackageError) {
    plain("a refusal", &error.to_string());
    assert!(error.to_string().len() < 2048, "{} bytes", error.to_string().len());
    if let PackageError::Manifest(errors) = error {
        assert!(errors.iter().count() > 0);
    }
}

fn accepted(package: &Package, data: &[u8]) {
    assert_eq!(package.bytes(), data, "what is compiled is what was read");
    assert_eq!(package.digest(), format!("sha256:{}", hex::encode(Sha256::digest(data))));
    let sections = sections(data).expect("a component is a list of sections");
    let manifests: Vec<&[u8]> = sections
        .iter()
        .filter(|(id, _)| *id == 0)
        .filter_map(|(_, content)| named(content))
        .filter(|(name, _)| *name == MANIFEST_SECTION.as_bytes())
        .map(|(_, text)| text)
        .collect();
    let [manifest] = manifests[..] else { panic!("{} manifests", manifests.len()) };
    let again = consentry_contract::manifest::Manifest::parse(std::str::from_utf8(manifest).unwrap()).unwrap();
    assert_eq!(again.permissions(), package.manifest().permissions());
    assert_eq!(again.id(), package.manifest().id());
    twice(data, manifest);
    imports(data);
}

/// With a second manifest at its end the file is another one, and refused.
fn twice(data: &[u8], manifest: &[u8]) {
    let mut content = vec![MANIFEST_SECTION.len() as u8];
    content.extend_from_slice(MANIFEST_SECTION.as_bytes());
    content.extend_from_slice(manifest);
    let mut more = data.to_vec();
    more.push(0);
    let mut length = content.len();
    while length >= 0x80 {
        more.push(length as u8 | 0x80);
        length >>= 7;
    }
    more.push(length as u8);
    more.extend_from_slice(&content);
    assert!(matches!(Package::read(more, &whoever()), Err(PackageError::TwoManifests)));
}

/// What the validator takes for imports, of a file that it takes for a component.
fn imports(data: &[u8]) {
    let mut validator = Validator::new_with_features(WasmFeatures::default());
    let Ok(types) = bounded("validating", data.len(), || validator.validate_all(data)) else { return };
    for name in import_names(data) {
        let item = types.as_ref().component_item_for_import(&name).map(|item| item.ty);
        let is_type = matches!(item, Some(ComponentEntityType::Type { .. }));
        assert!(is_type || is_contract(&name), "{name} is imported");
    }
}

/// The names in the import sections of the outer component.
fn import_names(data: &[u8]) -> Vec<String> {
    let sections = sections(data).unwrap_or_default();
    let imports = sections.iter().filter(|(id, _)| *id == 10);
    let readers =
        imports.filter_map(|(_, content)| ComponentImportSectionReader::new(BinaryReader::new(content, 0)).ok());
    readers.flat_map(|reader| reader.into_iter().flatten().map(|import| import.name.name.to_owned())).collect()
}

fn is_contract(name: &str) -> bool {
    let Some((interface, version)) = name.strip_prefix("consentry:connector/").and_then(|rest| rest.split_once('@'))
    else {
        return false;
    };
    INTERFACES.contains(&interface) && version.starts_with("0.1.")
}

/// The sections of the outer component: id and content.
fn sections(data: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    // `\0asm`, version 13 and layer 1.
    let mut rest = data.strip_prefix(b"\0asm\x0d\0\x01\0")?;
    let mut sections = Vec::new();
    while let [id, after @ ..] = rest {
        let (length, after) = number(after)?;
        let (content, after) = after.split_at_checked(length)?;
        sections.push((*id, content));
        rest = after;
    }
    Some(sections)
}

/// A custom section's name, and what stands behind it.
fn named(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(content)?;
    rest.split_at_checked(length)
}

/// LEB128, at most 32 bits.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}
