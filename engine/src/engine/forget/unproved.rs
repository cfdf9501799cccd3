//! Erasures that were not done to the end. What went is named by the receipt of the next try: by then it is nowhere else.

use std::sync::{Mutex, PoisonError};

use crate::erase::receipt::Scope;
use crate::id::ParcelId;
use crate::store::Standing;

/// What stood where before they were tried. In memory: names of ours, and of keys.
#[derive(Default)]
pub(in crate::engine) struct Unproved(Mutex<Vec<(Scope, Before)>>);

/// What stood where, and the parcels whose end may not be noted.
#[derive(Clone, Default)]
pub(super) struct Before {
    pub(super) standing: Standing,
    pub(super) parcels: Vec<ParcelId>,
}

impl Unproved {
    /// Of an erasure that was tried before; nothing of one that was not.
    pub(super) fn of(&self, scope: Scope) -> Before {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(of, _)| *of == scope).map(|(_, before)| before.clone()).unwrap_or_default()
    }

    /// Keeps what the next try has to name; nothing where there is a receipt.
    pub(super) fn set(&self, scope: Scope, before: Option<Before>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(of, _)| *of != scope);
        all.extend(before.map(|before| (scope, before)));
    }
}
