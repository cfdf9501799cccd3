//! The parts of a manifest that are the same for every Data Source.

use std::collections::BTreeMap;

use regex::Regex;
use url::Url;

use super::error::{ManifestError, Place};
use super::url::{Origin, UrlPattern, UrlProblem};
use super::words::{AnswerKind, FieldKind, Method, PromptKind, SourceKind};
use crate::failure::Name;
use crate::recipe::{Leaf, Pattern, Slot};

/// Who answers for a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Name.
    pub name: String,
    /// Mail address or URL.
    pub contact: String,
}

/// A Data Source as the manifest declares it; [`super::Manifest::for_source`] resolves it for one run.
#[derive(Debug, Clone)]
pub struct Source {
    /// Unique within the connector.
    pub id: Name,
    /// For people.
    pub name: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// What it is.
    pub kind: SourceKind,
    /// What it can be asked for.
    pub categories: Vec<&'static str>,
    /// Public parameters of the connector's code.
    pub params: BTreeMap<String, String>,
    /// It opens payment accounts only to who identifies as a third-party provider (PSD2): nobody's login is ever asked for.
    pub tpp: bool,
    /// Why it reads payment accounts, where the law asks third parties to identify themselves, without doing so: a ground for the operator.
    pub tpp_exempt: Option<String>,
    pub(super) base: Option<Url>,
    pub(super) origins: Vec<Template>,
}

/// Words for people, by language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(pub(super) BTreeMap<String, String>);

impl Label {
    /// In this language (`fr`, `fr-CH`), else in English, which is always there.
    #[must_use]
    pub fn text(&self, language: &str) -> &str {
        let primary = language.split('-').next().unwrap_or_default();
        [language, primary, "en"].iter().find_map(|tag| self.0.get(*tag)).map_or("", String::as_str)
    }

    /// Every language with its words.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(language, text)| (language.as_str(), text.as_str()))
    }
}

/// A login field.
#[derive(Debug, Clone)]
pub struct Field {
    /// Unique among the fields.
    pub name: Name,
    /// How it is treated.
    pub kind: FieldKind,
    /// Whether this is the login, of which the trace keeps an HMAC. Exactly one is, where there are fields.
    pub login: bool,
    /// Whether the person may leave it empty.
    pub optional: bool,
    /// For people.
    pub label: Label,
    /// What the whole value must look like.
    pub pattern: Option<FieldPattern>,
}

/// What the whole of a value must look like: a regular expression of the kind that browsers understand too.
#[derive(Debug, Clone)]
pub struct FieldPattern {
    text: String,
    anchored: Regex,
}

impl FieldPattern {
    /// Compiles a pattern; it is anchored at both ends, as the `pattern` of an HTML input is.
    ///
    /// # Errors
    /// With the reason, if it doesn't compile or a browser would read it differently.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Compiled alone first: `a)|(b` is none, however well it fits between the anchors.
        compiled(text)?;
        let foreign = [r"\A", r"\z", "[[:", "(?i", "(?m", "(?s", "(?x", "(?u", "(?U", "(?R", "(?P", "(?-", "&&", "~~"];
        if let Some(each) = foreign.iter().find(|each| text.contains(**each)) {
            return Err(format!(
                "`{each}` means nothing, or something else, in the page; use plain classes and groups"
            ));
        }
        Ok(Self { text: text.to_owned(), anchored: compiled(&format!(r"\A(?:{text})\z"))? })
    }

    /// As it is written, for the `pattern` attribute of the page.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole value looks like it.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        self.anchored.is_match(value)
    }
}

fn compiled(expression: &str) -> Result<Regex, String> {
    let compiled = regex::RegexBuilder::new(expression).size_limit(1 << 18).build();
    compiled
        .map_err(|error| error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
}

/// A part of the answer to a prompt.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Which prompt brings it.
    pub prompt: PromptKind,
    /// Unique among the answers.
    pub name: Name,
    /// How it is treated.
    pub kind: AnswerKind,
    /// For people.
    pub label: Label,
}

/// A method and the URLs it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRule {
    /// Method.
    pub method: Method,
    /// Which URLs.
    pub url: UrlPattern,
}

impl RequestRule {
    /// Whether a request is one of these.
    #[must_use]
    pub fn matches(&self, method: &str, url: &Url) -> bool {
        self.method.as_str() == method && self.url.matches(url)
    }
}

/// Where in an answer a secret is cut out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureAt {
    /// A JSON Pointer.
    Pointer(String),
    /// An element by CSS selector: one of its attributes, or its text.
    Element {
        /// The selector.
        selector: String,
        /// The attribute; none for the text.
        attribute: Option<String>,
    },
    /// A header, by its name in lower case.
    Header(String),
    /// A query parameter of the URL that the answer redirects to.
    Query(String),
}

/// A URL with `{base}` in front, or an absolute one, and where it stands in the manifest.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub text: String,
    pub place: Place,
}

impl Template {
    pub(super) fn origin(&self, base: Option<&Url>) -> Result<Origin, ManifestError> {
        match (self.text.as_str(), base) {
            ("{base}", Some(base)) => Origin::of(base),
            _ => self.full(base).and_then(|text| Origin::parse(&text)),
        }
        .map_err(|problem| self.place.error(problem.to_string()))
    }

    pub(super) fn pattern(&self, base: Option<&Url>) -> Result<UrlPattern, ManifestError> {
        let pattern = self.full(base).and_then(|text| UrlPattern::parse(&text));
        pattern.map_err(|problem| self.place.error(problem.to_string()))
    }

    fn full(&self, base: Option<&Url>) -> Result<String, UrlProblem> {
        let Some(rest) = self.text.strip_prefix("{base}") else {
            return match self.text.contains(['{', '}']) {
                true => {
                    Err(UrlProblem("`{base}` may stand in front only, and there are no other placeholders".to_owned()))
                }
                false => Ok(self.text.clone()),
            };
        };
        let base = base.ok_or_else(|| UrlProblem("the source has no `base` for `{base}`".to_owned()))?;
        // Without this, `{base}.example.org` and `{base}@example.org` would be other hosts.
        if !rest.is_empty() && !rest.starts_with(['/', '?']) {
            return Err(UrlProblem("behind `{base}` comes `/` or `?`".to_owned()));
        }
        if rest.contains(['{', '}']) {
            return Err(UrlProblem("`{base}` is the only placeholder".to_owned()));
        }
        Ok(format!("{}{rest}", base.as_str().trim_end_matches('/')))
    }
}

/// A method and a URL before `{base}` is known.
#[derive(Debug, Clone)]
pub(super) struct RequestTemplate {
    pub method: Method,
    pub url: Template,
}

/// What a sink is in: a request, or a page by its id.
#[derive(Debug, Clone)]
pub(super) enum SinkIn {
    Request(RequestTemplate),
    Page(Name),
}

#[derive(Debug, Clone)]
pub(super) struct SinkTemplate {
    pub leaf: Leaf,
    pub within: SinkIn,
    pub slot: Slot,
    pub recipe: Pattern,
    pub max: u32,
}

#[derive(Debug, Clone)]
pub(super) struct CaptureTemplate {
    pub name: Name,
    pub from: RequestTemplate,
    pub at: CaptureAt,
}
