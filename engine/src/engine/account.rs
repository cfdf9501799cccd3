//! What an account does with its receipts: it keeps them, and asks with them, as their person could.

use serde_json::{Value, json};

use super::{Engine, EngineError};
use crate::account::{AccountError, AccountName, Accounts, SourceAccess};
use crate::id::{ConsentId, ReceiptId};
use crate::receipt::{Facts, split_binding};
use crate::rights::Ask;
use crate::session::Session;
use crate::session::state::Step;

impl Engine {
    /// The accounts of this node.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Opens an account with its first passkey, and signs in.
    ///
    /// # Errors
    /// [`EngineError::Account`].
    pub async fn open_account(&self, made: &[u8]) -> Result<String, EngineError> {
        Ok(self.accounts.open(made, self.clock.now()).await?)
    }

    /// Signs in with a passkey.
    ///
    /// # Errors
    /// [`EngineError::Account`].
    pub async fn enter_account(&self, shown: &[u8]) -> Result<String, EngineError> {
        Ok(self.accounts.sign_in(shown, self.clock.now()).await?)
    }

    /// Adds a passkey to an account.
    ///
    /// # Errors
    /// [`EngineError::Account`].
    pub async fn add_passkey(&self, account: &AccountName, made: &[u8]) -> Result<(), EngineError> {
        Ok(self.accounts.add_passkey(account, made, self.clock.now()).await?)
    }

    /// Whose token this is, if they are signed in.
    pub fn account_of(&self, token: &str) -> Option<AccountName> {
        self.accounts.who(token, self.clock.now()).ok()
    }

    /// Puts a receipt into an account. Whoever has the receipt could do everything with it before.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for what is no receipt of ours, or one of what is not kept any more.
    pub async fn keep_in_account(&self, account: &AccountName, receipt: &str) -> Result<ReceiptId, EngineError> {
        let (facts, _) = self.proven(receipt).await?;
        self.keep_receipt_of(account, &facts, split_binding(receipt).0).await?;
        Ok(facts.receipt)
    }

    /// Keeps a receipt that was just issued or proven.
    pub(super) async fn keep_receipt_of(
        &self,
        account: &AccountName,
        facts: &Facts,
        token: &str,
    ) -> Result<(), AccountError> {
        let access = SourceAccess {
            receipt: facts.receipt,
            consent: facts.consent,
            online_service: facts.online_service,
            source: facts.source.id.clone(),
            kept_at: self.clock.now(),
            token: token.to_owned(),
        };
        self.accounts.keep(account, &access).await
    }

    /// The person of a session signs in: its receipts go to their account, and the Online Service knows them again the next time.
    ///
    /// # Errors
    /// [`EngineError::Step`] once a login was given.
    pub async fn link(&self, session: &Session, account: &AccountName) -> Result<(), EngineError> {
        let link = self.accounts.link(account, session.request().online_service(), self.clock.now()).await?;
        if !session.link(link) {
            return Err(self.wrong_state(session, Step::CredentialsGiven));
        }
        Ok(self.rows.save(session).await?)
    }

    /// Everything that an account holds: the copy for its person. What is kept about a consent is asked for with its receipt.
    ///
    /// # Errors
    /// [`EngineError::Account`].
    pub async fn account_copy(&self, account: &AccountName) -> Result<Value, EngineError> {
        let (held, receipts) = (self.accounts.get(account).await?, self.accounts.receipts(account).await?);
        let mut access = vec![];
        for kept in receipts {
            // Its period may be over: then the receipt proves what was, and opens nothing any more.
            let state = self.consents.record(kept.consent).await.ok().map(|record| record.status());
            access.push(json!({
                "receipt": kept.receipt, "consent": kept.consent, "online_service": kept.online_service,
                "online_service_name": self.online_service(kept.online_service).map(|service| service.name().to_owned()),
                "source": kept.source, "kept_at": kept.kept_at, "state": state, "token": kept.token,
            }));
        }
        let passkeys: Vec<Value> =
            held.passkeys.iter().map(|passkey| json!({ "id": passkey.id(), "made_at": passkey.made_at })).collect();
        let connections = self.connections_of(account).await?;
        let lifted = self.lifts_told(|lift| held.is_known_as(lift.subject)).await?;
        Ok(
            json!({ "lifted": lifted, "opened_at": held.opened_at, "contact": held.contact, "passkeys": passkeys, "receipts": access, "connections": connections }),
        )
    }

    /// A request under the rights of whoever has the account, about one consent.
    ///
    /// # Errors
    /// As [`Engine::ask_right`].
    pub async fn ask_right_in_account(
        &self,
        account: &AccountName,
        consent: ConsentId,
        ask: Ask,
    ) -> Result<Value, EngineError> {
        let (facts, consent) = self.issued(&self.receipt_in_account(account, consent).await?).await?;
        self.ask_proven(facts, consent, ask).await
    }

    /// Where the requests about one consent stand.
    ///
    /// # Errors
    /// As [`Engine::ask_right`].
    pub async fn look_at_rights_in_account(
        &self,
        account: &AccountName,
        consent: ConsentId,
    ) -> Result<Value, EngineError> {
        let (facts, consent) = self.issued(&self.receipt_in_account(account, consent).await?).await?;
        self.look_proven(&facts, consent).await
    }

    pub(super) async fn receipt_in_account(
        &self,
        account: &AccountName,
        consent: ConsentId,
    ) -> Result<String, EngineError> {
        let receipts = self.accounts.receipts(account).await?;
        let of = receipts.into_iter().find(|kept| kept.consent == consent);
        of.map(|kept| kept.token).ok_or(EngineError::NotFound)
    }
}

impl From<AccountError> for EngineError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Store(error) => error.into(),
            error => Self::Account(error),
        }
    }
}
