//! `cargo xtask demo`: builds what one collection needs, and shows it.

use crate::{command, connectors};

/// Builds everything that the demo starts, itself included. The tests are built with it: so the features of all dependencies are
/// those of `cargo xtask test`, and who runs both commands compiles nothing twice.
pub const BUILD: &str = "cargo build --quiet --workspace --bins --tests";

/// Builds connectors and binaries, then runs the demo.
///
/// # Errors
/// When something does not build, or the demo fails.
pub fn run() -> anyhow::Result<()> {
    println!("building connectors and binaries; the first time this takes some minutes");
    build(&["sample-bank"])?;
    // It stands where this program stands; to ask cargo for it alone would compile it anew, with features of its own.
    command::run(std::env::current_exe()?.with_file_name("demo"), &[])
}

/// Builds these connectors, or all, and every binary.
///
/// # Errors
/// When something does not build.
pub fn build(names: &[&str]) -> anyhow::Result<()> {
    connectors::run(&connectors::Args { names: names.iter().map(|name| (*name).to_owned()).collect() })?;
    let words: Vec<&str> = BUILD.split_whitespace().collect();
    command::run(words[0], &words[1..])
}
