//! `cargo xtask leaky`: builds an engine that leaks on purpose, beside the real one, and shows that the search for planted values
//! finds it out; and, since it can also be told to panic with a login at hand, that a panic tells nothing of it.

use crate::command;

/// Of the whole workspace, and as if with tests (`--examples`: there are none), so that every dependency keeps the features it has
/// there: nothing but the engine's library is compiled once more.
const LEAKY: &[&str] = &[
    "cargo",
    "build",
    "--quiet",
    "--workspace",
    "--bin",
    "consentry-leaky",
    "--examples",
    "--features",
    "consentry-engine/leaks-for-tests",
];
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
    "serve::canary::a_panic_with_an_opened_login_tells_its_place_alone",
];

/// Builds it and runs the tests. The rest must be built.
///
/// # Errors
/// When it does not build, the leak is not found, or a panic tells more than its place.
pub fn run() -> anyhow::Result<()> {
    command::run(LEAKY[0], &LEAKY[1..])?;
    command::run(TEST[0], &TEST[1..])
}
