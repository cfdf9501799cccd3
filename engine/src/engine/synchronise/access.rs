//! Accesses to a Data Source while nobody is there: when they are due, or because their person asks for one; in their turn, within what was
//! agreed to, counted; and what becomes of a connection after one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use consentry_contract::failure::{Blame, Code};
use jiff::{SignedDuration, Timestamp};

use super::End;
use crate::account::{AccountError, AccountName, Link};
use crate::connection::{Connection, REJECTED_MAX, Standing, next_after};
use crate::consent::Refusal;
use crate::engine::run::Opened;
use crate::engine::{Engine, EngineError};
use crate::id::ConsentId;
use crate::release::Decision;
use crate::session::Session;
use crate::session::state::State;

/// How often, in seconds, it is looked whether an access is due.
const LOOK_SECONDS: i64 = 10;
/// After an access that could not begin here, for a reason that has nothing to do with the person; and between two that a person asks for.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);

impl Engine {
    /// Begins the accesses that are due, each in a task of its own, and ends connections whose time is over.
    pub(in crate::engine) async fn synchronise_due(self: &Arc<Self>) -> Result<(), EngineError> {
        let now = self.clock.now();
        let last = self.seconds.synchronised.load(Ordering::Relaxed);
        if (0..LOOK_SECONDS).contains(&(now.as_second() - last)) {
            return Ok(());
        }
        self.seconds.synchronised.store(now.as_second(), Ordering::Relaxed);
        for (consent, connection) in self.connections.named().await? {
            let Some(connection) = connection.filter(|each| now < each.until()) else {
                self.end_connection(consent, End::Over).await?;
                continue;
            };
            if connection.is_due(now) && !self.is_draining() {
                let engine = self.clone();
                self.tasks.spawn(async move {
                    if let Err(error) = engine.access(&connection).await {
                        let error = crate::causes::chain(&error);
                        tracing::warn!(%consent, error, "an access did not come about");
                    }
                });
            }
        }
        Ok(())
    }

    /// Begins an access now, because the person of the account asks for it. It counts as one that was due.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for what is not in this account; [`EngineError::Account`] where the person is needed first, or the Data
    /// Source was asked as often as it may be; whatever keeps an access from beginning.
    pub async fn access_now(self: &Arc<Self>, account: &AccountName, consent: ConsentId) -> Result<(), EngineError> {
        let ours = async || {
            let connection = self.connections.get(consent).await?.filter(|each| each.account == *account);
            connection.ok_or(EngineError::NotFound)
        };
        let (connection, now) = (ours().await?, self.clock.now());
        if self.is_draining() {
            return Err(EngineError::Stopping);
        }
        // Whoever notes it has the turn: two who ask at once begin one.
        let taken = self.connections.change(consent, |each| {
            let may = each.standing == Standing::Active && after(each.last_at) <= now;
            if may {
                (each.last_at, each.next_at) = (Some(now), after(Some(now)));
            }
            may
        });
        if !taken.await? {
            let connection = ours().await?;
            return Err(EngineError::Account(match connection.standing {
                Standing::Active => AccountError::AccessesSpent { next: after(connection.last_at) },
                Standing::PersonNeeded | Standing::Held => AccountError::PersonNeeded,
            }));
        }
        let Some((session, opened)) = self.begin_in_turn(&connection, now).await? else {
            return Err(EngineError::Account(AccountError::PersonNeeded));
        };
        let engine = self.clone();
        self.tasks.spawn(async move {
            engine.collect(session.clone(), opened).await;
            if let Err(error) = engine.after_access(&session, consent).await {
                let error = crate::causes::chain(&error);
                tracing::warn!(%consent, error, "an access did not come to its end");
            }
        });
        Ok(())
    }

    /// One access that is due, from its turn to its share.
    async fn access(self: &Arc<Self>, connection: &Connection) -> Result<(), EngineError> {
        let (now, consent) = (self.clock.now(), connection.consent);
        let again = after(Some(now));
        // Whoever moves it on has its turn; a node that dies from here on does not begin it again.
        let taken = self.connections.change(consent, |each| {
            let due = each.is_due(now);
            each.next_at = again;
            due
        });
        if !taken.await? {
            return Ok(());
        }
        let Some((session, opened)) = self.begin_in_turn(connection, now).await? else { return Ok(()) };
        self.collect(session.clone(), opened).await;
        self.after_access(&session, consent).await
    }

    /// Begins an access whose turn it is, if it may be; none where the connection ends instead, or needs its person.
    async fn begin_in_turn(
        self: &Arc<Self>,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<Option<(Arc<Session>, Opened)>, EngineError> {
        let consent = connection.consent;
        let agreed = self.consents.record(consent).await?;
        match agreed.check_active(now) {
            Ok(()) => {}
            Err(Refusal::Withdrawn) => return self.end_connection(consent, End::Withdrawn).await.map(|()| None),
            Err(Refusal::Restricted) => return Ok(None),
            Err(_) => return self.end_connection(consent, End::Over).await.map(|()| None),
        }
        let Some(ready) = self.access_today(connection, &agreed).await? else {
            return self.needs_person(consent, Standing::PersonNeeded).await.map(|()| None);
        };
        match self.accounts.count_access(&connection.account, &connection.source, now).await {
            Ok(()) => {}
            Err(AccountError::AccessesSpent { next }) => {
                let told = self.connections.change(consent, |each| {
                    each.next_at = next;
                    true
                });
                told.await?;
                return Err(AccountError::AccessesSpent { next }.into());
            }
            Err(AccountError::NotSignedIn) => return self.end_connection(consent, End::Over).await.map(|()| None),
            Err(error) => return Err(error.into()),
        }
        let noted = self.connections.change(consent, |each| {
            (each.last_at, each.next_at) = (Some(now), next_after(now, each.terms));
            true
        });
        noted.await?;
        let link = Link { account: connection.account.clone(), subject: connection.subject };
        self.begin_access(connection, ready, link).await.map(Some)
    }

    /// What a run kept is stored whatever became of it: the Data Source may have changed its session. Then what was found is shared, as it was
    /// agreed to; a failure says whether anything may be tried again.
    async fn after_access(&self, session: &Arc<Session>, consent: ConsentId) -> Result<(), EngineError> {
        if let Some((_, kept)) = session.take_kept() {
            self.connections.keep(consent, kept).await?;
        }
        match session.state() {
            State::InReview => {
                self.connections.change(consent, |each| std::mem::take(&mut each.rejected) > 0).await?;
                if let Err(error) = self.share(session, &Decision::all()).await {
                    self.fail(session, error.code()).await;
                    return Err(error);
                }
                Ok(())
            }
            State::Failed { code: Code::CredentialsRejected } => {
                let rejected = self.connections.change(consent, |each| {
                    each.reject();
                    true
                });
                rejected.await?;
                match self.connections.get(consent).await? {
                    Some(each) if each.rejected >= REJECTED_MAX => self.needs_person(consent, Standing::Held).await,
                    _ => Ok(()),
                }
            }
            State::Failed { code } if code.row().blame == Blame::Person => {
                self.needs_person(consent, Standing::PersonNeeded).await
            }
            _ => Ok(()),
        }
    }

    /// Nothing is tried any more until the person is there. What was kept is of no use, and goes.
    async fn needs_person(&self, consent: ConsentId, standing: Standing) -> Result<(), EngineError> {
        let changed = self.connections.change(consent, |each| {
            each.standing = standing;
            true
        });
        changed.await?;
        Ok(self.connections.forget_session(consent, self.clock.now()).await?)
    }
}

/// When another may be tried.
fn after(last: Option<Timestamp>) -> Timestamp {
    last.map_or(Timestamp::MIN, |last| last.checked_add(AGAIN).unwrap_or(Timestamp::MAX))
}
