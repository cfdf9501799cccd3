//! Compiled connectors in a folder: one that this host made is loaded, anything else is compiled again. Compiling puts a new file in
//! the place of the old one, so the file's inode tells which of the two has happened.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use consentry::collect::cache::CompiledCache;
use consentry::collect::compile::Compiler;
use consentry::collect::package::Package;
use consentry::collect::sandbox::{Sandbox, SandboxSettings};
use consentry_tests::disk::SmallDisk;
use tempfile::TempDir;

use crate::raw;

pub const KEY: [u8; 32] = [1; 32];

/// As a host that was just started: nothing is in memory.
fn started(folder: &Path, key: [u8; 32], packages: &[&Package]) {
    let sandbox = Sandbox::new(&SandboxSettings { concurrent_runs: 1, guest_threads: 1 }).unwrap();
    let cache = CompiledCache::new(Some(folder.to_owned()), &key, Compiler::in_process());
    for package in packages {
        cache.prepare(&sandbox, package).unwrap();
    }
}

fn file_of(folder: &Path, package: &Package) -> PathBuf {
    let digest = package.digest().trim_start_matches("sha256:");
    let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(digest)).unwrap()
}

fn inode(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().ino()
}

/// A connector that was compiled once, and its file.
fn cached() -> (TempDir, Package, PathBuf) {
    let (folder, package) = (tempfile::tempdir().unwrap(), raw::doing("(drop (i32.const 1))"));
    started(folder.path(), KEY, &[&package]);
    let file = file_of(folder.path(), &package);
    (folder, package, file)
}

/// Whether the next start compiles, after this was done to the file.
pub fn compiles_after(key: [u8; 32], tamper: impl Fn(&mut Vec<u8>)) -> bool {
    let (folder, package, file) = cached();
    let mut bytes = std::fs::read(&file).unwrap();
    tamper(&mut bytes);
    std::fs::write(&file, bytes).unwrap();
    let before = inode(&file);
    started(folder.path(), key, &[&package]);
    let compiled = inode(&file) != before;
    // Whatever was there, what is there now is loaded.
    let after = inode(&file);
    started(folder.path(), key, &[&package]);
    assert_eq!(inode(&file), after);
    compiled
}

#[test]
fn the_next_start_loads_what_the_first_compiled() {
    assert!(!compiles_after(KEY, |_| {}));
}

#[test]
fn a_file_that_is_not_as_this_host_wrote_it_is_compiled_again() {
    let whole = std::fs::read(cached().2).unwrap().len();
    // In the tag, in the header, in the middle, at the end.
    for place in [0, 31, 32, 40, whole / 2, whole - 1] {
        assert!(compiles_after(KEY, |bytes| bytes[place] ^= 1), "byte {place}");
    }
    for length in [0, 16, 32, 33, whole / 2, whole - 1] {
        assert!(compiles_after(KEY, |bytes| bytes.truncate(length)), "cut to {length}");
    }
    assert!(compiles_after(KEY, |bytes| bytes.push(0)), "one byte more");
    assert!(compiles_after([2; 32], |_| {}), "made under another key");
}

#[test]
fn a_file_does_not_stand_in_for_another_connectors() {
    let (folder, first, first_file) = cached();
    let second = raw::doing("(drop (i32.const 2))");
    started(folder.path(), KEY, &[&second]);
    let second_file = file_of(folder.path(), &second);
    let aside = folder.path().join("aside");
    std::fs::rename(&first_file, &aside).unwrap();
    std::fs::rename(&second_file, &first_file).unwrap();
    std::fs::rename(&aside, &second_file).unwrap();
    let before = (inode(&first_file), inode(&second_file));
    started(folder.path(), KEY, &[&first, &second]);
    assert_ne!(inode(&first_file), before.0);
    assert_ne!(inode(&second_file), before.1);
}

#[test]
fn what_can_be_made_again_leaves_the_disk_its_reserve() {
    let (folder, package) = (tempfile::tempdir().unwrap(), raw::doing("(drop (i32.const 1))"));
    let compiled = folder.path().join("compiled");
    let Some(disk) = SmallDisk::at(&compiled, 24 * 1024) else { return };
    for full in [false, true] {
        if full {
            disk.fill();
        }
        started(&compiled, KEY, &[&package]);
        assert_eq!(disk.list(), [], "full: {full}");
    }
    disk.clear();
    disk.resize(64 * 1024);
    started(&compiled, KEY, &[&package]);
    assert!(file_of(&compiled, &package).is_file());
}

#[test]
fn nothing_half_written_stays_in_the_folder() {
    let (folder, package, file) = cached();
    let names = || -> Vec<_> { std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect() };
    // In the file's place stands what no file can replace.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    started(folder.path(), KEY, &[&package]);
    assert_eq!(names(), std::slice::from_ref(&file));
    std::fs::remove_dir(&file).unwrap();
    // A process that was killed while it wrote.
    std::fs::write(file.with_extension("part-4711"), "half").unwrap();
    started(folder.path(), KEY, &[&package]);
    assert_eq!(names(), [file]);
}
