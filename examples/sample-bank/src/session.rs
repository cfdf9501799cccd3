//! One visitor's session: who it is, and which steps still stand between the login form and the accounts.

use std::collections::VecDeque;

use crate::person::{Person, RightLogin};
use crate::settings::Settings;
use crate::state::SiteState;

/// Forms that one session may have open; the oldest token goes first.
const FORMS_MAX: usize = 32;

/// What a visitor must do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Login,
    Captcha,
    Otp,
    Approval,
    Terms,
    NewPassword,
}

impl Step {
    /// The page of this step.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Step::Login => "/login",
            Step::Captcha => "/captcha",
            Step::Otp => "/otp",
            Step::Approval => "/approval",
            Step::Terms => "/terms",
            Step::NewPassword => "/password",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Approval {
    #[default]
    Awaited,
    Given,
    Refused,
}

/// A visitor's session.
pub(crate) struct Session {
    person: Option<&'static Person>,
    /// In which state it meets the site, if it is another than everybody's.
    pub(crate) fault: Option<SiteState>,
    steps: VecDeque<Step>,
    forms: VecDeque<String>,
    /// The code that the first step asks for, if it asks one.
    pub(crate) code: String,
    pub(crate) approval: Approval,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            person: None,
            fault: None,
            steps: VecDeque::from([Step::Login]),
            forms: VecDeque::new(),
            code: String::new(),
            approval: Approval::Awaited,
        }
    }
}

impl Session {
    /// A session whose login and password were right.
    pub(crate) fn admitted(login: RightLogin, settings: &Settings) -> Self {
        let RightLogin { person, fault } = login;
        let step = match fault.unwrap_or(settings.state) {
            SiteState::Captcha => Some(Step::Captcha),
            SiteState::Otp | SiteState::OtpWrong | SiteState::OtpExpired => Some(Step::Otp),
            SiteState::ApproveInApp => Some(Step::Approval),
            SiteState::AcceptTerms => Some(Step::Terms),
            SiteState::PasswordExpired => Some(Step::NewPassword),
            _ => None,
        };
        // A captcha is a code step already, and it stands before the password counts as accepted.
        let code_first = settings.ask_otp && !matches!(step, Some(Step::Otp | Step::Captcha));
        let steps = code_first.then_some(Step::Otp).into_iter().chain(step).collect();
        Self { person: Some(person), fault, steps, ..Self::default() }
    }

    /// The step before the visitor, or nothing once logged in.
    pub(crate) fn step(&self) -> Option<Step> {
        self.steps.front().copied()
    }

    pub(crate) fn step_done(&mut self) {
        self.steps.pop_front();
    }

    /// The customer, once every step is done.
    pub(crate) fn customer(&self) -> Option<&'static Person> {
        if self.steps.is_empty() { self.person } else { None }
    }

    /// The person whose password was right, though steps may be left.
    pub(crate) fn person(&self) -> Option<&'static Person> {
        self.person
    }

    pub(crate) fn remember_form(&mut self, token: String) {
        if self.forms.len() == FORMS_MAX {
            self.forms.pop_front();
        }
        self.forms.push_back(token);
    }

    /// Whether this form was given out and not sent yet; a second sending is refused.
    pub(crate) fn spend_form(&mut self, token: &str) -> bool {
        let Some(place) = self.forms.iter().position(|known| known == token) else {
            return false;
        };
        self.forms.remove(place);
        true
    }
}
