//! The states of a session and what leads from one to the next. Pure: no clock, no I/O; the owner of the session looks at
//! the clock and says [`Step::DeadlineReached`].
//!
//! A state never goes back, with two exceptions that are part of the flow: a person answers a question and the collection
//! goes on, and a login that was refused may be tried again, [`LOGINS_REJECTED_MAX`] times.

use std::fmt;

use consentry_contract::failure::Code;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::QuestionId;

/// How often a refused login may be given again in one session.
pub const LOGINS_REJECTED_MAX: u8 = 2;

/// Where a session stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
#[schemars(rename = "SessionState")]
pub enum State {
    /// An Online Service asked; nobody has seen the notice.
    Requested,
    /// The person reads the notice.
    AwaitingConsent,
    /// The person consented and is asked for the login of the Data Source.
    AwaitingCredentials {
        /// How often a login came to nothing in this session: the Data Source refused it, or it was none.
        rejected: u8,
    },
    /// A connector is at work.
    Collecting {
        /// As in [`State::AwaitingCredentials`].
        rejected: u8,
        /// The login went out to the Data Source: nothing is repeated automatically from here.
        login_submitted: bool,
    },
    /// A connector waits for the person.
    AwaitingPerson {
        /// What was asked.
        question: QuestionId,
        /// As in [`State::Collecting`].
        rejected: u8,
        /// As in [`State::Collecting`].
        login_submitted: bool,
    },
    /// The person looks at what was found and decides what to share.
    InReview,
    /// The parcel waits in the outbox.
    Delivering,
    /// Everything asked for was delivered and acknowledged.
    Completed,
    /// What could be collected was delivered and acknowledged.
    Partial,
    /// It ended without a delivery.
    Failed {
        /// Why.
        #[schemars(schema_with = "crate::schema::code")]
        code: Code,
    },
    /// The hour was over.
    Expired,
    /// The person refused or withdrew the consent.
    Withdrawn,
}

/// What happened to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The notice was shown.
    NoticeShown,
    /// The person agreed.
    ConsentGiven,
    /// The person said no.
    ConsentRefused,
    /// Nobody is there: an access began with the session that an earlier one kept.
    AccessBegan,
    /// The login arrived, and a grant was used for it.
    CredentialsGiven,
    /// The connector sent the login to the Data Source.
    LoginSubmitted,
    /// The connector asks the person.
    Asked(QuestionId),
    /// The person answered, or the question was taken down.
    Answered(QuestionId),
    /// The login came to nothing, for this reason: the Data Source refused it, or it did not open, or it could not be used.
    LoginRejected(Code),
    /// The connector is done, and there is something to look at.
    Collected,
    /// The person chose what to share, and the parcel is in the outbox.
    Shared,
    /// The Online Service acknowledged the parcel.
    Acknowledged {
        /// Some of what was asked for is missing.
        partial: bool,
    },
    /// It can't go on.
    Failed(Code),
    /// The person withdrew.
    Withdrawn,
    /// The session's hour is over.
    DeadlineReached,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoticeShown => "a notice",
            Self::ConsentGiven => "a consent",
            Self::ConsentRefused => "a refusal of consent",
            Self::AccessBegan => "an access",
            Self::CredentialsGiven => "a login",
            Self::LoginSubmitted => "a login that was sent",
            Self::Asked(_) => "a question",
            Self::Answered(_) => "an answer",
            Self::LoginRejected(_) => "a login that was rejected",
            Self::Collected => "what was collected",
            Self::Shared => "a decision on what to share",
            Self::Acknowledged { .. } => "an acknowledgement",
            Self::Failed(_) => "a failure",
            Self::Withdrawn => "a withdrawal",
            Self::DeadlineReached => "a deadline",
        })
    }
}

/// Says that a step does not fit the state. It changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session that is {state} can't take {step}")]
pub struct StepRefused {
    /// The state's name.
    pub state: &'static str,
    /// The step.
    pub step: Step,
}

impl State {
    /// Tells the state's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::AwaitingConsent => "awaiting-consent",
            Self::AwaitingCredentials { .. } => "awaiting-credentials",
            Self::Collecting { .. } => "collecting",
            Self::AwaitingPerson { .. } => "awaiting-person",
            Self::InReview => "in-review",
            Self::Delivering => "delivering",
            Self::Completed => "completed",
            Self::Partial => "partial",
            Self::Failed { .. } => "failed",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether nothing can happen any more.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Completed | Self::Partial | Self::Failed { .. } | Self::Expired | Self::Withdrawn)
    }

    /// Whether the session holds something that lives in memory only, and so dies with its node.
    pub fn is_open_run(&self) -> bool {
        matches!(self, Self::Collecting { .. } | Self::AwaitingPerson { .. } | Self::InReview)
    }

    /// Takes one step.
    ///
    /// # Errors
    /// The step does not fit the state; the state stays what it was.
    pub fn next(&self, step: Step) -> Result<Self, StepRefused> {
        let refused = StepRefused { state: self.name(), step };
        if self.is_end() {
            return Err(refused);
        }
        match step {
            Step::Withdrawn => return Ok(Self::Withdrawn),
            Step::DeadlineReached => return Ok(Self::past_deadline(self)),
            Step::Failed(code) => return Ok(Self::Failed { code }),
            _ => {}
        }
        self.forward(step).ok_or(refused)
    }

    /// The steps that do not end the session from anywhere.
    fn forward(&self, step: Step) -> Option<Self> {
        Some(match (self, step) {
            (Self::Requested, Step::NoticeShown) => Self::AwaitingConsent,
            (Self::AwaitingConsent, Step::ConsentGiven) => Self::AwaitingCredentials { rejected: 0 },
            (Self::AwaitingConsent, Step::ConsentRefused) => Self::Withdrawn,
            (&Self::AwaitingCredentials { rejected }, Step::CredentialsGiven) => {
                Self::Collecting { rejected, login_submitted: false }
            }
            // Nobody is there to give another login.
            (Self::Requested, Step::AccessBegan) => {
                Self::Collecting { rejected: LOGINS_REJECTED_MAX, login_submitted: false }
            }
            (&Self::Collecting { rejected, .. }, Step::LoginSubmitted) => {
                Self::Collecting { rejected, login_submitted: true }
            }
            (&Self::AwaitingPerson { question, rejected, .. }, Step::LoginSubmitted) => {
                Self::AwaitingPerson { question, rejected, login_submitted: true }
            }
            (&Self::Collecting { rejected, login_submitted }, Step::Asked(question)) => {
                Self::AwaitingPerson { question, rejected, login_submitted }
            }
            (&Self::AwaitingPerson { question, rejected, login_submitted }, Step::Answered(answered))
                if question == answered =>
            {
                Self::Collecting { rejected, login_submitted }
            }
            (
                &(Self::Collecting { rejected, .. } | Self::AwaitingPerson { rejected, .. }),
                Step::LoginRejected(code),
            ) => Self::after_rejection(rejected, code),
            (Self::Collecting { .. } | Self::AwaitingPerson { .. }, Step::Collected) => Self::InReview,
            (Self::InReview, Step::Shared) => Self::Delivering,
            (Self::Delivering, Step::Acknowledged { partial: false }) => Self::Completed,
            (Self::Delivering, Step::Acknowledged { partial: true }) => Self::Partial,
            _ => return None,
        })
    }

    fn after_rejection(rejected: u8, code: Code) -> Self {
        if rejected < LOGINS_REJECTED_MAX {
            Self::AwaitingCredentials { rejected: rejected + 1 }
        } else {
            Self::Failed { code }
        }
    }

    /// A parcel that nobody acknowledged is a failed delivery; everything else ran out of time.
    fn past_deadline(&self) -> Self {
        match self {
            Self::Delivering => Self::Failed { code: Code::DeliveryFailed },
            _ => Self::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn question(n: u8) -> QuestionId {
        format!("qst_01JD8Z3M7K000000000000000{n}").parse().unwrap()
    }

    /// Walks from the first state and names every state reached; a refused step ends the walk with `!`.
    fn walk(steps: &[Step]) -> String {
        let mut state = State::Requested;
        let mut names = vec![];
        for &step in steps {
            match state.next(step) {
                Ok(next) => state = next,
                Err(_) => {
                    names.push("!");
                    break;
                }
            }
            names.push(state.name());
        }
        names.join(" ")
    }

    const START: [Step; 3] = [Step::NoticeShown, Step::ConsentGiven, Step::CredentialsGiven];

    fn started(rest: &[Step]) -> String {
        let all: Vec<Step> = START.iter().chain(rest).copied().collect();
        walk(&all).replacen("awaiting-consent awaiting-credentials collecting ", "", 1)
    }

    #[test]
    fn a_session_goes_from_request_to_completed() {
        assert_eq!(
            started(&[
                Step::LoginSubmitted,
                Step::Asked(question(1)),
                Step::Answered(question(1)),
                Step::Collected,
                Step::Shared,
                Step::Acknowledged { partial: false },
            ]),
            "collecting awaiting-person collecting in-review delivering completed"
        );
    }

    #[test]
    fn a_refused_login_may_be_given_twice_more_and_no_more() {
        let rejected = Step::LoginRejected(Code::CredentialsRejected);
        let again = [rejected, Step::CredentialsGiven];
        assert_eq!(
            started(&[again[0], again[1], again[0], again[1], rejected, Step::CredentialsGiven]),
            "awaiting-credentials collecting awaiting-credentials collecting failed !"
        );
    }

    #[test]
    fn only_the_question_that_was_asked_can_be_answered() {
        assert_eq!(started(&[Step::Asked(question(1)), Step::Answered(question(2))]), "awaiting-person !");
    }

    #[test]
    fn nothing_is_collected_before_consent_and_nothing_is_shared_before_review() {
        assert_eq!(walk(&[Step::NoticeShown, Step::CredentialsGiven]), "awaiting-consent !");
        assert_eq!(walk(&[Step::CredentialsGiven]), "!");
        assert_eq!(started(&[Step::Shared]), "!");
        assert_eq!(
            walk(&[Step::NoticeShown, Step::ConsentRefused, Step::ConsentGiven]),
            "awaiting-consent withdrawn !"
        );
    }

    #[test]
    fn the_deadline_ends_what_is_open_and_names_a_parcel_nobody_acknowledged() {
        assert_eq!(started(&[Step::DeadlineReached]), "expired");
        let delivering = [Step::Collected, Step::Shared, Step::DeadlineReached];
        assert_eq!(started(&delivering), "in-review delivering failed");
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop::sample::select(vec![
            Step::NoticeShown,
            Step::ConsentGiven,
            Step::ConsentRefused,
            Step::CredentialsGiven,
            Step::LoginSubmitted,
            Step::Asked(question(1)),
            Step::Answered(question(1)),
            Step::LoginRejected(Code::DecryptFailed),
            Step::Collected,
            Step::Shared,
            Step::Acknowledged { partial: false },
            Step::Acknowledged { partial: true },
            Step::Failed(Code::SourceUnavailable),
            Step::Withdrawn,
            Step::DeadlineReached,
        ])
    }

    proptest! {
        #[test]
        fn whatever_happens_delivery_comes_after_consent_and_an_end_stays_an_end(
            steps in prop::collection::vec(any_step(), 0..60)
        ) {
            let (mut state, mut consented, mut ended) = (State::Requested, false, false);
            for step in steps {
                let before = state.clone();
                match before.next(step) {
                    Ok(next) => state = next,
                    Err(_) => continue,
                }
                prop_assert!(!ended, "{} went on to {}", before.name(), state.name());
                consented |= step == Step::ConsentGiven;
                ended = state.is_end();
                if matches!(state, State::Collecting { .. } | State::InReview | State::Delivering | State::Completed) {
                    prop_assert!(consented);
                }
            }
        }
    }
}
