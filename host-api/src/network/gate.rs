//! The gate before one Data Source, shared by every run of this node: how many requests are under way at once, how many go out in a
//! minute, and a rest for a source that does not answer. It bounds what the source has to bear and what waits for it here; it grants nothing.

mod breaker;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::Clock as _;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use http::StatusCode;
use tokio::sync::Semaphore;

use super::{Incoming, Network, NetworkError, Outgoing};
use crate::ports::Clock;
use breaker::Breaker;

/// Longest wait for a turn.
const QUEUE: Duration = Duration::from_secs(30);
/// A minute's requests are not sent in its first second: so many parts of it may go at once.
const BURSTS: u32 = 6;

/// What one Data Source is asked for at most, by all runs of a node together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateBounds {
    /// Requests under way at once.
    pub requests_at_once: u32,
    /// Requests in a minute; a sixth of them may go at once.
    pub requests_per_minute: NonZeroU32,
    /// Requests without an answer, one after the other, before the source is left alone.
    pub failures_in_a_row: u32,
    /// How long it is left alone before one request looks whether it answers again.
    pub rest: Duration,
}

impl Default for GateBounds {
    fn default() -> Self {
        Self {
            requests_at_once: 64,
            requests_per_minute: NonZeroU32::new(6_000).unwrap_or(NonZeroU32::MIN),
            failures_in_a_row: 20,
            rest: Duration::from_secs(30),
        }
    }
}

/// The gate before one Data Source.
pub struct Gate {
    turns: Semaphore,
    rate: RateLimiter<NotKeyed, InMemoryState, RateClock, governor::middleware::NoOpMiddleware<Nanos>>,
    rate_clock: RateClock,
    breaker: Breaker,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("turns", &self.turns.available_permits()).finish_non_exhaustive()
    }
}

impl Gate {
    /// An open gate.
    pub fn new(bounds: GateBounds, clock: Arc<dyn Clock>) -> Self {
        let burst = NonZeroU32::new(bounds.requests_per_minute.get().div_ceil(BURSTS)).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(bounds.requests_per_minute).allow_burst(burst);
        let rate_clock = RateClock(clock.clone());
        Self {
            turns: Semaphore::new(bounds.requests_at_once as usize),
            rate: RateLimiter::direct_with_clock(quota, rate_clock.clone()),
            rate_clock,
            breaker: Breaker::new(bounds.failures_in_a_row, bounds.rest, clock),
        }
    }

    async fn fetch(&self, network: &dyn Network, request: Outgoing) -> Result<Incoming, NetworkError> {
        // A source at rest keeps nobody waiting.
        self.breaker.look().map_err(resting)?;
        let busy = NetworkError::Busy { retry_after: QUEUE };
        let Ok(Ok(_turn)) = tokio::time::timeout(QUEUE, self.turns.acquire()).await else { return Err(busy) };
        self.wait_for_rate().await?;
        let attempt = self.breaker.begin().map_err(resting)?;
        let fetched = network.fetch(request).await;
        attempt.end(answers(&fetched));
        fetched
    }

    /// Lets a connection through, on which somebody else asks: it counts as one request, and holds no turn.
    pub(super) async fn connect<T>(
        &self,
        connected: impl Future<Output = Result<T, NetworkError>>,
    ) -> Result<T, NetworkError> {
        self.wait_for_rate().await?;
        let attempt = self.breaker.begin().map_err(resting)?;
        let connected = connected.await;
        attempt.end(match &connected {
            Ok(_) => Some(true),
            Err(NetworkError::Unreachable(_) | NetworkError::Timeout) => Some(false),
            Err(_) => None,
        });
        connected
    }

    async fn wait_for_rate(&self) -> Result<(), NetworkError> {
        let mut waited = Duration::ZERO;
        while let Err(not_yet) = self.rate.check() {
            let wait = not_yet.wait_time_from(self.rate_clock.now());
            waited += wait;
            if waited > QUEUE {
                return Err(NetworkError::Busy { retry_after: wait });
            }
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }
}

fn resting(retry_after: Duration) -> NetworkError {
    NetworkError::Resting { retry_after }
}

/// Whether the source is there, whatever it said; none where that was never asked.
fn answers(fetched: &Result<Incoming, NetworkError>) -> Option<bool> {
    let down = [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
    match fetched {
        Ok(incoming) => Some(!down.contains(&incoming.status)),
        Err(NetworkError::Unreachable(_) | NetworkError::Timeout) => Some(false),
        Err(_) => None,
    }
}

/// A network behind the gate of its Data Source.
pub struct Gated<N> {
    /// The way out.
    pub network: N,
    /// What every request passes first.
    pub gate: Arc<Gate>,
}

#[async_trait]
impl<N: Network> Network for Gated<N> {
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, NetworkError> {
        self.gate.fetch(&self.network, request).await
    }
}

/// Our clock in the words of the rate limiter.
#[derive(Clone)]
struct RateClock(Arc<dyn Clock>);

impl governor::clock::Clock for RateClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(u64::try_from(self.0.now().as_nanosecond()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
