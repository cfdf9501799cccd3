//! What operators look at in an engine that runs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::{Engine, EngineError};
use crate::erase::Pass;
use crate::health::Health;
use crate::id::ParcelId;
use crate::keys::KeyInfo;
use crate::maintenance::reports::Ticket;
use crate::operator::audit::About;
use crate::operator::{Deed, Operator};
use crate::outbox::Listed;

/// Most passes that are remembered.
const PASSES_MAX: usize = 500;

/// One look through everything stored that erased something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassSeen {
    /// When.
    pub at: Timestamp,
    /// How many records were erased, by row.
    pub erased: BTreeMap<&'static str, usize>,
    /// How many keys were destroyed.
    pub keys: usize,
    /// How many deliveries were ended because their time was over.
    pub dead: usize,
}

/// The passes since the start: counts by row, and nothing else.
#[derive(Debug, Default)]
pub(super) struct Passes(Mutex<VecDeque<PassSeen>>);

impl Passes {
    pub(super) fn note(&self, pass: &Pass, at: Timestamp) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= PASSES_MAX {
            held.pop_front();
        }
        held.push_back(PassSeen { at, erased: pass.erased.clone(), keys: pass.keys.len(), dead: pass.dead.len() });
    }
}

impl Engine {
    /// How connectors do.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// What the engine's clock says.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How many sessions are open.
    pub fn open_sessions(&self) -> usize {
        self.sessions.all().iter().filter(|session| !session.state().is_end()).count()
    }

    /// The passes since the start that erased something, the first one first.
    pub fn passes(&self) -> Vec<PassSeen> {
        self.passes.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// When everything stored was last looked through; none before the first time.
    pub fn last_erasure(&self) -> Option<Timestamp> {
        let second = self.seconds.erased.load(std::sync::atomic::Ordering::Relaxed);
        Timestamp::from_second(second).ok().filter(|_| second > 0)
    }

    /// The node's keys: what each is for, and what it still does.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn key_states(&self) -> Result<Vec<KeyInfo>, EngineError> {
        Ok(self.keys.list().await?)
    }

    /// Every delivery that is kept.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn deliveries(&self) -> Result<Vec<Listed>, EngineError> {
        Ok(self.outbox.list().await?)
    }

    /// Has the Online Service of a parcel that waits told again, at once.
    ///
    /// # Errors
    /// [`EngineError::NotAllowed`]; [`EngineError::NotFound`] and [`EngineError::Gone`] where nothing waits.
    pub async fn tell_again(&self, by: &Operator, parcel: ParcelId) -> Result<(), EngineError> {
        self.note(by, Deed::DeliverySendAgain, Some(About::of(parcel))).await?;
        self.outbox.tell_again(parcel, self.clock.now()).await.map_err(super::deliver::outbox_error)
    }

    /// The breaks that an operator sees, the one seen last first, each with the number of its reports.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn tickets(&self, by: &Operator) -> Result<Vec<(Ticket, usize)>, EngineError> {
        let (view, mut all) = (self.reports.seen_by(by.sight()), Vec::new());
        for ticket in view.tickets().await? {
            let given = view.of(&ticket.fingerprint).await?.len();
            all.push((ticket, given));
        }
        Ok(all)
    }

    /// Closes a break: its reports and the logins that were lent for it are erased.
    ///
    /// # Errors
    /// [`EngineError::NotAllowed`] and [`EngineError::NotFound`].
    pub async fn close_ticket(&self, by: &Operator, fingerprint: &str) -> Result<(), EngineError> {
        self.note(by, Deed::ReportClose, Some(About::of(fingerprint))).await?;
        let closed = self.reports.seen_by(by.sight()).close(fingerprint, self.clock.now()).await?;
        closed.map(drop).ok_or(EngineError::NotFound)
    }
}
