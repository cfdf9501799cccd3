//! How a request with a login came: the class of the device, the language, and where the person is. Nothing of it is logged here.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::{ACCEPT_LANGUAGE, USER_AGENT};
use axum::http::request::Parts;

use super::Shared;
use crate::engine::Visit;
use crate::peer::PersonAddress;
use crate::trace::{Device, Language, Navigation};

/// Where a proxy writes whom it speaks for.
const FORWARDED_FOR: &str = "x-forwarded-for";

impl FromRequestParts<Shared> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, engine: &Shared) -> Result<Self, Infallible> {
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let navigation = Navigation {
            device: Device::of_user_agent(text(USER_AGENT)),
            language: Language::of_accept_language(text(ACCEPT_LANGUAGE)),
        };
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        // Several headers of that name are one list.
        let lines = parts.headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok());
        let forwarded = lines.collect::<Vec<_>>().join(",");
        let address = peer.and_then(|peer| PersonAddress::of(peer, &forwarded, engine.trusted_proxies()));
        Ok(Self { navigation, address })
    }
}
