//! A session's part in automatic synchronisation: the one in which the person agreed to it begins a connection, and each access while nobody
//! is there goes on with one. What a run keeps is held here, as the host sealed it, until it is stored; it goes with the session's end.

use consentry_host_api::session_state::{SealedState, StateKey, Synchronised};

use super::Session;
use crate::id::ConsentId;
use crate::trace::Navigation;

/// What a session has to do with a connection.
pub struct Synchronising {
    /// The consent for automatic synchronisation.
    pub consent: ConsentId,
    /// Whether the person is there: the connection begins here.
    pub attended: bool,
    /// What a run keeps is sealed with it.
    pub key: StateKey,
    /// What the last run kept.
    pub last: Option<SealedState>,
    /// What this session's run kept.
    pub kept: Option<SealedState>,
    /// How the person came, where they are there.
    pub navigation: Option<Navigation>,
}

impl Session {
    /// Gives it its part.
    pub fn synchronise(&self, part: Synchronising) {
        self.lock().synchronising = Some(part);
    }

    /// The consent for automatic synchronisation that it has to do with.
    pub fn synchronised_under(&self) -> Option<ConsentId> {
        self.lock().synchronising.as_ref().map(|part| part.consent)
    }

    /// The same, where the person agreed to it in this session.
    pub fn begins_connection(&self) -> Option<ConsentId> {
        self.lock().synchronising.as_ref().filter(|part| part.attended).map(|part| part.consent)
    }

    /// Whether nobody is there.
    pub fn is_unattended(&self) -> bool {
        self.lock().synchronising.as_ref().is_some_and(|part| !part.attended)
    }

    /// What its runs are granted.
    pub fn synchronised(&self) -> Option<Synchronised> {
        let inner = self.lock();
        inner.synchronising.as_ref().map(|part| Synchronised::new(part.key.clone(), part.last.clone()))
    }

    /// Holds what its run kept.
    pub fn keep_state(&self, kept: SealedState) {
        let mut inner = self.lock();
        let ended = inner.state.is_end();
        if let Some(part) = inner.synchronising.as_mut().filter(|_| !ended) {
            part.kept = Some(kept);
        }
    }

    /// Remembers how the person came, for the runs in which they are not there.
    pub fn come_by(&self, navigation: Navigation) {
        if let Some(part) = self.lock().synchronising.as_mut() {
            part.navigation = Some(navigation);
        }
    }

    /// How the person came.
    pub fn navigation(&self) -> Option<Navigation> {
        self.lock().synchronising.as_ref().and_then(|part| part.navigation)
    }

    /// Takes what its run kept, with the key to it.
    pub fn take_kept(&self) -> Option<(StateKey, SealedState)> {
        let mut inner = self.lock();
        let part = inner.synchronising.as_mut()?;
        Some((part.key.clone(), part.kept.take()?))
    }
}
