//! One Data Source, resolved: what a run is held to.

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use super::error::{ManifestError, ManifestErrors};
use super::parts::{CaptureAt, RequestRule, RequestTemplate, SinkIn, Source, Template};
use super::url::{Origin, UrlPattern, absolute};
use super::words::SourceKind;
use super::{Manifest, PageTemplate, payment};
use crate::failure::Name;
use crate::page::{Page, PageRule};
use crate::recipe::{Sink, SinkAt, Sinks};

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The connector has no such Data Source.
    #[error("the connector `{connector}` has no source `{source_id}`; it has: {known}")]
    UnknownSource {
        /// The connector.
        connector: Name,
        /// What was asked for.
        source_id: String,
        /// What there is.
        known: String,
    },
    /// The operator's base URL can't be used.
    #[error("base URL for the source: {0}")]
    Base(String),
    /// With this base URL the manifest contradicts itself, such as by sinks outside of the origins.
    #[error("with this base URL the manifest does not hold:\n{0}")]
    Manifest(ManifestErrors),
}

/// A capture rule, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// The name of the handle.
    pub name: Name,
    /// Answers to which requests.
    pub from: RequestRule,
    /// Where in them.
    pub at: CaptureAt,
}

/// What one run is held to. Every URL in it lies in its origins.
#[derive(Debug, Clone)]
pub struct SourcePlan {
    source: Source,
    base: Option<Url>,
    origins: Vec<Origin>,
    sinks: Sinks,
    captures: Vec<Capture>,
    pages: Vec<PageRule>,
    logout: Option<RequestRule>,
}

impl SourcePlan {
    /// The Data Source.
    #[must_use]
    pub fn id(&self) -> &Name {
        &self.source.id
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.source.name
    }

    /// ISO 3166-1 alpha-2.
    #[must_use]
    pub fn country(&self) -> &str {
        &self.source.country
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> SourceKind {
        self.source.kind
    }

    /// The base URL without a trailing slash; empty where the source has none.
    #[must_use]
    pub fn base(&self) -> &str {
        self.base.as_ref().map_or("", |base| base.as_str().trim_end_matches('/'))
    }

    /// Where requests may go.
    #[must_use]
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// What may be emitted.
    #[must_use]
    pub fn categories(&self) -> &[&'static str] {
        &self.source.categories
    }

    /// Public parameters.
    #[must_use]
    pub fn params(&self) -> &BTreeMap<String, String> {
        &self.source.params
    }

    /// Where secrets may go.
    #[must_use]
    pub fn sinks(&self) -> &Sinks {
        &self.sinks
    }

    /// What is cut out of answers.
    #[must_use]
    pub fn captures(&self) -> &[Capture] {
        &self.captures
    }

    /// How pages are recognised, in the manifest's order.
    #[must_use]
    pub fn pages(&self) -> &[PageRule] {
        &self.pages
    }

    /// What is sent at the end of a run that logged in: a method and an exact URL.
    #[must_use]
    pub fn logout(&self) -> Option<(&'static str, Url)> {
        self.logout.as_ref().and_then(|rule| Some((rule.method.as_str(), rule.url.exact()?)))
    }
}

/// Reads a base URL: a manifest's own, or what an operator sets instead of it, before any run could need it.
///
/// # Errors
/// What is wrong with it: no absolute URL written plainly, no origin that may be reached, a query, or a `*`.
pub fn base(text: &str) -> Result<Url, String> {
    let url = absolute(text).map_err(|problem| problem.to_string())?;
    Origin::of(&url).map_err(|problem| problem.to_string())?;
    if url.query().is_some() || url.path().contains('*') {
        return Err("a base URL has no query and no `*`".to_owned());
    }
    Ok(url)
}

/// Resolves the manifest for a source; the errors are those of this source alone.
pub(super) fn resolve(manifest: &Manifest, source: &Source, base: Option<&Url>) -> Result<SourcePlan, ManifestErrors> {
    let base = base.or(source.base.as_ref());
    let mut resolver = Resolver { base, origins: Vec::new(), source: &source.id, errors: Vec::new() };
    for origin in &source.origins {
        match origin.origin(base) {
            Ok(origin) => resolver.origins.push(origin),
            Err(error) => resolver.errors.push(error),
        }
    }
    if let (Some(problem), Some(first)) = (payment::problem(source, &resolver.origins), source.origins.first()) {
        resolver.errors.push(first.place.error(problem));
    }
    let sinks = manifest.sinks.iter().filter_map(|sink| {
        let (at, url) = match &sink.within {
            SinkIn::Request(request) => (SinkAt::Request(request.method), resolver.pattern(&request.url)?),
            SinkIn::Page(id) => {
                let page = manifest.pages.iter().find(|template| template.page.id == *id)?;
                (SinkAt::Page(id.clone()), resolver.pattern(&page.url)?)
            }
        };
        let (leaf, slot, recipe) = (sink.leaf.clone(), sink.slot.clone(), sink.recipe.clone());
        Some(Sink { leaf, at, url, slot, recipe, max: sink.max })
    });
    let sinks = Sinks::new(base.cloned(), sinks.collect());
    let captures = manifest.captures.iter().filter_map(|capture| {
        let from = resolver.request(&capture.from)?;
        Some(Capture { name: capture.name.clone(), from, at: capture.at.clone() })
    });
    let captures = captures.collect();
    let pages = manifest.pages.iter().filter_map(|template: &PageTemplate| {
        let url = resolver.pattern(&template.url)?;
        Some(PageRule { url, page: Arc::<Page>::clone(&template.page) })
    });
    let pages = pages.collect();
    let logout = manifest.logout.as_ref().and_then(|logout| {
        let rule = resolver.request(logout)?;
        if rule.url.exact().is_none() {
            resolver.errors.push(logout.url.place.error("the host sends this request: `*` is not allowed here"));
        }
        Some(rule)
    });
    let Resolver { origins, errors, .. } = resolver;
    match ManifestErrors::of(errors) {
        None => Ok(SourcePlan { source: source.clone(), base: base.cloned(), origins, sinks, captures, pages, logout }),
        Some(errors) => Err(errors),
    }
}

struct Resolver<'a> {
    base: Option<&'a Url>,
    origins: Vec<Origin>,
    source: &'a Name,
    errors: Vec<ManifestError>,
}

impl Resolver<'_> {
    fn pattern(&mut self, template: &Template) -> Option<UrlPattern> {
        let pattern = template.pattern(self.base).map_err(|error| self.errors.push(error)).ok()?;
        // With a broken origin among them, whether the URL is inside can't be said.
        if !self.origins.is_empty() && !self.origins.contains(pattern.origin()) {
            let allowed = self.origins.iter().take(10).map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let problem = format!(
                "{} is outside of the origins of the source `{}`; allowed: {allowed}",
                pattern.origin(),
                self.source
            );
            self.errors.push(template.place.error(problem));
        }
        Some(pattern)
    }

    fn request(&mut self, template: &RequestTemplate) -> Option<RequestRule> {
        Some(RequestRule { method: template.method, url: self.pattern(&template.url)? })
    }
}
