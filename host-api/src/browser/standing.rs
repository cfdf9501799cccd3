//! Where secrets stand: documents that one was typed into or pressed on. While they are there, pages reach less, and may not be read.

use consentry_contract::manifest::Origin;

use super::frame::At;
use super::state::{Reaction, State};

/// A frame, and the document in it.
type Shown = (String, String);

/// A document that a secret was typed into. Until it is gone, pages reach but the origins of the secret's sinks.
pub(super) struct Standing {
    at: Shown,
    origins: Vec<Origin>,
    /// Single characters of a secret were given to it, and what pages showed then: each may have been told of them. Nobody may read any page
    /// until all of these are gone.
    withheld: Vec<Shown>,
}

impl State {
    /// Remembers a document with a secret in it, or with `withheld` single characters of one. Answers which origins pages may reach from now on.
    pub(super) fn stands(&mut self, at: &At, origins: Vec<Origin>, withheld: bool) -> Option<Vec<Origin>> {
        let shown = |frame: &str| {
            let loader = self.frames.get(frame).map(|frame| frame.loader.clone());
            (frame.to_owned(), loader.unwrap_or_default())
        };
        let at = shown(at.frame());
        let pages = self.tabs.iter().map(|tab| shown(&tab.target)).chain([at.clone()]);
        let withheld = if withheld { pages.collect() } else { Vec::new() };
        self.standing.push(Standing { at, origins, withheld });
        self.narrow()
    }

    /// Whether pages may not be read.
    pub(super) fn is_withheld(&self) -> bool {
        self.standing.iter().any(|standing| !standing.withheld.is_empty())
    }

    fn shows(&self, (frame, loader): &Shown) -> bool {
        self.frames.get(frame).is_some_and(|now| now.loader == *loader)
    }

    /// Documents that are gone no longer hold a secret.
    pub(super) fn left(&mut self) -> Vec<Reaction> {
        if self.standing.is_empty() {
            return Vec::new();
        }
        let mut standing = std::mem::take(&mut self.standing);
        for each in &mut standing {
            each.withheld.retain(|shown| self.shows(shown));
        }
        standing.retain(|each| !each.withheld.is_empty() || self.shows(&each.at));
        self.standing = standing;
        vec![Reaction::Narrow(self.narrow())]
    }

    /// Something of a secret may stand where it should not: pages reach nothing any more.
    pub(super) fn cut(&mut self) -> Option<Vec<Origin>> {
        self.is_cut = true;
        self.narrow()
    }

    fn narrow(&self) -> Option<Vec<Origin>> {
        if self.is_cut {
            return Some(Vec::new());
        }
        let here: Vec<&Standing> = self.standing.iter().filter(|standing| self.shows(&standing.at)).collect();
        let origins = || here.iter().flat_map(|standing| standing.origins.iter().cloned()).collect();
        (!here.is_empty()).then(origins)
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::{Frame, Tab};
    use super::*;

    fn shows(state: &mut State, frame: &str, loader: &str) -> Vec<Reaction> {
        state.frames.insert(frame.to_owned(), Frame { loader: loader.to_owned(), ..Frame::default() });
        state.left()
    }

    fn pages(state: &mut State, pages: &[&str]) {
        for page in pages {
            let (target, session) = ((*page).to_owned(), String::new());
            state.tabs.push(Tab { target, session, opener: None, taken: true, crashed: false });
            shows(state, page, "first");
        }
    }

    fn reaches(reactions: &[Reaction]) -> bool {
        matches!(reactions, [Reaction::Narrow(None)])
    }

    #[test]
    fn pages_reach_everything_again_when_the_document_is_gone_and_are_read_when_all_that_were_there_are() {
        let mut state = State::default();
        pages(&mut state, &["main", "other"]);
        shows(&mut state, "frame", "first");
        let at = At::inside("main", "frame");
        assert!(state.stands(&at, Vec::new(), true).is_some() && state.is_withheld());
        assert!(!reaches(&shows(&mut state, "other", "second")), "the keypad is there");
        assert!(reaches(&shows(&mut state, "frame", "second")), "a page around it goes on as it was");
        assert!(state.is_withheld(), "which may have been told");
        shows(&mut state, "main", "second");
        assert!(!state.is_withheld());
    }

    #[test]
    fn a_page_that_closes_may_have_told_the_one_that_opened_it() {
        let mut state = State::default();
        pages(&mut state, &["main", "popup"]);
        state.stands(&At::page("popup".to_owned()), Vec::new(), true);
        state.frames.remove("popup");
        assert!(reaches(&state.left()) && state.is_withheld());
        state.frames.remove("main");
        state.left();
        assert!(!state.is_withheld());
    }

    #[test]
    fn pages_that_are_cut_reach_nothing_again() {
        let mut state = State::default();
        pages(&mut state, &["main"]);
        state.stands(&At::page("main".to_owned()), Vec::new(), true);
        assert_eq!(state.cut(), Some(Vec::new()));
        assert!(!reaches(&shows(&mut state, "main", "second")));
    }

    #[test]
    fn a_whole_secret_leaves_pages_readable() {
        let mut state = State::default();
        pages(&mut state, &["main"]);
        assert!(state.stands(&At::page("main".to_owned()), Vec::new(), false).is_some());
        assert!(!state.is_withheld() && reaches(&shows(&mut state, "main", "second")));
    }
}
