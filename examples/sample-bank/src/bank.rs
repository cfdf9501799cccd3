//! What the site remembers: settings, sessions, the code it sent last, and what it was asked.
//!
//! Memory only. One lock, never held across a wait. Tokens come from a seeded generator, so that a run can be repeated;
//! they are not meant to be hard to guess.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::authorisation::Asked;
use crate::person::RightLogin;
use crate::sample_bank::NoApprovalAwaited;
use crate::session::{Approval, Session, Step};
use crate::settings::{Change, Settings};

/// Sessions kept; the oldest goes first. A login takes the place of two.
const SESSIONS_MAX: usize = 40_000;
/// Codes kept for an exchange; then all are forgotten.
const CODES_MAX: usize = 1_000;
/// Requests kept for the control port; the oldest goes first.
const REQUESTS_MAX: usize = 10_000;

/// A request the site has seen, without any value it carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeenRequest {
    /// The method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The names of query and form fields, in their order.
    pub fields: Vec<String>,
}

/// What the last login form carried. The persons are made up, so a test may compare it.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Received {
    /// The login number.
    pub login: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Received { .. }")
    }
}

pub(crate) struct Bank {
    memory: Mutex<Memory>,
    pub(crate) stopping: CancellationToken,
}

pub(crate) struct Memory {
    at_start: Settings,
    pub(crate) settings: Settings,
    sessions: HashMap<String, Session>,
    oldest_first: VecDeque<String>,
    seed: u64,
    pub(crate) last_otp: Option<String>,
    pub(crate) last_captcha: Option<String>,
    pub(crate) received: Option<Received>,
    requests: VecDeque<SeenRequest>,
    /// Requests for authorisation that programs pushed.
    pushed: HashMap<String, Asked>,
    /// Codes of authorisations that were not exchanged yet: the session, and the challenge that the verifier must fit.
    codes: HashMap<String, (String, String)>,
}

impl Bank {
    pub(crate) fn new(settings: Settings, seed: u64, stopping: CancellationToken) -> Self {
        let memory = Memory {
            at_start: settings.clone(),
            settings,
            sessions: HashMap::new(),
            oldest_first: VecDeque::new(),
            seed,
            last_otp: None,
            last_captcha: None,
            received: None,
            requests: VecDeque::new(),
            pushed: HashMap::new(),
            codes: HashMap::new(),
        };
        Self { memory: Mutex::new(memory), stopping }
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settings(&self) -> Settings {
        self.memory().settings.clone()
    }

    /// The settings as the session with this id meets them.
    pub(crate) fn settings_for(&self, session: Option<&str>) -> Settings {
        let memory = self.memory();
        let fault = session.and_then(|id| memory.sessions.get(id)?.fault);
        Settings { state: fault.unwrap_or(memory.settings.state), ..memory.settings.clone() }
    }
}

impl Memory {
    pub(crate) fn change(&mut self, change: Change) -> Settings {
        self.settings.apply(change);
        self.settings.clone()
    }

    /// Forgets everything but the generator: a cookie from before must not come alive again.
    pub(crate) fn reset(&mut self) {
        self.settings = self.at_start.clone();
        self.sessions.clear();
        self.oldest_first.clear();
        self.last_otp = None;
        self.last_captcha = None;
        self.received = None;
        self.requests.clear();
        self.pushed.clear();
        self.codes.clear();
    }

    pub(crate) fn note_request(&mut self, seen: SeenRequest) {
        if self.requests.len() == REQUESTS_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(seen);
    }

    pub(crate) fn requests(&self) -> Vec<SeenRequest> {
        self.requests.iter().cloned().collect()
    }

    pub(crate) fn session(&mut self, id: &str) -> Option<&mut Session> {
        self.sessions.get_mut(id)
    }

    /// Answers every login that waits for the person's tap in the app.
    pub(crate) fn answer_approvals(&mut self, given: bool) -> Result<(), NoApprovalAwaited> {
        let answer = if given { Approval::Given } else { Approval::Refused };
        let mut answered = Err(NoApprovalAwaited);
        for session in self.sessions.values_mut() {
            if session.step() == Some(Step::Approval) && session.approval == Approval::Awaited {
                session.approval = answer;
                answered = Ok(());
            }
        }
        answered
    }

    pub(crate) fn open_session(&mut self) -> String {
        let id = self.token();
        self.keep(id.clone(), Session::default());
        id
    }

    /// Logs a person in under a new session id, so that an id known before login is worth nothing after it.
    pub(crate) fn admit(&mut self, old: &str, login: RightLogin) -> String {
        self.end_session(old);
        let id = self.token();
        let mut session = Session::admitted(login, &self.settings);
        match session.step() {
            Some(Step::Otp) => {
                session.code = self.settings.otp.clone().unwrap_or_else(|| self.code());
                self.last_otp = Some(session.code.clone());
            }
            Some(Step::Captcha) => {
                session.code = self.code();
                self.last_captcha = Some(session.code.clone());
            }
            _ => {}
        }
        self.keep(id.clone(), session);
        id
    }

    /// A code for a session that is inside, to be exchanged once by whoever knows the verifier.
    /// Keeps what a program asks for; gives the name that the person is sent with.
    pub(crate) fn push(&mut self, asked: Asked) -> String {
        let name = format!("urn:ietf:params:oauth:request_uri:{}", self.token());
        if self.pushed.len() >= CODES_MAX {
            self.pushed.clear();
        }
        self.pushed.insert(name.clone(), asked);
        name
    }

    /// What was asked for under this name.
    pub(crate) fn pushed(&self, name: &str) -> Option<Asked> {
        self.pushed.get(name).cloned()
    }

    pub(crate) fn authorise(&mut self, session: String, challenge: String) -> String {
        let code = self.token();
        if self.codes.len() >= CODES_MAX {
            self.codes.clear();
        }
        self.codes.insert(code.clone(), (session, challenge));
        code
    }

    /// The session of a code. It is of no use any more, whatever the verifier was.
    pub(crate) fn exchange(&mut self, code: &str, verifier: &str) -> Option<String> {
        let (session, challenge) = self.codes.remove(code)?;
        (challenge == URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))).then_some(session)
    }

    /// The ids of the sessions that are open.
    pub(crate) fn session_ids(&self) -> Vec<String> {
        self.sessions.keys().cloned().collect()
    }

    pub(crate) fn end_session(&mut self, id: &str) {
        self.sessions.remove(id);
    }

    /// A single-use token for one form of this session; empty when there is no such session.
    pub(crate) fn form_token(&mut self, id: &str) -> String {
        let token = self.token();
        match self.sessions.get_mut(id) {
            Some(session) => session.remember_form(token.clone()),
            None => return String::new(),
        }
        token
    }

    fn keep(&mut self, id: String, session: Session) {
        while self.oldest_first.len() >= SESSIONS_MAX {
            if let Some(oldest) = self.oldest_first.pop_front() {
                self.sessions.remove(&oldest);
            }
        }
        self.oldest_first.push_back(id.clone());
        self.sessions.insert(id, session);
    }

    /// Six digits.
    fn code(&mut self) -> String {
        format!("{:06}", self.random() % 1_000_000)
    }

    fn token(&mut self) -> String {
        format!("{:016x}{:016x}", self.random(), self.random())
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
