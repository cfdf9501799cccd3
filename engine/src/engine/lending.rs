//! Logins that people lend for live re-tests: taken as they are sealed, shown to their person, taken back.

use super::{Engine, EngineError};
use crate::account::AccountName;
use crate::erase::receipt::{ErasureReceipt, Scope};
use crate::id::ConsentId;
use crate::jose::PublicKey;
use crate::jose::jwe::{CREDENTIALS_BYTES_MAX, Token};
use crate::keys::Duty;
use crate::maintenance::lent::{Lending, OPENINGS_MAX, Seen, Why};
use crate::session::Session;
use crate::trace::Language;

impl Engine {
    /// The public keys that lent logins are encrypted to, newest first; none where the operator takes no part in the maintenance programme.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn maintenance_keys(&self) -> Result<Vec<PublicKey>, EngineError> {
        if !self.settings.reports {
            return Ok(Vec::new());
        }
        Ok(self.keys.publics(Duty::Maintenance).await?)
    }

    /// Keeps a login for re-tests of the break that this session met, as it was sealed: nobody opens it here. Only who gave the report may
    /// lend one, and only as long as nobody has closed the break. One that is lent already stays.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]: no report was given, its break is closed, the consent was withdrawn or restricted, or the login was opened as
    /// often as one may be. [`EngineError::Sealed`]: it is not sealed to a maintenance key.
    /// A store that takes nothing: nothing is kept.
    pub async fn lend_login(&self, session: &Session, jwe: &str, language: Language) -> Result<Seen, EngineError> {
        let offer = session.offered().ok_or(EngineError::NotFound)?;
        let report = offer.given.ok_or(EngineError::NotFound)?;
        let (consent, choice) = session.consent().zip(session.choice()).ok_or(EngineError::NotFound)?;
        let ticket = offer.report.fingerprint();
        let spent = self.reports.lendings().get(consent).await?.is_some_and(|lent| lent.openings.len() >= OPENINGS_MAX);
        if spent || !self.may_lend(consent, &ticket).await? {
            return Err(EngineError::NotFound);
        }
        let token = Token::parse(jwe, CREDENTIALS_BYTES_MAX).map_err(|_| EngineError::Sealed)?;
        if !self.keys.holds(Duty::Maintenance, token.kid()).await? {
            return Err(EngineError::Sealed);
        }
        let lending = Lending {
            consent,
            session: session.id(),
            online_service: session.request().online_service(),
            subject: session.linked().map(|link| link.subject),
            report,
            ticket: ticket.clone(),
            connector: choice.connector,
            source: choice.source,
            language: language.as_str().to_owned(),
            agreed_at: self.clock.now(),
            failed_at: offer.at,
            openings: Vec::new(),
            ended: None,
            before: Vec::new(),
        };
        self.reports.lendings().lend(&lending, jwe).await?;
        // What it hangs on may have gone meanwhile, and who ended that found no login: it goes with it.
        let given = session.offered().and_then(|offer| offer.given) == Some(report);
        if !given || !self.may_lend(consent, &ticket).await? {
            self.end_lending(consent).await?;
        }
        self.lent_under(consent).await?.ok_or(EngineError::NotFound)
    }

    /// Whether the break is open, and the consent under which the run failed stands.
    async fn may_lend(&self, consent: ConsentId, ticket: &str) -> Result<bool, EngineError> {
        Ok(self.reports.is_open(ticket).await? && self.stands(consent).await.is_some())
    }

    /// What the person of a session sees of the login that they lent in it.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn lent(&self, session: &Session) -> Result<Option<Seen>, EngineError> {
        match session.consent() {
            Some(consent) => self.lent_under(consent).await,
            None => Ok(None),
        }
    }

    /// Takes a lent login back, in the session in which it was lent: it is erased at once. The receipt of that is signed.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]: none was lent. [`EngineError::Platform`]: ask again.
    pub async fn take_back_in_session(&self, session: &Session) -> Result<ErasureReceipt, EngineError> {
        self.take_back_under(session.consent().ok_or(EngineError::NotFound)?).await
    }

    /// The same, for whoever has a receipt of the run that failed.
    ///
    /// # Errors
    /// As [`Engine::take_back_in_session`].
    pub async fn take_back(&self, receipt: &str) -> Result<ErasureReceipt, EngineError> {
        let (_, consent) = self.proven(receipt).await?;
        self.take_back_under(consent).await
    }

    /// The same, for whoever has such a receipt in an account.
    ///
    /// # Errors
    /// As [`Engine::take_back_in_session`].
    pub async fn take_back_in_account(
        &self,
        account: &AccountName,
        consent: ConsentId,
    ) -> Result<ErasureReceipt, EngineError> {
        let (_, consent) = self.issued(&self.receipt_in_account(account, consent).await?).await?;
        self.take_back_under(consent).await
    }

    pub(super) async fn take_back_under(&self, consent: ConsentId) -> Result<ErasureReceipt, EngineError> {
        if self.reports.lendings().get(consent).await?.is_none() {
            return Err(EngineError::NotFound);
        }
        self.erase(Scope::LentLogin(consent)).await
    }

    /// What is seen of the login that was lent after a run under this consent failed.
    pub(super) async fn lent_under(&self, consent: ConsentId) -> Result<Option<Seen>, EngineError> {
        Ok(self.reports.lendings().seen(consent).await?)
    }

    /// Erases a lent login, because the person took back what it hangs on.
    pub(super) async fn end_lending(&self, consent: ConsentId) -> Result<(), EngineError> {
        Ok(self.reports.lendings().end(consent, Why::Withdrawn, self.clock.now()).await?)
    }
}
