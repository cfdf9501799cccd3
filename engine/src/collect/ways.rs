//! How each Data Source is reached: proxy and source address as the operator set them, and the one gate that all runs of this node pass.
//! Nothing of a request or an answer is kept here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use consentry_host_api::network::gate::{Gate, GateBounds};
use consentry_host_api::network::{Route, Way};
use consentry_host_api::ports::Clock;

/// A Data Source: the connector's id and its own.
type SourceKey = (String, String);

/// The ways to all Data Sources.
pub struct Ways {
    clock: Arc<dyn Clock>,
    usual: GateBounds,
    set: HashMap<SourceKey, (Route, GateBounds)>,
    gates: Mutex<HashMap<SourceKey, Arc<Gate>>>,
}

impl std::fmt::Debug for Ways {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ways").field("usual", &self.usual).field("set", &self.set.len()).finish_non_exhaustive()
    }
}

impl Ways {
    /// Straight out to every Data Source, within these bounds for each.
    pub fn new(usual: GateBounds, clock: Arc<dyn Clock>) -> Self {
        Self { clock, usual, set: HashMap::new(), gates: Mutex::default() }
    }

    /// Another way to one Data Source.
    #[must_use]
    pub fn set(mut self, connector: &str, source: &str, route: Route, bounds: GateBounds) -> Self {
        self.set.insert((connector.to_owned(), source.to_owned()), (route, bounds));
        self
    }

    /// The way to a Data Source, and its gate.
    pub(super) fn to(&self, connector: &str, source: &str) -> (Way, Arc<Gate>) {
        let key = (connector.to_owned(), source.to_owned());
        let (route, bounds) = self.set.get(&key).cloned().unwrap_or_else(|| (Route::default(), self.usual));
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry(key).or_insert_with(|| Arc::new(Gate::new(bounds, self.clock.clone())));
        (Way { route, ..Way::default() }, gate.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Clock for Nobody {
        fn now(&self) -> jiff::Timestamp {
            jiff::Timestamp::UNIX_EPOCH
        }
    }

    /// A connector that asks too much, or whose source is down, makes no other one wait.
    #[test]
    fn a_gate_is_one_connectors_and_one_data_sources() {
        let ways = Ways::new(GateBounds::default(), Arc::new(Nobody));
        let gate = |connector: &str, source: &str| ways.to(connector, source).1;
        let bank = gate("bank", "main");
        assert!(Arc::ptr_eq(&bank, &gate("bank", "main")));
        for (connector, source) in [("hostile", "main"), ("bank", "branch"), ("bankm", "ain"), ("", "bankmain")] {
            assert!(!Arc::ptr_eq(&bank, &gate(connector, source)), "{connector} {source}");
        }
    }
}
