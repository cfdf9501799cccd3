//! The contract only grows: compared with the last released text by the rules of component types, and a connector built for each released
//! version still collects.

use std::path::{Path, PathBuf};

use consentry::collect::package::{Package, PackageError};
use consentry::collect::signature::Trust;
use consentry_tests::collecting::{Collecting, collector, told};
use sample_bank::{MARIE, SiteState};
use wit_parser::Resolve;

use crate::sample_bank::{ALL, SOME, bank_in, obliging};

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The released versions, oldest first.
fn released() -> Vec<String> {
    let mut versions: Vec<String> = std::fs::read_dir(root().join("wit/released"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    versions.sort();
    assert!(!versions.is_empty());
    versions
}

/// Both texts must stand in one resolve, so the newer one is read as the next patch version.
fn compare(released: &Path, current: &Path) -> anyhow::Result<()> {
    let mut resolve = Resolve::default();
    let (previous, _) = resolve.push_dir(released)?;
    let folder = tempfile::tempdir()?;
    for entry in std::fs::read_dir(current)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            let text = std::fs::read_to_string(&path)?.replace("connector@0.1.1;", "connector@0.1.999;");
            std::fs::write(folder.path().join(path.file_name().unwrap_or_default()), text)?;
        }
    }
    let (newer, _) = resolve.push_dir(folder.path())?;
    let previous = resolve.select_world(&[previous], Some("connector"))?;
    let newer = resolve.select_world(&[newer], Some("connector"))?;
    wit_component::semver_check(resolve, previous, newer)
}

#[test]
fn the_contract_grows_by_functions_methods_and_interfaces_only() {
    for version in released() {
        compare(&root().join("wit/released").join(version), &root().join("wit")).unwrap();
    }
}

#[test]
fn one_more_case_or_record_field_would_be_noticed() {
    for (file, from, to) in [
        ("output.wit", "flag(bool),", "flag(bool),\n        another(u8),"),
        ("types.wit", "text: string,", "text: string,\n        more: string,"),
        ("job.wit", "source: func() -> string;", ""),
        ("clock.wit", "sleep: func(ms: u32)", "sleep: func(ms: u64)"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(root().join("wit")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        let text = std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(text.contains(from), "{file} holds no `{from}`");
        std::fs::write(folder.path().join(file), text.replace(from, to)).unwrap();
        let last = root().join("wit/released").join(released().pop().unwrap());
        assert!(compare(&last, folder.path()).is_err(), "{file}: {to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_built_for_each_released_version_still_collects() {
    let (collector, bank) = (collector().unwrap(), bank_in(SiteState::Otp).await);
    for version in released() {
        let path = root().join("tests/golden").join(format!("connector-{version}.wasm"));
        let package = Package::open(&path, &Trust::default().or_unsigned()).unwrap();
        let collecting = Collecting::by(package).at(&bank.site_url).answering(obliging(&bank));
        let collecting = collecting.field("login", MARIE.login).field("password", MARIE.password);
        assert_eq!(told(&collecting.collect(&collector).await.unwrap()), ALL, "{version}");
    }
}

/// The bank learnt these after the first version was released, and nobody taught it to that connector.
#[tokio::test(flavor = "multi_thread")]
async fn the_frozen_connector_tells_apart_what_it_never_saw() {
    let collector = collector().unwrap();
    for (state, expected) in [
        (SiteState::GatewayTimeout, "source-unavailable"),
        (SiteState::JsonError, "page-unrecognised @accounts missing=table#comptes tbody tr"),
        (SiteState::ClosedAccount, "page-unrecognised @login"),
    ] {
        let (bank, path) = (bank_in(state).await, root().join("tests/golden/connector-0.1.0.wasm"));
        let package = Package::open(&path, &Trust::default().or_unsigned()).unwrap();
        let collecting = Collecting::by(package).at(&bank.site_url).answering(obliging(&bank)).wanting(&SOME);
        let collecting = collecting.field("login", MARIE.login).field("password", MARIE.password);
        assert_eq!(told(&collecting.collect(&collector).await.unwrap()), expected);
    }
}

fn refused(text: &str) -> String {
    let error: PackageError =
        Package::read(wat::parse_str(text).unwrap(), &Trust::default().or_unsigned()).unwrap_err();
    error.to_string()
}

#[test]
fn what_is_no_connector_is_refused_with_what_to_do() {
    let table = [
        ("(module)", "it is a core module"),
        ("(component)", "exports no function `collect`"),
        (
            r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#,
            "imports `wasi:cli/environment@0.2.0`, which is no capability of the contract",
        ),
        (
            r#"(component (import "consentry:connector/files@0.1.0" (instance)))"#,
            "imports `consentry:connector/files@0.1.0`, which is no capability",
        ),
        (
            r#"(component (import "consentry:connector/http@0.2.0" (instance)))"#,
            "built for `consentry:connector/http@0.2.0`; this host serves version 0.1",
        ),
        (r#"(component (import "run" (func)))"#, "imports `run`"),
    ];
    for (text, expected) in table {
        let found = refused(text);
        assert!(found.contains(expected), "{text}: {found}");
    }
    let noise = Package::read(b"not wasm at all".to_vec(), &Trust::default().or_unsigned()).unwrap_err().to_string();
    assert!(noise.contains("no WebAssembly component"), "{noise}");
}

/// Every function of every capability is answered by host code whose first statement passes the one place where calls are taped, granted or
/// refused.
#[test]
fn every_function_of_the_contract_passes_the_gate() {
    let mut resolve = Resolve::default();
    resolve.push_dir(root().join("wit")).unwrap();
    let code = |module: &str| {
        let file = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
        let (module, host) = (module.replace('-', "_"), root().join("host-api/src"));
        let text = file(host.join(format!("{module}.rs"))) + &file(host.join(format!("{module}/calls.rs")));
        text.split_whitespace().collect::<String>()
    };
    let mut functions = 0;
    for (_, interface) in &resolve.interfaces {
        let name = interface.name.as_deref().unwrap();
        // Blobs are the one resource that stands among the types.
        let code = code(if name == "types" { "blob" } else { name });
        for function in interface.functions.keys() {
            let (kind, function) = function.split_once(']').unwrap_or(("", function.as_str()));
            // The last three name it to `enter` on behalf of others.
            let gates = ["enter(NAME,", "enter_infallible(NAME,", "edit(", "read_table(", "synchronised("];
            let at = gates.iter().find_map(|gate| code.find(&format!("self.{gate}\"{function}\"")));
            let before = &code[..at.unwrap_or_else(|| panic!("{name}: {function} passes no gate"))];
            let of_resource = function.rsplit('.').next().unwrap().replace('-', "_");
            let called = if kind == "[constructor" { "new".to_owned() } else { of_resource };
            let begins = before.rfind(&format!("fn{called}("));
            let begins = begins.unwrap_or_else(|| panic!("{name}: {function} is passed by another function"));
            // Nothing is done before: no statement ends there but an import.
            let first = before[begins..].split(';').rev().skip(1).all(|statement| statement.contains("{use"));
            assert!(first, "{name}: {function} does something before it passes the gate");
            functions += 1;
        }
    }
    assert!(functions > 80, "{functions}");
}
