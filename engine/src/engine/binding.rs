//! Receipts that are bound to a key of the person's: who shows one proves that they hold the key, once for each nonce.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

use super::{Engine, EngineError};
use crate::erase::receipt::ErasureReceipt;
use crate::jose::holder::{HolderKey, PROOF_LIFE, Wanted};
use crate::receipt::Facts;
use crate::rights::Ask;
use crate::session::Session;
use crate::session::state::{State, Step};

/// Most nonces that wait; the oldest goes.
const NONCES_MAX: usize = 10_000;

/// What a proof has to name: given out once, taken once.
#[derive(Default)]
pub(super) struct Nonces(Mutex<HashMap<String, Timestamp>>);

impl Nonces {
    fn give(&self, nonce: String, now: Timestamp) {
        let mut held = self.lock();
        held.retain(|_, until| *until > now);
        if held.len() >= NONCES_MAX
            && let Some(oldest) = held.iter().min_by_key(|(_, until)| **until).map(|(nonce, _)| nonce.clone())
        {
            held.remove(&oldest);
        }
        held.insert(nonce, now.checked_add(PROOF_LIFE).unwrap_or(now));
    }

    fn take(&self, nonce: &str, now: Timestamp) -> bool {
        self.lock().remove(nonce).is_some_and(|until| until > now)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        // Each change is one insertion or removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who has proved that a receipt is theirs, for what they do in one visit: the proof of its key is taken once.
#[derive(Debug)]
pub struct Proven(Facts);

impl Engine {
    /// Whose receipt this is. Where it is bound to a key, the proof of that key stands behind it.
    ///
    /// # Errors
    /// As [`Engine::ask_right`].
    pub async fn prove(&self, shown: &str) -> Result<Proven, EngineError> {
        Ok(Proven(self.proven(shown).await?.0))
    }

    /// As [`Engine::ask_right`], for somebody who has proved who they are.
    ///
    /// # Errors
    /// As [`Engine::ask_right`].
    pub async fn ask_right_as(&self, who: &Proven, ask: Ask) -> Result<Value, EngineError> {
        self.ask_proven(who.0.clone(), who.0.consent, ask).await
    }

    /// As [`Engine::look_at_rights`], for somebody who has proved who they are.
    ///
    /// # Errors
    /// As [`Engine::ask_right`].
    pub async fn look_at_rights_as(&self, who: &Proven) -> Result<Value, EngineError> {
        self.look_proven(&who.0, who.0.consent).await
    }

    /// As [`Engine::take_back`], for somebody who has proved who they are.
    ///
    /// # Errors
    /// As [`Engine::take_back_in_session`].
    pub async fn take_back_as(&self, who: &Proven) -> Result<ErasureReceipt, EngineError> {
        self.take_back_under(who.0.consent).await
    }

    /// A nonce for one proof, and whom it is to name as its audience.
    pub fn give_nonce(&self) -> (String, &str) {
        let nonce = self.secret();
        self.nonces.give(nonce.clone(), self.clock.now());
        (nonce, self.audience())
    }

    /// Binds the receipts of a session to the person's key, before they decide.
    ///
    /// # Errors
    /// [`EngineError::Step`] after the decision.
    pub async fn bind_receipts(&self, session: &Session, key: &HolderKey) -> Result<(), EngineError> {
        let consent = session.consent().filter(|_| session.state() == State::AwaitingConsent);
        let consent = consent.ok_or_else(|| self.wrong_state(session, Step::ConsentGiven))?;
        Ok(self.consents.bind(consent, key, self.clock.now()).await?)
    }

    /// Refuses who shows a receipt that is bound to a key, and does not hold the key.
    pub(super) fn check_holder(&self, facts: &Facts, shown: &str, proof: Option<&str>) -> Result<(), EngineError> {
        let (key, proof) = match (&facts.cnf, proof) {
            (None, None) => return Ok(()),
            (Some(cnf), Some(proof)) => (&cnf.jwk, proof),
            _ => return Err(EngineError::NotFound),
        };
        let now = self.clock.now();
        let wanted = Wanted { shown, audience: self.audience(), now };
        let nonce = key.verify(proof, wanted).map_err(|_| EngineError::NotFound)?;
        if self.nonces.take(&nonce, now) { Ok(()) } else { Err(EngineError::NotFound) }
    }

    fn audience(&self) -> &str {
        self.public_url().map_or("http://127.0.0.1/", url::Url::as_str)
    }
}
