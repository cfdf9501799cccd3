//! The states of the site, in one table. Each stands alone: setting one ends the one before.
//!
//! Nothing else lists them: the names on the control port, the help text and the tests all read [`SiteState::TABLE`].

use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! site_states {
    ($($name:ident = $text:literal, $doc:literal;)+) => {
        /// How the site behaves now.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum SiteState {
            $(#[doc = $doc] #[serde(rename = $text)] $name,)+
        }

        impl SiteState {
            /// Every state with its name on the control port and what the site then does.
            pub const TABLE: &[(SiteState, &str, &str)] = &[$((SiteState::$name, $text, $doc),)+];
        }
    };
}

site_states! {
    Ok = "ok", "Everything works.";
    WrongPassword = "wrong-password", "Every login is refused as wrong; a really wrong one is refused so in any state.";
    AccountLocked = "account-locked", "The right login is told that its access is blocked.";
    PasswordExpired = "password-expired", "After login the site insists on a new password.";
    Otp = "otp", "After login a code sent by SMS is asked; the right one is accepted.";
    OtpWrong = "otp-wrong", "A code is asked, and any code is refused as wrong.";
    OtpExpired = "otp-expired", "A code is asked, and any code is refused as too old.";
    ApproveInApp = "approve-in-app", "After login a page waits until the login is approved or refused in the bank's app.";
    Captcha = "captcha", "After the password the login page asks to copy characters from an image.";
    Maintenance = "maintenance", "Every page answers 503 with Retry-After.";
    BotWall = "bot-wall", "Every page answers 403, with a page that is not the bank's own.";
    RateLimit = "rate-limit", "Every page answers 429 with Retry-After.";
    LayoutChanged = "layout-changed", "The table of operations has become blocks with other class names.";
    TableText = "table-text", "Where data was due, a 200 page says `Block Automation`.";
    SessionLost = "session-lost", "The session dies once the accounts were shown.";
    Empty = "empty", "The customer has no account, no operation and no document; the pages say so.";
    Slow = "slow", "Every page comes late, by a settable time.";
    AcceptTerms = "accept-terms", "After login new terms must be accepted first.";
    ServerError = "server-error", "Every page behind the login answers 500.";
    WrongAmount = "wrong-amount", "One amount on each page of operations is not a number.";
    MissingColumn = "missing-column", "The table of operations has lost its column of amounts.";
    NotACustomer = "not-a-customer", "The login works, and the person holds no product.";
    RedirectLoop = "redirect-loop", "The accounts send back to the login, and the login to the accounts.";
    HugePage = "huge-page", "The table of operations never ends.";
    GatewayTimeout = "gateway-timeout", "A proxy before the bank gives up: 504, with a page that is not the bank's own.";
    JsonError = "json-error", "Where a page was due, 200 with a JSON error comes from behind the login.";
    ClosedAccount = "closed-account", "The login page says that the contract has ended, in words it never used before.";
}

/// What the password of a fault login begins with; the name of a state follows.
const FAULT: &str = "fault-";

impl SiteState {
    /// The state that a password asks for, `fault-maintenance`.
    pub(crate) fn of_password(password: &str) -> Option<Self> {
        password.strip_prefix(FAULT)?.parse().ok()
    }
}

/// The text names no state.
#[derive(Debug, thiserror::Error)]
#[error("no such state; the states are {}", SiteState::TABLE.iter().map(|row| row.1).collect::<Vec<_>>().join(", "))]
pub struct UnknownState;

impl FromStr for SiteState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::TABLE.iter().find(|row| row.1 == text).map(|row| row.0).ok_or(UnknownState)
    }
}
