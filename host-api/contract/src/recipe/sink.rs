//! Sinks: the only places where a secret may go. A request that carries a recipe is admitted when every secret in it has a sink for
//! this very method, URL, slot and structure; otherwise the refusal says which lines of the manifest would allow it.

use std::collections::BTreeSet;
use std::fmt;

use url::Url;

use super::live::is_live_selector;
use super::{Leaf, LeafKind, Pattern, Recipe, SINK_USES_MAX, STEERED_USES_MAX};
use crate::failure::PageId;
use crate::manifest::{Method, Origin, UrlPattern};

/// Where in a request a value stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Slot {
    /// A field of a form.
    Form(String),
    /// A query parameter.
    Query(String),
    /// A header, by its name in lower case.
    Header(String),
    /// A string in a JSON body, by its JSON Pointer.
    Json(String),
    /// A text or attribute in an XML body, by its path.
    Xml(String),
    /// A part of a multipart form.
    Multipart(String),
    /// The whole body.
    Body,
    /// A field of a page in a browser, by its selector.
    Field(String),
    /// A keypad of a page in a browser, by the selector of what its keys stand in.
    Keypad(String),
    /// The answer to a Data Source that asks a browser who somebody is (HTTP authentication).
    Authentication,
    /// The certificate that a connection is made with (TLS): the operator's own.
    ClientCertificate,
}

impl Slot {
    /// The words, for messages.
    pub const ALLOWED: &'static str = "form:NAME, query:NAME, header:NAME, json:/POINTER, xml:PATH, multipart:NAME, body, authentication, client-certificate; on a page field:SELECTOR or keypad:SELECTOR";

    /// Reads a slot of the manifest.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "body" => return Some(Self::Body),
            "authentication" => return Some(Self::Authentication),
            "client-certificate" => return Some(Self::ClientCertificate),
            _ => {}
        }
        let (kind, name) = text.split_once(':').filter(|(_, name)| !name.is_empty())?;
        let name = name.to_owned();
        match kind {
            "form" => Some(Self::Form(name)),
            "query" => Some(Self::Query(name)),
            "header" => Some(Self::header(&name)).filter(|_| is_token(&name)),
            "json" => Some(Self::Json(name)).filter(|_| text.starts_with("json:/")),
            "xml" => Some(Self::Xml(name)),
            "multipart" => Some(Self::Multipart(name)),
            "field" => Some(Self::Field(name)).filter(|_| is_live_selector(&text[kind.len() + 1..])),
            "keypad" => Some(Self::Keypad(name)).filter(|_| is_live_selector(&text[kind.len() + 1..])),
            _ => None,
        }
    }

    /// Whether it is on a page, and not in a request.
    #[must_use]
    pub fn is_on_page(&self) -> bool {
        matches!(self, Self::Field(_) | Self::Keypad(_))
    }

    /// The slot of a header; names of headers have no case.
    #[must_use]
    pub fn header(name: &str) -> Self {
        Self::Header(name.to_ascii_lowercase())
    }
}

fn is_token(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(name) => write!(f, "form:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Json(pointer) => write!(f, "json:{pointer}"),
            Self::Xml(path) => write!(f, "xml:{path}"),
            Self::Multipart(name) => write!(f, "multipart:{name}"),
            Self::Body => f.write_str("body"),
            Self::Field(selector) => write!(f, "field:{selector}"),
            Self::Keypad(selector) => write!(f, "keypad:{selector}"),
            Self::Authentication => f.write_str("authentication"),
            Self::ClientCertificate => f.write_str("client-certificate"),
        }
    }
}

/// Which sink, within one plan: what a run counts uses by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SinkId(usize);

/// What a secret goes into.
#[derive(Debug, Clone)]
pub enum SinkAt {
    /// Requests of this method.
    Request(Method),
    /// The page of this id, in a browser.
    Page(PageId),
}

/// One place where one secret may go.
#[derive(Debug, Clone)]
pub struct Sink {
    /// Whose place it is.
    pub leaf: Leaf,
    /// Requests, or a page.
    pub at: SinkAt,
    /// Which URLs; of a page, where it is found.
    pub url: UrlPattern,
    /// Where in the request, or on the page.
    pub slot: Slot,
    /// The structure of what stands there.
    pub recipe: Pattern,
    /// How often in one run.
    pub max: u32,
}

/// Every sink of one plan.
#[derive(Debug, Clone, Default)]
pub struct Sinks {
    base: Option<Url>,
    list: Vec<Sink>,
}

/// The answer yes: what has to be counted before the value may go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "each use is counted against its maximum"]
pub struct SinkUse {
    /// One sink for each secret in the recipe, with its maximum in one run.
    pub sinks: Vec<(SinkId, u32)>,
}

/// The answer no. Printed, it is for the connector's author: it shows structure, and of the URL only what a manifest would hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the manifest declares no sink for this; what would allow it:\n{}", lines(.missing))]
pub struct Refusal {
    /// One for each secret that may not go there.
    pub missing: Vec<MissingSink>,
}

/// A sink that is not in the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSink {
    /// Whose sink.
    pub leaf: Leaf,
    /// The manifest's key and its value: `request` with method and URL, or `page` with its id.
    pub place: (&'static str, String),
    /// Where in the request, or on the page.
    pub slot: Slot,
    /// The structure of what was to go there.
    pub recipe: Pattern,
    /// Whether the manifest has no table for this secret at all (cookies).
    pub undeclared: bool,
}

impl Sinks {
    pub(crate) fn new(base: Option<Url>, list: Vec<Sink>) -> Self {
        Self { base, list }
    }

    /// Every sink with its id.
    pub fn iter(&self) -> impl Iterator<Item = (SinkId, &Sink)> {
        self.list.iter().enumerate().map(|(index, sink)| (SinkId(index), sink))
    }

    /// The sink with this id.
    #[must_use]
    pub fn sink(&self, id: SinkId) -> Option<&Sink> {
        self.list.get(id.0)
    }

    /// Whether the recipe may stand in this slot of this request. The caller counts each use; this decides on structure alone.
    ///
    /// # Errors
    /// If a secret in the recipe has no sink that admits the whole of it, with the lines that would.
    pub fn admit(&self, method: &str, url: &Url, slot: &Slot, recipe: &Recipe) -> Result<SinkUse, Refusal> {
        let fits = |sink: &Sink| {
            matches!(sink.at, SinkAt::Request(of) if of.as_str() == method)
                && sink.slot == *slot
                && sink.url.matches(url)
        };
        let place = || ("request", format!("{method} {}", declarable(url, self.base.as_ref())));
        self.admitted(recipe, fits, place, slot)
    }

    /// Whether the recipe may be typed into this field of this page.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub fn admit_field(&self, page: &str, selector: &str, recipe: &Recipe) -> Result<SinkUse, Refusal> {
        let slot = Slot::Field(selector.to_owned());
        let fits = |sink: &Sink| sink.is_on(page) && sink.slot == slot;
        self.admitted(recipe, fits, || ("page", page.to_owned()), &slot)
    }

    /// Whether the recipe may be pressed on a keypad of this page.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub fn admit_keypad(&self, page: &str, recipe: &Recipe) -> Result<SinkUse, Refusal> {
        let fits = |sink: &Sink| sink.is_on(page) && matches!(sink.slot, Slot::Keypad(_));
        let slot = Slot::Keypad("SELECTOR".to_owned());
        self.admitted(recipe, fits, || ("page", page.to_owned()), &slot)
    }

    /// Why this URL's page is no place for a secret: no `[[page]]` rule recognises it. Printed for the connector's author.
    #[must_use]
    pub fn unrecognised(&self, url: &Url) -> String {
        let url = toml::Value::from(declarable(url, self.base.as_ref())).to_string();
        format!(
            "a secret goes only into a page that a [[page]] rule recognises, and no rule recognises this one; what would allow it:\n\
             [[page]]\nid = \"ID\"\nurl = {url}\nrequires = [\"SELECTOR\"]\n"
        )
    }

    /// The origins that these secrets may go to.
    #[must_use]
    pub fn origins(&self, leaves: &BTreeSet<&Leaf>) -> Vec<Origin> {
        let mut origins: Vec<Origin> = Vec::new();
        for sink in self.list.iter().filter(|sink| leaves.contains(&sink.leaf)) {
            if !origins.contains(sink.url.origin()) {
                origins.push(sink.url.origin().clone());
            }
        }
        origins
    }

    fn admitted(
        &self,
        recipe: &Recipe,
        fits: impl Fn(&Sink) -> bool,
        place: impl Fn() -> (&'static str, String),
        slot: &Slot,
    ) -> Result<SinkUse, Refusal> {
        let mut sinks = Vec::new();
        let mut missing = Vec::new();
        for leaf in recipe.leaves() {
            let fits = |sink: &Sink| sink.leaf == *leaf && fits(sink) && sink.recipe.matches(recipe, leaf);
            match self.iter().find(|(_, sink)| fits(sink)) {
                Some((id, sink)) => sinks.push((id, sink.max)),
                None => missing.push(MissingSink {
                    leaf: leaf.clone(),
                    place: place(),
                    slot: slot.clone(),
                    recipe: recipe.structure_for(leaf),
                    undeclared: !self.list.iter().any(|sink| sink.leaf == *leaf),
                }),
            }
        }
        if missing.is_empty() { Ok(SinkUse { sinks }) } else { Err(Refusal { missing }) }
    }
}

impl Sink {
    /// Why it can't be used once more than its maximum, for the connector's author.
    #[must_use]
    pub fn used_up(&self) -> String {
        let (slot, max) = (&self.slot, self.max);
        let bound = match self.slot {
            Slot::Keypad(_) => STEERED_USES_MAX,
            _ => SINK_USES_MAX,
        };
        let more = max.saturating_add(1);
        let allowed = if more <= bound && self.recipe.flaw(&self.leaf, more).is_none() {
            format!("the manifest line that would allow it, in that sink of {}: max = {more}", self.leaf)
        } else {
            "no manifest may allow more".to_owned()
        };
        format!("this secret went to {slot} {max} times, as often as its sink allows (max = {max}); {allowed}")
    }

    fn is_on(&self, page: &str) -> bool {
        matches!(&self.at, SinkAt::Page(id) if id.as_str() == page)
    }
}

impl MissingSink {
    /// The lines to add to the manifest.
    #[must_use]
    pub fn lines(&self) -> String {
        let table = self.leaf.kind.table();
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let parent = match self.leaf.kind {
            LeafKind::Cookie if self.undeclared => format!("[[cookie]]\nname = {}\n", quoted(&self.leaf.name)),
            _ => format!("# in [[{table}]] {}\n", quoted(&self.leaf.name)),
        };
        format!(
            "{parent}[[{table}.sink]]\n{} = {}\nslot = {}\nrecipe = {}\nmax = 1\n",
            self.place.0,
            quoted(&self.place.1),
            quoted(&self.slot.to_string()),
            quoted(&self.recipe.to_string()),
        )
    }
}

fn lines(missing: &[MissingSink]) -> String {
    missing.iter().map(MissingSink::lines).collect::<Vec<_>>().join("\n")
}

/// The URL as a manifest would declare it: from `{base}`, without query, and with `*` for what looks like the id of something.
fn declarable(url: &Url, base: Option<&Url>) -> String {
    let base = base.filter(|base| base.origin() == url.origin());
    let prefix = base.map_or("", |base| base.path().trim_end_matches('/'));
    let inside = url.path().strip_prefix(prefix).filter(|rest| rest.starts_with('/'));
    let (start, path) = match inside.filter(|_| base.is_some()) {
        Some(rest) => ("{base}".to_owned(), rest),
        None => (url.origin().ascii_serialization(), url.path()),
    };
    let segments = path.split('/').map(|segment| {
        let digits = segment.bytes().filter(u8::is_ascii_digit).count();
        if digits > 3 || segment.len() > 40 { "*" } else { segment }
    });
    start + &segments.collect::<Vec<_>>().join("/")
}
