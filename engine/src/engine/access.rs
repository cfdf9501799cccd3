//! Access of Online Services to the interface: an assertion of theirs, used once, gives a token for a quarter of an hour. Both are
//! remembered in memory only: a restart gives new tokens to whoever asks anew, and takes no assertion that was made before it.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};

use super::{Engine, EngineError};
use crate::clock::Clock;
use crate::id::OnlineServiceId;
use crate::jose::jws;
use crate::online_service::assertion::{Assertion, AssertionError, BYTES_MAX};
use crate::online_service::{KeyHash, OnlineService};

/// How long an access token works.
pub const TOKEN_LIFE: SignedDuration = SignedDuration::from_secs(900);
/// Most tokens of one Online Service that work at once; the oldest goes.
const TOKENS_EACH_MAX: usize = 64;
/// Most assertions of one Online Service within their lives.
const USED_EACH_MAX: usize = 1000;

/// Who has access, and which assertions were used.
pub(super) struct Access {
    since: Timestamp,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    tokens: HashMap<String, (OnlineServiceId, Timestamp)>,
    used: BTreeMap<(OnlineServiceId, String), Timestamp>,
}

impl Access {
    /// From now on.
    pub(super) fn new(since: Timestamp) -> Self {
        Self { since, held: Mutex::default() }
    }

    /// Takes an assertion, once, and lets its Online Service in with the token of this hash.
    fn take(&self, assertion: Assertion, token: &KeyHash, now: Timestamp) -> Result<(), AssertionError> {
        let mut held = self.lock();
        held.tokens.retain(|_, (_, until)| *until > now);
        held.used.retain(|_, until| *until > now);
        let by = assertion.by;
        let known = held.used.keys().filter(|(other, _)| *other == by).count();
        if known >= USED_EACH_MAX || held.used.contains_key(&(by, assertion.jti.clone())) {
            return Err(AssertionError::Used);
        }
        held.used.insert((by, assertion.jti), assertion.expires_at);
        let own = held.tokens.iter().filter(|(_, (other, _))| *other == by);
        if own.clone().count() >= TOKENS_EACH_MAX
            && let Some(oldest) = own.min_by_key(|(_, (_, until))| *until).map(|(hash, _)| hash.clone())
        {
            held.tokens.remove(&oldest);
        }
        held.tokens.insert(token.to_hex(), (by, now + TOKEN_LIFE));
        Ok(())
    }

    fn of(&self, token: &str, now: Timestamp) -> Option<OnlineServiceId> {
        // Found by its hash: how long that takes tells nothing of the token.
        let held = self.lock();
        held.tokens.get(&KeyHash::of(token).to_hex()).filter(|(_, until)| *until > now).map(|(by, _)| *by)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Each change is one insertion or removal.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// The clock, for what counts requests.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// How often a caller may ask in a minute.
    pub(crate) fn requests_per_minute(&self) -> NonZeroU32 {
        self.settings.requests_per_minute()
    }

    /// Proxies whose word about where a person is counts.
    pub(crate) fn trusted_proxies(&self) -> &[IpAddr] {
        self.settings.trusted_proxies()
    }

    /// The address that assertions are made for.
    pub fn token_endpoint(&self) -> &str {
        self.settings.token_endpoint()
    }

    /// Gives an access token for an assertion.
    ///
    /// # Errors
    /// [`EngineError::Assertion`].
    pub fn give_access(&self, assertion: &str) -> Result<String, EngineError> {
        let now = self.clock.now();
        let kid = jws::kid(assertion, BYTES_MAX).map_err(|_| AssertionError::Refused)?;
        let mut refused = AssertionError::Refused;
        let has_key =
            |service: &&Arc<OnlineService>| service.partner().signer.as_ref().is_some_and(|signer| signer.kid() == kid);
        for service in self.online_services.values().filter(has_key) {
            match Assertion::verify(assertion, service, self.token_endpoint(), self.access.since, now) {
                Ok(verified) => {
                    let token = self.entropy.with(|rng| {
                        let mut secret = [0; 32];
                        rng.fill_bytes(&mut secret);
                        URL_SAFE_NO_PAD.encode(secret)
                    });
                    self.access.take(verified, &KeyHash::of(&token), now)?;
                    return Ok(token);
                }
                Err(error) => refused = error,
            }
        }
        Err(refused.into())
    }

    /// The Online Service that shows this token, or its bearer key where it has one.
    pub fn caller(&self, key: &str) -> Option<Arc<OnlineService>> {
        match self.access.of(key, self.clock.now()) {
            Some(id) => self.online_service(id),
            None => self.online_services.values().find(|service| service.knows(key)).cloned(),
        }
    }
}
