//! What a run has left of each limit that is counted.

use consentry_contract::limits::{LimitName, Limits};

/// Counts down.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    spent: [u64; LimitName::ALL.len()],
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, spent: [0; LimitName::ALL.len()] }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// False when the limit is reached; nothing is taken then.
    pub(crate) fn spend(&mut self, limit: LimitName, amount: u64) -> bool {
        let spent = &mut self.spent[limit as usize];
        match spent.checked_add(amount).filter(|total| *total <= self.limits.of(limit)) {
            Some(total) => {
                *spent = total;
                true
            }
            None => false,
        }
    }

    /// What is held no longer counts no longer.
    pub(crate) fn give_back(&mut self, limit: LimitName, amount: u64) {
        let spent = &mut self.spent[limit as usize];
        *spent = spent.saturating_sub(amount);
    }

    /// What is left.
    pub(crate) fn left(&self, limit: LimitName) -> u64 {
        self.limits.of(limit) - self.spent[limit as usize]
    }
}
