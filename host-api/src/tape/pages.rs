//! What pages showed, in the place of a browser: the calls of a tape in their order.

use consentry_tape::{Act, Exchange, Outcome};

use super::replay::{Matching, Replay};

/// Pages of a tape, as calls ask for them.
pub trait Pages: Send + Sync {
    /// What came of this call; none if the tape goes on in another way, which ends the run.
    fn played(&self, call: &str, on: &str) -> Option<Act>;
    /// The document that comes next, if nothing is done before but to wait.
    fn ahead(&self) -> Option<Exchange>;
    /// It is there: what was waited for before it is over.
    fn arrived(&self);
    /// Waits as long as was waited then; none if nothing was waited for here.
    fn waited(&self) -> Option<Outcome>;
}

impl Pages for Replay {
    fn played(&self, call: &str, on: &str) -> Option<Act> {
        let mut state = self.state();
        let names = |act: &Act| act.call == call && (act.on == on || act.on == self.named_text(on));
        while state.acts.front().is_some_and(|act| act.call == Act::WAIT) {
            state.acts.pop_front();
        }
        let among = if self.is(Matching::Strict) { 1 } else { usize::MAX };
        let found = state.acts.iter().take(among).position(names);
        let Some(at) = found else {
            let asked = format!("{call} {}", self.named_text(on));
            let taped = state.acts.front().map(|act| format!("{} {}", act.call, act.on));
            state.diverged(asked, taped);
            return None;
        };
        let act = state.acts.drain(..=at).next_back()?;
        if let Outcome::Document(shown) = &act.outcome {
            state.answered(shown.at_ms);
        }
        Some(act)
    }

    fn ahead(&self) -> Option<Exchange> {
        let state = self.state();
        for act in &state.acts {
            match &act.outcome {
                Outcome::Document(shown) => return Some(shown.clone()),
                _ if act.call == Act::WAIT => {}
                _ => return None,
            }
        }
        None
    }

    fn arrived(&self) {
        let mut state = self.state();
        while let Some(act) = state.acts.pop_front_if(|act| act.call == Act::WAIT) {
            if let Outcome::Document(shown) = &act.outcome {
                state.answered(shown.at_ms);
                state.seen_page(act);
                return;
            }
        }
    }

    fn waited(&self) -> Option<Outcome> {
        self.state().acts.pop_front_if(|act| act.call == Act::WAIT).map(|act| act.outcome)
    }
}
