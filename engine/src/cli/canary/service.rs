//! The Online Service of a drill: asks, is told, fetches, opens, acknowledges. What it opened it forgets.

use std::net::SocketAddr;
use std::sync::mpsc::Receiver;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::cli::stand_in::Member;
use crate::cli::stand_in::wire::{Asked, WAIT, take_events};
use crate::data::Digest;
use crate::entropy::Entropy;
use crate::jose::jwe;
use crate::online_service::KeyHash;

/// What it asks for: the whole of what a bank has.
const PURPOSE: &str = "tenant-check";
const JSON: &str = "application/json";

/// An Online Service with keys of its own, which die with it.
pub(super) struct Service {
    pub(super) member: Member,
    bearer: String,
    /// Where it takes events.
    pub(super) events: SocketAddr,
    told: Receiver<Value>,
}

/// A session, as it was begun.
#[derive(serde::Deserialize)]
pub(super) struct Begun {
    pub(super) session: String,
    pub(super) token: String,
}

impl Service {
    pub(super) fn new() -> anyhow::Result<Self> {
        let mut bearer = [0; 32];
        Entropy::system().with(|rng| rng.fill_bytes(&mut bearer));
        let (events, told) = take_events()?;
        Ok(Self { member: Member::new("a drill")?, bearer: hex::encode(bearer), events, told })
    }

    /// Its key to the interface, as the engine knows it.
    pub(super) fn bearer_hash(&self) -> String {
        KeyHash::of(&self.bearer).to_hex()
    }

    /// Begins a session.
    pub(super) fn ask(&self, engine: SocketAddr, categories: &[&str]) -> anyhow::Result<Begun> {
        let body = json!({ "purpose": PURPOSE, "categories": categories, "reference": "drill" }).to_string();
        let answer = self.call(engine, "POST", "/v1/sessions", Some((JSON, &body)))?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Waits until it is told of a parcel, and takes it: fetches, opens, acknowledges.
    pub(super) fn take(&self, engine: SocketAddr) -> anyhow::Result<()> {
        let event = self.told.recv_timeout(WAIT).context("no parcel was told")?;
        let parcel = event["data"]["parcel"].as_str().context("an event names a parcel")?;
        let sealed = self.call(engine, "GET", &format!("/v1/parcels/{parcel}"), None)?;
        self.member
            .key
            .open(std::str::from_utf8(&sealed)?, jwe::PARCEL_BYTES_MAX)
            .context("the parcel does not open")?;
        let body = json!({ "digest": Digest::of(&sealed) }).to_string();
        self.call(engine, "POST", &format!("/v1/parcels/{parcel}/ack"), Some((JSON, &body))).map(drop)
    }

    fn call(
        &self,
        engine: SocketAddr,
        method: &str,
        path: &str,
        body: Option<(&str, &str)>,
    ) -> anyhow::Result<Vec<u8>> {
        Asked { method, path, token: Some(&self.bearer), body }.ask(engine)?.good(path)
    }
}
