//! `cargo xtask demo`: builds what one collection needs, and shows it.

use std::process::Command;

use anyhow::{Context, bail};

use crate::connectors;

/// Everything that the demo starts, itself included.
const BUILD: &[&str] = &[
    "build",
    "--quiet",
    "--package",
    "consentry-engine",
    "--package",
    "sample-bank",
    "--package",
    "online-service",
    "--package",
    "consentry-tests",
    "--bins",
];

/// Builds connectors and binaries, then runs the demo.
///
/// # Errors
/// When something does not build, or the demo fails.
pub fn run() -> anyhow::Result<()> {
    println!("building connectors and binaries; the first time this takes some minutes");
    connectors::run(&connectors::Args { names: vec!["sample-bank".to_owned()] })?;
    cargo(BUILD)?;
    cargo(&["run", "--quiet", "--package", "consentry-tests", "--bin", "demo"])
}

fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("cargo").args(arguments).status().context("cargo can't be started")?;
    if !status.success() {
        bail!("`cargo {}` ended with {status}", arguments.join(" "));
    }
    Ok(())
}
