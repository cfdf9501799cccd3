//! Where secrets stand: documents that one was typed into or pressed on. While they are there, pages reach less, and may not be read.

use consentry_contract::manifest::Origin;

use super::state::{Reaction, State};

/// A document that a secret was typed into. Until it and the page around it are gone, pages reach but the origins of the secret's sinks.
pub(super) struct Standing {
    pub(super) page: String,
    /// The document that the page itself shows: scripts of it may have been told.
    pub(super) around: String,
    pub(super) frame: String,
    pub(super) loader: String,
    pub(super) origins: Vec<Origin>,
    /// Single characters of a secret were given to it: nobody may read it.
    pub(super) withheld: bool,
}

impl State {
    /// Remembers a document with a secret in it. Answers which origins pages may reach from now on.
    pub(super) fn stands(&mut self, standing: Standing) -> Option<Vec<Origin>> {
        self.standing.push(standing);
        self.narrow()
    }

    /// Whether something that pages show may not be read. None of them may then: they speak to each other.
    pub(super) fn is_withheld(&self) -> bool {
        self.standing.iter().any(|standing| standing.withheld)
    }

    /// Documents that are gone no longer hold a secret.
    pub(super) fn left(&mut self) -> Vec<Reaction> {
        let before = self.standing.len();
        let frames = &self.frames;
        let shows = |frame: &String, loader: &String| frames.get(frame).is_some_and(|now| now.loader == *loader);
        let stands = |it: &Standing| shows(&it.frame, &it.loader) || shows(&it.page, &it.around);
        self.standing.retain(stands);
        if self.standing.len() < before { vec![Reaction::Narrow(self.narrow())] } else { Vec::new() }
    }

    fn narrow(&self) -> Option<Vec<Origin>> {
        let origins = || self.standing.iter().flat_map(|standing| standing.origins.iter().cloned()).collect();
        (!self.standing.is_empty()).then(origins)
    }
}
