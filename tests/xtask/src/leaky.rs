//! `cargo xtask leaky`: builds an engine that leaks on purpose, and shows that the search for planted values finds it out.

use anyhow::Context as _;

use crate::{command, demo};

/// The workspace as it is tested, with the leak switched on.
const LEAKY: &[&str] =
    &["cargo", "build", "--quiet", "--workspace", "--bins", "--features", "consentry-engine/leaks-for-tests"];
const TEST: &[&str] = &[
    "cargo",
    "test",
    "--quiet",
    "--workspace",
    "--test",
    "e2e",
    "--",
    "--ignored",
    "--exact",
    "serve::canary::an_engine_that_leaks_is_caught",
];

/// Builds it beside the real one, puts the real one back, and runs the test.
///
/// # Errors
/// When something does not build, or the leak is not found.
pub fn run() -> anyhow::Result<()> {
    command::run(LEAKY[0], &LEAKY[1..])?;
    // This program stands where the engine stands.
    let folder = std::env::current_exe()?;
    let [real, leaky] = ["consentry", "consentry-leaky"].map(|name| folder.with_file_name(name));
    std::fs::copy(&real, &leaky).with_context(|| format!("{} can't be copied", real.display()))?;
    command::run(demo::BUILD[0], &demo::BUILD[1..])?;
    command::run(TEST[0], &TEST[1..])
}
