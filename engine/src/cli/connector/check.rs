//! `connector check`: whether an engine would run it, what it asks for, in words; and, beside its source, what of that nothing needs.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use consentry_build::Profile;
use serde_json::json;

use super::Form;
use super::subject;
use crate::author::{shelf, unused};
use crate::collect::compile::Compiler;
use crate::collect::package::Package;
use crate::maintenance;

/// What to check.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The file, or the folder with the connector's source.
    #[arg(default_value = ".")]
    file: PathBuf,
    #[command(flatten)]
    form: Form,
}

pub(super) fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    let subject = subject::open(&options.file, Profile::Shipped)?;
    // Compiled and linked as an engine does it: a whole outside says nothing of the code within.
    let collector = maintenance::desk(Compiler::this_program())?;
    let prepared = collector.compiled.prepare(&collector.sandbox, &subject.package);
    prepared.with_context(|| format!("{} is refused: build it again", options.file.display()))?;
    let recordings = match &subject.project {
        Some(project) => shelf::read(project.folder())?,
        None => Vec::new(),
    };
    let unused = unused::of(&subject.package, &recordings);
    if options.form.json {
        return as_json(&subject.package, &unused, out);
    }
    let (package, manifest) = (&subject.package, subject.package.manifest());
    writeln!(out, "{}: a connector", options.file.display())?;
    writeln!(out, "  id           {} {}", manifest.id(), manifest.version())?;
    writeln!(out, "  contract     {}", manifest.contract())?;
    writeln!(out, "  owner        {} <{}>", manifest.owner().name, manifest.owner().contact)?;
    writeln!(out, "  digest       {}", package.digest())?;
    writeln!(out, "  asks for")?;
    for permission in manifest.permissions() {
        writeln!(out, "    {:<11}{permission}", permission.kind.to_string())?;
    }
    if subject.project.is_some() && recordings.is_empty() {
        writeln!(out, "  without recordings nothing can be said of what it needs: `consentry connector record`")?;
    }
    if !unused.is_empty() {
        writeln!(out, "  perhaps not needed")?;
        unused.iter().try_for_each(|line| writeln!(out, "    {line}"))?;
    }
    Ok(())
}

fn as_json(package: &Package, unused: &[String], out: &mut dyn Write) -> anyhow::Result<()> {
    let manifest = package.manifest();
    let owner = json!({ "name": manifest.owner().name, "contact": manifest.owner().contact });
    let told = json!({
        "id": manifest.id().as_str(), "version": manifest.version().to_string(), "contract": manifest.contract().to_string(),
        "owner": owner, "digest": package.digest(), "asks-for": manifest.permissions(), "perhaps-unused": unused,
    });
    writeln!(out, "{told}")?;
    Ok(())
}
