//! Who is signed in: by a random token, in memory, for an hour. A restart signs everybody out.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::AccountName;
use crate::entropy::Entropy;
use crate::online_service::KeyHash;

/// How long somebody is signed in. Nothing extends it.
pub const SIGNED_IN: SignedDuration = SignedDuration::from_hours(1);
/// Most who are signed in at once; beyond that, whoever came first has to sign in again.
const MOST: usize = 10_000;

/// Who is signed in.
#[derive(Default)]
pub struct SignedIn(Mutex<HashMap<KeyHash, (AccountName, Timestamp)>>);

impl SignedIn {
    /// A token for this account.
    pub(super) fn give(&self, entropy: &Entropy, name: AccountName, now: Timestamp) -> String {
        let mut secret = Zeroizing::new([0; 32]);
        entropy.with(|rng| rng.fill_bytes(secret.as_mut_slice()));
        let token = URL_SAFE_NO_PAD.encode(secret.as_slice());
        let until = now.checked_add(SIGNED_IN).unwrap_or(Timestamp::MAX);
        let mut held = self.lock();
        held.retain(|_, (_, until)| now < *until);
        if held.len() >= MOST
            && let Some(first) = held.iter().min_by_key(|(_, (_, until))| *until).map(|(key, _)| key.clone())
        {
            held.remove(&first);
        }
        held.insert(KeyHash::of(&token), (name, until));
        token
    }

    /// Whose token it is.
    pub(super) fn who(&self, token: &str, now: Timestamp) -> Option<AccountName> {
        self.lock().get(&KeyHash::of(token)).filter(|(_, until)| now < *until).map(|(name, _)| name.clone())
    }

    /// Forgets a token.
    pub(super) fn take(&self, token: &str) {
        self.lock().remove(&KeyHash::of(token));
    }

    /// Forgets everybody of an account.
    pub(super) fn take_all(&self, name: &AccountName) {
        self.lock().retain(|_, (held, _)| held != name);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KeyHash, (AccountName, Timestamp)>> {
        // An entry is put in or taken out in one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn").field("held", &self.lock().len()).finish()
    }
}
