//! The house is in order: who may name whom, how long a file may be, which words are not used, that no test file is forgotten, and that
//! nobody changes the contract by accident. Reads the sources.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::contract::root;

/// A library, and where it may be named.
const NAMED_IN: [(&str, &[&str]); 8] = [
    ("wasmtime", &["host-api/src/", "engine/src/collect/", "tests/"]),
    ("axum", &["engine/src/api", "engine/src/console", "engine/src/journey", "examples/", "tests/"]),
    ("clap", &["engine/src/cli", "examples/", "tests/"]),
    ("sled", &["engine/src/store/sled", "tests/benches/figures.rs"]),
    ("cryptoki", &["engine/src/keys/pkcs11", "tests/e2e/keys.rs"]),
    ("hyper", &["host-api/src/network/", "tests/"]),
    // Pages of the console are made of cells that have no way in for a person's words; the desk writes its own.
    (
        "maud",
        &[
            "engine/src/api/reference.rs",
            "engine/src/console.rs",
            "engine/src/console/page.rs",
            "engine/src/console/sign_in.rs",
            "engine/src/console/desk.rs",
            "engine/src/journey",
            "examples/",
            "tests/",
        ],
    ),
    ("scraper", &["host-api/contract/src/", "tests/"]),
];
/// Modules without I/O, tasks, or a clock and randomness of their own.
const PURE: [&str; 7] = ["id", "data", "request", "release", "outcome", "receipt", "consent/notice"];
const IMPURE: [&str; 6] = ["tokio::", "std::fs", "std::net", "std::process", "SystemClock", "Entropy::system"];
/// The doors of the engine. What lies behind them does not know them.
const DOORS: [&str; 8] = ["api", "cli", "config", "console", "engine", "journey", "main", "fixtures"];
const LINES_MAX: usize = 450;
/// Words with a better one in this house.
const UNUSED: [&str; 5] = ["manager", "helper", "util", "scrape", "misc"];

/// Every source of ours, with its path from the root.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = vec![];
    for folder in ["connectors", "engine", "examples", "host-api", "tests"] {
        walk(&root().join(folder), &mut found);
    }
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        // This file has all the words.
        (name != "tests/it/tidy.rs").then(|| (name, std::fs::read_to_string(&path).unwrap()))
    };
    let sources: Vec<_> = found.into_iter().filter_map(read).collect();
    assert!(sources.len() > 300, "{} sources", sources.len());
    sources
}

/// The lines that are code, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(str::trim).enumerate().map(|(at, line)| (at + 1, line));
    lines.filter(|(_, line)| !line.starts_with("//"))
}

/// Whether a line names a library by its path: `sled::Db`, not `super::sled::SledStore`.
fn names(line: &str, library: &str) -> bool {
    let path = format!("{library}::");
    line.match_indices(&path)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c == ':' || c == '_' || c.is_alphanumeric()))
}

#[test]
fn each_library_is_named_where_it_belongs() {
    let mut wrong = String::new();
    for (file, text) in sources() {
        for (library, places) in NAMED_IN {
            for (at, line) in code(&text).filter(|(_, line)| names(line, library)) {
                if !places.iter().any(|place| file.starts_with(place)) {
                    let _ = writeln!(wrong, "{file}:{at} names {library}: {line}");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn what_lies_behind_the_doors_does_not_know_them_and_pure_modules_are() {
    let mut wrong = String::new();
    for (file, text) in sources() {
        let Some(module) = file.strip_prefix("engine/src/") else {
            if file.starts_with("host-api/") && code(&text).any(|(_, line)| names(line, "consentry")) {
                let _ = writeln!(wrong, "{file} knows the engine");
            }
            continue;
        };
        let (tests, name) = (module.contains("tests"), module.trim_end_matches(".rs"));
        let first = name.split('/').next().unwrap();
        if !tests && !DOORS.contains(&first) {
            for (at, line) in code(&text) {
                if DOORS.iter().any(|door| *door != "fixtures" && line.contains(&format!("crate::{door}::"))) {
                    let _ = writeln!(wrong, "{file}:{at} knows a door: {line}");
                }
            }
        }
        if !tests && PURE.contains(&name) {
            let body = text.split("#[cfg(test)]").next().unwrap();
            for (at, line) in code(body).filter(|(_, line)| IMPURE.iter().any(|word| line.contains(word))) {
                let _ = writeln!(wrong, "{file}:{at} is not pure: {line}");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn a_file_is_read_at_one_sitting_and_has_a_word_for_what_it_is() {
    let mut wrong = String::new();
    for (file, text) in sources() {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            let _ = writeln!(wrong, "{file} has {lines} lines, more than {LINES_MAX}");
        }
        for (at, line) in code(&text) {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            let declared = words.by_ref().any(|word| ["struct", "enum", "trait", "mod", "fn", "type"].contains(&word));
            let name = words.next().unwrap_or_default().to_lowercase();
            if declared && UNUSED.iter().any(|word| name.contains(word)) {
                let _ = writeln!(wrong, "{file}:{at} declares {name}");
            }
        }
        if Path::new(&file).file_name().is_some_and(|name| name == "mod.rs") {
            let _ = writeln!(wrong, "{file} is a mod.rs");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn no_file_of_tests_is_forgotten() {
    for folder in ["it", "e2e", "hostile"] {
        let folder = root().join("tests").join(folder);
        let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            if path.extension().is_some_and(|extension| extension == "rs") && stem != "main" {
                assert!(main.contains(&format!("mod {stem};")), "{} is compiled by nobody", path.display());
            }
        }
    }
    // And no target: the test command names each of them.
    let suites = std::fs::read_to_string(root().join("tests/xtask/src/test.rs")).unwrap();
    for (path, _) in sources() {
        let parts: Vec<&str> = path.split('/').collect();
        let target = match parts[..] {
            // Where cargo finds the tests of a package; `demo` is a program that stands beside those of `tests`.
            [package, .., "tests", name] if package != "tests" => name.strip_suffix(".rs"),
            [.., "tests", name, "main.rs"] if name != "demo" => Some(name),
            _ => None,
        };
        if let Some(target) = target.filter(|_| !parts.contains(&"src")) {
            let named = [' ', '"'].iter().any(|end| suites.contains(&format!("--test {target}{end}")));
            assert!(named, "{path} is run by nobody");
        }
    }
}

/// The table of obligations names tests and documents that there are, one row for each obligation.
#[test]
fn every_obligation_is_carried_by_something_that_exists() {
    let text = std::fs::read_to_string(root().join("docs/obligations.md")).unwrap();
    let sources: String = sources().into_iter().map(|(_, text)| text).collect();
    let mut wrong = String::new();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit())
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 68);
    for row in &rows {
        let [number, _, _, place] = row[..] else { panic!("{row:?}") };
        for word in place.split([' ', ';', ',', ':', '(', ')']) {
            let is_path = word.contains('/') && (word.ends_with(".rs") || word.ends_with(".md"));
            let at = if word.starts_with("engine/")
                || word.starts_with("tests/")
                || word.starts_with("docs/")
                || word.starts_with("host-api/")
            {
                root().join(word)
            } else {
                root().join("engine/src").join(word)
            };
            if is_path && !at.exists() {
                let _ = writeln!(wrong, "{number}: there is no {word}");
            }
            let is_test = word.matches('_').count() > 3 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            if is_test && !sources.contains(&format!("fn {word}(")) {
                let _ = writeln!(wrong, "{number}: there is no test {word}");
            }
        }
    }
    let tested = rows.iter().filter(|row| row[2] == "test").count();
    assert!(tested >= 50, "{tested} of 68 are carried by a test");
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// A changed contract is an event: whoever changes a text of it changes this line of its README too, and reads the policy beside it.
#[test]
fn the_contract_is_what_its_readme_says() {
    let folder = root().join("wit");
    let guest = root().join("tests/golden/connector-0.1.0.wasm");
    let guest = Sha256::digest(std::fs::read(guest).unwrap());
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    for line in [
        format!("- **Hash of the text**: `sha256:{}`", hash_of(&folder)),
        // Neither changes any more: an edit of both texts at once would pass for compatible.
        format!("- **Released 0.1.0**: `sha256:{}`", hash_of(&folder.join("released/0.1.0"))),
        format!("- **Its connector**: `sha256:{}`", hex::encode(guest)),
    ] {
        assert!(readme.contains(&line), "wit/README.md has to say\n{line}");
    }
}

fn hash_of(folder: &Path) -> String {
    let mut texts: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    texts.retain(|path| path.extension().is_some_and(|extension| extension == "wit"));
    texts.sort();
    let mut hash = Sha256::new();
    for path in texts {
        hash.update(path.file_name().unwrap().as_encoded_bytes());
        hash.update(std::fs::read(&path).unwrap());
    }
    hex::encode(hash.finalize())
}
