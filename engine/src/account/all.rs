//! What an erasure and a start look for in all accounts, and how one begins. Nothing here is shown to anybody: an account is its person's alone.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::passkey::{Handle, Passkey};
use super::{Account, AccountError, AccountName, Accounts, SourceAccess};
use crate::id::{OnlineServiceId, SubjectId};

impl Account {
    /// A new one.
    pub(super) fn of(handle: Handle, passkeys: Vec<Passkey>, opened_at: Timestamp) -> Self {
        let (subjects, accesses) = (BTreeMap::new(), BTreeMap::new());
        Self { opened_at, handle, passkeys, contact: None, subjects, accesses }
    }

    /// Whether an Online Service knows its person as this.
    pub fn is_known_as(&self, subject: SubjectId) -> bool {
        self.subjects.values().any(|known| *known == subject)
    }
}

impl Accounts {
    /// The account of somebody whom an Online Service knows as this.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn of_subject(&self, subject: SubjectId) -> Result<Option<(AccountName, OnlineServiceId)>, AccountError> {
        for name in self.shelf.names::<Account>().await? {
            let Some(stored) = self.shelf.get::<Account>(&name).await? else { continue };
            if let Some((with, _)) = stored.value.subjects.iter().find(|(_, known)| **known == subject) {
                return Ok(Some((AccountName(name), *with)));
            }
        }
        Ok(None)
    }

    /// The receipts of all accounts that are wanted, each with its account.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn receipts_where(
        &self,
        wanted: impl Fn(&AccountName, &SourceAccess) -> bool,
    ) -> Result<Vec<(AccountName, SourceAccess)>, AccountError> {
        let mut all = vec![];
        for name in self.shelf.names::<SourceAccess>().await? {
            let Some(stored) = self.shelf.get::<SourceAccess>(&name).await? else { continue };
            let account = AccountName(name.split('.').next().unwrap_or_default().to_owned());
            if wanted(&account, &stored.value) {
                all.push((account, stored.value));
            }
        }
        Ok(all)
    }

    /// The accounts whose person an Online Service knows.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn known_to(&self, with: OnlineServiceId) -> Result<Vec<AccountName>, AccountError> {
        let mut all = vec![];
        for name in self.shelf.names::<Account>().await? {
            let known = self.shelf.get::<Account>(&name).await?;
            if known.is_some_and(|stored| stored.value.subjects.contains_key(&with)) {
                all.push(AccountName(name));
            }
        }
        Ok(all)
    }

    /// Takes away receipts whose account is gone, at a start: an end that a crash cut off leaves them, and so does a store that
    /// was put back from before something was taken out of the account.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn take_away_left(&self) -> Result<(), AccountError> {
        let accounts = self.shelf.names::<Account>().await?;
        for access in self.shelf.names::<SourceAccess>().await? {
            let of = access.split('.').next().unwrap_or_default();
            if !accounts.iter().any(|account| account == of) {
                self.shelf.delete::<SourceAccess>(&access).await?;
            }
        }
        Ok(())
    }
}
