//! What a manifest asks for, as plain sentences: what an operator reads before saying yes, and what is compared between versions.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Manifest;
use super::parts::{CaptureAt, SinkIn};

/// What a permission is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PermissionKind {
    /// Whose key stands for it. Known to the host alone, which adds it to what the manifest asks for.
    Signer,
    /// What it says it reads.
    Source,
    /// Where requests may go.
    Origin,
    /// What may be emitted.
    Category,
    /// Which interface may be used.
    Capability,
    /// What the person is asked for, and whether the connector can read it.
    Field,
    /// Where a secret may go.
    Sink,
    /// What is cut out of answers.
    Capture,
    /// A fixed text that is sent together with a secret, or that stays readable in reports.
    Literal,
    /// More of something than connectors get without asking.
    Limit,
}

/// One thing that a connector may do. Two versions of a manifest ask for the same if their permissions are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// What it is about.
    pub kind: PermissionKind,
    /// What it is, for people.
    pub sentence: String,
    /// How often or how much, if that is counted.
    pub most: Option<u64>,
}

impl Permission {
    /// Whether who has this needs no other permission for that: the same thing, no more of it.
    #[must_use]
    pub fn allows(&self, asked: &Self) -> bool {
        self.kind == asked.kind
            && self.sentence == asked.sentence
            && match (self.most, asked.most) {
                (Some(most), Some(asked)) => asked <= most,
                (most, asked) => most == asked,
            }
    }
}

impl fmt::Display for PermissionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signer => "signer",
            Self::Source => "source",
            Self::Origin => "origin",
            Self::Category => "category",
            Self::Capability => "capability",
            Self::Field => "field",
            Self::Sink => "sink",
            Self::Capture => "capture",
            Self::Literal => "literal",
            Self::Limit => "limit",
        })
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)?;
        match (self.kind, self.most) {
            (PermissionKind::Sink, Some(most)) => write!(f, ", at most {most} times in a run"),
            (_, Some(most)) => write!(f, ", at most {most}"),
            (_, None) => Ok(()),
        }
    }
}

/// What is collected: each permission once, in order.
#[derive(Default)]
struct Asked(BTreeSet<Permission>);

impl Asked {
    fn add(&mut self, kind: PermissionKind, sentence: String) {
        self.0.insert(Permission { kind, sentence, most: None });
    }

    fn add_most(&mut self, kind: PermissionKind, sentence: String, most: u64) {
        self.0.insert(Permission { kind, sentence, most: Some(most) });
    }
}

impl Manifest {
    /// Everything it asks for, each once, by kind and then by sentence.
    #[must_use]
    pub fn permissions(&self) -> Vec<Permission> {
        let mut asked = Asked::default();
        self.ask_sources(&mut asked);
        self.ask_person(&mut asked);
        self.ask_secrets(&mut asked);
        for literal in &self.literals {
            asked.add(PermissionKind::Literal, format!("keeps the text {literal:?} readable in reports of failures"));
        }
        for capability in &self.capabilities {
            asked.add(PermissionKind::Capability, format!("uses the interface {capability}"));
        }
        for (limit, wish) in &self.limits {
            let row = limit.row();
            if *wish > row.default {
                asked.add_most(PermissionKind::Limit, format!("{} ({})", row.bounds, row.unit), *wish);
            }
        }
        asked.0.into_iter().collect()
    }

    fn ask_sources(&self, asked: &mut Asked) {
        for source in &self.sources {
            let (id, name, country, kind) = (&source.id, &source.name, &source.country, source.kind);
            asked.add(PermissionKind::Source, format!("serves the source {id}: {name:?}, {country}, {kind}"));
            if let Some(ground) = &source.tpp_exempt {
                let told = "reads payment accounts without identification as a third party at the source";
                asked.add(PermissionKind::Source, format!("{told} {id}, on this ground: {ground:?}"));
            }
            if source.tpp {
                asked.add(
                    PermissionKind::Source,
                    format!("identifies the operator as a third party to the source {id}"),
                );
            }
            for origin in &source.origins {
                // Resolved when the manifest was read, so it can be resolved again.
                let resolved =
                    origin.origin(source.base.as_ref()).map_or_else(|_| origin.text.clone(), |o| o.to_string());
                asked.add(PermissionKind::Origin, format!("sends requests to {resolved} for the source {id}"));
            }
            for category in &source.categories {
                asked.add(PermissionKind::Category, format!("collects {category} from the source {id}"));
            }
        }
    }

    /// What it asks the person for. What it can read itself is another permission than a handle.
    fn ask_person(&self, asked: &mut Asked) {
        for field in &self.fields {
            let login = if field.login { ", the login" } else { "" };
            asked.add(PermissionKind::Field, format!("asks for the field {} ({}{login})", field.name, field.kind));
        }
        if self.hands_on_address() {
            let sentence = "hands on the network address that the person comes from, while the person is there";
            asked.add(PermissionKind::Field, sentence.to_owned());
        }
        for answer in &self.answers {
            let sentence = format!("asks by {} for {} ({})", answer.prompt, answer.name, answer.kind);
            asked.add(PermissionKind::Field, sentence);
        }
    }

    fn ask_secrets(&self, asked: &mut Asked) {
        for sink in &self.sinks {
            let request = match &sink.within {
                SinkIn::Request(request) => format!("{} {}", request.method, request.url.text),
                SinkIn::Page(id) => {
                    let page = self.pages.iter().find(|template| template.page.id == *id);
                    format!("the page {id} at {}", page.map_or("", |page| &page.url.text))
                }
            };
            let sentence = format!("puts {} into {} of {request} as {}", sink.leaf, sink.slot, sink.recipe);
            asked.add_most(PermissionKind::Sink, sentence, sink.max.into());
            for literal in sink.recipe.literals() {
                asked.add(
                    PermissionKind::Literal,
                    format!("sends the text {literal:?} with {} to {request}", sink.leaf),
                );
            }
        }
        for capture in &self.captures {
            let at = match &capture.at {
                CaptureAt::Pointer(pointer) => format!("the JSON value {pointer}"),
                CaptureAt::Element { selector, attribute: None } => format!("the text of {selector}"),
                CaptureAt::Element { selector, attribute: Some(name) } => format!("the attribute {name} of {selector}"),
                CaptureAt::Header(name) => format!("the header {name}"),
                CaptureAt::Query(name) => format!("the query parameter {name} of the redirect"),
            };
            let from = format!("{} {}", capture.from.method, capture.from.url.text);
            let sentence = format!("keeps {at} in answers of {from} as captured.{}", capture.name);
            asked.add(PermissionKind::Capture, sentence);
        }
    }
}
