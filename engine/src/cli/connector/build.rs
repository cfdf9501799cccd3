//! `connector build`: the component as it is published, but for the signature.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use consentry_build::Profile;

use crate::author::project::Project;
use crate::entropy::Entropy;

/// What to build.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The connector's folder.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Writes the connector there; without it into the target folder, under its own name.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    let built = Project::open(&options.folder)?.build(Profile::Shipped)?;
    let manifest = built.package.manifest();
    let path = options.out.clone().unwrap_or_else(|| built.target.join(format!("{}.wasm", manifest.id())));
    crate::forward::file::publish(&path, built.package.bytes(), &Entropy::system())
        .with_context(|| format!("{} can't be written", path.display()))?;
    let kib = built.package.bytes().len().div_ceil(1024);
    writeln!(out, "{}: {} {}, {kib} KiB, unsigned", path.display(), manifest.id(), manifest.version())?;
    writeln!(out, "  {}", built.package.digest())?;
    Ok(())
}
