//! What a session holds while its run is between two hands: in memory only, and given up when the session ends.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Weak;

use consentry_contract::failure::Failure;

use crate::data::{Category, Data, Digest, Minimised};
use crate::id::ParcelId;
use crate::ledger::AcceptedLeaf;
use crate::outcome::Run;

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

/// What is noted of a run for its receipt and for the proof of its erasure: no item, no secret.
#[derive(Default)]
pub struct Notes {
    /// The ledger's leaves.
    pub leaves: Vec<AcceptedLeaf>,
    /// How many items of each category were collected.
    pub collected: BTreeMap<Category, usize>,
    /// How many of them were put into the parcel.
    pub shared: BTreeMap<Category, usize>,
    /// The parcel and its digest.
    pub parcel: Option<(ParcelId, Digest)>,
    /// Each lives as long as the run's sandbox, with its secrets, does.
    pub sandbox: Vec<Weak<dyn Any + Send + Sync>>,
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
