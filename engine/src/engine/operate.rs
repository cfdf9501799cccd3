//! What operators do in an engine that runs: sign in, and leave an entry in the audit log for each deed, before it is done.

use std::path::PathBuf;

use super::{Engine, EngineError};
use crate::operator::audit::{About, Actor, Entry};
use crate::operator::{Deed, NotAllowed, Operator, OperatorKey, SignedIn};

impl From<NotAllowed> for EngineError {
    fn from(NotAllowed(deed): NotAllowed) -> Self {
        Self::NotAllowed(deed)
    }
}

impl Engine {
    /// The operator who shows this key.
    pub fn operator(&self, key: &str) -> Option<Operator> {
        self.operators.known(key)
    }

    /// Knows operators by these keys from now on.
    pub fn set_operators(&self, keys: Vec<OperatorKey>) {
        self.operators.replace(keys);
    }

    /// Signs an operator's browser in with a key; none if nobody has it.
    ///
    /// # Errors
    /// [`EngineError::Platform`]: it can't be noted, and nobody is signed in.
    pub async fn sign_in(&self, key: &str) -> Result<Option<SignedIn>, EngineError> {
        let now = self.clock.now();
        let Some(operator) = self.operators.known(key) else {
            tracing::warn!("somebody showed a key that no operator has");
            return Ok(None);
        };
        self.note(&operator, Deed::SignIn, None).await?;
        Ok(self.operators.sign_in(key, now).map(|(_, signed_in)| signed_in))
    }

    /// The operator whose browser shows this token.
    pub fn signed_in(&self, token: &str) -> Option<Operator> {
        self.operators.signed_in(token, self.clock.now())
    }

    /// Signs an operator's browser out.
    ///
    /// # Errors
    /// [`EngineError::Platform`]: it is signed out, and that is not in the log.
    pub async fn sign_out(&self, operator: &Operator, token: &str) -> Result<(), EngineError> {
        self.operators.sign_out(token);
        self.note(operator, Deed::SignOut, None).await
    }

    /// Notes what an operator is about to do, if they may.
    ///
    /// # Errors
    /// [`EngineError::NotAllowed`]; [`EngineError::Platform`] where it can't be noted: it must not be done.
    pub async fn note(&self, by: &Operator, deed: Deed, about: Option<About>) -> Result<(), EngineError> {
        by.check(deed)?;
        Ok(self.audit.note(Actor::Operator(by.id()), deed, about, self.clock.now()).await?)
    }

    /// The audit log, the first entry first, with what the command line has left.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn audit_log(&self) -> Result<Vec<Entry>, EngineError> {
        self.take_in_deeds().await?;
        Ok(self.audit.entries().await?)
    }

    /// Takes in what the command line did on this node, and writes the log where it was asked for by a file beside that.
    pub(super) async fn take_in_deeds(&self) -> Result<(), EngineError> {
        let Some(folder) = self.data_folder().map(|data| data.join("audit")) else { return Ok(()) };
        self.audit.take_in(&folder).await?;
        let Ok(files) = std::fs::read_dir(&folder) else { return Ok(()) };
        let failed = |error: std::io::Error| EngineError::Platform(Box::new(error));
        for path in files.filter_map(|file| Some(file.ok()?.path())) {
            if path.extension().is_some_and(|end| end == "request") {
                let mut lines = Vec::new();
                for entry in self.audit.entries().await? {
                    serde_json::to_writer(&mut lines, &entry).map_err(|error| failed(error.into()))?;
                    lines.push(b'\n');
                }
                crate::forward::file::receive(&path.with_extension("log"), &lines, &self.entropy).map_err(failed)?;
                // Somebody else may have answered it at the same time.
                std::fs::remove_file(&path).ok();
            }
        }
        Ok(())
    }

    /// Where this node keeps what it keeps; none in memory.
    pub(super) fn data_folder(&self) -> Option<PathBuf> {
        self.requests.as_deref().and_then(std::path::Path::parent).map(PathBuf::from)
    }
}
