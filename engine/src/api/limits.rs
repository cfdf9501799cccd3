//! How often a caller may ask: so many requests in a minute for each Online Service, operator and session, and for each network those that
//! come without a key. Told in `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), refused with 429.
//!
//! Without a key from this machine means: through a proxy, which has to know its own visitors; those are not counted here.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{AUTHORIZATION, RETRY_AFTER};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::clock::Clock as _;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::Shared;
use super::problem::{Problem, TOO_OFTEN};
use crate::clock::Clock;
use crate::id::{OnlineServiceId, OperatorId, SessionId};
use crate::peer::CutAddress;

/// So many times what a caller may is what all of a network without a key may.
const NETWORK: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
/// Callers that asked nothing for a while are forgotten after so many requests.
const FORGET_EVERY: u64 = 4096;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Who {
    Service(OnlineServiceId),
    Operator(OperatorId),
    Session(SessionId),
    Network(String),
}

type Limiter = RateLimiter<Who, HashMapStateStore<Who>, EngineClock, StateInformationMiddleware>;

/// What each caller has asked.
pub(super) struct Limits {
    callers: Limiter,
    networks: Limiter,
    clock: EngineClock,
    per_minute: u32,
    asked: AtomicU64,
}

impl Limits {
    pub(super) fn new(per_minute: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let clock = EngineClock(clock);
        let limiter = |most: NonZeroU32| -> Limiter {
            RateLimiter::new(Quota::per_minute(most), HashMapStateStore::default(), clock.clone())
        };
        let (callers, networks) = (limiter(per_minute), limiter(per_minute.saturating_mul(NETWORK)));
        Self { callers, networks, per_minute: per_minute.get(), asked: AtomicU64::new(0), clock }
    }

    /// How many requests are left to a caller, or for how many seconds it has to wait.
    fn ask(&self, who: &Who) -> Result<u32, u64> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.callers.retain_recent();
            self.networks.retain_recent();
        }
        let limiter = if matches!(who, Who::Network(_)) { &self.networks } else { &self.callers };
        match limiter.check_key(who) {
            Ok(left) => Ok(left.remaining_burst_capacity()),
            Err(wait) => Err(wait.wait_time_from(self.clock.now()).as_secs() + 1),
        }
    }

    fn policy(&self, who: &Who) -> (&'static str, u32) {
        match who {
            Who::Network(_) => ("network", self.per_minute.saturating_mul(NETWORK.get())),
            _ => ("caller", self.per_minute),
        }
    }
}

/// Counts a request, and refuses one too many.
pub(super) async fn limit(
    State((engine, limits)): State<(Shared, Arc<Limits>)>,
    request: Request,
    next: Next,
) -> Response {
    let Some(who) = who(&engine, &request) else { return next.run(request).await };
    let (name, most) = limits.policy(&who);
    let (mut response, left, wait) = match limits.ask(&who) {
        Ok(left) => (next.run(request).await, left, 60),
        Err(wait) => {
            let mut refused = Problem::of(&TOO_OFTEN).into_response();
            refused.headers_mut().insert(RETRY_AFTER, wait.into());
            (refused, 0, wait)
        }
    };
    let told = [
        ("ratelimit-policy", format!("\"{name}\";q={most};w=60")),
        ("ratelimit", format!("\"{name}\";r={left};t={wait}")),
    ];
    for (name, value) in told {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Who asks; none for somebody on this machine who shows no key.
pub(super) fn who(engine: &Shared, request: &Request) -> Option<Who> {
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = shown.split_once(' ').map_or("", |(_, token)| token);
    if !token.is_empty() {
        if let Some(service) = engine.caller(token) {
            return Some(Who::Service(service.id()));
        }
        if let Some(operator) = engine.operator(token) {
            return Some(Who::Operator(operator.id()));
        }
        let id = request.uri().path().split('/').find_map(|part| part.parse::<SessionId>().ok());
        if let Some(session) = id.and_then(|id| engine.session(id)).filter(|session| session.knows(token)) {
            return Some(Who::Session(session.id()));
        }
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>()?.0.ip();
    (!peer.is_loopback()).then(|| Who::Network(CutAddress::of(peer).to_string()))
}

/// The engine's clock, as `governor` reads one.
#[derive(Clone)]
struct EngineClock(Arc<dyn Clock>);

impl governor::clock::Clock for EngineClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(u64::try_from(self.0.now().as_nanosecond()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::clock::ManualClock;
    use crate::fixtures::{id, now};

    #[test]
    fn each_caller_has_so_many_requests_in_a_minute_and_nobody_elses() {
        let clock = Arc::new(ManualClock::new(now()));
        let limits = Limits::new(NonZeroU32::new(3).unwrap(), clock.clone());
        let (one, other) = (Who::Service(id(1)), Who::Service(id(2)));
        assert_eq!([(); 3].map(|()| limits.ask(&one)), [Ok(2), Ok(1), Ok(0)]);
        assert!(limits.ask(&one).is_err_and(|wait| (20..=21).contains(&wait)));
        assert_eq!(limits.ask(&other), Ok(2));
        clock.advance(SignedDuration::from_secs(20));
        assert_eq!(limits.ask(&one), Ok(0), "a third of a minute is worth one of three");
        let network = Who::Network("192.0.2.0/24".to_owned());
        assert_eq!([(); 15].map(|()| limits.ask(&network).is_ok()), [true; 15]);
        assert!(limits.ask(&network).is_err());
        assert_eq!(limits.policy(&network), ("network", 15));
    }
}
