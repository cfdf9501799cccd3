//! Failures: one taxonomy from the contract's faults to the exit codes of the command line. The code says what happened; blame,
//! retry and the sentences come from the host's [table](Code::row), never from a connector's author. Nothing here ever holds a value
//! that was seen at a Data Source: a [`Failure`] may be logged, stored and shown as it is.

mod code;
mod generate;
mod name;
mod table;
mod verdict;

use serde::{Deserialize, Serialize};

pub use code::{Code, UnknownCode};
pub use generate::rust_codes;
pub use name::{Missing, Name, NotAName};
pub use table::{Claim, Row, Text};
pub use verdict::{Dataset, DatasetFacts, Gathered, GuestEnd, Incomplete, Quality, RunFacts, verdict};

/// The id of a page declared in a manifest.
pub type PageId = Name;

/// Whose turn it is to do something about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    /// The person who shares data: a wrong password, no answer, a withdrawn consent.
    Person,
    /// The Data Source: down, blocking, in maintenance.
    Source,
    /// The connector, hence its author: the page has changed, it crashed.
    Connector,
    /// The engine and whoever operates it.
    Platform,
    /// The Online Service that receives the data.
    Recipient,
}

impl Blame {
    /// Its one name, in logs, on terminals and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Blame::Person => "person",
            Blame::Source => "source",
            Blame::Connector => "connector",
            Blame::Platform => "platform",
            Blame::Recipient => "recipient",
        }
    }

    /// The exit code of `consentry` for a failure of this blame. Stable: scripts rely on it. Besides these, 0 is complete,
    /// [`EXIT_PARTIAL`] is partial, 1 an error outside of a collection and 2 wrong usage.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Blame::Person => 10,
            Blame::Source => 20,
            Blame::Connector => 30,
            Blame::Platform => 40,
            Blame::Recipient => 50,
        }
    }
}

/// Exit code of `consentry` when something was delivered, but not all that was asked for.
pub const EXIT_PARTIAL: u8 = 3;

/// Whether trying once more makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// No.
    Never,
    /// By itself, later; [`Failure::retry_after_ms`] says when if the Data Source told.
    After,
    /// Only with the person there.
    WithPerson,
    /// Not before the connector or the engine has a newer version.
    NextVersion,
}

impl Retry {
    /// Its one name, in logs, on terminals and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Retry::Never => "never",
            Retry::After => "after",
            Retry::WithPerson => "with-person",
            Retry::NextVersion => "next-version",
        }
    }
}

/// How far the collection had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nothing has been asked of the Data Source.
    Start,
    /// The login fields are going in.
    Login,
    /// The Data Source asked for more: an OTP, an approval, a captcha.
    Challenge,
    /// Logged in, on the way to the data.
    Navigate,
    /// Data is being read and emitted.
    Extract,
    /// The collection is done, the parcel is on its way.
    Deliver,
}

impl Stage {
    /// Its one name, in logs, on terminals and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Start => "start",
            Stage::Login => "login",
            Stage::Challenge => "challenge",
            Stage::Navigate => "navigate",
            Stage::Extract => "extract",
            Stage::Deliver => "deliver",
        }
    }
}

/// Why a collection ended without what was asked for, with everything about it that may be told: it holds codes, declared names and
/// numbers, never a text of the Data Source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code} (blame: {}, stage: {})", blame.name(), stage.name())]
pub struct Failure {
    /// What happened.
    pub code: Code,
    /// Whose turn it is.
    pub blame: Blame,
    /// Whether to try again. Never [`Retry::After`] once a login was submitted: then the person has to be there.
    pub retry: Retry,
    /// How far the run had come.
    pub stage: Stage,
    /// The declared page where it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<PageId>,
    /// What was missing on that page, or which field was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// Milliseconds to wait, where the Data Source named a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The limit that was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Name>,
    /// What the connector itself said, where the host found otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<Code>,
}

impl Failure {
    /// A failure as the table describes it.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        let row = code.row();
        Self {
            code,
            blame: row.blame,
            retry: row.retry,
            stage: row.stage,
            page: None,
            missing: None,
            retry_after_ms: None,
            limit: None,
            claimed: None,
        }
    }

    /// The exit code of `consentry` for this failure.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        self.blame.exit_code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_go_by_these_numbers() {
        let blames = [Blame::Person, Blame::Source, Blame::Connector, Blame::Platform, Blame::Recipient];
        assert_eq!(blames.map(Blame::exit_code), [10, 20, 30, 40, 50]);
        assert_eq!(EXIT_PARTIAL, 3);
    }

    #[test]
    fn a_name_is_the_same_everywhere() {
        let told = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        for blame in [Blame::Person, Blame::Source, Blame::Connector, Blame::Platform, Blame::Recipient] {
            assert_eq!(told(serde_json::to_value(blame).unwrap()), blame.name());
        }
        for retry in [Retry::Never, Retry::After, Retry::WithPerson, Retry::NextVersion] {
            assert_eq!(told(serde_json::to_value(retry).unwrap()), retry.name());
        }
        for stage in [Stage::Start, Stage::Login, Stage::Challenge, Stage::Navigate, Stage::Extract, Stage::Deliver] {
            assert_eq!(told(serde_json::to_value(stage).unwrap()), stage.name());
        }
        let failure = Failure::new(Code::PageUnrecognised);
        assert_eq!(failure.to_string(), "page-unrecognised (blame: connector, stage: navigate)");
    }
}
