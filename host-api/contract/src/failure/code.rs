//! The closed list of failure codes. Closed on purpose: a code that everybody may invent is a free text in disguise, and free text
//! carries values. New codes are added here, with their row in the table, and nowhere else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why a collection ended without everything that was asked for. Written `kebab-case` everywhere outside of Rust: in the
        /// contract's faults, in manifests, events, reports and on the command line.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "&'static str", try_from = "String")]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, in the order of the table; [`Code::Unclassified`] is the last.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The name by which the code is known outside of Rust.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }
        }
    };
}

codes! {
    /// The Data Source refused the login fields.
    CredentialsRejected = "credentials-rejected",
    /// The password is right but too old; the Data Source wants a new one.
    CredentialsExpired = "credentials-expired",
    /// Something that was entered does not fit the form in which the Data Source asks for it: too short, a character that its keypad lacks.
    SecretUnusable = "secret-unusable",
    /// The Data Source closed the account to logins.
    AccountLocked = "account-locked",
    /// A one-time password or another answer was wrong.
    ChallengeRejected = "challenge-rejected",
    /// Nobody answered the Data Source's question in time.
    ChallengeTimeout = "challenge-timeout",
    /// The person said no, in the source's app or at our prompt.
    ChallengeDenied = "challenge-denied",
    /// The Data Source asks for a proof that the connector can't pass on.
    ChallengeUnsupported = "challenge-unsupported",
    /// The run needs the person, and nobody is there (a scheduled run).
    PersonAbsent = "person-absent",
    /// The Data Source wants something done first: accept terms, complete a profile, pay.
    PersonActionRequired = "person-action-required",
    /// The Data Source allows one session at a time, and another one is open.
    SessionConflict = "session-conflict",
    /// The account belongs to somebody else than the one who was linked before.
    SubjectMismatch = "subject-mismatch",
    /// The login works, but there is no contract behind it.
    NotACustomer = "not-a-customer",
    /// The permission has run out.
    ConsentExpired = "consent-expired",
    /// The permission was taken back at the Data Source.
    ConsentRevoked = "consent-revoked",
    /// The person withdrew the consent with us.
    ConsentWithdrawn = "consent-withdrawn",
    /// The Data Source does not answer, or answers with an error of its own.
    SourceUnavailable = "source-unavailable",
    /// The Data Source says that it is being maintained.
    SourceMaintenance = "source-maintenance",
    /// The Data Source asks for fewer requests.
    RateLimited = "rate-limited",
    /// The Data Source turned us away as a machine.
    AutomationBlocked = "automation-blocked",
    /// The Data Source shows a captcha that was not passed on to the person.
    CaptchaRequired = "captcha-required",
    /// The captcha's answer was refused.
    CaptchaFailed = "captcha-failed",
    /// The Data Source ended a session that was logged in.
    SessionLost = "session-lost",
    /// The Data Source is gone for good.
    SourceDiscontinued = "source-discontinued",
    /// A page is not what the manifest declares, or something declared is missing on it.
    PageUnrecognised = "page-unrecognised",
    /// A value was found that does not have the form of its field.
    ValueUnparsable = "value-unparsable",
    /// Two things on the source's pages contradict each other (a sum, a count).
    InvariantBroken = "invariant-broken",
    /// The run did not come to its end in time.
    FlowTimeout = "flow-timeout",
    /// A named limit of the run was reached; [`crate::failure::Failure::limit`] says which.
    LimitExceeded = "limit-exceeded",
    /// The connector crashed.
    Trap = "trap",
    /// The connector asked for something its manifest, the operator or the consent does not allow.
    CapabilityDenied = "capability-denied",
    /// The connector called a capability with an argument that makes no sense.
    InvalidArgument = "invalid-argument",
    /// No connection could be made from our side.
    EgressFailed = "egress-failed",
    /// The Data Source refused the operator's own credentials, such as a client secret.
    OperatorRejected = "operator-rejected",
    /// No browser could be had.
    BrowserUnavailable = "browser-unavailable",
    /// What was sealed for us could not be opened.
    DecryptFailed = "decrypt-failed",
    /// The run was stopped by the operator, or by a shutdown.
    Cancelled = "cancelled",
    /// The connector does not fit the contract that this engine speaks: it was built for another one, or its code is damaged.
    IncompatibleWorld = "incompatible-world",
    /// The operator revoked the connector, or the key that signed it.
    ConnectorRevoked = "connector-revoked",
    /// The engine node that ran the collection is gone.
    NodeLost = "node-lost",
    /// A disk, a store or another part of the platform failed.
    PlatformFailed = "platform-failed",
    /// The Online Service did not confirm the parcel in time.
    DeliveryFailed = "delivery-failed",
    /// The connector ended with a code that is none of these, or none that it may name.
    Unclassified = "unclassified",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no failure code. It doesn't quote the text: a guest may have put a value there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no failure code has this name")]
pub struct UnknownCode;

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(name: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|code| code.name() == name).ok_or(UnknownCode)
    }
}

impl TryFrom<String> for Code {
    type Error = UnknownCode;

    fn try_from(name: String) -> Result<Self, UnknownCode> {
        name.parse()
    }
}

impl From<Code> for &'static str {
    fn from(code: Code) -> Self {
        code.name()
    }
}
