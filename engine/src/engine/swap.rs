//! Which connectors this engine runs, now and after the folder has changed. A run keeps the connector it began with, and a session
//! the version whose notice the person read; whoever begins gets what the newest look at the folder says. Only a revocation
//! reaches what is under way.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use consentry_contract::failure::Code;

use super::Engine;
use super::catalogue::{Catalogue, CatalogueError, Folder, Standing};
use crate::data::Digest;
use crate::session::Session;
use crate::session::state::State;

/// The connectors of an engine.
pub(super) struct Connectors {
    folder: Mutex<Option<Folder>>,
    now: Mutex<Arc<Catalogue>>,
    /// Of two looks at the folder, one waits: an older one never takes the place of a newer one.
    pub(super) looking: Arc<tokio::sync::Mutex<()>>,
}

impl Connectors {
    pub(super) fn new(catalogue: Catalogue, folder: Option<Folder>) -> Self {
        Self { folder: Mutex::new(folder), now: Mutex::new(Arc::new(catalogue)), looking: Arc::default() }
    }

    pub(super) fn now(&self) -> Arc<Catalogue> {
        lock(&self.now).clone()
    }
}

impl Engine {
    /// The connectors of this node, as they are now.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.connectors.now()
    }

    /// Starts the browser if a connector that serves anybody needs one, so that the first person does not wait for it, and an operator
    /// reads at the start why it can't be. Nobody waits for it; what went wrong stands in the log.
    pub fn warm_browser(&self) {
        if let Some(browser) = self.collector.browser.as_ref().filter(|_| self.catalogue().needs_browser()) {
            browser.begin();
        }
    }

    /// Takes connectors from this folder from now on, or from the same one with other keys or pins.
    pub async fn watch(&self, folder: Folder) {
        *lock(&self.connectors.folder) = Some(folder.clone());
        let _looking = self.connectors.looking.clone().lock_owned().await;
        self.swap(move |_| Some(folder.load())).await;
    }

    /// Looks at the folder and the decisions now, if they have changed, and takes what has before it returns.
    pub(super) async fn look_again(&self) {
        let Some(folder) = lock(&self.connectors.folder).clone() else { return };
        let _looking = self.connectors.looking.clone().lock_owned().await;
        self.swap(move |known| folder.load_if_changed(known)).await;
    }

    /// The file of the operator's decisions.
    pub(super) fn decisions_file(&self) -> Option<std::path::PathBuf> {
        lock(&self.connectors.folder).as_ref()?.decisions.clone()
    }

    /// Begins to look at the folder of connectors, if there is one, and takes what has changed. Nobody waits for it, and while one
    /// look lasts there is no other: a disk that hangs keeps nothing else from being done.
    pub(super) fn follow_folder(self: &Arc<Self>) {
        let Some(folder) = lock(&self.connectors.folder).clone() else { return };
        let Ok(looking) = self.connectors.looking.clone().try_lock_owned() else { return };
        let engine = self.clone();
        tokio::spawn(async move {
            engine.swap(move |known| folder.load_if_changed(known)).await;
            drop(looking);
        });
    }

    async fn swap(&self, load: impl FnOnce(&Catalogue) -> Option<(Catalogue, Vec<CatalogueError>)> + Send + 'static) {
        let earlier = self.catalogue();
        let had_browser = earlier.needs_browser();
        let Some(folder) = lock(&self.connectors.folder).clone() else { return };
        let known = earlier.clone();
        let Ok(Some((mut next, refused))) = tokio::task::spawn_blocking(move || load(&known)).await else { return };
        if refused.iter().any(CatalogueError::is_whole) {
            // Nobody can say what is there or what was decided: everything stays as it is.
            next = next.instead(&earlier);
        } else {
            // Of now: while the folder was read somebody may have chosen what is no longer there.
            let in_use = self.in_use();
            let decisions = folder.clone();
            let kept = tokio::task::spawn_blocking(move || {
                next.keep(&earlier, &in_use, |package| decisions.decide(package));
                next
            });
            let Ok(kept) = kept.await else { return };
            next = kept;
            if let Err(error) = folder.keep_copies(&next).await {
                tracing::error!(
                    error = crate::causes::chain(&error),
                    "what stands in for an update serves until this node stops"
                );
            }
        }
        for error in refused {
            tracing::error!(error = crate::causes::chain(&error), "a connector is not served");
        }
        for connector in next.connectors().filter(|each| each.standing == Standing::Unsigned) {
            let id = connector.package.manifest().id().as_str();
            tracing::warn!(connector = id, digest = %connector.digest, "development: an unsigned connector is served");
        }
        tracing::info!(versions = next.connectors().count(), "the connectors were looked at again");
        let first_browser = next.needs_browser() && !had_browser;
        *lock(&self.connectors.now) = Arc::new(next);
        if first_browser {
            self.warm_browser();
        }
        self.end_revoked().await;
    }

    /// What sessions that are under way have chosen.
    fn in_use(&self) -> BTreeSet<Digest> {
        let open = self.sessions.all().into_iter().filter(|session| !session.state().is_end());
        open.filter_map(|session| session.choice()).map(|choice| choice.digest).collect()
    }

    /// Ends every session whose connector was revoked. What a person has shared already goes on: it is theirs to take back.
    async fn end_revoked(&self) {
        let catalogue = self.catalogue();
        let revoked: BTreeSet<Digest> = catalogue
            .connectors()
            .filter(|each| matches!(each.standing, Standing::Revoked(_)))
            .map(|each| each.digest)
            .collect();
        for digest in &revoked {
            self.collector.compiled.forget(&self.collector.sandbox, &digest.to_string());
        }
        let uses_it = |session: &Arc<Session>| {
            let goes_on = !session.state().is_end() && !matches!(session.state(), State::Delivering);
            goes_on && session.choice().is_some_and(|choice| revoked.contains(&choice.digest))
        };
        for session in self.sessions.all().into_iter().filter(uses_it) {
            tracing::warn!(session = %session.id(), "ended: its connector was revoked");
            self.fail(&session, Code::ConnectorRevoked).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in there is put in by one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
