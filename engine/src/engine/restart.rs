//! What goes on by itself: a node takes up what its earlier life left behind, and every second it looks at the clock.
//!
//! What lived in memory only (guest, cookies, login, items) died with the process: those sessions fail with `node-lost`.
//! What came before the login, and what lies in the outbox, goes on.

use std::sync::Arc;

use consentry_contract::failure::{Code, Failure};

use super::{Engine, EngineError};
use crate::consent::Notice;
use crate::outbox::{How, OutboxError};
use crate::outcome::{Delivery, Outcome, Run, RunName};
use crate::request::DataRequest;
use crate::session::row::{SendingRow, SessionRow};
use crate::session::{Sending, Session};
use crate::store::StoreError;

impl Engine {
    /// Takes up the stored sessions of this node.
    pub(super) async fn take_up(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        if let Err(error) = self.consents.expire_due(now).await {
            tracing::error!(%error, "consents whose time is over can't be closed now");
        }
        for row in self.rows.all().await? {
            if row.owner != self.node {
                continue;
            }
            match self.resume(&row) {
                Some(session) => {
                    self.sessions().insert(session.id(), session.clone());
                    self.go_on(&session, &row).await;
                }
                None => {
                    tracing::warn!(session = %row.id, "a session can't be taken up: its Online Service or request is unknown")
                }
            }
        }
        Ok(())
    }

    fn resume(&self, row: &SessionRow) -> Option<Arc<Session>> {
        let service = self.online_service(row.online_service)?;
        let request = DataRequest::parse(row.request, row.request_json.as_bytes(), &service).ok()?;
        let notice = row.choice.as_ref().and_then(|choice| {
            let source = self.catalogue.connector(&choice.connector)?.notice_source(&choice.source)?;
            Notice::compile(&request, &service, &source, &self.operator).ok().map(Arc::new)
        });
        Some(Arc::new(Session::resume(row, request, notice, self.clock.now())))
    }

    async fn go_on(&self, session: &Arc<Session>, row: &SessionRow) {
        let run = row.run.zip(row.consent).map(|((run, began), consent)| {
            let name = RunName { run, session: row.id, consent };
            Run::resume(name, began, self.clock.clone(), self.end_sink())
        });
        match (run, &row.sending) {
            (Some(run), Some(sending)) => self.go_on_sending(session, run, sending).await,
            (Some(run), None) if row.state.is_open_run() => {
                // The node may have died between the two writes of a share.
                if let Err(error) = self.outbox.abandon(row.id, self.clock.now()).await {
                    tracing::error!(session = %row.id, %error, "what waits for a lost session can't be taken back now; its hour ends it");
                }
                let lost = Outcome::failed(Failure::new(Code::NodeLost));
                self.conclude(session, run.end(lost)).await;
                self.fail(session, Code::NodeLost).await;
            }
            // The run had ended before; the session waits for another login, or had no run yet.
            (Some(run), None) => run.forget(),
            (None, _) if row.state.is_open_run() => self.fail(session, Code::NodeLost).await,
            (None, _) => {}
        }
    }

    async fn go_on_sending(&self, session: &Arc<Session>, run: Run, row: &SendingRow) {
        let sending = |run| Sending { run, parcel: row.parcel, digest: row.digest, shortfall: row.shortfall.clone() };
        match self.outbox.end(row.parcel).await {
            Ok(None) => session.resume_sending(sending(run)),
            // It was acknowledged, and the node died before it could end the run.
            Ok(Some(end)) if end.how == How::Acknowledged => {
                session.resume_sending(sending(run));
                let delivery = Delivery { parcel: row.parcel, digest: row.digest, acknowledged_at: end.at };
                self.end_delivered(session, delivery).await;
            }
            Ok(Some(_)) | Err(OutboxError::Unknown) => {
                self.conclude(session, run.end(Outcome::failed(Failure::new(Code::NodeLost)))).await;
                self.fail(session, Code::NodeLost).await;
            }
            Err(error) => {
                tracing::error!(parcel = %row.parcel, %error, "a delivery can't be looked up now; it goes on when it is fetched");
                session.resume_sending(sending(run));
            }
        }
    }

    /// Does what is due by the clock: ends sessions and deliveries whose time is over, takes down questions, tells Online
    /// Services, erases what is past its period. Call it every second; calling it more often does no harm.
    ///
    /// # Errors
    /// The store can't be reached: call it again.
    pub async fn sweep(self: &Arc<Self>) -> Result<(), EngineError> {
        let now = self.clock.now();
        let sessions: Vec<Arc<Session>> = self.sessions().values().cloned().collect();
        for session in sessions {
            session.sweep_question(now);
            if now >= session.deadline() {
                self.expire(&session).await;
                if !session.is_busy() {
                    self.sessions().remove(&session.id());
                }
            }
        }
        self.erase_due(now).await?;
        self.tell_events().await?;
        Ok(())
    }
}
