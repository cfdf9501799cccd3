//! A connector's manifest: everything an operator must know before the connector runs, and everything the host holds it to. A
//! [`Manifest`] exists only if the whole of `manifest.toml` makes sense for each of its Data Sources; `docs/manifest.md` tells how it
//! is written. Nothing in it is secret, and nothing in it is ever guessed: what is not declared is refused.

mod check;
mod error;
mod parts;
mod payment;
mod permission;
mod plan;
mod raw;
mod url;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::failure::Name;
use crate::limits::Wishes;
use crate::page::Page;

pub use error::{ManifestError, ManifestErrors};
pub use parts::{Answer, CaptureAt, Field, FieldPattern, Label, Owner, RequestRule, Source};
pub use permission::{Permission, PermissionKind};
pub use plan::{Capture, PlanError, SourcePlan, base};
pub use url::{Origin, UrlPattern, UrlProblem};
pub use words::{AnswerKind, Capability, FieldKind, Method, PromptKind, SourceKind};

use parts::{CaptureTemplate, RequestTemplate, SinkTemplate, Template};

/// Versions of the contract that a manifest may name, the newest last.
pub const CONTRACTS: &[&str] = &["0.1"];

/// Largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 256 * 1024;

/// Most Data Sources of one connector, most origins of one of them, and most URLs (pages, sinks and captures together): each URL is
/// resolved for each source.
pub const SOURCES_MAX: usize = 1000;
/// See [`SOURCES_MAX`].
pub const ORIGINS_MAX: usize = 50;
/// See [`SOURCES_MAX`].
pub const URLS_MAX: usize = 300;

/// The one secret of the operator's that no configuration has: the address of the person whose login began the run, as the engine saw it. It is not there
/// while nobody is.
pub const PERSON_ADDRESS: &str = "person-address";

/// Most texts that stay readable in reports, and the longest of them, in characters: so few that no dictionary of names fits in.
pub const LITERALS_MAX: usize = 200;
/// See [`LITERALS_MAX`].
pub const LITERAL_CHARS_MAX: usize = 64;

/// A manifest that holds together.
#[derive(Debug, Clone)]
pub struct Manifest {
    contract: &'static str,
    id: Name,
    version: semver::Version,
    owner: Owner,
    capabilities: BTreeSet<Capability>,
    categories: Vec<&'static str>,
    steps: Vec<Name>,
    literals: Vec<String>,
    sources: Vec<Source>,
    limits: Wishes,
    fields: Vec<Field>,
    answers: Vec<Answer>,
    sinks: Vec<SinkTemplate>,
    captures: Vec<CaptureTemplate>,
    pages: Vec<PageTemplate>,
    logout: Option<RequestTemplate>,
}

#[derive(Debug, Clone)]
struct PageTemplate {
    url: Template,
    page: Arc<Page>,
}

impl Manifest {
    /// Reads `manifest.toml`.
    ///
    /// # Errors
    /// With everything that could be found wrong at once, each with its line and key.
    pub fn parse(text: &str) -> Result<Self, ManifestErrors> {
        check::manifest(text)
    }

    /// The contract's version that it was written for.
    #[must_use]
    pub fn contract(&self) -> &'static str {
        self.contract
    }

    /// The connector.
    #[must_use]
    pub fn id(&self) -> &Name {
        &self.id
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &semver::Version {
        &self.version
    }

    /// Who answers for it.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The interfaces it asks for.
    #[must_use]
    pub fn capabilities(&self) -> &BTreeSet<Capability> {
        &self.capabilities
    }

    /// What it can emit.
    #[must_use]
    pub fn categories(&self) -> &[&'static str] {
        &self.categories
    }

    /// What it can report as progress.
    #[must_use]
    pub fn steps(&self) -> &[Name] {
        &self.steps
    }

    /// Texts of the site's own that a report of a failure may show: labels, words that the connector looks for.
    #[must_use]
    pub fn literals(&self) -> &[String] {
        &self.literals
    }

    /// The Data Sources it serves; at least one.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The limits it asks for.
    #[must_use]
    pub fn limits(&self) -> &Wishes {
        &self.limits
    }

    /// What the person is asked for before the run.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// What prompts may bring back.
    #[must_use]
    pub fn answers(&self) -> &[Answer] {
        &self.answers
    }

    /// The names of the operator's own secrets that it uses, and that have to be set.
    #[must_use]
    pub fn operator_secrets(&self) -> BTreeSet<&str> {
        self.operators().filter(|name| *name != PERSON_ADDRESS).collect()
    }

    /// Whether the person's network address goes to its Data Sources.
    #[must_use]
    pub fn hands_on_address(&self) -> bool {
        self.operators().any(|name| name == PERSON_ADDRESS)
    }

    fn operators(&self) -> impl Iterator<Item = &str> {
        let operator = self.sinks.iter().filter(|sink| sink.leaf.kind == crate::recipe::LeafKind::Operator);
        operator.map(|sink| &*sink.leaf.name)
    }

    /// What a run at this Data Source is held to, at the source's own base URL or at another one of the operator's.
    ///
    /// # Errors
    /// If there is no such source, or the manifest does not hold with this base URL.
    pub fn for_source(&self, id: &str, base_override: Option<&::url::Url>) -> Result<SourcePlan, PlanError> {
        let source =
            self.sources.iter().find(|source| source.id.as_str() == id).ok_or_else(|| PlanError::UnknownSource {
                connector: self.id.clone(),
                source_id: id.to_owned(),
                known: self.sources.iter().map(|source| source.id.as_str()).collect::<Vec<_>>().join(", "),
            })?;
        let base = base_override.map(|url| base(url.as_str()).map_err(PlanError::Base)).transpose()?;
        plan::resolve(self, source, base.as_ref()).map_err(PlanError::Manifest)
    }
}
