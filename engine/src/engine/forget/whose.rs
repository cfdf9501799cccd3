//! Whose data a scope is, and what of everything kept is theirs.

use std::collections::BTreeSet;

use crate::account::{AccountName, SourceAccess};
use crate::connection::Connection;
use crate::erase::receipt::Scope;
use crate::id::{OnlineServiceId, SessionId};
use crate::maintenance::lent::Lending;
use crate::session::Session;
use crate::session::row::SessionRow;

/// Whose data a scope is.
pub(super) struct Whose {
    pub(super) scope: Scope,
    /// For a person as one Online Service knows them: their account.
    pub(super) account: Option<(AccountName, OnlineServiceId)>,
    /// The sessions that are here, or were when it was asked.
    pub(super) sessions: BTreeSet<SessionId>,
    /// The receipts of it that accounts hold.
    pub(super) receipts: Vec<(AccountName, SourceAccess)>,
}

impl Whose {
    pub(super) fn has(&self, session: &Session) -> bool {
        match self.scope {
            Scope::Session(id) => session.id() == id,
            Scope::OnlineService(id) => session.request().online_service() == id,
            Scope::Subject(id) => session.linked().is_some_and(|link| link.subject == id),
            // To take a login back ends no session.
            Scope::LentLogin(_) => false,
        }
    }

    pub(super) fn has_row(&self, row: &SessionRow) -> bool {
        match self.scope {
            Scope::Session(id) => row.id == id,
            Scope::OnlineService(id) => row.online_service == id,
            Scope::Subject(id) => row.link.as_ref().is_some_and(|link| link.subject == id),
            Scope::LentLogin(_) => false,
        }
    }

    pub(super) fn connected(&self, connection: &Connection) -> bool {
        match self.scope {
            Scope::Session(id) => connection.session == id,
            Scope::OnlineService(id) => connection.online_service == id,
            Scope::Subject(id) => connection.subject == id,
            Scope::LentLogin(_) => false,
        }
    }

    pub(super) fn lent(&self, lending: &Lending) -> bool {
        match self.scope {
            Scope::Session(id) => lending.session == id,
            Scope::OnlineService(id) => lending.online_service == id,
            Scope::Subject(id) => {
                lending.subject == Some(id) || self.receipts.iter().any(|(_, kept)| kept.consent == lending.consent)
            }
            Scope::LentLogin(id) => lending.consent == id,
        }
    }
}
