//! Whom a browser runs as: an account of its own, which owns the browser's profile and nothing else. Never root; and the engine's own account
//! only where the engine may not change to another, and its operator says that this will do.

use std::io;

use caps::{CapSet, Capability};
use nix::unistd::{Gid, Uid, User, geteuid, setfsgid, setfsuid};

use super::BrowserError;
use super::settings::BrowserSettings;

/// What it takes to start, own files and end processes as another account (capabilities(7)).
const RIGHTS: [Capability; 3] = [Capability::CAP_SETUID, Capability::CAP_SETGID, Capability::CAP_KILL];

/// The account of one browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    /// One of its own: user and group.
    Own(u32, u32),
    /// The engine's.
    Engines,
}

impl Account {
    /// The account that these settings name, where the engine may change to it.
    ///
    /// # Errors
    /// [`BrowserError::Account`] and [`BrowserError::Rights`].
    pub(super) fn of(settings: &BrowserSettings) -> Result<Self, BrowserError> {
        let engine = geteuid();
        if RIGHTS.iter().all(|right| caps::has_cap(None, CapSet::Effective, *right).unwrap_or(false)) {
            let named = User::from_name(&settings.account).ok().flatten();
            let named = named.filter(|account| !account.uid.is_root() && account.uid != engine);
            let named = named.map(|account| Self::Own(account.uid.as_raw(), account.gid.as_raw()));
            return named.ok_or_else(|| BrowserError::Account(settings.account.clone()));
        }
        if settings.shared_account && !engine.is_root() { Ok(Self::Engines) } else { Err(BrowserError::Rights) }
    }

    /// User and group, where they are not the engine's.
    pub(super) fn other(self) -> Option<(u32, u32)> {
        match self {
            Self::Own(user, group) => Some((user, group)),
            Self::Engines => None,
        }
    }

    /// Does something to files as this account: what it makes is the account's, and it reaches what the account reaches. Waits for it.
    ///
    /// # Errors
    /// What the work says.
    pub(super) fn act<T: Send>(self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        let Self::Own(user, group) = self else { return work() };
        // Of one thread alone (setfsuid(2)), and that ends with the work: nothing else is ever done as somebody else by mistake.
        let acts = move || {
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
            setfsgid(group);
            setfsuid(user);
            // They say who it was before, not whether it worked; asked a second time, they say who it is.
            if (setfsuid(user), setfsgid(group)) == (user, group) {
                work()
            } else {
                Err(io::ErrorKind::PermissionDenied.into())
            }
        };
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("profile".to_owned()).spawn_scoped(scope, acts)?;
            thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread of a profile ended")))
        })
    }
}
