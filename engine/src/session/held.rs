//! What a session holds while its run is between two hands, given up when the session ends. Only the notes are stored with
//! it, for a receipt after a restart: names, digests and numbers.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Weak;

use consentry_contract::failure::Failure;
use consentry_host_api::vault::VaultWitness;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;

use crate::data::{Category, Data, Digest, Minimised};
use crate::id::ParcelId;
use crate::ledger::PlannedLeaf;
use crate::outcome::Run;

/// The place of an open session among those that its Online Service, and its node, may have. It goes with the session's end.
#[derive(Debug)]
pub struct Place {
    _own: OwnedSemaphorePermit,
    _node: OwnedSemaphorePermit,
}

impl Place {
    /// One place of the Online Service's, and one of the node's.
    pub fn new(own: OwnedSemaphorePermit, node: OwnedSemaphorePermit) -> Self {
        Self { _own: own, _node: node }
    }
}

/// What waits for the person's decision, and the run it belongs to.
#[derive(Debug)]
pub struct Review {
    /// The run.
    pub run: Run,
    /// What was found.
    pub data: Data<Minimised>,
}

/// What waits for its receiver, and the run it belongs to.
#[derive(Debug)]
pub struct Sending {
    /// The run.
    pub run: Run,
    /// The parcel.
    pub parcel: ParcelId,
    /// Its digest.
    pub digest: Digest,
    /// Why something is missing in it, if something is.
    pub shortfall: Option<Failure>,
}

/// What is noted of a run for its receipt and for the proof of its erasure: no item, no secret. A note says what was going
/// to happen; whether it did is looked up in the ledger and in the outbox when the receipt is issued.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// The ledger's leaves, each noted before it is accepted.
    pub leaves: Vec<PlannedLeaf>,
    /// How many items of each category were collected.
    pub collected: BTreeMap<Category, usize>,
    /// How many of them were put into the parcel.
    pub shared: BTreeMap<Category, usize>,
    /// The parcel, noted before it is sealed.
    pub parcel: Option<PlannedParcel>,
    /// Who can see from outside whether the run left anything in memory.
    #[serde(skip)]
    pub alive: Alive,
}

/// A parcel that the person shares.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedParcel {
    /// Its name.
    pub id: ParcelId,
    /// Why something is missing in it, if something is.
    pub shortfall: Option<Failure>,
}

/// Looks at what a run holds in memory. None of it after a restart: then nothing is held.
#[derive(Debug, Clone, Default)]
pub struct Alive {
    /// The run's secrets.
    pub vault: Option<VaultWitness>,
    /// Each lives as long as the run's sandbox does.
    pub sandbox: Vec<Weak<dyn Any + Send + Sync>>,
    /// What works for the run.
    pub tasks: Option<TaskTracker>,
    /// Lives as long as the run's items do.
    pub data: Option<Weak<()>>,
}

/// What a session still held when it ended. Its owner ends the run and erases the rest.
#[derive(Default)]
pub struct Left {
    /// Data that nobody decided about.
    pub review: Option<Review>,
    /// A parcel that nobody acknowledged.
    pub sending: Option<Sending>,
    /// Somebody else holds the run and will end it.
    pub busy: bool,
}
