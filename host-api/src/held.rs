//! What the host holds in memory for a run, in bytes: answers with their trees, blobs, recipes, items. Each part is counted while it is there;
//! together they stay below one limit, whatever the limits of the single parts allow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The sum of one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holdings(Arc<AtomicU64>);

/// One part of it; it counts until the last clone is gone.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: u64,
    of: Holdings,
}

impl Holdings {
    /// Counts a part, unless the sum would be more than this.
    pub(crate) fn hold(&self, bytes: u64, max: u64) -> Option<Arc<Held>> {
        let add = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= max);
        let added = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        added.is_ok().then(|| Arc::new(Held { bytes, of: self.clone() }))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_counts_until_its_last_clone_is_gone() {
        let holdings = Holdings::default();
        let first = holdings.hold(60, 100).unwrap();
        let again = first.clone();
        assert!(holdings.hold(41, 100).is_none() && holdings.hold(u64::MAX, 100).is_none());
        let second = holdings.hold(40, 100).unwrap();
        drop(first);
        assert!(holdings.hold(1, 100).is_none());
        drop((again, second));
        assert!(holdings.hold(100, 100).is_some());
    }
}
