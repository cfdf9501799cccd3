//! What this crate needs from the engine: the person who answers prompts, the one who watches, the tape, the clock. Ports only; the engine
//! implements them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use consentry_contract::failure::Code;
use consentry_contract::item::Bytes;
use jiff::Timestamp;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::clear::{Clear, Moment, RunInClear};

/// A question to the person, as a connector asked it and after the manifest's words were put to it.
#[derive(Clone)]
pub struct Question {
    /// `otp`, `approve`, `choose`, `captcha`, `redirect`, `text`.
    pub kind: String,
    /// What the kind's table allows; shown as data, never as markup.
    pub details: Vec<(String, String)>,
    /// A picture to look at (captcha).
    pub image: Option<Bytes>,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The parts of an answer: names and values, opened from their sealed form just now.
pub type Parts = Vec<(String, Zeroizing<Vec<u8>>)>;

/// What a person typed as an answer. It is taken once: by the run that asked, or by who finds that it was kept for long enough (retention row R09).
#[derive(Clone)]
pub struct Typed {
    parts: Arc<Mutex<Option<(Parts, Clear)>>>,
    at: Option<Timestamp>,
}

impl Typed {
    /// What came at this moment, from which its time counts.
    #[must_use]
    pub fn at(parts: Parts, at: Timestamp) -> Self {
        Self { at: Some(at), ..parts.into() }
    }

    /// When it came; where nobody noted that, when it is taken.
    pub(crate) fn came(&self) -> Option<Timestamp> {
        self.at
    }

    /// Takes it, if nobody has. To let go of what is taken wipes it.
    #[must_use]
    pub fn take(&self) -> Option<Parts> {
        self.held().map(|(parts, _)| parts)
    }

    /// The same, for this run: its answer has been in clear since it came, and is until what is beside the parts is dropped.
    pub(crate) fn take_in(&self, run: &RunInClear) -> Option<(Parts, Clear)> {
        self.held().map(|(parts, clear)| (parts, clear.of(run)))
    }

    fn held(&self) -> Option<(Parts, Clear)> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl From<Parts> for Typed {
    fn from(parts: Parts) -> Self {
        Self { parts: Arc::new(Mutex::new(Some((parts, Moment::Answer.begin())))), at: None }
    }
}

/// What the person answered.
pub enum Answer {
    /// The parts of the answer.
    Given(Typed),
    /// The person said no.
    Denied,
    /// Nobody answered in time.
    Expired,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given(_) => "Given(..)",
            Self::Denied => "Denied",
            Self::Expired => "Expired",
        })
    }
}

/// A question that is being shown. Dropping it takes the question down.
pub struct Asked {
    /// Brings the one answer; a closed channel means that the session ended.
    pub answer: oneshot::Receiver<Answer>,
    /// Takes the question down when dropped.
    pub shown: Box<dyn Send + Sync>,
}

/// Shows questions to the person.
pub trait Prompter: Send + Sync {
    /// Shows a question.
    ///
    /// # Errors
    /// `person-absent` in a scheduled run.
    fn ask(&self, question: Question) -> Result<Asked, Code>;
}

/// Watches a run: what the person sees, and what the engine must know while it goes on.
pub trait Observer: Send + Sync {
    /// The run is at this declared step.
    fn step(&self, id: &str);
    /// So many of so many.
    fn count(&self, done: u32, total: u32);
    /// The run waits for a turn at something that many share, with so many before it.
    fn waits(&self, ahead: u32) {
        let _ = ahead;
    }
    /// A login is about to go out: from here on nothing is tried again without the person.
    fn login_submitted(&self);
    /// The login worked and the login fields are destroyed.
    fn authenticated(&self);
    /// A line for the connector's author; only a development run shows it.
    fn log(&self, level: &str, text: &str);
    /// The host said no, and why: which line of the manifest would allow it, what an argument must look like. The text is the host's own and
    /// holds names that the connector declares or asks for, no value.
    fn refused(&self, code: Code, text: &str) {
        let _ = code;
        self.log("warn", text);
    }
}

/// The time, as an argument.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// How long is really waited for so much of this time. Where time is played from a tape, nobody waits.
    fn pause(&self, asked: Duration) -> Duration {
        asked
    }
}

/// Randomness, as an argument.
pub trait Random: Send {
    /// Fills the buffer.
    fn fill(&mut self, bytes: &mut [u8]);
}
