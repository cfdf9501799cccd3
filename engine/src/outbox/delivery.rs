//! What becomes of one delivery. Pure: the outbox reads, calls one of these and writes the result by compare-and-set.
//!
//! A delivery's record is metadata: no person, no data. While it waits it names its session and consent, and forgets both
//! when it ends.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::OutboxError;
use crate::data::Digest;
use crate::erase::retention::{R24DeliveryOutcome, Term};
use crate::id::{ConsentId, EventId, OnlineServiceId, ParcelId, SessionId};
use crate::rights::declared::Declared;
use crate::store::Record;

/// How long somebody may take to tell an Online Service about a parcel before another one tries.
pub const LEASE: SignedDuration = SignedDuration::from_secs(30);

/// How long to wait after each failed attempt to tell. After the last one the Online Service has to ask by itself.
const BACKOFF_SECONDS: [i64; 10] = [1, 2, 5, 15, 30, 60, 120, 300, 600, 600];

/// When to tell again after `attempts` that failed; none when it is enough.
pub fn next_attempt(attempts: u32) -> Option<SignedDuration> {
    let at = usize::try_from(attempts).ok()?.checked_sub(1)?;
    BACKOFF_SECONDS.get(at).copied().map(SignedDuration::from_secs)
}

/// As [`next_attempt`], and up to a quarter more: what failed together is not tried again together. From the event's name, so that
/// it is the same whenever it is asked for.
pub fn spread(event: EventId, attempts: u32) -> Option<SignedDuration> {
    let wait = next_attempt(attempts)?;
    let name = format!("{event}.{attempts}");
    let part = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let more = wait.as_millis() / 4 * i128::from(part >> 40) / (1 << 24);
    Some(wait + SignedDuration::from_millis(i64::try_from(more).unwrap_or(0)))
}

/// One delivery, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Delivery {
    pub(super) format: u8,
    pub(super) parcel: ParcelId,
    pub(super) online_service: OnlineServiceId,
    pub(super) digest: Digest,
    pub(super) state: State,
    pub(super) queued_at: Timestamp,
    /// When the first fetch was answered.
    pub(super) sending_since: Option<Timestamp>,
    pub(super) deadline: Timestamp,
    pub(super) event: EventId,
    pub(super) telling: Telling,
}

/// Where a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// Waits to be fetched, or has been fetched and waits to be acknowledged.
    Waiting {
        session: SessionId,
        consent: ConsentId,
    },
    Ended(End),
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct End {
    /// In which way.
    pub how: How,
    /// When.
    pub at: Timestamp,
    /// When its bytes were first given out, if they were.
    pub fetched_at: Option<Timestamp>,
}

/// In which way a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The Online Service named the digest of what it received.
    Acknowledged,
    /// The person withdrew.
    Withdrawn,
    /// Nobody acknowledged it in time.
    Undelivered,
}

impl How {
    /// Its name in what a person gets.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Withdrawn => "withdrawn",
            Self::Undelivered => "undelivered",
        }
    }
}

/// The attempts to tell the Online Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Telling {
    attempts: u32,
    /// None: no further attempt.
    next_at: Option<Timestamp>,
    leased_until: Option<Timestamp>,
}

impl Record for Delivery {
    const NAMESPACE: &'static str = "delivery";
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
    type Row = R24DeliveryOutcome;
}

impl Delivery {
    /// The period of the record starts when the delivery ends.
    pub(super) fn term(&self) -> Term {
        match &self.state {
            State::Waiting { .. } => Term::open(),
            State::Ended(end) => Term::from(end.at),
        }
    }

    pub(super) fn end(&self) -> Option<End> {
        match &self.state {
            State::Waiting { .. } => None,
            State::Ended(end) => Some(*end),
        }
    }

    /// Whether nobody acknowledged it in time.
    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        self.end().is_none() && self.deadline <= now
    }

    /// The first fetch is about to be answered. A later one changes nothing.
    pub(super) fn begin(mut self, at: Timestamp, now: Timestamp) -> Result<Self, OutboxError> {
        self.check_waiting(now)?;
        self.sending_since = self.sending_since.or(Some(at));
        Ok(self)
    }

    /// The Online Service names the digest of what it received. To name it again changes nothing.
    pub(super) fn acknowledge(self, digest: &Digest, now: Timestamp) -> Result<Self, OutboxError> {
        let same = aws_lc_rs::constant_time::verify_slices_are_equal(self.digest.as_bytes(), digest.as_bytes()).is_ok();
        match self.end() {
            Some(End { how: How::Acknowledged, .. }) if same => Ok(self),
            Some(end) => Err(OutboxError::Gone(end)),
            None if self.is_overdue(now) => Err(OutboxError::Gone(self.ended(How::Undelivered, now))),
            None if self.sending_since.is_none() => Err(OutboxError::NotFetched),
            None if !same => Err(OutboxError::WrongDigest),
            None => Ok(self.finish(How::Acknowledged, now)),
        }
    }

    /// Ends the delivery. An end that is there stays.
    pub(super) fn finish(self, how: How, now: Timestamp) -> Self {
        match self.state {
            State::Ended(_) => self,
            State::Waiting { .. } => {
                let telling = Telling { next_at: None, leased_until: None, ..self.telling };
                Self { state: State::Ended(self.ended(how, now)), telling, ..self }
            }
        }
    }

    fn ended(&self, how: How, at: Timestamp) -> End {
        End { how, at, fetched_at: self.sending_since }
    }

    pub(super) fn check_waiting(&self, now: Timestamp) -> Result<(SessionId, ConsentId), OutboxError> {
        match &self.state {
            State::Ended(end) => Err(OutboxError::Gone(*end)),
            State::Waiting { .. } if self.is_overdue(now) => Err(OutboxError::Gone(self.ended(How::Undelivered, now))),
            State::Waiting { session, consent } => Ok((*session, *consent)),
        }
    }

    /// Takes the task to tell the Online Service, if there is one and nobody has it.
    pub(super) fn lease(mut self, now: Timestamp) -> Option<Self> {
        let due = self.telling.next_at.is_some_and(|at| at <= now);
        let free = self.telling.leased_until.is_none_or(|until| until <= now);
        if !due || !free || self.check_waiting(now).is_err() {
            return None;
        }
        self.telling.attempts += 1;
        self.telling.leased_until = Some(now + LEASE);
        // Whoever has the lease may die with it: then it counts as an attempt that failed.
        self.telling.next_at = spread(self.event, self.telling.attempts).map(|wait| now + wait);
        Some(self)
    }

    /// The Online Service is to be told again, at once.
    pub(super) fn tell_again(mut self, now: Timestamp) -> Result<Self, OutboxError> {
        self.check_waiting(now)?;
        self.telling = Telling::due(now);
        Ok(self)
    }

    pub(super) fn tell_at(&self) -> Option<Timestamp> {
        self.telling.next_at
    }

    pub(super) fn attempts(&self) -> u32 {
        self.telling.attempts
    }

    /// Notes that the Online Service was told, or was not, in the given attempt. A late note changes nothing.
    pub(super) fn told(mut self, attempt: u32, reached: bool, now: Timestamp) -> Self {
        if self.telling.attempts == attempt && self.end().is_none() {
            let wait = if reached { None } else { spread(self.event, attempt) };
            self.telling = Telling { attempts: attempt, next_at: wait.map(|wait| now + wait), leased_until: None };
        }
        self
    }
}

impl Telling {
    /// The first attempt is due at once.
    pub(super) fn due(now: Timestamp) -> Self {
        Self { attempts: 0, next_at: Some(now), leased_until: None }
    }
}
