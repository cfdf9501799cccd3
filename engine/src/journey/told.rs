//! What a session has told so far, read at once: a page is written from it, and the script goes on from there.

use std::sync::Arc;

use futures_util::FutureExt as _;

use crate::session::Session;
use crate::session::events::{Question, What};
use crate::session::state::State;

/// What there is to show of a collection under way.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The last event that is in here.
    pub(super) seen: u64,
    /// Steps of the connector, in order, the last one under way.
    pub(super) steps: Vec<String>,
    /// So many of so many.
    pub(super) count: Option<(u32, u32)>,
    /// So many collections wait before this one for a browser.
    pub(super) ahead: Option<u32>,
    /// Nothing will be told any more.
    pub(super) closed: bool,
    /// What is asked now.
    pub(super) question: Option<Arc<Question>>,
}

impl Told {
    pub(super) fn of(session: &Session) -> Self {
        let (mut told, mut events) = (Self::default(), session.subscribe(0));
        while let Some(next) = events.next().now_or_never() {
            let Some(event) = next else { return Self { closed: true, ..told } };
            told.seen = event.seq;
            match event.what {
                // Another login is another collection.
                What::State { state: State::AwaitingCredentials { .. }, .. } => {
                    told = Self { seen: told.seen, ..Self::default() };
                }
                What::Progress { step } => {
                    told.steps.retain(|known| *known != step);
                    told.steps.push(step);
                    (told.count, told.ahead) = (None, None);
                }
                What::Count { done, total } => told.count = Some((done, total)),
                What::Waiting { ahead } => told.ahead = Some(ahead),
                What::Question { question } => told.question = Some(question),
                What::QuestionClosed { question } => {
                    told.question.take_if(|open| open.question == question);
                }
                What::State { .. } | What::ReportOffered { .. } | What::Receipt { .. } => {}
            }
        }
        told
    }
}
