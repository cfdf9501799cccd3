//! What can be set at run time, over the control port or in process.

use serde::{Deserialize, Serialize};

use crate::person::Person;
use crate::state::SiteState;

/// Everything that can be set about the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// How the site behaves.
    pub state: SiteState,
    /// How many operations each of the three accounts has.
    pub operations: [u32; 3],
    /// Whether a code is asked after login in states that do not ask one by themselves.
    pub ask_otp: bool,
    /// The code that is sent after every login; none makes a new one each time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otp: Option<String>,
    /// The customers' password, in the place of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The customers' secret code of the online branch, in the place of their own: digits, six at the least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How late pages come in the state `slow`, in milliseconds.
    pub slow_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            state: SiteState::Ok,
            operations: [300, 0, 0],
            ask_otp: false,
            otp: None,
            password: None,
            code: None,
            slow_ms: 5_000,
        }
    }
}

/// A change of settings; what it leaves out stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// See [`Settings::state`].
    pub state: Option<SiteState>,
    /// See [`Settings::operations`].
    pub operations: Option<[u32; 3]>,
    /// See [`Settings::ask_otp`].
    pub ask_otp: Option<bool>,
    /// See [`Settings::otp`].
    pub otp: Option<String>,
    /// See [`Settings::password`].
    pub password: Option<String>,
    /// See [`Settings::code`].
    pub code: Option<String>,
    /// See [`Settings::slow_ms`].
    pub slow_ms: Option<u64>,
}

impl Settings {
    /// A customer's password.
    pub(crate) fn password_of<'s>(&'s self, person: &'s Person) -> &'s str {
        self.password.as_deref().unwrap_or(person.password)
    }

    /// Digits of a secret code.
    pub(crate) fn code_digits(&self) -> usize {
        self.code.as_ref().map_or(6, String::len)
    }

    /// A customer's secret code.
    pub(crate) fn code_of<'s>(&'s self, person: &'s Person) -> &'s str {
        self.code.as_deref().unwrap_or(person.code)
    }

    pub(crate) fn apply(&mut self, change: Change) {
        self.state = change.state.unwrap_or(self.state);
        self.operations = change.operations.unwrap_or(self.operations);
        self.ask_otp = change.ask_otp.unwrap_or(self.ask_otp);
        self.otp = change.otp.or(self.otp.take());
        self.password = change.password.or(self.password.take());
        self.code = change.code.or(self.code.take());
        self.slow_ms = change.slow_ms.unwrap_or(self.slow_ms);
    }
}
