//! Accounts: for people who want to find their consents again without keeping the receipts themselves. Nobody needs one.
//!
//! What an account may hold is closed (policy, section 5.8): the passkeys that open it, a way to reach the person, and the receipts of
//! what they shared, which say from where to whom. No name, no password, no login at a Data Source. It can't be found by anything but one of its
//! passkeys, and it is gone at once when its person closes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::entropy::Entropy;
use crate::erase::retention::{R13Account, Term};
use crate::id::{ConsentId, OnlineServiceId, ReceiptId, SubjectId};
use crate::rights::declared::{Declared, Erase, Export, Rectify, Restrict};
use crate::store::{Expect, Record, Shelf, Shelves, StoreError, Stored};

// How often Data Sources are asked while nobody is there.
mod accesses;
// What is looked for in all of them.
mod all;
// Where a person is reached.
mod contact;
// What an account does not do.
mod error;
// Making and checking passkeys.
pub mod passkey;
// Who is signed in.
mod signed_in;

pub use contact::{CONTACT_BYTES_MAX, Contact, NotAContact};
pub use error::AccountError;
use passkey::{Handle, Passkey, PasskeyError, Passkeys};
pub use signed_in::{SIGNED_IN, SignedIn};

/// Most passkeys of one account.
pub const PASSKEYS_MAX: usize = 16;
/// Most receipts in one account.
pub const RECEIPTS_MAX: usize = 1000;
/// How often a write is tried again because somebody else wrote first.
const ATTEMPTS_MAX: u32 = 16;

/// An account's name in the store. It is made of the random handle in its passkeys, and of nothing that a person has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountName(String);

/// What opens an account, and how its person is reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Since when it is there.
    pub opened_at: Timestamp,
    /// What its passkeys know it by.
    handle: Handle,
    /// What opens it: one at least.
    pub passkeys: Vec<Passkey>,
    /// Where the person wants to be reached; nowhere without it.
    pub contact: Option<Contact>,
    /// As whom each Online Service knows the person: drawn at random, so that two of them can't tell that it is the same one.
    subjects: BTreeMap<OnlineServiceId, SubjectId>,
    /// When each Data Source was asked while nobody was there, in the last 24 hours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    accesses: BTreeMap<String, Vec<Timestamp>>,
}

/// The account that a session's person signed in to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Which account.
    pub account: AccountName,
    /// As whom the Online Service of the session knows them.
    pub subject: SubjectId,
}

/// A receipt that an account holds: from where to whom something went.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceAccess {
    /// The receipt's id.
    pub receipt: ReceiptId,
    /// The consent that it proves.
    pub consent: ConsentId,
    /// Who received.
    pub online_service: OnlineServiceId,
    /// The Data Source, by its id.
    pub source: String,
    /// When it was put here.
    pub kept_at: Timestamp,
    /// The receipt, with all its disclosures.
    pub token: String,
}

/// Whether a change lets something go that was in an account. Then no older copy of the store may open it any more.
#[derive(Clone, Copy)]
enum Change {
    Adds,
    LetsGo,
}

/// The accounts of a node.
#[derive(Debug)]
pub struct Accounts {
    shelf: Shelf<R13Account>,
    passkeys: Passkeys,
    signed_in: SignedIn,
    entropy: Arc<Entropy>,
}

impl Accounts {
    /// Accounts on this shelf, opened by passkeys for this address.
    pub fn new(shelves: &Shelves, passkeys: Passkeys, entropy: Arc<Entropy>) -> Self {
        Self { shelf: shelves.shelf(), passkeys, signed_in: SignedIn::default(), entropy }
    }

    /// What the browser needs to make the first passkey of a new account.
    ///
    /// # Errors
    /// [`AccountError::Passkey`].
    pub fn begin(&self) -> Result<serde_json::Value, AccountError> {
        Ok(self.passkeys.begin_new()?)
    }

    /// Opens an account with its first passkey, and signs in. Gives the token that is shown from now on.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn open(&self, made: &[u8], now: Timestamp) -> Result<String, AccountError> {
        let (handle, passkey) = self.passkeys.finish(made, now)?;
        let name = AccountName::of(&handle);
        let account = Account::of(handle, vec![passkey], now);
        self.shelf.put(&name.0, &account, Expect::Absent, Term::open()).await?;
        Ok(self.signed_in.give(&self.entropy, name, now))
    }

    /// An account that was opened by a passkey that no authenticator has.
    #[cfg(test)]
    pub(crate) async fn made_up(&self, byte: u8, now: Timestamp) -> (AccountName, String) {
        let handle = Handle::made_up(byte);
        let (name, passkeys) = (AccountName::of(&handle), vec![Passkey::made_up(byte, now)]);
        let account = Account::of(handle, passkeys, now);
        self.shelf.put(&name.0, &account, Expect::Absent, Term::open()).await.unwrap();
        let token = self.signed_in.give(&self.entropy, name.clone(), now);
        (name, token)
    }

    /// Signs in by no passkey.
    #[cfg(test)]
    pub(crate) fn signed_in_again(&self, name: &AccountName, now: Timestamp) -> String {
        self.signed_in.give(&self.entropy, name.clone(), now)
    }

    /// What the browser needs to ask for a passkey.
    ///
    /// # Errors
    /// [`AccountError::Passkey`].
    pub fn begin_sign_in(&self) -> Result<serde_json::Value, AccountError> {
        Ok(self.passkeys.begin_sign_in()?)
    }

    /// Signs in with a passkey. Gives the token that is shown from now on.
    ///
    /// # Errors
    /// [`AccountError::Passkey`], whatever is wrong with it.
    pub async fn sign_in(&self, shown: &[u8], now: Timestamp) -> Result<String, AccountError> {
        let shown = self.passkeys.read(shown)?;
        let name = AccountName::of(&shown.handle());
        let mut stored = self.shelf.get::<Account>(&name.0).await?.ok_or(PasskeyError::Unknown)?;
        let account = &mut stored.value;
        let passkey = account.passkeys.iter_mut().find(|passkey| shown.is_of(passkey)).ok_or(PasskeyError::Unknown)?;
        if self.passkeys.check(shown, passkey)? {
            // Its counter went on. Of two sign-ins at once, one is refused.
            match self.shelf.put(&name.0, account, Expect::At(stored.revision), Term::open()).await {
                Err(StoreError::Conflict) => return Err(PasskeyError::Unknown.into()),
                written => written.map(drop)?,
            }
        }
        Ok(self.signed_in.give(&self.entropy, name, now))
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// [`AccountError::NotSignedIn`].
    pub fn who(&self, token: &str, now: Timestamp) -> Result<AccountName, AccountError> {
        self.signed_in.who(token, now).ok_or(AccountError::NotSignedIn)
    }

    /// Signs out.
    pub fn sign_out(&self, token: &str) {
        self.signed_in.take(token);
    }

    /// What an account holds.
    ///
    /// # Errors
    /// [`AccountError::NotSignedIn`] if it was closed.
    pub async fn get(&self, name: &AccountName) -> Result<Account, AccountError> {
        Ok(self.read(name).await?.value)
    }

    /// Sets or takes away the contact.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn set_contact(&self, name: &AccountName, contact: Option<Contact>) -> Result<(), AccountError> {
        self.change(name, |account| {
            let before = std::mem::replace(&mut account.contact, contact.clone());
            Ok(if before.is_some() { Change::LetsGo } else { Change::Adds })
        })
        .await
    }

    /// What the browser needs to make one more passkey.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn begin_passkey(&self, name: &AccountName) -> Result<serde_json::Value, AccountError> {
        let account = self.get(name).await?;
        Ok(self.passkeys.begin_another(&account.handle, &account.passkeys)?)
    }

    /// Adds a passkey.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn add_passkey(&self, name: &AccountName, made: &[u8], now: Timestamp) -> Result<(), AccountError> {
        let (handle, passkey) = self.passkeys.finish(made, now)?;
        if AccountName::of(&handle) != *name {
            return Err(PasskeyError::Unknown.into());
        }
        self.change(name, |account| {
            if account.passkeys.len() >= PASSKEYS_MAX {
                return Err(AccountError::Full { what: "passkeys", most: PASSKEYS_MAX });
            }
            account.passkeys.push(passkey.clone());
            Ok(Change::Adds)
        })
        .await
    }

    /// Takes a passkey away, and signs everybody out who may have come in by it. The last one stays.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn remove_passkey(&self, name: &AccountName, id: &str) -> Result<(), AccountError> {
        self.change(name, |account| {
            let left: Vec<_> = account.passkeys.iter().filter(|passkey| passkey.id() != id).cloned().collect();
            match left.len() {
                same if same == account.passkeys.len() => Err(PasskeyError::Unknown.into()),
                0 => Err(AccountError::LastPasskey),
                _ => {
                    account.passkeys = left;
                    Ok(Change::LetsGo)
                }
            }
        })
        .await?;
        self.signed_in.take_all(name);
        Ok(())
    }

    /// Links an account with what is shared with an Online Service from now on.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn link(&self, name: &AccountName, with: OnlineServiceId, now: Timestamp) -> Result<Link, AccountError> {
        let new = self.entropy.with(|rng| SubjectId::new(now, rng));
        self.change(name, |account| {
            account.subjects.entry(with).or_insert(new);
            Ok(Change::Adds)
        })
        .await?;
        let subject = self.get(name).await?.subjects.get(&with).copied().ok_or(AccountError::NotSignedIn)?;
        Ok(Link { account: name.clone(), subject })
    }

    /// Forgets as whom an Online Service knew the person: the next time they are somebody else there.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn forget_subject(&self, name: &AccountName, with: OnlineServiceId) -> Result<(), AccountError> {
        self.change(name, |account| {
            let known = account.subjects.remove(&with);
            Ok(if known.is_some() { Change::LetsGo } else { Change::Adds })
        })
        .await
    }

    /// Keeps a receipt. To keep it again changes nothing.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn keep(&self, name: &AccountName, access: &SourceAccess) -> Result<(), AccountError> {
        // One that was closed meanwhile gets nothing more.
        self.read(name).await?;
        if self.names(name).await?.len() >= RECEIPTS_MAX {
            return Err(AccountError::Full { what: "receipts", most: RECEIPTS_MAX });
        }
        self.shelf.put(&name.access(access.receipt), access, Expect::Any, Term::open()).await?;
        // It may have been closed in between: then nothing stays.
        if let Err(closed) = self.read(name).await {
            self.shelf.delete::<SourceAccess>(&name.access(access.receipt)).await?;
            return Err(closed);
        }
        Ok(())
    }

    /// The receipts of an account, oldest first.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn receipts(&self, name: &AccountName) -> Result<Vec<SourceAccess>, AccountError> {
        let mut all = vec![];
        for name in self.names(name).await? {
            all.extend(self.shelf.get::<SourceAccess>(&name).await?.map(|stored| stored.value));
        }
        Ok(all)
    }

    /// Lets go of a receipt. What it proves stays as it is.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn let_go(&self, name: &AccountName, receipt: ReceiptId) -> Result<(), AccountError> {
        Ok(self.shelf.delete::<SourceAccess>(&name.access(receipt)).await?)
    }

    /// Closes an account. Everything in it is gone when this returns, and nobody is signed in to it any more.
    ///
    /// # Errors
    /// [`AccountError::Store`]: ask again.
    pub async fn close(&self, name: &AccountName) -> Result<(), AccountError> {
        // First what opens it: whatever fails after this, nobody gets in.
        self.shelf.delete::<Account>(&name.0).await?;
        self.signed_in.take_all(name);
        for access in self.names(name).await? {
            self.shelf.delete::<SourceAccess>(&access).await?;
        }
        Ok(())
    }

    async fn names(&self, name: &AccountName) -> Result<Vec<String>, AccountError> {
        let prefix = format!("{}.", name.0);
        let names = self.shelf.names::<SourceAccess>().await?;
        Ok(names.into_iter().filter(|name| name.starts_with(&prefix)).collect())
    }

    async fn read(&self, name: &AccountName) -> Result<Stored<Account>, AccountError> {
        self.shelf.get::<Account>(&name.0).await?.ok_or(AccountError::NotSignedIn)
    }

    async fn change(
        &self,
        name: &AccountName,
        change: impl Fn(&mut Account) -> Result<Change, AccountError>,
    ) -> Result<(), AccountError> {
        for _ in 0..ATTEMPTS_MAX {
            let mut stored = self.read(name).await?;
            let (change, expect) = (change(&mut stored.value)?, Expect::At(stored.revision));
            let written = match change {
                Change::Adds => self.shelf.put(&name.0, &stored.value, expect, Term::open()).await,
                Change::LetsGo => self.shelf.put_anew(&name.0, &stored.value, expect, Term::open()).await,
            };
            match written {
                Err(StoreError::Conflict) => {}
                written => return Ok(written.map(drop)?),
            }
        }
        Err(StoreError::Conflict.into())
    }
}

impl AccountName {
    fn of(handle: &Handle) -> Self {
        Self(handle.name())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a receipt in it is stored under.
    pub(crate) fn access(&self, receipt: ReceiptId) -> String {
        format!("{}.{receipt}", self.0)
    }
}

// The whole receipt is proof of who asks, so it stands in no output.
impl std::fmt::Debug for SourceAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceAccess").field("receipt", &self.receipt).finish_non_exhaustive()
    }
}

/// How everything in an account answers to rights: its person does it all, there and then.
const IN_THE_ACCOUNT: Declared = Declared {
    export: Export::InAccess,
    rectify: Rectify::InTheAccount,
    erase: Erase::AtOnce,
    restrict: Restrict::NothingIsDoneWithIt,
};

impl Record for Account {
    const NAMESPACE: &'static str = "account";
    const RIGHTS: Declared = IN_THE_ACCOUNT;
    type Row = R13Account;
}

impl Record for SourceAccess {
    const NAMESPACE: &'static str = "account-receipt";
    const RIGHTS: Declared = IN_THE_ACCOUNT;
    type Row = R13Account;
}

#[cfg(test)]
mod tests;
