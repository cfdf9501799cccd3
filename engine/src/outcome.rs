//! Every run ends in exactly one outcome. Dropping a run is an outcome too: whoever loses one, by a bug, a panic or an
//! aborted task, has it reported as a failure of the platform. Nothing disappears silently, and no run ends twice.

use std::fmt;
use std::sync::Arc;

use consentry_contract::failure::{Blame, Code, Failure};
use jiff::Timestamp;

use crate::clock::Clock;
use crate::data::Digest;
use crate::id::{ConsentId, ParcelId, RunId, SessionId};

/// Where ends of runs are told. It must not block and must not fail: it is called from `Drop`.
pub trait EndSink: Send + Sync {
    /// Takes note of an end. Called exactly once for each run.
    fn ended(&self, ended: &Ended);
}

/// Names one use of a grant: the run, its session and the consent it stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunName {
    /// The run.
    pub run: RunId,
    /// The session that owns it.
    pub session: SessionId,
    /// The consent it stands on.
    pub consent: ConsentId,
}

/// One run under way, from the use of its grant to its outcome.
#[must_use = "a run that is dropped is reported as abandoned"]
pub struct Run {
    name: RunName,
    started: Timestamp,
    clock: Arc<dyn Clock>,
    sink: Option<Arc<dyn EndSink>>,
}

/// How a run came to its end.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All that was granted was delivered and acknowledged.
    Delivered(Delivery),
    /// Something was delivered and acknowledged, and something is missing, for this reason.
    Partial(Delivery, Failure),
    /// Nothing was acknowledged.
    Failed(Failed),
    /// The person withdrew.
    Withdrawn {
        /// A send that had begun before the withdrawal, which therefore may have arrived.
        sending: Option<ParcelId>,
    },
    /// The session's hour was over.
    Expired,
}

/// A parcel that its receiver acknowledged by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The parcel.
    pub parcel: ParcelId,
    /// What was acknowledged.
    pub digest: Digest,
    /// When.
    pub acknowledged_at: Timestamp,
}

/// A run that delivered nothing that was acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// A parcel whose bytes were fetched, though nobody acknowledged them.
    pub fetched: Option<ParcelId>,
}

/// Proof that a run ended. Made by [`Run::end`] and by nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    name: RunName,
    started: Timestamp,
    at: Timestamp,
    outcome: Outcome,
}

impl Run {
    /// Begins a run. Its end, whatever it is, goes to `sink`.
    pub fn begin(name: RunName, clock: Arc<dyn Clock>, sink: Arc<dyn EndSink>) -> Self {
        Self { name, started: clock.now(), clock, sink: Some(sink) }
    }

    /// Takes up a run that began earlier and survived its node: its parcel waits in the outbox.
    pub fn resume(name: RunName, started: Timestamp, clock: Arc<dyn Clock>, sink: Arc<dyn EndSink>) -> Self {
        Self { name, started, clock, sink: Some(sink) }
    }

    /// Names the run.
    pub fn name(&self) -> RunName {
        self.name
    }

    /// When it began.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// Ends the run.
    pub fn end(mut self, outcome: Outcome) -> Ended {
        self.finish(outcome)
    }

    /// Lets go of a run that had ended before it was resumed: its end was told then.
    pub(crate) fn forget(mut self) {
        self.sink = None;
    }

    fn finish(&mut self, outcome: Outcome) -> Ended {
        let ended = Ended { name: self.name, started: self.started, at: self.clock.now(), outcome };
        if let Some(sink) = self.sink.take() {
            sink.ended(&ended);
        }
        ended
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.sink.is_some() {
            self.finish(Outcome::failed(Failure::new(Code::Cancelled)));
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("name", &self.name).field("started", &self.started).finish_non_exhaustive()
    }
}

impl Outcome {
    /// A failure before anything was handed over.
    pub fn failed(failure: Failure) -> Self {
        Self::Failed(Failed { failure, fetched: None })
    }

    /// Tells the outcome's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delivered(_) => "delivered",
            Self::Partial(..) => "partial",
            Self::Failed(_) => "failed",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Expired => "expired",
        }
    }

    /// Whose turn it is to do something about it, if anybody's.
    pub fn blame(&self) -> Option<Blame> {
        match self {
            Self::Delivered(_) => None,
            Self::Partial(_, missing) => Some(missing.blame),
            Self::Failed(failed) => Some(failed.failure.blame),
            Self::Withdrawn { .. } | Self::Expired => Some(Blame::Person),
        }
    }
}

impl Ended {
    /// Names the run that ended.
    pub fn name(&self) -> RunName {
        self.name
    }

    /// When the run began.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// When it ended.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// How.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::clock::ManualClock;

    #[derive(Default)]
    struct Seen(Mutex<Vec<String>>);

    impl EndSink for Seen {
        fn ended(&self, ended: &Ended) {
            self.0.lock().unwrap().push(ended.outcome().name().to_owned());
        }
    }

    fn begin(sink: &Arc<Seen>) -> Run {
        let name = RunName {
            run: "run_01JD8Z3M7K0000000000000000".parse().unwrap(),
            session: "ses_01JD8Z3M7K0000000000000000".parse().unwrap(),
            consent: "cns_01JD8Z3M7K0000000000000000".parse().unwrap(),
        };
        let clock = ManualClock::new("2026-11-21T10:00:00Z".parse().unwrap());
        Run::begin(name, Arc::new(clock), sink.clone())
    }

    #[test]
    fn a_run_that_ends_is_told_once() {
        let seen = Arc::<Seen>::default();
        let ended = begin(&seen).end(Outcome::Expired);
        assert_eq!(ended.outcome(), &Outcome::Expired);
        assert_eq!(*seen.0.lock().unwrap(), ["expired"]);
    }

    #[test]
    fn a_run_that_is_dropped_or_lost_in_a_panic_is_told_as_failed() {
        let seen = Arc::<Seen>::default();
        drop(begin(&seen));
        let run = begin(&seen);
        let lost = std::thread::spawn(move || {
            let _held = run;
            panic!("a bug");
        });
        assert!(lost.join().is_err());
        assert_eq!(*seen.0.lock().unwrap(), ["failed", "failed"]);
    }
}
