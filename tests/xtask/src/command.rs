//! The one place where other programs are run, with our own input and output.

use std::ffi::OsStr;
use std::process::{Command, ExitStatus};

use anyhow::{Context, bail};

/// Runs a program to its end, and tells how that was.
///
/// # Errors
/// It can't be started.
pub fn status(program: impl AsRef<OsStr>, arguments: &[&str]) -> anyhow::Result<ExitStatus> {
    let mut command = Command::new(program);
    command.args(arguments).status().with_context(|| format!("{command:?} can't be started"))
}

/// Runs a program to its end.
///
/// # Errors
/// It can't be started, or ends without success.
pub fn run(program: impl AsRef<OsStr>, arguments: &[&str]) -> anyhow::Result<()> {
    let program = program.as_ref();
    let status = status(program, arguments)?;
    if !status.success() {
        bail!("`{} {}` ended with {status}", program.display(), arguments.join(" "));
    }
    Ok(())
}
