//! The fault logins of a sandbox: which password brings which end. The one table of them: it is printed at the start, stands in the
//! documentation, and a test goes through all of it.

use std::fmt::Write as _;

use consentry_contract::failure::Code;

use crate::cli::stand_in::bank::State;

/// How a session ends.
#[derive(Clone, Copy)]
enum End {
    Completed,
    Partial(Code),
    Failed(Code),
}

use End::{Completed, Failed, Partial};

/// How a session ends that meets the bank in this state, if its person does what they are asked.
const ENDS: [(&str, End); 27] = [
    ("ok", Completed),
    ("wrong-password", Failed(Code::CredentialsRejected)),
    ("account-locked", Failed(Code::AccountLocked)),
    ("password-expired", Failed(Code::CredentialsExpired)),
    ("otp", Completed),
    ("otp-wrong", Failed(Code::ChallengeRejected)),
    ("otp-expired", Failed(Code::ChallengeTimeout)),
    ("approve-in-app", Completed),
    ("captcha", Completed),
    ("maintenance", Failed(Code::SourceMaintenance)),
    ("bot-wall", Failed(Code::AutomationBlocked)),
    ("rate-limit", Failed(Code::RateLimited)),
    ("layout-changed", Partial(Code::PageUnrecognised)),
    ("table-text", Failed(Code::AutomationBlocked)),
    ("session-lost", Failed(Code::SessionLost)),
    ("empty", Completed),
    ("slow", Completed),
    ("accept-terms", Failed(Code::PersonActionRequired)),
    ("server-error", Failed(Code::SourceUnavailable)),
    ("wrong-amount", Partial(Code::ValueUnparsable)),
    ("missing-column", Partial(Code::PageUnrecognised)),
    ("not-a-customer", Failed(Code::NotACustomer)),
    ("redirect-loop", Failed(Code::SourceUnavailable)),
    ("huge-page", Partial(Code::LimitExceeded)),
    ("gateway-timeout", Failed(Code::SourceUnavailable)),
    ("json-error", Failed(Code::PageUnrecognised)),
    ("closed-account", Failed(Code::PageUnrecognised)),
];

/// The table, for the states that this bank has, in Markdown.
pub(super) fn table(states: &[State]) -> String {
    let mut table = "| password | the session ends | failure | what the bank does |\n|---|---|---|---|\n".to_owned();
    for State { name, doc } in states {
        let Some((_, end)) = ENDS.iter().find(|(state, _)| state == name) else { continue };
        let (end, code) = match end {
            Completed => ("completed", "none"),
            Partial(code) => ("partial", code.name()),
            Failed(code) => ("failed", code.name()),
        };
        // Writing to a string can't fail.
        let _ = writeln!(table, "| fault-{name} | {end} | {code} | {doc} |");
    }
    table
}
