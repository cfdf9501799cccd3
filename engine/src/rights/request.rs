//! A request from its coming to its end: its clocks, what went on to the Online Service, its signed answer, the reasons.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::declared::{Declared, Erase, Export, Rectify, Restrict};
use super::{Ask, Right};
use crate::erase::retention::{R16RightsRequest, Term};
use crate::id::{ConsentId, OnlineServiceId, RightsRequestId};
use crate::jose::{PrivateKey, PublicKey, Refused, jws};
use crate::online_service::Role;
use crate::store::Record;

/// How long an answer may take (GDPR, Art. 12(3)), in months.
const MONTHS: i32 = 1;
/// How much longer a hard case may take, in months.
const MORE_MONTHS: i32 = 2;
/// How long an Online Service has to answer what is passed on to it.
pub const PARTY_ANSWERS: SignedDuration = SignedDuration::from_hours(20 * 24);
/// What an Online Service's answer says that it is.
pub const ANSWER_TYP: &str = "consentry-rights-answer+jwt";
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "RightsState")]
pub enum State {
    /// Ours is done; the Online Service has yet to answer.
    AwaitingParty,
    /// Everything was done.
    Fulfilled,
    /// A part was done, and the reasons for the rest are told.
    PartiallyFulfilled,
    /// Nothing was done, for these reasons.
    Refused,
}

/// Why something was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The proof of the decision is kept by law and for claims (GDPR, Art. 17(3)(b) and (e)), to the end of its period.
    ProofIsKept,
    /// What it is about can't be found without the login that it was made of (Art. 11(2)): sign in once more.
    NotFoundWithoutLogin,
    /// It was over already.
    AlreadyOver,
    /// The Online Service refuses; its reason is in its answer.
    PartyRefuses,
    /// The Online Service did a part; its reason is in its answer.
    PartyDidAPart,
    /// The operator refuses, and says why in words.
    OperatorRefuses,
}

/// A request, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RightsRequest {
    /// The version of this form.
    pub format: u8,
    /// Names it.
    pub id: RightsRequestId,
    /// What is asked.
    pub ask: Ask,
    /// The consent that it is about.
    pub consent: ConsentId,
    /// The Online Service of that consent.
    pub online_service: OnlineServiceId,
    /// Its role.
    pub role: Role,
    /// How it was proved who asks.
    pub identity: String,
    /// When it came.
    pub received_at: Timestamp,
    /// By when it is answered.
    pub expected_by: Timestamp,
    /// Why it takes longer, if it was said.
    pub extended: Option<String>,
    /// Where it stands.
    pub state: State,
    /// What was not done, and why.
    pub reasons: Vec<Reason>,
    /// The operator's words, where it decided.
    pub decision: Option<String>,
    /// What went on to the Online Service.
    pub forwarded: Option<Forwarded>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// The part of a request that an Online Service answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forwarded {
    /// Since when it can be fetched.
    pub since: Timestamp,
    /// By when it is to be answered. After that its silence is shown.
    pub answer_by: Timestamp,
    /// When it was first fetched.
    pub fetched_at: Option<Timestamp>,
    /// Its signed answer.
    pub answer: Option<String>,
}

/// What an Online Service answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The request.
    pub request: RightsRequestId,
    /// What was done.
    pub outcome: Outcome,
    /// Why not everything, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What an Online Service did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All of it.
    Done,
    /// A part of it.
    Partly,
    /// Nothing.
    Refused,
}

impl Record for RightsRequest {
    const NAMESPACE: &'static str = "rights-request";
    const RIGHTS: Declared = Declared {
        export: Export::InAccess,
        rectify: Rectify::ByStatement,
        erase: Erase::AtTheEndOfItsPeriod,
        restrict: Restrict::NothingIsDoneWithIt,
    };
    type Row = R16RightsRequest;
}

impl RightsRequest {
    /// A request that came now, with what was done here about it.
    pub fn received(
        id: RightsRequestId,
        ask: Ask,
        (consent, online_service, role): (ConsentId, OnlineServiceId, Role),
        reasons: Vec<Reason>,
        now: Timestamp,
    ) -> Self {
        let route = ask.right.route(role);
        let forwarded = route.forward.then(|| Forwarded {
            since: now,
            answer_by: now.checked_add(PARTY_ANSWERS).unwrap_or(Timestamp::MAX),
            fetched_at: None,
            answer: None,
        });
        let mut request = Self {
            format: 1,
            id,
            ask,
            consent,
            online_service,
            role,
            identity: "receipt".to_owned(),
            received_at: now,
            expected_by: after(now, MONTHS),
            extended: None,
            state: State::AwaitingParty,
            reasons,
            decision: None,
            forwarded,
            closed_at: None,
        };
        if request.forwarded.is_none() {
            request.close(now);
        }
        request
    }

    /// Takes the Online Service's signed answer. The first one counts.
    ///
    /// # Errors
    /// [`Refused`]: not signed by it, about another request, or nothing was asked of it.
    pub fn answered(mut self, token: &str, signer: &PublicKey, now: Timestamp) -> Result<Self, Refused> {
        let payload = jws::verify(token, ANSWER_TYP, ANSWER_BYTES_MAX, signer)?;
        let answer: Answer = serde_json::from_slice(&payload).map_err(|_| Refused)?;
        if answer.request != self.id || (answer.outcome != Outcome::Done && answer.reason.is_none()) {
            return Err(Refused);
        }
        let forwarded = self.forwarded.as_mut().ok_or(Refused)?;
        if forwarded.answer.is_some() {
            return Ok(self);
        }
        forwarded.answer = Some(token.to_owned());
        match answer.outcome {
            Outcome::Done => {}
            Outcome::Partly => self.reasons.push(Reason::PartyDidAPart),
            Outcome::Refused => self.reasons.push(Reason::PartyRefuses),
        }
        self.close(now);
        Ok(self)
    }

    /// Says that it takes longer, and why: once, before its time is over.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn extend(mut self, why: &str, now: Timestamp) -> Result<Self, Refused> {
        if self.extended.is_some() || self.closed_at.is_some() || now >= self.expected_by || why.trim().is_empty() {
            return Err(Refused);
        }
        self.extended = Some(why.to_owned());
        self.expected_by = after(self.expected_by, MORE_MONTHS);
        Ok(self)
    }

    /// Closes it with the operator's reason, where the Online Service does not answer or nothing can be done.
    ///
    /// # Errors
    /// [`Refused`]: it is closed, or no reason is given.
    pub fn refuse(mut self, why: &str, now: Timestamp) -> Result<Self, Refused> {
        if self.closed_at.is_some() || why.trim().is_empty() {
            return Err(Refused);
        }
        self.decision = Some(why.to_owned());
        self.reasons.push(Reason::OperatorRefuses);
        self.close(now);
        Ok(self)
    }

    fn close(&mut self, now: Timestamp) {
        let alone = matches!(self.ask.right, Right::Objection) && self.reasons.contains(&Reason::NotFoundWithoutLogin);
        self.state = match self.reasons.as_slice() {
            [] => State::Fulfilled,
            _ if alone && self.forwarded.is_none() => State::Refused,
            _ => State::PartiallyFulfilled,
        };
        self.closed_at = Some(now);
    }

    /// Whether the Online Service let its time pass.
    pub fn is_silent(&self, now: Timestamp) -> bool {
        self.forwarded.as_ref().is_some_and(|forwarded| forwarded.answer.is_none() && now >= forwarded.answer_by)
    }

    /// Whether its own time has passed.
    pub fn is_late(&self, now: Timestamp) -> bool {
        self.closed_at.is_none() && now >= self.expected_by
    }

    /// It is kept while it is open, and for the period of its row from its end on.
    pub fn term(&self) -> Term {
        self.closed_at.map_or_else(Term::open, Term::from)
    }

    /// Under which name it is stored: one can look for those of an Online Service, and for those about a consent.
    pub fn stored_as(&self) -> String {
        format!("{}.{}.{}", self.online_service, self.consent, self.id)
    }
}

impl Answer {
    /// Signs it with the Online Service's signing key.
    ///
    /// # Errors
    /// [`Refused`] for a key that does not sign.
    pub fn sign(&self, key: &PrivateKey) -> Result<String, Refused> {
        let payload = serde_json::to_vec(self).map_err(|_| Refused)?;
        let unsigned = jws::Unsigned::new(ANSWER_TYP, key.public().kid(), &payload);
        let signature = key.sign(unsigned.message())?;
        Ok(unsigned.with(&signature))
    }
}

fn after(start: Timestamp, months: i32) -> Timestamp {
    let end = start.to_zoned(TimeZone::UTC).checked_add(Span::new().months(months));
    end.map_or(Timestamp::MAX, |end| end.timestamp())
}
