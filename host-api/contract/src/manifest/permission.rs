//! What a manifest asks for, as plain sentences: what an operator reads before saying yes, and what is compared between versions.

use std::collections::BTreeSet;
use std::fmt;

use super::Manifest;
use super::parts::CaptureAt;

/// What a permission is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PermissionKind {
    /// Where requests may go.
    Origin,
    /// What may be emitted.
    Category,
    /// Which interface may be used.
    Capability,
    /// Where a secret may go.
    Sink,
    /// What is cut out of answers.
    Capture,
    /// A fixed text that is sent together with a secret.
    Literal,
}

/// One thing that a connector may do. Two versions of a manifest ask for the same if their permissions are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    /// What it is about.
    pub kind: PermissionKind,
    /// The whole of it, for people.
    pub sentence: String,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl Manifest {
    /// Everything it asks for, each once, by kind and then by sentence.
    #[must_use]
    pub fn permissions(&self) -> Vec<Permission> {
        let mut all = BTreeSet::new();
        let mut add = |kind, sentence| all.insert(Permission { kind, sentence });
        for source in &self.sources {
            for origin in &source.origins {
                // Resolved when the manifest was read, so it can be resolved again.
                let resolved =
                    origin.origin(source.base.as_ref()).map_or_else(|_| origin.text.clone(), |o| o.to_string());
                add(PermissionKind::Origin, format!("sends requests to {resolved} for the source {}", source.id));
            }
            for category in &source.categories {
                add(PermissionKind::Category, format!("collects {category} from the source {}", source.id));
            }
        }
        for capability in &self.capabilities {
            add(PermissionKind::Capability, format!("uses the interface {capability}"));
        }
        for sink in &self.sinks {
            let request = format!("{} {}", sink.request.method, sink.request.url.text);
            add(
                PermissionKind::Sink,
                format!(
                    "puts {} into {} of {request} as {}, at most {} times in a run",
                    sink.leaf, sink.slot, sink.recipe, sink.max
                ),
            );
            for literal in sink.recipe.literals() {
                add(PermissionKind::Literal, format!("sends the text {literal:?} with {} to {request}", sink.leaf));
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
            add(PermissionKind::Capture, format!("keeps {at} in answers of {from} as captured.{}", capture.name));
        }
        all.into_iter().collect()
    }
}
