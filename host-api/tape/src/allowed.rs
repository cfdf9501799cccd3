//! What one connector's manifest lets stay readable: its literals and error texts, the names in its selectors, pointers and URLs, and its
//! origins. Everything here stands in the manifest, so an operator who approves a connector has seen it.

use std::collections::HashSet;

use consentry_contract::manifest::{CaptureAt, Manifest, SourcePlan, UrlPattern};
use url::Url;

use crate::vocabulary;

/// Fewest letters and digits that a literal has if it is to stay inside a longer text: shorter ones would show the places of single
/// letters.
const WITHIN_CHARS_MIN: usize = 4;

/// What stays readable beside the vocabulary.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// Lower case.
    names: HashSet<String>,
    /// The words of each literal, in lower case.
    literals: Vec<Vec<String>>,
    origins: HashSet<String>,
    urls: Vec<UrlPattern>,
}

impl Allowed {
    /// By this manifest, for this Data Source of it.
    #[must_use]
    pub fn of(manifest: &Manifest, plan: &SourcePlan) -> Self {
        let mut allowed = Self::default();
        allowed.origins.extend(plan.origins().iter().map(ToString::to_string));
        allowed.text("captured");
        for literal in manifest.literals() {
            allowed.text(literal);
            allowed.name(literal);
        }
        for rule in plan.pages() {
            allowed.url(&rule.url);
            let page = &rule.page;
            page.requires.iter().chain(&page.lacks).chain(&page.empty).for_each(|at| allowed.at(at));
            for error in &page.errors {
                allowed.at(&error.at);
                allowed.text(&error.folded);
            }
        }
        for (_, sink) in plan.sinks().iter() {
            allowed.url(&sink.url);
            let slot = sink.slot.to_string();
            allowed.at(slot.split_once(':').map_or("", |(_, name)| name));
        }
        for capture in plan.captures() {
            allowed.url(&capture.from.url);
            match &capture.at {
                CaptureAt::Pointer(at) | CaptureAt::Header(at) | CaptureAt::Query(at) => allowed.at(at),
                CaptureAt::Element { selector, attribute } => {
                    allowed.at(selector);
                    allowed.at(attribute.as_deref().unwrap_or_default());
                }
            }
        }
        allowed
    }

    fn name(&mut self, name: &str) {
        if !name.is_empty() {
            self.names.insert(name.to_lowercase());
        }
    }

    /// The names of a selector or pointer: what is quoted, as a whole and by its parts, and every word outside of quotes.
    fn at(&mut self, at: &str) {
        for (place, part) in at.split(['"', '\'']).enumerate() {
            if place % 2 == 1 {
                self.name(part);
                self.literals.extend(Some(words(part)).filter(|words| !words.is_empty()));
            }
            let names = part.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_'));
            names.for_each(|name| self.name(name));
        }
    }

    fn url(&mut self, pattern: &UrlPattern) {
        if let Ok(url) = Url::parse(&pattern.to_string()) {
            url.path_segments().into_iter().flatten().filter(|part| *part != "*").for_each(|part| self.name(part));
            for (name, value) in url.query_pairs() {
                self.name(&name);
                self.name(&value);
            }
        }
        self.urls.push(pattern.clone());
    }

    fn text(&mut self, text: &str) {
        let words = words(text);
        if !words.is_empty() {
            self.literals.push(words);
        }
    }

    /// The manifest's pattern for a URL, or what of it is names: two URLs that differ in values alone are called the same. So are two
    /// selectors.
    #[must_use]
    pub fn named(&self, text: &str) -> String {
        if text.contains("://") { crate::point::pattern(text, self) } else { crate::point::selector(text, self) }
    }

    /// Whether the whole name may stay.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        vocabulary::knows(name) || self.names.contains(&name.to_lowercase())
    }

    /// Whether requests may go to this origin, which is then no secret.
    pub(crate) fn has_origin(&self, origin: &str) -> bool {
        self.origins.contains(origin)
    }

    /// Words of literals, which mean something where they stand.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.literals.iter().flatten().map(String::as_str)
    }

    /// Whether these are the words of a literal, and all of them.
    pub(crate) fn is_literal(&self, words: &[String]) -> bool {
        self.literals.iter().any(|literal| literal == words)
    }

    /// How many of these words, from the first on, are a literal.
    pub(crate) fn literal_at(&self, words: &[String]) -> usize {
        let whole = |literal: &&Vec<String>| {
            literal.iter().map(|word| word.chars().count()).sum::<usize>() >= WITHIN_CHARS_MIN
                && words.starts_with(literal)
        };
        self.literals.iter().filter(whole).map(Vec::len).max().unwrap_or_default()
    }

    /// The manifest's own pattern for a URL.
    pub(crate) fn pattern(&self, url: &Url) -> Option<&UrlPattern> {
        self.urls.iter().find(|pattern| pattern.matches(url))
    }
}

/// The runs of letters and digits, in lower case.
pub(crate) fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}
