//! What the operator sets, as the engine asks for it.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use url::Url;
use zeroize::Zeroizing;

use super::{REQUESTS_PER_MINUTE, SourceSettings};
use crate::collect::ways::Ways;

impl SourceSettings {
    pub(super) fn ways(&self, clock: Arc<dyn consentry_host_api::ports::Clock>) -> Ways {
        let ways = Ways::new(self.usual, clock);
        self.routes.iter().fold(ways, |ways, ((connector, source), route, bounds)| {
            ways.set(connector, source, route.clone(), *bounds)
        })
    }

    pub(in crate::engine) fn base(&self, connector: &str, source: &str) -> Option<&Url> {
        self.bases.get(&(connector.to_owned(), source.to_owned()))
    }

    /// The operator's secrets towards a source; copies go into the run's vault.
    pub(in crate::engine) fn secrets(&self, connector: &str, source: &str) -> Vec<(&str, Zeroizing<Vec<u8>>)> {
        let held = self.secrets.get(&(connector.to_owned(), source.to_owned()));
        held.into_iter().flatten().map(|(name, value)| (name.as_str(), value.clone())).collect()
    }

    pub(in crate::engine) fn development(&self) -> bool {
        self.development
    }

    pub(in crate::engine) fn trusted_proxies(&self) -> &[IpAddr] {
        &self.trusted_proxies
    }

    /// How often a caller may ask in a minute.
    pub(in crate::engine) fn requests_per_minute(&self) -> NonZeroU32 {
        self.requests_per_minute.unwrap_or(REQUESTS_PER_MINUTE)
    }

    /// The address that assertions of Online Services are made for.
    pub(in crate::engine) fn token_endpoint(&self) -> &str {
        self.token_endpoint.as_ref().map_or("http://127.0.0.1/v1/token", Url::as_str)
    }

    /// The address that people whom a connector sends elsewhere come back to.
    pub(in crate::engine) fn callback(&self) -> &str {
        self.callback.as_ref().map_or("http://127.0.0.1/v1/callback", Url::as_str)
    }
}
