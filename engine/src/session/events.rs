//! What happened in a session, in order, for everybody who watches: the person by server-sent events, the terminal, tests.
//!
//! A reader names the last event it has seen and gets every later one, each once: a broken connection loses nothing. The
//! log lives in memory with its session. It holds no value of the person and nothing that was seen at a Data Source.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use consentry_contract::failure::Failure;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use super::state::State;
use crate::id::{QuestionId, ReceiptId};

/// Most progress events kept for one session. Later ones are left out: a connector that reports in a loop fills no memory.
pub const PROGRESS_EVENTS_MAX: usize = 500;

/// One event.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Its place in the session, from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum What {
    /// The session is in another state.
    State {
        /// The state.
        #[serde(flatten)]
        state: State,
        /// Why, where it is the end of something: with stage, page and what was missing there, without a value.
        #[serde(skip_serializing_if = "Option::is_none")]
        failure: Option<Box<Failure>>,
    },
    /// The connector came to a step that its manifest names.
    Progress {
        /// The step.
        step: String,
    },
    /// The connector did so many of so many.
    Count {
        /// So many.
        done: u32,
        /// Of so many.
        total: u32,
    },
    /// The collection waits for a turn in the browser, which many share.
    Waiting {
        /// So many are before it.
        ahead: u32,
    },
    /// The connector asks the person.
    Question {
        /// The question.
        #[serde(flatten)]
        question: Arc<Question>,
    },
    /// A question was answered, or is no longer asked.
    QuestionClosed {
        /// Which.
        question: QuestionId,
    },
    /// A report of the failure can be looked at, and given or not.
    ReportOffered {
        /// Whether a recording is in it.
        replayable: bool,
    },
    /// A receipt can be fetched.
    Receipt {
        /// Which.
        receipt: ReceiptId,
    },
}

/// Something a connector asks the person.
#[derive(Clone, Serialize)]
pub struct Question {
    /// Names it; an answer names it too.
    pub question: QuestionId,
    /// `otp`, `approve`, `choose`, `captcha`, `redirect` or `text`.
    pub kind: String,
    /// What the kind needs: medium, masked target, options, address.
    pub details: Vec<(String, String)>,
    /// What the answer must bring: the manifest's fields for this kind.
    pub fields: Vec<AnswerField>,
    /// An image to show, as a `data:` address.
    pub image: Option<String>,
    /// Until when it can be answered.
    pub until: Timestamp,
}

/// One part of an answer.
#[derive(Debug, Clone, Serialize)]
pub struct AnswerField {
    /// Its name in the manifest.
    pub name: String,
    /// Whether it is hidden while it is typed.
    pub secret: bool,
    /// What the person reads.
    pub label: crate::online_service::Localised,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Details may hold a masked telephone number; the image is a captcha.
        f.debug_struct("Question").field("question", &self.question).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The events of one session.
#[derive(Debug)]
pub struct EventLog {
    /// Tells this log from the one that the session had before a restart, whose numbers were the same.
    name: String,
    events: Mutex<Vec<Event>>,
    count: watch::Sender<Count>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    events: u64,
    closed: bool,
}

impl Default for EventLog {
    fn default() -> Self {
        // A number of this process's own chance; it is no secret.
        let name = format!("{:016x}", RandomState::new().build_hasher().finish());
        Self { name, events: Mutex::default(), count: watch::Sender::new(Count { events: 0, closed: false }) }
    }
}

impl EventLog {
    /// Adds an event. After [`close`](Self::close), and beyond [`PROGRESS_EVENTS_MAX`] for progress, it is left out.
    pub fn push(&self, at: Timestamp, what: What) {
        let mut events = self.lock();
        if self.count.borrow().closed {
            return;
        }
        let is_progress = |what: &What| matches!(what, What::Progress { .. } | What::Count { .. });
        let told = || events.iter().filter(|event| is_progress(&event.what)).count();
        if is_progress(&what) && told() >= PROGRESS_EVENTS_MAX {
            return;
        }
        let seq = events.len() as u64 + 1;
        events.push(Event { seq, at, what });
        self.count.send_modify(|count| count.events = seq);
    }

    /// Ends every subscription once it has read what is there.
    pub fn close(&self) {
        let _held = self.lock();
        self.count.send_modify(|count| count.closed = true);
    }

    /// Reads from the event after `seen` on.
    pub fn subscribe(self: &Arc<Self>, seen: u64) -> Subscription {
        Subscription { count: self.count.subscribe(), log: self.clone(), seen }
    }

    /// Reads from the event after this one on, as [`Subscription::id`] named it; from the beginning, if that is none of this log's.
    pub fn subscribe_after(self: &Arc<Self>, last: &str) -> Subscription {
        let seen = last.split_once('-').filter(|(name, _)| *name == self.name);
        let seen = seen.and_then(|(_, seq)| seq.parse().ok()).filter(|seq| *seq <= self.lock().len() as u64);
        self.subscribe(seen.unwrap_or(0))
    }

    fn after(&self, seen: u64) -> Option<Event> {
        let at = usize::try_from(seen).ok()?;
        self.lock().get(at).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Event>> {
        // An event is pushed whole or not at all.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the events of one session.
#[derive(Debug)]
pub struct Subscription {
    log: Arc<EventLog>,
    count: watch::Receiver<Count>,
    seen: u64,
}

impl Subscription {
    /// What a reader names when it comes back.
    pub fn id(&self, event: &Event) -> String {
        format!("{}-{}", self.log.name, event.seq)
    }

    /// Waits for the next event; nothing after the last one of a session that is over.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let closed = self.count.borrow_and_update().closed;
            if let Some(event) = self.log.after(self.seen) {
                self.seen = event.seq;
                return Some(event);
            }
            if closed {
                return None;
            }
            // The sender lives in the log, which we hold: this can't fail.
            self.count.changed().await.ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T10:00:00Z".parse().unwrap()
    }

    fn progress(log: &EventLog, step: &str) {
        log.push(now(), What::Progress { step: step.to_owned() });
    }

    #[tokio::test]
    async fn a_reader_of_another_log_begins_anew() {
        let (before, log) = (Arc::new(EventLog::default()), Arc::new(EventLog::default()));
        for log in [&before, &log] {
            progress(log, "login");
            progress(log, "accounts");
        }
        let mut reader = before.subscribe(0);
        let first = reader.next().await.unwrap();
        let last = reader.id(&first);
        assert_eq!(before.subscribe_after(&last).next().await.map(|event| event.seq), Some(2));
        // A number alone, one that was never told, and one of before a restart.
        for last in ["1", "", "x-1", &reader.id(&first).replace("-1", "-99"), &last] {
            assert_eq!(log.subscribe_after(last).next().await.map(|event| event.seq), Some(1), "{last:?}");
        }
    }

    #[tokio::test]
    async fn a_reader_that_comes_back_misses_nothing_and_sees_nothing_twice() {
        let log = Arc::new(EventLog::default());
        progress(&log, "login");
        progress(&log, "accounts");
        let mut first = log.subscribe(0);
        assert_eq!(first.next().await.map(|e| e.seq), Some(1));
        drop(first);
        let mut again = log.subscribe(1);
        let later = tokio::spawn({
            let log = log.clone();
            async move {
                progress(&log, "operations");
                log.close();
            }
        });
        let mut seen = vec![];
        while let Some(event) = again.next().await {
            seen.push(event.seq);
        }
        later.await.unwrap();
        assert_eq!(seen, [2, 3]);
    }

    #[tokio::test]
    async fn a_connector_that_reports_in_a_loop_fills_no_memory_and_hides_no_state() {
        let log = Arc::new(EventLog::default());
        (0..PROGRESS_EVENTS_MAX * 2).for_each(|_| progress(&log, "login"));
        log.push(now(), What::State { state: State::InReview, failure: None });
        log.close();
        let mut last = None;
        let mut reader = log.subscribe(PROGRESS_EVENTS_MAX as u64 - 1);
        while let Some(event) = reader.next().await {
            last = Some(event);
        }
        let last = last.unwrap();
        assert_eq!(last.seq, PROGRESS_EVENTS_MAX as u64 + 1);
        assert!(matches!(last.what, What::State { state: State::InReview, .. }));
    }

    #[test]
    fn an_event_reads_as_flat_json() {
        let state = State::AwaitingCredentials { rejected: 1 };
        let event = Event { seq: 3, at: now(), what: What::State { state, failure: None } };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"seq":3,"at":"2026-11-21T10:00:00Z","type":"state","state":"awaiting-credentials","rejected":1}"#
        );
    }
}
