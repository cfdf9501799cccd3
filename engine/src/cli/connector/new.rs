//! `connector new`: a connector that builds, runs and passes its tests, to be changed into another one.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::author::har;
use crate::author::template::{self, Template};

/// A new connector.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The folder; its last part is the connector's name.
    folder: PathBuf,
    /// How the Data Source is reached.
    #[arg(long, value_enum, default_value = "form-login")]
    template: Kind,
    /// What a browser recorded of the site (HAR): a manifest is proposed from it, without a value of it.
    #[arg(long, value_name = "FILE")]
    from_har: Option<PathBuf>,
}

/// A template.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// A login form and pages rendered by the server.
    FormLogin,
    /// A site that works in a browser only.
    Browser,
    /// Authorisation by redirect (OAuth 2.0, as in PSD2), then JSON.
    Oauth,
    /// A login for a token, then JSON.
    JsonApi,
}

impl From<Kind> for Template {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::FormLogin => Self::FormLogin,
            Kind::Browser => Self::Browser,
            Kind::Oauth => Self::Oauth,
            Kind::JsonApi => Self::JsonApi,
        }
    }
}

pub(super) fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    let proposed = match &options.from_har {
        Some(path) => {
            let told = || path.display().to_string();
            Some(har::manifest(&std::fs::read(path).with_context(told)?).with_context(told)?)
        }
        None => None,
    };
    let name = template::write(&options.folder, options.template.into(), proposed.as_deref())?;
    let folder = options.folder.display();
    writeln!(out, "{name}: {folder}")?;
    if proposed.is_some() {
        writeln!(
            out,
            "  {folder}/manifest.proposed.toml is what the browser's recording proposes; manifest.toml is the template's"
        )?;
    }
    for (command, what) in [
        ("build", "makes the component"),
        ("test", "plays its recordings, and every failure state"),
        ("run", "collects from its Data Source; --watch again after each change"),
    ] {
        writeln!(out, "  consentry connector {command:<6} {folder}   {what}")?;
    }
    Ok(())
}
