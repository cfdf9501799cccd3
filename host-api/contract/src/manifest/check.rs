//! From the shapes of [`super::raw`] to a [`Manifest`]: every check that needs no base URL, then those that do, once for each source.

mod identified;
mod pages;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;

use super::error::{ERRORS_MAX, Locator, ManifestError, ManifestErrors, Place};
use super::parts::{Label, Owner, RequestTemplate, Source, Template};
use super::raw::{self, Text};
use super::words::{Capability, Method, SourceKind};
use super::{
    CONTRACTS, LITERAL_CHARS_MAX, LITERALS_MAX, MANIFEST_BYTES_MAX, Manifest, ORIGINS_MAX, SOURCES_MAX, URLS_MAX, plan,
};
use crate::document::{self, Format};
use crate::failure::Name;
use crate::limits::{LimitName, Wishes};
use crate::plain::is_unseen;

pub(super) fn manifest(text: &str) -> Result<Manifest, ManifestErrors> {
    let mut checker = Checker { locator: Locator::new(text), errors: Vec::new(), pages: BTreeSet::new() };
    if text.len() > MANIFEST_BYTES_MAX {
        checker.fail(0..0, format!("a manifest has at most {MANIFEST_BYTES_MAX} bytes"));
        return Err(checker.all());
    }
    match toml::from_str::<raw::Manifest>(text) {
        Ok(raw) => checker.manifest(&raw).ok_or_else(|| checker.all()),
        Err(error) => {
            let error = checker.locator.schema(&error);
            checker.errors.push(error);
            Err(checker.all())
        }
    }
}

/// Collects what is wrong and goes on, so that an author sees all of it at once.
struct Checker<'a> {
    locator: Locator<'a>,
    errors: Vec<ManifestError>,
    /// Ids of the pages that it declares.
    pages: BTreeSet<String>,
}

impl Checker<'_> {
    /// The manifest, or none with something in `errors`.
    fn manifest(&mut self, raw: &raw::Manifest) -> Option<Manifest> {
        self.counts(raw)?;
        let contract = CONTRACTS.iter().copied().find(|known| known == raw.contract.get_ref());
        if contract.is_none() {
            self.fail(
                raw.contract.span(),
                format!("this contract is not supported; supported: {}", CONTRACTS.join(", ")),
            );
        }
        let id = self.id(&raw.id);
        let version = semver::Version::parse(raw.version.get_ref()).map_err(|error| {
            self.fail(raw.version.span(), format!("a version is MAJOR.MINOR.PATCH (semver): {error}"));
        });
        let owner = self.owner(&raw.owner);
        let capabilities = self.capabilities(&raw.capabilities);
        let categories = self.categories(&raw.categories, None);
        let steps = self.ids(&raw.steps);
        let literals = self.literals(&raw.literals);
        let sources = self.sources(&raw.source, &categories);
        let limits = self.limits(&raw.limits);
        let secrets = self.secrets(raw, &capabilities);
        self.identified(raw);
        self.address(raw);
        let pages = self.pages(&raw.page, &categories);
        let logout = raw.logout.as_ref().map(|logout| self.request(&logout.request));
        if !self.errors.is_empty() {
            return None;
        }
        let manifest = Manifest {
            contract: contract?,
            id: id?,
            version: version.ok()?,
            owner,
            capabilities,
            categories,
            steps,
            literals,
            sources,
            limits,
            fields: secrets.fields,
            answers: secrets.answers,
            sinks: secrets.sinks,
            captures: secrets.captures,
            pages,
            logout: logout.flatten(),
        };
        for source in &manifest.sources {
            if self.errors.len() >= ERRORS_MAX {
                break;
            }
            if let Err(errors) = plan::resolve(&manifest, source, None) {
                self.errors.extend(errors.iter().cloned());
            }
        }
        self.errors.is_empty().then_some(manifest)
    }

    /// How many there are of what is checked against each other; with more nothing else is looked at.
    fn counts(&mut self, raw: &raw::Manifest) -> Option<()> {
        let answers = raw.answer.iter().map(|answer| answer.get_ref().sink.len());
        let fields = raw.field.iter().map(|field| field.get_ref().sink.len());
        let others = raw.operator.iter().chain(&raw.cookie).map(|named| named.get_ref().sink.len());
        let captures = raw.capture.iter().map(|capture| 1 + capture.get_ref().sink.len());
        let urls = raw.page.len() + answers.chain(fields).chain(others).chain(captures).sum::<usize>();
        let origins = raw.source.get_ref().iter().map(|source| source.get_ref().origins.get_ref().len()).max();
        for (what, count, max) in [
            ("sources", raw.source.get_ref().len(), SOURCES_MAX),
            ("origins of a source", origins.unwrap_or_default(), ORIGINS_MAX),
            ("pages, sinks and captures", urls, URLS_MAX),
        ] {
            if count > max {
                self.fail(raw.source.span(), format!("a manifest has at most {max} {what}; this one has {count}"));
            }
        }
        self.errors.is_empty().then_some(())
    }

    fn all(&mut self) -> ManifestErrors {
        // There is no manifest only where something was found wrong; should that ever fail, the caller still gets an error.
        let unknown = self.place(0..0).error("the manifest does not make sense");
        ManifestErrors::of(std::mem::take(&mut self.errors)).unwrap_or_else(|| unknown.into())
    }

    fn place(&self, span: Range<usize>) -> Place {
        self.locator.place(span)
    }

    fn fail(&mut self, span: Range<usize>, problem: impl Into<String>) {
        if self.errors.len() < ERRORS_MAX {
            let error = self.place(span).error(problem);
            self.errors.push(error);
        }
    }

    /// An id: kebab-case, of the form that may stand in a failure report.
    fn id(&mut self, text: &Text) -> Option<Name> {
        let kebab = !text.get_ref().contains(['.', '_']);
        let id = text.get_ref().parse::<Name>().ok().filter(|_| kebab);
        if id.is_none() {
            let problem = "ids are kebab-case: lower-case words joined by `-`, at most 64 bytes with at most 4 digits";
            self.fail(text.span(), problem);
        }
        id
    }

    /// Ids that must differ from each other.
    fn ids(&mut self, texts: &[Text]) -> Vec<Name> {
        let ids = texts.iter().filter_map(|text| self.id(text)).collect();
        self.unique(texts);
        ids
    }

    fn unique<'t>(&mut self, texts: impl IntoIterator<Item = &'t Text>) {
        let mut seen = BTreeSet::new();
        for text in texts {
            if !seen.insert(text.get_ref()) {
                self.fail(text.span(), format!("`{}` is there already; each must be unique", text.get_ref()));
            }
        }
    }

    /// A text for people: not empty, not endless, one line.
    fn text(&mut self, text: &Text) -> String {
        let value = text.get_ref().trim();
        if value.is_empty() || value.chars().count() > 200 || value.contains(is_unseen) {
            self.fail(text.span(), "must be one line of 1 to 200 characters, all of which are seen");
        }
        value.to_owned()
    }

    /// A text that people read as a part of a permission or a report: two that look alike are alike.
    fn seen(&mut self, text: &Text) {
        if text.get_ref().contains(is_unseen) {
            self.fail(text.span(), "holds characters that are not seen");
        }
    }

    /// What stays readable in reports.
    fn literals(&mut self, texts: &[Text]) -> Vec<String> {
        self.unique(texts);
        if let Some(text) = texts.get(LITERALS_MAX) {
            self.fail(text.span(), format!("a manifest has at most {LITERALS_MAX} literals"));
        }
        for text in texts.iter().filter(|text| text.get_ref().chars().count() > LITERAL_CHARS_MAX) {
            self.fail(text.span(), format!("a literal has at most {LITERAL_CHARS_MAX} characters"));
        }
        texts.iter().map(|text| self.text(text)).collect()
    }

    /// A word of a closed list.
    fn word<T>(&mut self, text: &Text, parse: fn(&str) -> Option<T>, allowed: &str) -> Option<T> {
        let word = parse(text.get_ref());
        if word.is_none() {
            self.fail(text.span(), format!("unknown word `{}`; allowed: {allowed}", text.get_ref()));
        }
        word
    }

    fn label(&mut self, label: &Spanned<BTreeMap<String, Text>>) -> Label {
        if !label.get_ref().contains_key("en") {
            self.fail(label.span(), "a label needs at least `en`");
        }
        let mut words = BTreeMap::new();
        for (language, text) in label.get_ref() {
            let tag = language.split('-').enumerate().all(|(index, part)| {
                let long_enough = if index == 0 { 2..=3 } else { 2..=8 };
                long_enough.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
            });
            if !tag {
                self.fail(text.span(), format!("`{language}` is no language tag, such as `en` or `fr-CH`"));
            }
            words.insert(language.clone(), self.text(text));
        }
        Label(words)
    }

    fn owner(&mut self, owner: &raw::Owner) -> Owner {
        Owner { name: self.text(&owner.name), contact: self.text(&owner.contact) }
    }

    fn capabilities(&mut self, raw: &[Text]) -> BTreeSet<Capability> {
        self.unique(raw);
        raw.iter().filter_map(|text| self.word(text, Capability::parse, &Capability::ALLOWED.join(", "))).collect()
    }

    /// Categories of the item table; those of a source are among the connector's.
    fn categories(&mut self, raw: &Spanned<Vec<Text>>, within: Option<&[&'static str]>) -> Vec<&'static str> {
        if raw.get_ref().is_empty() {
            self.fail(raw.span(), "at least one category is needed");
        }
        self.unique(raw.get_ref());
        raw.get_ref().iter().filter_map(|text| self.category(text, within)).collect()
    }

    fn category(&mut self, text: &Text, within: Option<&[&'static str]>) -> Option<&'static str> {
        let found = crate::item::category(text.get_ref()).map(|category| category.name);
        match (found, within) {
            (None, _) => {
                let names: Vec<&str> = crate::item::CATEGORIES.iter().map(|category| category.name).collect();
                self.fail(text.span(), format!("unknown category `{}`; allowed: {}", text.get_ref(), names.join(", ")));
            }
            (Some(name), Some(within)) if !within.contains(&name) => {
                let problem = format!("`{name}` is not among the connector's categories: {}", within.join(", "));
                self.fail(text.span(), problem);
            }
            _ => {}
        }
        found
    }

    fn sources(&mut self, raw: &Spanned<Vec<Spanned<raw::Source>>>, categories: &[&'static str]) -> Vec<Source> {
        if raw.get_ref().is_empty() {
            self.fail(raw.span(), "at least one [[source]] is needed");
        }
        self.unique(raw.get_ref().iter().map(|source| &source.get_ref().id));
        raw.get_ref().iter().filter_map(|source| self.source(source.get_ref(), categories)).collect()
    }

    fn source(&mut self, raw: &raw::Source, categories: &[&'static str]) -> Option<Source> {
        let id = self.id(&raw.id);
        let name = self.text(&raw.name);
        let country = raw.country.get_ref();
        if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
            self.fail(raw.country.span(), "a country is two capitals (ISO 3166-1 alpha-2), such as `FR`");
        }
        let kind = self.word(&raw.kind, SourceKind::parse, &SourceKind::ALLOWED.join(", "));
        let base = raw.base.as_ref().and_then(|base| {
            let checked = plan::base(base.get_ref());
            checked.map_err(|problem| self.fail(base.span(), problem)).ok()
        });
        if raw.origins.get_ref().is_empty() {
            self.fail(raw.origins.span(), "at least one origin is needed, such as `{base}`");
        }
        self.unique(raw.origins.get_ref());
        let origins = raw.origins.get_ref().iter().map(|text| self.template(text)).collect();
        let own = raw.categories.as_ref().map(|own| self.categories(own, Some(categories)));
        let params = raw.params.clone();
        let tpp = raw.tpp.as_ref().is_some_and(|tpp| *tpp.get_ref());
        let categories = own.unwrap_or_else(|| categories.to_vec());
        let tpp_exempt = self.exempt(raw);
        let (id, kind, country) = (id?, kind?, country.clone());
        Some(Source { id, name, country, kind, categories, params, tpp, tpp_exempt, base, origins })
    }

    fn limits(&mut self, raw: &BTreeMap<String, Spanned<u64>>) -> Wishes {
        let mut wishes = Wishes::new();
        for (name, value) in raw {
            let Some(limit) = LimitName::parse(name) else {
                self.fail(value.span(), format!("unknown limit `{name}`; allowed: {}", LimitName::allowed()));
                continue;
            };
            let row = limit.row();
            if !(limit.minimum()..=row.maximum).contains(value.get_ref()) {
                self.fail(value.span(), format!("allowed: {} to {} ({})", limit.minimum(), row.maximum, row.unit));
            }
            wishes.insert(limit, *value.get_ref());
        }
        wishes
    }

    fn template(&self, text: &Text) -> Template {
        Template { text: text.get_ref().clone(), place: self.place(text.span()) }
    }

    /// `METHOD URL`.
    fn request(&mut self, text: &Text) -> Option<RequestTemplate> {
        let parts = text.get_ref().split_once(' ');
        let Some((method, url)) = parts.and_then(|(method, url)| Some((Method::parse(method)?, url.trim()))) else {
            self.fail(
                text.span(),
                format!(
                    "must be a method and a URL, such as `POST {{base}}/login`; methods: {}",
                    Method::ALLOWED.join(", ")
                ),
            );
            return None;
        };
        Some(RequestTemplate { method, url: Template { text: url.to_owned(), place: self.place(text.span()) } })
    }
}

/// Whether the document capability takes this selector, or pointer, if it begins as one.
fn check_at(at: &str) -> Result<(), String> {
    let format = if at.starts_with('/') { Format::Json } else { Format::Html };
    document::check(format, at, "text").map_err(|error| error.to_string())
}
