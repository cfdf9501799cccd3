//! Telling an Online Service that a parcel waits, by Standard Webhooks. The event is thin: it names the parcel and says nothing about a person.
//! The Online Service fetches the parcel itself and acknowledges it by digest; a proxy's 200 to an event is no receipt.
//!
//! An event goes to the registered address only, over connections that are checked like those to a Data Source: https, no
//! private address after resolution, no redirect. Whether and when it is told again is the outbox's decision.

use std::time::Duration;

use consentry_contract::manifest::Origin;
use consentry_host_api::egress::Egress;
use consentry_host_api::network::{LiveNetwork, Network, NetworkError, Outgoing, Payload, TlsSettings};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use url::Url;
use zeroize::Zeroizing;

use crate::id::{EventId, ParcelId, SessionId};

pub mod file;
pub mod webhook;

use webhook::WebhookKey;

/// Most bytes of an answer that are read: none of it is used.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// An event: what is sent and signed. Its name is in `webhook-id`, and stays the same when it is told again.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Event {
    /// `parcel.ready`. Others may come.
    #[serde(rename = "type")]
    kind: &'static str,
    /// When it happened.
    timestamp: Timestamp,
    data: ParcelReady,
}

/// A parcel waits.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ParcelReady {
    /// Names the event: the receiver's idempotency key.
    #[serde(skip)]
    pub event: EventId,
    /// The parcel to fetch.
    pub parcel: ParcelId,
    /// The session it belongs to.
    pub session: SessionId,
    /// The Online Service's own reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Until when it can be fetched.
    pub expires_at: Timestamp,
}

/// Tells events.
#[derive(Debug)]
pub struct Forwarder {
    tls: TlsSettings,
    development: bool,
    timeout: Duration,
    agent: String,
}

/// Why an event was not told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// The address can't be used.
    #[error("the address of events can't be used")]
    Address,
    /// It could not be written down.
    #[error("the event can't be written down")]
    Unwritable,
    /// Nobody answered.
    #[error("whoever is told can't be reached")]
    Network(#[from] NetworkError),
    /// It answered with something else than success.
    #[error("whoever is told answered with status {0}")]
    Status(u16),
}

impl Forwarder {
    /// Tells events with these trust roots; `development` allows loopback.
    pub fn new(tls: TlsSettings, development: bool, timeout: Duration, agent: &str) -> Self {
        Self { tls, development, timeout, agent: agent.to_owned() }
    }

    /// Tells an event once, signed by this key.
    ///
    /// # Errors
    /// [`ForwardError`]: it may have arrived all the same.
    pub async fn tell(
        &self,
        to: &Url,
        ready: ParcelReady,
        key: &WebhookKey,
        now: Timestamp,
    ) -> Result<(), ForwardError> {
        let id = ready.event;
        let event = Event { kind: "parcel.ready", timestamp: id.made_at(), data: ready };
        let body = serde_json::to_vec(&event).map_err(|_| ForwardError::Unwritable)?;
        self.send(to, id, body, key, now).await
    }

    /// Sends an event that is written down already, once, signed by this key.
    ///
    /// # Errors
    /// [`ForwardError`]: it may have arrived all the same.
    pub async fn send(
        &self,
        to: &Url,
        id: EventId,
        body: Vec<u8>,
        key: &WebhookKey,
        now: Timestamp,
    ) -> Result<(), ForwardError> {
        let id = id.to_string();
        let signature = key.sign(&id, now.as_second(), &body);
        let origin = Origin::of(to).map_err(|_| ForwardError::Address)?;
        let egress = Egress::new(&[origin], self.development);
        egress.check(to).map_err(NetworkError::from)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, text) in
            [("webhook-id", id), ("webhook-timestamp", now.as_second().to_string()), ("webhook-signature", signature)]
        {
            headers.insert(name, HeaderValue::from_str(&text).map_err(|_| ForwardError::Unwritable)?);
        }
        let request = Outgoing {
            method: Method::POST,
            url: to.clone(),
            headers,
            body: Some(Payload::plain(Zeroizing::new(body))),
            body_bytes_max: ANSWER_BYTES_MAX,
            repeatable: false,
            identity: None,
        };
        let network = LiveNetwork::new(&egress, &self.tls, &self.agent)?;
        let answer = tokio::time::timeout(self.timeout, network.fetch(request)).await;
        let answer = answer.map_err(|_| NetworkError::Timeout)??;
        if answer.status.is_success() { Ok(()) } else { Err(ForwardError::Status(answer.status.as_u16())) }
    }
}
