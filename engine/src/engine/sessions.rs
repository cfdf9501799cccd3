//! The sessions that a node holds. Open ones have a place each: the node has so many, and of them an Online Service so many.
//! A session gives its place back in the moment in which it ends.
//!
//! An ended session stays until its hour is over, so that its receipts can be fetched. Of each Online Service no more of them
//! stay than it may have open: beyond that go those that have no receipt, then those whose hour is over first.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use super::EngineError;
use crate::id::{OnlineServiceId, SessionId};
use crate::session::{Place, Session};

/// So many follow the events of sessions at once. Each has a connection for itself, and others have to get one, too.
const FOLLOWERS_MAX: usize = 768;

/// Every session of a node.
pub(super) struct Sessions {
    held: Mutex<Held>,
    places: Arc<Semaphore>,
    followers: Arc<Semaphore>,
    /// How many an Online Service has open at most.
    each: usize,
}

#[derive(Default)]
struct Held {
    all: HashMap<SessionId, Arc<Session>>,
    services: HashMap<OnlineServiceId, OfService>,
}

struct OfService {
    places: Arc<Semaphore>,
    /// Those that have ended. An id tells when it was made, so the first one's hour is over first.
    ended: BTreeSet<SessionId>,
}

impl Sessions {
    pub(super) fn new(most: usize, each: usize) -> Self {
        let [places, followers] = [most, FOLLOWERS_MAX].map(|most| Arc::new(Semaphore::new(most)));
        Self { held: Mutex::default(), places, followers, each }
    }

    /// A place for one more open session of this Online Service.
    ///
    /// # Errors
    /// [`EngineError::TooMany`] and [`EngineError::Busy`].
    pub(super) fn place(&self, by: OnlineServiceId) -> Result<Place, EngineError> {
        let own = self.lock().of(by, self.each).places.clone();
        let own = own.try_acquire_owned().map_err(|_| EngineError::TooMany)?;
        let node = self.places.clone().try_acquire_owned().map_err(|_| EngineError::Busy)?;
        Ok(Place::new(own, node))
    }

    /// A place for one more who follows the events of this session.
    ///
    /// # Errors
    /// [`EngineError::Followed`].
    pub(super) fn follow(&self, session: &Session) -> Result<Place, EngineError> {
        let [own, node] = [session.followers(), self.followers.clone()].map(Semaphore::try_acquire_owned);
        own.and_then(|own| Ok(Place::new(own, node?))).map_err(|_| EngineError::Followed)
    }

    pub(super) fn insert(&self, session: Arc<Session>) {
        self.lock().all.insert(session.id(), session);
    }

    pub(super) fn get(&self, id: SessionId) -> Option<Arc<Session>> {
        self.lock().all.get(&id).cloned()
    }

    pub(super) fn find(&self, wanted: impl Fn(&Session) -> bool) -> Option<Arc<Session>> {
        self.lock().all.values().find(|session| wanted(session)).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Session>> {
        self.lock().all.values().cloned().collect()
    }

    /// Forgets a session, receipts included.
    pub(super) fn remove(&self, session: &Session) {
        let mut held = self.lock();
        held.all.remove(&session.id());
        held.of(session.request().online_service(), self.each).ended.remove(&session.id());
    }

    /// Takes note that a session has ended, and forgets another one where too many have.
    pub(super) fn ended(&self, session: &Session) {
        let mut held = self.lock();
        if !held.all.contains_key(&session.id()) {
            return;
        }
        let ended = &mut held.of(session.request().online_service(), self.each).ended;
        ended.insert(session.id());
        if ended.len() <= self.each {
            return;
        }
        let ended = ended.clone();
        let bare = |id: &&SessionId| held.all.get(id).is_none_or(|session| session.receipts().is_empty());
        let gone = ended.iter().find(bare).or(ended.first()).and_then(|id| held.all.get(id).cloned());
        drop(held);
        if let Some(gone) = gone {
            self.remove(&gone);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // A session is put in or taken out in one step.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn of(&mut self, by: OnlineServiceId, each: usize) -> &mut OfService {
        let new = || OfService { places: Arc::new(Semaphore::new(each)), ended: BTreeSet::new() };
        self.services.entry(by).or_insert_with(new)
    }
}
