//! The real compiler in its limited process, on components that are made to take too much of it.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use consentry::collect::cache::CompiledCache;
use consentry::collect::compile::{CompileError, Compiler};
use consentry::collect::package::Package;
use consentry::collect::sandbox::{Sandbox, SandboxError, SandboxSettings};
use consentry_tests::node::binary;

use crate::raw;

/// A small one that is much work: every local is changed in the innermost of many loops, so each of them has a value of its own in each loop.
fn tangled(loops: usize, locals: usize) -> Package {
    let declared = "i32 ".repeat(locals);
    let changed: String =
        (0..locals).map(|at| format!("(local.set {at} (i32.add (local.get {at}) (local.get {})))", at / 2)).collect();
    let left: String = (0..loops).map(|at| format!("(br_if {at} (local.get {at}))")).collect();
    let body = format!("{}{changed}{left}{}", "(loop ".repeat(loops), ")".repeat(loops));
    raw::guest(&format!(
        r#"(module
            (memory (export "memory") 1)
            (func (local {declared}) {body})
            (func (export "collect") (result i32) (i32.const 0)))"#
    ))
}

/// This program, with less memory than it gives itself.
fn with_memory(folder: &Path, kibibytes: u32) -> PathBuf {
    let path = folder.join("compiler");
    let program = binary("consentry").unwrap();
    let script = format!("#!/bin/sh\nulimit -v {kibibytes}\nexec {} \"$@\"\n", program.display());
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path
}

/// Why this one is not compiled; the next one is.
fn refused(compiler: Compiler, package: &Package) -> CompileError {
    let sandbox = Sandbox::new(&SandboxSettings { concurrent_runs: 1, guest_threads: 1 }).unwrap();
    let cache = CompiledCache::new(None, &[1; 32], compiler);
    let refused = cache.prepare(&sandbox, package).map(drop);
    cache.prepare(&sandbox, &raw::doing("(drop (i32.const 1))")).unwrap();
    match refused {
        Err(SandboxError::Compiler(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connector_that_takes_too_long_to_compile_is_one_error_and_the_next_one_is_compiled() {
    let within = Duration::from_secs(8);
    let error = refused(Compiler::process(binary("consentry").unwrap()).within(within), &tangled(300, 4000));
    assert!(matches!(error, CompileError::Late(limit) if limit == within), "{error}");
    assert_eq!(error.to_string(), "the compiler was ended after 8 s; a connector this large or tangled is not run");
}

#[test]
fn a_connector_that_takes_too_much_memory_to_compile_is_one_error_and_the_next_one_is_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let error = refused(Compiler::process(with_memory(folder.path(), 700_000)), &tangled(300, 4000));
    assert!(matches!(error, CompileError::Memory), "{error}");
}

/// What the kernel says of the real process, while it reads the connector.
#[test]
fn the_compiler_has_given_up_everything_before_it_has_read_a_connector() {
    let mut command = Command::new(binary("consentry").unwrap());
    let command = command.arg("compile-connector").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // More than a pipe holds: when this is written, it has begun to read.
    let mut input = child.stdin.take().unwrap();
    input.write_all(&vec![0; 1 << 20]).unwrap();
    let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap();
    let (limits, status) = (of("limits"), of("status"));
    drop(input);
    child.wait().unwrap();
    for (limit, most) in [
        ("Max address space", 4 << 30),
        ("Max cpu time", 120),
        ("Max core file size", 0),
        ("Max file size", 0),
        ("Max open files", 16),
    ] {
        let line = limits.lines().find_map(|line| line.strip_prefix(limit)).unwrap();
        let (soft, hard) = line.trim().split_once(char::is_whitespace).unwrap();
        let hard = hard.split_whitespace().next().unwrap();
        for amount in [soft, hard] {
            assert!(amount.parse::<u64>().is_ok_and(|amount| amount <= most), "{limit}: {line}");
        }
    }
    for line in ["Seccomp:\t2", "NoNewPrivs:\t1"] {
        assert!(status.lines().any(|found| found == line), "{line}: {status}");
    }
}
