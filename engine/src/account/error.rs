//! What an account does not do.

use jiff::Timestamp;

use super::accesses::ACCESSES_MAX;
use super::passkey::PasskeyError;
use crate::store::StoreError;

/// What an account does not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The passkey is not one of ours, or what it signed is not what was asked.
    #[error(transparent)]
    Passkey(#[from] PasskeyError),
    /// Nobody is signed in, or not any more.
    #[error("sign in first")]
    NotSignedIn,
    /// As many as there may be.
    #[error("an account has {most} {what} at most")]
    Full {
        /// What.
        what: &'static str,
        /// How many.
        most: usize,
    },
    /// The Data Source was asked as often as it may be while nobody is there.
    #[error(
        "a Data Source is asked {ACCESSES_MAX} times in 24 hours at most while nobody is there, ten minutes apart: again after {next}"
    )]
    AccessesSpent {
        /// When it may be asked again.
        next: Timestamp,
    },
    /// Nothing is tried while nobody is there.
    #[error("the Data Source needs its person: collect from it again, and agree to synchronisation again")]
    PersonNeeded,
    /// The last passkey can't be taken away.
    #[error("an account keeps one passkey: close the account instead")]
    LastPasskey,
    /// The store failed.
    #[error("the account can't be read or written")]
    Store(#[from] StoreError),
}
