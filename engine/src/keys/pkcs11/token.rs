//! The way to the token: the module, the login, the sessions, and the way back when the token went away. Everything here blocks.
//!
//! A token is told to be gone only when it does not answer: what it says about something that was given to it is no sign of that, or
//! whoever sends a damaged token could cut everybody off.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use secrecy::SecretString;

/// Least time between two attempts to reach a token that is gone.
const AGAIN: Duration = Duration::from_secs(1);

/// Which token, and what opens it.
#[derive(Clone)]
pub struct Settings {
    /// The PKCS#11 module: a shared library of the token's maker. One engine in a process uses it.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The PIN of the token's user.
    pub pin: SecretString,
}

/// What is wrong with the token. It never says anything about a key or the PIN.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The library can't be loaded.
    #[error("{} can't be loaded as a PKCS#11 module", path.display())]
    Module {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<Error>,
    },
    /// The module has no token of this name.
    #[error("the module has no token {label:?}, but: {}", there.join(", "))]
    NoToken {
        /// The name that was asked for.
        label: String,
        /// The names that it has.
        there: Vec<String>,
    },
    /// Not said again: so many wrong PINs lock a token.
    #[error("the token refuses the PIN: it is not tried again until the next start, so that the token is not locked")]
    Pin,
    /// Without an operation, a token is none for us.
    #[error("the token can't do {0}, and no other way is taken: use another token, or a newer one")]
    Lacks(&'static str),
    /// There are keys.
    #[error("the token has a key for each duty already: `consentry keys rotate` makes a new one")]
    Exists,
    /// It took longer than it may.
    #[error("the token did not answer in time")]
    Slow,
    /// It does not answer.
    #[error("the token does not answer; reaching it is tried again")]
    Gone,
    /// It answers, and does not do it.
    #[error("the token refuses the operation")]
    Operation(#[from] Error),
}

/// How work on a session ended badly.
pub(super) enum Failed {
    /// The token does not answer. Nothing is known about what was given to it.
    Gone(TokenError),
    /// The token answers, and does not do it.
    Refused(Error),
}

pub(super) struct Token {
    settings: Settings,
    module: Pkcs11,
    /// Whoever works holds it for reading. Reaching the token again ends all sessions of this process, so nobody may be at work then.
    connection: RwLock<Connection>,
}

struct Connection {
    /// None: it is gone.
    open: Option<Open>,
    /// Tells one connection from the next: handles of the last one mean nothing.
    number: u64,
    tried_at: Instant,
    pin_refused: bool,
}

struct Open {
    slot: Slot,
    /// Sessions that nobody uses now. The login is the process's, and lasts as long as one session: there is always one.
    idle: Mutex<Vec<Session>>,
}

impl Token {
    pub(super) fn open(settings: Settings) -> Result<Self, TokenError> {
        let wrong = |source| TokenError::Module { path: settings.module.clone(), source: Box::new(source) };
        let module = Pkcs11::new(&settings.module).map_err(wrong)?;
        let connection = Connection { open: None, number: 0, tried_at: Instant::now(), pin_refused: false };
        let token = Self { settings, module, connection: RwLock::new(connection) };
        {
            let mut connection = token.connection.write().unwrap_or_else(PoisonError::into_inner);
            token.connect(&mut connection)?;
        }
        Ok(token)
    }

    pub(super) fn label(&self) -> &str {
        &self.settings.token
    }

    /// The present connection's number.
    pub(super) fn number(&self) -> u64 {
        self.connection.read().unwrap_or_else(PoisonError::into_inner).number
    }

    /// Does work on a session; once more if the token was gone and is back. The work is told the connection's number.
    pub(super) fn work<T>(&self, work: impl Fn(&Session, u64) -> Result<T, Error>) -> Result<T, Failed> {
        let (seen, first) = self.attempt(&work);
        match first {
            Err(Failed::Gone(_)) => {}
            done => return done,
        }
        self.reach_again(seen).map_err(Failed::Gone)?;
        self.attempt(&work).1
    }

    fn attempt<T>(&self, work: &impl Fn(&Session, u64) -> Result<T, Error>) -> (u64, Result<T, Failed>) {
        let connection = self.connection.read().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = &connection.open else { return (connection.number, Err(Failed::Gone(TokenError::Gone))) };
        let lost = |error| (connection.number, Err(Failed::Gone(TokenError::Operation(error))));
        let idle = open.take();
        let session = match idle.map_or_else(|| self.module.open_rw_session(open.slot), Ok) {
            Ok(session) => session,
            Err(error) => return lost(error),
        };
        match work(&session, connection.number) {
            Ok(done) => {
                open.give_back(session);
                (connection.number, Ok(done))
            }
            // The session may be in the middle of an operation: it is not used again.
            Err(error) => match self.answers(open) {
                true => (connection.number, Err(Failed::Refused(error))),
                false => lost(error),
            },
        }
    }

    /// Whether a new session is open and logged in. It is kept.
    fn answers(&self, open: &Open) -> bool {
        let Ok(session) = self.module.open_rw_session(open.slot) else { return false };
        let state = session.get_session_info().map(|info| info.session_state());
        let logged_in = matches!(state, Ok(SessionState::RwUser));
        open.give_back(session);
        logged_in
    }

    /// Reaches the token again, unless somebody else has since the connection `seen`.
    fn reach_again(&self, seen: u64) -> Result<(), TokenError> {
        let mut connection = self.connection.write().unwrap_or_else(PoisonError::into_inner);
        if connection.number != seen {
            return Ok(());
        }
        if connection.pin_refused {
            return Err(TokenError::Pin);
        }
        if connection.open.is_none() && connection.tried_at.elapsed() < AGAIN {
            return Err(TokenError::Gone);
        }
        if connection.open.take().is_some() {
            tracing::error!(token = self.settings.token, "the token does not answer: reaching it again");
        }
        // Some modules never find a token again that went away, unless they begin anew.
        let _ = self.module.clone().finalize();
        self.connect(&mut connection)?;
        tracing::warn!(token = self.settings.token, "the token answers again");
        Ok(())
    }

    fn connect(&self, connection: &mut Connection) -> Result<(), TokenError> {
        connection.tried_at = Instant::now();
        match self.module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(error.into()),
        }
        let slot = self.slot()?;
        let session = self.module.open_rw_session(slot)?;
        match session.login(UserType::User, Some(&self.settings.pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinLocked | RvError::PinInvalid, _)) => {
                connection.pin_refused = true;
                return Err(TokenError::Pin);
            }
            Err(error) => return Err(error.into()),
        }
        connection.open = Some(Open { slot, idle: Mutex::new(vec![session]) });
        connection.number += 1;
        Ok(())
    }

    fn slot(&self) -> Result<Slot, TokenError> {
        let mut there = vec![];
        for slot in self.module.get_slots_with_token()? {
            let label = self.module.get_token_info(slot)?.label().to_owned();
            if label == self.settings.token {
                return Ok(slot);
            }
            there.push(label);
        }
        Err(TokenError::NoToken { label: self.settings.token.clone(), there })
    }
}

impl Open {
    /// A session that nobody uses, if it is not the last: that one holds the login.
    fn take(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() > 1 { idle.pop() } else { None }
    }

    fn give_back(&self, session: Session) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }
}
