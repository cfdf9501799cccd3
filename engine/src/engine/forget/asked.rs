//! Erasures that are asked for through files of the data folder, which only its owner can write. A request is taken by another name, and
//! answered beside it by its receipt or by the reason why there is none. One that a crash cut off is done in the next life.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::engine::{Engine, EngineError};
use crate::erase::receipt::{ErasureReceipt, Scope};

/// How the name of a request ends, before it is taken and after.
pub(in crate::engine) const ASKED: &str = "request";
pub(in crate::engine) const TAKEN: &str = "taken";
/// How the name of an answer ends.
const RECEIPT: &str = "receipt";
const REFUSED: &str = "refused";
/// How long an answer lies there for whoever asked and did not wait: over a weekend.
const ANSWER_KEPT: Duration = Duration::from_hours(72);

impl Engine {
    /// Begins the erasures that are asked for. None of them is waited for: one may take minutes.
    pub(in crate::engine) fn answer_requests(self: &Arc<Self>) {
        let Some(folder) = &self.requests else { return };
        // None there is next to always the case.
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        let now = SystemTime::from(self.clock.now());
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if is_answer(&path)
                && path.metadata().and_then(|file| file.modified()).is_ok_and(|at| at + ANSWER_KEPT < now)
            {
                let gone = std::fs::remove_file(&path);
                tracing::warn!(file = %path.display(), ?gone, "nobody took what came of an erasure");
            }
            let taken = path.with_extension(TAKEN);
            if path.extension().is_some_and(|end| end == ASKED) && std::fs::rename(&path, &taken).is_ok() {
                let engine = self.clone();
                self.tasks.spawn(async move { engine.answer_request(&taken).await });
            }
        }
    }

    async fn answer_request(&self, taken: &Path) {
        let (end, text) = match self.erase_as_asked(taken).await {
            Ok(receipt) => (RECEIPT, receipt.token().to_owned()),
            Err(error) => {
                let why = crate::causes::chain(&error).to_string();
                tracing::error!(file = %taken.display(), error = why, "an erasure that was asked for was not done");
                (REFUSED, why)
            }
        };
        let answer = taken.with_extension(end);
        let left = crate::forward::file::receive(&answer, text.as_bytes(), &self.entropy);
        if let Err(error) = left.and_then(|()| std::fs::remove_file(taken)) {
            tracing::error!(file = %answer.display(), %error, "what came of an erasure can't be left where it was asked for");
        }
    }

    async fn erase_as_asked(&self, taken: &Path) -> Result<ErasureReceipt, EngineError> {
        let failed = |error: std::io::Error| EngineError::Platform(Box::new(error));
        let text = crate::secret_file::read_private(taken).map_err(failed)?;
        let scope: Option<Scope> = std::str::from_utf8(&text).ok().and_then(|text| text.trim_end().parse().ok());
        let scope = scope.ok_or_else(|| EngineError::Platform("this asks for no erasure".into()))?;
        self.erase(scope).await
    }
}

fn is_answer(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == RECEIPT || end == REFUSED)
}
