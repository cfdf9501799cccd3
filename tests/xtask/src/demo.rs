//! `cargo xtask demo`: builds what one collection needs, and shows it.

use crate::{command, connectors};

/// Builds everything that the demo starts, itself included. The tests are built with it: so the features of all dependencies are
/// those of `cargo xtask test`, and who runs both commands compiles nothing twice.
pub const BUILD: &[&str] = &["cargo", "build", "--quiet", "--workspace", "--bins", "--tests"];

/// Builds connectors and binaries, then runs the demo.
///
/// # Errors
/// When something does not build, or the demo fails.
pub fn run() -> anyhow::Result<()> {
    println!("building connectors and binaries; the first time this takes some minutes");
    connectors::run(&connectors::Args { names: vec!["sample-bank".to_owned()] })?;
    command::run(BUILD[0], &BUILD[1..])?;
    // It stands where this program stands; to ask cargo for it alone would compile it anew, with features of its own.
    command::run(std::env::current_exe()?.with_file_name("demo"), &[])
}
