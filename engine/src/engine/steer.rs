//! What operators decide while an engine runs: which Data Sources are held, which version serves them, what is approved. The decisions
//! stand in one file ([`Decisions`]), which the command line changes as well; the engine looks at it again at once.

use super::{Engine, EngineError};
use crate::collect::decisions::Decisions;
use crate::data::Digest;
use crate::engine::catalogue::Standing;
use crate::operator::audit::About;
use crate::operator::{Deed, Operator};

impl Engine {
    /// Holds a Data Source: nobody can choose it any more, and persons read that it is in maintenance. Sessions that have chosen it go
    /// on. To hold it again changes nothing.
    ///
    /// # Errors
    /// [`EngineError::NotAllowed`], [`EngineError::NotFound`], and [`EngineError::Platform`].
    pub async fn hold(&self, by: &Operator, connector: &str, source: &str) -> Result<(), EngineError> {
        let now = self.clock.now();
        let (one, other) = (connector.to_owned(), source.to_owned());
        self.steer(by, Deed::SourceHold, (connector, source), move |decisions| decisions.hold(&one, &other, now)).await
    }

    /// Releases a Data Source that was held.
    ///
    /// # Errors
    /// As [`Engine::hold`].
    pub async fn release_source(&self, by: &Operator, connector: &str, source: &str) -> Result<(), EngineError> {
        let (one, other) = (connector.to_owned(), source.to_owned());
        self.steer(by, Deed::SourceRelease, (connector, source), move |decisions| decisions.release(&one, &other)).await
    }

    /// Says which version serves a Data Source to whoever begins now; the highest that may run, where none is named.
    ///
    /// # Errors
    /// As [`Engine::hold`]; [`EngineError::Source`] where that version can't serve it, or where the configuration says which one does.
    pub async fn choose_version(
        &self,
        by: &Operator,
        connector: &str,
        source: &str,
        version: Option<Digest>,
    ) -> Result<(), EngineError> {
        let catalogue = self.catalogue();
        if catalogue.is_set_by_configuration(connector, source) {
            return Err(EngineError::Source("the configuration names its version".to_owned()));
        }
        if let Some(digest) = version
            && !catalogue.versions(connector).any(|each| each.digest == digest && each.may_run() && each.has(source))
        {
            return Err(EngineError::Source("this version is not there, or may not run".to_owned()));
        }
        let (one, other, now) = (connector.to_owned(), source.to_owned(), self.clock.now());
        let change = move |decisions: &mut Decisions| decisions.choose(&one, &other, version, now);
        self.steer(by, Deed::VersionChoose, (connector, source), change).await
    }

    /// Approves what a version asks for: exactly the difference that the operator saw.
    ///
    /// # Errors
    /// As [`Engine::hold`]; [`EngineError::Source`] where it is another difference now.
    pub async fn approve_connector(&self, by: &Operator, digest: Digest, seen: &str) -> Result<(), EngineError> {
        by.check(Deed::ConnectorApprove)?;
        let catalogue = self.catalogue();
        let waiting = catalogue.connectors().find(|each| each.digest == digest).ok_or(EngineError::NotFound)?;
        let Standing::Waiting(difference) = waiting.standing.clone() else { return Err(EngineError::NotFound) };
        let other = || EngineError::Source("this is another difference now: look at it again".to_owned());
        if difference.digest().to_string() != seen {
            return Err(other());
        }
        self.note(by, Deed::ConnectorApprove, Some(About::of(digest))).await?;
        let (package, now) = (waiting.package.clone(), self.clock.now());
        let approved = self
            .decide_in_file(move |decisions| {
                // Somebody else may have decided since it was shown.
                let same = decisions.difference(&package) == *difference;
                if same {
                    decisions.approve(&package, &difference, now);
                }
                same
            })
            .await?;
        if approved { Ok(()) } else { Err(other()) }
    }

    async fn steer(
        &self,
        by: &Operator,
        deed: Deed,
        (connector, source): (&str, &str),
        change: impl FnOnce(&mut Decisions) + Send + 'static,
    ) -> Result<(), EngineError> {
        by.check(deed)?;
        if !self.catalogue().all_sources().any(|(one, other)| one.id() == connector && other.id.as_str() == source) {
            return Err(EngineError::NotFound);
        }
        let about = About::of(format!("{connector}/{source}"));
        self.note(by, deed, Some(about)).await?;
        self.decide_in_file(change).await
    }

    /// Changes the file of decisions, and looks at it again before anybody is answered.
    pub(super) async fn decide_in_file<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Decisions) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let path =
            self.decisions_file().ok_or_else(|| EngineError::Source("this engine keeps no decisions".to_owned()))?;
        let entropy = self.entropy.clone();
        let changed = tokio::task::spawn_blocking(move || Decisions::change(&path, &entropy, change)).await;
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| EngineError::Platform(error);
        let done = changed.map_err(|error| failed(error.into()))?.map_err(|error| failed(error.into()))?;
        self.look_again().await;
        Ok(done)
    }
}
