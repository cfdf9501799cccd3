//! The section of the maintenance programme.

use serde::Deserialize;
use url::Url;

use super::{ConfigError, value};
use crate::maintenance::failing::Threshold;

/// The maintenance programme.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MaintenanceSection {
    /// Runs are taped in memory, and people may give the report of one that failed. Off unless it is said.
    pub reports: bool,
    /// Where the operator is told of breaks and suspensions; nowhere unless it is said.
    pub events: Option<Url>,
    /// A Data Source is suspended when this share of its last runs failed, in percent; 0: never. 80 unless it is said.
    pub suspend_failed_percent: u8,
    /// How many last runs are looked at, all of them within an hour: on fewer nothing is suspended. 20 unless it is said.
    pub suspend_runs: u32,
}

impl Default for MaintenanceSection {
    fn default() -> Self {
        Self { reports: false, events: None, suspend_failed_percent: 80, suspend_runs: 20 }
    }
}

impl MaintenanceSection {
    /// When a Data Source is suspended; none for never.
    ///
    /// # Errors
    /// A value that makes no sense.
    pub fn threshold(&self) -> Result<Option<Threshold>, ConfigError> {
        if self.suspend_failed_percent == 0 {
            return Ok(None);
        }
        let threshold = Threshold::new(self.suspend_runs, self.suspend_failed_percent);
        threshold.map(Some).ok_or_else(|| {
            value("maintenance", "suspend-runs must be from 5 to 1000, suspend-failed-percent from 0 to 100")
        })
    }
}
