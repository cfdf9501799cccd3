//! How somebody came to give a login. Its parts have two lives: the navigation may be kept, by the policy, in a trace; the address is known to the run
//! alone, and is gone with its vault.

use crate::peer::PersonAddress;
use crate::trace::Navigation;

/// How somebody came to give a login.
#[derive(Debug, Clone, Copy)]
pub struct Visit {
    /// What may be kept of it.
    pub navigation: Navigation,
    /// Where the person is, for a Data Source that has to be told; none where it is not known.
    pub address: Option<PersonAddress>,
}

impl From<Navigation> for Visit {
    /// From this machine's own terminal, or from anywhere that is not known.
    fn from(navigation: Navigation) -> Self {
        Self { navigation, address: None }
    }
}
