//! Browsers of operators. A key is typed once; from then on the browser shows a token, which is kept here as a hash, in memory only: a
//! restart signs everybody out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};

use crate::entropy::Entropy;
use crate::id::OperatorId;
use crate::online_service::KeyHash;

/// Longest time from signing in.
pub const LIFE: SignedDuration = SignedDuration::from_hours(12);
/// Longest time without a request.
pub const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// Most browsers at once; of more, the one that was used least lately is signed out.
pub const SIGN_INS_MAX: usize = 256;

/// A browser that is signed in now: what its cookie holds.
pub struct SignedIn {
    /// The token. It is kept as a hash only, so this is the one chance to hand it on.
    pub token: String,
}

pub(super) struct SignIns {
    held: Mutex<Vec<SignIn>>,
    entropy: Arc<Entropy>,
}

struct SignIn {
    token: KeyHash,
    operator: OperatorId,
    key: KeyHash,
    since: Timestamp,
    seen: Timestamp,
}

impl SignIns {
    pub(super) fn new(entropy: Arc<Entropy>) -> Self {
        Self { held: Mutex::default(), entropy }
    }

    pub(super) fn begin(&self, operator: OperatorId, key: KeyHash, now: Timestamp) -> SignedIn {
        let mut secret = [0; 32];
        self.entropy.with(|rng| rng.fill_bytes(&mut secret));
        let token = URL_SAFE_NO_PAD.encode(secret);
        let mut held = self.lock();
        held.retain(|each| each.lives(now));
        if held.len() >= SIGN_INS_MAX
            && let Some(at) = (0..held.len()).min_by_key(|at| held[*at].seen)
        {
            held.swap_remove(at);
        }
        held.push(SignIn { token: KeyHash::of(&token), operator, key, since: now, seen: now });
        SignedIn { token }
    }

    /// Who signed in, and with which key. To be seen puts the end by idleness off.
    pub(super) fn look(&self, token: &str, now: Timestamp) -> Option<(OperatorId, KeyHash)> {
        let hash = KeyHash::of(token);
        let mut held = self.lock();
        held.retain(|each| each.lives(now));
        let found = held.iter_mut().find(|each| each.token.is(&hash))?;
        found.seen = found.seen.max(now);
        Some((found.operator, found.key.clone()))
    }

    pub(super) fn end(&self, token: &str) {
        let hash = KeyHash::of(token);
        self.lock().retain(|each| !each.token.is(&hash));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SignIn>> {
        // A sign-in is put in or taken out in one step.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SignIn {
    fn lives(&self, now: Timestamp) -> bool {
        now < self.since + LIFE && now < self.seen + IDLE
    }
}
