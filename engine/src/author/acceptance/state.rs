//! The states that a Data Source may be in, and what a connector has to make of each.

use consentry_contract::failure::{Code, Quality};
use serde::{Deserialize, Serialize};

use super::whole;
use crate::author::told;
use crate::collect::Collection;

/// A state of a Data Source, or of the person before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Everything works.
    Ok,
    /// Nothing is there to collect, and a page says so.
    Empty,
    /// The login is wrong.
    Rejected,
    /// The password has to be changed.
    Expired,
    /// The account is locked.
    Locked,
    /// A code is asked for and given.
    OtpOk,
    /// A wrong code is given.
    OtpWrong,
    /// Nobody gives the code.
    OtpTimeout,
    /// The person says no.
    ApproveDenied,
    /// Maintenance.
    Maintenance,
    /// Too many requests.
    RateLimited,
    /// A wall for machines.
    AutomationBlocked,
    /// A page has changed.
    LayoutChanged,
    /// The session ends in between.
    SessionLost,
    /// Something can't be read, and the rest is brought.
    Partial,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Ok,
        Self::Empty,
        Self::Rejected,
        Self::Expired,
        Self::Locked,
        Self::OtpOk,
        Self::OtpWrong,
        Self::OtpTimeout,
        Self::ApproveDenied,
        Self::Maintenance,
        Self::RateLimited,
        Self::AutomationBlocked,
        Self::LayoutChanged,
        Self::SessionLost,
        Self::Partial,
    ];

    /// Its one name: of its recording, and in `acceptance.toml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Empty => "empty",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Locked => "locked",
            Self::OtpOk => "otp-ok",
            Self::OtpWrong => "otp-wrong",
            Self::OtpTimeout => "otp-timeout",
            Self::ApproveDenied => "approve-denied",
            Self::Maintenance => "maintenance",
            Self::RateLimited => "rate-limited",
            Self::AutomationBlocked => "automation-blocked",
            Self::LayoutChanged => "layout-changed",
            Self::SessionLost => "session-lost",
            Self::Partial => "partial",
        }
    }

    /// The code that it is told as; none where the collection is whole, or only a part.
    #[must_use]
    pub const fn code(self) -> Option<Code> {
        Some(match self {
            Self::Ok | Self::Empty | Self::OtpOk | Self::Partial => return None,
            Self::Rejected => Code::CredentialsRejected,
            Self::Expired => Code::CredentialsExpired,
            Self::Locked => Code::AccountLocked,
            Self::OtpWrong => Code::ChallengeRejected,
            Self::OtpTimeout => Code::ChallengeTimeout,
            Self::ApproveDenied => Code::ChallengeDenied,
            Self::Maintenance => Code::SourceMaintenance,
            Self::RateLimited => Code::RateLimited,
            Self::AutomationBlocked => Code::AutomationBlocked,
            Self::LayoutChanged => Code::PageUnrecognised,
            Self::SessionLost => Code::SessionLost,
        })
    }

    /// Whether no connector can say that it has no such state.
    pub(super) const fn always_applies(self) -> bool {
        matches!(self, Self::Ok | Self::RateLimited | Self::AutomationBlocked | Self::LayoutChanged)
    }

    /// What speaks against this collection's being that of the state.
    pub(super) fn fault(self, collection: &Collection) -> Option<String> {
        let gathered = collection.result.as_ref().ok();
        let datasets = || gathered.into_iter().flat_map(|gathered| &gathered.datasets);
        let (fits, wanted) = match self {
            Self::Ok | Self::OtpOk => (whole(collection) && datasets().any(|data| data.count > 0), "everything"),
            Self::Empty => {
                let confirmed = datasets().any(|data| matches!(data.quality, Quality::EmptyConfirmed(_)));
                (whole(collection) && confirmed, "a category that is confirmed to be empty")
            }
            Self::Partial => (gathered.is_some() && !whole(collection), "a part, and why it is no more"),
            _ => (collection.failure().map(|failure| failure.code) == self.code(), ""),
        };
        let wanted = self.code().map_or(wanted, Code::name);
        (!fits).then(|| format!("wanted {wanted}, came {}", told::outcome(collection)))
    }
}
