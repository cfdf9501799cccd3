//! What a collection needs from the engine: who watches, the clock, randomness.

use std::sync::Arc;

use consentry_contract::failure::{Blame, Code};
use consentry_host_api::ports;
use jiff::Timestamp;

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::id::RunId;
use crate::session::Session;
use crate::session::events::What;
use crate::session::state::Step;

/// Turns what a run reports into the session's events.
pub(super) struct Watch {
    pub(super) session: Arc<Session>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) run: RunId,
    /// The connector's id.
    pub(super) connector: String,
    /// Shows the connector's own lines; in development only.
    pub(super) development: bool,
}

impl ports::Observer for Watch {
    fn step(&self, id: &str) {
        self.session.tell(What::Progress { step: id.to_owned() }, self.clock.now());
    }

    fn count(&self, done: u32, total: u32) {
        self.session.tell(What::Count { done, total }, self.clock.now());
    }

    fn waits(&self, ahead: u32) {
        self.session.tell(What::Waiting { ahead }, self.clock.now());
    }

    fn login_submitted(&self) {
        if self.session.step(Step::LoginSubmitted, self.clock.now()).is_err() {
            tracing::debug!(session = %self.session.id(), "a login went out as the session ended");
        }
    }

    fn authenticated(&self) {
        tracing::debug!(session = %self.session.id(), "the login worked; its fields are destroyed");
    }

    fn log(&self, level: &str, text: &str) {
        if self.development {
            tracing::info!(target: "connector", level, "{text}");
        }
    }

    fn refused(&self, code: Code, text: &str) {
        // A refusal names what the connector asked for, and a hostile one asks for what it has read.
        let text = if self.development { text } else { "" };
        // What the author can mend is worth a warning; that a person said no, or a source is down, is everyday life.
        if code.row().blame == Blame::Connector {
            tracing::warn!(run = %self.run, connector = self.connector, %code, "refused {text}");
        } else {
            tracing::info!(run = %self.run, connector = self.connector, %code, "refused {text}");
        }
    }
}

/// The engine's clock for a run.
pub(super) struct RunClock(pub(super) Arc<dyn Clock>);

impl ports::Clock for RunClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// The engine's randomness for a run.
pub(super) struct RunRandom(pub(super) Arc<Entropy>);

impl ports::Random for RunRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.with(|rng| rng.fill_bytes(bytes));
    }
}
