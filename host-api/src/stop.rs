//! Ending a run from outside: the person withdrew, the wall time is over, the host shuts down. The first reason counts.

use std::sync::{Arc, OnceLock};

use consentry_contract::failure::Code;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Why a run was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The limit on wall time.
    WallTime,
    /// The person withdrew the consent.
    Withdrawn,
    /// The host shuts down, or the one who waited for the run is gone.
    Cancelled,
}

impl StopReason {
    /// The failure code it is told as; none for wall time, which is a limit.
    pub fn code(self) -> Option<Code> {
        match self {
            Self::WallTime => None,
            Self::Withdrawn => Some(Code::ConsentWithdrawn),
            Self::Cancelled => Some(Code::Cancelled),
        }
    }
}

/// Ends one run; clones end the same one.
#[derive(Debug, Clone, Default)]
pub struct Stopper {
    token: CancellationToken,
    reason: Arc<OnceLock<StopReason>>,
}

impl Stopper {
    /// Ends the run at its next tick or wait.
    pub fn stop(&self, reason: StopReason) {
        // A second reason changes nothing.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Whether and why.
    pub fn stopped(&self) -> Option<StopReason> {
        self.token.is_cancelled().then(|| self.reason.get().copied().unwrap_or(StopReason::Cancelled))
    }

    /// Waits until the run is ended from outside.
    pub async fn wait(&self) {
        self.token.cancelled().await;
    }

    /// Ends the run when the guard is dropped.
    pub fn drop_guard(&self) -> DropGuard {
        self.token.clone().drop_guard()
    }
}
