//! Sinks: the only places where a secret may go. A request that carries a recipe is admitted when every secret in it has a sink for
//! this very method, URL, slot and structure; otherwise the refusal says which lines of the manifest would allow it.

use std::fmt;

use url::Url;

use super::{Leaf, LeafKind, Pattern, Recipe};
use crate::manifest::{Method, UrlPattern};

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
}

impl Slot {
    /// The words, for messages.
    pub const ALLOWED: &'static str =
        "form:NAME, query:NAME, header:NAME, json:/POINTER, xml:PATH, multipart:NAME or body";

    /// Reads a slot of the manifest.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "body" {
            return Some(Self::Body);
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
            _ => None,
        }
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
        }
    }
}

/// Which sink, within one plan: what a run counts uses by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SinkId(usize);

/// One place where one secret may go.
#[derive(Debug, Clone)]
pub struct Sink {
    /// Whose place it is.
    pub leaf: Leaf,
    /// Method.
    pub method: Method,
    /// Which URLs.
    pub url: UrlPattern,
    /// Where in the request.
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
    /// Method and URL.
    pub request: String,
    /// Where in the request.
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
        let mut sinks = Vec::new();
        let mut missing = Vec::new();
        for leaf in recipe.leaves() {
            let fits = |sink: &Sink| {
                sink.leaf == *leaf
                    && sink.method.as_str() == method
                    && sink.slot == *slot
                    && sink.url.matches(url)
                    && sink.recipe.matches(recipe, leaf)
            };
            match self.iter().find(|(_, sink)| fits(sink)) {
                Some((id, sink)) => sinks.push((id, sink.max)),
                None => missing.push(MissingSink {
                    leaf: leaf.clone(),
                    request: format!("{method} {}", declarable(url, self.base.as_ref())),
                    slot: slot.clone(),
                    recipe: recipe.structure_for(leaf),
                    undeclared: !self.list.iter().any(|sink| sink.leaf == *leaf),
                }),
            }
        }
        if missing.is_empty() { Ok(SinkUse { sinks }) } else { Err(Refusal { missing }) }
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
            "{parent}[[{table}.sink]]\nrequest = {}\nslot = {}\nrecipe = {}\nmax = 1\n",
            quoted(&self.request),
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
